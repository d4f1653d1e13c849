"""Why a generated file differs: edited by hand, older than its definition, both, or line endings.

The record of the last run knows; without one git is asked what the file was made of when it was
committed, and whether it came out so. Where neither knows, the file is out of date, and precious.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from codegen.output.formatting import format_texts
from codegen.run.job import Job, JobResult, Runner
from codegen.run.outcome import FileOutcome, ModelOutcome, State
from codegen.run.plan import parent_paths
from codegen.store.cache import Cache
from codegen.store.system import read_regular
from codegen.trees.history import History, blob_ids
from codegen.trees.names import HELPERS
from codegen.trees.sources import digest_text
from codegen.trees.tree import Tree

#: Files about which git is asked more than once: each costs a walk through the commits.
_MOST_WALKS = 20
_MOST_FILES = 200


def tell_edits(
    outcomes: Sequence[ModelOutcome],
    results: Mapping[str, JobResult],
    cache: Cache,
    past: Past,
    sources: Collection[str] = (),
) -> list[ModelOutcome]:
    """The outcomes with the states of generated files that differ told apart; ``sources`` are the
    files that the passes rewrite in place."""
    told: dict[str, FileOutcome] = {}
    unsure: list[tuple[str, FileOutcome]] = []
    recorded = {
        path: text for item in cache.records.values() for path, text in item.outputs.items()
    }
    for outcome in outcomes:
        for file in outcome.files:
            if file.state not in (State.STALE, State.ORPHAN) or file.old is None:
                continue
            if file.path in sources:
                continue
            certain = _by_text(file, recorded.get(file.path))
            told[file.path] = certain or replace(file, precious=True)
            if certain is None and file.state is State.STALE and outcome.model in results:
                unsure.append((outcome.model, file))
    decided = past.states(unsure, {model: results[model] for model, _ in unsure})
    for _, file in unsure:
        # The record knows the file, but neither it nor what it should be.
        fallback = State.BOTH if file.path in recorded else State.STALE
        state = decided.get(file.path, fallback)
        older = state is State.STALE and file.path in decided
        told[file.path] = replace(file, state=state, precious=not older)
    kept = past.committed([file for file in told.values() if _matters(file)])
    return [
        replace(
            outcome,
            files=tuple(
                replace(told[file.path], committed=file.path in kept) if file.path in told else file
                for file in outcome.files
            ),
        )
        for outcome in outcomes
    ]


def _matters(file: FileOutcome) -> bool:
    """Whether it matters if git has the text: it may be work, or it is about to be removed."""
    return file.precious or file.state is State.ORPHAN


def _by_text(file: FileOutcome, recorded: str | None) -> FileOutcome | None:
    """What the text itself and the last run's record (a digest) tell for certain."""
    old = plain(file.old or "")
    if PurePosixPath(file.path).stem == HELPERS:
        return file  # a helper module has a record of its own
    if file.new is not None and old == file.new:
        return replace(file, state=State.ENDINGS)
    if recorded is None:
        return None if file.state is State.STALE else replace(file, precious=True)
    if recorded == digest_text(old):
        return file  # as the last run wrote it
    if file.new is not None and recorded == digest_text(file.new):
        return replace(file, state=State.EDITED, precious=True)
    return None if file.new is not None else replace(file, precious=True)


