"""Fold hunks under the edit that accounts for them: each difference once, with where it stands."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from codegen.review.attribute import Attributed
from codegen.review.edits import edit_id
from codegen.review.model import Change, Edit, Hunk, Instance, MemberChange, SourceHunk, Variant
from codegen.review.said import PLACEHOLDERS, comments_only, replaced_in, replaced_word, words

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
    replacing = _made_everywhere(edit) if edit else frozenset()
    wording = {item.hunk.key for item in edit.hunks} if edit else set()
    variants: list[Variant] = []
    first: dict[tuple[str, str], str] = {}
    for index, (replaced, instances) in enumerate(_folded(items, replacing)):
        letter, change = letters(index), instances[0].change
        like = letter if replaced else first.setdefault((change.role, change.member.name), letter)
        same = replaced or all(hunk.key in wording for hunk in instances[0].hunks)
        instances.sort(key=lambda item: (item.change.path, item.hunks[0].line))
        variants.append(Variant(letter, tuple(instances), like if like != letter else "", same))
    return tuple(variants)


_Pair = tuple[str, str]


def _folded(
    items: Sequence[Attributed], replacing: frozenset[_Pair]
) -> list[tuple[bool, list[Instance]]]:
    """Hunks member by member, those that do the same together, most places first; and whether they only put
    the same word in the place of another, which is read once, whatever stands around it."""
    members: dict[int, list[Hunk]] = defaultdict(list)
    changes: dict[int, MemberChange] = {}
    for item in items:
        members[id(item.change)].append(item.hunk)
        changes[id(item.change)] = item.change
    folded: dict[object, list[Instance]] = defaultdict(list)
    for key, hunks in members.items():
        pairs = {replaced_in(changes[key], hunk) for hunk in hunks} if replacing else set()
        pair = pairs.pop() if len(pairs) == 1 else None
        said = (changes[key].kind, *(hunk.key for hunk in hunks))
        folded[pair if pair in replacing else said].append(Instance(changes[key], tuple(hunks)))
    ordered = sorted(folded.items(), key=lambda item: -len(item[1]))
    return [(said in replacing, instances) for said, instances in ordered]


def _made_everywhere(edit: Edit) -> frozenset[_Pair]:
    """What takes the place of what in so many hunks of an edit that it is what the edit does."""
    pairs = Counter(replaced_in(item.change, item.hunk) for item in edit.hunks)
    return frozenset(pair for pair, times in pairs.items() if pair and times > _MANY)


def distinct_hunks(edit: Edit) -> list[tuple[SourceHunk, int]]:
    """The hunks of an edit that say something new, each with how many others say the same."""
    replacing = _made_everywhere(edit)
    told: dict[object, list[SourceHunk]] = defaultdict(list)
    for item in edit.hunks:
        pair = replaced_in(item.change, item.hunk)
        key = pair if pair in replacing else (item.change.kind, item.hunk.key)
        told[key].append(item)
    return [(items[0], len(items) - 1) for items in told.values()]


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
    said = f"{places[0]}{more}"
    files = [
        next((item.change.path for item in edit.hunks if item.whole and side(item.hunk)), "")
        for side in (lambda hunk: hunk.removed, lambda hunk: hunk.added)
    ]
    if all(files):
        return f"{files[0]} becomes {files[1]}"
    pairs = Counter(replaced_word(item.hunk) for item in edit.hunks)
    pair, times = pairs.most_common(1)[0]
    becomes = f"{pair[0]} becomes {pair[1]} in {said}" if pair and all(map(_reads, pair)) else ""
    if becomes and times > max(_MANY, len(edit.hunks) / 2):
        return becomes  # whatever else came along with it
    for kind, word in (("added", "new"), ("gone", "removed")):
        there = (change for change in changes if change.kind == kind)
        whole = [change for change in there if change.member.text.strip() not in PLACEHOLDERS]
        if whole:
            return f"{word}: {whole[0].shown}{more}"
    if all(comments_only(item.hunk) for item in edit.hunks):
        return f"comment in {said}"
    come, gone = _only_name(edit, True), _only_name(edit, False)
    named = next((item for item in edit.hunks if {come, gone} & item.names), None)
    if named is not None:
        said = f"{named.change.shown}{more}"
    if come and gone:
        return f"{gone} becomes {come} in {said}"
    if becomes and len(pairs) == 1:
        return becomes
    if come or gone:
        return f"{come or gone} {'comes into' if come else 'leaves'} {said}"
    return said


#: A name or number, also with what is in the brackets behind it.
_EXPRESSION = re.compile(r"-?[\w.]+(?:\[[^\[\]]*\]|\([^()]*\))?")


def _reads(text: str) -> bool:
    """Whether what takes the place of something can be told by itself."""
    return len(text) <= _LONG and bool(_EXPRESSION.fullmatch(text))


#: Longer expressions are not told in a title.
_LONG = 48


def _only_name(edit: Edit, new: bool) -> str:
    """The one name that an edit brings in (or takes away), if it is one."""
    found: set[str] = set()
    for item in edit.hunks:
        lines, others = item.hunk.added, item.hunk.removed
        if not new:
            lines, others = others, lines
        found |= (words(lines) - words(others)) & item.names
    return found.pop() if len(found) == 1 else ""
