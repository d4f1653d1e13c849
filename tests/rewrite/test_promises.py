"""Small promises of the passes: what a record names, what a default is, what is put where, and what it may cost."""

from __future__ import annotations

import ast
from typing import Any, cast

import numpy as np
import pytest

from codegen.rewrite import Settings, rewrite_library
from codegen.rewrite.check import _untouched
from codegen.rewrite.emit.edits import AddKeywords, AddParameters, Describe, DropKeyword, Substitute
from codegen.rewrite.emit.imports import without_import
from codegen.rewrite.emit.places import _string_lines
from codegen.rewrite.library import Index, ModuleInfo
from codegen.rewrite.probe import budget
from codegen.rewrite.probe.budget import Meter, OverBudget, metered
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.operators import iterate
from codegen.rewrite.probe.probes import DISTINCT, MERGES
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import LATE, Arr, Unsupported, volume
from codegen.rewrite.recognise.study import Study
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Source
from tests.rewrite.test_emit import calls, written
from tests.rewrite.test_interpreter import interpret
from tests.rewrite.test_keep import run as run_keeping
from tests.rewrite.test_rules import GOLDEN, DictLibrary, read_case, run

TINY = "models/tiny/modeling_tiny.py"


# -- what may be done, and what it costs -----------------------------------------------------------


def test_a_list_of_as_many_items_as_there_are_bytes_may_be_made() -> None:
    with metered(Meter(steps=100, size=640)):
        budget.items(10)
        with pytest.raises(OverBudget, match="1 values at once"):
            budget.items(1)


def test_a_shape_with_a_negative_side_takes_nothing_and_gives_nothing_back() -> None:
    with metered(Meter(steps=10, size=100)) as meter:
        assert volume((-1, 10**9)) == 0
        assert (meter.steps, meter.bytes) == (8, 100)


def bytes_of(program: str) -> int:
    """How much a program is allowed to take at least."""
    meter = Meter(size=1 << 30)
    assert not interpret(program, meter=meter).cost
    return (1 << 30) - meter.bytes


@pytest.mark.parametrize(
    ("one", "other", "size"),
    [
        ("made.append(0)", "pass", 30 * 64),
        ("made.insert(0, 0)", "pass", 30 * 64),
        ("made.extend([0])", "[0]", 30 * 64),
        ("torch.arange(100)", "torch.arange(10)", 30 * 90 * 8),
        ("torch.arange(0, 100, 2)", "torch.arange(0, 100, 20)", 30 * 45 * 8),
        ("torch.arange(100, 0, -2)", "torch.arange(100, 0, -20)", 30 * 45 * 8),
        ("torch.zeros(10, 10)", "torch.zeros(10, 1)", 30 * 90 * 8),
    ],
)
def test_what_is_made_is_counted(one: str, other: str, size: int) -> None:
    frame = "made = []\nfor i in range(30):\n    {}\nreturn made"
    assert bytes_of(frame.format(one)) - bytes_of(frame.format(other)) >= size


@pytest.mark.parametrize(
    "text", ["1 < n < 3", "9 < n < 20", "1 < n < 9 < 20", "1 < n < 9 < 8", "7 > n > 3 != 3"]
)
def test_chained_comparisons_hold_if_all_of_them_do(text: str) -> None:
    assert interpret(f"return {text}").result == eval(text, {"n": 5})


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("n % 7", {False}),
        ("n // 7", {False}),
        ("n % 3", {True}),
        ("n % 5", {True}),
        ("n * 7", set()),
    ],
)
def test_a_remainder_counts_as_seen_above_its_divisor(text: str, seen: set[bool]) -> None:
    assert set().union(*interpret(f"return {text}").outcomes.values()) == seen


def test_only_what_is_late_has_no_known_items() -> None:
    assert iterate(LATE) is None and iterate((1, 2)) == [1, 2] and iterate(range(2)) == [0, 1]
    with pytest.raises(Unsupported, match="loop over int"):
        iterate(3)


def test_what_is_stored_on_the_module_is_read_again() -> None:
    trace = interpret("self.kept = n + 1\nreturn self.kept * 2")
    assert trace.result == 12


