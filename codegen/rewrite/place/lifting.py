"""What lift does to one method, and what it reports where it does nothing."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from codegen.rewrite.functions import Function
from codegen.rewrite.helpers import rank
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.place.carry import CallSite, Carried, HelperCall, Want
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of


@dataclass
class Lifting:
    """Everything that one method gets: helper calls to guard and calls to extend.

    ``rows`` are the numbers of rows at each guard, once they were looked for.
    """

    cls: ClassInfo
    function: Function
    calls: dict[str, HelperCall] = field(default_factory=dict)
    carried: dict[str, Carried] = field(default_factory=dict)
    refused: dict[str, tuple[str, list[Want]]] = field(default_factory=dict)
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    unwritable: list[tuple[CallSite, HelperCall, str]] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Class and method, for the report."""
        return f"{self.cls.name}.{self.function.name}"

    def path(self, helper: str) -> tuple[str, ...]:
        """Methods that the results of a helper pass through, the innermost first."""
        return self.paths.get(helper, (self.place,))

    @property
    def names(self) -> list[str]:
        """Names of the optional parameters."""
        return sorted((n for call in self.calls.values() for n in call.helper.outputs), key=rank)

    @property
    def facts(self) -> tuple[object, ...]:
        """What callers can see of it."""
        return tuple(call.fact for call in self.calls.values())

    @property
    def extended(self) -> dict[int, tuple[CallSite, list[str]]]:
        """Calls that get results, with the helpers that give them."""
        found: dict[int, tuple[CallSite, list[str]]] = {}
        for name, carried in self.carried.items():
            for want in carried.wants:
                found.setdefault(id(want.site.call), (want.site, []))[1].append(name)
        return found


class NotLifted:
    """Reports of results that no parameter is made of, each reason once a method."""

    def __init__(self, state: RewriteState) -> None:
        self._state = state
        self._noted: set[tuple[object, ...]] = set()

    def note(
        self, cls: ClassInfo, function: Function, node: ast.AST, call: HelperCall, reason: str
    ) -> None:
        """Report why the results of a helper stay what a method computes, at a node of it."""
        info = cls.module
        key = (info.source.module, cls.name, function.name, call.helper.name, reason)
        if key not in self._noted:
            self._noted.add(key)
            place, model = info.place(node), model_of(info.source.module)
            record = Record(
                model, cls.name, function.name, "left", place, call.helper.name, reason=reason
            )
            self._state.note(record)
