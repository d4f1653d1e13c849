"""Decide by which rules a library's tree is expanded: those of its release, corrected by its files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codegen.errors import Diagnostic
from codegen.run.engine import Expanded
from codegen.run.evidence import Evidence, Trials
from codegen.run.outcome import Rules, Run
from codegen.run.plan import Plan
from codegen.run.rewriting import Rewriting
from codegen.store.cache import Cache
from codegen.store.system import read_regular
from codegen.trees.banners import banner_definition
from codegen.trees.dialect import NEWEST_RELEASE, OLDEST_RELEASE, RULES, Dialect, dialect_of
from codegen.trees.history import History, blob_ids
from codegen.trees.sources import glance, read_text
from codegen.trees.tree import Tree, with_dialect

#: So many edited files may explain what differs in a tree of which git knows nothing.
_FEW = 5


@dataclass(frozen=True, slots=True)
class Stage:
    """A tree with what expanding it gave, after the passes if they ran."""

    tree: Tree
    names: Mapping[str, str]
    plan: Plan
    texts: Mapping[str, str]
    expanded: Expanded
    rewriting: Rewriting


def recall_rules(tree: Tree, cache: Cache) -> Tree:
    """The tree by the rules that its files showed in the last run, else by those of its release."""
    if tree.kind == "project" or not cache.rules:
        return tree
    dialect = _released(tree)
    for rule in RULES:
        index, _ = cache.rules.get(rule.name, (-1, 0))
        if 0 <= index < len(rule.values):
            dialect = replace(dialect, **{rule.name: rule.values[index]})
    return with_dialect(tree, dialect)


def settle_rules(
    stage: Stage,
    cache: Cache,
    history: History,
    models: Sequence[str],
    expand: Callable[[Tree, Sequence[str]], Stage],
    jobs: int,
) -> tuple[Stage, Rules | None]:
    """The stage by the rules that the tree's files show, expanded again if these are others.

    ``models`` were asked for; the whole tree is looked at if some of them differ and nobody has
    looked before, so that the rules do not depend on what is asked for.
    """
    tree = stage.tree
    if tree.kind == "project":
        return stage, None
    rules = Rules(tree.version, _shown(tree, cache.rules or {}), _count_files(tree))
    judge = Judge(stage, cache, history, jobs)
    suspects = judge.suspects()
    if not suspects:
        return stage, rules
    if cache.rules is None and len(models) < len(tree.definitions):
        judge = Judge(expand(tree, stage.plan.order), cache, history, jobs)
        suspects = judge.suspects()
    with contextlib.closing(judge):
        dialect, found = judge.decide(suspects)
        unexplained = judge.unexplained(suspects, dialect) if rules.newer else []
    if dialect != tree.convention.dialect:
        cache.records.clear()  # made by other rules
        stage = expand(with_dialect(tree, dialect), models)
    cache.rules = _remembered(tree, dialect, {**(cache.rules or {})}, found)
    shown = _shown(stage.tree, cache.rules)
    return stage, replace(rules, shown=shown, unexplained=tuple(unexplained))


def _released(tree: Tree) -> Dialect:
    return dialect_of(tuple(map(int, tree.version.split("."))))


def _remembered(
    tree: Tree,
    dialect: Dialect,
    before: Mapping[str, tuple[int, int]],
    found: Mapping[str, int],
) -> dict[str, tuple[int, int]]:
    """The rules that are not the release's, with the number of files that show each."""
    released = _released(tree)
    return {
        rule.name: (
            rule.values.index(getattr(dialect, rule.name)),
            found.get(rule.name, before.get(rule.name, (0, 0))[1]),
        )
        for rule in RULES
        if getattr(dialect, rule.name) != getattr(released, rule.name)
    }


def _shown(tree: Tree, rules: Mapping[str, tuple[int, int]]) -> dict[str, tuple[Any, int]]:
    dialect = tree.convention.dialect
    return {
        name: (getattr(dialect, name), files)
        for name, (_, files) in rules.items()
        if getattr(dialect, name) != getattr(_released(tree), name)
    }


def _count_files(tree: Tree) -> int:
    """Number of generated files of the whole tree, by their names."""
    return sum(
        not place.name.startswith("modular_")
        for item in tree.definitions
        for place in (tree.root / item.target).glob(f"*_{item.model}*.py")
    )


def notes_on(rules: Rules | None) -> tuple[str, ...]:
    """What has to be said of a tree's rules before anything else."""
    if rules is None:
        return ()
    notes = []
    oldest, newest = (".".join(map(str, release)) for release in (OLDEST_RELEASE, NEWEST_RELEASE))
    if rules.older:
        notes.append(
            f"the tree is of release {rules.release}; the oldest release whose rules are known is "
            f"{oldest}: its rules are used, and some files may come out different"
        )
    if rules.unknown:
        notes.append(
            f"the tree is {_described(rules)}, newer than {newest}, the newest release whose rules "
            f"are known: {len(rules.unexplained)} of {rules.files} generated files differ in a way "
            "that no known rule and no edit explains; sync writes nothing without --force"
        )
    return tuple(notes)


