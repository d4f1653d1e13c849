"""The user's own folder, and the seal by which a cache of this user is told from any other.

A cache lies in the tree, and a tree can come from anywhere with a cache that says that all is in
order. What a run wrote is sealed with a key that only this user has; anything else is no cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from codegen.store.system import owned_by_us, read_regular

_KEY = "key"
_SIZE = 32


def user_folder() -> Path:
    """Where a user's caches are: ``CODEGEN_CACHE_DIR``, or the place that the system has for them."""
    override = os.environ.get("CODEGEN_CACHE_DIR")
    if override:
        return Path(override)
    from platformdirs import user_cache_path

    place = user_cache_path("codegen", appauthor=False)
    if place.is_absolute():
        return place
    # A user without a home, as in some containers.
    return Path(tempfile.gettempdir()) / f"codegen-{getattr(os, 'getuid', int)()}"


def seal(body: str) -> str:
    """The seal of a text under the user's key; "" where no key can be kept."""
    key = _key(user_folder())
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest() if key else ""


def is_sealed(body: str, mark: str) -> bool:
    """Whether a text carries the seal of this user."""
    own = seal(body)
    return bool(own) and hmac.compare_digest(own, mark)


def _key(folder: Path) -> bytes | None:
    """The user's key, made when it is first needed; None where none can be kept."""
    place = folder / _KEY
    for _ in range(2):
        try:
            key = read_regular(place, follow=False)
            return key if len(key) == _SIZE and owned_by_us(place) else None
        except FileNotFoundError:
            _make_key(folder, place)
        except OSError:
            return None
    return None


def _make_key(folder: Path, place: Path) -> None:
    """Make the key complete under another name, so that of two runs at once one is first."""
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=folder, prefix="key-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_SIZE))
            try:
                os.link(draft, place)
            except (NotImplementedError, PermissionError):  # no second names on this file system
                os.rename(draft, place)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(draft)
