"""Pieces of source as their author wrote them: renamed by name, never by letters; comments left where they stood."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.tokens import wording
from codegen.rewrite.tokens.swaps import names_in, swapped
from codegen.rewrite.values import Source

TEXT = """def f(a, b):
    first = call(  # why
        a,
        [
            b,
        ],
    )

    # alone on its line
    text = "# no comment"  # at the end
    return first
"""


def module() -> ModuleInfo:
    return ModuleInfo.parse(Source("tiny.py", "tiny", TEXT))


def statements(info: ModuleInfo) -> list[ast.stmt]:
    function = info.tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    return function.body


def value_of(number: int, info: ModuleInfo) -> ast.expr:
    statement = statements(info)[number]
    assert isinstance(statement, (ast.Assign, ast.Return)) and statement.value is not None
    return statement.value


def test_lines_come_without_comments_and_empty_lines() -> None:
    info = module()
    assert wording.lines_of(info, statements(info)) == [
        "first = call(",
        "    a,",
        "    [",
        "        b,",
        "    ],",
        ")",
        'text = "# no comment"',
        "return first",
    ]


def test_an_expression_is_on_one_line_as_it_was_written() -> None:
    text = "x = call(\n    a,\n    'it''s',\n    [\n        0x10,\n    ],\n)\n"
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    statement = info.tree.body[0]
    assert isinstance(statement, ast.Assign)
    assert wording.expression(info, statement.value) == "call(a, 'it''s', [0x10])"


def test_an_expression_with_a_comment_is_put_anew() -> None:
    info = module()
    assert wording.expression(info, value_of(0, info)) == "call(a, [b])"


def test_an_expression_that_stands_nowhere_is_put_anew() -> None:
    made = ast.Call(ast.Name("f"), [ast.Constant(1)], [])
    assert wording.expression(module(), made) == "f(1)"


def test_a_segment_keeps_its_lines_and_loses_its_comments() -> None:
    info = module()
    assert wording.segment(info, value_of(0, info)) == (
        "call(\n    a,\n    [\n        b,\n    ],\n)"
    )
    assert wording.segment(info, value_of(1, info)) == '"# no comment"'


@pytest.mark.parametrize(
    ("text", "names", "made"),
    [
        ("a + b", {"a": "x"}, "x + b"),
        ("b + a", {"a": "longer"}, "b + longer"),
        ("a.a + o.a + a", {"a": "x"}, "x.a + o.a + x"),
        ("'a' + ab + a", {"a": "x"}, "'a' + ab + x"),
        ("f(\n    a,\n    b,\n    a,\n)", {"a": "x", "b": "yy"}, "f(\n    x,\n    yy,\n    x,\n)"),
        ("a\nb\n", {"a": "x"}, "x\nb\n"),
        ("b\nb\na", {"a": "x"}, "b\nb\nx"),
        ("b\na\nb", {"a": "x"}, "b\nx\nb"),
        ("a, b", {"a": "b", "b": "a"}, "b, a"),
        ("f'{a}' + a", {}, "f'{a}' + a"),
        ("aa + b", {"a": "x"}, "aa + b"),
        ("(a +", {"a": "x"}, "(a +"),
    ],
)
def test_names_are_replaced_where_they_are_names(
    text: str, names: dict[str, str], made: str
) -> None:
    assert wording.renamed(text, names, {}, {}) == made


def test_calls_and_sentinels_are_replaced_before_names() -> None:
    text = "n * '<mark>' + self.count(n) + \"<mark>\" + '<mark>s'"
    found = wording.renamed(text, {"n": "m"}, {"self.count(n)": "n"}, {"<mark>": "self.token"})
    assert found == "m * self.token + m + self.token + f'{self.token}s'"


def test_a_choice_is_on_one_line_as_far_as_it_fits_two_levels_deep() -> None:
    frame = "x = {} if test else b"
    name = "a" * (wording.MAX_LINE - 16 - len(frame.format("")))
    for first, lines in ((name, 1), (name + "a", 5)):
        value = ast.parse(frame.format(first)).body[0]
        assert isinstance(value, ast.Assign) and isinstance(value.value, ast.IfExp)
        made = wording.wrapped("x", value.value)
        assert len(made) == lines and ast.dump(ast.parse("\n".join(made))) == ast.dump(
            ast.Module([value], [])
        )


def test_a_call_is_on_one_line_as_far_as_it_fits_two_levels_deep() -> None:
    short = "x = f(" + "a" * (wording.MAX_LINE - 16 - len("x = f()")) + ")"
    assert wording.call_lines("x", "f", [short[6:-1]]) == [short]
    longer = short[6:-1] + "a"
    assert wording.call_lines("x", "f", [longer, "b"]) == [
        "x = f(",
        f"    {longer},",
        "    b,",
        ")",
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("call(\n    (a,\n    ),\n)", "call((a,))"),
        ('call(\n    """two\n  lines""",\n)', "call('two\\n  lines')"),
        ("a + \\\n    b", "a + b"),
        ("call(\n    f'{a} (\\n)',\n    b = 0x10,\n)", "call(f'{a} (\\n)', b = 0x10)"),
    ],
)
def test_what_is_put_on_one_line_means_the_same(text: str, wanted: str) -> None:
    info = ModuleInfo.parse(Source("tiny.py", "tiny", f"x = {text}\n"))
    statement = info.tree.body[0]
    assert isinstance(statement, ast.Assign)
    assert wording.expression(info, statement.value) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x = '<p>' + y", "x = unit + y"),
        ("x = r'<p>'", "x = unit"),
        ("x = 'a <p> b'", "x = f'a {unit} b'"),
        ("x = f'a <p> {y[\"b\"]}'", "x = f'a {unit} {y[\"b\"]}'"),
        ("x = f'<p>'", "x = f'{unit}'"),
        ("x = 'a\\n<p>'", "x = 'a\\n<p>'"),
        ("x = 0  # not '<p>'", "x = 0  # not '<p>'"),
    ],
)
def test_a_unit_stands_where_the_sentinel_is_a_string(text: str, wanted: str) -> None:
    assert wording.renamed(text, {}, {}, {"<p>": "unit"}) == wanted


def test_other_expressions_are_found_in_the_tree_of_a_piece() -> None:
    def new(node: ast.expr) -> str | None:
        return "first(rows)" if ast.unparse(node) == "next(rows)" else None

    text = "    # next(rows)\n    é = next( rows )\n    said = 'next(rows)'\n"
    assert swapped(text, new) == text.replace("next( rows )", "first(rows)")
    assert swapped("next(rows), (\n 1)", new) == "first(rows), (\n 1)"
    assert swapped("next(rows) next(rows)", new) == "next(rows) next(rows)"
    assert names_in("for a in b:\n    'c'") == {"a", "b"}
    assert names_in("for a in 'b' c") >= {"a", "c"} and "b" not in names_in("for a in 'b' c")
