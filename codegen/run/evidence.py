"""Which rules a tree follows, by what its own files show.

A tree's version says which rules to assume. Where committed files differ from what these give, the
other values of every rule are tried on those files: what makes at least two of them exact, and none
worse, holds in the tree. Files whose difference an edit explains say nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codegen.output.formatting import format_texts
from codegen.run.job import Job, JobResult, Runner, run_job
from codegen.run.workers import Workers
from codegen.trees.banners import banner_definition
from codegen.trees.dialect import RULES, Dialect, Rule
from codegen.trees.sources import glance
from codegen.trees.tree import Tree

#: Models on which a value of a rule is tried first, those with the smallest differences.
_SAMPLE = 6
_PASSES = 6
#: Models beside those that only one rule can matter for, on which its effect is counted.
_MOST = 12
#: Fewer expansions than this are not worth another process.
_SMALL = 4
#: A rule is told by two files: one alone may be an edit that happens to look like it.
_ENOUGH = 2


@dataclass(frozen=True, slots=True)
class Score:
    """How near a model's files come to the committed ones: those that are equal, and the number of
    lines that only one side of the others has."""

    exact: frozenset[str] = frozenset()
    distance: int = 0


class Trials:
    """Expands single models by other rules, against the files on disk, and compares."""

    def __init__(self, tree: Tree, names: Mapping[str, str], jobs: int = 1) -> None:
        self._tree, self._jobs = tree, jobs
        self._runner = Runner(tree, names)
        self._workers = Workers(tree, names, jobs)
        self._scores: dict[tuple[Dialect, str], Score] = {}
        self._committed: dict[str, Mapping[str, str]] = {}

    def close(self) -> None:
        """End the processes that helped."""
        self._workers.close()

    def learn(self, dialect: Dialect, model: str, texts: Mapping[str, str]) -> None:
        """Take over what a model gave, expanded and formatted elsewhere."""
        self._scores[dialect, model] = self._compare(model, texts)

    def scores(self, dialect: Dialect, models: Collection[str]) -> dict[str, Score]:
        """The score of each model under a dialect."""
        self.score_all([(dialect, model) for model in models])
        return {model: self._scores[dialect, model] for model in models}

    def score_all(self, pairs: Sequence[tuple[Dialect, str]]) -> None:
        """Find out many scores, with one call of the formatter."""
        missing = [pair for pair in dict.fromkeys(pairs) if pair not in self._scores]
        jobs = [Job(self._tree.definition(model), dialect=dialect) for dialect, model in missing]
        drafts = {
            f"{index}/{path}": text
            for index, result in enumerate(self._run(jobs))
            for path, text in result.texts.items()
        }
        formatted = format_texts(drafts, self._tree.formatting).texts if drafts else {}
        texts: list[dict[str, str]] = [{} for _ in missing]
        for key, text in formatted.items():
            index, _, path = key.partition("/")
            texts[int(index)][path] = text
        for pair, gave in zip(missing, texts):
            self._scores[pair] = self._compare(pair[1], gave)

    def _run(self, jobs: Sequence[Job]) -> list[JobResult]:
        if self._jobs == 1 or len(jobs) <= _SMALL:
            return [self._runner.run(job) for job in jobs]
        return list(self._workers.map(run_job, jobs, chunk=_SMALL))

    def _compare(self, model: str, texts: Mapping[str, str]) -> Score:
        committed = self.committed(model)
        exact = {path for path, text in texts.items() if committed.get(path) == text}
        distance = 0
        for path in (texts.keys() | committed.keys()) - exact:
            lines = Counter(texts.get(path, "").split("\n"))
            there = Counter(committed.get(path, "").split("\n"))
            distance += ((lines - there) + (there - lines)).total()
        return Score(frozenset(exact), distance)

    def committed(self, model: str) -> Mapping[str, str]:
        """The files on disk that say that they come from a model's definition."""
        if model not in self._committed:
            item = self._tree.definition(model)
            banner = self._tree.banner_path(item)
            texts = {}
            for place in sorted((self._tree.root / item.target).glob("*.py")):
                text = glance(place).replace("\r\n", "\n")
                if banner_definition(text, self._tree.convention.banner_template) == banner:
                    texts[place.relative_to(self._tree.root).as_posix()] = text
            self._committed[model] = texts
        return self._committed[model]