def refusal(rules: Rules | None, run: Run) -> tuple[Diagnostic, ...]:
    """Why nothing may be written by the rules that are known, if so."""
    if rules is None or not rules.unknown or all(item.in_sync for item in run.outcomes):
        return ()
    example = rules.unexplained[0]
    return (
        Diagnostic(
            "unknown-rules",
            f"the tree is {_described(rules)}, which follows rules that are not known: "
            f"{len(rules.unexplained)} of {rules.files} generated files would change, such as "
            f"{example}; nothing was written",
            None,
            "look at them with `check --diff`; write them nevertheless with --force, or update the tool",
        ),
    )


def _described(rules: Rules) -> str:
    unknown = rules.release.startswith("999.")  # nothing says which it is
    return "of a release that cannot be told" if unknown else f"of release {rules.release}"


class Judge:
    """Looks at what a run over a tree gave, and finds what the files that differ say."""

    def __init__(self, stage: Stage, cache: Cache, history: History, jobs: int) -> None:
        self._tree, self._plan, self._texts = stage.tree, stage.plan, stage.texts
        self._expanded, self._changed = stage.expanded, stage.rewriting.digests.keys()
        self._cache, self._history = cache, history
        self._trials = Trials(stage.tree, stage.names, jobs)

    def close(self) -> None:
        """End the processes that helped."""
        self._trials.close()

    def suspects(self) -> list[str]:
        """Models whose files differ from the committed ones, edits and rewrites aside."""
        touched = {name for name, paths in self._plan.sources.items() if paths & self._changed}
        touched |= self._plan.dependents(touched)
        differing = [
            model
            for model in (*self._expanded.results, *self._expanded.failed)
            if model not in touched and self._differs(model) and not self._edited_since(model)
        ]
        if not differing:
            return []
        edited = self._edited_in_git(differing)
        return [model for model in differing if not (edited & self._reach(model))]

    def decide(self, suspects: Sequence[str]) -> tuple[Dialect, Mapping[str, int]]:
        """The dialect that the suspects' files show, and how many files show each rule of it that
        was not assumed."""
        assumed = self._tree.convention.dialect
        for model in suspects:
            result = self._expanded.results.get(model)
            # Only what was expanded against the files on disk, not against those that come out.
            if result and all(
                self._cache.digest(self._tree.root / path) == was
                for path, was in result.inputs.items()
            ):
                self._trials.learn(assumed, model, result.texts)
        sound = [
            model
            for model in self._plan.order
            if model not in suspects and model not in self._expanded.failed
        ]
        sources = {model: sorted(paths) for model, paths in self._plan.sources.items()}

        def read(model: str) -> Iterator[str]:
            yield self._texts[model]
            for path in sources[model]:
                place = self._tree.root / path
                if place.is_file():
                    yield read_text(place, path)

        return Evidence(self._trials, assumed, suspects, sound, read).find()

    def unexplained(self, suspects: Sequence[str], dialect: Dialect) -> list[str]:
        """Files that differ under a dialect although what they are made of is as it was."""
        scores = self._trials.scores(dialect, suspects)
        found: Mapping[str, list[str]] = {
            model: [
                path for path in self._trials.committed(model) if path not in scores[model].exact
            ]
            for model in suspects
        }
        if not self._history.known:
            found = self._without_edited(found)
        return sorted(path for paths in found.values() for path in paths)

    def _without_edited(self, found: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
        """Leave out what a few edited files explain, where only their age tells that they are so."""
        last = max(
            (_age(self._tree.root / path) for paths in found.values() for path in paths), default=0
        )
        young = {
            path
            for model in found
            for path in self._reach(model)
            if path not in self._trials.committed(model) and _age(self._tree.root / path) > last
        }
        if len(young) > _FEW:
            return found
        return {model: paths for model, paths in found.items() if not self._reach(model) & young}

    def _differs(self, model: str) -> bool:
        result = self._expanded.results.get(model)
        if result is None:
            return bool(self._trials.committed(model))
        item = self._tree.definition(model)
        banner = self._tree.banner_path(item)
        for path, text in result.texts.items():
            there = glance(self._tree.root / path).replace("\r\n", "\n")
            if there != text and banner_definition(there) == banner:
                return True
        return False

    def _edited_since(self, model: str) -> bool:
        """Whether the last run wrote the files as they are, so that only a source can have changed."""
        record = self._cache.records.get(model)
        return record is not None and all(
            self._cache.exact_digest(self._tree.output / path) == digest
            for path, digest in record.outputs.items()
        )

    def _edited_in_git(self, models: Sequence[str]) -> set[str]:
        """Of what the models are made of, the files that are not as git has them committed."""
        if not self._history.known:
            return set()
        paths = sorted(
            path for path in set().union(*map(self._reach, models)) if not Path(path).is_absolute()
        )
        committed = self._history.committed(paths)
        if not committed:
            return set()
        like = next(iter(committed.values()))
        edited = set()
        for path in paths:
            try:
                data = read_regular(self._tree.root / path)
            except OSError:
                data = b""
            if committed.get(path) not in blob_ids(data, like):
                edited.add(path)
        return edited

    def _reach(self, model: str) -> set[str]:
        """Everything that a model is made of, its parents' definitions included, and its files."""
        models = self._plan.closure([model])
        return {path for name in models for path in self._plan.sources[name]} | set(
            self._trials.committed(model)
        )


def _age(place: Path) -> int:
    try:
        return place.stat().st_mtime_ns
    except OSError:
        return 0
