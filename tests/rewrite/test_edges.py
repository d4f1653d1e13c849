"""What lies at the edge of a condition: the first and the last of several, one more or less, the other of two."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from codegen.rewrite import Settings, rewrite_library
from codegen.rewrite.capture.pieces import splits_in
from codegen.rewrite.capture.segments import _repetitions
from codegen.rewrite.emit.edits import Substitute
from codegen.rewrite.emit.hidden import untouched
from codegen.rewrite.emit.write import removal
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.probe.machine import Machine
from codegen.rewrite.probe.values import LATE
from codegen.rewrite.recognise.positions import MOST_TRIED
from codegen.rewrite.tokens.asking import _described
from codegen.rewrite.tokens.changes import _asks
from codegen.rewrite.tokens.operators import equal
from codegen.rewrite.tokens.terms import World, term
from codegen.rewrite.values import Source
from codegen.text.lines import LineMap
from tests.rewrite.test_emit import calls, written
from tests.rewrite.test_interpreter import interpret
from tests.rewrite.test_mixin import MIXIN, rewritten
from tests.rewrite.test_rules import DEFAULT, GOLDEN, DictLibrary, read_case, run


def case(name: str) -> str:
    (text,) = read_case(GOLDEN / f"{name}.txt").files.values()
    return text


def kinds(text: str, folder: str) -> list[tuple[str, str]]:
    return [(r.kind, r.reason) for r in run({DEFAULT: text}, folder).report]


@pytest.mark.parametrize(
    "pool",
    [
        *("nn.AvgPool1d(3, stride=2)", "nn.AvgPool1d(2, stride=1)", "nn.AvgPool1d(2, padding=1)"),
        *("nn.MaxPool1d(2, stride=2)", "nn.AvgPool1d(2, 2, 0, True)", "make(2, stride=2)", "nn"),
        "nn.AvgPool1d(2, stride=2, ceil_mode=True)",
    ],
)
def test_another_pooling_is_none_of_pairs(pool: str) -> None:
    text = case("capture/pooling_per_audio").replace("nn.AvgPool1d(2, stride=2)", pool)
    assert "captured" not in [kind for kind, _ in kinds(text, "capture")]


@pytest.mark.parametrize(
    "pool", ["nn.AvgPool1d(2)", "nn.AvgPool1d(2, 2)", "nn.AvgPool1d(kernel_size=2)"]
)
def test_a_pooling_of_pairs_may_be_spelled_otherwise(pool: str) -> None:
    text = case("capture/pooling_per_audio").replace("nn.AvgPool1d(2, stride=2)", pool)
    assert "captured" in [kind for kind, _ in kinds(text, "capture")]


@pytest.mark.parametrize("axis", ["dim=1", "dim=-1", "-1", "dim=None", "dim=axis"])
def test_values_repeated_along_another_axis_are_left(axis: str) -> None:
    text = case("capture/values_repeated_per_token").replace(
        "range(len(lengths))])", f"range(len(lengths))], {axis})"
    )
    assert (
        "left",
        "values repeated per token, but it is joined along another dimension: no second form while tracing",
    ) in kinds(text, "capture")


def test_a_caller_that_gives_no_lengths_tells_nothing_of_them() -> None:
    text = case("capture/values_repeated_per_token")
    text = text.replace(
        "def forward(self, rows, lengths, shapes):", "def forward(self, rows, shapes, lengths=()):"
    )
    text = text.replace("self.embeddings(rows, sizes, grid_thw)", "self.embeddings(rows, grid_thw)")
    (left,) = [
        reason for kind, reason in kinds(text, "capture") if kind == "left" and "repeated" in reason
    ]
    assert "TinyEncoder is not seen to call it with as many rows" in left


def test_lengths_may_be_given_where_they_are_made() -> None:
    text = case("capture/values_repeated_per_token")
    made = "(cu_seqlens[1:] - cu_seqlens[:-1])"
    text = text.replace(f"        sizes = {made}.tolist()\n", "").replace(
        "rows, sizes,", f"rows, {made},"
    )
    assert [kind for kind, _ in kinds(text, "capture")] == ["captured"]


def test_of_the_parameters_of_a_method_some_are_tried_as_types() -> None:
    text = case("extract/positions_of_prompts").replace("token_type_ids", "kinds")

    def extracted(others: int) -> bool:
        more = "".join(f"given{number}, " for number in range(others))
        found = kinds(text.replace("input_ids, kinds", f"input_ids, {more}kinds"), "extract")
        return "extracted" in [kind for kind, _ in found]

    assert extracted(MOST_TRIED - 1)
    assert not extracted(MOST_TRIED)


def test_a_library_without_the_mixin_has_none_to_move() -> None:
    for mixin in (MIXIN.replace("class ProcessorMixin", "class Other"), MIXIN + "\ndef f(:\n"):
        files, report = rewritten(mixin)
        assert files["lib/processing_utils.py"] == mixin and not report


class Asked:
    """A world that says what it was asked."""

    def likely(self, _: Any) -> str:
        return "likely"

    def truth(self, _: Any) -> str:
        return "truth"


def test_a_string_is_rarely_equal_to_what_is_unknown() -> None:
    unknown, world = term("size", 1), Asked()
    asked: Mapping[str, Any] = {
        "text on the left": equal(world, "a", unknown),  # type: ignore[arg-type]
        "text on the right": equal(world, unknown, "a"),  # type: ignore[arg-type]
        "a number": equal(world, 3, unknown),  # type: ignore[arg-type]
        "two unknown ones": equal(world, unknown, term("size", 2)),  # type: ignore[arg-type]
    }
    assert [*asked.values()] == ["likely", "likely", "truth", "truth"]


def test_entries_are_counted_from_both_ends() -> None:
    world, value = World(1), term("items", 1)
    value.length = 2
    assert world.entry(value, -1) is world.entry(value, 1)
    assert world.entry(value, -2) is world.entry(value, 0)
    for key in (2, -3):
        with pytest.raises(IndexError):
            world.entry(value, key)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("g(x)", "z * 2"),
        ("(g(x))", "(z * 2)"),
        ("((g(x)))", "((z * 2))"),
        ("(g(x)\n        )", "(z * 2\n        )"),
    ],
)
def test_another_expression_stands_in_the_same_parentheses(old: str, new: str) -> None:
    source = f"class A:\n    def f(self, x):\n        return {old}\n"
    result = written(source, lambda f: [Substitute(calls(f, "g")[0], "z * 2")])
    assert result == source.replace(old, new)


@pytest.mark.parametrize("old", ["(g(x), 1)", "(g(n) for n in x)"])
def test_what_brings_its_own_parentheses_loses_them(old: str) -> None:
    source = f"class A:\n    def f(self, x):\n        return {old}\n"

    def plan(function: ast.FunctionDef) -> list[Any]:
        (returned,) = function.body
        assert isinstance(returned, ast.Return) and returned.value is not None
        return [Substitute(returned.value, "z")]

    assert written(source, plan) == source.replace(old, "z")


@pytest.mark.parametrize(
    ("behind", "is_last", "rest"),
    [
        ("", True, "class A:\n    x = 1\n"),
        ("\n\nclass B:\n    pass\n", True, "class A:\n    x = 1\n\n\nclass B:\n    pass\n"),
        ("\n    y = 2\n", False, "class A:\n    x = 1\n\n    y = 2\n"),
    ],
)
def test_a_method_goes_with_the_lines_that_set_it_apart(
    behind: str, is_last: bool, rest: str
) -> None:
    text = f"class A:\n    x = 1\n\n    def f(self):\n        pass\n{behind}"
    cls = ast.parse(text).body[0]
    assert isinstance(cls, ast.ClassDef)
    splice = removal(LineMap(text), cls.body[1], is_last)
    assert text[: splice.start] + splice.new + text[splice.end :] == rest


LINES = """\
def f(x):
    a = 1; b = 2
    c = 3
    d = 4
    if x:
        e = 5
        g = 6
    h = 7; i = (
        8)
    return x
