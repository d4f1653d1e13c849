"""The probe interpreter with what turns rows of images into codes: the nearest entries of a table.

Rows are known numbers here, and so are weights: whether rows mix is seen in the codes that come out.
Fields of configurations that nothing else is known of are numbers of channels.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.probe import budget
from codegen.rewrite.probe.prompting import PromptInterpreter
from codegen.rewrite.probe.tensor_methods import call_method
from codegen.rewrite.probe.trace import Bound, Config, Embedding
from codegen.rewrite.probe.values import LATE, Arr, Module, Unsupported, array, is_late, scalar

CHANNELS, ENTRIES = 3, 19
"""How wide rows are, and how many codes there are."""


@dataclass(frozen=True)
class Fields:
    """An output with fields."""

    values: dict[str, Any]


class CodeInterpreter(PromptInterpreter):
    """Interprets a method that turns rows into codes, and what it calls."""

    def _config_attribute(self, base: Config, name: str) -> Any:
        if name.endswith("_config"):
            return Config(f"{base.text}.{name}")
        return CHANNELS

    def _attribute(self, base: Any, name: str) -> Any:
        if isinstance(base, Fields):
            return base.values.get(name, LATE)
        if isinstance(base, Embedding) and name == "weight":
            return Arr(base.rows.copy())
        return super()._attribute(base, name)

    def _built(self, base: Module, owner: ClassInfo, node: ast.Call, text: str) -> Any:
        """A convolution of single points is known, and so is a table; submodules are those of the generated file."""
        name = ast.unparse(node.func).rpartition(".")[2]
        if name == "Embedding":
            rows = np.random.default_rng(len(text)).normal(size=(ENTRIES, CHANNELS))
            return Embedding(text, rows)
        if name == "Conv2d":
            return Module(None, text, {"points": True}) if _is_of_points(node) else LATE
        return super()._built(base, owner, node, text)

    def _call_module(
        self, target: Module | Embedding, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        if not isinstance(target, Module) or not target.bound.get("points"):
            return super()._call_module(target, args, kwargs)
        if kwargs or len(args) != 1 or is_late(args) or array(args[0]).ndim != 4:
            raise Unsupported("a convolution of that")
        weights = np.random.default_rng(len(target.text)).normal(size=(CHANNELS, CHANNELS))
        return self._seen(Arr(np.einsum("tchw,dc->tdhw", array(args[0]), weights)))

    def _call_name(self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.Call) -> Any:
        known = self._module is not None and name in self._module.functions
        if name[:1].isupper() and kwargs and not args and not known:
            return self._seen(Fields(dict(kwargs)))
        return super()._call_name(name, args, kwargs, node)

    def _call_dotted(
        self, function: Bound, args: list[Any], kwargs: dict[str, Any], node: ast.Call
    ) -> Any:
        if is_late([*args, *kwargs.values()]):
            return super()._call_dotted(function, args, kwargs, node)
        if function.name == "normalize":
            return self._seen(_normalized(*args, **kwargs))
        if function.name == "einsum":
            return self._seen(_einsum(*args))
        if function.name == "argmin":
            return self._seen(_argmin(*args, **kwargs))
        return super()._call_dotted(function, args, kwargs, node)

    def _seen(self, value: Any) -> Any:
        if self._call is not None:
            self.trace.calls.setdefault(self._call, set())
        return value


def _is_of_points(node: ast.Call) -> bool:
    """``Conv2d(in, out, 1)``, with nothing else that matters."""
    given = [*node.args[2:], *(k.value for k in node.keywords if k.arg == "kernel_size")]
    others = {k.arg for k in node.keywords} - {"kernel_size", "bias", "in_channels", "out_channels"}
    return len(given) == 1 and not others and ast.unparse(given[0]) in ("1", "(1, 1)")


def _normalized(values: Any, p: Any = 2, dim: Any = 1) -> Arr:
    data, axis = array(values), scalar(dim)
    if p != 2:
        raise Unsupported("another norm")
    budget.numbers(2 * data.size)
    length = np.sqrt((data * data).sum(axis=axis, keepdims=True))
    return Arr(data / np.maximum(length, 1e-12))


def _einsum(equation: Any, *operands: Any) -> Arr:
    if not isinstance(equation, str) or len(operands) != 2 or "." in equation:
        raise Unsupported("sums of that form")
    left, right = map(array, operands)
    budget.numbers(left.size * max(right.shape))
    return Arr(np.asarray(np.einsum(equation, left, right)))


def _argmin(values: Any, dim: Any = None) -> Arr:
    if dim is None:
        raise Unsupported("the least of all")
    call_method(Arr(array(values)), "contiguous", [], {})
    return Arr(np.asarray(array(values).argmin(axis=scalar(dim))))


def entered_writes(functions: set[Function]) -> str:
    """What functions write to besides names of their own; empty if nothing."""
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, (ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom)):
                return f"{function.name} writes to names outside"
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                return f"{function.name} writes to {ast.unparse(node)}"
    return ""
