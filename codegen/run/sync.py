"""The commands on a tree: find out what is out of sync, and write it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath

from codegen.errors import CodegenError, Diagnostic, Location, fail
from codegen.output.formatting import FormatSettings
from codegen.run.copies import copies_of
from codegen.run.edits import Past, tell_edits, tell_unstaged
from codegen.run.engine import Engine, Expanded, Progress, ReplacedSources, entry_of
from codegen.run.helper_files import add_helper_files
from codegen.run.inherited import inherited_changes
from codegen.run.orphans import add_orphans
from codegen.run.outcome import FileOutcome, ModelOutcome, Run, State
from codegen.run.plan import Plan, make_plan
from codegen.run.rewriting import (
    Rewriting,
    generated_pass,
    recall_rewriting,
    run_rewriting,
    untouched_models,
)
from codegen.run.rules import Stage, notes_on, recall_rules, refusal, settle_rules
from codegen.store.cache import Cache, cache_folder, load_cache
from codegen.store.journal import interrupted_write, staging_tops
from codegen.store.system import usable_cores
from codegen.store.workspace import Workspace
from codegen.trees.banners import banner_definition, carries_banner
from codegen.trees.definitions import model_of_file
from codegen.trees.history import History
from codegen.trees.nametable import read_name_table
from codegen.trees.sources import glance, read_generated, read_text
from codegen.trees.tree import Tree, select_models


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
    run, _, history = _examine(tree, names, options, cache)
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
        run, expanded, _ = _examine(tree, names, options, cache)
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


def _examine(
    tree: Tree, names: Sequence[str], options: Options, cache: Cache
) -> tuple[Run, Expanded, History]:
    models = select_models(tree, list(names))
    history = History(tree.root)
    expand = partial(_expand, options=options, cache=cache)
    stage = expand(recall_rules(tree, cache), models)
    jobs = options.jobs or usable_cores()
    stage, rules = settle_rules(stage, cache, history, models, expand, jobs)
    tree, plan, expanded = stage.tree, stage.plan, stage.expanded
    wanted = plan.closure(models)
    outcomes = [
        _outcome_or_problem(tree, model, expanded, cache, stage.texts)
        for model in plan.order
        if model in wanted
    ]
    outcomes = _with_rewritten(tree, outcomes, stage.rewriting)
    if tree.kind == "project":
        beside = options.rewrite and not tree.config.helpers
        outcomes = add_helper_files(tree, cache, outcomes, beside)
    outcomes = add_orphans(tree, cache, outcomes, not names)
    past = Past(tree, stage.names, history, cache, options.rewrite)
    outcomes = tell_edits(outcomes, expanded.results, cache, past, stage.rewriting.files)
    outcomes = [*_without_collisions(outcomes), *_refused(tree, names)]
    changed = [item.model for item in outcomes if not item.in_sync and not item.problems]
    dependents = plan.dependents(changed) - wanted
    report = stage.rewriting.report
    report += tuple(inherited_changes(tree, outcomes, stage.rewriting.digests, report))
    run = Run(tuple(outcomes), tuple(sorted(dependents)), report=report, rules=rules)
    return run, expanded, history


def _expand(tree: Tree, models: Sequence[str], *, options: Options, cache: Cache) -> Stage:
    """Expand the models, with the passes if they are wanted."""
    texts, problems = _definition_texts(tree)
    plan = make_plan(tree, texts)
    jobs = options.jobs or usable_cores()
    failed = {**plan.cycles, **problems}
    table = name_table(tree)
    transform = generated_pass(tree) if options.rewrite and tree.kind == "project" else None
    engine = Engine(tree, cache, plan, table, jobs, failed, options.progress, transform)
    rewriting, sources = Rewriting(), None
    if options.rewrite:
        again = partial(
            run_rewriting,
            tree,
            texts,
            cache,
            partial(_plain_texts, tree, plan, cache, table),
            options.progress,
        )
        known = recall_rewriting(tree, cache)
        if known is None and tree.kind != "project":
            # The passes leave most models alone; the other cores need not wait for them.
            engine.start_ahead(untouched_models(tree, plan, texts, models))
        rewriting = known or _abandon_on_failure(engine, again)
        # What was recalled has no texts; they are made when something has to be expanded.
        sources = ReplacedSources(
            rewriting.digests, lambda: again().edits if rewriting.known else rewriting.edits
        )
    expanded = engine.run(models, sources)
    return Stage(tree, table, plan, texts, expanded, rewriting)


def rewritten_sources(tree: Tree, cache: Cache, progress: Progress) -> Rewriting:
    """What the passes make of the sources, with its texts, whatever an earlier run has left."""
    texts, _ = _definition_texts(tree)
    plan = make_plan(tree, texts)
    plain = partial(_plain_texts, tree, plan, cache, name_table(tree))
    return run_rewriting(tree, texts, cache, plain, progress)


def plan_of(tree: Tree) -> Plan:
    """Which definitions of a tree build on which."""
    return make_plan(tree, _definition_texts(tree)[0])


def _abandon_on_failure(engine: Engine, action: Callable[[], Rewriting]) -> Rewriting:
    try:
        return action()
    except BaseException:
        engine.close()
        raise


def _plain_texts(
    tree: Tree, plan: Plan, cache: Cache, names: Mapping[str, str]
) -> Mapping[str, str]:
    """The generated files of a project as they are without rewrite passes, unformatted."""
    plain = replace(tree, formatting=FormatSettings("none"))
    return Engine(plain, Cache(cache.folder, ""), plan, names, 1).run(plan.order).texts


def _definition_texts(
    tree: Tree,
) -> tuple[dict[str, str], dict[str, tuple[Diagnostic, ...]]]:
    texts: dict[str, str] = {}
    problems: dict[str, tuple[Diagnostic, ...]] = {}
    root = tree.root.resolve()
    for item in tree.definitions:
        path = tree.root / item.path
        texts[item.model] = ""
        try:
            # Only a link can lead outside; resolving one that goes in circles fails.
            real = Path(os.path.realpath(path))
            if not real.is_relative_to(root):
                raise fail(
                    "outside-root",
                    f"the definition is a link to a file outside the tree: {real}",
                    item.path,
                    0,
                    "copy the file into the tree",
                )
            texts[item.model] = read_text(path, item.path)
        except CodegenError as error:
            problems[item.model] = error.diagnostics
    return texts, problems


def name_table(tree: Tree) -> dict[str, str]:
    """Configuration classes by model type, as a library's tree lists them."""
    if tree.kind == "project":
        return {}
    folder = tree.root / tree.package_dir / "models/auto"
    files = [folder / "auto_mappings.py", folder / "configuration_auto.py"]
    shown = {
        file: file.relative_to(tree.root).as_posix() for file in files if os.path.lexists(file)
    }
    return read_name_table([(path, read_text(file, path)) for file, path in shown.items()])


