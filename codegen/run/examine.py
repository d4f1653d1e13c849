"""Find out what of a tree is out of sync: expand what has to be, by the rules that its files show, and compare."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from codegen.errors import CodegenError, Diagnostic, fail
from codegen.output.formatting import FormatSettings
from codegen.run.comparison import outcome_or_problem, with_rewritten, without_collisions
from codegen.run.edits import Past, tell_edits
from codegen.run.engine import Engine, Expanded, Progress, ReplacedSources
from codegen.run.helper_files import add_helper_files
from codegen.run.inherited import inherited_changes
from codegen.run.orphans import add_orphans
from codegen.run.outcome import ModelOutcome, Run
from codegen.run.plan import Plan, make_plan
from codegen.run.rewriting import (
    Rewriting,
    generated_pass,
    recall_rewriting,
    run_rewriting,
    untouched_models,
)
from codegen.run.rules import Stage, recall_rules, settle_rules
from codegen.store.cache import Cache
from codegen.store.system import usable_cores
from codegen.trees.definitions import model_of_file
from codegen.trees.history import History
from codegen.trees.nametable import read_name_table
from codegen.trees.sources import read_text
from codegen.trees.tree import Tree, select_models

if TYPE_CHECKING:
    from codegen.run.sync import Options


def examine(
    tree: Tree, names: Sequence[str], options: Options, cache: Cache
) -> tuple[Run, Expanded, History]:
    """What of the named models (all by default) is out of sync, what was expanded, and what git knows."""
    models = select_models(tree, list(names))
    history = History(tree.root)
    expand = partial(_expand, options=options, cache=cache)
    stage = expand(recall_rules(tree, cache), models)
    jobs = options.jobs or usable_cores()
    stage, rules = settle_rules(stage, cache, history, models, expand, jobs)
    tree, plan, expanded = stage.tree, stage.plan, stage.expanded
    wanted = plan.closure(models)
    outcomes = [
        outcome_or_problem(tree, model, expanded, cache, stage.texts)
        for model in plan.order
        if model in wanted
    ]
    outcomes = with_rewritten(tree, outcomes, stage.rewriting)
    if tree.kind == "project":
        beside = options.rewrite and not tree.config.helpers
        outcomes = add_helper_files(tree, cache, outcomes, beside)
    outcomes = add_orphans(tree, cache, outcomes, not names)
    past = Past(tree, stage.names, history, cache, options.rewrite)
    outcomes = tell_edits(outcomes, expanded.results, cache, past, stage.rewriting.files)
    outcomes = [*without_collisions(outcomes), *_refused(tree, names)]
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