def test_what_init_would_cost_is_told() -> None:
    text = "class Tiny:\n    def __init__(self):\n        self.size = {}\n\n"
    text += "    def run(self, x):\n        return x * self.size\n"
    costs = {}
    for size in ("2 ** 3", "2 ** 10 ** 9", "unknown(3)", "[0] * 10 ** 9"):
        index = Index(DictLibrary({TINY: text.format(size)}), lambda _: True)
        cls = index.resolve("models.tiny.modeling_tiny", "Tiny")
        assert cls is not None
        values = {"x": Arr(np.arange(3))}
        costs[size] = Interpreter(index, 0, 10).run(cls, cls.methods["run"], cls, values).cost
    assert (costs["2 ** 3"], costs["unknown(3)"]) == ("", "")
    assert "bits" in costs["2 ** 10 ** 9"] and "values at once" in costs["[0] * 10 ** 9"]


def test_a_module_that_cannot_matter_counts_as_absent_until_it_is_opened() -> None:
    index = Index(DictLibrary({TINY: "class Tiny: pass\n"}), lambda _: False)
    name = "models.tiny.modeling_tiny"
    assert index.get(name) is None and index.resolve(name, "Tiny") is None
    assert index.get("models.none") is None
    opened = index.open(name)
    assert opened is not None and "Tiny" in opened.classes


def test_a_run_that_ended_before_its_first_statement_ended_at_the_first() -> None:
    function = ast.parse("def f():\n    first()\n    last()").body[0]
    assert isinstance(function, ast.FunctionDef)
    nothing = cast(Any, None)
    traces = (Trace(), Trace(cost="too much"))
    study = Study(nothing, nothing, function, "", "", (), traces, (), nothing)
    assert study.cost == (function.body[0], "too much")


def test_sides_of_the_distinct_probe_are_multiples_of_all_that_fields_get() -> None:
    largest = MERGES[DISTINCT.variant] << 3
    assert (DISTINCT.grid[:, 1:] % largest == 0).all()
    assert len({tuple(row) for row in DISTINCT.grid.tolist()}) == 2


# -- what is said ----------------------------------------------------------------------------------


def test_a_name_that_is_met_is_not_told_to_meet_nothing() -> None:
    result = run_keeping(keep=("TinyEncoder.nothing", "TinyEncoder.boundaries"))
    told = [r.reason for r in result.report if "no class or method is called" in r.reason]
    assert len(told) == 1 and "names TinyEncoder.nothing," in told[0]


def test_what_is_left_names_no_helper_and_no_way() -> None:
    for case in sorted((GOLDEN / "lift").glob("*.txt")):
        for record in run(read_case(case).files, "lift").report:
            if record.kind == "left" and record.method == "_expand_inputs_for_generation":
                assert (record.helper, record.path_taken) == ("", ())


def test_definitions_of_a_library_are_not_read_as_those_of_a_project() -> None:
    (case,) = sorted((GOLDEN / "lift_in_project").glob("*.txt"))
    files = read_case(case).files
    passes = ("lift",)
    in_project = rewrite_library(DictLibrary(files), Settings(passes=passes, python_super=True))
    in_library = rewrite_library(DictLibrary(files), Settings(passes=passes))
    assert "super(" in "".join(in_library.edits.values())
    assert ", self)._expand" in "".join(in_project.edits.values())
    assert ", self)._expand" not in "".join(in_library.edits.values())


LOOPS = """
import torch
from torch import nn


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.odd = config.oddness

    def forward(self, rows, grid_thw):
        found = []
        for {}:
            height = int(grid_thw[i, 1])
            found.append(torch.arange(height * self.odd))
        return rows[torch.cat(found)]
"""


@pytest.mark.parametrize(
    ("loop", "is_told"),
    [
        ("i in range(3)", True),
        ("i, _ in enumerate(grid_thw)", True),
        ("i in a0(3)", False),
        ("i in zz(3)", False),
        ("i in rows", False),
    ],
)
def test_a_loop_over_sizes_is_told_with_the_field_that_nothing_is_known_of(
    loop: str, is_told: bool
) -> None:
    report = run({TINY: LOOPS.format(loop)}, "extract").report
    told = [r.reason for r in report if "a loop over sizes with index arithmetic" in r.reason]
    assert bool(told) == is_told
    assert all("config.oddness in no vocabulary" in reason for reason in told)


