"""What a run is about to put in place, kept beside the staged files until everything is there.

All files are staged and flushed before the journal is, and the journal before the first is moved.
A run that is killed between two moves leaves it; the next one that writes completes or undoes them.
A journal can come with a tree from elsewhere: it moves nothing but staged files of its own folder
to visible places of the tree, and nothing whose content is not the one it names.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from codegen.errors import Diagnostic, Location
from codegen.store.system import (
    flush_folder,
    flush_to_disk,
    kind_at,
    locked,
    read_regular,
    wait_until,
)
from codegen.trees.sources import digest_bytes

STAGING = ".codegen-staging-"
_FILE = "journal.json"
_FORMAT = 1
#: Seconds that a command waits for a run which is just moving its files.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Move:
    """One file: its place, the staged text to put there ("" to remove it), a copy of what was
    there ("" for nothing), all relative to the output folder, and digests of both contents."""

    place: str
    draft: str
    backup: str
    new: str
    old: str


@dataclass(frozen=True, slots=True)
class Change:
    """All moves of one model, and the folders that were made for them, the uppermost first."""

    model: str
    moves: tuple[Move, ...]
    made: tuple[str, ...] = ()


def digest_at(place: Path) -> str:
    """Digest of the bytes of a regular file; "" if there is none."""
    try:
        return digest_bytes(read_regular(place, follow=False))
    except OSError:
        return ""


def write_journal(folder: Path, changes: Sequence[Change]) -> Path:
    """Write the journal into a staging folder and flush it; returns its path."""
    draft, place = folder / "journal.new", folder / _FILE
    data = {"format": _FORMAT, "changes": [asdict(change) for change in changes]}
    draft.write_text(json.dumps(data), encoding="utf-8")
    flush_to_disk(draft)
    os.replace(draft, place)
    flush_folder(folder)
    return place


def staging_tops(output: Path, targets: Iterable[str]) -> list[Path]:
    """Folders in which staging folders may be: the output, and those above where files go."""
    inside = {parent for target in targets for parent in PurePosixPath(target).parents}
    return [output, *(output / each for each in sorted(inside - {PurePosixPath(".")}))]


def staging_folders(tops: Iterable[Path]) -> Iterator[Path]:
    """Staging folders that are there; only real ones count."""
    for top in tops:
        with contextlib.suppress(OSError):
            names = [entry.name for entry in os.scandir(top) if entry.name.startswith(STAGING)]
            yield from (top / name for name in sorted(names) if not (top / name).is_symlink())


def find_journals(tops: Iterable[Path]) -> list[Path]:
    """Journals of runs that have not come to their end."""
    return [place for folder in staging_folders(tops) if os.path.lexists(place := folder / _FILE)]


def interrupted_write(output: Path, tops: Sequence[Path], lock: Path) -> Diagnostic | None:
    """The problem that a run was killed while it moved files, if there is one that is not going on."""

    def settled() -> bool:
        if not find_journals(tops):
            return True
        try:
            with locked(lock, 0) as free:
                return free
        except OSError:  # nobody can hold a lock here; the moves of a run are soon done
            return False

    wait_until(settled, _PATIENCE)
    journals = find_journals(tops)
    if not journals:
        return None
    models = [change.model for place in journals for change in _read(place, output) or ()]
    return Diagnostic(
        "interrupted-write",
        f"a run was killed while it was writing: {', '.join(models) or 'its journal is damaged'}",
        Location(journals[0].parent.relative_to(output).as_posix()),
        "run `python -m codegen sync`, which completes or undoes what was begun",
    )


def recover(output: Path, tops: Sequence[Path]) -> tuple[str, ...]:
    """Complete or undo what killed runs have begun; returns what was done. Needs the lock."""
    notes = []
    for place in find_journals(tops):
        changes = _read(place, output)
        if changes is None:
            notes.append(f"{place.relative_to(output).as_posix()} of a killed run is damaged")
        for change in changes or ():
            if done := _recover(output, change):
                notes.append(f"{done} {change.model}: a run was killed while it was writing it")
        with contextlib.suppress(OSError):
            place.unlink()
    return tuple(notes)


def _recover(output: Path, change: Change) -> str:
    """Bring all files of a model to one state; returns what was done, "" if there was nothing."""
    found = [digest_at(output / move.place) for move in change.moves]
    if any(digest not in (move.new, move.old) for digest, move in zip(found, change.moves)):
        return "left as it is"
    ahead = [move for move, digest in zip(change.moves, found) if digest != move.new]
    if not ahead or all(digest == move.old for digest, move in zip(found, change.moves)):
        return ""
    if all(not m.draft or digest_at(output / m.draft) == m.new for m in ahead):
        with contextlib.suppress(OSError):
            for move in ahead:
                put(output / move.place, output / move.draft if move.draft else None)
            return "completed"
    # Completing may have failed half way.
    behind = [move for move in change.moves if digest_at(output / move.place) != move.old]
    for move in behind:
        if move.backup and digest_at(output / move.backup) != move.old:
            return "left half written"
    with contextlib.suppress(OSError):
        for move in behind:
            put(output / move.place, output / move.backup if move.backup else None)
        remove_folders(output / folder for folder in change.made)
        return "restored"
    return "left half written"


def put(place: Path, source: Path | None) -> None:
    """Move a file to its place in one step, or remove what is there."""
    if source is not None:
        os.replace(source, place)
    else:
        place.unlink(missing_ok=True)


def remove_folders(made: Iterable[Path]) -> None:
    """Remove folders that were made for a model, as far as they are empty."""
    for folder in reversed(list(made)):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _read(place: Path, output: Path) -> list[Change] | None:
    """The changes of a journal; None if anything in it is not as we would have written it."""
    try:
        data = json.loads(read_regular(place, follow=False))
        if data["format"] != _FORMAT:
            return None
        changes = [_change(item) for item in data["changes"]]
        staged = {name for change in changes for m in change.moves for name in (m.draft, m.backup)}
        inside = all(_is_staged(output, name) for name in staged if name)
        return changes if inside and all(_reachable(output, change) for change in changes) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return None


def _change(item: Any) -> Change:
    moves = tuple(Move(**{key: _text(value) for key, value in m.items()}) for m in item["moves"])
    made = tuple(map(_text, item["made"]))
    for path in (*(move.place for move in moves), *made):
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or any(part.startswith(".") for part in parts):
            raise ValueError(path)
    return Change(_text(item["model"]), moves, made)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError(value)
    return value


def _is_staged(output: Path, name: str) -> bool:
    """Whether a path names a file directly in a staging folder below the output."""
    path = PurePosixPath(name)
    if ".." in path.parts or path.is_absolute() or not path.parent.name.startswith(STAGING):
        return False
    folder = output / path.parent
    return kind_at(folder) == "a folder" and _inside(output, folder)


def _reachable(output: Path, change: Change) -> bool:
    """Whether all places of a change are inside the output once links are followed."""
    return all(_inside(output, (output / move.place).parent) for move in change.moves)


def _inside(output: Path, folder: Path) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(output))
