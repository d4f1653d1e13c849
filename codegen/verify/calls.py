"""Calls of encoders: the inputs that they take, and everything that they compute from sizes."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from codegen.rewrite.helpers import LIFTED
from codegen.verify.inputs import Inputs, tensors

_LIFTED_NAMES = frozenset(name for helper in LIFTED.values() for name in helper.outputs)


def call(encoder: Callable[..., Any], given: Inputs) -> list[torch.Tensor]:
    """Outputs of an encoder without gradients."""
    with torch.no_grad():
        return tensors(encoder(**accepted(encoder, given)))


def accepted(encoder: Any, given: Inputs, by_name: bool = False) -> Inputs:
    """Inputs that ``forward`` names; a catch-all would swallow others silently, but hands on what is lifted.

    Exported programs take inputs ``by_name`` only.
    """
    forward = getattr(encoder, "forward", encoder)
    names = inspect.signature(forward).parameters
    # Releases differ in whether the grid of an encoder carries a prefix.
    grids = [name for name in names if name.endswith("grid_thw")]
    renamed = {
        grids[0] if k.endswith("grid_thw") and k not in names and len(grids) == 1 else k: v
        for k, v in given.items()
    }
    catches = not by_name and any(each.kind is each.VAR_KEYWORD for each in names.values())
    handed = _LIFTED_NAMES if catches else ()
    return {k: v for k, v in renamed.items() if k in names or k in handed}


@contextlib.contextmanager
def recording(found: Inputs) -> Iterator[None]:
    """Collect the results of every lifted helper that runs inside."""
    patched: list[tuple[Any, str, Any]] = []

    def wrap(function: Any, outputs: tuple[str, ...]) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            values = result if isinstance(result, tuple) else (result,)
            found.update(zip(outputs, values))
            return result

        return wrapped

    for module in list(sys.modules.values()):
        for name, helper in LIFTED.items():
            function = (
                vars(module).get(name)
                if module is not None and hasattr(module, "__dict__")
                else None
            )
            # Where it is defined, helpers call one another: those results are parts of others.
            home = getattr(function, "__module__", "")
            if callable(function) and getattr(module, "__name__", "") != home:
                patched.append((module, name, function))
                setattr(module, name, wrap(function, helper.outputs))
    try:
        yield
    finally:
        for module, name, function in patched:
            setattr(module, name, function)


@contextlib.contextmanager
def as_in_graphs(encoder: torch.nn.Module) -> Iterator[None]:
    """Let the modules of an encoder's file run the forms that they have for graphs."""
    module = sys.modules[type(encoder).__module__]
    asked = vars(module).get("is_tracing")
    if asked is not None:
        vars(module)["is_tracing"] = lambda: True
    try:
        yield
    finally:
        if asked is not None:
            vars(module)["is_tracing"] = asked


def rounds(encoder: torch.nn.Module) -> bool:
    """Whether given tensors are put to use by other operators than the original's (``Helper.rounds``)."""
    known = vars(sys.modules[type(encoder).__module__])
    return any(helper.rounds and name in known for name, helper in LIFTED.items())


def precomputed(encoder: torch.nn.Module, given: Inputs) -> Inputs:
    """Given inputs plus everything that the encoder would compute itself."""
    found: Inputs = {}
    # Some are computed by the form for graphs alone; what both compute is taken from the other.
    for forms in (as_in_graphs(encoder), contextlib.nullcontext()):
        with forms, recording(found):
            call(encoder, given)
    forward = inspect.signature(encoder.forward).parameters
    explicit = {k: v for k, v in found.items() if k in forward or "kwargs" in forward}
    return {**given, **explicit}
