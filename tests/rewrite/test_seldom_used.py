"""What few golden cases go through: small functions of the passes, each condition on both of its sides."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from codegen.rewrite.codemods import _failure
from codegen.rewrite.emit.splices import spliced
from codegen.rewrite.emit.write import removal
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.place.demands import _side_of_table
from codegen.rewrite.place.thread import generate_edits
from codegen.rewrite.recognise.effects import vanishing
from codegen.rewrite.report import broken
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.mixin import _handing_on
from codegen.rewrite.tokens.operators import equal
from codegen.rewrite.tokens.plans import _given_by_caller
from codegen.rewrite.tokens.terms import World, term
from codegen.rewrite.tokens.wording import _on_one_line
from codegen.rewrite.values import Settings, Source
from codegen.text.lines import LineMap
from tests.rewrite.test_rules import DictLibrary

MODULE = "models.tiny.modeling_tiny"


def index_of(text: str, **others: str) -> Index:
    files = {MODULE: text, **{f"models.tiny.{name}": other for name, other in others.items()}}
    paths = {f"{module.replace('.', '/')}.py": body for module, body in files.items()}
    return Index(DictLibrary(paths), lambda words: "irrelevant" not in words)


def class_of(text: str, name: str = "A") -> tuple[Index, ClassInfo]:
    index = index_of(text)
    cls = index.resolve(MODULE, name)
    assert cls is not None
    return index, cls


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("f(  a,  b )", "f(  a,  b )"),
        ("f(a,\n  b)", "f(a, b)"),
        ("f(\n  a,\n  b,\n)", "f(a, b)"),
        ("f(\n\n  a  ,\n\n b\n)", "f(a  , b)"),
        ("[\n 1,\n]", "[1]"),
        ("(\n a,\n)", None),  # without the comma it is no tuple
        ("a +\n b", "a + b"),
        ("x[\n 1:\n 2\n]", "x[1: 2]"),
        ("{\n 'a': 1,\n}", "{'a': 1}"),
        ("f(a,\n  b)(\n c)", "f(a, b)(c)"),
        ("f(\n  *a,\n  **b,\n)", "f(*a, **b)"),
        ("lambda a,\\\n b: a", "lambda a, b: a"),
        ("é(a,\n é)", "é(a, é)"),
        ('"""a\nb"""', None),
        ("f('''a\nb''',\n 1)", None),
    ],
)
def test_an_expression_on_one_line(text: str, line: str | None) -> None:
    assert _on_one_line(text) == line


A, B = term("a"), term("b")


@pytest.mark.parametrize(
    ("left", "right", "is_equal"),
    [
        (1, 1, True),
        (1, 2, False),
        ([1, 2], [1, 2], True),
        ([1], [1, 2], False),
        (A, term("a"), True),
        ([A, 1], [A, 1], True),
        ([A, 1], [A, 2], False),
        ([A], [A, A], False),
        ([A, A], [A], False),
        (A, None, False),
        (None, A, False),
        ({"x": A}, {"x": A}, True),
    ],
)
def test_what_is_equal_in_any_world(left: Any, right: Any, is_equal: bool) -> None:
    assert {equal(World(number), left, right) for number in range(9)} == {is_equal}
    assert {equal(World(number), right, left) for number in range(9)} == {is_equal}


@pytest.mark.parametrize(("left", "right"), [(A, B), (A, "x"), ([A, 1], [B, 1]), (A, 1)])
def test_what_is_equal_in_some_worlds_is_so_from_either_side(left: Any, right: Any) -> None:
    found = [equal(World(number), left, right) for number in range(60)]
    assert {*found} == {True, False}
    assert found == [equal(World(number), right, left) for number in range(60)]


HANDING = """\
def __call__(self, images=None, text=None, **kwargs):
    merged = self._merge_kwargs(Kind, **kwargs)
    return super().__call__(images, text, **merged)
"""


@pytest.mark.parametrize(
    ("old", "new", "is_handed"),
    [
        ("", "", True),
        ("text, **merged", "text, **merged, more=1", True),
        ("**kwargs)\n", "**other)\n", True),
        ("text=None, **kwargs", "text=None, *, kwargs=None", False),
        ("text, **merged", "text, **kwargs", False),
        ("text, **merged", "text, merged=merged", False),
        ("text, **merged", "text, **merged['text']", False),
        ("super().__call__", "self.call", False),
        ("self._merge_kwargs", "self.merge", False),
        ("merged = self", "merged = other = self", False),
        ("merged = self", "other = self", False),
        ("merged = self", "merged, other = self", False),
        ("    merged", "    kwargs.pop('return_text_replacement_offsets')\n    merged", False),
        ("**merged)", "**kwargs)\n", False),
        ("merged", "kwargs", False),
    ],
)
def test_which_call_hands_the_option_on(old: str, new: str, is_handed: bool) -> None:
    call = ast.parse(HANDING.replace(old, new) if old else HANDING).body[0]
    assert isinstance(call, ast.FunctionDef)
    found = [*_handing_on(call)]
    assert len(found) == is_handed
    if found:
        assert found[0].behind and found[0].lines[1].startswith("    merged[")  # type: ignore[attr-defined]


TABLE = """
class A:
    def __init__(self, config):
        self.config = config
        self.side = config.width // config.patch
        self.half = config.width / 2
        self.table = nn.Embedding({}, 8)
        self.rows = self.table
