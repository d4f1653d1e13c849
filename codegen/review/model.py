"""The values between the stages of a review. All are frozen; nothing here reads or prints.

``Side`` -> ``MemberChange`` (per file) -> ``Edit`` (of sources) and ``Change`` (edit with what it
did to generated files) -> ``Report`` with ``Risk``, ``Unexplained`` and ``NotReached``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.errors import Location
from codegen.run.outcome import State

Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One state of a tree: its texts by path, relative to the root of the tree that is reviewed.

    ``label`` is what the user calls it (a git ref, a folder, "work tree"). ``generated`` maps each
    generated file to the definition that its banner names, ``definitions`` each definition to its
    model; ``sources`` are all other Python files beside them. ``unread`` says of files why they were not read.
    """

    label: str
    texts: Mapping[str, str]
    generated: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    def text(self, path: str) -> str:
        """The text of a file, "" where there is none."""
        return self.texts.get(path, "")

    def model_of(self, path: str) -> str:
        """The model that a generated file or a definition belongs to; of others, its folder."""
        definition = self.generated.get(path, path)
        return self.definitions.get(definition) or path.rpartition("/")[0].rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: its text, its 1-based first line in the file, and its tokens after undoing
    model names; layout (line breaks, trailing commas) is no part of the tokens."""

    text: str
    number: int
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Member:
    """A part of a file; the parts of a file cover all its statements and comments.

    ``owner`` is the class it stands in ("" at the top), ``role`` that class after undoing model
    names. ``kind``: header, imports, class (decorators and bases), docstring, attribute, method,
    function, statement. ``line`` is the 1-based first line of ``text``.
    """

    owner: str
    name: str
    kind: str
    line: int
    text: str

    @property
    def shown(self) -> str:
        """The member as a reader calls it: ``Class.method``."""
        if self.kind in ("header", "imports"):
            return self.kind
        if self.kind == "class":
            return self.owner or self.name
        if self.kind == "docstring":
            return f"{self.owner} (docstring)" if self.owner else "docstring"
        name = self.name or shortened(self.text)
        return f"{self.owner}.{name}" if self.owner else name


#: So much of a statement without a name tells which it is.
_SHOWN = 40


def shortened(text: str) -> str:
    """The first line of a statement that says something, cut where it is long."""
    lines = [line.strip() for line in text.split("\n")]
    first = next((line for line in lines if line and not line.startswith("#")), lines[0])
    return first if len(first) <= _SHOWN else f"{first[:_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class Hunk:
    """Neighbouring logical lines that differ, with one unchanged line on either side to read by.

    ``line`` is the 1-based line where it is now (where it was, if nothing is left there), ``old_line``
    where it was. ``layout``: only line breaks differ; ``moved``: nothing does but the place; ``file``: it
    is all of a file that went.
    """

    removed: tuple[Line, ...]
    added: tuple[Line, ...]
    line: int
    old_line: int
    before: str = ""
    after: str = ""
    layout: bool = False
    moved: bool = False
    file: bool = False

    @property
    def key(self) -> tuple[Tokens, ...]:
        """What the hunk does after undoing model names; equal for the same change elsewhere."""
        gone = tuple(token for line in self.removed for token in (*line.tokens, "\n"))
        come = tuple(token for line in self.added for token in (*line.tokens, "\n"))
        return gone, come

    @property
    def size(self) -> int:
        """Changed lines, as a line-wise difference counts them; of what only moved the
        first, and of a file that went one."""
        if self.moved or self.file:
            return 1
        return sum(line.text.count("\n") + 1 for line in (*self.removed, *self.added))


@dataclass(frozen=True, slots=True)
class MemberChange:
    """What differs in one member of one file. ``kind``: changed, added, gone, or moved (the same
    text elsewhere in the file; ``note`` says where it was)."""

    path: str
    model: str
    role: str
    kind: str
    old: Member | None
    new: Member | None
    hunks: tuple[Hunk, ...]
    note: str = ""

    @property
    def member(self) -> Member:
        """The member as it is now, or as it was."""
        found = self.new or self.old
        assert found is not None
        return found

    @property
    def shown(self) -> str:
        """The member as a reader calls it."""
        return self.member.shown


@dataclass(frozen=True, slots=True)
class SourceHunk:
    """One hunk of a definition, a hand-written parent, or the settings of a project.

    ``names`` are the identifiers that it brings into its class or file, or takes out of it. ``family``
    is the class that its own inherits from in the end (path and name), itself if from none. ``whole``:
    its file came or went with it.
    """

    change: MemberChange
    hunk: Hunk
    names: frozenset[str]
    family: tuple[str, str] = ("", "")
    whole: bool = False

    @property
    def place(self) -> Location:
        """Where it is now, or was."""
        return Location(self.change.path, self.hunk.line)


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of the sources: hunks that belong together. ``id`` depends on what it does only."""

    id: str
    hunks: tuple[SourceHunk, ...]

    @property
    def place(self) -> Location:
        """Where it begins."""
        return self.hunks[0].place

    @property
    def paths(self) -> tuple[str, ...]:
        """The files it is made in."""
        return tuple(dict.fromkeys(item.change.path for item in self.hunks))


