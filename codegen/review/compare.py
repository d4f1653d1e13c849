"""Compare two texts of one file member by member, after undoing model names.

Members are paired by class and name, renamed classes by what they hold; what is left unpaired came,
went, or moved. Lines are compared without layout, so that a longer class name is no change.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from codegen.review.logical import logical_lines, physical_lines, plain_lines
from codegen.review.members import BROKEN, of_piece, split_members
from codegen.review.model import Hunk, Line, Member, MemberChange, Tokens
from codegen.review.names import Naming
from codegen.review.pieces import Piece, split_pieces

#: Two classes of different names are one that was renamed if they share this much of their lines.
_SAME_CLASS = 0.6
#: A moved member has at least this many lines; shorter ones are equal by chance.
_MOVED_LINES = 2
#: Unchanged lines that a difference joins two changed places over (three of context on each side).
CONTEXT = 6

Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """One side of one file: its text and how names in it are undone."""

    text: str
    naming: Naming


def compare_texts(path: str, model: str, old: Reading, new: Reading) -> list[MemberChange]:
    """What differs between two texts of a file, in the order of the file as it is now."""
    if old.text == new.text:
        return []
    before, after = differing_members(old, new)
    renamed = _renamed_classes(before, after)
    old_keys = _keyed(before, renamed)
    new_keys = _keyed(after, {})
    gone = [key for key in old_keys if key not in new_keys]
    come = [key for key in new_keys if key not in old_keys]
    changes: list[MemberChange] = []
    for key, member in new_keys.items():
        if key in old_keys:
            hunks = member_hunks(old_keys[key], old.naming, member, new.naming)
            if hunks:
                role = new.naming.name(member.owner) if member.owner else ""
                changes.append(
                    MemberChange(path, model, role, "changed", old_keys[key], member, hunks)
                )
    changes += _moved_in_order(path, model, old_keys, new_keys, new.naming, changes)
    alone = [*_whole(gone, old_keys, new_keys, False), *_whole(come, new_keys, old_keys, True)]
    changes += _with_moves(_alone(path, model, alone, old.naming, new.naming))
    if not changes:  # nothing but blank lines
        line = Line("(blank lines)", 1, ())
        hunk = Hunk((line,), (line,), 1, 1, layout=True)
        first, now = (split_members(side.text)[0] for side in (old, new))
        changes.append(MemberChange(path, model, "", "changed", first, now, (hunk,)))
    return sorted(changes, key=lambda change: change.hunks[0].line)


def differing_members(old: Reading, new: Reading) -> tuple[list[Member], list[Member]]:
    """The members of both texts, without those of classes and functions that are the same in both.

    Nothing is left out where an order changed: what moved is told by the longest rise over all members,
    which is that of each stretch between such classes only where nothing crosses them.
    """
    left, right = split_pieces(old.text), split_pieces(new.text)
    if left is None or right is None:
        return _one_piece(old.text), _one_piece(new.text)
    same = _same_pieces(left, right) if old.naming == new.naming else frozenset()
    for skipped in (same, frozenset[str]()):
        sides = [_outside(pieces, skipped) for pieces in (left, right)]
        if any(member.name == BROKEN for side in sides for _, member in side):
            return _one_piece(old.text), _one_piece(new.text)  # line by line, both as one piece
        before, after = ([member for _, member in side] for side in sides)
        if not skipped or not _crossing(*sides):
            break
    return before, after


def _same_pieces(left: Sequence[Piece], right: Sequence[Piece]) -> frozenset[str]:
    """Names of classes and functions with the same text on both sides; none where their order is not."""
    texts = [{piece.name: piece for piece in side if piece.kind} for side in (left, right)]
    for side, named in zip((left, right), texts):
        if len(named) < sum(1 for piece in side if piece.kind):
            return frozenset()  # a name that is defined twice
    old, new = texts
    same = [name for name in old if name in new and _is_same(old[name], new[name])]
    in_order = [name for name in new if name in set(same)]
    return frozenset(same) if same == in_order else frozenset()


def _is_same(one: Piece, two: Piece) -> bool:
    return one.text == two.text and one.is_first == two.is_first


def _outside(pieces: Sequence[Piece], skipped: frozenset[str]) -> list[tuple[int, Member]]:
    """Members of pieces that are not skipped, each with how many of those stand in front."""
    found: list[tuple[int, Member]] = []
    passed = 0
    for piece in pieces:
        if piece.name in skipped:
            passed += 1
        else:
            found += [(passed, member) for member in of_piece(piece)]
    return found


def _crossing(before: Sequence[tuple[int, Member]], after: Sequence[tuple[int, Member]]) -> bool:
    """Whether a member is on another side of a skipped piece than it was."""
    renamed = _renamed_classes(*([member for _, member in side] for side in (before, after)))
    places = [
        dict(zip(_keyed([member for _, member in side], names), (at for at, _ in side)))
        for side, names in ((before, renamed), (after, {}))
    ]
    return any(places[1].get(key, at) != at for key, at in places[0].items())


def _one_piece(text: str) -> list[Member]:
    return [Member("", BROKEN, "statement", 1, text)] if text.strip() else []


def member_hunks(
    old: Member, old_naming: Naming, new: Member, new_naming: Naming
) -> tuple[Hunk, ...]:
    """Where two states of a member differ."""
    if old.text == new.text and (old.kind != "class" or old_naming == new_naming):
        return ()
    lines = _import_lines if new.kind == "imports" else logical_lines
    if new.name == BROKEN:
        lines = plain_lines
    sides = _Sides(lines(old, old_naming), lines(new, new_naming), old.line, new.line)
    found: list[Hunk] = []
    for tag, a, b, c, d in sides.opcodes():
        if tag == "equal":
            pairs = zip(sides.left[a:b], sides.right[c:d])
            changed = [(one, two) for one, two in pairs if one.text != two.text]
            found += [
                Hunk((one,), (two,), two.number, one.number, layout=True) for one, two in changed
            ]
        else:
            inner = sides.refined((a, b, c, d), old_naming, new_naming)
            found += inner or [sides.hunk((a, b, c, d))]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Lines of two states of a member, and the lines of the file where these begin."""

    left: Sequence[Line]
    right: Sequence[Line]
    first: int
    now: int

    def opcodes(self) -> Sequence[tuple[str, int, int, int, int]]:
        """What is equal in both, and what is not."""
        left, right = ([line.tokens for line in side] for side in (self.left, self.right))
        return SequenceMatcher(None, left, right, autojunk=False).get_opcodes()

    def hunk(self, span: tuple[int, int, int, int]) -> Hunk:
        """The lines of a span that differ."""
        left, right, (a, b, c, d) = self.left, self.right, span
        line = right[c].number if c < len(right) else (right[-1].number if right else self.now)
        old_line = left[a].number if a < len(left) else (left[-1].number if left else self.first)
        before = right[c - 1].text if c else ""
        after = right[d].text if d < len(right) else ""
        return Hunk(tuple(left[a:b]), tuple(right[c:d]), line, old_line, before, after)

    def refined(self, span: tuple[int, int, int, int], old: Naming, new: Naming) -> list[Hunk]:
        """The same line by line as they stand in the file, where statements over several lines share
        some: an argument that came is one line, however long the list is that it came into."""
        a, b, c, d = span
        if not all(any("\n" in line.text for line in s) for s in (self.left[a:b], self.right[c:d])):
            return []
        left = [each for line in self.left[a:b] for each in physical_lines(line, old)]
        right = [each for line in self.right[c:d] for each in physical_lines(line, new)]
        inner = _Sides(left, right, left[0].number, right[0].number)
        opcodes = inner.opcodes()
        shared = (line for tag, i, j, _, _ in opcodes if tag == "equal" for line in left[i:j])
        if not any(_SAID.search(line.text) for line in shared):
            return []
        return [inner.hunk(tuple(rest)) for tag, *rest in opcodes if tag != "equal"]  # type: ignore[arg-type]