@dataclass
class Evidence:
    """The search for the rules of one tree.

    ``suspects`` are the models whose files differ for no known reason, ``sound`` those whose files
    are as the assumed rules give them; ``sources`` yields the texts that a model is made of, its
    definition first.
    """

    trials: Trials
    assumed: Dialect
    suspects: Sequence[str]
    sound: Sequence[str]
    sources: Callable[[str], Iterator[str]]

    def __post_init__(self) -> None:
        self._admitted: dict[tuple[str, str], bool] = {}
        near = self.trials.scores(self.assumed, self.suspects)
        # What is exact against the files on disk only descends from a file that differs.
        self.suspects = sorted(
            (model for model in self.suspects if near[model].distance),
            key=lambda model: near[model].distance,
        )

    def find(self) -> tuple[Dialect, Mapping[str, int]]:
        """The dialect that the files show, and for each rule that is not as assumed the number of
        files that show it."""
        if not self.suspects:
            return self.assumed, {}
        found = self._climb()
        while True:
            found, shown = self._only_what_counts(found)
            harmful = self._harmful(found, shown)
            if not harmful:
                return found, shown
            found = self._reverted(found, harmful)

    def _climb(self) -> Dialect:
        """Change rule after rule while files come nearer, so that one file may need several."""
        current, size = self.assumed, _SAMPLE
        for _ in range(_PASSES):
            before = current
            current = self._step(current, size)
            if current == before:
                if size > _SAMPLE:
                    break
                size *= 2  # before we give up: look farther
        return current

    def _step(self, current: Dialect, size: int) -> Dialect:
        """Try every other value of every rule alone, and take what helps, the best first."""
        flips = [
            (rule, value)
            for rule in RULES
            for value in rule.values
            if value != _value(current, rule)
        ]
        changed = {flip: replace(current, **{flip[0].name: flip[1]}) for flip in flips}
        samples = {rule: self._sample(rule, current, size) for rule, _ in flips}
        pairs = [(changed[flip], model) for flip in flips for model in samples[flip[0]]]
        self.trials.score_all(pairs)
        gains = {flip: self._gain(current, changed[flip], samples[flip[0]]) for flip in flips}
        for rule, value in sorted(flips, key=lambda flip: gains[flip], reverse=True):
            if gains[rule, value] > (0, 0):
                candidate = replace(current, **{rule.name: value})
                if self._gain(current, candidate, samples[rule]) > (0, 0):
                    current = candidate
        return current

    def _sample(self, rule: Rule, current: Dialect, size: int) -> list[str]:
        """The models nearest to their files that differ still and for which the rule can matter."""
        found: list[str] = []
        admitted = [model for model in self.suspects if self._admits(rule, model)]
        for start in range(0, len(admitted), size):
            scores = self.trials.scores(current, admitted[start : start + size])
            found += [model for model, score in scores.items() if score.distance]
            if len(found) >= size:
                break
        return found[:size]

    def _gain(self, old: Dialect, new: Dialect, models: Sequence[str]) -> tuple[int, int]:
        """Files that become exact and lines that come nearer; nothing if a file is exact no longer.

        What remains different may go farther away: an edited file is no measure.
        """
        before, after = self.trials.scores(old, models), self.trials.scores(new, models)
        drops = [before[model].distance - after[model].distance for model in models]
        if any(before[model].exact - after[model].exact for model in models):
            return 0, 0
        if sum(drop < 0 for drop in drops) > sum(drop > 0 for drop in drops):
            return 0, 0
        exact = sum(len(after[model].exact) - len(before[model].exact) for model in models)
        return exact, max(sum(drops), 0)

    def _only_what_counts(self, found: Dialect) -> tuple[Dialect, dict[str, int]]:
        """Take back every rule without which no two files, or others instead, are exact."""
        while True:
            shown: dict[str, int] = {}
            changed = self._changed(found)
            for rule in changed:
                # Where no other rule can matter, the file without it is as it was assumed to be.
                models = [model for model in self.suspects if self._admits(rule, model)]
                alone = [model for model in models if self._only(rule, changed, model)]
                others = [model for model in models if model not in alone][:_MOST]
                models = [*alone, *others]
                reverted = self._reverted(found, [rule])
                without = self._exact(self.assumed, alone) | self._exact(reverted, others)
                with_rule = self._exact(found, models)
                if len(with_rule - without) < _ENOUGH or without - with_rule:
                    found = reverted
                    break
                shown[rule.name] = len(with_rule - without)
            else:
                return found, shown

    def _only(self, rule: Rule, changed: Sequence[Rule], model: str) -> bool:
        return not any(self._admits(other, model) for other in changed if other != rule)

    def _harmful(self, found: Dialect, shown: Mapping[str, int]) -> list[Rule]:
        """The changed rules without which a file would stay exact that is so by the assumed ones."""
        rules = [rule for rule in RULES if rule.name in shown]
        models = [model for model in self.sound if any(self._admits(rule, model) for rule in rules)]
        scores = self.trials.scores(found, models)
        worse = [model for model in models if scores[model].distance]
        return [
            rule
            for rule in rules
            if any(self._spoils(found, rule, model) for model in worse if self._admits(rule, model))
        ]

    def _spoils(self, found: Dialect, rule: Rule, model: str) -> bool:
        before = self.trials.scores(self._reverted(found, [rule]), [model])[model]
        return before.distance < self.trials.scores(found, [model])[model].distance

    def _changed(self, found: Dialect) -> list[Rule]:
        return [rule for rule in RULES if _value(found, rule) != _value(self.assumed, rule)]

    def _reverted(self, found: Dialect, rules: Sequence[Rule]) -> Dialect:
        return replace(found, **{rule.name: _value(self.assumed, rule) for rule in rules})

    def _exact(self, dialect: Dialect, models: Collection[str]) -> set[str]:
        scores = self.trials.scores(dialect, models)
        return {path for score in scores.values() for path in score.exact}

    def _admits(self, rule: Rule, model: str) -> bool:
        """Whether the rule can matter for a model, by what its sources contain."""
        key = (rule.name, model)
        if key not in self._admitted:
            texts = self.sources(model)
            definition = next(texts)
            looked = [definition, *texts] if rule.in_parents else [definition]
            self._admitted[key] = any(re.search(rule.mark, text, re.MULTILINE) for text in looked)
        return self._admitted[key]


def _value(dialect: Dialect, rule: Rule) -> Any:
    return getattr(dialect, rule.name)
