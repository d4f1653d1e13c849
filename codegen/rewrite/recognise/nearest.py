"""What comes nearest to a computation that no helper gives: the helper, and where the two first differ.

    ends = (grid_thw[:, 1] * grid_thw[:, 2] * grid_thw[:, 0]).cumsum(0)
    nearest: get_vision_cu_seqlens, which differs for 1x4x6, 2x2x4: bounds[2] is 40, the helper's is 32

Asked only where something is reported. What no helper's result can be compared with is described instead.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codegen.rewrite import audio_helpers, vision_helpers
from codegen.rewrite.flow import effect
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.probe import reference
from codegen.rewrite.probe.probes import Probe
from codegen.rewrite.probe.trace import RESULT
from codegen.rewrite.probe.values import Arr, is_late
from codegen.rewrite.recognise.audio import LAWS, run_on_lengths
from codegen.rewrite.recognise.study import Study, candidates, fits, grid_parameters, study

NEAREST = "nearest: "
MOST_WINDOWS = 60
"""Sets of arguments that are tried for an order of windows; all others have one argument."""
LEAST_ALIKE = 0.2
"""Of the numbers of two results of different lengths, so many have to be equal for them to be compared."""
LONGEST = 150
"""Characters that are said of what nothing is compared with."""


@dataclass(frozen=True)
class Made:
    """What a name holds behind a statement on each probe, as numbers."""

    name: str
    numbers: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Near:
    """A helper's result on each probe, beside what a method makes; ``rank`` is the higher the nearer."""

    helper: str
    made: Made
    expected: tuple[np.ndarray, ...]
    rank: tuple[int, float]


def beside(index: Index, cls: ClassInfo, function: Function, node: ast.AST) -> str:
    """The same in brackets, behind what is said of a statement; empty where there is nothing to say."""
    near = nearest(index, cls, function, node)
    return f" ({near})" if near else ""


def nearest(index: Index, cls: ClassInfo, function: Function, node: ast.AST) -> str:
    """The helper that is nearest to what comes of a statement, and what differs first; else what is made.

    Empty where the method costs too much to be run.
    """
    studied = _studied(index, cls, function)
    number = _number_of(function, node)
    if studied is None:
        return _not_taken(index, function)
    if studied.cost is not None or number < 0:
        return ""
    made = list(_made(studied, number))
    near = [found for one in made for found in _compared(studied, one)]
    best = max(near, key=lambda found: found.rank, default=None)
    if best is None:
        return _described(studied, number, made)
    return _difference(studied, best)


def _studied(index: Index, cls: ClassInfo, function: Function) -> Study | None:
    if grid_parameters(index, function)[0]:
        return study(index, cls, cls, function)
    if index.vocabulary.lengths_of(parameters(function)[1:]):
        return run_on_lengths(index, cls, function)
    return None


def _not_taken(index: Index, function: Function) -> str:
    """Which parameters helpers would have to take, and take no such ones."""
    sizes = [name for name in parameters(function) if index.vocabulary.is_sizes(name)]
    if not sizes:
        return "the method takes neither a grid nor lengths"
    return f"helpers take no {', '.join(sizes)}"[:LONGEST]


def _number_of(function: Function, node: ast.AST) -> int:
    """The number of the top-level statement that a node stands in, below zero where it stands in none."""
    body = enumerate(function.body)
    return next((n for n, s in body if s is node or any(part is node for part in walk(s))), -1)


def _made(studied: Study, number: int) -> Iterator[Made]:
    """What a statement leaves, and what later ones make of it, where it is known on every probe."""
    for later, name in _names(studied, number):
        values = [trace.snapshots.get(later, {}).get(name) for trace in studied.traces]
        numbers = [found for found in map(_numbers, values) if found is not None]
        if len(numbers) == len(studied.traces):
            yield Made(name, tuple(numbers))


def _names(studied: Study, number: int) -> Iterator[tuple[int, str]]:
    """Numbers of statements and the names in which they leave what follows from one of them."""
    body = studied.function.body
    targets = {n.id for n in walk(body[number]) if isinstance(n, ast.Name)} & _targets(body[number])
    derived = set(effect(body[number]).changes)
    for later in range(number, len(body)):
        found = effect(body[later])
        if later > number and not derived & (found.uses - found.places):
            continue
        derived |= found.changes
        yield from ((later, name) for name in sorted(found.changes - targets - {"self"}))


def _targets(statement: ast.stmt) -> set[str]:
    """What loops in a statement call what they go through."""
    loops = (n for n in walk(statement) if isinstance(n, (ast.For, ast.comprehension)))
    return {n.id for loop in loops for n in walk(loop.target) if isinstance(n, ast.Name)}


def _numbers(value: Any) -> np.ndarray | None:
    """A value as one array: a tensor, a list of whole numbers, or tensors that can be joined."""
    if isinstance(value, Arr):
        return None if value.late else value.data
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if all(type(item) is int for item in value):
        return np.asarray(value)
    parts = [item.data for item in value if isinstance(item, Arr) and not item.late]
    if len(parts) < len(value) or len({part.shape[1:] for part in parts}) > 1:
        return None
    if not all(part.ndim for part in parts):
        return None
    return np.concatenate(parts)


def _compared(studied: Study, made: Made) -> Iterator[Near]:
    """Results of helpers of the same kind, with how near they are."""
    if any(numbers.dtype.kind not in "iu" for numbers in made.numbers):
        return
    for helper, expected in _candidates(studied):
        pairs = list(zip(made.numbers, expected))
        if any(left.shape[1:] != right.shape[1:] or not left.ndim for left, right in pairs):
            continue
        same = sum(left.shape == right.shape for left, right in pairs)
        alike = sum(_alike(left, right) for left, right in pairs) / len(pairs)
        if same == len(pairs) or alike >= LEAST_ALIKE:
            yield Near(helper, made, expected, (same, alike))


