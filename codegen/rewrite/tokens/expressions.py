"""What expressions give on tokens and terms, made ready to be evaluated many times.

An expression is turned into a function of the machine and the scope once: what is known from how it is written
is looked up then, what depends on values when it is called.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import operators
from codegen.rewrite.tokens.members import attribute, settled
from codegen.rewrite.tokens.natives import FUNCTIONS, method_of_value
from codegen.rewrite.tokens.scopes import FAILURES, Closure, Scope, failed, native
from codegen.rewrite.tokens.terms import Term, Unsupported, derived, term

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

Code = Callable[["Machine", Scope], Any]
"""Evaluates an expression.

Raises:
    Unsupported: it cannot be followed.
    Raised: the program would fail.
"""
Arguments = Callable[["Machine", Scope], tuple[list[Any], dict[str, Any]]]
"""Evaluates what a call is given."""

_KNOWN = FUNCTIONS | {"re", "islice", "accumulate"}
_BUILTINS = frozenset(dir(builtins))
_PLAIN = frozenset((str, list, tuple, dict, set))
"""Types whose attributes are methods, if they are called."""


def code_of(node: ast.expr) -> Code:
    """What evaluates an expression."""
    make = _MAKERS.get(node.__class__)
    return make(node) if make is not None else _unknown(node)


@lru_cache(maxsize=2048)
def known_code(node: ast.expr) -> Code:
    """What evaluates an expression that stands by itself: a default, a value of a file or class."""
    return code_of(node)


def _unknown(node: ast.expr) -> Code:
    def run(machine: Machine, scope: Scope) -> Any:
        raise Unsupported(f"{type(node).__name__} in line {node.lineno}")

    return run


def _constant(node: ast.Constant) -> Code:
    value = node.value
    return lambda machine, scope: value


def _name(node: ast.Name) -> Code:
    name = node.id

    def run(machine: Machine, scope: Scope) -> Any:
        around: Scope | None = scope
        while around is not None:
            if name in around.names:
                return around.names[name]
            around = around.outer
        return module_value(machine, name)

    return run


def module_value(machine: Machine, name: str) -> Any:
    """What a name of the file means: its functions and constants, what it imports, what is built in."""
    if name in _KNOWN:
        return native(name)
    if name in ("logger", "warnings"):
        made = term("global", name)
        machine.components[made.digest] = name
        return made
    for cls in machine.subject.line:
        info = cls.module
        if name in info.functions:
            return Closure(info.functions[name])
        if name in info.values:
            return machine.value(info.values[name], Scope({}))
    if name in _BUILTINS:
        return native(name)
    made = term("global", name)
    machine.present.add(made.digest)
    return made


def _read(node: ast.Attribute) -> Code:
    owner_of, name = code_of(node.value), node.attr
    is_token = name.endswith("_token")

    def run(machine: Machine, scope: Scope) -> Any:
        owner = owner_of(machine, scope)
        if owner.__class__ is Term and not is_token:
            return machine.world.entry(owner, name)
        return settled(machine, attribute(machine, owner, name))

    return run


def _subscript(node: ast.Subscript) -> Code:
    owner_of, key_of = code_of(node.value), code_of(node.slice)

    def run(machine: Machine, scope: Scope) -> Any:
        owner, key = owner_of(machine, scope), key_of(machine, scope)
        source = operators.unpacked(owner, key) if isinstance(owner, dict) else owner
        try:
            if isinstance(source, Term):
                return machine.world.entry(source, key)
            if isinstance(key, Term):
                return _at_unknown(owner, key)
            return owner[_plain(machine, key) if isinstance(key, slice) else key]
        except FAILURES as error:
            raise failed(error) from None

    return run


def _plain(machine: Machine, key: slice) -> slice:
    parts = (key.start, key.stop, key.step)
    return slice(*(machine.world.count(p) if isinstance(p, Term) else p for p in parts))


def _at_unknown(owner: Any, key: Term) -> Term:
    """An entry at a position of which nothing is known."""
    if not isinstance(owner, (list, tuple)) or any(isinstance(item, str) for item in owner):
        raise Unsupported("a position that is not known")
    return term("entry", owner, key)


def _slice(node: ast.Slice) -> Code:
    parts = [code_of(p) if p is not None else None for p in (node.lower, node.upper, node.step)]

    def run(machine: Machine, scope: Scope) -> slice:
        return slice(*(part(machine, scope) if part is not None else None for part in parts))

    return run


# -- calls ----------------------------------------------------------------------------------------


def _call(node: ast.Call) -> Code:
    function, given = node.func, _arguments(node)
    if not isinstance(function, ast.Attribute):
        called_of = code_of(function)

        def run(machine: Machine, scope: Scope) -> Any:
            called = called_of(machine, scope)
            args, keywords = given(machine, scope)
            machine.spend()
            return machine.apply(called, args, keywords)

        return run
    if isinstance(function.value, ast.Call) and getattr(function.value.func, "id", "") == "super":
        return _super(node, function.attr, given)
    return _method(function, given)


def _method(function: ast.Attribute, given: Arguments) -> Code:
    owner_of, name = code_of(function.value), function.attr
    is_plain = name != "content" and not name.endswith("_token")

    def run(machine: Machine, scope: Scope) -> Any:
        owner = owner_of(machine, scope)
        kind = owner.__class__
        if is_plain and (kind is Term or kind in _PLAIN):
            args, keywords = given(machine, scope)
            machine.spend()
            return method_of_value(machine, owner, name, args, keywords)
        called = attribute(machine, owner, name)
        args, keywords = given(machine, scope)
        machine.spend()
        return machine.apply(called, args, keywords)

    return run


def _arguments(node: ast.Call) -> Arguments:
    """What a call is given."""
    placed = [code_of(item) for item in node.args]
    named = [(item.arg, code_of(item.value)) for item in node.keywords]
    if any(isinstance(item, ast.Starred) for item in node.args) or any(n is None for n, _ in named):
        elements = _elements(node.args)

        def run(machine: Machine, scope: Scope) -> tuple[list[Any], dict[str, Any]]:
            args = elements(machine, scope)
            keywords: dict[str, Any] = {}
            for name, code in named:
                value = code(machine, scope)
                if name is not None:
                    keywords[name] = value
                elif isinstance(value, dict):
                    keywords.update(value)
                else:
                    keywords[f"**{len(keywords)}"] = value
            return args, keywords

        return run

    def run_plain(machine: Machine, scope: Scope) -> tuple[list[Any], dict[str, Any]]:
        args = [code(machine, scope) for code in placed]
        return args, {str(name): code(machine, scope) for name, code in named}

    return run_plain


def _super(node: ast.Call, name: str, given: Arguments) -> Code:
    """``super().__init__(...)`` of the mixin: it keeps what it is given under the same names."""
    kept = [(item.id, code_of(item)) for item in node.args if isinstance(item, ast.Name)]
    kept += [(k.arg, code_of(k.value)) for k in node.keywords if k.arg is not None]

    def run(machine: Machine, scope: Scope) -> Any:
        found = machine.subject.behind(node, name)
        if found is not None:
            args, keywords = given(machine, scope)
            return machine.call(Closure(found, owner=machine.instance), args, keywords)
        if name != "__init__":
            raise Unsupported(f"super().{name}")
        for key, code in kept:
            machine.instance.attributes.setdefault(key, code(machine, scope))
        return None

    return run


# -- containers -----------------------------------------------------------------------------------


def _elements(nodes: Sequence[ast.expr]) -> Callable[[Machine, Scope], list[Any]]:
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
    return _elements(node.elts)


def _tuple(node: ast.Tuple) -> Code:
    elements = _elements(node.elts)
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


# -- operators ------------------------------------------------------------------------------------


def _binary(node: ast.BinOp) -> Code:
    left_of, right_of, name = code_of(node.left), code_of(node.right), type(node.op).__name__
    binary = operators.binary

    def run(machine: Machine, scope: Scope) -> Any:
        left, right = left_of(machine, scope), right_of(machine, scope)
        try:
            return binary(machine.world, name, left, right)
        except FAILURES as error:
            raise failed(error) from None

    return run


def _unary(node: ast.UnaryOp) -> Code:
    operand, kind = code_of(node.operand), node.op.__class__
    if kind is ast.Not:
        return lambda machine, scope: not machine.truth(operand(machine, scope))

    def run(machine: Machine, scope: Scope) -> Any:
        value = operand(machine, scope)
        if isinstance(value, Term):
            return derived(kind.__name__, value)
        if kind is ast.USub:
            return -value
        if kind is ast.Invert and isinstance(value, bool):
            return term("Invert", value)  # what was compared may have been tensors
        raise Unsupported("an operator")

    return run


def _boolean(node: ast.BoolOp) -> Code:
    parts, ends_at = [code_of(part) for part in node.values], isinstance(node.op, ast.Or)

    def run(machine: Machine, scope: Scope) -> Any:
        value: Any = None
        for part in parts:
            value = part(machine, scope)
            if machine.truth(value) == ends_at:
                return value
        return value

    return run


def _compare(node: ast.Compare) -> Code:
    first = code_of(node.left)
    others = [(type(op).__name__, code_of(item)) for op, item in zip(node.ops, node.comparators)]
    compare = operators.compare

    def run(machine: Machine, scope: Scope) -> bool:
        left = first(machine, scope)
        for name, code in others:
            right = code(machine, scope)
            try:
                holds = compare(machine.world, name, left, right)
            except FAILURES as error:
                raise failed(error) from None
            if not holds:
                return False
            left = right
        return True

    return run


def _conditional(node: ast.IfExp) -> Code:
    test, body, other = code_of(node.test), code_of(node.body), code_of(node.orelse)

    def run(machine: Machine, scope: Scope) -> Any:
        return (body if machine.truth(test(machine, scope)) else other)(machine, scope)

    return run


def _joined(node: ast.JoinedStr) -> Code:
    parts = [_piece(part) for part in node.values]
    return lambda machine, scope: "".join([part(machine, scope) for part in parts])


def _piece(node: ast.expr) -> Code:
    """A piece of a string with values in it."""
    if not isinstance(node, ast.FormattedValue):
        assert isinstance(node, ast.Constant)
        said = str(node.value)
        return lambda machine, scope: said
    value_of = code_of(node.value)
    if node.format_spec is None:
        return lambda machine, scope: operators.text(value_of(machine, scope))
    spec_of = code_of(node.format_spec)

    def run(machine: Machine, scope: Scope) -> str:
        value = value_of(machine, scope)
        said, spec = operators.text(value), spec_of(machine, scope)
        if not isinstance(value, (int, float, str)):
            return f"{said}:{spec}"
        try:
            return format(value, spec)
        except FAILURES as error:
            raise failed(error) from None

    return run


# -- names and functions --------------------------------------------------------------------------


def _named(node: ast.NamedExpr) -> Code:
    code, name = code_of(node.value), node.target.id

    def run(machine: Machine, scope: Scope) -> Any:
        value = scope.names[name] = code(machine, scope)
        return value

    return run


def _yield(node: ast.Yield) -> Code:
    code = code_of(node.value) if node.value is not None else None

    def run(machine: Machine, scope: Scope) -> None:
        around: Scope | None = scope
        while around is not None and around.yields is None:
            around = around.outer
        if around is None or around.yields is None:
            raise Unsupported("a yield")
        around.yields.append(code(machine, scope) if code is not None else None)

    return run


def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Code:
    from codegen.rewrite.tokens.comprehensions import comprehension  # which is made of expressions

    return comprehension(node)


_MAKERS: Mapping[type, Callable[[Any], Code]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _read,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Call: _call,
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Dict: _dict,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.JoinedStr: _joined,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
    ast.NamedExpr: _named,
    ast.Lambda: lambda node: lambda machine, scope: Closure(node, scope),
    ast.Yield: _yield,
    ast.Starred: _starred,
}
"""What makes the code of a kind of expression."""
