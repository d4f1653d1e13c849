"""Values that the rewrite passes exchange with their caller: sources in, new texts and a report out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from codegen.rewrite.vocabulary import DEFAULT, Vocabulary

KEPT_TABLE = "keeps its table"
"""What is said of a rotary table that stays: nothing of what it is looked up by."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a tree: ``path`` relative to the tree (posix), ``module`` its dotted name."""

    path: str
    module: str
    text: str


class Library(Protocol):
    """Read access to a tree of definitions and hand-written modeling files."""

    def read(self, module: str) -> Source | None:
        """The file of a dotted module name, or None where the tree has none."""
        ...

    def modules(self) -> Mapping[str, str]:
        """All candidate modules and their paths: definitions, and modeling files without one."""
        ...


@dataclass(frozen=True, slots=True)
class HelperFile:
    """A helper module that the rewritten tree needs: where it goes and its text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the output besides the sources.

    ``helper_package`` is the dotted package the helpers are imported from, as written in the
    rewritten files (``"..."`` means three levels up); one called ``encoder_helpers`` gives all of them
    itself. ``helper_folder`` is where their copies go in the tree; None when they are already importable. ``passes`` are the passes to run, those of
    a project's own as references (see :mod:`codegen.rewrite.codemods`) to files below ``root``; ``keep`` names
    classes and methods (``Class.method``) that are left as they are;
    ``vocabulary`` holds the names that tell where to look. ``python_super``: definitions are expanded so
    that ``super()`` reaches the parent, as in a project, and not what stands above it, as in a library.
    """

    helper_package: str = "..."
    helper_folder: str | None = ""
    passes: tuple[str, ...] = ("extract", "lift", "capture", "expand_tokens")
    vocabulary: Vocabulary = DEFAULT
    root: str = ""
    keep: tuple[str, ...] = ()
    python_super: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the report.

    ``kind`` is ``extracted``, ``lifted``, ``captured`` or ``left``, or ``failed`` for what had to be taken
    back because it was not right, which is our fault. ``helper`` is the function that
    took over, ``parameters`` the names of the optional inputs, ``path_taken`` the methods they pass
    through, ``reason`` why something was left (or what a reader should know).
    """

    model: str
    cls: str
    method: str
    kind: str
    location: str
    helper: str = ""
    parameters: tuple[str, ...] = ()
    path_taken: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RewriteResult:
    """New texts by path (changed files only), helper files to add, and the report."""

    edits: Mapping[str, str] = field(default_factory=dict)
    added: tuple[HelperFile, ...] = ()
    report: tuple[Record, ...] = ()


def model_of(module: str) -> str:
    """Model name of a module: the folder it lies in."""
    parts = module.split(".")
    return parts[-2] if len(parts) > 1 else parts[-1]


def sort_records(records: Iterable[Record]) -> tuple[Record, ...]:
    """Order a report by model, place and kind, without duplicates."""
    unique = dict.fromkeys(records)
    return tuple(
        sorted(unique, key=lambda r: (r.model, r.location.split(":")[0], r.cls, r.method, r.kind))
    )
