"""What an edit of a definition really changes: the lines that are written in it, wherever they are."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath

from codegen.errors import CodegenError, fail
from codegen.expansion.fold.marks import is_marker_method
from codegen.explain.agreeing import agreeing_with
from codegen.explain.align import word_spans
from codegen.explain.atlas import Atlas
from codegen.explain.forward import arrivals
from codegen.explain.maps import Spot
from codegen.explain.named import Named, find_named, named_at, named_in

_HINTS = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What is edited: lines of a source that is written by hand. ``name`` is how it is called."""

    name: str
    path: str
    first: int
    last: int
    member: Named | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A model that an edit changes: how many of its lines, in which members, and by which way.

    ``path`` leads from the model's member with most such lines to what is edited.
    """

    model: str
    lines: int
    body: int
    members: tuple[str, ...]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What an edit changes. ``below`` is how many models build on the edited file at all."""

    subjects: tuple[Subject, ...]
    reached: tuple[Reached, ...]
    below: int


def find_subjects(atlas: Atlas, name: str) -> tuple[Subject, ...]:
    """The sources of ``MODEL``, ``MODEL.Class`` or ``MODEL.Class.method``.

    Raises:
        CodegenError: there is no such model, or its sources do not have it.
    """
    model, _, member = name.partition(".")
    paths = _sources(atlas, model)
    if not paths:
        raise _no_model(atlas, model)
    found = [subject for path in paths for subject in _subjects(atlas, path, name, member)]
    if not found:
        raise _no_member(atlas, paths, model, member)
    return tuple(found)


def check_model(atlas: Atlas, model: str) -> None:
    """Raise CodegenError for what is no model of a tree."""
    if not _sources(atlas, model):
        raise _no_model(atlas, model)


def _no_model(atlas: Atlas, model: str) -> CodegenError:
    known = sorted({*(item.model for item in atlas.tree.definitions), *_by_hand(atlas)})
    close = get_close_matches(model, known, _HINTS)
    hint = f"did you mean {' or '.join(close)}?" if close else "see `python -m codegen list`"
    return fail("unknown-model", f"no sources of a model {model!r}", "", 0, hint)


def _sources(atlas: Atlas, model: str) -> list[str]:
    """The definition of a model, or its files if it is written by hand."""
    for item in atlas.tree.definitions:
        if item.model == model:
            return [item.path]
    return _by_hand(atlas).get(model, [])


def _by_hand(atlas: Atlas) -> dict[str, list[str]]:
    """The files that others are built from and that nobody generates, by model."""
    found: dict[str, list[str]] = {}
    definitions = {item.path for item in atlas.tree.definitions}
    for path in sorted(atlas.users):
        if path not in definitions and not atlas.is_generated(path) and atlas.text(path):
            found.setdefault(PurePosixPath(path).parent.name, []).append(path)
    return found


def _subjects(atlas: Atlas, path: str, name: str, member: str) -> list[Subject]:
    text = atlas.text(path)
    if not member:
        return [Subject(name, path, 1, text.count("\n") + 1)]
    found = find_named(named_in(text), member)
    return [Subject(name, path, found.first, found.last, found)] if found else []


def _no_member(atlas: Atlas, paths: Sequence[str], model: str, member: str) -> CodegenError:
    known = {
        item.name for path in paths for item in named_in(atlas.text(path)) if item.kind != "import"
    }
    made = [
        path for path in atlas.files_of(model) if find_named(named_in(atlas.text(path)), member)
    ]
    if made:
        hint = f"{made[0]} has it, from elsewhere: `python -m codegen explain {made[0]}:{member}`"
    else:
        close = get_close_matches(member, sorted(known), _HINTS)
        hint = f"did you mean {' or '.join(close)}?" if close else ""
    return fail("no-member", f"the sources of {model} do not define {member}", paths[0], 0, hint)


def impact_of(atlas: Atlas, subjects: Sequence[Subject]) -> Impact:
    """The models that an edit of these lines changes, those with most lines first."""
    written = [
        (subject.path, *_range(atlas.text(subject.path), subject.first, subject.last))
        for subject in subjects
    ]
    ranges = [part for each in written for part in atlas.as_rewritten(*each, replaced=True)]
    reader = _Members(atlas)
    reached = _all_reached(reader, ranges)
    known = {item.model for item in reached if item.body}
    places = [place for subject in subjects for place in _filled(reader, subject)]
    places += agreeing_with(atlas, written)
    more = [item for item in _all_reached(reader, places) if item.model not in known]
    more = [item for item in more if item.body]
    added = {item.model for item in more}
    reached = [*more, *(item for item in reached if item.model not in added)]
    known = {item.model for item in reached if item.body}
    reached += [
        item for subject in subjects for item in _deleted(atlas, subject) if item.model not in known
    ]
    touching = {model for subject in subjects for model in atlas.users.get(subject.path, ())}
    below = touching | atlas.plan.dependents(touching)
    reached.sort(key=lambda item: (-item.lines, item.model))
    return Impact(tuple(subjects), tuple(reached), len(below))


