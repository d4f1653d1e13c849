"""Compare what `explain` says of lines with what really changes when their source is edited.

    python -m benchmarks.provenance --release 5.8.1 --lines 300
    python -m benchmarks.provenance --root . --lines 100

Of each of a number of random generated lines one word is followed to the hand-written file that it
comes from. There it gets another spelling of the same length (a number another digit), everything that
is built on the file is expanded again, and the lines that changed are compared with those that were
said to come from there: precision, recall, and what differs. Edits after which files cannot be
expanded, or have another number of lines, are counted apart: there not only this word has changed.
Names of classes and functions are not edited where they are defined: every mention would follow.
"""

from __future__ import annotations

import argparse
import keyword
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.trees import fetch_release
from codegen.errors import CodegenError
from codegen.explain.atlas import Atlas, Settings
from codegen.explain.forward import read_from
from codegen.explain.impact import Subject, impact_of
from codegen.explain.maps import Spot
from codegen.explain.members import members_of
from codegen.output.formatting import format_texts
from codegen.run.job import Job, Runner
from codegen.text.lines import LineMap
from codegen.trees.tree import Tree, open_tree

_WORD = re.compile(r"\w+")
#: In front of the name of a class or function: under another one it is another definition.
_HEADER = re.compile(r"\b(?:class|def)\s+$")
Line = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Edit:
    """A word of a source and what stands in its place afterwards."""

    path: str
    start: int
    old: str
    new: str


@dataclass
class Score:
    """Lines said to come from edited words, lines that changed, and both."""

    said: int = 0
    changed: int = 0
    both: int = 0
    edits: int = 0
    apart: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Share of the lines said to change that did."""
        return self.both / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        """Share of the changed lines that were said to change."""
        return self.both / self.changed if self.changed else 1.0


class Oracle:
    """Expands again what depends on an edited source, and nothing else."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.runner = Runner(atlas.tree, atlas.names)

    def changed(self, edit: Edit) -> dict[str, str]:
        """The generated files that are others after the edit, as they are then.

        Raises:
            CodegenError: something cannot be expanded any more.
        """
        text = as_read(self.atlas, edit.path)
        new = text[: edit.start] + edit.new + text[edit.start + len(edit.old) :]
        overlay = {**self.atlas.rewriting.edits, edit.path: new}
        changed: dict[str, str] = {}
        pending = {edit.path}
        for model in self.atlas.plan.order:
            if not self.atlas.plan.sources[model] & pending:
                continue
            result = self.runner.run(Job(self.atlas.tree.definition(model), overlay))
            if result.problems:
                raise CodegenError(*result.problems)
            formatted = format_texts(result.texts, self.atlas.tree.formatting)
            if formatted.refused:
                raise CodegenError(*formatted.refused.values())
            for path, text in formatted.texts.items():
                if text != self.atlas.text(path):
                    changed[path] = overlay[path] = text
                    pending.add(path)
        return changed


def choose(atlas: Atlas, chance: random.Random) -> tuple[Line, Edit] | None:
    """A random line of a generated file and an edit of one of its words where that was written."""
    path = chance.choice(sorted(path for path in atlas.owners if atlas.is_generated(path)))
    text = atlas.text(path)
    lines = text.split("\n")
    number = chance.randrange(len(lines))
    start = sum(len(line) + 1 for line in lines[:number])
    words = list(_WORD.finditer(text, start, start + len(lines[number])))
    if not words:
        return None
    word = chance.choice(words)
    root = _root(atlas, Spot(path, word.start()))
    if root is None or root.path not in atlas.users:
        return None
    source = as_read(atlas, root.path)
    begin = root.offset
    while begin and re.match(r"\w", source[begin - 1]):
        begin -= 1
    found = _WORD.match(source, begin)
    if found is None or keyword.iskeyword(found[0]) or keyword.issoftkeyword(found[0]):
        return None
    if _HEADER.search(source[max(0, begin - 40) : begin]):
        return None
    return (path, number + 1), Edit(root.path, begin, found[0], other(found[0], source))


def _root(atlas: Atlas, spot: Spot) -> Spot | None:
    while True:
        found = atlas.map(spot.path)
        if found is None:
            return spot
        above = found.at(spot.offset)
        if above is None:
            return None
        spot = above


def as_read(atlas: Atlas, path: str) -> str:
    """A source as the expansion reads it: passes may have changed it."""
    return atlas.rewriting.edits.get(path) or atlas.text(path)


def other(word: str, text: str) -> str:
    """Another word of the same length and kind that the text does not have."""
    if word.isdigit():
        return word[:-1] + ("1" if word[-1] != "1" else "2")
    for letter in "qzxjkvwy":
        for at in reversed(range(len(word))):
            new = word[:at] + (letter.upper() if word[at].isupper() else letter) + word[at + 1 :]
            if new.isidentifier() and not re.search(rf"\b{new}\b", text):
                return new
    return word


