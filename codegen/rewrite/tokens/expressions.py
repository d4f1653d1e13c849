"""What names, attributes, entries and strings in a processor's code give."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import limits, operators
from codegen.rewrite.tokens.codes import Code, Makers, code_of
from codegen.rewrite.tokens.members import attribute, settled
from codegen.rewrite.tokens.natives import FUNCTIONS
from codegen.rewrite.tokens.scopes import FAILURES, Closure, Scope, failed, native
from codegen.rewrite.tokens.terms import Term, Unsupported, term

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

_KNOWN = FUNCTIONS | {"re", "islice", "accumulate"}
_BUILTINS = frozenset(dir(builtins))


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
            if not isinstance(key, slice):
                return owner[key]
            found = owner[_plain(machine, key)]
            (limits.characters if isinstance(found, str) else limits.entries)(len(found))
            return found
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


def _joined(node: ast.JoinedStr) -> Code:
    parts = [_piece(part) for part in node.values]

    def run(machine: Machine, scope: Scope) -> str:
        found = [part(machine, scope) for part in parts]
        limits.characters(sum(map(len, found)))
        return "".join(found)

    return run


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
        if isinstance(value, Term):
            return f"{said}:{spec}"
        if not isinstance(value, (int, float, str)):
            raise Unsupported("a format of a list")
        limits.formatted(spec)
        try:
            return format(value, spec)
        except FAILURES as error:
            raise failed(error) from None

    return run


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


MAKERS: Makers = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _read,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.JoinedStr: _joined,
    ast.NamedExpr: _named,
    ast.Lambda: lambda node: lambda machine, scope: Closure(node, scope),
    ast.Yield: _yield,
}