@dataclass(frozen=True, slots=True)
class Instance:
    """The hunks of one member of one generated file that one edit accounts for."""

    change: MemberChange
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """Equal hunks in several places, told once. ``letter`` is A, B, ... within the change; ``like``
    the letter of the same member that reads otherwise; ``as_edit``: it reads as the edit does."""

    letter: str
    instances: tuple[Instance, ...]
    like: str = ""
    as_edit: bool = False

    @property
    def models(self) -> tuple[str, ...]:
        """The models it concerns, in order."""
        return tuple(sorted({item.change.model for item in self.instances}))

    @property
    def files(self) -> tuple[str, ...]:
        """The files it concerns, in order."""
        return tuple(sorted({item.change.path for item in self.instances}))

    @property
    def size(self) -> int:
        """Changed lines that are read for it."""
        return sum(hunk.size for hunk in self.instances[0].hunks)


@dataclass(frozen=True, slots=True)
class Change:
    """An edit and everything it does to generated files. Without an edit: what follows from the
    passes or the expansion alone."""

    number: int
    id: str
    title: str
    edit: Edit | None
    variants: tuple[Variant, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """The models it reaches, in order."""
        return tuple(sorted({model for item in self.variants for model in item.models}))

    @property
    def files(self) -> tuple[str, ...]:
        """The generated files it reaches, in order."""
        return tuple(sorted({path for item in self.variants for path in item.files}))


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that may break: a ``kind`` of ``RISKS``, a message, the place in a source that is
    to blame, the models it concerns, and the number of the change it comes from (0: none)."""

    kind: str
    message: str
    place: Location
    models: tuple[str, ...]
    change: int = 0


@dataclass(frozen=True, slots=True)
class Unexplained:
    """Changed lines of a generated file that no edit accounts for, and what is known about why."""

    place: Location
    member: str
    model: str
    reason: str
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True, slots=True)
class NotReached:
    """Models that the edit of a member does not reach. ``kind``: override, deleted, copy, excluded."""

    change: int
    member: str
    kind: str
    models: tuple[str, ...]
    place: Location
    reason: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A generated file that is not what its definition gives now."""

    path: str
    model: str
    state: State
    lines: int = 0


@dataclass(frozen=True, slots=True)
class SourceCount:
    """Changed lines of one source."""

    path: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of a review. ``hunks``, ``lines`` are those of a plain difference of the generated
    files, ``read_hunks`` and ``read_lines`` what is left to read."""

    base: str
    head: str
    sources: tuple[SourceCount, ...]
    files: int
    models: tuple[str, ...]
    untouched: tuple[str, ...]
    hunks: int
    lines: int
    added: int
    removed: int
    read_hunks: int
    read_lines: int
    attributed: int


@dataclass(frozen=True, slots=True)
class Report:
    """A whole review; every output is made from it and nothing else."""

    summary: Summary
    stale: tuple[Stale, ...]
    unexplained: tuple[Unexplained, ...]
    risks: tuple[Risk, ...]
    changes: tuple[Change, ...]
    not_reached: tuple[NotReached, ...]
    notes: tuple[str, ...] = ()
