"""What comprehensions of a processor's code give, made ready to be evaluated many times."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens.codes import Code, Makers, code_of
from codegen.rewrite.tokens.scopes import Scope
from codegen.rewrite.tokens.targets import target_code
from codegen.rewrite.tokens.terms import Term, term

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

Items = Callable[["Machine", Scope], Iterator[Any]]


def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Code:
    """What evaluates a comprehension."""
    if isinstance(node, ast.DictComp):
        return _dictionary(_generated(node, ast.Tuple([node.key, node.value], ast.Load())))
    items = _generated(node, node.elt)
    if isinstance(node, ast.GeneratorExp):
        return items
    if isinstance(node, ast.SetComp):
        return lambda machine, scope: machine.unique(items(machine, scope))
    return lambda machine, scope: list(items(machine, scope))


def _dictionary(pairs_of: Items) -> Code:
    def run(machine: Machine, scope: Scope) -> Any:
        pairs = list(pairs_of(machine, scope))
        if any(isinstance(key, Term) for key, _ in pairs):
            return term("dict", pairs)
        return dict(pairs)

    return run


def _generated(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, element: ast.expr
) -> Items:
    """The elements one by one; what the outermost loop goes through is evaluated at once."""
    element_of = code_of(element)
    levels = [
        (code_of(part.iter), target_code(part.target), [code_of(test) for test in part.ifs])
        for part in node.generators
    ]

    def level(machine: Machine, inner: Scope, number: int, source: Any) -> Iterator[Any]:
        _, bind, tests = levels[number]
        for item in machine.looped(source):
            machine.spend()
            bind(machine, inner, item)
            for test in tests:
                if not machine.truth(test(machine, inner)):
                    break
            else:
                if number + 1 < len(levels):
                    following = levels[number + 1][0](machine, inner)
                    yield from level(machine, inner, number + 1, following)
                else:
                    yield element_of(machine, inner)

    def run(machine: Machine, scope: Scope) -> Iterator[Any]:
        return level(machine, Scope({}, scope), 0, levels[0][0](machine, scope))

    return run


MAKERS: Makers = dict.fromkeys(
    (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp), _comprehension
)
