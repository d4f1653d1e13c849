"""Folders for files that other programs work on; those of runs that were killed are cleaned up."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from codegen.errors import fail
from codegen.store.system import kind_at, locked, owned_by_us

_PREFIX = "codegen-format-"
_LOCK = "in-use"
#: Seconds after which a folder that nobody holds is one that a killed run has left.
_OLD = 60


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder outside the tree, gone at the end of the block.

    Raises CodegenError when there is no room for it, or for what is written into it.
    """
    try:
        place = Path(tempfile.gettempdir())
        _remove_leftovers(place)
        with (
            tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as folder,
            locked(Path(folder, _LOCK), 0),
        ):
            yield Path(folder)
    except OSError as error:
        raise fail(
            "temporary-folder",
            f"cannot use the temporary folder: {error.strerror or error}",
            str(error.filename or ""),
            0,
            "free some space, or set TMPDIR to another folder",
        ) from None


def _remove_leftovers(place: Path) -> None:
    """Remove folders of runs that were killed: old enough, our own, and held by nobody."""
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            old = time.time() - status.st_mtime > _OLD
            if not old or kind_at(folder) != "a folder" or not owned_by_us(folder):
                continue
            if not os.path.lexists(folder / _LOCK):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            with locked(folder / _LOCK, 0) as free:
                if free:
                    shutil.rmtree(folder, ignore_errors=True)
