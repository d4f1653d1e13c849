"""Calls: of builtins, torch, tensor methods, submodules and functions of the library."""

from __future__ import annotations

import ast
from typing import Any

from codegen.rewrite.probe.attributes import Attributes
from codegen.rewrite.probe.builtin_calls import BUILTINS, SEQUENCES, call_sequence
from codegen.rewrite.probe.functions import call_torch, torch_int
from codegen.rewrite.probe.operators import iterate
from codegen.rewrite.probe.trace import Bound, Embedding
from codegen.rewrite.probe.values import (
    LATE,
    Arr,
    Freq,
    Module,
    Unsupported,
    call_method,
    is_late,
    scalar,
)

_TORCH_ROOTS = ("torch", "F", "nn")


class Calls(Attributes):
    """Evaluates call expressions."""

    def _expr_Call(self, node: ast.Call, env: dict[str, Any]) -> Any:
        function = self._eval(node.func, env)
        args, kwargs = self._arguments(node, env)
        if isinstance(function, (Module, Embedding)):
            value = self._call_module(function, args, kwargs)
            if isinstance(value, Freq) and value.table:
                value.origin = function.text
            return value
        if not isinstance(function, Bound):
            return LATE
        if function.target is None:
            return self._call_name(function.name, args, kwargs, node)
        if isinstance(function.target, Bound):
            return self._call_dotted(function, args, kwargs)
        return self._call_attribute(function.target, function.name, args, kwargs, node)

    def _arguments(self, node: ast.Call, env: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                items = iterate(self._eval(arg.value, env))
                args += [LATE] if items is None else items
            else:
                args.append(self._eval(arg, env))
        return args, {k.arg: self._eval(k.value, env) for k in node.keywords if k.arg is not None}

    def _call_name(self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.Call) -> Any:
        if name in BUILTINS:
            return BUILTINS[name](args)
        if name in SEQUENCES:
            return call_sequence(name, args)
        if self._module is not None and name in self._module.functions:
            return self._invoke(self._module.functions[name], None, args, kwargs, self._module)
        if name in ("torch_int", "is_torchdynamo_compiling"):
            return torch_int(args[0]) if name == "torch_int" else False
        imported = self._module.imports.get(name) if self._module is not None else None
        if imported is not None and imported[0].rpartition(".")[2].startswith(
            ("modeling_", "modular_")
        ):
            info = self.index.get(imported[0])
            if info is not None and imported[1] in info.functions:
                return self._invoke(info.functions[imported[1]], None, args, kwargs, info)
        return LATE

    def _call_dotted(self, function: Bound, args: list[Any], kwargs: dict[str, Any]) -> Any:
        root = function.target
        while isinstance(root, Bound) and root.target is not None:
            root = root.target
        if isinstance(root, Bound) and root.name in _TORCH_ROOTS:
            return call_torch(function.name, args, kwargs)
        return LATE

    def _call_attribute(
        self, target: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.Call
    ) -> Any:
        if isinstance(target, Arr):
            return call_method(target, name, args, kwargs)
        if isinstance(target, list) and name in ("append", "extend"):
            items = iterate(args[0]) if name == "extend" else [args[0]]
            if items is None:
                raise Unsupported("late values in an early list")
            target.extend(items)
            return None
        if isinstance(target, Freq):
            return self._freq_method(target, name, args)
        if isinstance(target, Module) and target.cls is not None:
            return self._call_bound(target, name, args, kwargs)
        if target is LATE:
            return self._late_method(name, args, node)
        if isinstance(target, (list, dict, str, tuple)):
            return LATE
        return LATE

    def _late_method(self, name: str, args: list[Any], node: ast.Call) -> Any:
        """``hidden.split([...])`` with known sizes: hidden rows take part with probe content."""
        if (
            name != "split"
            or not args
            or not isinstance(args[0], (list, tuple))
            or is_late(args[0])
        ):
            return LATE
        assert isinstance(node.func, ast.Attribute)
        root, transposed = node.func.value, False
        if isinstance(root, ast.Attribute) and root.attr == "T":
            root, transposed = root.value, True
        axis = next(
            (scalar(k.value.value) for k in node.keywords if isinstance(k.value, ast.Constant)), 0
        )
        if not isinstance(root, ast.Name) or (transposed and axis):
            return LATE
        rows = self.rows_of(root.id)
        return call_method(
            Arr((rows.T if axis else rows).copy(), True), "split", args[:1], {"dim": axis}
        )

    @staticmethod
    def _freq_method(target: Freq, name: str, args: list[Any]) -> Any:
        if name in ("to", "contiguous", "clone"):
            return target
        if name == "flatten" and args and scalar(args[0]) == 1 and target.positions.ndim == 2:
            return Freq(target.positions, flat=True)
        return LATE

    def _call_module(
        self, target: Module | Embedding, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        if isinstance(target, Embedding):
            if args and isinstance(args[0], Arr) and not args[0].late:
                return Arr(target.rows[args[0].data], True)
            return LATE
        if target.cls is None:
            return self._pass_rows(target, args)
        return self._call_bound(target, "forward", args, kwargs)

    def _pass_rows(self, target: Module, args: list[Any]) -> Any:
        """The rows that a module of an unknown class is given, if the run is to show their order only."""
        if self.passed is None or len(args) != 1 or not isinstance(args[0], Arr):
            return LATE
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
