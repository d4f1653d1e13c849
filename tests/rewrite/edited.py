"""Small edits of golden cases: each is one step away from a form that is known.

An edit replaces one expression or statement of a case's first file. What the passes make of each is
recorded in ``golden/edited.txt`` and held by :mod:`tests.rewrite.test_edited_cases`. Any number more of them is
looked at with

    python -m tests.rewrite.edited --tries 40 [--seed 1] [--case capture-ones] [--add]

which executes both sides of each that is still rewritten and prints what differs: an edit that makes a form
another one has to be left, or come out as what it then is. ``--add`` records those whose outcome is none that
is recorded yet.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import hashlib
import importlib
import random
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from codegen.rewrite import RewriteResult
from codegen.text.lines import LineMap
from tests.rewrite.execution import assert_same, load, result_of
from tests.rewrite.test_rules import CASES, GOLDEN, Case, join_files, read_case, run, told

TABLE = GOLDEN / "edited.txt"
TOLERANCE = 2e-5

#: What stands for an operator, by its type.
_SWAPPED: Mapping[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.FloorDiv,
    ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_KEPT_WHOLE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_LONGEST = 60


@dataclass(frozen=True)
class Edit:
    """``old`` in a range of a text becomes ``new``."""

    start: int
    end: int
    line: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.line} {_short(self.old)} -> {_short(self.new)}"

    def apply(self, text: str) -> str:
        """The text with the edit."""
        return text[: self.start] + self.new + text[self.end :]


def _short(code: str) -> str:
    line = " ".join(code.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def edits_of(text: str) -> dict[str, Edit]:
    """All edits of a text, by their spelling; of those that are spelled alike the first."""
    lines = LineMap(text)
    found: dict[str, Edit] = {}
    tree = ast.parse(text)
    for node in (inner for top in tree.body for inner in ast.walk(top)):
        if not isinstance(node, (ast.expr, ast.stmt)):
            continue
        for new in (*_of_statement(node), *map(ast.unparse, _of_expression(node))):
            start, end = lines.span(node)
            old = text[start:end]
            new = new if isinstance(node, ast.stmt) else f"({new})"
            edit = Edit(start, end, lines.line_at(start), old, new)
            found.setdefault(str(edit), edit)
    return found


def _of_statement(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.stmt) or isinstance(node, _KEPT_WHOLE):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    yield "pass"
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)) and node.lineno == node.end_lineno:
        yield f"{ast.unparse(node)}; {ast.unparse(node)}"


def _of_expression(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions that differ from one in one thing."""
    if not isinstance(node, ast.expr):
        return
    for attribute in ("op", "ops"):
        if isinstance(node, (ast.BinOp, ast.BoolOp, ast.Compare)):
            yield from _with_other_operator(node, attribute)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
    if isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    if isinstance(node, ast.Call):
        yield from _calls(node)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield node.value
    if isinstance(node, (ast.Tuple, ast.List)) and isinstance(node.ctx, ast.Load) and node.elts[1:]:
        yield type(node)(node.elts[::-1], ast.Load())
        yield type(node)(node.elts[:-1], ast.Load())


def _with_other_operator(node: ast.expr, attribute: str) -> Iterator[ast.expr]:
    known: Any = getattr(node, attribute, None)
    first: ast.AST = known[0] if isinstance(known, list) else known
    other = _SWAPPED.get(type(first))
    if other is not None:
        changed = copy.copy(node)
        rest = [other(), *known[1:]] if isinstance(known, list) else other()
        setattr(changed, attribute, rest)
        yield changed


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    if node.args:
        yield ast.Call(node.func, node.args[:-1], node.keywords)
    if len(node.args) > 1:
        yield ast.Call(node.func, node.args[::-1], node.keywords)
    for number in range(len(node.keywords)):
        rest = [*node.keywords[:number], *node.keywords[number + 1 :]]
        yield ast.Call(node.func, node.args, rest)
    if isinstance(node.func, ast.Attribute):
        yield node.func.value


def edited(case: Case, edit: Edit) -> dict[str, str]:
    """The files of a case with an edit of the first."""
    (first, text), *rest = case.files.items()
    return {first: edit.apply(text), **dict(rest)}


