"""What a run found out, per model and file; every command consumes nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from codegen.errors import Diagnostic


class State(str, Enum):
    """How a generated file on disk relates to its definition."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    EDITED = "edited"
    ORPHAN = "orphan"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One generated file: its state, what is there and what should be (None: nothing)."""

    path: str
    state: State
    old: str | None = None
    new: str | None = None


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
class Run:
    """A whole run: models in order, the paths written, and the report of the rewrite passes.

    ``notes`` tell what happened around it: writes of a killed run that were completed, a cache that
    could not be used.
    """

    outcomes: tuple[ModelOutcome, ...]
    dependents: tuple[str, ...] = ()
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    report: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """All problems of all models; one that several models share is listed once."""
        return tuple(dict.fromkeys(each for item in self.outcomes for each in item.problems))
