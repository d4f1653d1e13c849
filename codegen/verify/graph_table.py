"""The table of whole models as graphs: a row for each model, a column for each kind of prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from codegen.verify.scenarios import GIVEN, GRAPH_CHECKS, SCENARIOS


@dataclass(frozen=True)
class Graph:
    """Outcome of one check of a model: ``given`` is one of :data:`GIVEN`, ``check`` of :data:`GRAPH_CHECKS`."""

    model: str
    scenario: str
    given: str
    check: str
    ok: bool


def format_graphs(graphs: Sequence[Graph]) -> Iterator[str]:
    """Lines of the table; nothing without results.

    A cell names the checks that hold where the model computes what follows from sizes, and behind the
    stroke where it gets that; ``.`` stands for a check that does not hold, ``-`` for prompts that a
    model does not take. Below stands for how many models each check holds on all their prompts.
    """
    if not graphs:
        return
    found = {(g.model, g.scenario, g.given, g.check): g.ok for g in graphs}
    models = list(dict.fromkeys(g.model for g in graphs))
    scenarios = [name for name in SCENARIOS if any(g.scenario == name for g in graphs)]
    letters = [c for c in GRAPH_CHECKS if any(g.check == c for g in graphs)]
    title = f"whole models, {'/'.join(GIVEN)}"
    width = max(len(title), *map(len, models))
    yield f"{title:{width}}  {'  '.join(f'{name:5}' for name in scenarios)}".rstrip()
    for model in models:
        cells = (_cell(found, model, scenario, letters) for scenario in scenarios)
        yield f"{model:{width}}  {'  '.join(f'{cell:5}' for cell in cells)}".rstrip()
    for letter in letters:
        counts = (
            f"{sum(_holds(found, model, given, letter) for model in models)} {given}"
            for given in GIVEN
        )
        yield f"{letter} on all prompts, of {len(models)} models: {', '.join(counts)}"


Known = Mapping[tuple[str, str, str, str], bool]


def _cell(found: Known, model: str, scenario: str, letters: Sequence[str]) -> str:
    if not any(key[:2] == (model, scenario) for key in found):
        return "-"
    halves = (
        "".join(c if found.get((model, scenario, given, c)) else "." for c in letters)
        for given in GIVEN
    )
    return "/".join(halves)


def _holds(found: Known, model: str, given: str, letter: str) -> bool:
    """Whether a check holds for every prompt of a model, and there is one."""
    outcomes = [ok for key, ok in found.items() if (key[0], *key[2:]) == (model, given, letter)]
    return bool(outcomes) and all(outcomes)