def plain(text: str) -> str:
    """A text without what editors and checkouts do to its line breaks."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


@dataclass
class Past:
    """What the tree was at its commits. ``rewritten`` trees cannot be expanded as they were then:
    what they are made of has to tell alone."""

    tree: Tree
    names: Mapping[str, str]
    history: History
    cache: Cache
    rewritten: bool = False

    def committed(self, files: Sequence[FileOutcome]) -> set[str]:
        """Paths of the files whose text on disk is the last commit's."""
        ids = self.history.committed([file.path for file in files]) if files else {}
        return {
            file.path
            for file in files
            if file.path in ids
            and ids[file.path] in blob_ids((file.old or "").encode(), ids[file.path])
        }

    def states(
        self, unsure: Sequence[tuple[str, FileOutcome]], results: Mapping[str, JobResult]
    ) -> dict[str, State]:
        """States of the files (each with its model) that git can tell."""
        if not unsure or not self.history.known or self.tree.output != self.tree.root:
            return {}
        unsure = unsure[:_MOST_FILES]
        kept = self.committed([file for _, file in unsure])
        known = self.history.committed([file.path for _, file in unsure])
        unsure = [(model, file) for model, file in unsure if file.path in known]
        models = list(dict.fromkeys(model for model, _ in unsure))
        sources = self._sources("HEAD", models)
        gave = self._expand(sources)
        told: dict[str, State] = {}
        walks: list[tuple[str, FileOutcome]] = []
        for model, file in unsure:
            same = self._same(sources[model], results[model].inputs)
            if gave and gave.get(file.path) == plain(file.old or ""):
                told[file.path] = State.STALE
            elif file.path in kept:  # an edit, or an older file, that was committed
                walks.append((model, file))
            else:
                told[file.path] = State.EDITED if same else State.BOTH
        for model, file in walks[:_MOST_WALKS]:
            state = self._by_commit(model, file, results[model])
            if state is not None:
                told[file.path] = state
        return told

    def _by_commit(self, model: str, file: FileOutcome, result: JobResult) -> State | None:
        """The state of a file that is as it was committed, by the commit that did that."""
        commit = self.history.last_commit(file.path)
        if not commit:
            return None
        sources = self._sources(commit, [model])
        same = self._same(sources[model], result.inputs)
        if self.rewritten:
            return State.EDITED if same else State.STALE
        old = plain(file.old or "")
        if self._expand(sources).get(file.path) == old:
            return State.STALE
        if not same:
            return State.BOTH
        # Definition and file may have been changed in one commit: was it edited before that?
        before = self._expand(self._sources(f"{commit}^", [model])).get(file.path)
        older = before is not None and _distance(old, before) < _distance(old, file.new or "")
        return State.BOTH if older else State.EDITED

    def _same(self, sources: Mapping[str, str], inputs: Mapping[str, str]) -> bool:
        """Whether a model is made of the same texts now; what is installed is taken to be as it was."""
        for path, digest in inputs.items():
            if Path(path).is_absolute():
                continue
            # The passes read what is on disk, and expand something else.
            now = self.cache.digest(self.tree.root / path) if self.rewritten else digest
            if (digest_text(sources[path]) if path in sources else "") != now:
                return False
        return True

    def _sources(self, commit: str, models: Sequence[str]) -> dict[str, dict[str, str]]:
        """Texts of what each model was made of at a commit, by path."""
        paths = {model: self.tree.definition(model).path for model in models}
        texts = _decoded(self.history.texts(commit, list(paths.values())))
        parents = {
            model: {
                parent
                for parent in parent_paths(self.tree, texts.get(path, ""))
                if not Path(parent).is_absolute()
            }
            for model, path in paths.items()
        }
        wanted = sorted(set().union(*parents.values())) if parents else []
        texts |= _decoded(self.history.texts(commit, wanted))
        return {
            model: {
                path: texts[path]
                for path in (paths[model], *sorted(parents[model]))
                if path in texts
            }
            for model in models
        }

    def _expand(self, sources: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """The files that models gave, by path, made of ``sources``."""
        if self.rewritten:
            return {}
        runner = Runner(self.tree, self.names)
        drafts: dict[str, str] = {}
        for model, overlay in sources.items():
            item = self.tree.definition(model)
            if item.path in overlay:
                drafts.update(runner.run(Job(item, overlay)).texts)
        return dict(format_texts(drafts, self.tree.formatting).texts) if drafts else {}


def _distance(first: str, second: str) -> int:
    """How many lines only one of two texts has."""
    left, right = Counter(first.split("\n")), Counter(second.split("\n"))
    return ((left - right) + (right - left)).total()


def _decoded(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {path: plain(data.decode(errors="replace")) for path, data in contents.items()}


def tell_unstaged(
    tree: Tree, outcomes: Sequence[ModelOutcome], history: History
) -> tuple[list[ModelOutcome], tuple[str, ...]]:
    """Mark files that are right on disk while the next commit would leave them behind.

    That is so where the definition and all parents are staged as they are on disk, and some of them
    go into that commit, or the file has no place in the repository yet. Where all of them have been
    committed before, nothing is about to go wrong: such files are named in a note.
    """
    if tree.kind == "package" or tree.output != tree.root or not history.known:
        return list(outcomes), ()
    generated = {file.path for item in outcomes for file in item.files}
    inputs = {item.model: _inputs(item, generated) for item in outcomes if item.definition}
    paths = sorted(generated.union(*inputs.values()))
    staged = history.staged(paths)
    agree = set(_as_staged(tree.root, paths, staged))
    behind = {
        file.path: item.model
        for item in outcomes
        if inputs.get(item.model) and inputs[item.model] <= agree
        for file in item.files
        if file.state is State.FRESH and file.path not in agree
    }
    if not behind:
        return list(outcomes), ()
    ignored = history.ignored(sorted(behind.keys() - staged.keys()))
    committed = history.committed(paths)
    going = {path for path in paths if staged.get(path) != committed.get(path)}
    marked, old = set(), []
    for path, model in behind.items():
        if path not in staged or inputs[model] & going:
            marked |= {path} - ignored
        else:
            old.append(path)
    told = [
        replace(
            item,
            files=tuple(
                replace(file, state=State.UNSTAGED) if file.path in marked else file
                for file in item.files
            ),
        )
        for item in outcomes
    ]
    more = f" and {len(old) - 1} more" if len(old) > 1 else ""
    note = f"{State.UNSTAGED.value}: {old[0]}{more}" if old else ""
    return told, (note,) if note else ()


def _inputs(item: ModelOutcome, generated: set[str]) -> set[str]:
    """The sources of a model that somebody wrote, inside the tree."""
    paths = {item.definition, *item.parents} - generated
    return {path for path in paths if not Path(path).is_absolute()}


def _as_staged(root: Path, paths: Sequence[str], staged: Mapping[str, str]) -> Iterator[str]:
    """The paths whose files a commit would hold as they are."""
    for path in paths:
        if path in staged:
            try:
                data = read_regular(root / path)
            except OSError:
                continue
            if staged[path] in blob_ids(data, staged[path]):
                yield path
