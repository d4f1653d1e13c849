"""What is of no use once the loops of a processor are gone, and what still reads their counters."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import of_kind, target_of, target_text, walk
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.swaps import names_in


def totals(function: Function, sites: Sequence[Site]) -> Iterator[str]:
    """Counters that are read behind their loop: they have counted the placeholders."""
    for site in sites:
        end = max(statement.end_lineno or 0 for statement in (site.start, *site.statements))
        later = [
            node
            for node in walk(function)
            if isinstance(node, ast.Name) and node.id == site.counter and node.lineno > end
        ]
        first = min(later, key=lambda node: (node.lineno, node.col_offset), default=None)
        if first is not None and isinstance(first.ctx, ast.Load):
            token = ast.unparse(site.token)
            yield f"{site.counter} = sum(sample.count({token}) for sample in {site.texts})"


def leftovers(function: Function, sites: Sequence[Site]) -> Iterator[ast.stmt]:
    """Counters, empty lists and patterns that only the loops used."""
    gone = {id(node) for site in sites for s in site.statements for node in walk(s)}
    stays = set[str]().union(*(names_in(text) for site in sites for text in (site.rest, site.lead)))
    for pattern in patterns(function, gone):
        if target_text(pattern) not in stays:
            yield pattern
    results = {site.result for site in sites if not site.rest}
    kept = {name.id for name in _loads(function) if id(name) not in gone}
    used = {
        n.id for site in sites for s in site.statements for n in walk(s) if isinstance(n, ast.Name)
    }
    seen: set[int] = set()
    for site in sites:
        for node in site.block:
            if node.lineno >= site.start.lineno or not isinstance(node, ast.Assign):
                continue
            target = target_of(node)
            if not isinstance(target, ast.Name) or not _is_empty(node.value):
                continue
            unused = not (site.kept or site.rest) or target.id == site.queue
            gone_too = target.id in (*results, site.counter)
            goes = gone_too or (unused and target.id not in kept)
            if target.id in used and id(node) not in seen and goes:
                seen.add(id(node))
                yield node


def patterns(function: Function, gone: Collection[int]) -> Iterator[ast.Assign]:
    """Regular expressions that are given a name, which only loops of sites read."""
    made = [node for node in of_kind(function, ast.Assign) if _is_pattern(node.value)]
    kept = {name.id for name in _loads(function) if id(name) not in gone} if made else set()
    used = {name.id for name in _loads(function)} - kept if made else set()
    for node in made:
        target = target_of(node)
        if isinstance(target, ast.Name) and target.id in used:
            yield node


def _is_pattern(value: ast.expr) -> bool:
    """Whether an expression is a call of ``re.compile`` or ``re.escape``."""
    called = value.func if isinstance(value, ast.Call) else None
    known = isinstance(called, ast.Attribute) and called.attr in ("compile", "escape")
    return known and getattr(called.value, "id", "") == "re"  # type: ignore[union-attr]


def _loads(function: Function) -> Iterator[ast.Name]:
    return (node for node in of_kind(function, ast.Name) if isinstance(node.ctx, ast.Load))


def _is_empty(value: ast.expr) -> bool:
    is_zero = isinstance(value, ast.Constant) and value.value == 0
    return is_zero or (isinstance(value, ast.List) and not value.elts)
