"""The commands on a tree: find out what is out of sync, and write it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from codegen.errors import CodegenError, Diagnostic, Location
from codegen.run.copies import copies_of
from codegen.run.edits import tell_unstaged
from codegen.run.engine import Expanded, Progress, entry_of
from codegen.run.examine import examine
from codegen.run.outcome import ModelOutcome, Run, State
from codegen.run.rules import notes_on, refusal
from codegen.store.cache import Cache, cache_folder, load_cache
from codegen.store.journal import interrupted_write, staging_tops
from codegen.store.workspace import Workspace
from codegen.trees.tree import Tree


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: worker processes (0: all cores), cache, overwriting of foreign files and edits,
    passes; ``staging``: whether a check is also about what a commit would hold."""

    jobs: int = 0
    cache: bool = True
    force: bool = False
    rewrite: bool = False
    progress: Progress = lambda doing, done, total: None
    staging: bool = False


def check(tree: Tree, names: Sequence[str], options: Options) -> Run:
    """Compare the generated files of the named models (all by default) with their definitions."""
    started = time.perf_counter()
    cache = load_cache(tree, options.rewrite, options.cache)
    refuse_half_written(tree)
    run, _, history = examine(tree, names, options, cache)
    outcomes, notes = run.outcomes, (*notes_on(run.rules), *cache.notes)
    if options.staging:
        told, unstaged = tell_unstaged(tree, outcomes, history)
        outcomes, notes = tuple(told), (*notes, *unstaged)
    return replace(run, outcomes=outcomes, seconds=time.perf_counter() - started, notes=notes)


def refuse_half_written(tree: Tree) -> None:
    """Raise CodegenError where a run was killed while it was writing: what is there is half of each."""
    tops = staging_tops(tree.output, {item.target for item in tree.definitions})
    if problem := interrupted_write(tree.output, tops, cache_folder(tree) / "lock"):
        raise CodegenError(problem)


def sync(tree: Tree, names: Sequence[str], options: Options) -> Run:
    """Write what is out of sync; models with problems are left as they are."""
    started = time.perf_counter()
    cache = load_cache(tree, options.rewrite, options.cache)
    with _workspace(tree, cache) as workspace:
        # Another run may have been writing until we held the lock: look again.
        cache = load_cache(tree, options.rewrite, options.cache)
        run, expanded, _ = examine(tree, names, options, cache)
        if not options.force and (refused := refusal(run.rules, run)):
            return replace(run, seconds=time.perf_counter() - started, refused=refused)
        written: dict[str, tuple[str, ...]] = {}
        copies: dict[str, str] = {}
        outcomes = [
            _stage(tree, outcome, workspace, cache, options, written, copies)
            for outcome in run.outcomes
        ]
        workspace.commit()
        outcomes = [_placed(outcome, workspace, written) for outcome in outcomes]
        for outcome in outcomes:
            _remember(tree, outcome, cache, expanded, written)
        if options.cache:
            cache.save()
    paths = {path for several in written.values() for path in several}
    return replace(
        run,
        outcomes=tuple(outcomes),
        written=written,
        seconds=time.perf_counter() - started,
        notes=(*workspace.recovered, *notes_on(run.rules), *cache.notes),
        copies={path: copy for path, copy in copies.items() if path in paths},
    )


def _stage(
    tree: Tree,
    outcome: ModelOutcome,
    workspace: Workspace,
    cache: Cache,
    options: Options,
    written: dict[str, tuple[str, ...]],
    copies: dict[str, str],
) -> ModelOutcome:
    """Prepare one model's changed files, with copies of what would be lost; a refusal or failure
    becomes its problem."""
    if outcome.problems or outcome.blocked_by:
        return outcome
    foreign = [file for file in outcome.files if file.state is State.FOREIGN]
    if foreign and not options.force:
        problems = tuple(
            Diagnostic(
                "foreign-file",
                "the file does not carry the banner of a generated file",
                Location(file.path),
                "move it away, or overwrite it with --force",
            )
            for file in foreign
        )
        return replace(outcome, problems=problems)
    texts = {
        file.path: file.new
        for file in outcome.files
        if file.new is not None and file.state is not State.FRESH
    }
    removed = [file.path for file in outcome.files if file.state is State.ORPHAN]
    if texts or removed:
        try:
            kept = {} if options.force else copies_of(tree, cache, outcome)
            kept_texts = {
                kept[file.path]: file.old or "" for file in outcome.files if file.path in kept
            }
            workspace.stage(outcome.model, {**texts, **kept_texts}, removed)
        except CodegenError as error:
            return replace(outcome, problems=error.diagnostics)
        written[outcome.model] = (*texts, *removed)
        copies.update(kept)
    return outcome


def _placed(
    outcome: ModelOutcome, workspace: Workspace, written: dict[str, tuple[str, ...]]
) -> ModelOutcome:
    """The outcome once files were put in place, or could not be."""
    problems = workspace.failed.get(outcome.model)
    if problems is None or outcome.problems:
        return outcome
    written.pop(outcome.model, None)
    return replace(outcome, problems=problems)


def _remember(
    tree: Tree,
    outcome: ModelOutcome,
    cache: Cache,
    expanded: Expanded,
    written: Mapping[str, Sequence[str]],
) -> None:
    """Enter into the cache what was settled for one model."""
    if outcome.problems or outcome.blocked_by:
        return
    result = expanded.results.get(outcome.model)
    if not outcome.definition:
        if all(item.model != outcome.model for item in tree.definitions):
            cache.records.pop(outcome.model, None)
    elif result is not None:
        cache.records[outcome.model] = entry_of(result, outcome.lines[0])
    for path in written.get(outcome.model, ()):
        cache.digest(tree.output / path)


def _workspace(tree: Tree, cache: Cache) -> Workspace:
    targets = sorted({item.target for item in tree.definitions})
    return Workspace(tree.output, cache.folder, targets)
