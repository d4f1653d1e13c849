"""The probe interpreter with what code needs besides that looks for images between tokens in front and behind."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.probe import budget
from codegen.rewrite.probe.source_prompts import END, IMAGE, START
from codegen.rewrite.probe.telling import TokenInterpreter
from codegen.rewrite.probe.trace import Bound
from codegen.rewrite.probe.values import Arr, Unsupported, array, is_late, sizes, volume
from codegen.rewrite.vocabulary import token_role


class SourceInterpreter(TokenInterpreter):
    """Interprets a method that counts positions of prompts with source images."""

    def _told(self, name: str) -> int | None:
        role = token_role(name)
        if not role:
            return None
        return {"start": START, "end": END}.get(role.rpartition("_")[2], IMAGE)

    def _call_dotted(
        self, function: Bound, args: list[Any], kwargs: dict[str, Any], node: ast.Call
    ) -> Any:
        if any(isinstance(value, Bound) for value in (*args, *kwargs.values())):
            raise Unsupported("an argument that nothing is known of")
        if not is_late([*args, *kwargs.values()]):
            if function.name == "where" and len(args) == 1 and not kwargs:
                return _places(args[0])
            if function.name == "pad" and kwargs == {"mode": "replicate"} and len(args) == 2:
                return _continued(args[0], args[1])
        return super()._call_dotted(function, args, kwargs, node)

    def _invoke(
        self,
        function: Function,
        this: Any,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        module: ModuleInfo,
    ) -> Any:
        names, bound = parameters(function), len(args) + (this is not None)
        taken = function.args.kwarg is not None or kwargs.keys() <= set(names[bound:])
        if bound > len(names) or not taken:
            raise Unsupported(f"arguments that {function.name} does not take")
        return super()._invoke(function, this, args, kwargs, module)

    @property
    def written(self) -> dict[str, Any]:
        """What was assigned to attributes, by the texts that reach them."""
        return self._written


def _places(condition: Any) -> tuple[Arr, ...]:
    """``torch.where(condition)``."""
    data = array(condition)
    budget.numbers(data.size * max(data.ndim, 1))
    return tuple(Arr(axis) for axis in np.nonzero(data))


def _continued(data: Any, widths: Any) -> Arr:
    """``F.pad(data, (0, n), mode="replicate")``."""
    values, given = array(data), sizes([widths])
    if len(given) != 2 or given[0] != 0 or given[1] < 0 or not values.size:
        raise Unsupported("a continuation of that form")
    volume([*values.shape[:-1], values.shape[-1] + given[1]])
    return Arr(np.concatenate([values, np.repeat(values[..., -1:], given[1], axis=-1)], axis=-1))
