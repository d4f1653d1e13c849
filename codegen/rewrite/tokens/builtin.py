"""Built-in functions, and regular expressions, on what a run of a processor works with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import limits, operators, whole
from codegen.rewrite.tokens.members import attribute, settled
from codegen.rewrite.tokens.scopes import Instance, Native, Raised
from codegen.rewrite.tokens.terms import (
    GONE,
    Arguments,
    Term,
    Unsupported,
    derived,
    term,
)

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine


def pattern_method(
    machine: Machine,
    owner: re.Pattern[str],
    name: str,
    args: Arguments,
    keywords: Mapping[str, Any],
) -> Any:
    """The result of a method of a compiled pattern."""
    if len(args) > (3 if name == "sub" else 1) or keywords.keys() - {"count"}:
        raise Unsupported(f"flags or a part of the string for {name} of a pattern")
    if name == "sub":
        if isinstance(args[1], Term):
            return args[1]  # of an unknown string it is known that it holds no placeholder
        new, content = args[0], args[1]
        limits.matched(owner.pattern, content)
        count = args[2] if len(args) > 2 else keywords.get("count", 0)
        if isinstance(new, str):
            return owner.sub(new, content, count)
        return owner.sub(
            lambda match: operators.text(machine.apply(new, [match], {})), content, count
        )
    if name in ("findall", "split", "search", "match", "finditer"):
        content = operators.text(args[0])
        limits.matched(owner.pattern, content)
        found = getattr(owner, name)(content)
        return list(found) if name == "finditer" else found
    raise Unsupported(f"{name} of a pattern")


def _len(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> int:
    value = args[0]
    return machine.world.length(value) if isinstance(value, Term) else len(value)


def _range(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> range:
    return range(*(machine.world.count(a) if isinstance(a, Term) else a for a in args))


def _next(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    if not hasattr(args[0], "__next__"):
        raise Unsupported("next of something")
    for found in args[0]:
        return found
    if len(args) > 1:
        return args[1]
    raise Raised("StopIteration")


def _isinstance(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> bool:
    value, kinds = args
    several = kinds if isinstance(kinds, tuple) else (kinds,)
    if not all(isinstance(kind, (Native, Term)) for kind in several):
        raise Unsupported("a type that is none")
    names = {kind.name for kind in several if isinstance(kind, Native)}
    if isinstance(value, Term):
        return machine.world.truth(term("isinstance", value, sorted(names)))
    if not isinstance(value, (str, int, float, list, tuple, dict, set, type(None))):
        raise Unsupported("the type of something")
    return any(cls.__name__ in names for cls in type(value).__mro__[:-1])


def _number(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    def convert(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
        return derived(name, *args) if isinstance(args[0], Term) else plain(*args)

    return convert


def _str(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> str:
    return operators.text(args[0])


def _most(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
        if len(args) == 1 or name == "sum":
            values = list(machine.entries(args[0]))
            more = list(args[1:])
        else:
            values, more = list(args), []
        if any(isinstance(value, Term) for value in values):
            return term(name, values, more)
        return plain(values, *more, **keywords)

    return reduce


def _sorted(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> list[Any]:
    values = list(machine.entries(args[0]))
    if any(isinstance(value, Term) for value in values):
        raise Unsupported("an order of something unknown")
    return sorted(values, **keys_of(machine, keywords))


def keys_of(machine: Machine, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a sort, with a key that the machine runs."""
    given = dict(keywords)
    key = given.get("key")
    if key is not None:
        given["key"] = lambda item: machine.apply(key, [item], {})
    return given


