"""Rewrite a tree beside the original and verify the rewritten encoders against it."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codegen.errors import CodegenError, fail
from codegen.rewrite.tokens.asking import WORKED_ON
from codegen.run.sync import Options, refuse_half_written, sync
from codegen.store.cache import cache_folder
from codegen.trees.tree import Tree, open_tree
from codegen.verify import CheckResult, VerifyOptions, absent_models, verify
from codegen.verify.cases import CaseError, own_cases
from codegen.verify.contract import HELPER
from codegen.verify.processors import ProcessorOptions, ProcessorResult, compare, record
from codegen.verify.processors.build import parent_model
from codegen.verify.scenarios import SCENARIOS


def verify_tree(
    arguments: argparse.Namespace, progress: Callable[[str, int, int], None]
) -> tuple[tuple[CheckResult, ...], tuple[str, ...]]:
    """Run the verification that the command line asks for.

    Returns the results and, where no models were named, the known models that the tree does not have.
    The rewritten files are kept in the cache folder, so that a second run only redoes what changed.
    Raises CodegenError for unknown models, a tree that is no library, or a failed process.
    """
    root = arguments.root or _installed_transformers()
    original = open_tree(root, None)
    refuse_half_written(original)
    if original.kind == "project":
        return _verify_project(original, arguments, progress), ()
    overlay = cache_folder(original) / "rewritten"
    tree = open_tree(root, overlay)
    run = sync(tree, [], Options(arguments.jobs, force=True, rewrite=True))
    if run.problems:
        raise CodegenError(*run.problems)
    options = VerifyOptions(
        tree.root / tree.package_dir,
        overlay / tree.package_dir,
        tuple(arguments.models),
        tuple(arguments.attention),
        arguments.checks,
        arguments.cases,
        arguments.backend,
        tuple(arguments.scenarios) or tuple(SCENARIOS),
        progress=progress,
        jobs=arguments.jobs,
    )
    try:
        return verify(options), () if arguments.models else absent_models(options)
    except (CaseError, RuntimeError) as error:
        raise fail("verify", str(error)) from None


def verify_processors(
    arguments: argparse.Namespace, progress: Callable[[str, int, int], None]
) -> list[ProcessorResult]:
    """Compare the processors of a library with those of its rewritten copy.

    Raises CodegenError for unknown models, a tree that is no library, or a failed process.
    """
    root = arguments.root or _installed_transformers()
    original = open_tree(root, None)
    refuse_half_written(original)
    if original.kind == "project":
        hint = "give the root of a library, or test the project's processors by its own tests"
        raise fail("verify", "processors are compared in libraries", str(original.root), 0, hint)
    folder = original.root / original.package_dir
    models = tuple(arguments.models) or _with_processors(folder)
    for model in models:
        if not (folder / "models" / model / f"processing_{model}.py").is_file():
            raise fail("verify", f"there is no processor of {model}", str(folder), 0)
    overlay = cache_folder(original) / "rewritten"
    tree = open_tree(root, overlay)
    run = sync(tree, [], Options(arguments.jobs, force=True, rewrite=True))
    if run.problems:
        raise CodegenError(*run.problems)
    try:
        progress("original processors", 0, 2)
        before = record(ProcessorOptions(folder, models))
        progress("rewritten processors", 1, 2)
        manners = {item["model"]: item["manner"] for item in before if not item["why"]}
        after = record(
            ProcessorOptions(folder, models, overlay / tree.package_dir, manners=manners)
        )
    except RuntimeError as error:
        raise fail("verify", str(error)) from None
    left = left_expansions(run.report)
    for model in models:
        # What is generated from a definition has the expansion of its parent, and the reason with it.
        inherited = left.get(parent_model(folder, model), "")
        if inherited:
            left.setdefault(model, inherited)
    return compare(before, after, left)


def left_expansions(report: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By model why the passes have left an expansion as it is; of what is moved there are remarks only."""
    about = [item for item in report if item["helper"] == HELPER]
    moved = {(item["model"], item["cls"]) for item in about if item["kind"] == "extracted"}
    reasons: dict[str, str] = {}
    for item in about:
        is_moved = (item["model"], item["cls"]) in moved and item["reason"] != WORKED_ON
        if item["kind"] == "left" and not is_moved:
            reasons.setdefault(item["model"], f"{item['location']}: {item['reason']}")
    return reasons


def _with_processors(folder: Path) -> tuple[str, ...]:
    """The models whose processors a rewrite can concern: that have a file for one."""
    files = sorted((folder / "models").glob("*/processing_*.py"))
    return tuple(
        file.parent.name for file in files if file.stem == f"processing_{file.parent.name}"
    )


def _verify_project(
    tree: Tree, arguments: argparse.Namespace, progress: Callable[[str, int, int], None]
) -> tuple[CheckResult, ...]:
    """Encoders of a project: its files as they are without the passes, and with them."""
    if not arguments.cases:
        raise fail(
            "verify",
            "which encoders of the project to build, and with what, is not known",
            str(tree.root),
            0,
            "describe them in a file and give it with --cases (the README shows one)",
        )
    try:
        names = tuple(arguments.models) or own_cases(arguments.cases)
    except CaseError as error:
        raise fail("verify", str(error)) from None
    folders = {}
    for name in ("plain", "rewritten"):
        folders[name] = cache_folder(tree) / "verify" / name
        side = open_tree(tree.root, folders[name])
        run = sync(side, [], Options(arguments.jobs, force=True, rewrite=name == "rewritten"))
        if run.problems:
            raise CodegenError(*run.problems)
    output = tree.config.output
    options = VerifyOptions(
        tree.root / output,
        folders["rewritten"] / output,
        names,
        tuple(arguments.attention),
        arguments.checks,
        arguments.cases,
        arguments.backend,
        tuple(arguments.scenarios) or tuple(SCENARIOS),
        progress=progress,
        jobs=arguments.jobs,
        plain=folders["plain"] / output,
        package=output.replace("/", "."),
    )
    try:
        return verify(options)
    except (CaseError, RuntimeError) as error:
        raise fail("verify", str(error)) from None


def _installed_transformers() -> Path:
    spec = importlib.util.find_spec("transformers")
    if spec is None or not spec.submodule_search_locations:
        raise fail(
            "verify",
            "transformers is not installed",
            "",
            0,
            "install it (`pip install transformers`), or give --root",
        )
    return Path(next(iter(spec.submodule_search_locations)))
