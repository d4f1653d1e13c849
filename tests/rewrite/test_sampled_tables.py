"""Where the points of a sampled table can be given to its module, and why not: each line is one change of a case."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import calls_in
from codegen.rewrite.place.extract_samples import Receiver, _receiver
from codegen.rewrite.values import Source
from tests.rewrite.test_rules import DEFAULT, GOLDEN, read_case, run

TEXT = read_case(GOLDEN / "all/points_of_a_sampled_table_of_videos.txt").files[DEFAULT]
LAST = "        points = points.flip(-1)[None, :, None]\n"
GIVEN = "input=table, grid=points"
ELSE = "uses what points is made of for something else, too"
NO_NAME = "samples at points, or a table, that have no name"


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def received(text: str) -> tuple[str, list[str]]:
    """Why the points cannot be given, or the statements that make them."""
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    cls = ClassInfo(info, info.classes["TinyEmbeddings"])
    forward = cls.methods["forward"]
    sample = next(c for c in calls_in(forward) if ast.unparse(c.func) == "F.grid_sample")
    found = _receiver(cls, forward, sample)
    if isinstance(found, str):
        return found, []
    assert isinstance(found, Receiver)
    assert (found.points, found.table, found.sample) == ("points", "table", sample)
    made = [ast.unparse(s.targets[0] if isinstance(s, ast.Assign) else s) for s in found.block]
    return "", made


@pytest.mark.parametrize(
    ("old", "new", "block"),
    [
        (GIVEN, GIVEN, ["sides", "points", "points"]),
        (GIVEN, "table, points", ["sides", "points", "points"]),
        (GIVEN, "grid=points, input=table", ["sides", "points", "points"]),
        (GIVEN, "table, grid=points", ["sides", "points", "points"]),
        ("return rows +", "return sides + rows +", ["points", "points"]),
        ("return rows +", "return points + rows +", ["sides", "points", "points"]),
        ("        sides = ", "        rows = rows + 1\n        sides = ", ["sides", "points", "points"]),
        ("        sides = ", "        half = places + 0.5\n        sides = ", ["sides", "points", "points"]),
        ("(places + 0.5)", "(places + 0.5) * table.shape[0]", ["sides", "points", "points"]),
        (LAST, "", ["sides", "points"]),
        (LAST, "        points *= 2\n", ["sides", "points", "points *= 2"]),
        (LAST, LAST.replace(" = ", ": object = "), ["sides", "points", "points: object = points.flip(-1)[None, :, None]"]),
    ],
)  # fmt: skip
def test_what_makes_the_points_and_nothing_else_runs_where_none_are_given(
    old: str, new: str, block: list[str]
) -> None:
    assert received(changed(old, new)) == ("", block)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (GIVEN, "input=self.table, grid=points", NO_NAME),
        (GIVEN, "input=table, grid=points[0]", NO_NAME),
        (GIVEN, "grid=points", NO_NAME),
        (GIVEN, "input=table", NO_NAME),
        (GIVEN, "grid=table, other=points", NO_NAME),
        ("rows, grid_thw, places)", "rows, grid_thw, places, *more)", "takes points from outside"),
        ("rows, grid_thw, places)", "rows, grid_thw, places, points=None)", "takes points from outside"),
        (GIVEN, "input=table, grid=places", "takes places from outside"),
        (LAST, f"        rows = rows + 1\n{LAST}", ELSE),
        (LAST, f"        places += 1\n{LAST}", ELSE),
        (LAST, "        points, scale = points, 2\n        rows = rows * scale\n", ELSE),
        (LAST, "        points, self.last = points, 2\n", ELSE),
        (LAST, f"        if rows is None:\n    {LAST}", ELSE),
        (LAST, "        points[0] = 1\n", ELSE),
        ("[None, :, None]", "[None, :, None].half()", "makes its points of another kind: "),
        ("[None, :, None]", "[None, :, None].to(torch.bfloat16)", "makes its points of another kind: torch.bfloat16"),
        ("(places + 0.5)", "(places.type(rows.dtype) + 0.5)", "makes its points of another kind: "),
        ("(places + 0.5)", "(places.double() + 0.5)", "makes its points of another kind: places.double"),
    ],
)  # fmt: skip
def test_points_that_cannot_be_given(old: str, new: str, reason: str) -> None:
    why, _ = received(changed(old, new))
    assert why.startswith(reason)


SAMPLES = "        return rows + F"
CALL = "        return self.embeddings("
HEIR = """

class SmallEncoder(TinyEncoder):
    def __init__(self, config):
        super().__init__(config)
        self.embeddings = {}(config)
"""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (SAMPLES, f"        F.grid_sample(table, points)\n{SAMPLES}", "TinyEmbeddings.forward samples in several places"),
        (GIVEN, "input=table[:], grid=points", f"TinyEmbeddings.forward {NO_NAME}"),
        (CALL, f"        with torch.no_grad():\n    {CALL}", "the call depends on a condition"),
        (TEXT, TEXT + HEIR.format("nn.Linear"), "SmallEncoder inherits it, and its self.embeddings is another module"),
        (TEXT, TEXT + HEIR.format("TinyEmbeddings"), ""),
        (TEXT, TEXT + HEIR.partition("    def")[0] + "    pass\n", ""),
        ("(self, hidden_states, grid_thw, **", "(self, hidden_states, sampling_grid, grid_thw, **", None),
        ("rows, grid_thw, places)", "rows, grid_thw, places, sampling_grid=None)", None),
        ("places = self.positions(grid_thw)", "sampling_grid = places = self.positions(grid_thw)", None),
    ],
)  # fmt: skip
def test_callers_that_cannot_give_them(old: str, new: str, reason: str | None) -> None:
    """``None``: nothing is told of it, for it is done already, or its name is taken."""
    report = run({DEFAULT: changed(old, new)}, "extract").report
    told = [(r.kind, r.reason) for r in report if r.helper == "get_sampling_grid"]
    if reason is None:
        assert told == []
    elif reason:
        assert told == [("left", f"not replaced by get_sampling_grid: {reason}")]
    else:
        assert [kind for kind, _ in told] == ["extracted"]
