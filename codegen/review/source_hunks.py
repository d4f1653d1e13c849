"""What differs in the sources, hunk by hunk, each with the names that it brings in or takes away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from codegen.review.compare import Reading, compare_texts
from codegen.review.lineage import Lineage
from codegen.review.model import Hunk, Line, Member, MemberChange, SourceHunk
from codegen.review.said import COMMON, WORD, words
from codegen.review.settings import settings_lines
from codegen.review.sides import SETTINGS


def source_changes(
    base: Lineage, head: Lineage, parents: frozenset[str] | None
) -> list[MemberChange]:
    """What differs in definitions, hand-written files and settings, file by file.

    ``parents`` are the hand-written files that count; all do where it is None.
    """
    changes: list[MemberChange] = []
    old, new = base.side, head.side
    known = {*old.definitions, *new.definitions, SETTINGS, *(parents or ())}
    for path in sorted({*old.texts, *new.texts}):
        if path in old.generated or path in new.generated or old.text(path) == new.text(path):
            continue
        if parents is not None and path not in known:
            continue
        if path == SETTINGS:
            changes += _settings_changes(old.text(path), new.text(path))
            continue
        before = Reading(old.text(path), base.naming(path))
        after = Reading(new.text(path), head.naming(path))
        changes += compare_texts(path, new.model_of(path), before, after)
    return changes


def _settings_changes(old: str, new: str) -> Iterator[MemberChange]:
    """Keys of the table of a project that differ; other parts of the file are none of its business."""
    before, after = settings_lines(old), settings_lines(new)
    for key in sorted({*before, *after}):
        left, right = before.get(key), after.get(key)
        if left is not None and right is not None and left[1] == right[1]:
            continue
        hunk = Hunk(
            _setting(left), _setting(right), (right or left or (1, ""))[0], (left or (1, ""))[0]
        )
        members = [Member("", key, "statement", *item) if item else None for item in (left, right)]
        kind = "changed" if left and right else "added" if right else "gone"
        yield MemberChange(SETTINGS, "", "", kind, members[0], members[1], (hunk,))


def _setting(found: tuple[int, str] | None) -> tuple[Line, ...]:
    return (Line(found[1], found[0], (found[1],)),) if found else ()


def split_hunks(changes: Sequence[MemberChange], base: Lineage, head: Lineage) -> list[SourceHunk]:
    """All hunks of the sources, each with the names that it introduces or removes."""
    found = []
    scopes = _Scopes(base, head)
    for change in changes:
        there = [change.path in side.side.texts for side in (base, head)]
        for hunk in change.hunks:
            names, family = scopes.names(change, hunk), scopes.family(change)
            found.append(SourceHunk(change, hunk, names, family, not all(there)))
    return found


class _Scopes:
    """Names that come into a class or a file, or leave it, with an edit."""

    def __init__(self, base: Lineage, head: Lineage) -> None:
        self._base, self._head = base, head
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def names(self, change: MemberChange, hunk: Hunk) -> frozenset[str]:
        own = words(hunk.removed) ^ words(hunk.added)
        return frozenset(own & self._differing(change.path, change.member.owner))

    def family(self, change: MemberChange) -> tuple[str, str]:
        """The class that the one of a member inherits from in the end."""
        path, owner = change.path, change.member.owner
        if not owner:
            return "", ""
        side = self._head if owner in self._head.index(path).classes else self._base
        home = side.base_of(path, owner) if path in side.side.definitions else None
        chain = side.chain(*home) if home else ()
        return (chain[-1].path, chain[-1].name) if chain else (path, owner)

    def _differing(self, path: str, owner: str) -> frozenset[str]:
        key = (path, owner)
        if key not in self._known:
            old, new = self._base.text(path), self._head.text(path)
            left, right = _words_of(old), _words_of(new)
            gone, come = left - right, right - left
            there = [owner in side.index(path).classes for side in (self._base, self._head)]
            if owner and all(there):  # all words of a class that came or went are new in it
                left, right = (
                    frozenset(WORD.findall(side.class_text(path, owner)[1]))
                    for side in (self._base, self._head)
                )
                gone, come = gone | (left - right), come | (right - left)
            before, after = self._base.naming(path), self._head.naming(path)
            both = {before.name(word) for word in gone} | {after.name(word) for word in come}
            self._known[key] = frozenset(both - COMMON)
        return self._known[key]


@lru_cache(maxsize=64)
def _words_of(text: str) -> frozenset[str]:
    return frozenset(WORD.findall(text))
