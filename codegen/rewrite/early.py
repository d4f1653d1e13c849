"""Names that a function reads where nothing can have assigned them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from codegen.rewrite.nodes import BLOCKS, of_kind, of_kinds, own_nodes, walk
from codegen.rewrite.reach import UNBOUND, Reaching

_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try)
_JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def early_reads(
    function: ast.FunctionDef, suspects: Collection[str] | None = None
) -> Iterator[str]:
    """Names that a function assigns somewhere, and reads where nothing can have assigned them.

    Of all its names, or of the ``suspects`` among them.
    """
    stored = {n.id for n in of_kind(function, ast.Name) if _is_store(n)}
    if suspects is not None:
        stored.intersection_update(suspects)
    if not stored:
        return
    given = {n.arg for n in walk(function.args) if isinstance(n, ast.arg)}
    is_plain = not any(of_kinds(function, ast.Delete, ast.Match))
    if is_plain and _read_behind(function, stored - given):
        return
    if _reads_in_order(function.body, stored, given):
        return
    reaching = Reaching(function)
    for statement in own_statements(function.body):
        nodes = own_nodes(statement)
        made = {n.id for n in nodes if isinstance(n, ast.Name) and _is_store(n)}
        if not reaching.is_reached(statement):
            continue
        for node in nodes:
            name = node.id if isinstance(node, ast.Name) and not _is_store(node) else ""
            known = reaching.definitions(statement, name) - {UNBOUND}
            if name in stored and name not in made and not known:
                yield name


def _read_behind(function: ast.FunctionDef, names: Collection[str]) -> bool:
    """Whether all reads of some names stand where they are plainly assigned; False where it is not told so soon.

    That is behind an assignment in the same block, in the body of a loop over them, or in a comprehension.
    """
    covered: dict[str, list[tuple[_Position, _Position]]] = {name: [] for name in names}

    def cover(target: ast.expr, start: _Position, end: _Position) -> None:
        for node in target.elts if isinstance(target, ast.Tuple) else (target,):
            if isinstance(node, ast.Name) and node.id in covered:
                covered[node.id].append((start, end))

    pending = [function.body]
    for block in pending:
        end = _end(block[-1])
        for statement in block:
            for target in statement.targets if isinstance(statement, ast.Assign) else ():
                cover(target, _end(statement), end)
            if isinstance(statement, ast.For):
                cover(statement.target, _end(statement.iter), _end(statement.body[-1]))
            if hasattr(statement, "body"):
                pending += [list(inner) for _, inner in _blocks(statement) if inner]
    for loop in of_kinds(function, ast.ListComp, ast.GeneratorExp):
        assert isinstance(loop, (ast.ListComp, ast.GeneratorExp))
        outer = loop.generators[0].iter
        for generator in loop.generators:
            cover(generator.target, _start(loop), _start(outer))
            cover(generator.target, _end(outer), _end(loop))
    for node in of_kind(function, ast.Name):
        if node.id in covered and not _is_store(node):
            place = _start(node)
            if not any(start <= place < end for start, end in covered[node.id]):
                return False
    return True


_Position = tuple[int, int]


def _start(node: ast.expr) -> _Position:
    return node.lineno, node.col_offset


def _end(node: ast.stmt | ast.expr) -> _Position:
    return node.end_lineno or 0, node.end_col_offset or 0


def _reads_in_order(
    block: Sequence[ast.stmt], stored: Collection[str], before: Collection[str]
) -> bool:
    """Whether what a block reads is plainly assigned before, in it or in a block around it.

    Most functions are like that, and it is sooner told than which definitions reach a statement.

    Args:
        block: the statements.
        stored: the names in question.
        before: those that are assigned in front of the block.
    """
    known = set(before)
    for statement in block:
        if isinstance(statement, (ast.Delete, ast.Match)):
            return False
        nodes = own_nodes(statement)
        names = [n for n in nodes if isinstance(n, ast.Name) and n.id in stored]
        if not names and not hasattr(statement, "body"):
            continue
        made = {n.id for n in names if _is_store(n)}
        if not known.issuperset(n.id for n in names if n.id not in made):
            return False
        for kind, inner in _blocks(statement):
            is_loop = kind == "body" and isinstance(statement, (ast.For, ast.AsyncFor))
            if not _reads_in_order(inner, stored, known | made if is_loop else known):
                return False
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        known |= {n.id for t in targets for n in walk(t) if isinstance(n, ast.Name)} & made
        if isinstance(statement, _COMPOUND) and statement is not block[-1]:
            known |= _made_on_a_way(statement)
    return True


def _made_on_a_way(statement: ast.stmt) -> set[str]:
    """Names that a compound statement assigns on some way through; none if one may lead elsewhere."""
    if any(isinstance(node, _JUMPS) for node in walk(statement)):
        return set()
    assigned = (s for s in own_statements([statement]) if isinstance(s, ast.Assign))
    nodes = (n for s in assigned for target in s.targets for n in walk(target))
    return {n.id for n in nodes if isinstance(n, ast.Name) and _is_store(n)}


def _blocks(statement: ast.stmt) -> Iterator[tuple[str, Sequence[ast.stmt]]]:
    """The blocks of a statement that run with it, by the names of the fields."""
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        for name in ("body", "orelse", "finalbody"):
            yield name, getattr(statement, name, ())
        for handler in getattr(statement, "handlers", ()):
            yield "handlers", handler.body


def own_statements(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and of the blocks in it, without those of functions and classes in it."""
    for statement in block:
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for name in BLOCKS:
            for child in getattr(statement, name, ()):
                inner = (
                    child.body
                    if isinstance(child, (ast.ExceptHandler, ast.match_case))
                    else [child]
                )
                yield from own_statements(inner)


def _is_store(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)
