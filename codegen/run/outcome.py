"""What a run found out, per model and file; every command consumes nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from codegen.errors import Diagnostic
from codegen.trees.dialect import NEWEST_RELEASE, OLDEST_RELEASE


class State(str, Enum):
    """How a generated file on disk relates to its definition, in the word that reports have for it.

    Where nobody knows who changed what, a file that differs is ``STALE``.
    """

    FRESH = "in sync"
    STALE = "out of date"
    MISSING = "missing"
    EDITED = "edited by hand"
    BOTH = "edited by hand and out of date"
    ENDINGS = "other line endings"
    UNSTAGED = "right, but not staged"
    ORPHAN = "no longer generated"
    FOREIGN = "not a generated file"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One generated file: its state, what is there and what should be (None: nothing).

    ``precious``: what is there may be somebody's work; ``committed``: git has it anyway.
    """

    path: str
    state: State
    old: str | None = None
    new: str | None = None
    precious: bool = False
    committed: bool = False


@dataclass(frozen=True, slots=True)
class ModelOutcome:
    """One model: its files, or why it could not be expanded.

    ``parents`` are the parent modules' paths, ``lines`` the lengths of definition and output,
    ``expanded`` tells whether the definition was expanded in this run, ``blocked_by`` the model
    whose failure kept this one from being looked at.
    """

    model: str
    definition: str
    files: tuple[FileOutcome, ...] = ()
    parents: tuple[str, ...] = ()
    lines: tuple[int, int] = (0, 0)
    warnings: tuple[str, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    expanded: bool = False
    blocked_by: str = ""

    @property
    def in_sync(self) -> bool:
        """Whether nothing has to be written."""
        return not self.problems and all(file.state is State.FRESH for file in self.files)


@dataclass(frozen=True, slots=True)
class Rules:
    """By which rules a library's tree was expanded.

    ``release`` is what the tree says it is. ``shown`` are the rules that its files show to hold
    although that release has others: the value, and the number of files that show it. ``files``
    counts the generated files, ``unexplained`` are those that differ although nothing says that they
    or what they are made of were edited.
    """

    release: str
    shown: Mapping[str, tuple[Any, int]] = field(default_factory=dict)
    files: int = 0
    unexplained: tuple[str, ...] = ()

    @property
    def newer(self) -> bool:
        """Whether the rules of the release are not known yet."""
        return _version(self.release) > NEWEST_RELEASE

    @property
    def older(self) -> bool:
        """Whether the rules of the release are not known any more."""
        return _version(self.release) < OLDEST_RELEASE

    @property
    def unknown(self) -> bool:
        """Whether the tree follows rules that are not known: too much differs to be chance."""
        count = len(self.unexplained)
        many = count > _FEW and count > _SHARE * self.files
        most = count >= _FEW and 2 * count > self.files
        return self.newer and (many or most)


#: As many files, or this share of all, may differ for a reason of their own.
_FEW, _SHARE = 5, 0.02


def _version(release: str) -> tuple[int, int]:
    major, minor = release.split(".")[:2]
    return int(major), int(minor)


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run: models in order, the paths written, and the report of the rewrite passes.

    ``notes`` tell what happened around it: writes of a killed run that were completed, a cache that
    could not be used. ``copies`` holds where texts were kept that were replaced or removed, by
    path, ``rules`` those of a library's tree, ``refused`` why nothing was written at all.
    """

    outcomes: tuple[ModelOutcome, ...]
    dependents: tuple[str, ...] = ()
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    report: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    rules: Rules | None = None
    refused: tuple[Diagnostic, ...] = ()

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """All problems of all models; one that several models share is listed once."""
        models = (each for item in self.outcomes for each in item.problems)
        return tuple(dict.fromkeys((*self.refused, *models)))
