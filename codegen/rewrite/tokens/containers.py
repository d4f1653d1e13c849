"""What lists, tuples and dictionaries in a processor's code are made of."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens.codes import Code, Makers, code_of
from codegen.rewrite.tokens.scopes import Scope
from codegen.rewrite.tokens.terms import Term, term

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine


def elements_of(nodes: Sequence[ast.expr]) -> Callable[[Machine, Scope], list[Any]]:
    """The elements of a list, some of which may be entries of something else."""
    plain = [code_of(node) for node in nodes if not isinstance(node, ast.Starred)]
    if len(plain) == len(nodes):
        return lambda machine, scope: [code(machine, scope) for code in plain]
    codes = [
        (True, code_of(node.value)) if isinstance(node, ast.Starred) else (False, code_of(node))
        for node in nodes
    ]

    def run(machine: Machine, scope: Scope) -> list[Any]:
        found: list[Any] = []
        for is_starred, code in codes:
            if is_starred:
                found += machine.entries(code(machine, scope))
            else:
                found.append(code(machine, scope))
        return found

    return run


def _list(node: ast.List) -> Code:
    return elements_of(node.elts)


def _tuple(node: ast.Tuple) -> Code:
    elements = elements_of(node.elts)
    return lambda machine, scope: tuple(elements(machine, scope))


def _starred(node: ast.Starred) -> Code:
    code = code_of(node.value)
    return lambda machine, scope: list(machine.entries(code(machine, scope)))


def _dict(node: ast.Dict) -> Code:
    """A dictionary; with what a term unpacks to in it, a term of its parts."""
    pairs = [
        (code_of(key) if key is not None else None, code_of(item))
        for key, item in zip(node.keys, node.values)
    ]

    def run(machine: Machine, scope: Scope) -> Any:
        made: dict[Any, Any] = {}
        for key, code in pairs:
            value = code(machine, scope)
            if key is not None:
                made[key(machine, scope)] = value
            elif isinstance(value, dict):
                made.update(value)
            else:
                made[f"**{len(made)}"] = value
        terms = [v for key, v in made.items() if key.__class__ is str and key.startswith("**")]
        return _joined_terms(machine, made, terms) if terms else made

    return run


def _joined_terms(machine: Machine, made: dict[Any, Any], terms: Sequence[Any]) -> Any:
    """A dictionary that holds what others unpack to."""
    if len(terms) == 1 and isinstance(terms[0], Term) and next(iter(made)) == "**0":
        # The entries of one term with others over them: found as in the term itself.
        source = terms[0]
        copy = Term(source.digest, source.length, source.nested, source.items)
        copy.children = source.children
        copy.changed = {**source.changed, **{k: v for k, v in made.items() if k != "**0"}}
        return copy
    # In a run of the whole what is unpacked stays an entry of its own.
    return made if machine.whole else term("dict", made)


MAKERS: Makers = {
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Dict: _dict,
    ast.Starred: _starred,
}
