"""What expressions give on tokens and terms."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from codegen.rewrite.tokens import operators, whole
from codegen.rewrite.tokens.machine import Closure, Instance, Machine, Native, Raised, Scope
from codegen.rewrite.tokens.natives import FUNCTIONS, call_native, call_term, method_of_value
from codegen.rewrite.tokens.terms import GONE, Term, Unsupported, derived, term

_BUILTINS = frozenset(dir(builtins))


def _constant(machine: Machine, node: ast.Constant, scope: Scope) -> Any:
    return node.value


def _name(machine: Machine, node: ast.Name, scope: Scope) -> Any:
    found = scope.find(node.id)
    if found is not None:
        return found.names[node.id]
    return module_value(machine, node.id)


def module_value(machine: Machine, name: str) -> Any:
    """What a name of the file means: its functions and constants, what it imports, what is built in."""
    if name in FUNCTIONS or name in ("re", "islice", "accumulate"):
        return Native(name)
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
        return Native(name)
    made = term("global", name)
    machine.present.add(made.digest)
    return made


def _attribute(machine: Machine, node: ast.Attribute, scope: Scope) -> Any:
    return attribute(machine, machine.value(node.value, scope), node.attr)


def attribute(machine: Machine, owner: Any, name: str) -> Any:
    """``owner.name``."""
    if isinstance(owner, Instance):
        if owner.attributes.get(name) is GONE:
            raise Raised("AttributeError")
        if name in owner.attributes:
            return _part(machine, name, owner.attributes[name])
        found = machine.subject.method(name)
        if found is None:
            if name == "get_text_with_replacements":
                return Native(name, owner)
            if machine.whole and (given := whole.class_value(machine, name)) is not None:
                return given
            plain = operators.named(name) if name.endswith("_token") else term("self", name)
            return _part(machine, name, owner.attributes.setdefault(name, plain))
        kinds = {
            item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "")
            for item in found.decorator_list
        }
        if kinds & {"property", "cached_property"}:
            return machine.call(Closure(found, owner=owner), (), {})
        if "classmethod" in kinds:
            raise Unsupported("a class method")
        return Closure(found, owner=None if "staticmethod" in kinds else owner)
    if owner is None:
        raise Raised("AttributeError")
    if isinstance(owner, str) and name == "content":
        return owner  # of an added token
    if isinstance(owner, Term):
        if name.endswith("_token"):
            return operators.named(name)
        return Native(name, owner)
    if isinstance(owner, Native) and owner.owner is None:
        return Native(f"{owner.name}.{name}")
    return Native(name, owner)


def _part(machine: Machine, name: str, value: Any) -> Any:
    """An attribute of the processor, which may be one of the parts that it is made of."""
    if isinstance(value, Term):
        machine.components[value.digest] = name
    return value


def settled(machine: Machine, value: Any) -> Any:
    """An attribute that nobody calls: of a term it is a term."""
    if isinstance(value, Native) and isinstance(value.owner, Term):
        return machine.world.entry(value.owner, value.name)
    if isinstance(value, Native) and isinstance(value.owner, re.Match):
        return getattr(value.owner, value.name)
    return value


def _read(machine: Machine, node: ast.Attribute, scope: Scope) -> Any:
    return settled(machine, _attribute(machine, node, scope))


def _subscript(machine: Machine, node: ast.Subscript, scope: Scope) -> Any:
    owner, key = machine.value(node.value, scope), machine.value(node.slice, scope)
    source = operators.unpacked(owner, key) if isinstance(owner, dict) else owner
    if isinstance(source, Term):
        return guarded(lambda: machine.world.entry(source, key))
    if isinstance(key, slice):
        parts = (key.start, key.stop, key.step)
        known = (machine.world.count(p) if isinstance(p, Term) else p for p in parts)
        key = slice(*known)
    elif isinstance(key, Term):
        if not isinstance(owner, (list, tuple)) or any(isinstance(item, str) for item in owner):
            raise Unsupported("a position that is not known")
        return term("entry", owner, key)
    return guarded(lambda: owner[key])


def guarded(action: Callable[[], Any]) -> Any:
    """What Python does with plain values; what it raises is what the program raises."""
    try:
        return action()
    except (IndexError, KeyError, ValueError, ZeroDivisionError) as error:
        raise Raised(type(error).__name__) from None
    except (TypeError, AttributeError) as error:
        raise Unsupported(str(error)) from None


def _slice(machine: Machine, node: ast.Slice, scope: Scope) -> slice:
    parts = (node.lower, node.upper, node.step)
    return slice(*(machine.value(part, scope) if part is not None else None for part in parts))


def _call(machine: Machine, node: ast.Call, scope: Scope) -> Any:
    if _is_super(node.func):
        return _super(machine, node, scope)
    function = node.func
    called = (
        _attribute(machine, function, scope)
        if isinstance(function, ast.Attribute)
        else machine.value(function, scope)
    )
    args, keywords = _arguments(machine, node, scope)
    machine.spend()
    return apply(machine, called, args, keywords)


def _arguments(machine: Machine, node: ast.Call, scope: Scope) -> tuple[list[Any], dict[str, Any]]:
    """What a call is given."""
    args = list(_elements(machine, node.args, scope))
    keywords: dict[str, Any] = {}
    for item in node.keywords:
        value = machine.value(item.value, scope)
        if item.arg is not None:
            keywords[item.arg] = value
        elif isinstance(value, dict):
            keywords.update(value)
        else:
            keywords[f"**{len(keywords)}"] = value
    return args, keywords


def apply(machine: Machine, called: Any, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """The result of a call."""
    if isinstance(called, Closure):
        return machine.call(called, args, keywords)
    if isinstance(called, Term):
        return call_term(machine, called, args, keywords)
    if isinstance(called, Native):
        if called.owner is None or isinstance(called.owner, Instance):
            return call_native(machine, called, args, keywords)
        return method_of_value(machine, called.owner, called.name, args, keywords)
    raise Unsupported("a call of something")


def _is_super(function: ast.expr) -> bool:
    inner = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "super"


def _super(machine: Machine, node: ast.Call, scope: Scope) -> Any:
    """``super().__init__(...)`` of the mixin: it keeps what it is given under the same names."""
    assert isinstance(node.func, ast.Attribute)
    found = machine.subject.behind(node, node.func.attr)
    if found is not None:
        args, keywords = _arguments(machine, node, scope)
        return machine.call(Closure(found, owner=machine.instance), args, keywords)
    if node.func.attr != "__init__":
        raise Unsupported(f"super().{node.func.attr}")
    for item in node.args:
        if isinstance(item, ast.Name):
            machine.instance.attributes.setdefault(item.id, machine.value(item, scope))
    for keyword in node.keywords:
        if keyword.arg is not None:
            value = machine.value(keyword.value, scope)
            machine.instance.attributes.setdefault(keyword.arg, value)
    return None


def _elements(machine: Machine, nodes: Sequence[ast.expr], scope: Scope) -> Iterator[Any]:
    for node in nodes:
        if isinstance(node, ast.Starred):
            yield from machine.entries(machine.value(node.value, scope))
        else:
            yield machine.value(node, scope)


def _dict(machine: Machine, node: ast.Dict, scope: Scope) -> Any:
    """A dictionary; with what a term unpacks to in it, a term of its parts."""
    made: dict[Any, Any] = {}
    for key, item in zip(node.keys, node.values):
        value = machine.value(item, scope)
        if key is not None:
            made[machine.value(key, scope)] = value
        elif isinstance(value, dict):
            made.update(value)
        else:
            made[f"**{len(made)}"] = value
    terms = [value for key, value in made.items() if str(key).startswith("**")]
    if len(terms) == 1 and isinstance(terms[0], Term) and next(iter(made)) == "**0":
        # The entries of one term with others over them: found as in the term itself.
        source = terms[0]
        copy = Term(source.digest, source.length, source.nested, source.items)
        copy.children = source.children
        copy.changed = {**source.changed, **{k: v for k, v in made.items() if k != "**0"}}
        return copy
    # In a run of the whole what is unpacked stays an entry of its own.
    return term("dict", made) if terms and not machine.whole else made


def _binary(machine: Machine, node: ast.BinOp, scope: Scope) -> Any:
    left, right = machine.value(node.left, scope), machine.value(node.right, scope)
    return guarded(lambda: operators.binary(machine.world, type(node.op).__name__, left, right))


def _unary(machine: Machine, node: ast.UnaryOp, scope: Scope) -> Any:
    value = machine.value(node.operand, scope)
    if isinstance(node.op, ast.Not):
        return not machine.truth(value)
    if isinstance(value, Term):
        return derived(type(node.op).__name__, value)
    if isinstance(node.op, ast.USub):
        return -value
    if isinstance(node.op, ast.Invert) and isinstance(value, bool):
        return term("Invert", value)  # what was compared may have been tensors
    raise Unsupported("an operator")


def _boolean(machine: Machine, node: ast.BoolOp, scope: Scope) -> Any:
    value: Any = None
    for part in node.values:
        value = machine.value(part, scope)
        if machine.truth(value) == isinstance(node.op, ast.Or):
            return value
    return value


def _compare(machine: Machine, node: ast.Compare, scope: Scope) -> Any:
    left = machine.value(node.left, scope)
    for operator, right_node in zip(node.ops, node.comparators):
        right, first = machine.value(right_node, scope), left
        name = type(operator).__name__
        if not guarded(lambda: operators.compare(machine.world, name, first, right)):  # noqa: B023
            return False
        left = right
    return True


def _conditional(machine: Machine, node: ast.IfExp, scope: Scope) -> Any:
    chosen = node.body if machine.truth(machine.value(node.test, scope)) else node.orelse
    return machine.value(chosen, scope)


def _joined(machine: Machine, node: ast.JoinedStr, scope: Scope) -> str:
    parts = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            value = machine.value(part.value, scope)
            said = operators.text(value)
            if part.format_spec is not None:
                spec = _joined(machine, part.format_spec, scope)  # type: ignore[arg-type]
                plain = isinstance(value, (int, float, str))
                said = guarded(lambda: format(value, spec)) if plain else f"{said}:{spec}"  # noqa: B023
            parts.append(said)
        else:
            assert isinstance(part, ast.Constant)
            parts.append(str(part.value))
    return "".join(parts)


def _generated(
    machine: Machine, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, scope: Scope
) -> Iterator[Any]:
    inner = Scope({}, scope)
    first = machine.value(node.generators[0].iter, scope)

    def level(number: int) -> Iterator[Any]:
        generator = node.generators[number]
        source = first if number == 0 else machine.value(generator.iter, inner)
        for item in machine.entries(source):
            machine.spend()
            machine.assign(generator.target, item, inner)
            if all(machine.truth(machine.value(test, inner)) for test in generator.ifs):
                if number + 1 < len(node.generators):
                    yield from level(number + 1)
                else:
                    yield machine.value(node.elt, inner)

    return level(0)


def _dict_comprehension(machine: Machine, node: ast.DictComp, scope: Scope) -> Any:
    pair = ast.Tuple([node.key, node.value], ast.Load())
    pairs = list(_generated(machine, ast.ListComp(pair, node.generators), scope))
    if any(isinstance(key, Term) for key, _ in pairs):
        return term("dict", pairs)
    return dict(pairs)


def _named(machine: Machine, node: ast.NamedExpr, scope: Scope) -> Any:
    value = machine.value(node.value, scope)
    scope.names[node.target.id] = value
    return value


HANDLERS: Mapping[type, Callable[[Machine, Any, Scope], Any]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _read,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Call: _call,
    ast.List: lambda m, n, s: list(_elements(m, n.elts, s)),
    ast.Tuple: lambda m, n, s: tuple(_elements(m, n.elts, s)),
    ast.Dict: _dict,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.JoinedStr: _joined,
    ast.ListComp: lambda m, n, s: list(_generated(m, n, s)),
    ast.SetComp: lambda m, n, s: m.unique(_generated(m, n, s)),
    ast.GeneratorExp: _generated,
    ast.DictComp: _dict_comprehension,
    ast.NamedExpr: _named,
    ast.Lambda: lambda m, n, s: Closure(n, s),
    ast.Yield: lambda m, n, s: _yield(m, n, s),
    ast.Starred: lambda m, n, s: list(m.entries(m.value(n.value, s))),
}
"""What gives the value of a kind of expression; :meth:`Machine.value` asks it."""


def _yield(machine: Machine, node: ast.Yield, scope: Scope) -> None:
    around: Scope | None = scope
    while around is not None and around.yields is None:
        around = around.outer
    if around is None or around.yields is None:
        raise Unsupported("a yield")
    around.yields.append(machine.value(node.value, scope) if node.value is not None else None)
