"""More small edits of code than :mod:`tests.rewrite.edited` makes, and tables of what comes of them.

Each is one step away from a form that is known: another name, another argument, a statement more or less, a block
around it. A table names the outcome of an edit in a word or a digest, so that a change of any of them shows and is
looked at. Of the thousands that there are, a table holds those on which the code under test goes a way of its
own (:func:`ways`); ``python -m tests.rewrite.small_edits`` chooses them anew.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import importlib
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from codegen.text.lines import LineMap
from tests.rewrite.edited import Edit, edits_of

GOLDEN = Path(__file__).with_name("golden")
PACKAGE = "codegen/rewrite/"
OTHER = "zz"
"""A name that stands nowhere else."""
Table = dict[str, dict[str, str]]
"""Outcomes by name of the code and edit."""

_OF_EACH = 12
"""So many edits of a piece with one outcome are looked at."""


def all_edits(text: str) -> dict[str, Edit]:
    """The edits of a text by their spelling; not all of them leave it valid."""
    lines = LineMap(text)
    found = edits_of(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.expr, ast.stmt)):
            start, end = lines.span(node)
            old = text[start:end]
            for new in (*_of_statement(node, text, lines), *map(_spelled, _of_expression(node))):
                edit = Edit(start, end, lines.line_at(start), old, new)
                found.setdefault(str(edit), edit)
    return found


def is_body(text: str) -> bool:
    """Whether a text may be the body of a function."""
    body = "\n".join(f" {line}" for line in text.split("\n"))
    try:
        compile(f"def f():\n{body}\n", "body", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _spelled(node: ast.expr) -> str:
    text = ast.unparse(ast.fix_missing_locations(node))
    simple = (ast.Name, ast.Constant, ast.Attribute, ast.Call, ast.Subscript, ast.Starred)
    return text if isinstance(node, simple) else f"({text})"


def _of_statement(node: ast.AST, text: str, lines: LineMap) -> Iterator[str]:
    if not isinstance(node, ast.stmt) or isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return
    start, end = lines.span(node)
    margin, written = " " * node.col_offset, text[start:end]
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    for name in dict.fromkeys(names[:1]):
        yield f"{OTHER}({name})\n{margin}{written}"
        yield f"{written}\n{margin}{OTHER}({name})"
        yield f"{written}\n{margin}{name} = {OTHER}"
        yield f"{name} = {OTHER}\n{margin}{written}"
    inside = written.replace("\n", "\n    ")
    yield f"if {OTHER}:\n{margin}    {inside}"
    yield f"for {OTHER} in {OTHER}s:\n{margin}    {inside}"
    yield f"{written}\n{margin}continue"
    if isinstance(node, (ast.For, ast.While)) and not node.orelse:
        yield f"{written}\n{margin}else:\n{margin}    {OTHER}()"
    if isinstance(node, ast.Assign):
        target, value = ast.unparse(node.targets[0]), ast.unparse(node.value)
        yield f"{OTHER} = {ast.unparse(node)}"
        yield f"{target} = {OTHER} = {value}"
        yield f"{target} += {value}"
        yield f"{target}: {OTHER} = {value}"
        yield f"{target}, {OTHER} = {value}"
        yield value
    if isinstance(node, ast.AugAssign):
        yield f"{ast.unparse(node.target)} = {ast.unparse(node.value)}"
    if isinstance(node, ast.Expr):
        yield f"{OTHER} = {written}"
        yield f"return {written}"


def _of_expression(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions that stand for one, and have another name or one part more or less."""
    if isinstance(node, ast.Name):
        yield ast.Name(OTHER)
        yield ast.Attribute(ast.Name("self"), node.id)
        if isinstance(node.ctx, ast.Load):
            yield ast.Subscript(node, ast.Constant(0))
    elif isinstance(node, ast.Attribute):
        yield ast.Attribute(node.value, OTHER)
        yield ast.Name(node.attr)
    elif isinstance(node, ast.Constant):
        yield ast.Name(OTHER)
        if isinstance(node.value, str):
            yield ast.Constant(f"{node.value}+")
        if isinstance(node.value, int):
            yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.Call):
        more = ast.Name(OTHER)
        yield ast.Call(node.func, [*node.args, more], node.keywords)
        yield ast.Call(node.func, [more, *node.args], node.keywords)
        yield ast.Call(node.func, [*node.args, ast.Starred(more)], node.keywords)
        yield ast.Call(node.func, node.args, [*node.keywords, ast.keyword(OTHER, more)])
        yield ast.Call(more, node.args, node.keywords)
        if node.args:
            yield node.args[0]
            yield ast.Call(node.func, [], node.keywords)
    elif isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.SetComp)):
        changed = copy.deepcopy(node)
        changed.generators[0].ifs.append(ast.Name(OTHER))
        yield changed
        more_loops = copy.deepcopy(node)
        more_loops.generators.append(ast.comprehension(ast.Name(OTHER), ast.Name("zzs"), [], 0))
        yield more_loops
    elif isinstance(node, ast.BinOp):
        yield node.left
        yield node.right
        yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.BoolOp):
        yield node.values[0]
        yield node.values[-1]
    elif isinstance(node, ast.Compare):
        yield ast.Compare(node.comparators[0], node.ops, [node.left])
        yield ast.Compare(node.left, [*node.ops, ast.Lt()], [*node.comparators, ast.Name(OTHER)])
        yield ast.UnaryOp(ast.Not(), node)
    elif isinstance(node, (ast.Tuple, ast.List)) and node.elts:
        yield type(node)([*node.elts, ast.Name(OTHER)], node.ctx)
        yield type(node)(node.elts[:-1], node.ctx)
        yield type(node)([*node.elts[:-1], ast.Starred(node.elts[-1])], node.ctx)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        part = node.slice
        yield ast.Subscript(node.value, ast.Slice(None, part.upper, part.step))
        yield ast.Subscript(node.value, ast.Slice(part.lower, None, part.step))
        yield ast.Subscript(node.value, ast.Slice(part.lower, part.upper, ast.Constant(2)))


