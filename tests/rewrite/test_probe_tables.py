"""What methods are run on, as a table: a computation counts as recognised by this evidence.

A probe that changes is a decision about evidence, to be seen in ``golden/probes.txt`` and reviewed there.
Record anew with ``pytest tests/rewrite/test_probe_tables.py --update-golden``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from codegen.rewrite.probe import probes, prompts
from codegen.rewrite.probe.probes import MERGES, MOST_PATCHES, Probe
from codegen.rewrite.probe.prompts import LAYOUTS, MERGED, Prompt

TABLE = Path(__file__).parent / "golden" / "probes.txt"
VARIANTS = range(len(MERGES))
AROUND = (4, 10, 64, 65)


def around(make: Callable[[Collection[int], int], Iterable[Probe]]) -> Iterator[Probe]:
    """What stands on both sides of numbers, for each set of fields."""
    return (probe for variant in VARIANTS for probe in make(AROUND, variant))


TABLES: dict[str, Callable[[], Iterable[Probe]]] = {
    "small grids": lambda: probes.PROBES,
    "small images": lambda: probes.SIDE_PROBES,
    "larger grids": probes.large_probes,
    "larger images": probes.large_side_probes,
    "fields apart": lambda: [probes.DISTINCT],
    "lengths": probes.length_probes,
    "larger lengths": probes.large_length_probes,
    "grids around 4, 10, 64 and 65": lambda: around(probes.probes_around),
    "images around 4, 10, 64 and 65": lambda: around(probes.side_probes_around),
    "lengths around 4, 10, 64 and 65": lambda: around(probes.length_probes_around),
}
PROMPTS: dict[str, Callable[[str], Iterable[Prompt]]] = {
    "small prompts": prompts.small_prompts,
    "larger prompts": prompts.large_prompts,
    "prompts around 4, 10, 64 and 65": lambda layout: (
        prompt for variant in VARIANTS for prompt in prompts.prompts_around(layout, AROUND, variant)
    ),
}


def in_runs(row: np.ndarray) -> str:
    return " ".join(f"{len(list(same))}x{value}" for value, same in groupby(row.tolist()))


def of_prompt(prompt: Prompt) -> Iterator[str]:
    grids = (prompt.images, prompt.videos, prompt.seconds)
    images, videos, seconds = ("none" if g is None else g.tolist() for g in grids)
    yield f"fields {prompt.variant}: images {images}, videos {videos}, seconds {seconds}"
    for number, types in enumerate(prompt.types):
        mask = "" if prompt.mask is None else f", kept {in_runs(prompt.mask[number])}"
        yield f"  types {in_runs(types)}{mask}"


def table() -> Iterator[str]:
    for name, make in TABLES.items():
        yield f"# {name}"
        for probe in make():
            grid = probe.grid[:, 0] if probe.is_audio else probe.grid
            kind = ", distinct" if probe.distinct else ""
            yield f"fields {probe.variant}{kind}: {grid.tolist()}, merged by {probe.merge_sizes.tolist()}"
    for name, made in PROMPTS.items():
        for layout in LAYOUTS:
            yield f"# {name}, videos {layout}"
            for prompt in made(layout):
                yield from of_prompt(prompt)


def test_what_methods_are_run_on_is_as_recorded(request: pytest.FixtureRequest) -> None:
    text = "\n".join(table()) + "\n"
    if request.config.getoption("--update-golden"):
        TABLE.write_text(text, encoding="utf-8")
    assert text == TABLE.read_text(encoding="utf-8"), "record anew with --update-golden"


def test_larger_grids_are_as_large_as_promised() -> None:
    for variant in VARIANTS:
        grids = [p.grid for p in probes.large_probes() if p.variant == variant]
        most = max(grids, key=len)
        assert len(most) == 12 and most[:, 0].max() >= 30 and (most[:, 1:].max(0) >= 200).all()
        assert all(grid.min() > 0 and grid.prod(1).sum() <= MOST_PATCHES for grid in grids)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_prompts_can_be_told_apart_by_what_they_leave_open(layout: str) -> None:
    """Each prompt fits its grids: every run of an image or a video has the tokens that its size gives."""
    for prompt in (*prompts.small_prompts(layout), *prompts.large_prompts(layout)):
        merge = MERGES[prompt.variant]
        frames = {1: 1, 2: prompts.TEMPORAL_MERGE if layout == MERGED else 1}
        for kind, grid in ((1, prompt.images), (2, prompt.videos)):
            runs = [run for runs in prompt.runs for run in runs if run.type == kind]
            tokens = sum(run.length for run in runs)
            items = [] if grid is None else grid.tolist()
            sizes = [t // frames[kind] * (h // merge) * (w // merge) for t, h, w in items]
            has_more = bool(items) and items[-1] == [1, 12, 6]
            assert tokens in (sum(sizes), sum(sizes[:-1]) if has_more else sum(sizes))
        for row, runs in zip(prompt.types, prompt.runs):
            kept = np.repeat([run.type for run in runs], [run.length for run in runs])
            assert any((row[at : at + len(kept)] == kept).all() for at in range(len(row)))
