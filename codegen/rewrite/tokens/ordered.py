"""Loops over the placeholders of a text, in their order, of several kinds: they stay, and fill a list for each."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.tokens.inline import LIST, NEXT, without_end, written
from codegen.rewrite.tokens.replacing import Parts, subject_of
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import expression, modality_of, placeholder_of, renamed, wrapped


def ordered_site(
    info: ModuleInfo, function: Function, block: Sequence[ast.stmt], number: int
) -> Site | None:
    """The site that a loop over texts is, if a loop in it replaces the first placeholder of a kind each time."""
    loop = block[number]
    if not isinstance(loop, ast.For):
        return None
    text, texts = subject_of(function, loop)
    inner = next((node for node in loop.body if isinstance(node, ast.For)), None)
    if not text or inner is None:
        return None
    parts = Parts(text, loop)
    puts = {
        n: c for n in walk(inner) if isinstance(n, ast.stmt) and (c := parts.replacement(n, True))
    }
    tokens = _tokens(inner, puts)
    if len(tokens) < 2 or _reads(inner, text, puts):
        return None
    kinds = list(tokens)
    edits: list[tuple[ast.AST, str]] = []
    for node, call in puts.items():
        kind = kinds.index(modality_of(ast.unparse(call.args[0])))
        edits.append((node, f"{LIST}{kind}.append({expression(info, call.args[1])})"))
    named = {kind: token for kind, token in tokens.items() if isinstance(token, ast.IfExp)}
    place = loop.body.index(inner)
    behind = _behind(parts, loop.body[place + 1 :], _without_surplus(text, kinds, named))
    if behind is None or any(_stores(node, text) for node in loop.body[:place]):
        return None
    edits += behind.edits
    names = {node.id for node in walk(function) if isinstance(node, ast.Name)}
    if {placeholder_of(kind) for kind in named} & names or not all(map(_part_of, named.values())):
        return None
    lead = [line for kind, token in named.items() for line in wrapped(placeholder_of(kind), token)]
    kept = renamed(written(info, loop, edits), {}, {}, behind.units)
    first, *others = tokens.values()
    item = tuple(node for node in walk(inner) if isinstance(node, ast.stmt) and node in puts)
    return Site(
        *(function, block, (loop,), first, texts, behind.result, item, first),
        tuple(behind.units),
        kept=without_end(kept, _current(inner, first)),
        others=tuple(others),
        lead="\n".join(lead),
        calls=(NEXT,),
    )


@dataclass(frozen=True, eq=False)
class _Behind:
    """What stands behind the loop over placeholders: edits of it, what marks stand for, the list of results."""

    edits: tuple[tuple[ast.AST, str], ...]
    units: Mapping[str, str]
    result: str


def _behind(parts: Parts, nodes: Sequence[ast.stmt], surplus: str) -> _Behind | None:
    """What statements do that bring marks back and collect a text, with ``surplus`` in place of the latter."""
    edits: list[tuple[ast.AST, str]] = []
    units: dict[str, str] = {}
    result = ""
    for node in nodes:
        back, collected = parts.brought_back(node), parts.appended(node)
        if back is not None:
            units[back[0]] = back[1]
        elif not collected:
            return None
        result = collected or result
        edits.append((node, surplus if collected else ""))
    return _Behind(tuple(edits), units, result) if result else None


def _reads(inner: ast.For, text: str, puts: Collection[ast.stmt]) -> bool:
    """Whether a loop reads the text but to replace in it: what it goes through was read before."""
    gone = {id(part) for node in puts for part in walk(node)}
    return any(_is(n, text) and id(n) not in gone for b in inner.body for n in walk(b))


def _part_of(token: ast.IfExp) -> ast.expr | None:
    for one, other in ((token.body, token.orelse), (token.orelse, token.body)):
        inside = {ast.unparse(n) for n in walk(other) if isinstance(n, ast.expr)}
        if ast.unparse(one) in inside:
            return one
    return None


def _without_surplus(text: str, kinds: Sequence[str], named: Mapping[str, ast.IfExp]) -> str:
    """The statement that drops what was made for placeholders that are not replaced: the last of a text."""
    lines = []
    for kind, token in named.items():
        name, lone = f"{LIST}{kinds.index(kind)}", ast.unparse(_part_of(token) or token)
        kept = f"len({name}) - {text}.count({lone}) + {text}.count({placeholder_of(kind)})"
        lines.append(f"del {name}[{kept} :]")
    return "; ".join(lines)


def _tokens(inner: ast.For, puts: Mapping[ast.stmt, ast.Call]) -> dict[str, ast.expr]:
    """The placeholder of each kind of item; empty where that cannot be said.

    A kind may have two, if which of them is looked for is the same throughout the loop.
    """
    found: dict[str, list[tuple[ast.stmt, ast.expr]]] = {}
    for node, call in puts.items():
        found.setdefault(modality_of(ast.unparse(call.args[0])), []).append((node, call.args[0]))
    bound = {n.id for n in walk(inner) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    tokens: dict[str, ast.expr] = {}
    for kind, pairs in found.items():
        if len({ast.unparse(token) for _, token in pairs}) == 1:
            tokens[kind] = pairs[0][1]
            continue
        chosen = [made for node in walk(inner) if (made := _either(node, pairs, bound))]
        if len(pairs) != 2 or not chosen:
            return {}
        tokens[kind] = chosen[-1]
    return tokens


def _either(
    node: ast.AST, pairs: Sequence[tuple[ast.stmt, ast.expr]], bound: set[str]
) -> ast.expr | None:
    """``A if test else B`` of an ``if`` that looks for ``A`` in one branch and for ``B`` in the other."""
    if not isinstance(node, ast.If) or len(pairs) != 2:
        return None
    if any(isinstance(n, ast.Name) and n.id in bound for n in walk(node.test)):
        return None
    (one, first), (other, second) = pairs
    here = {id(n) for part in node.body for n in walk(part)}
    there = {id(n) for part in node.orelse for n in walk(part)}
    if id(one) in here and id(other) in there:
        return ast.IfExp(node.test, first, second)
    return ast.IfExp(node.test, second, first) if id(other) in here and id(one) in there else None


def _current(inner: ast.For, token: ast.expr) -> ast.expr:
    """What the loop calls its placeholder, if it compares that with the placeholders it knows."""
    names = [n for n in walk(inner.target) if isinstance(n, ast.Name)]
    compared = {ast.unparse(n.left) for n in walk(inner) if isinstance(n, ast.Compare)}
    return next((name for name in names if name.id in compared), token)


def _is(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.expr) and ast.unparse(node) == text


def _stores(node: ast.stmt, text: str) -> bool:
    targets = [t for n in walk(node) if isinstance(n, ast.Assign) for t in n.targets]
    return any(ast.unparse(target) == text for target in targets)