"""
ROOT = "int(self.table.weight.shape[0] ** 0.5)"


@pytest.mark.parametrize(
    ("count", "node", "side"),
    [
        ("(config.width // config.patch) ** 2", ROOT, "width//patch"),
        ("self.side ** 2", ROOT, "width//patch"),
        ("(self.config.width // config.patch) ** 2", ROOT, "width//patch"),
        ("self.side ** 3", ROOT, None),
        ("self.side * 2", ROOT, None),
        ("self.side", ROOT, None),
        ("self.half ** 2", ROOT, None),
        ("config.width ** 2", ROOT, None),
        ("(config.width / config.patch) ** 2", ROOT, None),
        ("(config.width // 2) ** 2", ROOT, None),
        ("(2 // config.patch) ** 2", ROOT, None),
        ("self.side ** 2", ROOT.replace("0.5", "0.25"), None),
        ("self.side ** 2", ROOT.replace("table", "gone"), None),
        ("self.side ** 2", ROOT.replace("table", "config"), None),
        ("self.side ** 2", ROOT.replace("[0]", "[1]"), None),
    ],
)
def test_the_side_of_a_table(count: str, node: str, side: str | None) -> None:
    index, cls = class_of(TABLE.format(count))
    assert _side_of_table(index, cls, ast.parse(node, mode="eval").body) == side


@pytest.mark.parametrize(
    ("head", "calls", "given"),
    [
        ("self, x, y", ["self.inner(self.a, self.b)"], "self.b"),
        ("self, x, y", ["self.inner(self.a, y=self.b)"], "self.b"),
        ("self, y, x", ["self.inner(self.a)"], "self.a"),
        ("self, x, y", ["self.inner(self.a)"], None),
        ("self, x, y", ["self.inner(self.a, b)"], None),
        ("self, x, z", ["self.inner(self.a, self.b)"], None),
        ("self, x, y", ["self.inner(self.a, self.b)", "self.inner(self.a, self.b)"], None),
        ("self, x, y", ["self.other(self.a, self.b)"], None),
        ("x, y", ["self.inner(self.a, self.b)"], "self.b"),
    ],
)
def test_what_the_only_call_gives(head: str, calls: list[str], given: str | None) -> None:
    body = "; ".join(calls)
    _, cls = class_of(f"class A:\n    def inner({head}): pass\n    def __call__(self, b): {body}\n")
    found = _given_by_caller(cls, cls.methods["inner"], "y")
    assert (found and ast.unparse(found)) == given


@pytest.mark.parametrize(
    ("number", "is_last", "left"),
    [
        (0, False, "class A:\n    # two\n    b = 2\n\n    c = 3\n"),
        (1, False, "class A:\n    a = 1\n\n\n    # two\n    c = 3\n"),
        (2, True, "class A:\n    a = 1\n\n\n    # two\n    b = 2\n"),
    ],
)
def test_a_statement_goes_with_the_blank_lines_that_set_it_apart(
    number: int, is_last: bool, left: str
) -> None:
    text = "class A:\n    a = 1\n\n\n    # two\n    b = 2\n\n    c = 3\n"
    node = ast.parse(text).body[0].body[number]  # type: ignore[attr-defined]
    assert spliced(text, [removal(LineMap(text), node, is_last)]) == left


def test_what_a_rule_raised_is_told_at_its_method() -> None:
    _, cls = class_of("\n\nclass A:\n    def f(self): pass\n")
    error = ValueError("odd")
    try:
        raise error
    except ValueError:
        pass
    here = "test_seldom_used.py:"
    whole, of_class, of_method = (
        broken("lift", error, None, None),
        broken("lift", error, cls, None),
        broken("lift", error, cls, cls.methods["f"]),
    )
    assert (whole.model, whole.kind, whole.location) == ("passes", "failed", "")
    assert whole.reason.startswith(f"lift: ValueError: odd at {here}")
    assert whole.reason.endswith("; it does nothing in this run (an error of codegen)")
    assert (of_class.cls, of_class.method) == ("A", "")
    assert of_class.location == "models/tiny/modeling_tiny.py:3"
    assert (of_method.cls, of_method.method, of_method.kind) == ("A", "f", "failed")
    assert of_method.location == "models/tiny/modeling_tiny.py:4"
    assert of_method.reason.endswith("; left as it was (an error of codegen, not of the file)")
    assert "at " not in broken("lift", ValueError("odd"), None, None).reason.partition(";")[0]


def test_the_error_of_a_pass_is_told_at_its_last_line() -> None:
    code = compile("def f():\n    raise KeyError('x')\n\nf()\n", "/own/pass.py", "exec")
    with pytest.raises(KeyError) as raised:
        exec(code, {})
    for path, line in (("/own/pass.py", 2), ("/own/other.py", 0)):
        (told,) = _failure("rename", raised.value, "pass.py", path).diagnostics
        assert told.message == "rename: KeyError: 'x'"
        assert told.location is not None and told.location.line == line


PARENTS = {
    "modeling_tiny": "from .base import B\nclass A(B, other.C): pass\nclass Own(Own): pass\n",
    "base": "# irrelevant\nfrom .root import C\nclass B(C): pass\n",
    "root": "# irrelevant\nclass C: pass\n",
}


def test_ancestors_are_read_though_they_do_not_look_relevant() -> None:
    index = index_of(PARENTS["modeling_tiny"], base=PARENTS["base"], root=PARENTS["root"])
    cls = index.resolve(MODULE, "A")
    assert cls is not None and index.get("models.tiny.base") is None
    index.open_ancestors(cls)
    assert index.get("models.tiny.base") is not None
    own = index.resolve(MODULE, "Own")
    assert own is not None
    index.open_ancestors(own)


GENERATING = """
class Part:
    def forward(self, pixels, image_grid_thw=None, **kwargs):
        return self.get_image_features(pixels, image_grid_thw, **kwargs)
    def get_image_features(self, pixels, image_grid_thw, **kwargs):
        return self.visual(pixels, image_grid_thw, **kwargs)