# -- tables --------------------------------------------------------------------------------------


def digest(said: str) -> str:
    """A short digest."""
    return hashlib.sha256(said.encode()).hexdigest()[:6]


def read_table(path: Path) -> Table:
    """What is recorded: below the name of a piece of code, lines of an outcome and an edit."""
    table: Table = {}
    name = ""
    for line in path.read_text(encoding="utf-8").split("\n") if path.exists() else ():
        if line.startswith("## "):
            name = line.removeprefix("## ")
            table[name] = {}
        elif line:
            outcome, _, edit = line.partition(" ")
            table[name][edit] = outcome
    return table


def write_table(path: Path, table: Table) -> None:
    """Record outcomes."""
    lines = []
    for name, entries in table.items():
        lines += [f"## {name}", *(f"{outcome} {edit}" for edit, outcome in entries.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def hold(
    path: Path,
    pieces: Mapping[str, str],
    name: str,
    outcome: Callable[[str, str], str],
    record: bool,
) -> None:
    """Hold the recorded edits of a piece to their outcomes, or record these."""
    table = read_table(path)
    recorded, edits = table.get(name, {}), all_edits(pieces[name])
    found = {
        edit: outcome(name, edits[edit].apply(pieces[name])) for edit in recorded if edit in edits
    }
    if not record:
        assert found == recorded
    elif name in table:
        write_table(path, {n: {**table, name: found}[n] for n in pieces if n in table})


# -- choosing ------------------------------------------------------------------------------------

Way = frozenset[tuple[CodeType, int, int]]


@contextmanager
def ways(package: str) -> Iterator[Callable[[], Way]]:
    """While this holds, the steps from one operation to the next in sources below a folder: gives what was
    gone through since it was asked last."""
    steps: set[tuple[CodeType, int, int]] = set()
    last: dict[FrameType, int] = {}

    def inside(frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            steps.add((frame.f_code, last.get(frame, -1), frame.f_lasti))
            last[frame] = frame.f_lasti
        elif event == "return":
            last.pop(frame, None)
        return inside

    def called(frame: FrameType, event: str, _: Any) -> Any:
        if package not in frame.f_code.co_filename.replace("\\", "/"):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return inside

    def gone() -> Way:
        found = frozenset(steps)
        steps.clear()
        return found

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield gone
    finally:
        sys.settrace(before)


def chosen(
    pieces: Mapping[str, str], outcome: Callable[[str, str], str], package: str, most: int
) -> Table:
    """Of the edits of pieces of code those that go a way that none before them went, so many of each piece
    at most: those first that take steps which no other takes. Looked at are those whose outcome is one of its
    own, and some others; without a ``package`` these are it."""
    table: Table = {name: {} for name in pieces}
    if not package:
        for name, before in pieces.items():
            few = islice(_of_few_outcomes(before, partial(outcome, name), 1), most)
            table[name] = dict(sorted(((e, outcome(name, text)) for e, text in few), key=_place))
        return table
    looked_at = [
        (name, edit, text)
        for name, before in pieces.items()
        for edit, text in _of_few_outcomes(before, partial(outcome, name), _OF_EACH)
    ]
    found: list[tuple[str, str, Way, str]] = []
    with ways(package) as gone:
        for name, edit, text in looked_at:
            gone()
            said = outcome(name, text)
            found.append((name, edit, gone(), said))
    known, seen = set[Any](), set[tuple[Way, str]]()
    for only_new_steps in (True, False):
        for name, edit, way, said in found:
            is_new = bool(way - known) if only_new_steps else (way, said) not in seen
            if is_new and edit not in table[name] and len(table[name]) < most:
                known |= way
                seen.add((way, said))
                table[name][edit] = said
    return {name: dict(sorted(entries.items(), key=_place)) for name, entries in table.items()}


def _of_few_outcomes(
    before: str, outcome: Callable[[str], str], of_each: int
) -> Iterator[tuple[str, str]]:
    """Edits of a text and what they make of it, some of each outcome; the same each time."""
    edits = {name: edit.apply(before) for name, edit in all_edits(before).items()}
    counts = Counter[str]()
    for name in random.Random(0).sample(sorted(edits), len(edits)):
        if is_body(edits[name]):
            said = outcome(edits[name])
            counts[said] += 1
            if counts[said] <= of_each:
                yield name, edits[name]


def _place(entry: tuple[str, str]) -> tuple[int, str]:
    return int(entry[0].partition(" ")[0]), entry[0]


TABLES: Mapping[str, str] = {
    "sites": "tests.rewrite.test_edited_sites",
    "runs": "tests.rewrite.test_edited_runs",
}
"""Tests that hold a table, by its name: each has ``PIECES``, ``outcome``, ``BELOW`` and ``MOST``."""


def main() -> int:
    """Choose the edits of some tables anew."""
    parser = argparse.ArgumentParser(prog="python -m tests.rewrite.small_edits")
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], default=list(TABLES))
    names: Iterable[str] = parser.parse_args().tables
    for name in names:
        test = importlib.import_module(TABLES[name])
        table = chosen(test.PIECES, test.outcome, test.BELOW, test.MOST)
        write_table(GOLDEN / f"edited_{name}.txt", table)
        print(f"{name}: {sum(map(len, table.values()))} edits of {len(table)} pieces")
    return 0


if __name__ == "__main__":
    sys.exit(main())