#: A line says something if it is more than brackets.
_SAID = re.compile(r"\w")


def _import_lines(member: Member, naming: Naming) -> list[Line]:
    """Imports name by name: which line a name shares with others does not matter."""
    try:
        nodes = ast.parse(member.text).body
    except (SyntaxError, ValueError):
        return logical_lines(member, naming)
    lines: list[Line] = []
    for node in nodes:
        for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            module = ""
            if isinstance(node, ast.ImportFrom):
                module = f"from {'.' * node.level}{node.module or ''} "
            bound = f" as {alias.asname}" if alias.asname else ""
            text = f"{module}import {alias.name}{bound}"
            lines.append(Line(text, member.line + node.lineno - 1, (naming.text(text),)))
    comments = [
        Line(line.strip(), member.line + index, (naming.text(line.strip()),))
        for index, line in enumerate(member.text.split("\n"))
        if line.lstrip().startswith("#")
    ]
    return sorted(lines + comments, key=lambda line: line.tokens)


def _keyed(members: Sequence[Member], renamed: Mapping[str, str]) -> dict[Key, Member]:
    keys: dict[Key, Member] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for member in members:
        owner = renamed.get(member.owner, member.owner)
        name = renamed.get(member.name, member.name) if member.kind == "class" else member.name
        kind = {"attribute": "statement", "method": "function"}.get(member.kind, member.kind)
        if not name:
            name = member.text.strip().split("\n")[0]
        keys[(owner, kind, name, seen[(owner, kind, name)])] = member
        seen[(owner, kind, name)] += 1
    return keys


