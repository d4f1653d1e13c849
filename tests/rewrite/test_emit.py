"""What edits become in text: layouts that a formatter never leaves, comments, and what cannot be written."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable

import pytest

from codegen.rewrite.emit import imports
from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddParameters,
    Branch,
    DropKeyword,
    Edit,
    ElseIf,
    Insert,
    Redefine,
    Replace,
    Substitute,
)
from codegen.rewrite.emit.write import EditError, write_edits
from codegen.text.lines import LineMap

Method = ast.FunctionDef


def written(source: str, plan: Callable[[Method], list[Edit]]) -> str:
    """A class with one method, after the edits of that method."""
    text = textwrap.dedent(source)
    cls = ast.parse(text).body[0]
    assert isinstance(cls, ast.ClassDef) and isinstance(cls.body[0], Method)
    splice = write_edits(LineMap(text), cls.body, cls.body[0], plan(cls.body[0]))
    result = text[: splice.start] + splice.new + text[splice.end :]
    ast.parse(result)
    return result


def calls(node: ast.AST, name: str) -> list[ast.Call]:
    found = [item for item in ast.walk(node) if isinstance(item, ast.Call)]
    return [call for call in found if ast.unparse(call.func).endswith(name)]


def test_one_of_several_statements_on_a_line_is_replaced() -> None:
    source = """
    class A:
        def f(self, x):
            pieces = []; scale = 2  # both
            return scale * x
    """
    assert written(source, lambda f: [Replace((f.body[0],))]) == textwrap.dedent("""
    class A:
        def f(self, x):
            scale = 2  # both
            return scale * x
    """)


@pytest.mark.parametrize("opening", ["else:  # comment", "else :", "else:"])
def test_a_branch_in_front_of_any_else(opening: str) -> None:
    source = f"""
    class A:
        def f(self, x):
            if x:
                return 1
            # why
            {opening}
                return 2
    """
    result = written(source, lambda f: [ElseIf(f.body[0], "self.y", ("return 3",))])  # type: ignore[arg-type]
    assert f"    elif self.y:\n            return 3\n        # why\n        {opening}\n" in result


def test_a_parenthesis_in_a_comment_of_the_signature() -> None:
    source = """
    class A:
        def f(
            self,  # the module
            x,  # rows :) and (
        ):
            return x
    """
    assert written(source, lambda f: [AddParameters(("cu_seqlens",))]) == textwrap.dedent("""
    class A:
        def f(
            self,  # the module
            x,  # rows :) and (
            *,
            cu_seqlens: torch.Tensor | None = None,
        ):
            return x
    """)


def test_a_parenthesised_argument_gets_a_neighbour() -> None:
    source = """
    class A:
        def f(self, grid):
            return self.angles((grid))
    """
    result = written(source, lambda f: [AddKeywords(calls(f, "angles")[0], ("y=y",))])
    assert "self.angles((grid), y=y)" in result


@pytest.mark.parametrize("separator", ["\f", "\u2028", "\x85", "\x1c"])
@pytest.mark.parametrize("place", ['s = "a{0}b"', "s = 1  # a{0}b", '"""a{0}\n        b"""'])
def test_what_looks_like_a_line_break_moves_nothing(separator: str, place: str) -> None:
    first = place.format(separator)
    text = f"class A:\n    def f(self, x):\n        {first}\n        é = x + 1\n        return é\n"
    result = written(text, lambda f: [Replace((f.body[1],), ("é = x + 2",))])
    assert result == text.replace("x + 1", "x + 2")


def test_a_form_feed_in_front_of_code_stays() -> None:
    text = "class A:\n    def f(self, x):\n\f        y = x\n \f        return y\n"
    result = written(text, lambda f: [Replace((f.body[0],), ("y = 2 * x",))])
    assert result == text.replace("y = x", "y = 2 * x")


def test_comments_of_what_goes_stay() -> None:
    source = """
    class A:
        def f(self, rows):
            # in front
            out = []  # beside
            for row in rows:
                # inside
                out.append(row)  # at the end
            return out
    """
    edits = written(
        source, lambda f: [Replace((f.body[0],)), Replace((f.body[1],), ("out = g(rows)",))]
    )
    assert edits == textwrap.dedent("""
    class A:
        def f(self, rows):
            # in front
            # beside
            # inside
            # at the end
            out = g(rows)
            return out
    """)


def test_what_moves_into_a_branch_keeps_its_strings_and_comments() -> None:
    source = '''
    class A:
        def f(self, x):
            # before
            y = """a
          b"""
            z = (y,  # one
                 x)
            return z
    '''
    plan = lambda f: [Branch(tuple(f.body[:2]), "is_tracing()", ("z = 1",))]  # noqa: E731
    assert written(source, plan) == textwrap.dedent('''
    class A:
        def f(self, x):
            # before
            if is_tracing():
                z = 1
            else:
                y = """a
          b"""
                z = (y,  # one
                     x)
            return z
    ''')


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (
            "def f(self, x): y = x; return y",
            "def f(self, x):\n        y = x\n        z = 1\n        return y",
        ),
        (
            "def f(self, x):\n      y = x\n      return y",
            "def f(self, x):\n      y = x\n      z = 1\n      return y",
        ),
        (
            "@a\n    @b(1)  # c\n    def f(self, x):\n        y = \\\n  x\n        return y",
            "@a\n    @b(1)  # c\n    def f(self, x):\n        y = \\\n  x\n        z = 1\n        return y",
        ),
    ],
)
def test_layouts(source: str, result: str) -> None:
    plan = lambda f: [Insert(f.body[0], ("z = 1",), behind=True)]  # noqa: E731
    assert written(f"class A:\n    {source}\n", plan) == f"class A:\n    {result}\n"


def test_keywords_stand_in_front_of_those_that_are_expanded() -> None:
    source = """
    class A:
        def f(self, x, **kwargs):
            return self.g(
                x,
                y=1,  # one
                **kwargs,
            )
    """
    plan = lambda f: [AddKeywords(calls(f, "g")[0], ("z=z",)), DropKeyword(calls(f, "g")[0], "y")]  # noqa: E731
    result = written(source, plan)
    assert "            x,\n" in result and "            z=z,\n            **kwargs,\n" in result
    assert "y=1" not in result


def test_an_edit_without_place_is_refused() -> None:
    other = ast.parse("a\n\n\n\n\n\nb")
    node = other.body[1]
    assert isinstance(node, ast.Expr)
    source = "class A:\n    def f(self, x):\n        return x\n\n\n\n\n\n"
    with pytest.raises(EditError, match="no place for Substitute of b"):
        written(source, lambda f: [Substitute(node.value, "c")])


def test_a_new_definition_keeps_decorators_and_comments() -> None:
    source = """
    class A:
        @torch.no_grad()
        def f(self, length):
            # why
            return self.table[:length]
    """
    lines = ("def f(self, ids):", "    return ids")
    assert written(source, lambda f: [Redefine(lines)]) == textwrap.dedent("""
    class A:
        @torch.no_grad()
        def f(self, ids):
            # why
            return ids
    """)


def test_tabs_stay_tabs() -> None:
    text = "class A:\n\tdef f(self, x):\n\t\tif x:\n\t\t\ty = x\n\t\treturn y\n"
    plan = lambda f: [Branch((f.body[0],), "is_tracing()", ("y = 1",))]  # noqa: E731
    assert written(text, plan) == (
        "class A:\n\tdef f(self, x):\n\t\tif is_tracing():\n\t\t\ty = 1\n"
        "\t\telse:\n\t\t\tif x:\n\t\t\t\ty = x\n\t\treturn y\n"
    )


@pytest.mark.parametrize("name", ["a", "b", "c"])
@pytest.mark.parametrize("comma", [",", ""])
def test_a_keyword_goes_and_its_comments_stay(name: str, comma: str) -> None:
    source = f"""
    class A:
        def f(self):
            return self.g(
                a=1,  # of a
                # on b
                b=2,  # of b
                c=3{comma}  # of c
            )
    """
    result = written(source, lambda f: [DropKeyword(calls(f, "g")[0], name)])
    kept = {keyword.arg for keyword in calls(ast.parse(result), "g")[0].keywords}
    assert kept == {"a", "b", "c"} - {name}
    assert all(f"# {comment}" in result for comment in ("of a", "on b", "of b", "of c"))


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "from ..utils.a import x\n",
        "from ..utils.a import x as b\n",
        "from ..utils.a import *\n",
        "from ..utils.a import (\n    x,  # why\n    z,\n)\n",
        "from ..utils.a import x; import os\n",
        "# lead\nfrom ..utils.a import x  # why\n",
        "from ..utils.a import x;\n",
        "if torch:\n    from ..utils.a import x\n",
    ],
)
def test_imports_are_extended_as_by_the_visitor_of_whole_files(
    lines: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = imports._with_names.__wrapped__(lines, "..utils.a", ("c", "b"))
    monkeypatch.setattr(imports, "_extended", lambda old, module, names: None)
    assert ours == imports._with_names.__wrapped__(lines, "..utils.a", ("c", "b"))
    assert "*" in lines or {"b", "c"} <= set(re.findall(r"\w+", ours))


NESTED = '''
class A:
    def f(self, x,
          y=None):
        if x is None: return y  # at once
        for a in x: \\
            y = a
        if y:
            x = [1]; y = 2

            # in front
            z = """
        not indented
            """  # behind
            x += [z]
        elif self.b:
            pass
            x.append(1)
            # last
        elif self.c:  # c
            x = target(x)
        else: x = 3; y = 4
        with self.d as d, \\
                self.e: x, y = d, 5
        try:
            x = 1
            y = target(2)
            z = 3
        except (ValueError,
                KeyError) as error:
            x = error
            z = 4
        else:
            x = 6
        finally:
            @property
            def g(z): return z

            z = 5
        while target(x):
            def h(x):
                y = x
                return target(y)
            x = h(x)
        return y
'''


def test_what_no_edit_speaks_of_stays_in_nested_blocks() -> None:
    """Each statement in turn gets a neighbour in front, and each call an argument: nothing else changes."""
    lines = NESTED[1:].split("\n")
    function = ast.parse(NESTED[1:]).body[0].body[0]  # type: ignore[attr-defined]
    statements = [node for node in ast.walk(function) if isinstance(node, ast.stmt)][1:]
    on_own_lines = 0
    for number, wanted in enumerate(statements):

        def insert(f: Method, number: int = number) -> list[Edit]:
            nodes = [node for node in ast.walk(f) if isinstance(node, ast.stmt)]
            return [Insert(nodes[number + 1], ("added = 1",))]

        first = lines[wanted.lineno - 1]
        alone = not first[: wanted.col_offset].strip() and not first.lstrip().startswith("elif")
        alone = alone and ";" not in first and not lines[wanted.lineno - 2].endswith(": \\")
        if not alone or getattr(wanted, "decorator_list", None):
            continue
        on_own_lines += 1
        place = first_line_with_comments(lines, wanted.lineno)
        added = " " * wanted.col_offset + "added = 1"
        expected = "\n".join([*lines[:place], added, *lines[place:]])
        assert written(NESTED[1:], insert) == expected, ast.unparse(wanted)
    assert on_own_lines > 20
    for number in range(4):

        def extend(f: Method, number: int = number) -> list[Edit]:
            return [AddKeywords(calls(f, "target")[number], ("more=1",))]

        assert written(NESTED[1:], extend).replace(", more=1", "") == NESTED[1:]


def first_line_with_comments(lines: list[str], line: int) -> int:
    """The number of lines in front of a statement and the comments that stand right above it."""
    place = line - 1
    while lines[place - 1].lstrip().startswith("#"):
        place -= 1
    return place
