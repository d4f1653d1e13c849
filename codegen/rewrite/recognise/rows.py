"""Recognition of what is done to hidden rows image by image: down-scaled, joined, given learned positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from codegen.rewrite.library import parameters
from codegen.rewrite.probe import reference
from codegen.rewrite.recognise.study import (
    Study,
    fits,
    late_rows,
    same,
    search,
    values_of,
)


def match_unshuffle(study: Study) -> tuple[str, str] | None:
    """(hidden rows, merge sizes) if a method returns the bilinear down-scale of packed rows."""
    results = late_rows([trace.result for trace in study.traces])
    if results is None:
        return None
    for name in study.hidden[0]:

        def is_unshuffle(i: int, args: tuple[Any, ...], name: str = name) -> bool:
            grid, rows = study.probes[i].grid, study.hidden[i].get(name)
            if rows is None or not fits(grid, args[0]):
                return False
            expected = reference.unshuffled_rows(rows, grid, args[0])
            return expected.shape == results[i].shape and bool(np.allclose(expected, results[i]))

        found = search(study, ("merge",), is_unshuffle)
        if found is not None and name in parameters(study.function):
            return name, found[0]
    return None


def match_joined_blocks(study: Study) -> tuple[str, str] | None:
    """(hidden rows, merge size) if a method returns rows of blocks, the patches of each side by side."""
    results = late_rows([trace.result for trace in study.traces])
    if results is None:
        return None
    for name in study.hidden[0]:

        def is_joined(i: int, args: tuple[Any, ...], name: str = name) -> bool:
            grid, rows = study.probes[i].grid, study.hidden[i].get(name)
            if rows is None or not isinstance(args[0], int) or args[0] < 2:
                return False
            if not fits(grid, args[0]):
                return False
            ordered = rows[reference.block_order(grid, args[0])]
            return same(results[i], ordered.reshape(-1, args[0] ** 2 * rows.shape[1]))

        found = search(study, ("merge",), is_joined)
        if found is not None and name in parameters(study.function):
            return name, found[0]
    return None


def match_half_pixel(study: Study, statement: int, name: str) -> tuple[str, str] | None:
    """(hidden rows, table) if a name holds packed rows plus a table interpolated per image."""
    values = late_rows(values_of(study, statement, name))
    if values is None:
        return None
    for hidden in study.hidden[0]:
        for table in study.traces[0].embeddings:
            if all(_is_sum(study, i, hidden, table, values[i]) for i in range(len(study.probes))):
                return hidden, table
    return None


def _is_sum(study: Study, i: int, hidden: str, table: str, value: np.ndarray) -> bool:
    rows, embedding = study.hidden[i].get(hidden), study.traces[i].embeddings.get(table)
    if rows is None or embedding is None:
        return False
    side = int(len(embedding.rows) ** 0.5)
    grid = study.probes[i].grid
    expected = rows + reference.weighted_rows(
        embedding.rows, *reference.half_pixel_indices(grid, side)
    )
    return expected.shape == value.shape and bool(np.allclose(expected, value))
