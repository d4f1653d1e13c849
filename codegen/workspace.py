"""The only place that writes generated files: all files of a model, or none of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from codegen.errors import fail

_STAGING = ".codegen-staging-"


class Workspace:
    """Writes below one output folder. Use as a context manager: it holds the folder's lock."""

    def __init__(self, output: Path, lock_folder: Path) -> None:
        self.output = output
        self._lock_folder = lock_folder
        self._staging: Path | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Workspace:
        self._stack.enter_context(_lock(self._lock_folder))
        self._remove_leftovers()
        return self

    def __exit__(self, *_: object) -> None:
        if self._staging is not None:
            shutil.rmtree(self._staging, ignore_errors=True)
        self._stack.close()

    def replace(self, texts: Mapping[str, str], removed: Sequence[str] = ()) -> None:
        """Write one model's files (by relative path) and remove others; undone on failure.

        Raises CodegenError if a path leaves the output folder or cannot be written.
        """
        places = {self._place(path): text for path, text in texts.items()}
        dropped = [self._place(path) for path in removed]
        try:
            staged = self._stage(places)
            self._swap(staged, dropped)
        except OSError as error:
            shown = error.filename2 or error.filename or self.output
            raise fail(
                "unwritable",
                f"cannot write: {error.strerror or error}",
                _shown(Path(str(shown)), self.output),
                0,
                "check permissions and free space; no file of this model was changed",
            ) from None

    def _place(self, path: str) -> Path:
        place = self.output / path
        resolved = place.parent.resolve() / place.name
        if place.is_symlink():
            resolved = place.resolve()
        if not resolved.is_relative_to(self.output.resolve()):
            raise fail(
                "outside-root",
                f"the file would be written outside the output folder ({resolved})",
                path,
                0,
                "remove the symbolic link, or set another output folder",
            )
        return place

    def _stage(self, places: Mapping[Path, str]) -> dict[Path, Path]:
        """Write every text completely beside its final place before anything is replaced."""
        if self._staging is None:
            self.output.mkdir(parents=True, exist_ok=True)
            self._staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.output))
        staged = {}
        for index, (place, text) in enumerate(places.items()):
            draft = self._staging / f"{index}.new"
            with open(draft, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
            if place.exists():
                shutil.copymode(place, draft)
            else:
                draft.chmod(0o666 & ~_umask())
            place.parent.mkdir(parents=True, exist_ok=True)
            staged[place] = draft
        return staged

    def _swap(self, staged: Mapping[Path, Path], dropped: Sequence[Path]) -> None:
        assert self._staging is not None
        undo: list[tuple[Path, Path | None]] = []
        try:
            for index, place in enumerate([*staged, *dropped]):
                backup: Path | None = None
                if place.exists():
                    backup = self._staging / f"{index}.old"
                    shutil.copy2(place, backup)
                undo.append((place, backup))
            for place, draft in staged.items():
                os.replace(draft, place)
            for place in dropped:
                place.unlink(missing_ok=True)
        except BaseException:
            for place, backup in undo:
                with contextlib.suppress(OSError):
                    if backup is not None:
                        os.replace(backup, place)
                    else:
                        place.unlink(missing_ok=True)
            raise

    def _remove_leftovers(self) -> None:
        """Staging folders of a run that was killed; we hold the lock, so none is in use."""
        if self.output.is_dir():
            for folder in self.output.glob(f"{_STAGING}*"):
                shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Wait for other runs on the same tree; without a lockable folder go on without."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            import fcntl  # not on Windows

            handle = stack.enter_context(open(folder / "lock", "w", encoding="utf-8"))
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
