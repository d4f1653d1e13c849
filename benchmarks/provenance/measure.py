"""Make random edits of each kind, and compare."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

from benchmarks.provenance import structure, words
from benchmarks.provenance.oracle import Edit, Line, Oracle, Score, as_read
from codegen.errors import CodegenError
from codegen.explain.atlas import Atlas
from codegen.explain.forward import changed_with, renamed_with, word_at
from codegen.explain.named import named_at, named_in
from codegen.text.lines import LineMap

#: Kinds of edits, in the order in which random lines are shared out among them.
KINDS = ("word", "deep", "head", "name", "removed", "added", "import")
_CHOICES = {
    "word": words.one_word,
    "deep": words.deep_word,
    "head": words.head_word,
    "name": words.name_everywhere,
}
#: An edit may fail to apply; so often a random place is tried.
_ATTEMPTS = 200


def measure(
    atlas: Atlas,
    count: int,
    seed: int = 0,
    kinds: Sequence[str] = ("word",),
    tell: Callable[[str], None] = lambda line: None,
    skip: int = 0,
) -> Mapping[str, Score]:
    """Follow ``count`` random edits, of each kind in turn; ``tell`` hears of each what was right.

    The first ``skip`` of them are chosen, but not made: a run before has done so.

    Raises:
        ValueError: nothing is generated yet.
    """
    if not words.generated(atlas):
        raise ValueError(f"nothing is generated below {atlas.tree.output}: run `sync` first")
    chance, oracle = random.Random(seed), Oracle(atlas)
    scores = {kind: Score() for kind in kinds}
    known = dict.fromkeys(kinds, 0)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        follow = _by_words if kind in _CHOICES else _by_statement
        for _ in range(_ATTEMPTS):
            if follow(kind, atlas, chance, oracle if number >= skip else None, scores[kind]):
                break
        if number < skip:
            continue
        score = scores[kind]
        told = f"{score.both} of {score.said} said and {score.changed} changed"
        tell(f"{number + 1} of {count}, {kind}: {told}, {len(score.faults)} faults")
        for fault in score.faults[known[kind] :]:
            tell(f"  {fault}")
        known[kind] = len(score.faults)
    return scores


def _by_words(
    kind: str, atlas: Atlas, chance: random.Random, oracle: Oracle | None, score: Score
) -> bool:
    chosen = _CHOICES[kind](atlas, chance)
    if chosen is None:
        return False
    if oracle is not None:
        compare(atlas, oracle, *chosen, score)
    return True


def compare(atlas: Atlas, oracle: Oracle, line: Line, edits: Sequence[Edit], score: Score) -> None:
    """Edit words, and count the lines that change."""
    changed = _expanded(oracle, edits, score)
    if changed is None:
        return
    really: set[Line] = set()
    ranges = [(edit.path, edit.start, edit.start + len(edit.old)) for edit in edits]
    spots = [*changed_with(atlas, ranges), *renamed_with(atlas, ranges)]
    said = {(spot.path, atlas.line(spot)) for spot in spots}
    for path, text in changed.items():
        old, new = atlas.text(path).split("\n"), text.split("\n")
        if len(old) != len(new):
            score.apart["has other lines"] += 1
            return
        if _in_another_order(old, new, edits[0]):
            score.apart["has its parts in another order"] += 1
            return
        for at, pair in enumerate(zip(old, new), 1):
            if pair[0] == pair[1]:
                continue
            # Under a name of the same length a line is as long as before, unless there is more to it.
            if len(pair[0]) != len(pair[1]) and (path, at) not in said:
                if len(edits) > 1:
                    score.apart["leads the expansion to other names"] += 1
                    return
                score.apart["of these, lines where a name comes from elsewhere then"] += 1
                continue
            really.add((path, at))
    first = edits[0]
    place = f"{first.path}:{first.start} {first.old} -> {first.new}"
    score.count(said, really, f"{place} (from {line[0].rpartition('/')[2]}:{line[1]})")


def _in_another_order(old: Sequence[str], new: Sequence[str], edit: Edit) -> bool:
    """Whether lines are sorted differently under the new name, and otherwise are the same."""
    pattern = re.compile(rf"\b{re.escape(edit.new)}\b")
    restored = [pattern.sub(edit.old, line) for line in new]
    return restored != list(old) and sorted(restored) == sorted(old)


def _by_statement(
    kind: str, atlas: Atlas, chance: random.Random, oracle: Oracle | None, score: Score
) -> bool:
    chosen = structure.statement(atlas, chance)
    if chosen is None:
        return False
    path, node = chosen
    said = structure.lines_of(atlas, path, node)
    if not said:
        return False
    if oracle is None:
        return True
    if kind == "removed":
        edits = structure.removed(atlas, path, node)
    elif kind == "added":
        edits = structure.added(atlas, path, node, "edited_here = 1")
    else:
        edits = [
            structure.imported(atlas, path),
            *structure.added(atlas, path, node, "colorsys.edited_here()"),
        ]
    changed = _expanded(oracle, edits, score)
    if changed is None:
        return True
    place = f"{kind} {path}:{node.lineno}"
    if kind == "removed":
        _count_removed(atlas, changed, said, score, place)
    else:
        _count_added(atlas, changed, edits, score, place)
    return True


def _count_removed(
    atlas: Atlas, changed: Mapping[str, str], said: set[Line], score: Score, place: str
) -> None:
    really: set[Line] = set()
    for path, text in changed.items():
        old = atlas.text(path).split("\n")
        told = {number for each, number in said if each == path}
        lost = structure.gone(old, text.split("\n"), told)
        needed = _no_longer_needed(atlas, path, lost - told)
        if needed:
            score.apart["of these, lines of what nothing needs any more"] += len(needed)
        really |= {(path, number) for number in lost - needed if old[number - 1].strip()}
    score.count({each for each in said if _line(atlas, each).strip()}, really, place)


def _no_longer_needed(atlas: Atlas, path: str, lost: set[int]) -> set[int]:
    """Lines of imports, and of definitions all of whose lines are gone: what was removed needed them."""
    found: set[int] = set()
    for member in named_in(atlas.text(path)):
        span = set(range(member.first, member.last + 1))
        if member.kind == "import" or ("." not in member.name and span <= lost):
            found |= span & lost
    return found


def _count_added(
    atlas: Atlas, changed: Mapping[str, str], edits: Sequence[Edit], score: Score, place: str
) -> None:
    """New lines stand in front of what was said to come from the word behind them."""
    really: set[Line] = set()
    for path, text in changed.items():
        old = atlas.text(path).split("\n")
        imports = {
            number
            for member in named_in(atlas.text(path))
            if member.kind == "import"
            for number in range(member.first, member.last + 2)
        }
        before = structure.preceded(old, text.split("\n"))
        if len(edits) > 1 and "import colorsys" not in text:
            score.faults.append(f"{place}: {path} has no import")
        really |= {(path, number) for number in before if len(edits) == 1 or number not in imports}
    score.count(_behind(atlas, edits[-1]), really, place)


def _behind(atlas: Atlas, edit: Edit) -> set[Line]:
    """In front of which lines new ones were said to come.

    In front of the statement behind them; where that is another one, of a child, behind the statement
    in front of them.
    """
    source = as_read(atlas, edit.path)
    start = edit.start + len(edit.new) - len(edit.new.lstrip())
    following = list(changed_with(atlas, [(edit.path, start, word_at(source, start)[1])]))
    said = {(spot.path, atlas.line(spot)) for spot in following}
    taken = {_member(atlas, *line) for line in said}
    lines = LineMap(source)
    last = lines.line_at(edit.start) - 1
    before = changed_with(atlas, [(edit.path, lines.start_of(last), edit.start)])
    ends: dict[tuple[str, str], int] = {}
    for spot in before:
        key = _member(atlas, spot.path, atlas.line(spot))
        ends[key] = max(ends.get(key, 0), atlas.line(spot))
    return said | {(key[0], end + 1) for key, end in ends.items() if key not in taken}


def _member(atlas: Atlas, path: str, line: int) -> tuple[str, str]:
    found = named_at(named_in(atlas.text(path)), line)
    return path, found.name if found else ""


def _line(atlas: Atlas, line: Line) -> str:
    return atlas.text(line[0]).split("\n")[line[1] - 1]


def _expanded(oracle: Oracle, edits: Sequence[Edit], score: Score) -> dict[str, str] | None:
    try:
        return oracle.changed(edits)
    except CodegenError as error:
        score.apart[f"cannot be expanded ({error.diagnostics[0].code})"] += 1
        return None