"""


@pytest.mark.parametrize(
    ("due", "gone", "hidden"),
    [
        ({10}, (), [(3, 7)]),
        ({3}, (), [(4, 7), (10, 10)]),
        ({2}, (), [(3, 7), (10, 10)]),
        ({6}, (), [(3, 4), (7, 7), (10, 10)]),
        ({3}, (3,), [(3, 3), (4, 7), (10, 10)]),
        ({6}, (5,), [(3, 4), (5, 7), (10, 10)]),
        ({2}, (2,), [(3, 7), (10, 10)]),
        ({9}, (), [(3, 7), (10, 10)]),
    ],
)
def test_lines_on_which_nothing_is_done(
    due: set[int], gone: tuple[int, ...], hidden: list[tuple[int, int]]
) -> None:
    (function,) = ast.parse(LINES).body
    assert isinstance(function, ast.FunctionDef)
    going = {id(node) for node in function.body if node.lineno in gone}
    found = untouched(LineMap(LINES), function.body, due, going, going, 1, 10)
    assert found == hidden


def test_a_child_whose_encoder_takes_the_same_is_handed_them_on() -> None:
    text = case("all/child_with_another_encoder")
    text = text.replace("class OtherEncoder(nn.Module)", "class OtherEncoder(TinyEncoder)")
    start = text.index("class OtherEncoder")
    body = text.index("    def __init__", start)
    text = text[:body] + "    scale = 2\n\n\n" + text[text.index("class TinyChild") :]
    result = rewrite_library(DictLibrary({DEFAULT: text}), Settings())
    assert not [r for r in result.report if r.kind == "left"]
    assert (
        "self.visual(rows, grid_thw, **given_inputs(cu_seqlens=cu_seqlens" in result.edits[DEFAULT]
    )


def test_a_block_of_one_patch_is_no_order() -> None:
    text = case("extract/order_of_blocks")
    text = text.replace("self.side = config", "self.one = 1\n        self.side = config")
    edited = text.replace("begin + t * h * w))", "begin + t * h * w * self.one))")
    assert edited != text
    assert [kind for kind, _ in kinds(edited, "extract")].count("extracted") == 2


def test_calls_are_followed_to_a_depth() -> None:
    extra = "def down(k):\n    return 0 if k == 0 else down(k - 1)"
    assert interpret("return down(6)", extra).result == 0
    assert interpret("return down(7)", extra).result is LATE


def test_what_a_part_of_a_machine_leaves_open_cannot_be_forgotten() -> None:
    opened = {
        name
        for name, value in vars(Machine).items()
        if getattr(value, "__isabstractmethod__", False)
    }
    tree = ast.parse(inspect.getsource(inspect.getmodule(Machine) or inspect))
    (machine,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Machine")
    bare = {
        n.name
        for n in machine.body
        if isinstance(n, ast.FunctionDef) and [type(s) for s in n.body] == [ast.Expr]
    }
    assert opened == bare


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("parts = [t.split(s.tolist()) for t in (q, k)]", 2),
        ("parts = [t.split(s.tolist()) for t in [q, k, v]]", 3),
        ("parts = [t.split(s.tolist()) for t in states]", 3),
        ("parts = list(t.split(s.tolist()) for t in (q,))", 1),
        ("parts = q.split(s.tolist())", 1),
        ("parts = [n for n in q.split(s.tolist())]", 1),
    ],
)
def test_how_many_states_are_split(line: str, count: int) -> None:
    (statement,) = ast.parse(line).body
    (split,) = splits_in(statement)
    assert _repetitions(statement, split.node) == count


def move(function: object) -> Any:
    return SimpleNamespace(site=SimpleNamespace(function=function))


def test_who_asks_for_offsets() -> None:
    (call,) = ast.parse("def __call__(self):\n    self.a()").body
    assert isinstance(call, ast.FunctionDef)
    a, b = SimpleNamespace(name="a"), SimpleNamespace(name="b")
    assert _asks(call, [move(call)], ())
    assert _asks(call, [move(a)], ())
    assert _asks(call, [move(call), move(b)], ("b",))
    assert not _asks(call, [move(b)], ("b",))
    assert not _asks(None, [move(b)], ("b",))


@pytest.mark.parametrize(
    ("decorator", "text", "is_entered"),
    [
        ("auto_docstring", 'r"""\n        words\n        """', True),
        ("auto_docstring", '"""Words.\n\n        more\n        """', False),
        ("auto_docstring", '"""Words."""', False),
        ("auto_docstring", "pass", False),
        ("other", 'r"""\n        words\n        """', False),
    ],
)
def test_an_option_is_entered_where_parameters_are_checked(
    decorator: str, text: str, is_entered: bool
) -> None:
    source = f"class A:\n    @{decorator}\n    def __call__(self):\n        {text}\n"
    info = ModuleInfo.parse(Source("a.py", "a", source))
    (call,) = info.classes["A"].body
    assert isinstance(call, ast.FunctionDef)
    assert bool([*_described(info, call)]) == is_entered


@pytest.mark.parametrize("kept", ["TinyPositions.forward", "TinyEncoder.forward"])
def test_methods_that_hand_values_on_change_together_or_not_at_all(kept: str) -> None:
    settings = Settings(passes=("lift",), keep=(kept,))
    result = rewrite_library(DictLibrary({DEFAULT: case("lift/through_a_submodule")}), settings)
    assert not result.edits
    assert [r.kind for r in result.report] == ["left"]


@pytest.mark.parametrize("stem", ["replaced_by_an_heir", "with_unknown_caller"])
def test_a_module_that_keeps_its_parameters_keeps_no_other_from_being_lifted(stem: str) -> None:
    files = read_case(GOLDEN / f"lift/rotary_module_{stem}.txt").files
    for place in ("models/aa/modeling_aa.py", "models/zz/modeling_zz.py"):
        result = run({**files, place: case("lift/through_a_submodule")}, "lift")
        assert place in result.edits
        result = run({place: case("lift/through_a_submodule"), **files}, "lift")
        assert place in result.edits


def test_frames_that_stay_together_keep_no_others_from_being_parted() -> None:
    lines = """\
    def positions(self, image_grid_thw=None, video_grid_thw=None, other_grid_thw=None):
        if image_grid_thw is not None:
            assert image_grid_thw.shape[0] < 9
            image_grid_thw = torch.repeat_interleave(image_grid_thw, image_grid_thw[:, 0], dim=0)
            image_grid_thw[:, 0] = 1
        if video_grid_thw is not None:
            video_grid_thw = torch.repeat_interleave(video_grid_thw, video_grid_thw[:, 0], dim=0)
            video_grid_thw[:, 0] = 1
        return self.of(image_grid_thw, video_grid_thw)
