"""What a rule does not know it does not remove: every piece of a case is exchanged for one that no rule can know.

Another name for what is called, a further argument in front or behind, another number, a statement more, a
second target, a condition: either the method stays, or the piece is in what is written, in both forms where there
are two.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from tests.rewrite.test_rules import GOLDEN, read_case, run

#: Sort in front of and behind all words.
NAMES = ("Aa0", "zz0")
NUMBER = "97"
#: Forms of attention that differ little, and some that take long. Those of prompts with sounds take minutes: they
#: are run on prompts, their eager form keeps every word, and near misses stand in golden cases of their own.
ALIKE = (
    "attention_not",
    "attention_pieces",
    "attention_split_by",
    "attention_with",
    "chunks_of_other",
    "positions_with_sounds",
    "table_resized",
)
CASES = [
    path
    for path in sorted(GOLDEN.glob("capture/*.txt"))
    if read_case(path).expected and not path.stem.startswith(ALIKE)
]
#: These are run on prompts, too, for about ten seconds.
LONG = ("positions_with_targets",)


def marked(paths: list[Path]) -> list[Any]:
    """Paths of cases as parameters, the long ones for `make test-all` only."""
    slow = pytest.mark.slow
    return [pytest.param(path, id=path.stem, marks=[slow] * (path.stem in LONG)) for path in paths]


def changed(text: str, after: str) -> Iterator[tuple[str, str]]:
    """Texts with one piece exchanged or added where a rule makes something else of it, and that piece."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)

    def at(node: ast.AST, end: bool = False) -> int:
        line, column = (getattr(node, f"{'end_' * end}{name}") for name in ("lineno", "col_offset"))
        return starts[line - 1] + int(column)

    tree = ast.parse(text)
    gone = _gone(text, after) or _methods(tree)
    nodes = [n for n in ast.walk(tree) if getattr(n, "lineno", 0) in gone]
    for number, node in enumerate(nodes):
        name = NAMES[number % 2]
        for start, end, new in _pieces(node, at, name):
            piece = next(piece for piece in (NUMBER, *NAMES) if piece in new)
            yield text[:start] + new + text[end:], piece


def _pieces(node: ast.AST, at: Callable[..., int], name: str) -> Iterator[tuple[int, int, str]]:
    """Where something is exchanged or put in, and what."""
    if isinstance(node, ast.Call):
        last = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        behind = at(node.func, True)
        yield behind - len(last), behind, name
        if node.args:
            yield behind + 1, behind + 1, f"{name}, "
            yield at(node.args[-1], True), at(node.args[-1], True), f", {name}"
            yield at(node.args[-1], True), at(node.args[-1], True), f", other={name}"
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield at(node), at(node, True), NUMBER
    elif isinstance(node, (ast.ListComp, ast.GeneratorExp)):
        end = at(node.generators[-1].iter, True)
        yield end, end, f" if {name}"
        yield end, end, f" for other in {name}"
    elif isinstance(node, ast.stmt):
        yield at(node), at(node), f"{name}()\n{' ' * node.col_offset}"
    if isinstance(node, ast.Assign):
        yield at(node), at(node), f"self.{name} = "
        yield at(node.targets[0], True), at(node.targets[0], True), f" = self.{name}"
        if isinstance(node.targets[0], ast.Name):
            for other in NAMES:
                yield at(node.targets[0]), at(node.targets[0], True), other
    if isinstance(node, (ast.For, ast.While)):
        yield at(node.body[-1], True), at(node.body[-1], True), f"; {name}()"


def _gone(before: str, after: str) -> set[int]:
    """Numbers of the lines that are not there any more."""
    lines = before.split("\n"), after.split("\n")
    same = SequenceMatcher(None, *lines, autojunk=False).get_matching_blocks()
    kept = {start + n + 1 for start, _, size in same for n in range(size)}
    return {*range(1, len(lines[0]) + 1)} - kept


def _methods(tree: ast.Module) -> set[int]:
    """Lines of methods but for ``__init__``: a rule that adds a branch leaves all of them."""
    methods = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name[:2] != "__")
    return {line for n in methods for line in range(n.body[0].lineno, (n.end_lineno or 0) + 1)}


def vanishes(text: str, word: str) -> bool:
    """Whether a word is gone, or stands only in the form that graphs do not take."""
    tree, pattern = ast.parse(text), re.compile(rf"\b{word}\b")
    found = [
        [part is not None and pattern.search(part) is not None for part in pair]
        for pair in forms(tree)
    ]
    return not pattern.search(ast.unparse(tree)) or any(
        eager and not traced for eager, traced in found
    )


def forms(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The eager form and that for graphs, wherever there are two."""
    for node in ast.walk(tree):
        if isinstance(node, ast.IfExp) and "is_tracing" in ast.unparse(node.test):
            yield ast.unparse(node.orelse), ast.unparse(node.body)
        blocks = [getattr(node, name, None) for name in ("body", "orelse", "finalbody")]
        for block in (block for block in blocks if isinstance(block, list)):
            for number, inner in enumerate(block):
                if isinstance(inner, ast.If) and "is_tracing" in ast.unparse(inner.test):
                    leaves = isinstance(inner.body[-1], ast.Return)
                    eager = inner.orelse or (block[number + 1 :] if leaves else [])
                    yield (
                        ast.unparse(ast.Module(eager, [])),
                        ast.unparse(ast.Module(inner.body, [])),
                    )


@pytest.mark.parametrize("path", marked(CASES))
def test_an_unknown_piece_stays(path: Path) -> None:
    files = read_case(path).files
    after = {**files, **run(files, "capture").edits}
    for name, text in files.items():
        for new, piece in changed(text, after[name]):
            edited = run({**files, name: new}, "capture").edits.get(name)
            assert edited is None or not vanishes(edited, piece), new
