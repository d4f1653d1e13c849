"""Calls: of builtins, torch, tensor methods, submodules and functions of the library."""

from __future__ import annotations

import ast
from typing import Any

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.attributes import Attributes
from codegen.rewrite.probe.builtin_calls import BUILTINS
from codegen.rewrite.probe.functions import TRACING, call_torch, torch_int
from codegen.rewrite.probe.machine import UNKNOWN
from codegen.rewrite.probe.operators import iterate
from codegen.rewrite.probe.tensor_methods import ask_index, call_method
from codegen.rewrite.probe.trace import Bound, Embedding, mutates
from codegen.rewrite.probe.values import (
    LATE,
    Arr,
    Freq,
    Module,
    Unsupported,
    array,
    broadcast,
    is_late,
    scalar,
)

TORCH_ROOTS = ("torch", "F", "nn")
_TORCH_PARTS = ("nn", "functional", "utils", "rnn")
"""Modules below torch whose functions are known; one of the same name in another may be another."""
READ = frozenset(("shape", "T", "ndim", "device", "dtype"))
"""Attributes of tensors that are no methods."""
SAMPLE = "grid_sample"
"""What reads a table at points between its entries."""


class Calls(Attributes):
    """Evaluates call expressions."""

    def _expr_Call(self, node: ast.Call, env: dict[str, Any]) -> Any:
        called = node.func
        if not isinstance(called, ast.Attribute):
            function = self._eval(called, env)
        else:
            meter = self.meter
            meter.steps -= 1
            if meter.steps < 0:
                meter.step(0)
            base = self._eval(called.value, env)
            if base.__class__ is Arr and called.attr not in READ:
                return self._call_tensor(base, called.attr, node, env)
            function = self._attribute(base, called.attr)
        given = self._arguments(node, env)
        if given is None:
            return LATE
        args, kwargs = given
        self._call = node
        if function.__class__ is Bound:
            return self._call_found(function, args, kwargs, node)
        if isinstance(function, Embedding):
            self.trace.calls.setdefault(node, set())
        if isinstance(function, (Module, Embedding)):
            value = self._call_module(function, args, kwargs)
            if isinstance(value, Freq) and value.table:
                value.origin = function.text
            return value
        return LATE

    def _call_tensor(self, target: Arr, name: str, node: ast.Call, env: dict[str, Any]) -> Any:
        """Call a method of a tensor: most calls are, so that no bound method is made for it."""
        given = self._arguments(node, env)
        if given is None:
            return LATE
        self._call = node
        args, kwargs = given
        self._note_bounds(node, name, target, args, kwargs)
        return call_method(target, name, args, kwargs)

    def _call_found(
        self, function: Bound, args: list[Any], kwargs: dict[str, Any], node: ast.Call
    ) -> Any:
        """Call something by its name, by where torch has it, or as a method of a value."""
        if function.target is None:
            return self._call_name(function.name, args, kwargs, node)
        if isinstance(function.target, Bound):
            return self._call_dotted(function, args, kwargs, node)
        return self._call_attribute(function.target, function.name, args, kwargs, node)

    def _arguments(
        self, node: ast.Call, env: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]] | None:
        """Values of the arguments; None where their number is not known."""
        args: list[Any] = []
        for arg in node.args:
            if arg.__class__ is ast.Starred:
                assert isinstance(arg, ast.Starred)
                items = iterate(self._eval(arg.value, env))
                if items is None:
                    return None
                args += items
            else:
                args.append(self._eval(arg, env))
        if not node.keywords:
            return args, {}
        return args, {k.arg or UNKNOWN: self._eval(k.value, env) for k in node.keywords}

    def _call_name(self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.Call) -> Any:
        if name in TRACING or name == "is_torchdynamo_compiling":
            return self._asks_tracing()
        if self._module is not None and name in self._module.functions:
            return self._invoke(self._module.functions[name], None, args, kwargs, self._module)
        if name in BUILTINS and not self._hides(name):
            self._note_extreme(node, name, args)
            return BUILTINS[name](*args, **kwargs)
        if name == "torch_int":
            return torch_int(*args)
        imported = self._module.imports.get(name) if self._module is not None else None
        if imported is not None and imported[0].rpartition(".")[2].startswith(
            ("modeling_", "modular_")
        ):
            info = self.index.get(imported[0])
            if info is not None and imported[1] in info.functions:
                return self._invoke(info.functions[imported[1]], None, args, kwargs, info)
        return LATE

    def _hides(self, name: str) -> bool:
        """Tell whether a name of Python may mean something else in the module."""
        info = self._module
        return info is not None and (name in info.names or info.has_star)

    def _asks_tracing(self) -> bool:
        self.trace.asked_tracing = True
        return self.tracing

    def _note_extreme(self, node: ast.Call, name: str, args: list[Any]) -> None:
        """``min(a, b)`` is shown to be what it is where either of the two was less."""
        if name in ("min", "max") and len(args) == 2 and not is_late(args):
            left, right = (array(arg) for arg in args)
            self._note(node, bool((left < right).all()))

    def _note_bounds(
        self, node: ast.Call, name: str, target: Arr, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        """A bound is shown to be what it is where numbers are on either side of it."""
        if name.rstrip("_") not in ("clamp", "clip", "minimum", "maximum") or target.late:
            return
        bounds = [*args, *kwargs.values()]
        if is_late(bounds):
            return
        for place, bound in enumerate(bounds):
            if bound is not None:
                limit = array(bound)
                broadcast(target.data, limit)
                where: ast.AST = [*node.args, *node.keywords][place - len(bounds)]
                if (target.data < limit).any():
                    self._note(where, True)
                if (target.data > limit).any():
                    self._note(where, False)
                self._note(where)

    def _call_dotted(
        self, function: Bound, args: list[Any], kwargs: dict[str, Any], node: ast.Call
    ) -> Any:
        root, inside = function.target, True
        while isinstance(root, Bound) and root.target is not None:
            inside = inside and root.name in _TORCH_PARTS
            root = root.target
        if isinstance(root, Bound) and root.name in TORCH_ROOTS:
            if function.name in TRACING:
                return self._asks_tracing()
            if not inside:
                return LATE
            if function.name == SAMPLE:
                self.trace.samples[node] = kwargs.get("grid", args[1] if len(args) > 1 else LATE)
            if args and isinstance(args[0], Arr):
                self._note_bounds(node, function.name, args[0], args[1:], kwargs)
            return call_torch(function.name, args, kwargs)
        return LATE

    def _call_attribute(
        self, target: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.Call
    ) -> Any:
        if isinstance(target, Arr):
            self._note_bounds(node, name, target, args, kwargs)
            return call_method(target, name, args, kwargs)
        if isinstance(target, list):
            if kwargs:
                raise Unsupported(f"keywords of the list method {name}")
            return self._list_method(target, name, args)
        if isinstance(target, Freq):
            return self._freq_method(target, name, args)
        if isinstance(target, Module) and target.cls is not None:
            return self._call_bound(target, name, args, kwargs)
        if target is LATE:
            return self._late_method(name, args, kwargs, node)
        return LATE

    def _list_method(self, target: list[Any], name: str, args: list[Any]) -> Any:
        if name == "append" and len(args) == 1:
            budget.items(1)
            target.append(args[0])
        elif name == "extend" and len(args) == 1:
            target.extend(self._early_items(args[0]))
        elif name == "insert" and len(args) == 2 and isinstance(args[0], int):
            budget.items(1)
            target.insert(*args)
        elif mutates(name):
            raise Unsupported(f"list method {name}")
        else:
            return LATE
        return None

    def _late_method(
        self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.Call
    ) -> Any:
        """``hidden.split([...])`` with known sizes: hidden rows take part with probe content."""
        if (
            name != "split"
            or not args
            or not isinstance(args[0], (list, tuple))
            or is_late(args[0])
            or len(args) + len(kwargs) > 2
            or not kwargs.keys() <= {"dim"}
        ):
            return LATE
        assert isinstance(node.func, ast.Attribute)
        root, transposed = node.func.value, False
        if isinstance(root, ast.Attribute) and root.attr == "T":
            root, transposed = root.value, True
        axis = kwargs.get("dim", args[1] if len(args) > 1 else 0)
        if not isinstance(axis, int) or not -2 <= axis < 2 or not isinstance(root, ast.Name):
            return LATE
        axis %= 2
        if transposed and axis:
            return LATE
        rows = self.rows_of(root.id)
        budget.numbers(rows.size)
        return call_method(
            Arr((rows.T if axis else rows).copy(), True), "split", args[:1], {"dim": axis}
        )

    @staticmethod
    def _freq_method(target: Freq, name: str, args: list[Any]) -> Any:
        if name in ("to", "contiguous", "clone"):
            return target
        if name == "flatten" and args and scalar(args[0]) == 1 and target.positions.ndim == 2:
            return Freq(target.positions, target.buffer, flat=True)
        return LATE

    def _call_module(
        self, target: Module | Embedding, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        if isinstance(target, Embedding):
            if args and isinstance(args[0], Arr) and not args[0].late:
                ask_index(target.rows, args[0].data)
                return Arr(target.rows[args[0].data], True)
            return LATE
        if target.cls is None:
            return self._pass_rows(target, args)
        return self._call_bound(target, "forward", args, kwargs)

    def _pass_rows(self, target: Module, args: list[Any]) -> Any:
        """The rows that a module of an unknown class is given, if the run is to show their order only."""
        if self.passed is None or len(args) != 1 or not isinstance(args[0], Arr):
            return LATE
        budget.numbers(args[0].data.size)
        if self._call is not None:
            self.trace.calls.setdefault(self._call, set())
        self.passed.append((target.text, args[0].data.shape[-1]))
        return Arr(args[0].data.copy(), True)

    def _call_bound(
        self, target: Module, name: str, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        found = self.index.method(target.cls, name)
        if found is None or all(is_late(a) for a in [*args, *kwargs.values()]):
            return LATE
        owner, function = found
        return self._invoke(function, target, args, kwargs, owner.module)