def _renamed_classes(before: Sequence[Member], after: Sequence[Member]) -> dict[str, str]:
    """Old names of classes that have another name now, with the new one."""
    left = dict.fromkeys(member.owner for member in before)
    right = dict.fromkeys(member.owner for member in after)
    gone = [name for name in left if name not in right]
    come = [name for name in right if name not in left]
    if not (gone and come):
        return {}
    old, new = _bodies(before), _bodies(after)
    renamed: dict[str, str] = {}
    for name in gone:
        shares = [(_share(old[name], new[other]), other) for other in come]
        best = max(shares, default=(0.0, ""))
        if best[0] >= _SAME_CLASS and best[1] not in renamed.values():
            renamed[name] = best[1]
    return renamed


def _bodies(members: Sequence[Member]) -> dict[str, set[str]]:
    bodies: dict[str, set[str]] = {}
    for member in members:
        if member.owner:
            lines = {line.strip() for line in member.text.split("\n")}
            kept = {line for line in lines if len(line) > 3 and not line.startswith("class ")}
            bodies.setdefault(member.owner, set()).update(kept)
    return bodies


def _share(left: set[str], right: set[str]) -> float:
    either = left | right
    return len(left & right) / len(either) if len(either) > _MOVED_LINES else 0.0


def _moved_in_order(
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
            hunk = Hunk(lines, lines, new[key].line, old[key].line)
            role = naming.name(new[key].owner) if new[key].owner else ""
            note = f"stood at line {old[key].line}"
            yield MemberChange(path, model, role, "moved", old[key], new[key], (hunk,), note)


def _longest_rise(values: Sequence[int]) -> list[int]:
    """The longest subsequence that rises: what kept its order."""
    from bisect import bisect_left

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


def _whole(
    keys: Sequence[Key], members: Mapping[Key, Member], other: Mapping[Key, Member], new: bool
) -> Iterator[tuple[Member, bool]]:
    """Members without a counterpart; those of a class that came or went as one."""
    owners = {key[0] for key in other}
    texts: dict[str, list[Member]] = {}
    for key in keys:
        if key[0] and key[0] not in owners:
            texts.setdefault(key[0], []).append(members[key])
    for key in keys:
        member = members[key]
        if key[0] not in texts:
            yield member, new
        elif key[1] == "class":
            parts = texts[key[0]]
            text = parts[0].text
            for part in parts[1:]:
                gap = part.line - parts[0].line - text.count("\n")
                text += "\n" * max(gap, 0) + part.text
            yield replace(member, text=text), new


def _alone(
    path: str, model: str, members: Sequence[tuple[Member, bool]], old: Naming, new: Naming
) -> Iterator[MemberChange]:
    for member, is_new in members:
        naming = new if is_new else old
        read = _import_lines if member.kind == "imports" else logical_lines
        lines = tuple(read(member, naming))
        if not lines:
            continue
        role = naming.name(member.owner) if member.owner else ""
        if is_new:
            hunk = Hunk((), lines, member.line, member.line)
            yield MemberChange(path, model, role, "added", None, member, (hunk,))
        else:
            hunk = Hunk(lines, (), member.line, member.line)
            yield MemberChange(path, model, role, "gone", member, None, (hunk,))


def _with_moves(changes: Iterator[MemberChange]) -> Iterator[MemberChange]:
    """The same, with what went here and came there told as moved."""
    found = list(changes)
    gone: dict[tuple[Tokens, ...], MemberChange] = {}
    for change in found:
        if change.kind == "gone" and len(change.hunks[0].removed) >= _MOVED_LINES:
            gone[_moved_key(change.hunks[0].removed)] = change
    taken = set()
    for change in found:
        origin = None
        if change.kind == "added":
            origin = gone.pop(_moved_key(change.hunks[0].added), None)
        if origin is None:
            continue
        taken |= {id(change), id(origin)}
        hunk = replace(origin.hunks[0], added=change.hunks[0].added, line=change.hunks[0].line)
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


def count_plain(changes: Sequence[MemberChange]) -> tuple[int, int, int]:
    """Hunks, added and removed lines that a difference of the file with three lines of context has."""
    spans: list[tuple[int, int]] = []
    added = removed = 0
    for change in changes:
        for hunk in change.hunks:
            come = sum(line.text.count("\n") + 1 for line in hunk.added)
            gone = sum(line.text.count("\n") + 1 for line in hunk.removed)
            added, removed = added + come, removed + gone
            spans.append((hunk.line, hunk.line + come))
            if change.kind == "moved":
                spans.append((hunk.old_line, hunk.old_line))
    hunks, reached = 0, -CONTEXT - 1
    for start, end in sorted(spans):
        if start - reached > CONTEXT:
            hunks += 1
        reached = max(reached, end)
    return hunks, added, removed
