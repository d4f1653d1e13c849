"""Compare the definitions of a project, as Python understands them, with what comes out of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from codegen.errors import CodegenError, fail
from codegen.expansion.definition import parse_definition
from codegen.output.formatting import FormatSettings
from codegen.run.outcome import ModelOutcome, Run
from codegen.run.sync import Options, check
from codegen.store.system import usable_cores
from codegen.trees.sources import make_source, read_text
from codegen.trees.tree import Tree, open_tree
from codegen.verify.definitions.load import Source
from codegen.verify.definitions.processes import DefinitionResult, verify_definitions
from codegen.verify.definitions.subject import Parents, Subject, make_subject

#: How long one side of one definition may take, imports of large libraries included.
_SECONDS = 300.0


def check_definitions(
    root: Path | None,
    models: Sequence[str],
    jobs: int,
    running: bool,
    progress: Callable[[str, int, int], None],
) -> list[DefinitionResult]:
    """Expand the definitions, before any pass, and compare them with what they mean to Python.

    Raises CodegenError for a tree that is no project and for unknown models. A definition that the
    expansion refuses is among the results.
    """
    tree = open_tree(root, None)
    if tree.kind != "project":
        raise fail(
            "verify",
            f"{tree.root} is no project; the definitions of a library have its files as reference",
            "",
            0,
            "give --root with a folder whose pyproject.toml has a [tool.codegen] table",
        )
    plain = replace(tree, formatting=FormatSettings("none", tree.config.line_length))
    run = check(plain, models, Options(jobs, cache=False))
    done = [item for item in run.outcomes if not item.problems]
    if not done and run.problems:
        raise CodegenError(*run.problems)
    everything = check(plain, (), Options(jobs, cache=False)) if models else run
    sources = _sources(everything)
    paths = [str(tree.root), *(str(p) for p in (tree.root / "src",) if p.is_dir())]
    with tempfile.TemporaryDirectory(prefix="codegen-verify-") as folder:
        # Some libraries open the file of a class.
        sources = {name: _placed(Path(folder), source) for name, source in sources.items()}
        subjects = [_subject(tree, item, sources) for item in done]
        workers = jobs or min(4, usable_cores())
        found = verify_definitions(subjects, paths, workers, _SECONDS, running, progress)
    refused = [
        DefinitionResult(item.model, item.definition, "refused", str(item.problems[0]))
        for item in run.outcomes
        if item.problems
    ]
    return sorted([*found, *refused], key=lambda result: result.model)


def _sources(run: Run) -> dict[str, Source]:
    """The generated modules of a project, as the definitions give them."""
    return {
        file.path.removesuffix(".py").replace("/", "."): Source(file.path, file.new)
        for item in run.outcomes
        for file in item.files
        if file.new is not None
    }


def _placed(folder: Path, source: Source) -> Source:
    place = folder / source.path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(source.text, encoding="utf-8")
    return Source(str(place), source.text)


def _subject(tree: Tree, outcome: ModelOutcome, sources: dict[str, Source]) -> Subject:
    item = tree.definition(outcome.model)
    text = read_text(tree.root / item.path, item.path)
    definition = parse_definition(make_source(item.path, "", text), tree.convention)
    imported = {
        parent.alias or parent.name: (parent.module, parent.name) for parent in definition.parents
    }
    modules = definition.parent_modules
    parents = Parents(
        imported,
        {module: tree.convention.parent_model(module) for module in modules},
        {module: _parent_text(tree, module, sources) for module in modules},
    )
    package = item.target.replace("/", ".")
    folders = _folders(tree.root, [*sources, f"{package}.x"])
    generated = [
        file.path.removesuffix(".py").replace("/", ".") for file in outcome.files if file.new
    ]
    shown = Source(str(tree.root / item.path), text)
    return make_subject(
        item.model, shown, package, sources, generated, parents, folders, outcome.warnings
    )


def _parent_text(tree: Tree, module: str, sources: dict[str, Source]) -> str:
    if module in sources:
        return sources[module].text
    path = tree.source_path(module)
    return read_text(tree.root / path, path) if path else ""


def _folders(root: Path, modules: Sequence[str]) -> dict[str, list[str]]:
    """Folders of the packages that contain the modules: what stands there by hand is found, too."""
    found: dict[str, list[str]] = {}
    for module in modules:
        parts = module.split(".")[:-1]
        for count in range(1, len(parts) + 1):
            folder = root.joinpath(*parts[:count])
            if folder.is_dir():
                found[".".join(parts[:count])] = [str(folder)]
    return found
