"""What the files of a tree are beside what was made for them: fresh, stale, missing, somebody else's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from codegen.errors import CodegenError, Diagnostic, Location
from codegen.run.engine import Expanded, entry_of
from codegen.run.outcome import FileOutcome, ModelOutcome, State
from codegen.run.rewriting import Rewriting
from codegen.store.cache import Cache
from codegen.trees.banners import banner_definition, carries_banner
from codegen.trees.definitions import model_of_file
from codegen.trees.sources import glance, read_generated
from codegen.trees.tree import Tree


def outcome_or_problem(
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


def with_rewritten(
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


def without_collisions(outcomes: Sequence[ModelOutcome]) -> list[ModelOutcome]:
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
