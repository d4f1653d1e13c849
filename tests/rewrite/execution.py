"""Execute a golden case before and after the passes.

The section ``# run`` of a case is executed behind the code of each side, with the same random numbers. It
defines ``run``, and ``inputs`` (a list of argument tuples) or ``inputs_of`` (arguments for a grid) unless
``run`` takes one grid. At hand are:

    Config(**fields)            a configuration
    bare(cls, **attributes)     a module without its ``__init__``, for code that has none
    randn, randint              torch's, from the seed of the case
    packed(grid, width)         hidden rows for a grid
    taken(function, **values)   those of some keywords that a function names
    GRIDS                       grids of all kinds: one and several entries, frames, sides of hundreds
"""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from codegen.rewrite.helpers import HELPER_MODULES

GRIDS = (
    [[1, 6, 12]],
    [[1, 12, 12], [2, 6, 18], [1, 24, 6]],
    [[3, 18, 12], [1, 6, 6], [5, 12, 30]],
    [[30, 6, 6]] + [[1, 6 * n, 12] for n in range(1, 12)],
    [[1, 396, 216], [2, 6, 12]],
)
"""Rows (frames, rows, columns); all sides can be divided by 2 and by 3."""

Call = Callable[..., Any]


@dataclass(frozen=True)
class Side:
    """What the ``# run`` section gives on one side of a case.

    ``without_entries`` are arguments for a grid without rows, None where the section makes none of a grid.
    """

    run: Call
    inputs: list[tuple[Any, ...]]
    without_entries: tuple[Any, ...] | None = None


class Config(types.SimpleNamespace):
    """A configuration: eager attention unless the case says otherwise."""

    _attn_implementation = "eager"


def bare(cls: type[nn.Module], **attributes: Any) -> nn.Module:
    """A module of a class whose code has no complete ``__init__``."""
    module = cls.__new__(cls)
    nn.Module.__init__(module)
    for name, value in attributes.items():
        if isinstance(value, torch.Tensor):
            module.register_buffer(name, value)
        else:
            setattr(module, name, value)
    return module


def packed(grid: torch.Tensor, width: int) -> torch.Tensor:
    """Random hidden rows, one for every patch of a grid."""
    return torch.randn(int(grid.prod(1).sum()), width)


def taken(function: Call, **values: Any) -> dict[str, Any]:
    """The precomputed values that a rewritten function takes; none of them before."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in values.items() if name in names}


def load(files: Mapping[str, str], folder: Path, name: str, section: str) -> Side:
    """Import the files of one side and execute the section behind them."""
    root = folder / name
    shims = {
        f"{module}.py": f"from utils.{module} import *\n" for module in HELPER_MODULES.values()
    }
    for path, text in {**shims, **files}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    # The first file is the one whose names the section uses.
    module = importlib.import_module(
        f"{name}.{next(iter(files)).removesuffix('.py').replace('/', '.')}"
    )
    torch.manual_seed(0)
    space = dict(vars(module))
    known = {"Config": Config, "bare": bare, "torch": torch, "nn": nn, "GRIDS": GRIDS}
    space |= {
        **known,
        "packed": packed,
        "taken": taken,
        "randn": torch.randn,
        "randint": torch.randint,
    }
    exec(compile(section, f"{name} # run", "exec"), space)
    inputs = space.get("inputs")
    if inputs is not None:
        return Side(space["run"], inputs)
    inputs_of = space.get("inputs_of", lambda grid: (grid,))
    inputs = [inputs_of(torch.tensor(grid)) for grid in GRIDS]
    nothing = result_of(inputs_of, (torch.empty(0, 3, dtype=torch.int64),))
    return Side(space["run"], inputs, nothing if isinstance(nothing, tuple) else None)


@pytest.fixture
def packages(tmp_path: Path) -> Iterator[Path]:
    """A folder that packages can be imported from."""
    sys.path.insert(0, str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    sys.path.remove(str(tmp_path))


def result_of(call: Call, arguments: tuple[Any, ...]) -> Any:
    """What a call returns, or the exception that it raises."""
    torch.manual_seed(1)
    try:
        return call(*arguments)
    except Exception as problem:
        return problem


def assert_same(left: Any, right: Any, tolerance: float) -> None:
    """Refuse results that differ: tensors beyond a tolerance, everything else at all."""
    assert type(left) is type(right) or not {type(left), type(right)} & {tuple, list}, (left, right)
    if isinstance(left, Exception) or isinstance(right, Exception):
        assert isinstance(left, Exception) and isinstance(right, Exception), (left, right)
    elif isinstance(left, torch.Tensor):
        torch.testing.assert_close(
            right, left, rtol=tolerance, atol=tolerance, check_dtype=True, equal_nan=True
        )
    elif isinstance(left, (tuple, list)):
        assert len(left) == len(right)
        for first, second in zip(left, right):
            assert_same(first, second, tolerance)
    else:
        assert left == right
