"""Functions and methods that a run of a processor knows; all others make terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import limits, operators, whole
from codegen.rewrite.tokens.builtin import (
    BUILTIN,
    ONE_OR_MORE,
    TAKES,
    WITH_KEYWORDS,
    keys_of,
    pattern_method,
)
from codegen.rewrite.tokens.ours import OURS, expanded
from codegen.rewrite.tokens.scopes import Native, guarded
from codegen.rewrite.tokens.terms import (
    GONE,
    Arguments,
    Term,
    Unsupported,
    derived,
    flat,
    is_stored,
    store,
    term,
)

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

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

_SHORT = frozenset(("add", "append", "get", "items", "keys", "pop", "setdefault", "values"))
"""Methods of lists and dictionaries that take no longer for longer ones."""
_KEPT = frozenset({"fetch_images", "fetch_audio", "fetch_videos"})
"""Methods that hand on what they are given."""


def call_native(
    machine: Machine, called: Native, args: Arguments, keywords: Mapping[str, Any]
) -> Any:
    """The result of a function that is known by name."""
    name = called.name
    if name in _LIST_MAKERS:
        items = args[0] if args else next(iter(keywords.values()))
        if isinstance(items, (list, tuple)):
            return _LIST_MAKERS[name](items)
        return [items] if isinstance(items, Term) and items.length is None else items
    if name == "get_text_with_replacements":
        return expanded(machine, called, args, keywords)
    own = OURS.get(name)
    if own is not None:
        return guarded(lambda: own(machine, args, keywords))
    handler = BUILTIN.get(name)
    if handler is None:
        return _made_by(f"builtin {name}", args, keywords)
    if len(args) not in TAKES.get(name, ONE_OR_MORE):
        raise Unsupported(f"{name} of {len(args)} arguments")
    if keywords and name not in WITH_KEYWORDS:
        raise Unsupported(f"{name} with {next(iter(keywords))}")
    return guarded(lambda: handler(machine, args, keywords))


def call_term(machine: Machine, called: Term, args: Arguments, keywords: Mapping[str, Any]) -> Any:
    """The result of a call of which nothing is known but what goes into it."""
    part = machine.components.get(called.digest)
    if machine.whole:
        found = whole.features(called, args, keywords)
        if found is not None:
            return found
        same = whole.arguments(machine, part or "", args, keywords)
        if same is None:
            return None
        args, keywords = same
    made = _made_by("call", (called, *args), keywords)
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
    if isinstance(owner, Term):
        return _method_of_term(machine, owner, name, args, keywords)
    if isinstance(owner, re.Pattern):
        return pattern_method(machine, owner, name, args, keywords)
    if isinstance(owner, re.Match):
        return guarded(lambda: getattr(owner, name)(*args))
    if isinstance(owner, str):
        return guarded(lambda: _string(machine, owner, name, args, keywords))
    if isinstance(owner, dict) and name in ("get", "pop", "setdefault") and args:
        absent = machine.whole and args[0] == whole.OF_VIDEOS
        source = None if absent else operators.unpacked(owner, args[0])
        if source is not None:
            return _method_of_term(machine, source, name, args, keywords)
    if isinstance(owner, (list, dict, tuple, set)):
        if name == "extend" or (name == "update" and isinstance(owner, set)):
            more = list(machine.entries(args[0]))
            limits.entries(len(owner) + len(more))
            args = [more]
        elif name == "update" and isinstance(owner, dict) and args and isinstance(args[0], Term):
            owner[f"**{len(owner)}"] = args[0]
            return None
        elif name == "sort":
            if any(isinstance(item, Term) for item in owner):
                raise Unsupported("an order of something unknown")
            keywords = keys_of(machine, keywords)
        if name not in _SHORT:
            limits.entries(len(owner))
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
    made = _of_entries(machine, owner, name, args)
    if made is not _DEFAULT:
        return made
    if name == "items" and machine.whole:
        return [("**0", owner)]
    if name == "items" and not args:
        return derived("items", owner, keep=False)
    new = list(machine.entries(args[0])) if name == "extend" and args else list(args[:1])
    if name in ("append", "extend") and args and not any(map(operators.is_token, new)):
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


def _of_entries(machine: Machine, owner: Term, name: str, args: Arguments) -> Any:
    """What methods of dictionaries give that ask for entries or change them; ``_DEFAULT`` for other methods."""
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
    return _DEFAULT


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
    if name == "join" and len(args) == 1 and not keywords:
        parts = [operators.text(item) for item in machine.entries(args[0])]
        limits.characters(sum(map(len, parts)) + len(owner) * len(parts))
        return owner.join(parts)
    given = [operators.text(item) if isinstance(item, Term) else item for item in args]
    named = {
        key: operators.text(item) if isinstance(item, Term) else item
        for key, item in keywords.items()
    }
    limits.called(owner, name, [*given, *named.values()])
    made = getattr(owner, name)(*given, **named)
    if isinstance(made, str) and len(made) > operators.LONGEST:
        raise Unsupported("a long string")
    return made


# -- built in -------------------------------------------------------------------------------------