"""
    text = f"import torch\nfrom torch import nn\n\n\nclass TinyModel(nn.Module):\n{lines}"
    result = run({DEFAULT: text}, "extract")
    assert [r.kind for r in result.report].count("extracted") == 1
    assert any("assert would vanish" in r.reason for r in result.report)
    assert "video_grid_thw = flatten_video_grid(video_grid_thw)" in result.edits[DEFAULT]


@pytest.mark.parametrize(
    ("lines", "is_left"),
    [
        ("ends = cu_seqlens[1:]\n        cu_seqlens += 1", True),
        ("ends = cu_seqlens.view(-1)[1:]\n        ends.add_(1)", True),
        ("ends = cu_seqlens[1:]\n        last = ends[-1:]\n        last.mul_(2)", True),
        ("ends = cu_seqlens[1:].clone()\n        ends += 1", False),
    ],
)
def test_a_view_that_is_changed_in_place_stays_one(lines: str, is_left: bool) -> None:
    text = case("all/view_changed_in_place")
    changed = text.replace("ends = cu_seqlens[1:]\n        ends += 1", lines, 1)
    assert changed != text
    result = rewrite_library(DictLibrary({DEFAULT: changed}), Settings())
    assert any("shares the memory" in record.reason for record in result.report) is is_left
    assert ("ends = get_vision_cu_seqlens" in result.edits[DEFAULT]) is not is_left