def _refused(tree: Tree, names: Sequence[str]) -> Iterator[ModelOutcome]:
    """Definitions that cannot be taken, of those that are asked for."""
    asked = {model_of_file(PurePath(name).name) or name for name in names}
    for item in tree.refused:
        if not names or item.model in asked:
            yield ModelOutcome(item.model or item.path, item.path, problems=item.problems)


def _outcome_or_problem(
    tree: Tree, model: str, expanded: Expanded, cache: Cache, texts: Mapping[str, str]
) -> ModelOutcome:
    """The outcome of a model; what stands in the place of its files can be its problem."""
    try:
        return _outcome(tree, model, expanded, cache, texts)
    except CodegenError as error:
        path = tree.definition(model).path
        return ModelOutcome(model, path, problems=error.diagnostics)


def _outcome(
    tree: Tree, model: str, expanded: Expanded, cache: Cache, texts: Mapping[str, str]
) -> ModelOutcome:
    item = tree.definition(model)
    base = ModelOutcome(model, item.path)
    if model in expanded.failed:
        return replace(base, problems=expanded.failed[model])
    if model in expanded.blocked:
        return replace(base, blocked_by=expanded.blocked[model])
    result = expanded.results.get(model)
    if result is None:
        record = cache.records[model]
        files = tuple(FileOutcome(path, State.FRESH) for path in record.outputs)
        parents = _parents(item.path, record.inputs)
        return replace(
            base, files=files, parents=parents, lines=record.lines, warnings=record.warnings
        )
    previous = cache.records.get(model)
    found = [_compare(tree, path, text) for path, text in result.texts.items()]
    if previous is not None:
        for path in previous.outputs.keys() - result.texts.keys():
            old = glance(tree.output / path)
            # A record alone is no reason to remove a file: it must name this model's definition.
            if model_of_file(PurePath(banner_definition(old) or "").name) == model:
                found.append(FileOutcome(path, State.ORPHAN, old))
    record = entry_of(result, texts[model].count("\n"))
    parents = _parents(item.path, result.inputs)
    return replace(
        base,
        files=tuple(found),
        parents=parents,
        lines=record.lines,
        warnings=result.warnings,
        expanded=True,
    )