def compare(atlas: Atlas, oracle: Oracle, line: Line, edit: Edit, score: Score) -> None:
    """Make one edit and count."""
    number = as_read(atlas, edit.path).count("\n", 0, edit.start) + 1
    place = f"{edit.path}:{number}"
    try:
        changed = oracle.changed(edit)
    except CodegenError as error:
        score.apart[f"cannot be expanded ({error.diagnostics[0].code})"] += 1
        return
    really: set[Line] = set()
    for path, text in changed.items():
        old, new = atlas.text(path).split("\n"), text.split("\n")
        if len(old) != len(new):
            score.apart["has other lines"] += 1
            return
        really |= {
            (path, number) for number, pair in enumerate(zip(old, new), 1) if pair[0] != pair[1]
        }
    spots = read_from(atlas, [(edit.path, edit.start, edit.start + len(edit.old))])
    said = {_line(atlas, spot) for spot in spots}
    score.edits += 1
    score.said += len(said)
    score.changed += len(really)
    score.both += len(said & really)
    if said != really:
        missed, wrong = sorted(really - said), sorted(said - really)
        score.faults.append(
            f"{place} {edit.old} -> {edit.new} (from {line[0].rpartition('/')[2]}:{line[1]}): "
            f"missed {len(missed)} {_shown(missed)}, wrong {len(wrong)} {_shown(wrong)}"
        )


def _shown(lines: list[Line]) -> str:
    return " ".join(f"{path.rpartition('/')[2]}:{number}" for path, number in lines[:3])


def _line(atlas: Atlas, spot: Spot) -> Line:
    return spot.path, atlas.line(spot)


def measure(atlas: Atlas, count: int, seed: int = 0) -> Score:
    """Follow ``count`` random lines."""
    chance, score, oracle = random.Random(seed), Score(), Oracle(atlas)
    done = 0
    while done < count:
        chosen = choose(atlas, chance)
        if chosen is None:
            continue
        done += 1
        compare(atlas, oracle, *chosen, score)
    return score


def measure_members(atlas: Atlas, count: int, seed: int = 0) -> Score:
    """Give a statement to each of ``count`` random methods and functions that others are built from.

    The models that change are compared with those that `impact` names.
    """
    chance, score, oracle = random.Random(seed), Score(), Oracle(atlas)
    sources = [path for path in sorted(atlas.users) if not atlas.is_generated(path)]
    candidates = [
        (path, member)
        for path in sources
        for member in members_of(atlas.text(path))
        if member.kind == "function" and member.body > member.header and member.docstring[1] < 0
    ]
    for path, member in chance.sample(candidates, min(count, len(candidates))):
        start = LineMap(atlas.text(path)).start_of(member.body)
        line = atlas.text(path)[start:].split("\n", 1)[0]
        indent = line[: len(line) - len(line.lstrip())]
        try:
            changed = oracle.changed(Edit(path, start, "", f"{indent}edited_here = 1\n"))
        except CodegenError as error:
            score.apart[f"cannot be expanded ({error.diagnostics[0].code})"] += 1
            continue
        really = {atlas.owners[each] for each in changed}
        subject = Subject(member.name, path, member.first, member.last, member)
        said = {item.model for item in impact_of(atlas, [subject]).reached if item.body}
        score.edits += 1
        score.said, score.changed = score.said + len(said), score.changed + len(really)
        score.both += len(said & really)
        if said != really:
            missed, wrong = sorted(really - said), sorted(said - really)
            score.faults.append(f"{path}:{member.name}: missed {missed}, wrong {wrong}")
    return score


def show(score: Score, what: str = "lines") -> Iterator[str]:
    """The result in lines."""
    yield from score.faults
    yield (
        f"{score.edits} edits: {score.changed} {what} changed, {score.said} said to, "
        f"precision {score.precision:.2%}, recall {score.recall:.2%}"
    )
    yield from (f"{count} apart: {why}" for why, count in score.apart.items())


def apart(tree: Tree, count: int, jobs: int, seed: int) -> Score:
    """:func:`measure` in several processes, each with a seed of its own."""
    settings = Settings(tree.config.rewrite)
    if jobs == 1:
        return measure(Atlas(tree, settings), count, seed)
    # Made once, and found by all.
    Atlas(tree, settings).prepare(item.model for item in tree.definitions)
    shares = [count // jobs + (index < count % jobs) for index in range(jobs)]
    total = Score()
    with ProcessPoolExecutor(jobs) as pool:
        trees, seeds = [tree] * jobs, [seed * jobs + index for index in range(jobs)]
        for score in pool.map(_measure, trees, shares, seeds):
            total.said, total.changed = total.said + score.said, total.changed + score.changed
            total.both, total.edits = total.both + score.both, total.edits + score.edits
            total.apart += score.apart
            total.faults += score.faults
    return total


def _measure(tree: Tree, count: int, seed: int) -> Score:
    return measure(Atlas(tree, Settings(tree.config.rewrite)), count, seed)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provenance")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--release", metavar="VERSION")
    where.add_argument("--root", type=Path, metavar="DIR")
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--members", type=int, default=0, help="methods for `impact`, not lines")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tree = open_tree(fetch_release(options.release) if options.release else options.root, None)
    atlas = Atlas(tree, Settings(tree.config.rewrite))
    if options.members:
        score = measure_members(atlas, options.members, options.seed)
        print("\n".join(show(score, "models")))
        return 0 if min(score.precision, score.recall) == 1 else 1
    score = apart(tree, options.lines, options.jobs, options.seed)
    print("\n".join(show(score)))
    return 0 if min(score.precision, score.recall) >= 0.99 else 1


if __name__ == "__main__":
    sys.exit(main())
