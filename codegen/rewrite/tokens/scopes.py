"""What a run of a processor works with besides plain values and terms: scopes, functions, the processor itself."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from codegen.rewrite.tokens.terms import Unsupported


class Raised(Exception):
    """An exception of the program: the name of its type and what it says."""

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message


@dataclass(eq=False, slots=True)
class Scope:
    """Names of a function, or of a comprehension inside one."""

    names: dict[str, Any]
    outer: Scope | None = None
    yields: list[Any] | None = None


@dataclass(frozen=True, eq=False)
class Closure:
    """A function of the program, with the names around it and the object it belongs to."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope | None = None
    owner: Any = None


@dataclass(eq=False)
class Instance:
    """The processor itself."""

    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def stands_for(self) -> str:
        """How it is told from other values that are given away."""
        return "self"


@dataclass(frozen=True)
class Native:
    """A function that the machine knows, or a method of a value."""

    name: str
    owner: Any = None

    @property
    def stands_for(self) -> str:
        """How it is told from other values that are given away; a method cannot be."""
        return self.name if self.owner is None else ""


@lru_cache(maxsize=1024)
def native(name: str) -> Native:
    """A function that the machine knows."""
    return Native(name)


FAILURES = (IndexError, KeyError, ValueError, ZeroDivisionError, TypeError, AttributeError)
"""What Python raises on plain values."""


def failed(error: Exception) -> Exception:
    """What a run raises where Python raises one of :data:`FAILURES`: the program would, or nothing is known."""
    if isinstance(error, (TypeError, AttributeError)):
        return Unsupported(str(error))
    return Raised(type(error).__name__)


def guarded(action: Callable[[], Any]) -> Any:
    """What Python does with plain values; what it raises is what the program raises."""
    try:
        return action()
    except FAILURES as error:
        raise failed(error) from None