def _deleted(atlas: Atlas, subject: Subject) -> Iterator[Reached]:
    """The model whose definition deletes what its parent has: nothing of that stands in its files, but
    with another statement in its place something does."""
    model = next((d.model for d in atlas.tree.definitions if d.path == subject.path), "")
    if model and subject.member is not None and deletes(atlas.text(subject.path), subject.member):
        name = subject.member.name
        yield Reached(model, 0, 1, (name,), (f"{name} is a deletion of what the parent has",))


def deletes(text: str, member: Named) -> bool:
    """Whether a member of a class in a definition only marks that the parent's is deleted."""
    lines = text.split("\n")[member.first - 1 : member.last]
    try:
        (node,) = ast.parse(textwrap.dedent("\n".join(lines))).body
    except (SyntaxError, ValueError):
        return False
    if isinstance(node, ast.FunctionDef):
        return bool(member.owner) and is_marker_method(node)
    return (
        bool(member.owner)
        and isinstance(node, ast.Assign)
        and ast.unparse(node.value).startswith("AttributeError(")
    )


def _filled(reader: _Members, subject: Subject) -> list[tuple[str, int, int]]:
    """Where a method stands whose ``super()`` call the parent's statements have replaced.

    Whatever is added to the method stands among these, and goes where they go.
    """
    atlas, member = reader.atlas, subject.member
    text = "\n".join(atlas.text(subject.path).split("\n")[subject.first - 1 : subject.last])
    if member is None or member.kind != "function" or "super()" not in text:
        return []
    model = next((d.model for d in atlas.tree.definitions if d.path == subject.path), "")
    found = []
    for path in atlas.files_of(model):
        there = find_named(reader.of(path), member.name)
        if there is not None:
            found.append((path, *_range(atlas.text(path), there.body, there.last)))
    return found


def _all_reached(reader: _Members, ranges: Sequence[tuple[str, int, int]]) -> list[Reached]:
    """The models in which words of some ranges are; a generated file is reached by its own."""
    froms = dict(arrivals(reader.atlas, ranges, changing=True))
    by_model: dict[str, list[Spot]] = {}
    for spot in froms:
        by_model.setdefault(reader.atlas.owners[spot.path], []).append(spot)
    for path, start, end in ranges:
        # A file of a model that has a definition may still be written by hand: it is what is edited.
        if reader.atlas.is_generated(path):
            own = (
                Spot(path, start + at) for at, _ in word_spans(reader.atlas.text(path)[start:end])
            )
            by_model.setdefault(reader.atlas.owners[path], []).extend(own)
    return [_reached(reader, model, spots, froms) for model, spots in by_model.items()]


def _reached(
    reader: _Members,
    model: str,
    spots: Sequence[Spot],
    froms: dict[Spot, Spot],
) -> Reached:
    lines: dict[tuple[str, int], Spot] = {}
    for spot in spots:
        lines.setdefault((spot.path, reader.atlas.line(spot)), spot)
    members: dict[str, list[Spot]] = {}
    body = 0
    for (path, number), spot in lines.items():
        member = reader.at(path, number)
        members.setdefault(member.name if member else "", []).append(spot)
        body += member is None or member.part(number) == "body"
    ordered = sorted(members, key=lambda name: (-len(members[name]), name))
    way = _way(reader, members[ordered[0]][0], froms)
    return Reached(model, len(lines), body, tuple(filter(None, ordered)), way)


def _way(reader: _Members, spot: Spot, froms: dict[Spot, Spot]) -> tuple[str, ...]:
    """The members from a word to where it was written."""
    found: list[str] = []
    while True:
        number = reader.atlas.line_as_given(spot)
        member = reader.at(spot.path, number)
        name = member.name if member else f"{spot.path}:{number}"
        if found[-1:] != [name]:
            found.append(name)
        if spot not in froms:
            return tuple(found)
        spot = froms[spot]


class _Members:
    """Members by file, read once."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self._known: dict[str, list[Named]] = {}

    def of(self, path: str) -> list[Named]:
        """All members of a file."""
        if path not in self._known:
            self._known[path] = named_in(self.atlas.text(path))
        return self._known[path]

    def at(self, path: str, line: int) -> Named | None:
        """The member that a line belongs to."""
        return named_at(self.of(path), line)


def _range(text: str, first: int, last: int) -> tuple[int, int]:
    lines = text.split("\n")
    start = sum(len(line) + 1 for line in lines[: first - 1])
    return start, start + sum(len(line) + 1 for line in lines[first - 1 : last])
