"""The only place that writes generated files: all files of a model, or none of them."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codegen.errors import CodegenError, Diagnostic, fail
from codegen.store.journal import (
    STAGING,
    Change,
    Move,
    digest_at,
    put,
    recover,
    remove_folders,
    staging_folders,
    staging_tops,
    write_journal,
)
from codegen.store.system import (
    IrregularFile,
    default_mode,
    flush_to_disk,
    kind_at,
    locked,
    signals_held_back,
    tidying_up,
)
from codegen.trees.sources import digest_bytes

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class _Staged:
    """A model whose new texts lie ready: (place, draft, digest), a removal without a draft."""

    model: str
    files: tuple[tuple[Path, Path | None, str], ...]
    made: tuple[Path, ...]


class _DiskFull(Exception):
    """A text did not fit; ``error`` is what to say if it never will."""

    def __init__(self, error: CodegenError) -> None:
        super().__init__()
        self.error = error


@dataclass
class Workspace:
    """Writes below one output folder. Use as a context manager: it holds the folder's lock.

    ``targets`` are the folders, relative to the output, where files go. ``recovered`` tells what
    was done about runs that were killed while they were writing, ``failed`` which models could
    not be put in place, and why.
    """

    output: Path
    lock_folder: Path
    targets: Sequence[str] = ()
    recovered: tuple[str, ...] = ()
    failed: dict[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    _staged: list[_Staged] = field(default_factory=list)
    _staging: dict[Path, Path] = field(default_factory=dict)
    _count: int = 0
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Workspace:
        self._stack.enter_context(_lock(self.lock_folder))
        tops = staging_tops(self.output, self.targets)
        self.recovered = recover(self.output, tops)
        for folder in staging_folders(tops):  # of killed runs: we hold the lock
            shutil.rmtree(folder, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack, tidying_up():
            for folder in self._staging.values():
                shutil.rmtree(folder, ignore_errors=True)
            for change in self._staged:
                remove_folders(change.made)

    def stage(self, model: str, texts: Mapping[str, str], removed: Sequence[str] = ()) -> None:
        """Prepare one model's files (by relative path) and the removal of others.

        Nothing is changed before :meth:`commit`, unless the disk is too full to prepare
        everything at once. Raises CodegenError if a path leaves the output folder or cannot be
        written.
        """
        try:
            try:
                self._staged.append(self._prepare(model, texts, removed))
            except _DiskFull:
                if not self._staged:
                    raise
                self.commit()  # what it replaces makes room
                self._staged.append(self._prepare(model, texts, removed))
        except _DiskFull as full:
            raise full.error from None

    def commit(self) -> None:
        """Put everything that is staged in place: flushed first, then moved in one burst."""
        staged, self._staged = self._staged, []
        ready: list[tuple[_Staged, Change]] = []
        try:
            for each in staged:
                with self._failing(each):
                    ready.append((each, self._ready(each)))
            if ready:
                self._move_all(ready)
        finally:
            self._empty_staging()

    def _prepare(self, model: str, texts: Mapping[str, str], removed: Sequence[str]) -> _Staged:
        places = {self._place(path): text for path, text in texts.items()}
        files: list[tuple[Path, Path | None, str]] = []
        made: list[Path] = []
        try:
            for place, text in places.items():
                with self._writing(place):
                    _make_folders(place.parent, made)
                    draft = self._new_file(place, "new")
                    files.append((place, draft, digest_bytes(text.encode())))
                    with open(draft, "w", encoding="utf-8", newline="\n") as file:
                        file.write(text)
                    if place.exists():
                        shutil.copymode(place, draft)
                    else:
                        draft.chmod(default_mode())
        except BaseException:
            for _, draft_of_it, _ in files:
                with contextlib.suppress(OSError):
                    os.unlink(draft_of_it or "")
            remove_folders(made)
            raise
        files += [(self._place(path), None, "") for path in removed]
        return _Staged(model, tuple(files), tuple(made))

    def _ready(self, staged: _Staged) -> Change:
        """Flush what is new and keep what is old, so that either can be brought about."""
        moves = []
        for place, draft, new in staged.files:
            with self._writing(place):
                if draft:
                    flush_to_disk(draft)
                backup = ""
                if os.path.lexists(place):
                    copy = self._new_file(place, "old")
                    _keep(place, copy)
                    backup = self._shown(copy)
                old = digest_at(place)
                moves.append(
                    Move(self._shown(place), self._shown(draft) if draft else "", backup, new, old)
                )
        # A folder above the output, made for it, is no part of what is undone.
        inside = [folder for folder in staged.made if folder.is_relative_to(self.output)]
        return Change(staged.model, tuple(moves), tuple(map(self._shown, inside)))

    def _move_all(self, ready: Sequence[tuple[_Staged, Change]]) -> None:
        first = next(iter(self._staging.values()), None)
        try:
            folder = first or self._staging_for(ready[0][0].files[0][0])
            journal = write_journal(folder, [change for _, change in ready])
        except OSError as error:
            if len(ready) > 1:  # a shorter one may still fit
                for each in ready:
                    self._move_all([each])
            else:
                self._fail(ready[0][0], _unwritable(ready[0][1].moves[0].place, error))
            return
        # An interrupt waits for these few moves, so that every model is complete or untouched.
        with signals_held_back():
            try:
                for staged, change in ready:
                    with self._failing(staged):
                        self._move(change)
            finally:
                with contextlib.suppress(OSError):
                    journal.unlink()

    def _move(self, change: Change) -> None:
        try:
            for move in change.moves:
                with self._writing(self.output / move.place):
                    put(self.output / move.place, self.output / move.draft if move.draft else None)
        except BaseException:
            for move in change.moves:
                if digest_at(self.output / move.place) != move.old or not move.old:
                    backup = self.output / move.backup if move.backup else None
                    with contextlib.suppress(OSError):
                        put(self.output / move.place, backup)
            raise

    @contextlib.contextmanager
    def _failing(self, staged: _Staged) -> Iterator[None]:
        """Note a failure as that of one model; the others go on."""
        try:
            yield
        except CodegenError as error:
            self._fail(staged, error)
        except _DiskFull as full:
            self._fail(staged, full.error)
        except BaseException:
            remove_folders(staged.made)
            raise

    def _fail(self, staged: _Staged, error: CodegenError) -> None:
        self.failed[staged.model] = error.diagnostics
        remove_folders(staged.made)

    @contextlib.contextmanager
    def _writing(self, place: Path) -> Iterator[None]:
        """Report failures of the system as failures to write a file."""
        try:
            yield
        except OSError as error:
            problem = _unwritable(self._shown(place), error)
            raise (_DiskFull(problem) if error.errno in _FULL else problem) from None

    def _place(self, path: str) -> Path:
        place = self.output / path
        kind = kind_at(place)
        if kind and kind not in ("a link", "a folder"):
            raise _unwritable(path, IrregularFile(0, f"{kind} is in its place"))
        resolved = Path(os.path.realpath(place.parent), place.name)
        if kind == "a link":
            resolved = Path(os.path.realpath(place))
        if not resolved.is_relative_to(os.path.realpath(self.output)):
            raise fail(
                "outside-root",
                f"the file would be written outside the output folder ({resolved})",
                path,
                0,
                "remove the symbolic link, or set another output folder",
            )
        return place

    def _shown(self, place: Path) -> str:
        return place.relative_to(self.output).as_posix()

    def _new_file(self, place: Path, suffix: str) -> Path:
        """Path of a new file on the disk of ``place``."""
        self._count += 1
        return self._staging_for(place) / f"{self._count}.{suffix}"

    def _staging_for(self, place: Path) -> Path:
        """A folder on the disk of ``place``, from where a file can be moved there in one step."""
        top, device = place.parent, place.parent.stat().st_dev
        while top != self.output and top.parent.stat().st_dev == device:
            top = top.parent
        if top not in self._staging:
            with signals_held_back():  # it must not be made without being known
                self._staging[top] = Path(tempfile.mkdtemp(prefix=STAGING, dir=top))
        return self._staging[top]

    def _empty_staging(self) -> None:
        """Free what is not needed any more, so that a further model may still fit."""
        for folder in self._staging.values():
            with contextlib.suppress(OSError):
                for file in folder.iterdir():
                    os.unlink(file)


def _unwritable(path: str, error: OSError) -> CodegenError:
    return fail(
        "unwritable",
        f"cannot write the file: {error.strerror or error}",
        path,
        0,
        "check permissions and free space; no file of this model was changed",
    )


def _keep(place: Path, copy: Path) -> None:
    """Keep what is at a place under a second name, or as a copy where there can be none."""
    try:
        os.link(place, copy, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(place, copy, follow_symlinks=False)


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it; the new ones are listed, the uppermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        made.append(path)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Wait for other runs on the same tree; without a lockable folder go on without.

    Nothing in a tree's own folder is followed out of it: a link there is refused.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError), open(folder / ".gitignore", "x") as file:
                file.write("*\n")
        place = folder / "lock"
        if kind := kind_at(place):
            raise fail(
                "cache-folder",
                f"{kind} is in the place of the lock file",
                str(place),
                0,
                "remove it, or set CODEGEN_CACHE_DIR to another folder",
            )
        with contextlib.suppress(OSError):
            stack.enter_context(locked(place))
        yield
