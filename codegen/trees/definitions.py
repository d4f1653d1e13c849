"""Find the definitions of a tree, and tell those that cannot be taken, each with its reason.

One that cannot be taken keeps none of the others from being generated.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from codegen.errors import Diagnostic, Location

_MODEL = re.compile(r"modular_(.*)\.py", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DefinitionFile:
    """Where a definition is and where its files go (posix paths relative to the tree)."""

    model: str
    path: str
    target: str

    def output(self, file_name: str) -> str:
        """Path of one generated file."""
        return str(PurePosixPath(self.target) / file_name)


@dataclass(frozen=True, slots=True)
class Refused:
    """A definition that cannot be taken, or a folder that cannot be searched (``model`` is "")."""

    model: str
    path: str
    problems: tuple[Diagnostic, ...]


def model_of_file(name: str) -> str | None:
    """The model that a definition is called after; None for other files."""
    match = _MODEL.fullmatch(name)
    return match.group(1) if match else None


def printable(path: str) -> str:
    """A path for messages and records: what no line of text can hold is escaped."""
    shown = (char if char.isprintable() else ascii(char)[1:-1] for char in path)
    return "".join(shown)


def search(
    folder: Path, deep: bool, refused: list[Refused], root: Path
) -> Iterator[tuple[str, PurePosixPath]]:
    """Names of definitions below a folder, with the folder inside it that they are in.

    ``deep`` searches everything but hidden folders, in which editors keep copies, otherwise only
    the folders directly below. Those that cannot be read are added to ``refused``.
    """

    def unreadable(error: OSError) -> None:
        path = printable(os.path.relpath(error.filename, root))
        message = f"cannot search the folder: {error.strerror}"
        place = Location(PurePosixPath(path).as_posix())
        hint = "check its permissions; nothing below it was looked at"
        refused.append(Refused("", place.path, (Diagnostic("unreadable", message, place, hint),)))

    for place, folders, files in os.walk(folder, onerror=unreadable):
        inside = PurePosixPath(Path(place).relative_to(folder).as_posix())
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if not deep:
            # A tree of a library may hold links to folders of models.
            yield from _one_level(place, folders, unreadable)
            return
        files += [name for name in folders if model_of_file(name) is not None]
        yield from ((name, inside) for name in sorted(files) if model_of_file(name) is not None)


def _one_level(
    place: str, folders: Sequence[str], unreadable: Callable[[OSError], None]
) -> Iterator[tuple[str, PurePosixPath]]:
    for folder in folders:
        try:
            names = os.listdir(os.path.join(place, folder))
        except OSError as error:
            unreadable(error)
            continue
        for name in sorted(names):
            if model_of_file(name) is not None:
                yield name, PurePosixPath(folder)


def sort_out(
    candidates: Sequence[DefinitionFile], refused: list[Refused]
) -> tuple[DefinitionFile, ...]:
    """The definitions that can be taken; the others are added to ``refused``."""
    problems: dict[DefinitionFile, list[Diagnostic]] = defaultdict(list)
    for item in candidates:
        if printable(item.path) != item.path or not _encodable(item.path):
            problems[item].append(
                _problem(
                    "path-name",
                    "the path has characters that cannot stand in a line of a file",
                    item,
                    "rename it: generated files name the definition that they come from",
                )
            )
        elif not f"_{item.model}".isidentifier() or not item.model:
            problems[item].append(
                _problem(
                    "model-name",
                    f"{item.model!r} cannot be a model name",
                    item,
                    "call the file modular_<model>.py, with letters, digits and underscores",
                )
            )
    sound = [item for item in candidates if item not in problems]
    for item, problem in (*_duplicates(sound), *_same_without_case(sound)):
        problems[item].append(problem)
    for item in candidates:
        if item in problems:
            refused.append(Refused(item.model, printable(item.path), tuple(problems[item])))
    return tuple(item for item in candidates if item not in problems)


def _duplicates(
    definitions: Sequence[DefinitionFile],
) -> Iterator[tuple[DefinitionFile, Diagnostic]]:
    named: dict[str, list[DefinitionFile]] = defaultdict(list)
    for item in definitions:
        named[item.model].append(item)
    for items in named.values():
        for item in items if len(items) > 1 else ():
            paths = " and ".join(each.path for each in items)
            hint = "rename one of them: models are known by the names of their definitions"
            yield (
                item,
                _problem("duplicate-model", f"definitions of one model: {paths}", item, hint),
            )


def _same_without_case(
    definitions: Sequence[DefinitionFile],
) -> Iterator[tuple[DefinitionFile, Diagnostic]]:
    """What would be one file or folder on a system that ignores case or how letters are composed."""
    spelled: dict[str, dict[str, list[DefinitionFile]]] = defaultdict(lambda: defaultdict(list))
    for item in definitions:
        folders = [str(each) for each in PurePosixPath(item.target).parents][:-1]
        for path in (f"model {item.model}", item.target, *folders):
            folded = unicodedata.normalize("NFC", path).casefold()
            spelled[folded][path].append(item)
    told = set()
    for names in spelled.values():
        for items in names.values() if len(names) > 1 else ():
            for item in items:
                if item not in told:
                    told.add(item)
                    shown = " and ".join(name.removeprefix("model ") for name in sorted(names))
                    message = f"{shown} are one on file systems that ignore case"
                    hint = "rename one of them: a repository can be checked out on any system"
                    yield item, _problem("same-without-case", message, item, hint)


def _problem(code: str, message: str, item: DefinitionFile, hint: str) -> Diagnostic:
    return Diagnostic(code, message, Location(printable(item.path)), hint)


def _encodable(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