def test_helpers_are_found_behind_a_file_that_cannot_be_read() -> None:
    files = {
        "models/a/modeling_a.py": "from ...modeling_vision_utils import get_vision_cu_seqlens\n(\n",
        "models/b/modeling_b.py": "from ...modeling_vision_utils import get_rotary_pos_ids\n",
    }
    assert RewriteState(DictLibrary(files), Settings()).needed_helpers() == {"get_rotary_pos_ids"}


# -- what is put where -----------------------------------------------------------------------------


def test_a_changed_statement_leaves_the_others_to_be_looked_for() -> None:
    tree = ast.parse("def f(x):\n    if x:\n        y = x + 1\n        z = 2\n    return y").body[0]
    assert isinstance(tree, ast.FunctionDef)
    branch = tree.body[0]
    assert isinstance(branch, ast.If) and isinstance(branch.body[0], ast.Assign)
    changed = Substitute(branch.body[0].value, "x")
    found = [*_untouched(tree, [changed])]
    assert found == [tree, branch, branch.body[1], tree.body[1]]
    assert [*_untouched(tree, [])] == [tree, branch, *branch.body, tree.body[1]]


def test_an_entry_of_a_docstring_without_entries_has_the_margin_of_its_method() -> None:
    source = '''
    class A:
        def forward(self, x):
            r"""
            Encodes.
            """
            return x
    '''
    lines = written(source, lambda f: [Describe(("cu_seqlens",))]).split("\n")
    (entry,) = [line for line in lines if line.lstrip().startswith("cu_seqlens (")]
    assert entry.startswith(" " * 8 + "cu_seqlens")


@pytest.mark.parametrize(
    ("call", "name", "made"),
    [
        ("g(a=1, b=2)", "b", "g(a=1)"),
        ("g(a=1, b=2)", "a", "g(b=2)"),
        ("g(a=1)", "a", "g()"),
        ("g(x, a=1)", "a", "g(x)"),
        ("g(x, a=1, b=2)", "a", "g(x, b=2)"),
        ("g(x, a=1, b=2)", "b", "g(x, a=1)"),
        ("g(x, a=1, b=2,)", "b", "g(x, a=1,)"),
    ],
)
def test_a_keyword_is_dropped_with_its_comma(call: str, name: str, made: str) -> None:
    source = f"class A:\n    def f(self, x):\n        return {call}\n"
    result = written(source, lambda f: [DropKeyword(calls(f, "g")[0], name)])
    assert result == source.replace(call, made)


@pytest.mark.parametrize(
    ("call", "made"),
    [
        ("g()", "g(z=z)"),
        ("g(x)", "g(x, z=z)"),
        ("g(x, y)", "g(x, y, z=z)"),
        ("g(\n            x\n        )", "g(\n            x,\n            z=z\n        )"),
        ("g(\n            x, y\n        )", "g(\n            x, y, z=z\n        )"),
        ("g(x,\n          y)", "g(x,\n          y,\n          z=z)"),
        ("g(x, **more)", "g(x, z=z, **more)"),
        ("g(x, z=1)", "g(x, z=1)"),
    ],
)
def test_a_keyword_stands_as_the_others_do(call: str, made: str) -> None:
    source = f"class A:\n    def f(self, x):\n        return {call}\n"
    result = written(source, lambda f: [AddKeywords(calls(f, "g")[0], ("z=z",))])
    assert result == source.replace(call, made)


def test_a_comment_in_front_of_a_comma_stays_with_its_parameter() -> None:
    source = """
    class A:
        def f(
            self,
            x  # why
            ,
            y,
        ):
            return x
    """
    result = written(source, lambda f: [AddParameters(("cu_seqlens",))])
    lines = [line.strip() for line in result.split("\n")]
    assert lines[lines.index("x  # why") + 1 :][:3] == [",", "y,", "*,"]


def test_lines_that_begin_inside_a_string_are_counted_from_the_first() -> None:
    assert _string_lines('a = 1\nb = """x\ny\n"""\nc = f"""\n{a}"""\n', 10) == {12, 13, 15}


def test_an_import_is_removed_and_all_others_stay_as_they_are() -> None:
    text = (
        "from a import (aa,\n  zz)\n"
        "from b import mm\n"
        "from c import aa as mm2, zz as kk\n"
        "from d import (  # why\n    aa,\n    nn,\n)\n"
    )
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    assert without_import(info, "mm") == text.replace("from b import mm\n", "")
    assert without_import(info, "other") == text
