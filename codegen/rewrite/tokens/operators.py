"""What operators do to plain values, tokens and terms."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from codegen.rewrite.tokens import limits
from codegen.rewrite.tokens.terms import Term, Unsupported, World, derived, freeze, term

LONGEST = 200_000
"""Characters of a string, or entries of a list, that a run may make."""

_BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mult": operator.mul,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": operator.mod,
    "Pow": operator.pow,
    "BitAnd": operator.and_,
    "BitOr": operator.or_,
    "BitXor": operator.xor,
}
_ORDER: Mapping[str, Callable[[Any, Any], Any]] = {
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
}


BYTES = (bytes, bytearray, memoryview)
"""What no text of a processor is made of: it is not counted what operations on them would take."""


def named(name: str) -> Any:
    """What is known of something by its name: a token is a string of its own, all else a term."""
    return f"⟨{name}⟩" if name.endswith("_token") else term("named", name)


def text(value: Any) -> str:
    """A value as part of a string."""
    if isinstance(value, Term):
        changed = value.frozen()[2:] != ((), ())
        return f"⟨{term('changed', value).digest if changed else value.digest}⟩"
    if isinstance(value, (list, tuple, dict, set)):
        limits.weighed(value)
        limits.entries(len(value))
    frozen = repr(freeze(value))
    return frozen if "('term', " in frozen else str(value)


def binary(world: World, name: str, left: Any, right: Any) -> Any:
    """``left + right`` and its like, by the name of the operator in ``ast``."""
    if isinstance(left, BYTES) or isinstance(right, BYTES):
        raise Unsupported("arithmetic with bytes")
    if name == "Mult" and isinstance(right, (str, list, tuple)):
        left, right = right, left
    if name == "Mult" and isinstance(left, (str, list, tuple)):
        times = world.count(right) if isinstance(right, Term) else right
        if not isinstance(times, int) or len(left) * times > LONGEST:
            raise Unsupported("a repetition")
        (limits.characters if isinstance(left, str) else limits.entries)(len(left) * times)
        return left * times
    if name == "Add" and (isinstance(left, str) or isinstance(right, str)):
        if isinstance(left, (str, Term)) and isinstance(right, (str, Term)):
            said, more = text(left), text(right)
            limits.characters(len(said) + len(more))
            return said + more
        raise Unsupported("a string and something else")
    if isinstance(left, Term):
        return derived(name, left, right)
    if isinstance(right, Term):
        return term(name, left, right, length=right.length)
    if name not in _BINARY:
        raise Unsupported(f"the operator {name}")
    if name in ("Pow", "Mult"):
        limits.numbers(name, left, right)
    elif name == "Mod" and isinstance(left, str):
        limits.formatted(left, *(right if isinstance(right, tuple) else (right,)))
    elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        limits.entries(len(left) + len(right))
    return _BINARY[name](left, right)


def compare(world: World, name: str, left: Any, right: Any) -> bool:
    """``left < right`` and its like, by the name of the operator in ``ast``."""
    if name in ("Is", "IsNot"):
        same = left is right or (not isinstance(left, Term) and left == right)
        return same == (name == "Is")
    if name in ("Eq", "NotEq"):
        return equal(world, left, right) == (name == "Eq")
    if name in ("In", "NotIn"):
        return contains(world, right, left) == (name == "In")
    if isinstance(left, Term) or isinstance(right, Term):
        return world.truth(term(name, left, right))
    return bool(_ORDER[name](left, right))


def equal(world: World, left: Any, right: Any) -> bool:
    """``left == right``: of terms by chance, unless they are of the same making."""
    for side in (left, right):
        if isinstance(side, (list, tuple, dict, set)):
            limits.weighed(side)
            limits.entries(len(side))
    if not (_holds_term(left) or _holds_term(right)):
        return bool(left == right)
    if freeze(left) == freeze(right):
        return True
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(equal(world, a, b) for a, b in zip(left, right))
    if left is None or right is None:
        return False
    decide = world.likely if isinstance(left, str) or isinstance(right, str) else world.truth
    return decide(term("Eq", *sorted((left, right), key=lambda item: repr(freeze(item)))))


def contains(world: World, owner: Any, item: Any) -> bool:
    """``item in owner``."""
    if isinstance(owner, str) and isinstance(item, (str, Term)):
        return text(item) in owner
    if isinstance(owner, Term):
        # Of an unknown string it is known that it holds no placeholder.
        return not is_token(item) and world.truth(term("In", owner, item))
    source = unpacked(owner, item) if isinstance(owner, dict) else None
    if source is not None:
        return bool(source.items) or world.likely(term("has", source.digest, item))
    if isinstance(owner, (dict, set)):
        return item in owner
    if isinstance(owner, range) and isinstance(item, int):
        return item in owner
    if isinstance(owner, (list, tuple, range)):
        limits.entries(len(owner))
        return any(equal(world, entry, item) for entry in owner)
    raise Unsupported("a search in something")


def unpacked(owner: dict[Any, Any], key: Any) -> Term | None:
    """The term that was unpacked into a dictionary and may have a key that it does not have by itself.

    Raises:
        Unsupported: there are several.
    """
    if not isinstance(key, str) or key in owner:
        return None
    found = [v for k, v in owner.items() if str(k).startswith("**") and isinstance(v, Term)]
    if len(found) > 1:
        raise Unsupported("an entry of one of several outputs")
    return found[0] if found else None


def is_token(value: Any) -> bool:
    """Whether a value is a placeholder, or what stands for one."""
    return isinstance(value, str) and value.startswith(("⟨", "<"))


def put(owner: Any, key: Any, value: Any) -> None:
    """``owner[key] = value`` of a list or dictionary."""
    if isinstance(key, Term):
        raise Unsupported("a position that is not known")
    if isinstance(owner, list) and isinstance(key, int) and not -len(owner) <= key < len(owner):
        raise Unsupported("a position that a list does not have")
    if isinstance(key, slice) and isinstance(value, Term):
        raise Unsupported("a slice that is not known")
    owner[key] = value


def _holds_term(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_term(item) for item in value)
    return isinstance(value, Term)
