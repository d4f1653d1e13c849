"""The probe interpreter with what code about prompts needs besides: tables, iterators and groups.

Loops over the tokens of a prompt walk through runs of one type (``itertools.groupby``) and take the grid of
the next image from an iterator. What is kept of an iterator is what Python keeps: items that were taken are
gone, and a group is empty once the next one has begun.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.builtin_calls import BUILTINS
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.operators import compare, iterate, truth
from codegen.rewrite.probe.trace import Bound, Refused
from codegen.rewrite.probe.values import LATE, OPAQUE, Unsupported, is_late

_EQUAL = ast.Eq()
_CONSUMERS = ("list", "tuple", "enumerate")
"""Builtins that may be given an iterator, and take all that is left in it."""


@dataclass(eq=False)
class Items:
    """An iterator over a known list."""

    rest: list[Any]


@dataclass(eq=False)
class Groups:
    """What ``itertools.groupby`` gives: keys with the items of each run."""

    found: list[tuple[Any, Items]] = field(default_factory=list)

    def walk(self) -> Iterator[tuple[Any, Items]]:
        """The runs one by one; one that is over is empty."""
        for key, items in self.found:
            yield key, items
            items.rest = []


@dataclass(frozen=True, eq=False)
class Table:
    """A dict with known keys."""

    entries: dict[Any, Any]


@dataclass(frozen=True, eq=False)
class Function:
    """A lambda, with the names that it sees."""

    node: ast.Lambda
    env: dict[str, Any]


class PromptInterpreter(Interpreter):
    """Interprets a method that computes something for every token of a prompt."""

    def _expr_Dict(self, node: ast.Dict, env: dict[str, Any]) -> Any:
        entries: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values):
            if not isinstance(key, ast.Constant):
                return LATE
            entries[key.value] = self._eval(value, env)
            self._number(key.value)
        return Table(entries)

    def _expr_Lambda(self, node: ast.Lambda, env: dict[str, Any]) -> Any:
        spec = node.args
        if spec.posonlyargs or spec.kwonlyargs or spec.vararg or spec.kwarg or spec.defaults:
            return LATE
        return Function(node, env)

    def _expr_Subscript(self, node: ast.Subscript, env: dict[str, Any]) -> Any:
        held = env.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if not isinstance(held, Table):
            return super()._expr_Subscript(node, env)
        key = self._eval(node.slice, env)
        if not isinstance(key, (int, str)) or key not in held.entries:
            raise Refused(f"no entry {key!r} in {ast.unparse(node.value)}")
        return held.entries[key]

    def _looped(self, value: Any) -> Iterable[Any] | None:
        if isinstance(value, Groups):
            return value.walk()
        return _taken(value) if isinstance(value, Items) else super()._looped(value)

    def _call_name(self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.Call) -> Any:
        if name in self._local_functions():
            return super()._call_name(name, args, kwargs, node)
        if name == "iter" and len(args) == 1:
            listed = iterate(args[0])
            return LATE if listed is None else Items(listed)
        if name == "next":
            return self._next(args, node)
        if name == "groupby" and self._imported_from(name) == "itertools":
            return self._grouped(args, kwargs)
        if name in BUILTINS and any(isinstance(arg, (Items, Groups)) for arg in args):
            if name not in _CONSUMERS or not isinstance(args[0], Items):
                raise Unsupported(f"{name} of an iterator")
            args = [_taken(args[0]), *args[1:]]
        return super()._call_name(name, args, kwargs, node)

    def _local_functions(self) -> Iterable[str]:
        return self._module.functions if self._module is not None else ()

    def _imported_from(self, name: str) -> str:
        found = self._module.imports.get(name) if self._module is not None else None
        return found[0] if found is not None else ""

    def _call_dotted(
        self, function: Bound, args: list[Any], kwargs: dict[str, Any], node: ast.Call
    ) -> Any:
        root = function.target
        if isinstance(root, Bound) and (root.target, root.name) == (None, "itertools"):
            return self._grouped(args, kwargs) if function.name == "groupby" else LATE
        return super()._call_dotted(function, args, kwargs, node)

    def _next(self, args: list[Any], node: ast.Call) -> Any:
        if len(args) != 1 or not isinstance(args[0], Items):
            raise Unsupported("next of what is no known iterator")
        if not args[0].rest:
            raise Refused(f"no further item in line {node.lineno}")
        return args[0].rest.pop(0)

    def _grouped(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """``itertools.groupby(items, key)``."""
        given = [*args, *([kwargs["key"]] if set(kwargs) == {"key"} else [])]
        if len(given) != len(args) + len(kwargs) or len(given) not in (1, 2):
            raise Unsupported("groupby of these arguments")
        listed = _taken(given[0]) if isinstance(given[0], Items) else iterate(given[0])
        if listed is None:
            return LATE
        groups = Groups()
        for item in listed:
            key = item if len(given) == 1 else self._applied(given[1], item)
            if is_late(key) or key is OPAQUE:
                raise Unsupported("groups by late values")
            if not groups.found or not truth(compare(_EQUAL, groups.found[-1][0], key)):
                budget.items(2)
                groups.found.append((key, Items([])))
            groups.found[-1][1].rest.append(item)
        return groups

    def _applied(self, function: Any, item: Any) -> Any:
        if not isinstance(function, Function) or len(function.node.args.args) != 1:
            raise Unsupported("a key that is no lambda of one item")
        name = function.node.args.args[0].arg
        return self._eval(function.node.body, {**function.env, name: item})


def _taken(items: Items) -> list[Any]:
    """All that is left in an iterator."""
    budget.items(len(items.rest))
    rest, items.rest = items.rest, []
    return rest
