"""What a processor is told to compute: read from how encoders make their arguments."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite import Settings
from codegen.rewrite.place.demands import find_demands, guarded_calls
from codegen.rewrite.state import RewriteState
from tests.rewrite.test_rules import DictLibrary

ENCODER = """
from torch import nn


class TinyEncoder(nn.Module):
    def __init__(self, config, side=3):
        super().__init__()
        self.config = config
        self.unit = {unit}
        self.side = side

    def forward(self, rows, grid_thw, merge_sizes, rotary_pos_ids=None, other=None):
        if rotary_pos_ids is None:
            rotary_pos_ids = get_rotary_pos_ids({arguments})
        return self.layers(rows, rotary_pos_ids)
"""


def state_of(*texts: str, package: str = "tiny") -> RewriteState:
    names = [f"models/{package}/modeling_{package}{n or ''}.py" for n in range(len(texts))]
    return RewriteState(DictLibrary(dict(zip(names, texts))), Settings())


@pytest.mark.parametrize(
    "unit, arguments, expected",
    [
        ("config.merge", "grid_thw, self.unit", ("grid_thw", "merge")),
        ("config.merge", "grid_thw, self.config.merge", ("grid_thw", "merge")),
        ("int(config.size ** 0.5)", "grid_thw, self.unit", ("grid_thw", "size**0.5")),
        ("config.vision_config.merge", "grid_thw, self.unit", ("grid_thw", "merge")),
        ("(config.wide, config.merge)", "grid_thw, self.unit[1]", ("grid_thw", "merge")),
        (
            "nn.Embedding((config.width // config.patch) ** 2, 8)",
            "grid_thw, int(self.unit.weight.shape[0] ** 0.5)",
            ("grid_thw", "width//patch"),
        ),
        ("1", "grid_thw, 2", ("grid_thw", 2)),
        (
            "config.merge\n        self.a = self.unit\n        self.b = self.a\n"
            "        self.c = self.b\n        self.d = self.c",
            "grid_thw, self.d",
            ("grid_thw", "merge"),
        ),
        ("1", "grid_thw, merge_sizes", ("grid_thw", "merge_sizes")),
    ],
)
def test_arguments_that_are_known_outside_the_encoder(
    unit: str, arguments: str, expected: tuple[str | int, ...]
) -> None:
    state = state_of(ENCODER.format(unit=unit, arguments=arguments))
    demands, reasons = find_demands(state, "models.tiny")
    assert [(d.helper.name, d.arguments, d.is_vision) for d in demands] == [
        ("get_rotary_pos_ids", expected, True)
    ]
    assert reasons == []


@pytest.mark.parametrize(
    "unit, arguments",
    [
        ("int(config.size ** -0.5)", "grid_thw, self.unit"),
        ("int(config.size ** 2)", "grid_thw, self.unit"),
        ("int(config.size * 0.5)", "grid_thw, self.unit"),
        ("int()", "grid_thw, self.unit"),
        ("int(config.size)", "grid_thw, self.unit"),
        ("round(config.size ** 0.5)", "grid_thw, self.unit"),
        ("int(side ** 0.5)", "grid_thw, self.unit"),
        ("config.merge * 2", "grid_thw, self.unit"),
        ("config.other_config.merge", "grid_thw, self.unit"),
        ("self.unit", "grid_thw, self.unit"),
        ("(config.wide, config.merge)", "grid_thw, self.unit[2]"),
        ("(config.wide, config.merge)", "grid_thw, self.unit[-1]"),
        ("(config.wide, side)", "grid_thw, self.unit[1]"),
        ("nn.Embedding(config.size, 8)", "grid_thw, int(self.unit.weight.shape[0] ** 0.5)"),
        ("nn.Embedding(side**2, 8)", "grid_thw, int(self.unit.weight.shape[0] ** 0.5)"),
        ("other.merge", "grid_thw, self.unit"),
        ("self.other.merge", "grid_thw, self.unit"),
        ("1", "grid_thw, self.missing"),
        ("1", "grid_thw, self.side"),
        ("1", "grid_thw, other"),
        ("1", "grid_thw, 'a'"),
        ("1", "rows, 2"),
        ("config.merge", "grid_thw, max(self.unit, 2)"),
        ("config.merge", "grid_thw[:1], self.unit"),
    ],
)
def test_arguments_that_are_not(unit: str, arguments: str) -> None:
    state = state_of(ENCODER.format(unit=unit, arguments=arguments))
    call = ast.unparse(ast.parse(f"get_rotary_pos_ids({arguments})"))
    assert find_demands(state, "models.tiny") == (
        [],
        [f"{call} in TinyEncoder needs its own state"],
    )


def test_only_the_encoders_of_the_package_count() -> None:
    text = ENCODER.format(unit="config.merge", arguments="grid_thw, self.unit")
    assert find_demands(state_of(text), "models.other") == ([], [])
    assert find_demands(state_of(text, package="other"), "models.other")[0]


@pytest.mark.parametrize("order", [1, -1])
def test_a_known_call_is_worth_more_than_an_unknown_one(order: int) -> None:
    known = ENCODER.format(unit="config.merge", arguments="grid_thw, self.unit")
    unknown = ENCODER.format(unit="1", arguments="grid_thw, other").replace("Tiny", "Other")
    demands, reasons = find_demands(state_of(*[known, unknown][::order]), "models.tiny")
    assert [demand.arguments for demand in demands] == [("grid_thw", "merge")]
    assert reasons == []


def test_of_two_that_differ_neither_is_taken() -> None:
    one = ENCODER.format(unit="config.merge", arguments="grid_thw, self.unit")
    other = ENCODER.format(unit="1", arguments="grid_thw, 2").replace("Tiny", "Other")
    demands, reasons = find_demands(state_of(one, other), "models.tiny")
    assert demands == []
    assert reasons == ["encoders call get_rotary_pos_ids with different arguments"]
    assert find_demands(state_of(one, one.replace("Tiny", "Same")), "models.tiny")[1] == []


GUARDED = {
    "guarded": ("if cu_seqlens is None:\n    cu_seqlens = get_vision_cu_seqlens(grid)", True),
    "checked first": (
        "if cu_seqlens is None:\n    check(grid)\n    cu_seqlens = get_vision_cu_seqlens(grid)",
        True,
    ),
    "not guarded": ("cu_seqlens = get_vision_cu_seqlens(grid)", False),
    "guarded by something else": (
        "if grid is None:\n    cu_seqlens = get_vision_cu_seqlens(grid)",
        False,
    ),
    "for one of two": (
        "if window_index is None:\n    window_index, cu_window_seqlens = get_window_index(grid)",
        False,
    ),
    "for two": (
        "if window_index is None or cu_window_seqlens is None:\n"
        "    window_index, cu_window_seqlens = get_window_index(grid)",
        True,
    ),
    "for none of its parameters": (
        "if rotary_pos_ids is None:\n    rotary_pos_ids = get_rotary_pos_ids(grid)",
        False,
    ),
    "another function": ("if cu_seqlens is None:\n    cu_seqlens = make(grid)", False),
    "a method": (
        "if cu_seqlens is None:\n    cu_seqlens = self.get_vision_cu_seqlens(grid)",
        False,
    ),
    "no call": ("if cu_seqlens is None:\n    cu_seqlens = grid", False),
    "followed by something": (
        "if cu_seqlens is None:\n    cu_seqlens = get_vision_cu_seqlens(grid)\n    print(grid)",
        True,
    ),
}


@pytest.mark.parametrize("kind", GUARDED)
def test_guarded_calls(kind: str) -> None:
    body, expected = GUARDED[kind]
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    text = f"def forward(self, grid, cu_seqlens, window_index, cu_window_seqlens):\n{lines}"
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert bool(list(guarded_calls(function))) == expected