class A:
    def __init__(self, config):
        self.part = Part(config)
        self.plain = Plain(config)
    def generate(self, x, **kwargs):
        return self.part.generate(x, **kwargs)

class Plain:
    def forward(self, x): pass
"""


@pytest.mark.parametrize(
    ("old", "new", "is_edited"),
    [
        ("", "", True),
        ("self.part.generate(x", "self.plain.generate(x", False),
        ("self.part.generate(x", "self.gone.generate(x", False),
        ("self.part.generate(x", "self.part.sample(x", False),
        ("self.part.generate(x", "part.generate(x", False),
        ("return self.part", "split_precomputed(kwargs)\n        return self.part", False),
        ("return self.get_image_features", "return self.other", False),
    ],
)
def test_which_calls_of_generate_get_prefixed_keywords(old: str, new: str, is_edited: bool) -> None:
    text = GENERATING.replace(old, new) if old else GENERATING
    state = RewriteState(DictLibrary({"models/tiny/modeling_tiny.py": text}), Settings())
    cls = state.index.resolve(MODULE, "A")
    assert cls is not None
    found = generate_edits(state, cls, cls.methods["generate"])
    assert bool(found) == is_edited
    assert not is_edited or any("**precomputed" in str(edit) for edit in found)


def test_modules_are_parsed_from_their_text() -> None:
    info = ModuleInfo.parse(Source("tiny.py", "tiny", "a = 1\n\ndef f():\n    return a\n\nb = 2"))
    assert [info.segment(node) for node in info.tree.body] == [
        "a = 1\n",
        "def f():\n    return a\n",
        "b = 2",
    ]


@pytest.mark.parametrize(
    ("decorator", "reason"),
    [
        ("", ""),
        ("@staticmethod\n", ""),
        ("@torch.no_grad()\n", ""),
        ("@noted\n", "what the decorator noted does would vanish"),
        ("@noted(1)\n", "what the decorator noted does would vanish"),
        ("@torch.no_grad()\n@noted\n", "what the decorator noted does would vanish"),
    ],
)
def test_what_decorators_of_called_functions_do_would_vanish(decorator: str, reason: str) -> None:
    called = ast.parse(f"{decorator}def inner(a):\n    return a + 1\n").body[0]
    function = ast.parse("def f(x):\n    y = inner(x)\n    return y\n").body[0]
    assert isinstance(called, ast.FunctionDef) and isinstance(function, ast.FunctionDef)
    found = vanishing(function.body[:1], function, lambda call: (called,))
    assert (found.reason if found is not None else "") == reason
