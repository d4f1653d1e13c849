"""What an explanation consists of; what is printed is made of nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file: its text without indentation, and the member that it belongs to.

    ``root`` is the folder that the path is relative to where that is another one than the tree's.
    """

    path: str
    line: int
    text: str
    member: str = ""
    root: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Link:
    """A place that a line comes from, with what was done to it on the way to the place before.

    ``kind`` is the first of these: written, inherited, expanded, copied, imported, exported, passes.
    """

    place: Place
    kind: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Strand:
    """Some words of a line with their way to the root; without ``links`` the tool wrote them.

    ``made`` says then, or of the end of the way, what the tool did.
    """

    words: str
    links: tuple[Link, ...]
    made: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """Where to change a line: for everything that has it, and for this file only."""

    everywhere: str = ""
    here: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a line comes from; ``same`` are the other generated lines that come from its source.

    ``notes`` are remarks about the file, such as that it is not what its definition gives, ``layout``
    what the formatter did to the line.
    """

    place: Place
    strands: tuple[Strand, ...]
    advice: Advice = Advice()
    same: tuple[Place, ...] = ()
    notes: tuple[str, ...] = field(default=())
    layout: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of a member that come from one place after another of the same file, in one way."""

    first: int
    last: int
    source: Place | None
    last_source: int
    kind: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemberExplanation:
    """A class, method or function of a generated file, section by section."""

    place: Place
    last: int
    sections: tuple[Section, ...]
    advice: Advice = Advice()
    notes: tuple[str, ...] = field(default=())
