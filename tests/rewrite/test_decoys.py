"""What stands beside the code that a rule is about changes nothing: classes, methods and statements in front and behind."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.rewrite.test_rules import GOLDEN, read_case, run, split_files, told

MARK = "decoy"
BESIDE = """class {0}One(nn.Module):
    decoy_a = None
    decoy_b, decoy_c = 1, 2

    def __init__(self, config):
        self.decoy = config.decoy

    def forward(self, decoy):
        return decoy


class {0}Config:
    decoy = 3


def decoy_function(decoy, *others, key=None, **more):
    for decoy in others:
        continue
    return decoy
"""
FIRST = ["decoy_a = decoy_b = None", "decoy_c: object = 3"]
METHODS = "def decoy_{0}(self, decoy, *others, **more):\n    return decoy + len(others)"
STATEMENTS = [
    "decoy = 0",
    "decoy_a, decoy_b = 1, 2",
    "decoy_c = decoy_d = [decoy]",
    "decoy_a: object = 3",
]


def with_decoys(text: str, inside: bool = True) -> str:
    """A file with classes and functions in front and behind, methods and fields in each class, statements in each method."""
    tree = ast.parse(text)
    added: dict[int, list[str]] = {}

    def add(line: int, margin: int, lines: list[str]) -> None:
        indented = [" " * margin + part for each in lines for part in each.split("\n")]
        added.setdefault(line, []).extend(indented)

    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            first = _first(node)
            margin = first.col_offset
            add(_top(first), margin, [*FIRST, METHODS.format("first")])
            add((node.end_lineno or 0) + 1, margin, [METHODS.format("last")])
        elif (
            inside and isinstance(node, ast.FunctionDef) and not isinstance(node.body[0], ast.Pass)
        ):
            first = _first(node)
            if first.lineno > node.lineno:
                add(_top(first), first.col_offset, STATEMENTS)
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef)]
    add(_top(classes[0]), 0, BESIDE.format("Decoy").split("\n"))
    lines = text.split("\n")
    add(
        len(lines) + 1,
        0,
        BESIDE.format("DecoyLast").replace("decoy_function", "decoy_last").split("\n"),
    )
    out: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        out += [*added.get(number, []), line]
    return "\n".join(out)


def _first(node: ast.ClassDef | ast.FunctionDef) -> ast.stmt:
    """The first statement behind a docstring."""
    has_text = ast.get_docstring(node) is not None and len(node.body) > 1
    return node.body[1] if has_text else node.body[0]


def _top(node: ast.stmt) -> int:
    """The line on which a statement or its decorators begin."""
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])


def without_decoys(text: str) -> str:
    """The code of a file without them and their comments."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for block in ("body", "orelse"):
            held = getattr(node, block, None)
            if isinstance(held, list):
                setattr(node, block, [n for n in held if not _is_decoy(n)])
    return ast.unparse(tree)


def _is_decoy(node: ast.stmt) -> bool:
    if isinstance(node, ast.Pass):
        return True
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return node.name.lower().startswith(MARK)
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return any(MARK in ast.unparse(target) for target in targets if target is not None)


#: What is asked of all the statements of a method, so that none can stand beside the others.
WHOLE = {
    "mask_of_ones_left_out": "layers that only multiply",
    "parts_of_own_module": "a module that keeps rows apart",
    "positions_of_prompts_after_a_refusal": "what refuses stays where nothing else is done before",
    "generation_takes_keywords": "a method that refuses",
    "generation_past_the_parent": "a method that refuses",
    "rotary_module_takes_positions": "a module that makes the product alone",
    "rotary_result_begins_with_a_bracket": "a module that makes the product alone",
    "rotary_module_with_unknown_caller": "a module that makes the product alone",
    "rotary_override_is_removed": "a module that makes the product alone",
}
CASES = [path for path in sorted(GOLDEN.glob("*/*.txt")) if read_case(path).expected]


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_stands_beside_changes_nothing(path: Path) -> None:
    case, inside = read_case(path), path.stem not in WHOLE
    files = {n: with_decoys(t, inside) if "class " in t else t for n, t in case.files.items()}
    result = run(files, path.parent.name)
    said = "".join(map(told, result.report))
    assert sorted(map(placeless, said.split("\n"))) == sorted(
        map(placeless, case.report.split("\n"))
    )
    after = {name: without_decoys(text) for name, text in {**files, **result.edits}.items()}
    assert after == {n: without_decoys(t) for n, t in split_files(case.expected or "").items()}


def placeless(line: str) -> str:
    """A line of a report without the numbers of lines."""
    return re.sub(r"(at (\S+:)?|line )\d+", r"\2", line)
