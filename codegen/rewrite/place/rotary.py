"""Rotary modules that build a table for the largest position, and who calls them.

Such a module becomes a product of position ids and inverse frequencies, provided that every caller in
the candidates looks its table up by recognised ids.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence

from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, made_of
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.values import Freq
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import KEPT_TABLE, Record, model_of


def position_forward(buffer: str) -> tuple[str, ...]:
    """Lines of the method that rewritten rotary modules get, whose frequencies are in ``buffer``."""
    return (
        "def forward(self, position_ids: torch.Tensor) -> torch.Tensor:",
        f"    position_ids = position_ids.to(self.{buffer}.device)",
        f"    return (position_ids.unsqueeze(-1) * self.{buffer}).flatten(1)",
    )


class RotaryTables:
    """The rotary modules to rewrite, by identity of their class node.

    ``is_gone(function, call)`` tells whether extraction removes a call together with its lookups.
    """

    def __init__(self, state: RewriteState, is_gone: Callable[[Function, ast.Call], bool]) -> None:
        self.state = state
        self.index = state.index
        self.is_gone = is_gone
        self.tables: dict[int, ClassInfo] = {}
        self.buffers: dict[int, str] = {}
        self._attributes: set[str] | None = None
        self._called: set[int] = set()
        self._find()

    def _find(self) -> None:
        """Classes whose ``forward(length)`` returns positions times inverse frequencies."""
        for info in self.state.candidates():
            if "outer(" not in info.source.text:
                continue
            for cls in self.state.classes(info):
                function = cls.methods.get("forward")
                buffer = table_buffer(self.index, cls, function) if function is not None else ""
                if buffer:
                    self.tables[id(cls.node)], self.buffers[id(cls.node)] = cls, buffer

    def check_callers(self) -> None:
        """Drop a table module that somebody calls in a way that is not understood."""
        for info in self.state.candidates():
            for cls in self.state.classes(info):
                for function in cls.methods.values():
                    self._check_caller(cls, function)
        for key in set(self.tables) - self._called:
            del self.tables[key]

    def _check_caller(self, cls: ClassInfo, function: Function) -> None:
        if not self._may_call_table(cls, function):
            return
        for node in walk(function):
            if not isinstance(node, ast.Call) or not self_attribute(node.func):
                continue
            target = self.index.submodule(cls, self_attribute(node.func))
            table = self.table_of(target) if target is not None else None
            if table is None or target is None:
                continue
            if self.is_gone(function, node):
                self._called.add(id(table.node))
            else:
                self.tables.pop(id(table.node), None)
                place = cls.module.place(node)
                self.state.note(
                    Record(
                        model_of(cls.module.source.module),
                        cls.name,
                        function.name,
                        "left",
                        place,
                        reason=f"{table.name} {KEPT_TABLE}: this call is not a lookup by known position ids",
                    )
                )

    def _may_call_table(self, cls: ClassInfo, function: Function) -> bool:
        """Cheap test: the method mentions an attribute that some ``__init__`` builds from a table class."""
        segment = cls.module.segment(function)
        return any(f"self.{name}(" in segment for name in self._table_attributes())

    def _table_attributes(self) -> set[str]:
        """Names of attributes that hold a rotary module anywhere in the candidates."""
        if self._attributes is None:
            names = {cls.name for cls in self.tables.values()}
            for info in self.state.candidates():
                for cls in self.state.classes(info):
                    names |= (
                        {cls.name}
                        if any(id(c.node) in self.tables for c in self.index.mro(cls))
                        else set()
                    )
            made = (made_of(info, names) for info in self.state.candidates())
            self._attributes = {held for calls in made for _, held in calls if held}
        return self._attributes

    def table_of(self, target: ClassInfo) -> ClassInfo | None:
        """The rotary module whose ``forward`` a class has, if it is to be rewritten."""
        found = self.index.method(target, "forward")
        return found[0] if found is not None and id(found[0].node) in self.tables else None

    def is_kept(self, cls: ClassInfo, origin: str) -> bool:
        """Tell whether the module that ``origin`` names keeps its table."""
        target = self.index.submodule(cls, origin.rpartition(".")[2])
        return target is None or self.table_of(target) is None


def table_buffer(index: Index, cls: ClassInfo, function: Function) -> str:
    """The buffer of frequencies that ``forward(length)`` multiplies positions by; empty if it is no table."""
    names = parameters(function)
    if len(names) != 2:
        return ""
    result = Interpreter(index, 0, 0).run(cls, function, cls, {names[1]: 5}).result
    is_table = isinstance(result, Freq) and result.table and len(result.positions) == 5
    return result.buffer if is_table else ""


def near_tables(
    index: Index, cls: ClassInfo, function: Function, names: Collection[str]
) -> Iterator[tuple[ast.AST, str]]:
    """Lookups by position ids, in what a module makes for one length, that are none in a rotary table.

    Args:
        index: the texts.
        cls: the class of the method.
        function: the method.
        names: that hold position ids.
    """
    made = {
        target.id: node.value
        for node in walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in walk(function):
        if not isinstance(node, ast.Subscript) or getattr(node.slice, "id", "") not in names:
            continue
        call = made.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
        if not isinstance(call, ast.Call) or len(call.args) != 1:
            continue
        held = self_attribute(call.func)
        if not held:
            continue
        target = index.submodule(cls, held)
        found = index.method(target, "forward") if target is not None else None
        why = (
            _why_no_table(index, *found)
            if found is not None
            else f"what self.{held} is is not known"
        )
        if why:
            yield node, f"{ast.unparse(node)} is no lookup in a rotary table: {why}"


def _why_no_table(index: Index, cls: ClassInfo, function: Function) -> str:
    """Why a ``forward(length)`` makes no rotary table; empty if it does, or takes something else."""
    if len(parameters(function)) != 2 or table_buffer(index, cls, function):
        return ""
    read = {self_attribute(node) for node in walk(function)} - {""}
    for name in sorted(read):
        if table_buffer(index.guessing(name, "frequencies"), cls, function):
            return f"{cls.name}.{name} is in no vocabulary of frequencies"
    return f"{cls.name}.forward is not seen to give positions from 0 on times frequencies"


def is_position_forward(function: Function, buffers: Sequence[str]) -> bool:
    """Tell whether a ``forward`` is the product of position ids and inverse frequencies."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    written = [ast.unparse(node) for node in body]
    return parameters(function) == ["self", "position_ids"] and any(
        written == [line.strip() for line in position_forward(buffer)[1:]] for buffer in buffers
    )
