"""The compiled forms of modules whose operations were changed, beside those that Python keeps itself.

They lie in ``__pycache__`` under a tag of their own, and hold for one source, one way of changing it and
one version of Python. Where nothing can be written there they are made again each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import marshal
import os
import sys
import tempfile
from pathlib import Path
from types import CodeType

_TAG = "traced"


def kept_code(path: str, source: bytes, changes: bytes) -> CodeType | None:
    """The code of a module that was kept; None if there is none of this source.

    ``changes`` is what decides how sources are changed.
    """
    with contextlib.suppress(OSError, ValueError, EOFError, TypeError, NotImplementedError):
        data = _place(path).read_bytes()
        mark = _mark(source, changes)
        if data.startswith(mark):
            code = marshal.loads(data[len(mark) :])
            return code if isinstance(code, CodeType) else None
    return None


def keep_code(path: str, source: bytes, changes: bytes, code: CodeType) -> CodeType:
    """Keep the code of a module, and return it."""
    if sys.dont_write_bytecode:
        return code
    with contextlib.suppress(OSError, NotImplementedError):
        place = _place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f"{place.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_mark(source, changes) + marshal.dumps(code))
            os.replace(name, place)
        except BaseException:
            os.unlink(name)
            raise
    return code


def _place(path: str) -> Path:
    return Path(importlib.util.cache_from_source(path, optimization=_TAG))


def _mark(source: bytes, changes: bytes) -> bytes:
    digest = hashlib.sha256(changes)
    digest.update(source)
    return importlib.util.MAGIC_NUMBER + digest.digest()
