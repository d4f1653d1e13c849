"""Files parsed again in parts are what they are when they are parsed as a whole."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from codegen.rewrite.check import Changed
from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.functions import parameters
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import calls_in, glance, shifted, walk
from codegen.rewrite.renewed import renewed
from codegen.rewrite.values import Source
from codegen.text.lines import LineMap

FILE = '''\
"""A file."""
import torch.nn.functional as nnf
from ..parent import Parent

LIMIT = 3


@decorated
class First(Parent, metaclass=Meta):
    """Says what it is."""

    size: int = 4

    def __init__(self, config):
        self.first = nnf.pad(config, (1, 0))  # a comment

    @property
    def second(self) -> int:
        return self.first


def function(a, b=nnf.relu):
    return [a, b]


class Last(First):
    def forward(self, x, *, y=None, **kwargs):
        return function(x, b=y)
'''


def info_of(text: str) -> ModuleInfo:
    return ModuleInfo.parse(Source("models/m/modular_m.py", "models.m.modular_m", text))


def splice_of(text: str, first: int, last: int, new: str) -> Splice:
    lines = LineMap(text)
    return Splice(lines.start_of(first), lines.start_of(last + 1), new)


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


def check(text: str, splices: Sequence[Splice]) -> ModuleInfo:
    """Renew a file; both ways say the same of every node and every place."""
    made = renewed(info_of(text), splices)
    whole = info_of(spliced(text, splices))
    assert made.source == whole.source
    assert made.aliases == whole.aliases
    for dumped in range(2):  # before and after all of it was looked at
        assert ast.dump(made.tree, include_attributes=True) == ast.dump(
            whole.tree, include_attributes=True
        ), dumped
        assert [*map(type, walk(made.tree))] == [*map(type, walk(whole.tree))]
    return made


IMPORT = "from ..helpers import help\n"
METHOD = "    def second(self) -> int:\n        return nnf.relu(self.first) + 1\n"
CHANGES = {
    "a method grows": [("    @property", "        return self.first", METHOD * 2)],
    "an import comes in": [("LIMIT", "", IMPORT)],
    "an import and a method": [
        ("LIMIT", "", IMPORT),
        ("        return function", "        return function", "        return x\n"),
    ],
    "a method goes": [("    @property", "        return self.first", "")],
    "the first of a class": [('    """Says', '    """Says', '    """Other\n    words."""\n')],
    "the head of a class": [("class First", "class First", "class First(nnf.Other):\n")],
    "a decorator": [("@decorated", "@decorated", "")],
    "between methods": [("    @property", "", "    third = nnf.relu\n\n")],
    "a comment": [("    @property", "", "    # nothing\n")],
    "behind all": [("", "", "\n\nTAIL = 1\n")],
    "behind a class": [("", "", "\n    def last(self):\n        return 1\n")],
    "in a statement": [("    return [a, b]", "    return [a, b]", "    return [\n        a]\n")],
    "two classes at once": [
        ("    size", "    size", "    size: int = 5\n    more = 2\n"),
        ("    def forward", "    def forward", "    def forward(self, x, y):\n"),
    ],
    "another torch": [("import torch", "import torch", "import torch as nnf\n")],
    "tabs": [("        return self.first", "        return self.first", "    \treturn 1\n")],
    "a line that goes on": [("LIMIT", "LIMIT", "LIMIT = \\\n    2\n")],
}


@pytest.mark.parametrize("name", CHANGES)
def test_parts_are_as_in_the_whole(name: str) -> None:
    splices = []
    for begin, end, new in CHANGES[name]:
        first = line_of(FILE, begin) if begin else FILE.count("\n") + 1
        splices.append(splice_of(FILE, first, line_of(FILE, end) if end else first - 1, new))
    check(FILE, splices)


def test_what_is_in_front_is_not_parsed_again() -> None:
    splice = splice_of(FILE, line_of(FILE, "function(a"), line_of(FILE, "[a, b]"), "other = 1\n")
    old = info_of(FILE)
    new = renewed(old, [splice])
    assert new.classes["First"] is old.classes["First"]
    assert new.classes["Last"] is not old.classes["Last"]


WRONG = {
    "deeper than the block": "    @property\n    def second(self): pass\n      third = 1\n",
    "nothing below": "    def second(self):\n",
    "a decorator alone": "    @property\n",
    "an open bracket": "    second = (\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_parse_is_refused(name: str) -> None:
    splice = splice_of(
        FILE, line_of(FILE, "    @property"), line_of(FILE, "return self.first"), WRONG[name]
    )
    with pytest.raises(SyntaxError):
        renewed(info_of(FILE), [splice])


def test_indentation_of_neighbours_counts() -> None:
    deeper = "        def second(self):\n            return 1\n"
    splice = splice_of(
        FILE, line_of(FILE, "    @property"), line_of(FILE, "return self.first"), deeper
    )
    check(FILE, [splice])  # a function of __init__ now


def test_a_line_that_goes_on_in_front() -> None:
    text = "LIMIT = 3; \\\n\n\ndef f(): pass\n"
    for new in ("x = 1\n", ""):
        splice = splice_of(text, 2, 2, new)
        whole = spliced(text, [splice])
        check(text, [splice])
        assert whole.count("\n") == text.count("\n") - (not new)


def test_any_change_of_lines() -> None:
    """Lines taken out, doubled, moved to the margin: both ways give the same, or refuse it."""
    random = Random(5)
    text = Path(__file__).with_name("test_renewed.py").read_text(encoding="utf-8")
    given, count = info_of(text), text.count("\n")
    parsed = 0
    for _ in range(150):
        splices, after = [], 1
        for _ in range(random.choice((1, 2, 3))):
            if after >= count:
                break
            first = random.randrange(after, count)
            last = min(count, first - 1 + random.choice((0, 1, 1, 2, 5)))
            lines = LineMap(text).lines[first - 1 : last]
            new = random.choice(
                ("", "".join(lines * 2), "".join(s.lstrip() or s for s in lines), "x = 1\n")
            )
            splices.append(splice_of(text, first, last, new))
            after = last + 2
        try:
            whole = info_of(spliced(text, splices))
        except SyntaxError:
            with pytest.raises(SyntaxError):
                renewed(given, splices)
            continue
        parsed += 1
        made = renewed(given, splices)
        assert ast.dump(made.tree, include_attributes=True) == ast.dump(
            whole.tree, include_attributes=True
        )
    assert parsed > 30


def test_functions_are_copied_when_they_are_looked_into() -> None:
    (old,) = ast.parse("@d\ndef f(a, *, b: int = 1) -> str:\n    return g(a, b)\n\n\n", "m.py").body
    assert isinstance(old, ast.FunctionDef)
    twice = shifted(shifted(old, 3), 4)
    assert isinstance(twice, ast.FunctionDef)
    assert glance(twice) is old and glance(old) is old
    assert (twice.name, twice.lineno, twice.end_lineno) == ("f", 9, 10)
    assert parameters(twice) == ["a", "b"] and glance(twice) is old
    assert (twice.args.args[0].lineno, twice.decorator_list[0].lineno) == (9, 8)
    assert twice.returns is not None and twice.returns.lineno == 9 and glance(twice) is old
    kept = twice.args
    (call,) = calls_in(twice)
    assert call.lineno == 10 and twice.args is kept and old.body[0].lineno == 3
    assert glance(twice) is twice and type(twice) is ast.FunctionDef
    assert ast.unparse(shifted(old, 1)) == ast.unparse(old)


def changed_second(text: str, new: str) -> tuple[ModuleInfo, Splice, Changed]:
    """The property of the first class, and what comes in its place."""
    info = info_of(text)
    node = info.classes["First"].body[-1]
    assert isinstance(node, ast.FunctionDef) and node.name == "second"
    splice = splice_of(text, node.lineno - 1, node.end_lineno or 0, new)
    return info, splice, Changed(node, text[splice.start : splice.end], new, ())


def test_what_is_parsed_already_is_taken_over() -> None:
    info, splice, changed = changed_second(FILE.replace("nnf", "F"), METHOD.replace("nnf", "F"))
    above = splice_of(info.source.text, 4, 3, IMPORT)
    made = renewed(info, [splice, above], {id(splice): changed})
    assert isinstance(changed.tree, ast.Module)
    assert made.classes["First"].body[-1] is changed.statements(changed.tree)[0]
    whole = info_of(spliced(info.source.text, [splice, above]))
    assert ast.dump(made.tree, include_attributes=True) == ast.dump(
        whole.tree, include_attributes=True
    )


def test_what_says_torch_otherwise_is_parsed_again() -> None:
    info, splice, changed = changed_second(FILE, METHOD)
    made = renewed(info, [splice], {id(splice): changed})
    assert "F.relu(" in ast.unparse(made.classes["First"])


def test_several_statements_behind_a_semicolon() -> None:
    info, splice, changed = changed_second(FILE.replace("nnf", "F"), "    second = 1; third = 2;\n")
    made = renewed(info, [splice], {id(splice): changed})
    whole = info_of(spliced(info.source.text, [splice]))
    assert ast.dump(made.tree, include_attributes=True) == ast.dump(
        whole.tree, include_attributes=True
    )
