"""Compare two texts of one file member by member, after undoing model names.

Members are paired by class and name, renamed classes by what they hold; what is left unpaired came,
went, or moved. Lines are compared without layout, so that a longer class name is no change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from codegen.review.hunks import import_lines, member_hunks
from codegen.review.logical import logical_lines
from codegen.review.members import BROKEN, of_piece, split_members
from codegen.review.model import Hunk, Line, Member, MemberChange
from codegen.review.moves import MOVED_LINES, Key, moved_in_order, with_moves
from codegen.review.names import Naming
from codegen.review.pieces import Piece, split_pieces

#: Two classes of different names are one that was renamed if they share this much of their lines.
_SAME_CLASS = 0.6
#: Unchanged lines that a difference joins two changed places over (three of context on each side).
CONTEXT = 6


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
    changes += moved_in_order(path, model, old_keys, new_keys, new.naming, changes)
    alone = [*_whole(gone, old_keys, new_keys, False), *_whole(come, new_keys, old_keys, True)]
    changes += with_moves(_alone(path, model, alone, old.naming, new.naming))
    if not changes:  # nothing but blank lines
        line = Line("(blank lines)", 1, ())
        hunk = Hunk((line,), (line,), 1, 1, layout=True)
        first, now = (split_members(side.text)[0] for side in (old, new))
        changes.append(MemberChange(path, model, "", "changed", first, now, (hunk,)))
    return sorted(changes, key=lambda change: change.hunks[0].line)


def gone_file(path: str, model: str, old: Reading) -> list[MemberChange]:
    """A file that went with its definition, as one change: nobody reads it line by line."""
    member = Member("", path.rpartition("/")[2], "statement", 1, old.text)
    line = Line(old.text.rstrip("\n"), 1, ("file", old.naming.name(member.name)))
    return [
        MemberChange(path, model, "", "gone", member, None, (Hunk((line,), (), 1, 1, file=True),))
    ]


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
    return len(left & right) / len(either) if len(either) > MOVED_LINES else 0.0


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
        read = import_lines if member.kind == "imports" else logical_lines
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