def _iter(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Iterator[Any]:
    return iter(machine.entries(args[0]) if isinstance(args[0], Term) else args[0])


def _enumerate(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Iterator[Any]:
    return enumerate(machine.entries(args[0]), *args[1:], **keywords)


def _zip(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Iterator[Any]:
    return zip(*map(machine.entries, args), **keywords)


def _accumulate(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Iterator[Any]:
    if len(args) > 1:
        raise Unsupported("sums that are more than sums")
    return accumulate(machine.entries(args[0]))


def _compile(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> re.Pattern[str]:
    if len(args) > 1:
        raise Unsupported("flags of a pattern")
    return re.compile(operators.text(args[0]))


def _listed(kind: Callable[[Any], Any]) -> Callable[..., Any]:
    def convert(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
        return kind(machine.entries(args[0]) if args else ())

    return convert


def _all(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> bool:
    return all(machine.truth(item) for item in machine.entries(args[0]))


def _any(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> bool:
    return any(machine.truth(item) for item in machine.entries(args[0]))


def _hasattr(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> bool:
    if not isinstance(args[1], str):
        raise Unsupported("an attribute without a name")
    if isinstance(args[0], Instance) and args[1] in args[0].attributes:
        return args[0].attributes[args[1]] is not GONE
    if machine.whole and isinstance(args[0], Instance):
        return whole.has(machine, args[0], args[1])
    return machine.truth(term("hasattr", args[1]))


def _getattr(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    is_own = machine.whole and len(args) > 2 and isinstance(args[0], Instance)
    if is_own and not whole.has(machine, args[0], args[1]):
        return args[2]
    return settled(machine, attribute(machine, args[0], args[1]))


def _set(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    return machine.unique(machine.entries(args[0]) if args else iter(()))


def _map(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Iterator[Any]:
    called, *several = args
    return (machine.apply(called, items, {}) for items in zip(*map(machine.entries, several)))


def _sub(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    return pattern_method(machine, re.compile(operators.text(args[0])), "sub", args[1:], keywords)


def _searching(name: str) -> Callable[..., Any]:
    def search(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
        return pattern_method(
            machine, re.compile(operators.text(args[0])), name, args[1:], keywords
        )

    return search


BUILTIN: Mapping[str, Callable[[Any, Arguments, Mapping[str, Any]], Any]] = {
    "len": _len,
    "range": _range,
    "next": _next,
    "isinstance": _isinstance,
    "int": _number("int", int),
    "float": _number("float", float),
    "round": _number("round", round),
    "abs": _number("abs", abs),
    "bool": lambda m, a, k: m.truth(a[0]),
    "str": _str,
    "max": _most("max", max),
    "min": _most("min", min),
    "sum": _most("sum", sum),
    "sorted": _sorted,
    "list": _listed(list),
    "tuple": _listed(tuple),
    "iter": _iter,
    "set": _set,
    "all": _all,
    "any": _any,
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": lambda m, a, k: reversed(list(m.entries(a[0]))),
    "map": _map,
    "dict": lambda m, a, k: dict(*a, **k),
    "hasattr": _hasattr,
    "getattr": _getattr,
    "islice": lambda m, a, k: islice(m.entries(a[0]), *a[1:]),
    "accumulate": _accumulate,
    "re.escape": lambda m, a, k: re.escape(operators.text(a[0])),
    "re.compile": _compile,
    "re.sub": _sub,
    "re.finditer": _searching("finditer"),
    "re.findall": _searching("findall"),
    "re.split": _searching("split"),
}


ONE_OR_MORE = range(1, 100)
TAKES: Mapping[str, range] = {
    **dict.fromkeys(("list", "tuple", "set", "dict"), range(2)),
    **dict.fromkeys(("len", "bool", "all", "any", "re.escape"), range(1, 2)),
    **dict.fromkeys(("isinstance", "hasattr"), range(2, 3)),
    **dict.fromkeys(("getattr", "re.finditer", "re.findall", "re.split"), range(2, 4)),
    "zip": range(100),
    "map": range(2, 100),
    "islice": range(2, 5),
    "re.sub": range(3, 6),
}
"""How many arguments some of them take by place."""
WITH_KEYWORDS = frozenset(("max", "min", "sum", "sorted", "enumerate", "zip", "dict", "re.sub"))
"""Those of them that look at what they are given by name; the others are given nothing so."""