def _parents(definition: str, inputs: Mapping[str, str]) -> tuple[str, ...]:
    """The inputs that exist, other than the definition itself."""
    return tuple(path for path, digest in inputs.items() if digest and path != definition)


def _compare(tree: Tree, path: str, text: str) -> FileOutcome:
    old = read_generated(tree.output / path, path)
    if old is None:
        return FileOutcome(path, State.MISSING, None, text)
    if old == text:
        return FileOutcome(path, State.FRESH, old, text)
    ours = carries_banner(old, tree.convention.banner_template)
    return FileOutcome(path, State.STALE if ours else State.FOREIGN, old, text)


def _with_rewritten(
    tree: Tree, outcomes: Sequence[ModelOutcome], rewriting: Rewriting
) -> list[ModelOutcome]:
    """Add the sources that the passes changed, and their helper modules, to the outcomes."""
    by_path = {outcome.definition: index for index, outcome in enumerate(outcomes)}
    result = list(outcomes)
    names = {outcome.model for outcome in outcomes}
    for path, text in rewriting.files.items():
        try:
            file = _rewritten_outcome(tree, path, text)
        except CodegenError as error:
            name = PurePath(path).name
            result.append(ModelOutcome(name, path, problems=error.diagnostics))
            continue
        if path in by_path:
            known = result[by_path[path]]
            result[by_path[path]] = replace(known, files=(*known.files, file))
        else:
            name = path.rpartition("/")[2].removesuffix(".py").removeprefix("modeling_")
            # A helper module may have the name of a file of the library.
            name = path.removesuffix(".py") if name in names else name
            names.add(name)
            result.append(ModelOutcome(name, path, (file,)))
    return result


def _rewritten_outcome(tree: Tree, path: str, text: str | None) -> FileOutcome:
    if text is None:
        return FileOutcome(path, State.FRESH)
    old = read_generated(tree.output / path, path)
    state = State.FRESH if old == text else State.MISSING if old is None else State.STALE
    return FileOutcome(path, state, old, text)


def _without_collisions(outcomes: Sequence[ModelOutcome]) -> list[ModelOutcome]:
    """Refuse the models that write one file."""
    owners: dict[str, list[str]] = {}
    for outcome in outcomes:
        for file in outcome.files:
            owners.setdefault(file.path, []).append(outcome.definition)
    result = []
    for outcome in outcomes:
        problems = tuple(
            Diagnostic(
                "duplicate-output",
                f"several definitions write one file: {' and '.join(owners[file.path])}",
                Location(file.path),
                "rename one of the models",
            )
            for file in outcome.files
            if len(owners[file.path]) > 1
        )
        result.append(replace(outcome, problems=problems) if problems else outcome)
    return result


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
