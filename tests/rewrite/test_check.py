"""Rules that are broken on purpose: what they spoil is taken back, reported as our fault, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from codegen.rewrite import RewriteResult, Settings, check, early, registry, rewrite_library
from codegen.rewrite.capture import capture
from codegen.rewrite.check import _spelling
from codegen.rewrite.early import early_reads
from codegen.rewrite.emit import write
from codegen.rewrite.emit.edits import AddParameters, Edit, Insert, Redefine, Replace, Substitute
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from tests.rewrite.test_rules import DictLibrary

PATH = "models/tiny/modeling_tiny.py"
TEXT = """import torch
from torch import nn

from ...modeling_vision_utils import get_vision_cu_seqlens


class TinyEncoder(nn.Module):
    def forward(self, rows: torch.Tensor, grid_thw: torch.Tensor, **kwargs) -> torch.Tensor:
        cu_seqlens = get_vision_cu_seqlens(grid_thw)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=cu_seqlens, **kwargs)
        return rows

    def victim(self, rows, grid_thw):
        scale = 2  # why
        rows = rows * scale
        return rows
"""


def run_with(monkeypatch: pytest.MonkeyPatch, edits_of: object) -> RewriteResult:
    """Run the passes with one more capture rule, which looks at ``victim`` alone."""

    def broken_edits(
        index: Index, cls: ClassInfo, function: Function
    ) -> tuple[list[Edit], tuple[str, ...], str] | None:
        if function.name != "victim":
            return None
        assert callable(edits_of)
        return edits_of(function), (), "broken"

    monkeypatch.setattr(capture, "RULES", (*capture.RULES, (broken_edits, ())))
    return rewrite_library(DictLibrary({PATH: TEXT}), Settings())


def failures(result: RewriteResult) -> list[tuple[str, str, str]]:
    found = [record for record in result.report if record.kind == "failed"]
    return [(record.method, record.location, record.reason) for record in found]


def test_a_rule_that_raises_while_it_looks_leaves_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run_with(monkeypatch, lambda function: {}["missing"])
    ((method, location, reason),) = failures(result)
    assert (method, location) == ("victim", f"{PATH}:14")
    assert reason.startswith("broken: KeyError: 'missing' at test_check.py:")
    assert reason.endswith("; left as it was (an error of codegen, not of the file)")
    assert "if cu_seqlens is None" in result.edits[PATH]
    victim = TEXT[TEXT.index("    def victim") :]
    assert victim in result.edits[PATH]


@pytest.mark.parametrize("name", ["extract", "lift", "capture"])
def test_a_pass_that_raises_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fails(state: object) -> None:
        raise RecursionError("too deep")

    passes = tuple((known, fails if known == name else run) for known, run in registry.PASSES)
    monkeypatch.setattr(registry, "PASSES", passes)
    result = rewrite_library(DictLibrary({PATH: TEXT}), Settings())
    (record,) = [record for record in result.report if record.kind == "failed"]
    assert record.reason.startswith(f"{name}: RecursionError: too deep at test_check.py:")
    assert record.reason.endswith("; it does nothing in this run (an error of codegen)")
    assert bool(result.edits) is (name != "lift")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("grid_thw = (\n", 1, "'(' was never closed"),
        ("x = 1\nfrom ...packed import grid_thw)\n", 2, "unmatched ')'"),
        ("grid_thw = " + "(" * 3000 + ")" * 3000, 1, "too"),
        ("grid_thw = '\0'", 1, "null bytes"),
    ],
)
def test_a_file_that_is_no_python_is_left_with_the_reason(text: str, line: int, why: str) -> None:
    broken = "models/odd/modeling_odd.py"
    result = rewrite_library(DictLibrary({PATH: TEXT, broken: text}), Settings())
    assert failures(result) == [] and [*result.edits] == [PATH]
    (record,) = [record for record in result.report if record.model == "odd"]
    assert (record.kind, record.location) == ("left", f"{broken}:{line}")
    assert record.reason.startswith("not looked at: as Python it cannot be read (")
    assert why in record.reason


BROKEN: dict[str, tuple[object, str]] = {
    "does not parse": (
        lambda f: [Substitute(f.body[1].value, "rows *")],
        "libcst refuses it",
    ),
    "parses, but returns nothing sensible": (
        lambda f: [Insert(f.body[0], ("nonlocal nobody",))],
        "no binding for nonlocal",
    ),
    "unknown name": (
        lambda f: [Substitute(f.body[1].value, "rows * factor")],
        "uses factor, which nothing defines",
    ),
    "removes what is still read": (
        lambda f: [Replace((f.body[0],))],
        "uses scale, which nothing defines",
    ),
    "reads too early": (
        lambda f: [Insert(f.body[0], ("rows = rows * scale",))],
        "reads scale before it is assigned",
    ),
    "no such place": (
        lambda f: [Replace((ast.parse("x").body[0],), ("y",))],
        "no place for Replace of x",
    ),
    "raises": (lambda f: [Redefine(("a = 1", "b = 2"))], "ValueError"),
    "grows with every run": (
        lambda f: [Insert(f.body[0], ("rows = rows + 1",))],
        "a second run changes what the first one wrote",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_a_broken_rule_spoils_is_taken_back(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits, problem = BROKEN[kind]
    result = run_with(monkeypatch, edits)
    ((method, location, reason),) = failures(result)
    assert (method, location) == ("victim", f"{PATH}:14")
    assert problem in reason and "an error of codegen, not of the file" in reason
    # The method is as it was, and the rest of the file is rewritten as without that rule.
    monkeypatch.undo()
    assert dict(result.edits) == dict(rewrite_library(DictLibrary({PATH: TEXT}), Settings()).edits)
    assert "cu_seqlens: torch.Tensor | None = None" in result.edits[PATH]
    assert TEXT[TEXT.index("    def victim") :] in result.edits[PATH]


@pytest.mark.parametrize("loss", ["        scale = 2  # why\n", "  # why"])
def test_what_the_writer_loses_is_noticed(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    excerpt = write.Excerpt.restored
    monkeypatch.setattr(
        write.Excerpt,
        "restored",
        lambda self, text, new: excerpt(self, text, new).replace(loss, ""),
    )
    result = run_with(monkeypatch, lambda f: [AddParameters(("cu_seqlens",))])
    ((method, _, reason),) = failures(result)
    assert method == "victim"
    expected = "the comment # why is gone" if loss.startswith("  #") else "uses scale"
    assert expected in reason


def test_a_file_that_does_not_parse_afterwards_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    from codegen.rewrite import settle

    def broken(info: object, names: object, package: str) -> Sequence[object]:
        return [settle.Splice(0, 0, "import import\n")]

    monkeypatch.setattr(settle, "import_splices", broken)
    result = rewrite_library(DictLibrary({PATH: TEXT}), Settings())
    assert result.edits == {}
    assert {reason.partition(";")[0] for _, _, reason in failures(result)} == {
        "lift: the file does not parse any more"
    }


@pytest.mark.parametrize(
    ("body", "early"),
    [
        ("y = x\nx = 1", {"x"}),
        ("if a:\n    x = 1\nreturn x", set()),
        ("for i in a:\n    x = i\nreturn x", set()),
        ("while a:\n    y = x\n    x = 1", set()),
        ("y = [x for x in a]\nx = 1", set()),
        ("def g():\n    return x\nx = 1", set()),
        ("try:\n    x = 1\nexcept E:\n    y = x", set()),
        ("return a\nx = y\ny = 1", set()),
        ("with a as x:\n    y = x\nz = w\nw = 1", {"w"}),
    ],
)
def test_reads_before_any_assignment(body: str, early: set[str]) -> None:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    function = ast.parse(f"def f(a):\n{lines}").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert set(early_reads(function)) == early


def test_statements_are_spelled_from_their_first_character_to_their_last() -> None:
    text = (
        "def forward(self, rows):\n"
        '    """Wörter."""\n'
        "    a = 1; b = (\n        2,\n    )\n"
        "    if a:\n        rows = rows[\n            0\n        ]\n"
        "    @torch.no_grad()\n    def inner():\n        return 'ü', a\n"
    )
    tree = ast.parse("\n\n" + text)  # as in a file, where the method begins further down
    spelling = _spelling(text, 3)
    simple = [n for n in ast.walk(tree) if isinstance(n, (ast.Expr, ast.Assign, ast.Return))]
    assert [spelling(n) for n in simple] == [
        ast.get_source_segment("\n\n" + text, n) for n in simple
    ]
    heads = [n for n in ast.walk(tree) if isinstance(n, (ast.If, ast.FunctionDef))]
    assert [spelling(n).strip() for n in heads] == [
        "def forward(self, rows):",
        "if a:",
        "torch.no_grad()\n    def inner():",
    ]


def test_names_that_are_read_early_are_told_alike_both_ways(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The quick look at blocks passes no function of which definitions and reads tell otherwise."""
    functions = list(_with_one_assigned_late(Path(early.__file__), Path(check.__file__)))
    quick = [set(early_reads(function)) for function in functions]
    monkeypatch.setattr(early, "_read_behind", lambda function, names: False)
    assert quick == [set(early_reads(function)) for function in functions]
    assert sum(map(bool, quick)) > 20
    assert sum(not found for found in quick) > 5


def _with_one_assigned_late(*paths: Path) -> Iterator[ast.FunctionDef]:
    """Each function of some files, with one of its assignments at its end in turn."""
    for path in paths:
        whole = ast.parse(path.read_text(encoding="utf-8"))
        for function in [n for n in ast.walk(whole) if isinstance(n, ast.FunctionDef)]:
            for place in [n for n in ast.walk(function) if isinstance(n, ast.Assign)]:
                late = _Without(place).visit(ast.parse(ast.unparse(function)).body[0])
                late.body.append(place)
                (made,) = ast.parse(ast.unparse(late)).body
                assert isinstance(made, ast.FunctionDef)
                yield made


class _Without(ast.NodeTransformer):
    def __init__(self, place: ast.Assign) -> None:
        self.text = ast.unparse(place)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        return ast.Pass() if ast.unparse(node) == self.text else node
