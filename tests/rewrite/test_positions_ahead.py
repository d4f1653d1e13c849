"""Where prepared inputs lose their positions, and what of ``forward`` counts them: each line is one change of a form."""

from __future__ import annotations

import ast
from textwrap import indent

import pytest

from codegen.rewrite.capture.ahead import Block, block_in, cleared_in
from codegen.rewrite.capture.pieces import Left

SUPER = "inputs = super().prepare_inputs_for_generation(ids, past=past, mask=mask, **kwargs)"
CLEAR = 'inputs["position_ids"] = None'


def function_of(signature: str, lines: str) -> ast.FunctionDef:
    (found,) = ast.parse(f"def f({signature}):\n{indent(lines, '    ')}").body
    assert isinstance(found, ast.FunctionDef)
    return found


@pytest.mark.parametrize(
    ("lines", "given"),
    [
        (f"{SUPER}\n{CLEAR}\nreturn inputs", "mask past"),
        (f"{SUPER}\n{CLEAR}", "mask past"),
        (f"{SUPER}\nif past:\n    mask = None\n{CLEAR}", "past"),
        (f"{SUPER}\nmask, n = 1, 2\n{CLEAR}", "past"),
        (f"past = past or {{}}\n{SUPER}\n{CLEAR}", "mask"),
        (f"{SUPER}\n{CLEAR}\nmask = None", "mask past"),
        (f'{SUPER}\ninputs["pixels"] = None\n{CLEAR}', "mask past"),
        (f'{SUPER}\n{CLEAR}\ninputs["pixels"] = 1', "mask past"),
        (f'{SUPER}\n{CLEAR}\nprint(inputs["position_ids"])', "mask past"),
        (f"{SUPER.replace('past=past', 'past=mask')}\n{CLEAR}", "mask"),
        (f"{SUPER.replace('past=past', 'past=past + 1')}\n{CLEAR}", "mask"),
        (f"{SUPER.replace('past=past', 'more=more')}\n{CLEAR}", "mask"),
        (f"{SUPER.replace('past=past, mask=mask, ', '')}\n{CLEAR}", ""),
    ],
)
def test_where_positions_are_left_to_forward(lines: str, given: str) -> None:
    found = cleared_in(function_of("self, ids, past=None, mask=None, **kwargs", lines))
    assert found is not None
    assert (ast.unparse(found.statement), found.inputs) == (CLEAR.replace('"', "'"), "inputs")
    assert " ".join(sorted(found.given)) == given


@pytest.mark.parametrize(
    "lines",
    [
        SUPER,
        f"{CLEAR}\n{SUPER}",
        f"{SUPER}\n{CLEAR}\n{CLEAR}",
        f'{SUPER}\n{CLEAR}\ninputs["position_ids"] = 1',
        f'{SUPER}\n{CLEAR}\nif past:\n    other["position_ids"] = past',
        f"{SUPER}\nif past:\n    {CLEAR}",
        f"{SUPER}\n{CLEAR.replace('None', '0')}",
        f"{SUPER}\n{CLEAR.replace('inputs', 'others')}",
        f"{SUPER}\n{CLEAR.replace('position_ids', 'positions')}",
        f"{SUPER.replace('super()', 'self')}\n{CLEAR}",
        f"{SUPER.replace('super()', 'parent()')}\n{CLEAR}",
        f"{SUPER.replace('prepare_inputs_for_generation', 'prepare')}\n{CLEAR}",
        f"{SUPER.replace('inputs =', 'inputs = others =')}\n{CLEAR}",
        f"{SUPER}\nother = inputs\nother.position_ids = None",
    ],
)
def test_positions_that_are_not_left_to_forward_for_good(lines: str) -> None:
    assert cleared_in(function_of("self, ids, past=None, mask=None, **kwargs", lines)) is None


COUNT = "if position_ids is None:\n    position_ids = self.count(input_ids, mask)"
SIGNATURE = "self, input_ids, mask=None, position_ids=None, cache=None, more=None"


def counted(lines: str) -> tuple[list[str], tuple[str, ...]] | str | None:
    """The first lines of the statements that count, and the parameters they read; or why they cannot stand elsewhere."""
    found = block_in(function_of(SIGNATURE, lines))
    if isinstance(found, Left):
        return found.reason
    if found is None:
        return None
    assert isinstance(found, Block)
    return [ast.unparse(s).partition("\n")[0] for s in found.statements], found.reads


HEAD = "if position_ids is None:"
BOTH = ("input_ids", "mask")


@pytest.mark.parametrize(
    ("lines", "statements", "reads"),
    [
        (COUNT, [HEAD], BOTH),
        (f"x = 1\n{COUNT}\nreturn position_ids", [HEAD], BOTH),
        (COUNT.replace(" None:", " None and cache:"), [f"{HEAD[:-1]} and cache:"], (*BOTH, "cache")),
        (COUNT.replace("self.count(", "self.model.count("), [HEAD], BOTH),
        (COUNT.replace("position_ids = ", "position_ids, cache = "), [HEAD], BOTH),
        (COUNT.replace("    position", "    x = mask\n    position"), [HEAD], BOTH),
        (COUNT.replace("    position", "    if more:\n        x = 1\n    position"), [HEAD], (*BOTH, "more")),
        (f"start = cache\n{COUNT.replace('mask)', 'start)')}", ["start = cache", HEAD], ("input_ids", "cache")),
        (
            f"if more:\n    start = 1\nelse:\n    start = cache\n{COUNT.replace('mask)', 'start)')}",
            ["if more:", HEAD],
            ("input_ids", "cache", "more"),
        ),
        (
            f"first = more\nstart = first\n{COUNT.replace('mask)', 'start)')}",
            ["first = more", "start = first", HEAD],
            ("input_ids", "more"),
        ),
        (f"mask = 1\nstart = 2\n{COUNT.replace('mask)', 'start)')}", ["start = 2", HEAD], ("input_ids",)),
        (f"if more:\n    x = 1\n{COUNT}\ny = x", [HEAD], BOTH),
    ],
)  # fmt: skip
def test_what_counts_positions(lines: str, statements: list[str], reads: tuple[str, ...]) -> None:
    assert counted(lines) == (statements, reads)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("x = 1", None),
        (COUNT.replace("self.count(", "count("), None),
        (COUNT.replace("is None", "is not None"), None),
        (COUNT.replace("if position_ids", "if cache"), None),
        (COUNT.replace("    position_ids = ", "    positions = "), None),
        (COUNT.replace("if ", "while "), None),
        (COUNT.replace("self.count(input_ids, mask)", "self.counts"), None),
        (f"{COUNT.replace('    position', '    x = mask; position')}\nreturn x", "what counts its positions also makes x"),
        (f"mask = cache\nx = 1\n{COUNT}", "its positions are counted from mask, which forward makes"),
        (f"if cache:\n    start = 1\n{COUNT.replace('mask)', 'start)')}", "its positions are counted from start, which forward makes"),
        (f"start, x = 1, 2\n{COUNT.replace('mask)', 'start)')}", "its positions are counted from start, which forward makes"),
        (
            f"if cache:\n    start = 1\nelse:\n    other = 2\n{COUNT.replace('mask)', 'start)')}",
            "its positions are counted from start, which forward makes",
        ),
    ],
)  # fmt: skip
def test_what_cannot_count_them_elsewhere(lines: str, reason: str | None) -> None:
    assert counted(lines) == reason
