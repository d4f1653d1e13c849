"""Fold hunks under the edit that accounts for them: each difference once, with where it stands."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from codegen.review.attribute import Attributed
from codegen.review.edits import edit_id
from codegen.review.model import Change, Edit, Hunk, Instance, MemberChange, SourceHunk, Variant
from codegen.review.said import replaced_word, words

FOLLOWING = "follows from the passes or the expansion alone"


def group_changes(edits: Sequence[Edit], attributed: Sequence[Attributed]) -> list[Change]:
    """One change per edit, those that reach most files first; what follows alone comes last.

    Edits that change no generated file are changes as well, without variants.
    """
    by_edit: dict[int | None, list[Attributed]] = defaultdict(list)
    for item in attributed:
        by_edit[item.edit].append(item)
    built = [(edit, _variants(edit, by_edit.get(index, []))) for index, edit in enumerate(edits)]
    built.sort(key=lambda pair: -len({path for item in pair[1] for path in item.files}))
    changes = [
        Change(number, edit.id, title_of(edit), edit, variants)
        for number, (edit, variants) in enumerate(built, 1)
    ]
    if by_edit.get(None):
        variants = _variants(None, by_edit[None])
        sources = [
            SourceHunk(item.change, hunk, frozenset())
            for variant in variants
            for item in variant.instances[:1]
            for hunk in item.hunks
        ]
        changes.append(Change(len(changes) + 1, edit_id(sources), FOLLOWING, None, variants))
    return changes


def _variants(edit: Edit | None, items: Sequence[Attributed]) -> tuple[Variant, ...]:
    members: dict[int, list[Hunk]] = defaultdict(list)
    changes: dict[int, MemberChange] = {}
    for item in items:
        members[id(item.change)].append(item.hunk)
        changes[id(item.change)] = item.change
    folded: dict[object, list[Instance]] = defaultdict(list)
    for key, hunks in members.items():
        change = changes[key]
        said = (change.kind, *(hunk.key for hunk in hunks))
        folded[said].append(Instance(change, tuple(hunks)))
    wording = {item.hunk.key for item in edit.hunks} if edit else set()
    variants: list[Variant] = []
    first: dict[tuple[str, str], str] = {}
    for index, instances in enumerate(sorted(folded.values(), key=lambda group: -len(group))):
        letter, change = letters(index), instances[0].change
        like = first.setdefault((change.role, change.member.name), letter)
        same = all(hunk.key in wording for hunk in instances[0].hunks)
        instances.sort(key=lambda item: (item.change.path, item.hunks[0].line))
        variants.append(Variant(letter, tuple(instances), like if like != letter else "", same))
    return tuple(variants)


def letters(index: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


#: Hunks that do the same before it is what an edit with others is called by.
_MANY = 8


def title_of(edit: Edit) -> str:
    """An edit in a few words."""
    changes = list(dict.fromkeys(item.change for item in edit.hunks))
    places = list(dict.fromkeys(change.shown for change in changes))
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    moved = next((change for change in changes if change.kind == "moved"), None)
    if moved:
        return f"{moved.shown} {moved.note}"
    if all(item.hunk.layout for item in edit.hunks):
        return f"layout of {places[0]}{more}"
    pairs = Counter(replaced_word(item.hunk) for item in edit.hunks)
    pair, times = pairs.most_common(1)[0]
    if pair is not None and times > max(_MANY, len(edit.hunks) / 2):
        return (
            f"{pair[0]} becomes {pair[1]} in {places[0]}{more}"  # whatever else came along with it
        )
    for kind, word in (("added", "new"), ("gone", "removed")):
        named = [change for change in changes if change.kind == kind]
        if named:
            rest = f" and {len(places) - 1} more" if len(places) > 1 else ""
            return f"{word}: {named[0].shown}{rest}"
    come = _only_name(edit, True)
    gone = _only_name(edit, False)
    if come and gone:
        return f"{gone} becomes {come} in {places[0]}{more}"
    if pair is not None and len(pairs) == 1:
        return f"{pair[0]} becomes {pair[1]} in {places[0]}{more}"
    if come or gone:
        return f"{come or gone} {'comes into' if come else 'leaves'} {places[0]}{more}"
    return f"{places[0]}{more}"


def _only_name(edit: Edit, new: bool) -> str:
    """The one name that an edit brings in (or takes away), if it is one."""
    found: set[str] = set()
    for item in edit.hunks:
        lines, others = item.hunk.added, item.hunk.removed
        if not new:
            lines, others = others, lines
        found |= (words(lines) - words(others)) & item.names
    return found.pop() if len(found) == 1 else ""
