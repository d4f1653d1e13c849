"""What all parts of the probe interpreter share: its state, frames, and what they call of each other."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.probe import budget
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import LATE, Module

UNKNOWN = "**"
"""Stands among keywords for those that a mapping gives, of which nothing is known."""


def _handlers(cls: type, prefix: str) -> dict[type[ast.AST], Callable[..., Any]]:
    """The methods of a class that handle kinds of nodes, by these."""
    names = [name for name in dir(cls) if name.startswith(prefix)]
    return {getattr(ast, name[len(prefix) :]): getattr(cls, name) for name in names}


class Machine(ABC):
    """State of one run: the trace it leaves, the module it is in, probe rows of hidden tensors.

    Calls of modules of an unknown class give late values; or, where ``passed`` is a list, the rows they
    are given, and are noted there with the width of the rows. ``tracing`` is what the code is told when
    it asks whether a graph is captured. With ``distinct`` fields of the configuration that would have
    one value get different ones: twice, four times as much. Everything that a run makes is asked of ``meter`` first.
    """

    _expressions: Mapping[type[ast.AST], Callable[..., Any]]
    _statements: Mapping[type[ast.AST], Callable[..., Any]]

    def __init_subclass__(cls) -> None:
        """Collect the handlers of all kinds of nodes: looking for one by name is a third of a step."""
        super().__init_subclass__()
        cls._expressions = _handlers(cls, "_expr_")
        cls._statements = _handlers(cls, "_stmt_")

    def __init__(
        self,
        index: Index,
        variant: int,
        total_rows: int,
        meter: budget.Meter | None = None,
        tracing: bool = False,
    ) -> None:
        self.index = index
        self.meter = meter or budget.Meter()
        self.tracing = tracing
        self.distinct = False
        self.variant = variant
        self.total_rows = total_rows
        self.trace = Trace()
        self._depth = 0
        self._top = -1
        self._call: ast.Call | None = None
        self._written: dict[str, Any] = {}
        self._plain: dict[tuple[int, str], tuple[Module, int, int]] = {}
        self._module: ModuleInfo | None = None
        self.hidden: dict[str, np.ndarray] = {}
        self.passed: list[tuple[str, int]] | None = None

    def rows_of(self, name: str) -> np.ndarray:
        """Probe content of hidden rows called ``name``: one distinct row per token."""
        if name not in self.hidden:
            budget.numbers(3 * self.total_rows)
            generator = np.random.default_rng(len(self.hidden) + 7)
            self.hidden[name] = generator.normal(size=(self.total_rows, 3))
        return self.hidden[name]

    def _frame(
        self, function: Function, this: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        names = parameters(function)
        env: dict[str, Any] = dict.fromkeys(names, LATE)
        spec = function.args
        if UNKNOWN in kwargs:
            spec = ast.arguments([], [], None, [], [], None, [])
        for arg, default in zip(reversed([*spec.posonlyargs, *spec.args]), reversed(spec.defaults)):
            env[arg.arg] = self._constant(default)
        for arg, kw_default in zip(spec.kwonlyargs, spec.kw_defaults):
            env[arg.arg] = self._constant(kw_default)
        values = [this, *args] if this is not None and names[:1] == ["self"] else list(args)
        env.update(zip(names, values))
        env.update({name: value for name, value in kwargs.items() if name in names})
        return env

    @staticmethod
    def _constant(node: ast.expr | None) -> Any:
        return node.value if isinstance(node, ast.Constant) else LATE

    def _note(self, node: ast.AST, *outcomes: bool) -> None:
        """Remember how a condition came out, or that a bound was met."""
        key = (self._top, node)
        seen = self.trace.outcomes.get(key)
        if seen is None:
            seen = self.trace.outcomes[key] = set()
        seen.update(outcomes)

    def _number(self, value: Any) -> None:
        """Remember a number that takes part in the computation."""
        if value.__class__ is int or value.__class__ is float:
            numbers = self.trace.numbers.get(self._top)
            if numbers is None:
                numbers = self.trace.numbers[self._top] = set()
            numbers.add(value)

    @abstractmethod
    def _eval(self, node: ast.expr, env: dict[str, Any]) -> Any:
        """Value of an expression."""

    @abstractmethod
    def _attribute(self, base: Any, name: str) -> Any:
        """Value of an attribute."""

    @abstractmethod
    def _bind(self, target: ast.expr, value: Any, env: dict[str, Any]) -> None:
        """Assign a value to a target."""

    @staticmethod
    @abstractmethod
    def _early_items(value: Any) -> list[Any]:
        """What an early list is extended by."""

    @abstractmethod
    def _invoke(
        self,
        function: Function,
        this: Any,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        module: ModuleInfo,
    ) -> Any:
        """Run a function or method of the library and return what it returns."""
