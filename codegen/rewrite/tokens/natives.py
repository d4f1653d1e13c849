"""Functions and methods that a run of a processor knows; all others make terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import operators
from codegen.rewrite.tokens.offsets import chained, moved, one_pass
from codegen.rewrite.tokens.terms import (
    GONE,
    Term,
    Unsupported,
    derived,
    flat,
    is_stored,
    store,
    term,
)

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine, Native

Arguments = Sequence[Any]
_DEFAULT = object()

_LIST_MAKERS = {
    "make_flat_list_of_images": flat,
    "make_list_of_images": flat,
    "make_list_of_audio": flat,
    "make_nested_list_of_images": lambda items: (
        [list(items)] if items and not isinstance(items[0], (list, tuple)) else list(items)
    ),
    "make_batched_videos": flat,
}
"""What the library brings lists of items into shape with."""

FUNCTIONS = frozenset(
    (
        *_LIST_MAKERS,
        "get_text_with_replacements",
        "AddedToken",
        "add_replacement_offsets",
        "chain_offsets",
        "move_offsets",
        "next_item",
        "order_by_form",
        "placeholders_in",
        "placeholder_positions",
        "pop_offsets_option",
    )
)
"""Functions of libraries, and ours, that are known by name wherever they are imported from."""

_KEPT = frozenset({"fetch_images", "fetch_audio", "fetch_videos"})
"""Methods that hand on what they are given."""


def call_native(
    machine: Machine, called: Native, args: Arguments, keywords: Mapping[str, Any]
) -> Any:
    """The result of a function that is known by name."""
    from codegen.rewrite.tokens.expressions import guarded

    name = called.name
    if name in _LIST_MAKERS:
        items = args[0] if args else next(iter(keywords.values()))
        if isinstance(items, (list, tuple)):
            return _LIST_MAKERS[name](items)
        return [items] if isinstance(items, Term) and items.length is None else items
    if name == "get_text_with_replacements":
        return _expanded(machine, called, args, keywords)
    own = _HELPERS.get(name)
    if own is not None:
        return guarded(lambda: own(machine, args, keywords))
    handler = _BUILTIN.get(name)
    if handler is None:
        return _made_by(f"builtin {name}", args, keywords)
    if keywords and name not in _WITH_KEYWORDS:
        raise Unsupported(f"{name} with {next(iter(keywords))}")
    return guarded(lambda: handler(machine, args, keywords))


def _expanded(
    machine: Machine, called: Native, args: Arguments, keywords: Mapping[str, Any]
) -> Any:
    """One pass over the texts: what the helper is defined to do."""
    from codegen.rewrite.tokens.expressions import attribute
    from codegen.rewrite.tokens.machine import Raised

    given = dict(keywords)
    names = ("images_replacements", "videos_replacements", "audio_replacements")
    given.update(zip(("text", *names), args))
    lists = []
    for modality, name in zip(("image", "video", "audio"), names):
        replacements = given.get(name) or []
        token = given.get(f"{modality}_token")
        if replacements and token is None and called.owner is not None:
            token = attribute(machine, called.owner, f"{modality}_token")
        if replacements:
            made = [operators.text(item) for item in machine.entries(replacements)]
            lists.append((modality, token if isinstance(token, tuple) else (str(token),), made))
    try:
        contents = list(machine.entries(given["text"]))
        texts, offsets = one_pass(contents, lists)
    except StopIteration:
        raise Raised("ValueError", "placeholders") from None
    machine.replaced |= {entry["text"] for entries in offsets for entry in entries}
    return texts, offsets if machine.truth(given.get("return_replacement_offsets")) else []


def _add_offsets(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    machine.offsets = args[1]
    return args[0]


def _chain_offsets(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> None:
    found, more = args
    if not found:
        found += more
    else:
        found[: len(more)] = [chained(*pair) for pair in zip(found, more)]


def _move_offsets(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> None:
    offsets, before, after = args
    offsets[:] = [
        moved(entries, old, new) if isinstance(old, str) and isinstance(new, str) else entries
        for entries, old, new in zip(offsets, before, after)
    ]


def _by_form(made: list[Any], text: str, *forms: str) -> list[Any]:
    found = re.findall("|".join(map(re.escape, forms)), text)
    queues, start = {}, 0
    for form in forms:
        queues[form] = iter(made[start : start + found.count(form)])
        start += found.count(form)
    return [next(queues[form]) for form in found]


def _next_item(machine: Machine, args: Arguments) -> Any:
    from codegen.rewrite.tokens.machine import Raised

    if not hasattr(args[0], "__next__"):
        raise Unsupported("next of something")
    for found in args[0]:
        return found
    raise Raised("ValueError", "placeholders")


def _placeholders_in(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> list[str]:
    return re.findall("|".join(re.escape(str(token)) for token in args[1:]), args[0])


def _positions(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(str(args[1])), args[0])]


_HELPERS: Mapping[str, Callable[[Any, Arguments, Mapping[str, Any]], Any]] = {
    "AddedToken": lambda m, a, k: a[0],
    "add_replacement_offsets": _add_offsets,
    "chain_offsets": _chain_offsets,
    "move_offsets": _move_offsets,
    "order_by_form": lambda m, a, k: _by_form(list(m.entries(a[0])), *a[1:]),
    "next_item": lambda m, a, k: _next_item(m, a),
    "placeholders_in": _placeholders_in,
    "placeholder_positions": _positions,
    "pop_offsets_option": lambda m, a, k: m.asked,
}
"""What is ours, by plain definition."""


def call_term(machine: Machine, called: Term, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    """The result of a call of which nothing is known but what goes into it."""
    made = _made_by("call", (called, *args), keywords)
    part = machine.components.get(called.digest)
    if part is not None:
        machine.note("call", part, list(args), dict(keywords))
        if part == "tokenizer":
            machine.tokenized.append(args[0] if args else keywords.get("text"))
        made.items = _items(args, keywords) if "tokenizer" not in part else ()
    return made


def _items(args: Arguments, keywords: Mapping[str, Any]) -> tuple[int, ...]:
    """The numbers of items per text in what a processor of items is given."""
    items = (
        args[0]
        if args
        else next(
            (keywords[name] for name in ("images", "videos", "audio") if name in keywords), None
        )
    )
    if not isinstance(items, (list, tuple)):
        return (1,) if items is not None else ()
    if any(isinstance(item, (list, tuple)) for item in items):
        return tuple(len(item) if isinstance(item, (list, tuple)) else 1 for item in items)
    return (len(items),)


def _made_by(what: str, args: Arguments, keywords: Mapping[str, Any]) -> Term:
    first = args[1] if what == "call" and len(args) > 1 else args[0] if args else None
    made = term(what, list(args), dict(keywords))
    if isinstance(first, Term) and first.length is not None:
        made.length, made.nested = first.length, first.nested
    elif isinstance(first, list) and what == "call" and not keywords:
        made.length = len(first)
    return made


def method_of_value(
    machine: Machine, owner: Any, name: str, args: Arguments, keywords: Mapping[str, Any]
) -> Any:
    """The result of a method of a plain value or a term."""
    from codegen.rewrite.tokens.expressions import guarded

    if isinstance(owner, Term):
        return _method_of_term(machine, owner, name, args, keywords)
    if isinstance(owner, re.Pattern):
        return _pattern(machine, owner, name, args, keywords)
    if isinstance(owner, re.Match):
        return guarded(lambda: getattr(owner, name)(*args))
    if isinstance(owner, str):
        return guarded(lambda: _string(machine, owner, name, args, keywords))
    if isinstance(owner, (list, dict, tuple, set)):
        if name == "extend" or (name == "update" and isinstance(owner, set)):
            args = [list(machine.entries(args[0]))]
        elif name == "update" and isinstance(owner, dict) and args and isinstance(args[0], Term):
            owner[f"**{len(owner)}"] = args[0]
            return None
        elif name == "sort":
            if any(isinstance(item, Term) for item in owner):
                raise Unsupported("an order of something unknown")
            keywords = _keys(machine, keywords)
        return guarded(lambda: getattr(owner, name)(*args, **keywords))
    raise Unsupported(f"the method {name} of {type(owner).__name__}")


def _method_of_term(
    machine: Machine, owner: Term, name: str, args: Arguments, keywords: Mapping[str, Any]
) -> Any:
    if name in _KEPT:
        return args[0]
    if args and operators.is_token(args[0]) and name in ("replace", "split", "count"):
        # Of an unknown string it is known that it holds no placeholder.
        return {"replace": owner, "split": [owner], "count": 0}[name]
    if name in ("get", "pop", "setdefault") and args and isinstance(args[0], str):
        key, default = args[0], args[1] if len(args) > 1 else _DEFAULT
        needed = name == "pop" and default is _DEFAULT
        found = machine.world.entry(owner, key) if needed else _entry(machine, owner, key)
        if found is _DEFAULT:
            found = None if default is _DEFAULT else default
        if name == "pop":
            store(owner, key, GONE)
        elif name == "setdefault":
            store(owner, key, found)
        return found
    if name == "update":
        for key, value in args[0].items() if isinstance(args[0], dict) else ():
            store(owner, key, value)
        if isinstance(args[0], Term):
            store(owner, f"**{len(owner.changed)}", args[0])
        return None
    if name == "copy":
        made = Term(owner.digest, owner.length, owner.nested, owner.items)
        made.children, made.changed = dict(owner.children), dict(owner.changed)
        return made
    if name == "items" and not args:
        return derived("items", owner, keep=False)
    if name in ("append", "extend") and args and not operators.is_token(args[0]):
        new = list(machine.entries(args[0])) if name == "extend" else [args[0]]
        owner.length = machine.world.length(owner)
        for item in new:
            store(owner, owner.length, item)
            owner.length += 1
        return None
    if name in ("append", "extend", "remove", "insert", "clear"):
        raise Unsupported(f"{name} of something unknown")
    made = term("method", name, owner, list(args), dict(keywords))
    made.length, made.nested = owner.length, owner.nested
    if made.length is None:
        made.length = _number_of_parts(name, args)
    part = machine.components.get(owner.digest)
    if part is not None and part.startswith(("logger", "warnings")):
        machine.note("said", part, name)
    elif part is not None and name in ("encode", "__call__", "preprocess"):
        made.items = _items(args, keywords)
    return made


def _number_of_parts(name: str, args: Arguments) -> int | None:
    """How many entries torch's and numpy's functions on lists give."""
    place = {"split": 1, "stack": 0, "array": 0, "asarray": 0, "tensor": 0}.get(name)
    given = args[place] if place is not None and len(args) > place else None
    return len(given) if isinstance(given, list) else None


def _entry(machine: Machine, owner: Term, key: str) -> Any:
    """The entry that a mapping may have; what a processor of items returns has all of them."""
    if is_stored(owner, key):
        return _DEFAULT if owner.changed[key] is GONE else owner.changed[key]
    if key == "return_text_replacement_offsets":
        return _DEFAULT
    if owner.items or machine.world.likely(term("has", owner.digest, key)):
        return machine.world.entry(owner, key)
    return _DEFAULT


def _string(
    machine: Machine, owner: str, name: str, args: Arguments, keywords: Mapping[str, Any]
) -> Any:
    if name == "join":
        return owner.join(operators.text(item) for item in machine.entries(args[0]))
    given = [operators.text(item) if isinstance(item, Term) else item for item in args]
    named = {
        key: operators.text(item) if isinstance(item, Term) else item
        for key, item in keywords.items()
    }
    made = getattr(owner, name)(*given, **named)
    if isinstance(made, str) and len(made) > operators.LONGEST:
        raise Unsupported("a long string")
    return made


def _pattern(
    machine: Machine,
    owner: re.Pattern[str],
    name: str,
    args: Arguments,
    keywords: Mapping[str, Any],
) -> Any:
    from codegen.rewrite.tokens.expressions import apply

    if len(args) > (3 if name == "sub" else 1) or keywords.keys() - {"count"}:
        raise Unsupported(f"flags or a part of the string for {name} of a pattern")
    if name == "sub":
        if isinstance(args[1], Term):
            return args[1]  # of an unknown string it is known that it holds no placeholder
        new, content = args[0], args[1]
        count = args[2] if len(args) > 2 else keywords.get("count", 0)
        if isinstance(new, str):
            return owner.sub(new, content, count)
        return owner.sub(
            lambda match: operators.text(apply(machine, new, [match], {})), content, count
        )
    if name in ("findall", "split", "search", "match", "finditer"):
        found = getattr(owner, name)(operators.text(args[0]))
        return list(found) if name == "finditer" else found
    raise Unsupported(f"{name} of a pattern")


# -- built in -------------------------------------------------------------------------------------


def _len(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> int:
    value = args[0]
    return machine.world.length(value) if isinstance(value, Term) else len(value)


def _range(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> range:
    return range(*(machine.world.count(a) if isinstance(a, Term) else a for a in args))


def _next(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    from codegen.rewrite.tokens.machine import Raised

    if not hasattr(args[0], "__next__"):
        raise Unsupported("next of something")
    for found in args[0]:
        return found
    if len(args) > 1:
        return args[1]
    raise Raised("StopIteration")


def _isinstance(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> bool:
    from codegen.rewrite.tokens.machine import Native

    value, kinds = args
    names = {
        kind.name
        for kind in (kinds if isinstance(kinds, (list, tuple)) else [kinds])
        if isinstance(kind, Native)
    }
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
    return sorted(values, **_keys(machine, keywords))


def _keys(machine: Machine, keywords: Mapping[str, Any]) -> dict[str, Any]:
    from codegen.rewrite.tokens.expressions import apply

    given = dict(keywords)
    key = given.get("key")
    if key is not None:
        given["key"] = lambda item: apply(machine, key, [item], {})
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


def _getattr(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    from codegen.rewrite.tokens.expressions import attribute, settled

    return settled(machine, attribute(machine, args[0], args[1]))


def _set(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    return machine.unique(machine.entries(args[0]) if args else iter(()))


def _map(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Iterator[Any]:
    from codegen.rewrite.tokens.expressions import apply

    return (apply(machine, args[0], items, {}) for items in zip(*map(machine.entries, args[1:])))


def _sub(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    return _pattern(machine, re.compile(operators.text(args[0])), "sub", args[1:], keywords)


def _searching(name: str) -> Callable[..., Any]:
    def search(machine: Machine, args: Arguments, keywords: Mapping[str, Any]) -> Any:
        return _pattern(machine, re.compile(operators.text(args[0])), name, args[1:], keywords)

    return search


_BUILTIN: Mapping[str, Callable[[Any, Arguments, Mapping[str, Any]], Any]] = {
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
    "hasattr": lambda m, a, k: m.truth(term("hasattr", a[1])),
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
_WITH_KEYWORDS = frozenset(("max", "min", "sum", "sorted", "enumerate", "zip", "dict", "re.sub"))
"""Those of them that look at what they are given by name; the others are given nothing so."""