def _alike(left: np.ndarray, right: np.ndarray) -> float:
    """How much of two results is equal where both have something."""
    both, longer = min(len(left), len(right)), max(len(left), len(right))
    return float((left[:both] == right[:both]).mean()) * both / longer if both else 0.0


def _candidates(studied: Study) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    """What helpers give on the probes, with all arguments that they could have there."""
    if studied.probes[0].is_audio:
        yield from _of_lengths(studied)
        return
    grids = [probe.grid for probe in studied.probes]
    yield vision_helpers.CU_SEQLENS.name, tuple(map(reference.cu_seqlens, grids))
    yield vision_helpers.FLATTENED.name, tuple(map(reference.flattened_frames, grids))
    for _, merges in candidates(studied, "merge"):
        if not all(map(fits, grids, merges)):
            continue
        ids = map(reference.rotary_pos_ids, grids, merges)
        yield vision_helpers.ROTARY_POS_IDS.name, tuple(ids)
        if not all(isinstance(merge, int) for merge in merges):
            continue
        pairs = list(map(reference.temporal_pairs, grids, merges))
        yield from ((vision_helpers.TEMPORAL_PAIRS.name, half) for half in zip(*pairs))
        if min(merges) > 1:
            order = map(reference.block_order, grids, merges)
            yield vision_helpers.BLOCK_ORDER.name, tuple(order)
    yield from _of_windows(studied, grids)


def _of_windows(
    studied: Study, grids: Sequence[np.ndarray]
) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    if not any("window" in text for text in studied.traces[0].scalars):
        return
    roles = [list(candidates(studied, role)) for role in ("merge", "window", "patch")]
    for chosen in itertools.islice(itertools.product(*roles), MOST_WINDOWS):
        if len({text for text, _ in chosen}) < len(chosen):
            continue
        arguments = list(zip(*(values for _, values in chosen)))
        if not all(_makes_windows(grid, *given) for grid, given in zip(grids, arguments)):
            continue
        made = [reference.window_index(grid, *given) for grid, given in zip(grids, arguments)]
        found = [pair for pair in made if pair is not None]
        yield from ((vision_helpers.WINDOW_INDEX.name, half) for half in zip(*found))


def _makes_windows(grid: np.ndarray, merge: Any, window: Any, patch: Any) -> bool:
    return isinstance(merge, int) and fits(grid, merge) and patch >= 1 and window >= merge * patch


def _of_lengths(studied: Study) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    lengths = [probe.grid[:, 0] for probe in studied.probes]
    for law in LAWS.values():
        ends = (reference.chunk_boundaries(law(some)) for some in lengths)
        yield audio_helpers.AUDIO_CU_SEQLENS.name, tuple(ends)
        yield audio_helpers.POOL_INDICES.name, tuple(reference.pair_starts(law(n)) for n in lengths)
    for text in studied.traces[0].scalars:
        windows = [trace.scalars.get(text, 0) for trace in studied.traces]
        if min(windows) < 1:
            continue
        chunks = tuple(map(reference.chunk_lengths, lengths, windows))
        yield audio_helpers.CHUNKS.name, chunks
        for law in LAWS.values():
            ends = (reference.chunk_boundaries(law(some)) for some in chunks)
            yield audio_helpers.AUDIO_CU_SEQLENS.name, tuple(ends)


def _difference(studied: Study, near: Near) -> str:
    name = _spelled(near.made.name)
    for probe, numbers, expected in zip(studied.probes, near.made.numbers, near.expected):
        where = f"{NEAREST}{near.helper}, which differs for {_told(probe)}"
        both = min(len(numbers), len(expected))
        different = np.argwhere(numbers[:both] != expected[:both])
        if len(different):
            place = tuple(int(n) for n in different[0])
            entry = f"{name}[{', '.join(map(str, place))}]"
            return f"{where}: {entry} is {numbers[place]}, the helper's is {expected[place]}"
        if numbers.shape != expected.shape:
            return f"{where}: {name} has shape {numbers.shape}, the helper's {expected.shape}"
    return f"{NEAREST}{near.helper}, which gives the same on small sizes"


def _told(probe: Probe) -> str:
    """A small probe in few characters."""
    if probe.is_audio:
        return f"lengths {', '.join(map(str, probe.grid[:, 0].tolist()))}"
    return ", ".join("x".join(map(str, row)) for row in probe.grid.tolist())


def _described(studied: Study, number: int, made: Sequence[Made]) -> str:
    """Of what kind what is made is, that no helper's result can be compared with."""
    for one in reversed(made):
        numbers = one.numbers[0]
        if numbers.ndim:
            kind = {"f": "floating point numbers", "b": "truth values"}.get(
                numbers.dtype.kind, "whole numbers"
            )
            held = f"{kind} of shape {numbers.shape} for {_told(studied.probes[0])}"
            return f"{_spelled(one.name)} holds {held}, like no result of a helper"
    for later, name in _names(studied, number):
        trace = studied.traces[0]
        value, why = trace.snapshots.get(later, {}).get(name), trace.reasons.get(later)
        if isinstance(value, Arr) and value.data.ndim:
            return f"{_spelled(name)} holds hidden rows, which no helper gives"
        if is_late(value):
            return f"{_spelled(name)} is made of more than sizes{f': {why}' if why else ''}"[
                :LONGEST
            ]
    return ""


def _spelled(name: str) -> str:
    return "the result" if name == RESULT else name
