"""Values of classes that are another kind of collection now: a dictionary that has become a list."""

from __future__ import annotations

import ast
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

from codegen.review.model import MemberChange, SourceHunk

_KINDS: dict[type[ast.expr], str] = {
    ast.Dict: "a dict",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Set: "a set",
}


def reshaped_pairs(hunks: Sequence[SourceHunk], wide: int) -> Iterator[tuple[int, int]]:
    """What makes the same attribute another kind of collection in more than ``wide`` files."""
    places: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for index, item in enumerate(hunks):
        kinds = _kinds(item.change)
        if kinds is not None and not item.whole:
            places[item.change.member.name, kinds[0], kinds[1]].append(index)
    for several in places.values():
        if len({hunks[index].change.path for index in several}) > wide:
            yield from ((several[0], index) for index in several[1:])


def same_in_another_shape(change: MemberChange) -> tuple[str, str] | None:
    """What an attribute was and is, if nothing else has become of it: what it has now it had before, in this
    order. The values of a dictionary are new, so that one which comes has to be read."""
    kinds = _kinds(change)
    if kinds is None or change.old is None or change.new is None or kinds[1] == "a dict":
        return None
    try:
        old, new = (ast.literal_eval(_value(each.text)) for each in (change.old, change.new))
    except (ValueError, TypeError, SyntaxError):
        return None
    name = change.member.name
    return (f"{name} as {kinds[0]}", f"{name} as {kinds[1]}") if list(old) == list(new) else None


def _kinds(change: MemberChange) -> tuple[str, str] | None:
    """Which kind of collection an attribute was and is, if it is another one."""
    if change.member.kind != "attribute" or change.kind != "changed":
        return None
    sides = (each.text if each else "" for each in (change.old, change.new))
    old, new = (_KINDS.get(type(_value(text))) for text in sides)
    return (old, new) if old and new and old != new else None


@lru_cache(maxsize=1024)
def _value(text: str) -> ast.expr:
    """The value that a statement gives a name; None, as a value, where it gives none."""
    nothing = ast.Constant(None)
    try:
        node = ast.parse(textwrap.dedent(text)).body[-1]
    except (SyntaxError, ValueError, IndexError):
        return nothing
    value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
    return value or nothing