def outcome(case: Case, base: RewriteResult, files: Mapping[str, str], folder: str) -> list[str]:
    """What is left that is not left of the case as it is, and a digest of all that is told and written."""
    result = run(files, folder)
    usual = {told(record) for record in base.report}
    said = [told(record) for record in result.report]
    written = join_files({**files, **result.edits}) if result.edits else ""
    digest = hashlib.sha256("".join([*said, written]).encode()).hexdigest()[:8]
    left = [line[2:-1] for line in said if line.startswith("# left") and line not in usual]
    return [*left, f"{len(said)} records, {'written' if written else 'not written'}: {digest}"]


def sample(case: Case, seed: str, count: int) -> list[Edit]:
    """Some edits of a case that leave it valid, the same for a seed."""
    text = next(iter(case.files.values()))
    found = sorted(edits_of(text).items())
    chosen = random.Random(seed).sample(found, min(count, len(found)))
    return [edit for _, edit in chosen if _is_valid(edit.apply(text))]


def _is_valid(text: str) -> bool:
    try:
        compile(text, "edited", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


# -- the table -----------------------------------------------------------------------------------

Table = dict[str, dict[str, list[str]]]
"""Outcomes by case and edit."""


def name_of(path: Path) -> str:
    """What a case is called in the table."""
    return f"{path.parent.name}-{path.stem}"


def read_table() -> Table:
    """What is recorded."""
    table: Table = {}
    case = edit = ""
    for line in TABLE.read_text(encoding="utf-8").split("\n") if TABLE.exists() else ():
        if line.startswith("## "):
            case = line.removeprefix("## ")
        elif line.startswith("    "):
            table[case][edit].append(line.strip())
        elif line:
            edit = line
            table.setdefault(case, {})[edit] = []
    return table


def write_table(table: Table) -> None:
    """Record outcomes."""
    lines = []
    for case in sorted(case for case, entries in table.items() if entries):
        lines.append(f"## {case}")
        for edit, said in sorted(table[case].items(), key=lambda item: (_number(item[0]), item[0])):
            lines += [edit, *(f"    {line}" for line in said)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _number(edit: str) -> int:
    return int(edit.partition(" ")[0])


def kind(said: Sequence[str]) -> tuple[str, ...]:
    """Outcomes of one kind: the same reasons about other names and numbers."""
    words = (line.partition(": ")[2] or line for line in said[:-1])
    reasons = {re.sub(r"\d+|`[^`]*`|\w*_\w+|[\w.]+\.[\w.]+", "", line) for line in words}
    return tuple(sorted({*reasons, said[-1].partition(":")[0]}))


# -- looking for more ----------------------------------------------------------------------------


def differences(case: Case, files: Mapping[str, str], edits: Mapping[str, str]) -> Iterator[str]:
    """Where what the passes made of some files gives something else than they did."""
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.path.insert(0, name)
        importlib.invalidate_caches()
        with contextlib.suppress(Exception):
            before = load(files, Path(name), "edited_before", case.run)
            after = load({**files, **edits}, Path(name), "edited_after", case.run)
            for number, arguments in enumerate(before.inputs):
                expected = result_of(before.run, arguments)
                actual = result_of(after.run, after.inputs[number])
                try:
                    assert_same(expected, actual, TOLERANCE)
                except AssertionError as error:
                    yield f"input {number}: {' '.join(str(error).split())[:200]}"
                    break
        sys.path.remove(name)
        for module in [key for key in sys.modules if key.startswith("edited_")]:
            del sys.modules[module]


def main() -> int:
    """Look at edits by chance; exit 1 where both sides of one differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.rewrite.edited")
    parser.add_argument("--tries", type=int, default=10, help="edits of each case")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--case", default="", help="only cases with this in their names")
    parser.add_argument("--add", action="store_true", help="record outcomes of new kinds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = read_table()
    known = {kind(said) for entries in table.values() for said in entries.values()}
    found = 0
    for path in (path for path in CASES if options.case in name_of(path)):
        case, folder = read_case(path), path.parent.name
        base = run(case.files, folder)
        for edit in sample(case, f"{options.seed} {path.stem}", options.tries):
            files = edited(case, edit)
            said = outcome(case, base, files, folder)
            if options.add and kind(said) not in known:
                known.add(kind(said))
                table.setdefault(name_of(path), {})[str(edit)] = said
            written = run(files, folder).edits if case.run else {}
            for problem in differences(case, files, written) if written else ():
                print(f"{name_of(path)}: {edit}: {problem}", flush=True)
                found += 1
    if options.add:
        write_table(table)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
