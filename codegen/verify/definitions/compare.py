"""Compare what a definition means with what was generated from it.

Both sides are the data of :mod:`codegen.verify.definitions.values`. A difference that an entry of
the README's closed list explains is listed with the number of the entry; every other one counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codegen.verify.definitions.facts import Facts

NAMES, MARKERS, REPLACED = 1, 2, 3


@dataclass(frozen=True)
class Finding:
    """One difference: where, what the two sides have, and which entry of the list explains it.

    ``listed`` is 0 where nothing does: then the generated code does not mean what its definition does.
    """

    place: str
    plain: str
    generated: str
    listed: int = 0

    def __str__(self) -> str:
        entry = f" [{self.listed}]" if self.listed else ""
        return f"{self.place}: {self.plain} as defined, {self.generated} as generated{entry}"


@dataclass(frozen=True)
class Words:
    """Which words of a parent's model became which of the definition's."""

    renames: Mapping[str, frozenset[str]]
    models: Mapping[str, frozenset[str]]

    def may_become(self, plain: str, generated: str) -> bool:
        """Whether two strings differ only in names of the model (entry 1 of the list)."""
        old, new = re.findall(r"\w+|\W+", plain), re.findall(r"\w+|\W+", generated)
        registered = re.fullmatch(r"[\w./-]+", plain) is not None
        if registered and self._model_word(plain, generated):
            return True
        if len(old) != len(new):
            return False
        return all(
            left == right
            or (left in self.renames and right == f"_{left}")  # the parent, kept apart
            or right.replace("_", "") in {n.replace("_", "") for n in self.renames.get(left, ())}
            or (registered and self._model_word(left, right))
            for left, right in zip(old, new)
        )

    def _model_word(self, left: str, right: str) -> bool:
        for old, spelled in self.models.items():
            rest = r"(?![a-zA-Z0-9])" if old.islower() or old.isupper() else r"(?![a-z])"
            parts = re.split(rf"(?<![a-zA-Z0-9]){re.escape(old)}{rest}", left)
            if len(parts) > 1 and any(new.join(parts) == right for new in spelled):
                return True
        return False


def compare(
    plain: Mapping[str, Any], generated: Mapping[str, Any], words: Words, facts: Facts
) -> list[Finding]:
    """All differences between the two descriptions of one model."""
    comparison = _Comparison(words, facts)
    found: list[Finding] = []
    for name, item in plain["names"].items():
        other = generated["names"].get(name)
        if other is None:
            if name not in facts.dropped:
                found.append(Finding(name, "defined", "missing"))
        elif item[0] == "class" and other[0] == "class":
            found += comparison.classes(name, item[1], other[1])
        else:
            found += comparison.values(name, item, other)
    found += comparison.values("__all__", plain["exports"], generated["exports"])
    for name, result in plain.get("runs", {}).items():
        if facts.runs_deleted(name):
            continue
        other = generated.get("runs", {}).get(name)
        found += comparison.runs(name, result, other, plain.get("decorated", {}).get(name))
    return found


class _Comparison:
    def __init__(self, words: Words, facts: Facts) -> None:
        self.words, self.facts = words, facts

    def classes(self, name: str, plain: Any, generated: Any) -> Iterator[Finding]:
        """Differences of a class: bases, members, annotations, docstrings."""
        for key in ("mro", "metaclass", "abstract", "doc"):
            # A data class without words of its own gets its signature for them.
            made = str(plain["doc"]).startswith(f"{name}(") and not self.facts.documented(name)
            decorated = self.facts.decorated(name)
            listed = MARKERS if key == "doc" and (made or decorated) else 0
            yield from self.values(f"{name}.{key}", plain[key], generated[key], listed)
        yield from self._members(name, plain, generated)
        gone = self.facts.deleted(name)
        notes = [pair for pair in plain["annotations"] if pair[0] not in gone]
        yield from self.values(f"{name}.__annotations__", notes, generated["annotations"])

    def _members(self, name: str, plain: Any, generated: Any) -> Iterator[Finding]:
        gone = self.facts.deleted(name)
        for member, item in plain["members"].items():
            place, other = f"{name}.{member}", generated["members"].get(member)
            if member in gone:
                shown = "removed" if other is None else "still there"
                explained = other is None or self.facts.found_further(name, member)
                yield Finding(place, "a deletion marker", shown, MARKERS if explained else 0)
            elif other is None:
                yield Finding(place, "a member", "missing")
            elif item[0] == other[0] == "nested":
                yield from self.classes(place, item[1], other[1])
            else:
                listed = self.facts.entry(name, member)
                yield from self.values(place, item, other, listed)
                docs = plain["docs"].get(member), generated["docs"].get(member)
                made = self.facts.made_doc(name, member)
                yield from self.values(f"{place}.__doc__", *docs, MARKERS if made else listed)
        for member in generated["members"]:
            if member not in plain["members"] and not self.facts.kept(member):
                yield Finding(f"{name}.{member}", "no member", "added")

    def runs(
        self, place: str, plain: Any, generated: Any, decorated: Any = None
    ) -> Iterator[Finding]:
        """Differences of what something gave when it was run.

        ``decorated`` is what the definition's class gives with the decorators that it takes over.
        """
        if generated is None:
            yield Finding(place, "ran", "did not run")
            return
        if all(isinstance(side, list) and side[:1] == ["not built"] for side in (plain, generated)):
            return  # nothing that the class can be built with was tried
        entry = self.facts.entry_of_run(place, plain, generated)
        if not entry and decorated is not None:
            rest = [each.listed for each in self.values(place, decorated, generated)]
            entry = MARKERS if all(rest) else 0
        yield from self.values(place, plain, generated, entry)

    def values(self, place: str, plain: Any, generated: Any, listed: int = 0) -> Iterator[Finding]:
        """Differences of two described values, with the innermost place that differs."""
        difference = self._first(plain, generated)
        if difference is None:
            return
        left, right, names = difference
        yield Finding(place, _short(left), _short(right), NAMES if names else listed)

    def _first(self, plain: Any, generated: Any) -> tuple[Any, Any, bool] | None:
        """The first two parts that differ, and whether all that differ are names of the model."""
        if plain == generated:
            return None
        if isinstance(plain, str) and isinstance(generated, str):
            return plain, generated, self.words.may_become(plain, generated)
        if isinstance(plain, list) and isinstance(generated, list):
            return self._first_of_lists(plain, generated)
        if isinstance(plain, dict) and isinstance(generated, dict):
            return self._first_of_lists(sorted(plain.items()), sorted(generated.items()))
        return plain, generated, False

    def _first_of_lists(
        self, plain: Collection[Any], generated: Collection[Any]
    ) -> tuple[Any, Any, bool] | None:
        left, right = list(map(_listed, plain)), list(map(_listed, generated))
        if left[:1] == right[:1] == ["named"]:
            # A class may be the parent's own, where its import stays, or the one in its role.
            names = [{item.replace("_", "") for item in side[1:]} for side in (left, right)]
            # A copy whose name another class has keeps its own behind the model's.
            copied = left[1].startswith(".") and right[1].endswith(left[1][1:])
            return None if names[0] & names[1] or copied else (left[2], right[2], False)
        if "quoted" in (*left[:1], *right[:1]):
            return self._first(*_meant(left, right))
        if len(left) != len(right):
            return left, right, False
        kept = None
        for one, other in zip(left, right):
            found = self._first(one, other)
            if found is not None and not found[2]:
                return found
            kept = kept or found
        return kept


def _meant(left: Any, right: Any) -> tuple[Any, Any]:
    """Two annotations, of which one at least is a string, by what they mean.

    Where one file lacks the names that it is made of, for type checkers only, by their texts.
    """
    sides = [list(each) if each[:1] == ["quoted"] else [None, None, each] for each in (left, right)]
    if any(each[2] is None for each in sides) and all(each[1] for each in sides):
        return sides[0][1], sides[1][1]
    plain, generated = (each[2] if each[2] is not None else ["note", each[1]] for each in sides)
    return plain, generated


def _listed(item: Any) -> Any:
    return list(item) if isinstance(item, tuple) else item


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."
