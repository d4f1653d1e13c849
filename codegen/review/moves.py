"""What is the same and stands elsewhere: members in another order, and what went here and came there."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from codegen.review.logical import logical_lines
from codegen.review.model import Hunk, Line, Member, MemberChange, Tokens
from codegen.review.names import Naming

#: A moved member has at least this many lines; shorter ones are equal by chance.
MOVED_LINES = 2

#: A member by class, kind, name, and how many of that name stand in front.
Key = tuple[str, str, str, int]


def moved_in_order(
    path: str,
    model: str,
    old: Mapping[Key, Member],
    new: Mapping[Key, Member],
    naming: Naming,
    changes: Sequence[MemberChange],
) -> Iterator[MemberChange]:
    """Members that are the same but stand behind or in front of others."""
    changed = {id(change.new) for change in changes}
    common = [key for key in new if key in old and key[1] not in ("header", "imports")]
    positions = {key: index for index, key in enumerate(old)}
    kept = set(_longest_rise([positions[key] for key in common]))
    for key in common:
        if positions[key] in kept or id(new[key]) in changed or key[1] == "class":
            continue
        lines = tuple(logical_lines(new[key], naming))
        if lines:
            hunk = Hunk(lines, lines, new[key].line, old[key].line, moved=True)
            role = naming.name(new[key].owner) if new[key].owner else ""
            note = f"stood at line {old[key].line}"
            yield MemberChange(path, model, role, "moved", old[key], new[key], (hunk,), note)


def _longest_rise(values: Sequence[int]) -> list[int]:
    """The longest subsequence that rises: what kept its order."""
    tails: list[int] = []
    places: list[int] = []
    back: list[int] = []
    for index, value in enumerate(values):
        at = bisect_left(tails, value)
        if at == len(tails):
            tails.append(value)
            places.append(index)
        else:
            tails[at], places[at] = value, index
        back.append(places[at - 1] if at else -1)
    result, index = [], places[-1] if places else -1
    while index >= 0:
        result.append(values[index])
        index = back[index]
    return result


def with_moves(changes: Iterator[MemberChange]) -> Iterator[MemberChange]:
    """The same, with what went here and came there told as moved."""
    found = list(changes)
    gone: dict[tuple[Tokens, ...], MemberChange] = {}
    for change in found:
        if change.kind == "gone" and len(change.hunks[0].removed) >= MOVED_LINES:
            gone[_moved_key(change.hunks[0].removed)] = change
    taken = set()
    for change in found:
        origin = None
        if change.kind == "added":
            origin = gone.pop(_moved_key(change.hunks[0].added), None)
        if origin is None:
            continue
        taken |= {id(change), id(origin)}
        come = change.hunks[0]
        hunk = replace(origin.hunks[0], added=come.added, line=come.line, moved=True)
        note = f"moved from {origin.shown}"
        yield replace(change, kind="moved", old=origin.old, hunks=(hunk,), note=note)
    yield from (change for change in found if id(change) not in taken)


def _moved_key(lines: Sequence[Line]) -> tuple[Tokens, ...]:
    """What a moved member keeps; its indentation may change, as from a class to the top."""
    depths = [int(line.tokens[0]) for line in lines if re.fullmatch(r"\d+", line.tokens[0])]
    least = min(depths, default=0)
    return tuple(
        (str(int(line.tokens[0]) - least), *line.tokens[1:])
        if re.fullmatch(r"\d+", line.tokens[0])
        else line.tokens
        for line in lines
    )
