"""A second form makes what the code behind the first one reads, and nothing that is the method's own."""

from __future__ import annotations

import ast

import pytest

from tests.rewrite.test_rules import GOLDEN, read_case, run

CASES = (
    "pooling_per_audio",
    "table_resized_per_image",
    "attention_in_a_loop",
    "mask_filled_per_segment",
    "blocks_joined_per_image",
)
USED = "is made by what a graph would skip, and used behind it: no second form while tracing"
OWN = "would be overwritten, a name of the method: no second form while tracing"


def method(text: str) -> ast.FunctionDef:
    """The method that the rule changes: the last forward."""
    found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
    return [node for node in found if any(isinstance(n, ast.For) for n in ast.walk(node))][-1]


def stored(node: ast.AST) -> set[str]:
    names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def only_in_one(tree: ast.AST, name: str) -> bool:
    """Whether a name is bound in one arm of a choice between forms only."""
    choices = [n for n in ast.walk(tree) if isinstance(n, ast.If) and n.orelse]
    choices = [n for n in choices if "is_tracing()" in ast.unparse(n.test)]
    return any(
        any(name in stored(s) for s in choice.body)
        is not any(name in stored(s) for s in choice.orelse)
        for choice in choices
    )


def with_line(text: str, line: str, *, first: bool = False) -> str:
    """A case with a line in front of the last statement of its method, or of the first."""
    anchor = method(text).body[0 if first else -1]
    lines = text.split("\n")
    lines.insert(anchor.lineno - 1, " " * anchor.col_offset + line)
    return "\n".join(lines)


def changed(case: str, text: str) -> tuple[str | None, list[str]]:
    (path,) = read_case(GOLDEN / f"capture/{case}.txt").files
    result = run({path: text}, "capture")
    return result.edits.get(path), [r.reason for r in result.report if r.kind == "left"]


@pytest.mark.parametrize("case", CASES)
def test_a_name_of_the_first_form_that_is_used_behind_it_keeps_it(case: str) -> None:
    (text,) = read_case(GOLDEN / f"capture/{case}.txt").files.values()
    plain, _ = changed(case, text)
    assert plain is not None
    for name in sorted(stored(method(text))):
        new, left = changed(case, with_line(text, f"self.seen({name})"))
        assert new is None or not only_in_one(ast.parse(new), name), name
        if new is None and only_in_one(ast.parse(plain), name):
            assert f"{name} {USED}" in left or f"{name} is used" in "".join(left), left


@pytest.mark.parametrize("name", ["piece", "pieces"])
def test_the_name_and_its_place_are_told(name: str) -> None:
    case = "pooling_per_audio"
    (text,) = read_case(GOLDEN / f"capture/{case}.txt").files.values()
    new, left = changed(case, with_line(text, f"self.seen({name})"))
    assert new is None and f"{name} {USED}" in left


@pytest.mark.parametrize("name", ["embed_indices", "bilinear_weights", "table_rows"])
def test_a_name_of_the_method_is_not_overwritten(name: str) -> None:
    case = "table_resized_per_image"
    (text,) = read_case(GOLDEN / f"capture/{case}.txt").files.values()
    own = with_line(text, f"self.seen({name})")
    new, left = changed(case, with_line(own, f"{name} = self.own", first=True))
    assert new is None and f"{name} {OWN}" in left
    # A name that nothing reads may be used again, unless it is that of an input.
    unread, left = changed(case, with_line(text, f"{name} = self.own", first=True))
    assert (unread is None) == (name != "table_rows") == (f"{name} {OWN}" in left)
