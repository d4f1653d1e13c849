"""The only place that writes generated files: all files of a model, or none of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from codegen.errors import fail
from codegen.store.signals import signals_held_back

_STAGING = ".codegen-staging-"


class Workspace:
    """Writes below one output folder. Use as a context manager: it holds the folder's lock."""

    def __init__(self, output: Path, lock_folder: Path) -> None:
        self.output = output
        self._lock_folder = lock_folder
        self._staging: dict[Path, Path] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Workspace:
        self._stack.enter_context(_lock(self._lock_folder))
        _remove_leftovers(self.output)
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self._staging.values():
            shutil.rmtree(folder, ignore_errors=True)
        self._stack.close()

    def replace(self, texts: Mapping[str, str], removed: Sequence[str] = ()) -> None:
        """Write one model's files (by relative path) and remove others; undone on failure.

        Raises CodegenError if a path leaves the output folder or cannot be written.
        """
        places = {self._place(path): text for path, text in texts.items()}
        dropped = [self._place(path) for path in removed]
        made: list[Path] = []
        try:
            self._swap(self._stage(places, made), dropped)
        except BaseException:
            for folder in reversed(made):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise
        finally:
            self._empty_staging()

    @contextlib.contextmanager
    def _writing(self, place: Path) -> Iterator[None]:
        """Report failures of the system as failures to write a file."""
        try:
            yield
        except OSError as error:
            raise fail(
                "unwritable",
                f"cannot write the file: {error.strerror or error}",
                place.relative_to(self.output).as_posix(),
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

    def _stage(self, places: Mapping[Path, str], made: list[Path]) -> dict[Path, Path]:
        """Write every text completely before anything is replaced; folders made are listed."""
        staged = {}
        for index, (place, text) in enumerate(places.items()):
            with self._writing(place):
                made += _make_folders(place.parent)
                draft = self._staging_for(place) / f"{index}.new"
                with open(draft, "w", encoding="utf-8", newline="\n") as file:
                    file.write(text)
                if place.exists():
                    shutil.copymode(place, draft)
                else:
                    draft.chmod(0o666 & ~_umask())
            staged[place] = draft
        return staged

    def _staging_for(self, place: Path) -> Path:
        """A folder on the disk of ``place``, from where a file can be moved there in one step."""
        top, device = place.parent, place.parent.stat().st_dev
        while top != self.output and top.parent.stat().st_dev == device:
            top = top.parent
        if top not in self._staging:
            _remove_leftovers(top)
            self._staging[top] = Path(tempfile.mkdtemp(prefix=_STAGING, dir=top))
        return self._staging[top]

    def _empty_staging(self) -> None:
        """Free what the drafts of a model took, so that a smaller one may still fit."""
        for folder in self._staging.values():
            for file in folder.iterdir():
                with contextlib.suppress(OSError):
                    os.unlink(file)

    def _swap(self, staged: Mapping[Path, Path], dropped: Sequence[Path]) -> None:
        undo: list[tuple[Path, Path | None]] = []
        for index, place in enumerate([*staged, *dropped]):
            with self._writing(place):
                backup: Path | None = None
                if place.exists():
                    backup = self._staging_for(place) / f"{index}.old"
                    shutil.copy2(place, backup)
                undo.append((place, backup))
        # An interrupt waits for the few renames of a model, so that it is complete or untouched.
        with signals_held_back():
            self._move(staged, dropped, undo)

    def _move(
        self,
        staged: Mapping[Path, Path],
        dropped: Sequence[Path],
        undo: Sequence[tuple[Path, Path | None]],
    ) -> None:
        try:
            for place, draft in staged.items():
                with self._writing(place):
                    os.replace(draft, place)
            for place in dropped:
                with self._writing(place):
                    place.unlink(missing_ok=True)
        except BaseException:
            for place, backup in undo:
                with contextlib.suppress(OSError):
                    if backup is not None:
                        os.replace(backup, place)
                    else:
                        place.unlink(missing_ok=True)
            raise


def _remove_leftovers(folder: Path) -> None:
    """Staging folders of a run that was killed; we hold the lock, so none is in use."""
    if folder.is_dir():
        for leftover in folder.glob(f"{_STAGING}*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; return the new ones, the uppermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
    return missing[::-1]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
