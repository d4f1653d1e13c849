"""What edits leave as it is, and where a keyword, a comma, a comment or an entry stands behind them."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.check import _untouched
from codegen.rewrite.emit.edits import AddKeywords, AddParameters, Describe, DropKeyword, Substitute
from codegen.rewrite.emit.imports import without_import
from codegen.rewrite.emit.places import _string_lines
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.place.hoist import names_outside
from codegen.rewrite.values import Source
from tests.rewrite.test_emit import calls, written


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


def test_names_outside_of_a_part_leave_it_out() -> None:
    tree = ast.parse("f(a + b) * a", mode="eval").body
    assert isinstance(tree, ast.BinOp) and isinstance(tree.left, ast.Call)
    assert names_outside(tree, tree.left) == {"a"}
    assert names_outside(tree, tree.left.args[0]) == {"f", "a"}
    assert names_outside(tree, tree) == set()
    assert names_outside(tree, ast.Name("a")) == {"f", "a", "b"}


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
