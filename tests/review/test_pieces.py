"""Pieces of a text: where they begin, what they hold, and when the look at lines is not enough."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from codegen.review.compare import Reading, compare_texts
from codegen.review.logical import _tokenized, logical_lines
from codegen.review.model import Member
from codegen.review.names import Naming
from codegen.review.numerics import operators
from codegen.review.pieces import _of_tree, _starts, split_pieces
from codegen.review.scope import can_lack_names

HERE = Path(__file__).resolve().parents[2]
NAMING = Naming("toy")


def shown(text: str) -> list[tuple[str, str, int]]:
    """Kind, name and line of the pieces."""
    pieces = split_pieces(text)
    assert pieces is not None
    assert "".join(p.text for p in pieces).replace("\n", "") == text.replace("\n", "")
    return [(piece.kind, piece.name, piece.line) for piece in pieces]


def test_pieces_of_the_sources_of_this_repository_are_those_of_their_trees() -> None:
    for path in sorted((HERE / "definitions").rglob("*.py")) + sorted(
        (HERE / "codegen/review").glob("*.py")
    ):
        text = path.read_text(encoding="utf-8")
        found = _starts(text)
        assert found is None or found == list(_of_tree(ast.parse(text), text)), path


def test_decorators_and_comments_belong_to_what_follows() -> None:
    text = "import os\n# about f\n@one\n@two(\n    3\n)\ndef f():\n    pass\n    # inside\nx = 1\n"
    assert shown(text) == [("", "", 1), ("function", "f", 7), ("", "", 10)]
    pieces = split_pieces(text)
    assert pieces is not None
    assert pieces[1].text.startswith("# about f\n@one") and pieces[1].code.startswith("@one")
    assert pieces[2].text.startswith("    # inside\nx")


@pytest.mark.parametrize(
    "text",
    [
        "'''\nclass No:\n    pass\n'''\nclass Yes:\n    pass\n",
        'x = \'"""\'\nclass Yes:\n    pass\n',
        "# '''\nclass Yes:\n    y = '''\nclass No: pass\n'''\n",
        "x = 'a\\\nclass No'\nclass Yes:\n    pass\n",
        "class Yes:\n    z = (1\n@ 2)\n",
        "class Yes:\n    z = [\nfoo,\n]\n",
    ],
)
def test_strings_and_brackets_do_not_lead_astray(text: str) -> None:
    assert [name for kind, name, _ in shown(text) if kind] == ["Yes"]


def test_what_does_not_parse_at_the_margin_has_no_pieces() -> None:
    assert split_pieces("<<<<<<< HEAD\nx = 1\n=======\n") is None
    assert split_pieces("x = (\n") is None


OLD = """\
A = 1


def f():
    return A


class Keep:
    def one(self):
        return 1

    def two(self):
        return 2


class Other:
    def three(self):
        return 3
"""


def compared(new: str) -> list[tuple[str, str]]:
    """Kind and member of what differs from ``OLD``."""
    changes = compare_texts("m.py", "m", Reading(OLD, NAMING), Reading(new, NAMING))
    return [(change.kind, change.shown) for change in changes]


def test_what_is_the_same_is_left_out_but_not_where_something_moved_across_it() -> None:
    assert compared(OLD.replace("return 3", "return 4")) == [("changed", "Other.three")]
    keep = OLD[OLD.index("class Keep") : OLD.index("class Other")]
    function = OLD[OLD.index("def f") : OLD.index("class Keep")]
    across = OLD.replace(function, "").replace("class Other", f"{function}class Other")
    assert compared(across) == [("moved", "f")]
    behind = OLD.replace(keep, "") + f"\n\n{keep}"
    assert {kind for kind, _ in compared(behind)} == {"moved"}
    constant = OLD.replace("A = 1\n\n\n", "").replace("class Other", "A = 1\n\n\nclass Other")
    assert compared(constant) == [("moved", "A")]


def test_a_class_that_does_not_parse_makes_the_text_one_piece() -> None:
    changed = compared(OLD.replace("def two(self):", "def two(self:"))
    assert changed == [("changed", "a file that does not parse")]


ODD = """\
x = {0x_f: .5e-3J, **y, "a\\
b": f'{z!r:>{w}}',
}
async def f(a, /, *, b: int = 1_000, ) -> rb"t"[...]: a @= b ** ~b // 2 if b != a<<1 else (a := b)
y = '' 'x' "#" # a, comment
class A:
    r\'\'\'One

    "two" \'\'\'
"""


def test_logical_lines_are_those_of_the_whole_text_as_python_cuts_it() -> None:
    texts = [p.read_text(encoding="utf-8") for p in sorted((HERE / "codegen/review").glob("*.py"))]
    for text in [*texts, ODD]:
        whole = [(raw.text, raw.row, (*raw.depth, *raw.parts)) for raw in _tokenized(text)]
        lines = logical_lines(Member("", "m", "statement", 1, text), NAMING)
        assert [(line.text, line.number - 1, line.tokens) for line in lines] == whole


@pytest.mark.parametrize(
    ("old", "new", "can"),
    [
        (
            "import os\ndef f():\n    return os\n",
            "import os\ndef f():\n    return os.name\n",
            False,
        ),
        ("import os\ndef f():\n    return os\n", "def f():\n    return os\n", True),
        ("def f():\n    return 1\n", "def f():\n    return two\n", True),
        ("def f():\n    return 1\n", "def f():\n    return len\n", False),
        ("x = 1\n", "x = 1\ndef f():\n    global y\n    y = x\n", True),
        ("def g(): pass\ndef f():\n    g()\n", "def h(): pass\ndef f():\n    g()\n", True),
    ],
)
def test_names_are_looked_up_where_they_may_be_missing(old: str, new: str, can: bool) -> None:
    assert can_lack_names(old, new) is can


def test_what_a_configuration_says_is_the_same_wherever_it_stands_there() -> None:
    """Where a keyword has its value from is an operator, but not where in the configuration that stands."""

    def of(text: str) -> Counter[str]:
        return operators(ast.parse(text).body)

    assert of("f(dropout=config.p)") == of('f(dropout=config.parts["p"])') != of("f()")
    assert of("f(dtype=torch.float32)") != of("f(dtype=torch.float16)")
    assert of("f(dropout=self.p)") != of("f(dropout=config.p)")
