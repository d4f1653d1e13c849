"""Edits on many layouts of calls, signatures and statements, as a table: what is written, to the space and the comma.

Each is held to what the edit means, by its tree; that comments stay and nothing else moves is to be seen in
``golden/layouts.txt``. Record anew with ``pytest tests/rewrite/test_layouts.py --update-golden``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddOption,
    AddParameters,
    Branch,
    DropKeyword,
    Edit,
    Enclose,
    Insert,
    Replace,
    Substitute,
)
from tests.rewrite.test_emit import Method, calls, written

TABLE = Path(__file__).parent / "golden" / "layouts.txt"
Plan = Callable[[Method], list[Edit]]

CALLS = {
    "one": "g(x)",
    "none": "g()",
    "none, open": "g(\n        )",
    "a comma behind": "g(x,)",
    "by name": "g(x, y=y)",
    "by name only": "g(y=y)",
    "a name between": "g(x, y=y, w=1)",
    "unpacked": "g(*x, y=y)",
    "expanded": "g(x, y=y, **kw)",
    "expanded twice": "g(**kw, y=y, **x)",
    "spaces": "g( x , y = y )",
    "one a line": "g(\n            x,\n            y=y,\n        )",
    "one a line, no comma": "g(\n            x,\n            y=y\n        )",
    "one a line, expanded": "g(\n            x,\n            y=y,\n            **kw,\n        )",
    "comments": "g(\n            x,  # one\n            y=y,  # two\n        )",
    "comments, no comma": "g(\n            x,  # one\n            y=y  # two\n        )",
    "comments below": "g(\n            # over\n            x,\n            # between\n            y=y,\n            # under\n        )",
    "comments, expanded": "g(\n            x,\n            y=y,  # two\n            **kw,  # rest\n        )",
    "several a line": "g(x,\n          y=y)",
    "several a line, commented": "g(x,  # one\n          y=y)",
    "long, on one line": f"g({'x' * 60}, y=y, w={'w' * 40})",
    "inside": "h(g(x, y=y), 1)",
    "called on": "g(x, y=y).a",
    "in parentheses": "(g(x,\n            y=y))",
}
OF_CALLS: dict[str, tuple[str, ...]] = {
    "z": ("z=z",),
    "z, v": ("z=z", "v=v"),
    "z, where it is": ("y=z", "z=z"),
    "more": ("**more",),
    "z, more": ("z=z", "**more"),
}
SIGNATURES = {
    "alone": "self",
    "one": "self, x",
    "a comma behind": "self, x,",
    "annotated": "self, x: int, cu_seqlens: torch.Tensor",
    "given by place": "self, cu_seqlens, x",
    "a default": "self, x=None, *, y=1",
    "keywords": "self, x, **kw",
    "all": "self, x, *xs, y=1, **kw",
    "bare star": "self, x, *, window_index=None",
    "positional": "self, x, /, y",
    "one a line": "\n        self,\n        x,\n    ",
    "one a line, no comma": "\n        self,\n        x\n    ",
    "one a line, keywords": "\n        self,\n        x,\n        **kw,\n    ",
    "comments": "\n        self,  # one\n        x,  # two\n        # under\n    ",
    "comments, no comma": "\n        self,\n        x=1  # two\n    ",
    "several a line": "self,\n          x: int = 1, # one\n          **kw",
    "long": f"self, {'x' * 70}",
    "may be none": "self, cu_seqlens: Optional[torch.Tensor], window_index: int | None",
}
NAMES = ("window_index", "cu_seqlens")
STATEMENTS = {
    "plain": "a = 1\n        b = 2\n        c = 3",
    "on one line": "a = 1; b = 2; c = 3",
    "comments": "# over\n        a = 1  # a\n        # between\n        b = 2  # b\n\n        # under\n        c = 3  # c",
    "blank lines": "a = 1\n\n        b = 2\n\n\n        c = 3",
    "long ones": "a = (\n            1\n        )\n        b = [\n            2,  # two\n        ]\n        c = 3",
    "compound": "if x:\n            a = 1\n        b = 2\n        for c in y:\n            pass  # c",
    "behind a docstring": '"""Words."""\n        a = 1\n        b = 2\n        c = 3',
    "alone": "a = 1",
}


def of_call(code: str) -> Iterator[tuple[str, str]]:
    source = f"class A:\n    def f(self, x, y, kw):\n        return {code}\n"
    for name, keywords in OF_CALLS.items():
        yield (
            f"with {name}",
            checked(source, code, lambda f: [AddKeywords(calls(f, "g")[0], keywords)]),  # noqa: B023
        )
    if "y=" in code.replace(" ", ""):
        yield "without y", written(source, lambda f: [DropKeyword(calls(f, "g")[0], "y")])
    yield "enclosed", written(source, lambda f: [Enclose(calls(f, "g")[0], "h", ("1,", "z=2,"))])
    yield "exchanged", written(source, lambda f: [Substitute(calls(f, "g")[0], "z")])


def checked(source: str, code: str, plan: Plan) -> str:
    """A call with further keywords, each once, in front of what it expands."""
    result = written(source, plan)
    (old, *_), (new, *_) = (calls(ast.parse(text), "g") for text in (source, result))
    assert [ast.dump(arg) for arg in old.args] == [ast.dump(arg) for arg in new.args]
    given = [keyword.arg for keyword in new.keywords if keyword.arg]
    assert len(given) == len({*given})
    assert {k.arg for k in old.keywords} <= {k.arg for k in new.keywords}
    assert result.count("#") == code.count("#")
    return result


def of_signature(code: str) -> Iterator[tuple[str, str]]:
    source = f"class A:\n    def f({code}):\n        return x\n"
    for name, edit in (
        ("tensors", AddParameters(NAMES)),
        ("one tensor", AddParameters(NAMES[1:])),
        ("a switch", AddOption("asked=False")),
    ):
        result = written(source, lambda _: [edit])  # noqa: B023
        assert result.count("#") == code.count("#")
        yield f"with {name}", result


def of_statements(code: str) -> Iterator[tuple[str, str]]:
    source = f"class A:\n    def f(self, x):\n        {code}\n"
    count = len(ast.parse(source).body[0].body[0].body)  # type: ignore[attr-defined]
    for number in range(count):
        if count > 1:
            yield f"without {number}", written(source, lambda f: [Replace((f.body[number],))])  # noqa: B023
        new = ("z = 1", "w = 2")
        yield f"another for {number}", written(source, lambda f: [Replace((f.body[number],), new)])  # noqa: B023
        yield (
            f"more in front of {number}",
            written(source, lambda f: [Insert(f.body[number], new)]),  # noqa: B023
        )
        yield (
            f"more behind {number}",
            written(source, lambda f: [Insert(f.body[number], new, behind=True)]),  # noqa: B023
        )
        yield (
            f"{number} in a branch",
            written(source, lambda f: [Branch((f.body[number],), "x", new)]),  # noqa: B023
        )
    if count > 2:
        yield "two in a branch", written(source, lambda f: [Branch(tuple(f.body[:2]), "x", new)])
        yield "one for two", written(source, lambda f: [Replace(tuple(f.body[1:3]), ("z = 1",))])


KINDS = {
    "call": (CALLS, of_call),
    "signature": (SIGNATURES, of_signature),
    "statements": (STATEMENTS, of_statements),
}
LAYOUTS = [(kind, name) for kind, (layouts, _) in KINDS.items() for name in layouts]


def section(kind: str, name: str) -> str:
    """What becomes of a layout, as it stands in the table."""
    layouts, edited = KINDS[kind]
    parts = [f"### {kind}: {name}\n{layouts[name]}\n"]
    for edit, text in edited(layouts[name]):
        _, _, method = text.partition("class A:\n    def f")
        _, _, body = method.partition(":\n")
        shown = body if kind != "signature" else method.removesuffix("        return x\n")
        parts.append(f"## {edit}\n{shown}")
    return "".join(parts)


@cache
def recorded() -> dict[str, str]:
    text = TABLE.read_text(encoding="utf-8")
    return {part.partition("\n")[0]: f"### {part}" for part in text.split("### ")[1:]}


def test_all_layouts_are_recorded(update_golden: bool) -> None:
    if update_golden:
        TABLE.write_text("".join(section(*each) for each in LAYOUTS), encoding="utf-8")
        recorded.cache_clear()
    assert list(recorded()) == [f"{kind}: {name}" for kind, name in LAYOUTS]


@pytest.mark.parametrize(("kind", "name"), LAYOUTS)
def test_what_is_written_is_as_recorded(kind: str, name: str) -> None:
    assert section(kind, name) == recorded()[f"{kind}: {name}"]
