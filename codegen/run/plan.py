"""Which definitions build on which, and in what order; cycles are told with their path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from codegen.errors import Diagnostic, Location
from codegen.expansion.definition import imported_bases, outer_imports
from codegen.trees.names import module_file_type
from codegen.trees.tree import Tree

_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Plan:
    """``providers`` maps each model to the models whose files it is built from, ``sources`` to the
    paths it may read; ``order`` lists models so that providers come first. ``cycles`` has one
    model of every inheritance cycle, with its problem; without these models there is no cycle."""

    providers: Mapping[str, frozenset[str]]
    sources: Mapping[str, frozenset[str]]
    order: tuple[str, ...]
    cycles: Mapping[str, tuple[Diagnostic, ...]]

    def closure(self, models: Iterable[str]) -> set[str]:
        """The models with everything they build on."""
        found: set[str] = set()
        queue = list(models)
        while queue:
            model = queue.pop()
            if model not in found:
                found.add(model)
                queue += self.providers[model]
        return found

    def dependents(self, models: Iterable[str]) -> set[str]:
        """Models that build on one of these, directly or not."""
        found = set(models)
        for model in self.order:
            if found & self.providers[model]:
                found.add(model)
        return found - set(models)


def make_plan(tree: Tree, texts: Mapping[str, str]) -> Plan:
    """Derive the plan from the imports of all definitions (``texts`` by model).

    A library is large, and its definitions name parents by their modules: import lines are found
    without parsing, unless these give a cycle, which may be one of lines in a docstring. The
    definitions of a project are read as Python reads them.
    """
    plan = _make_plan(tree, texts, tree.kind == "project")
    return _make_plan(tree, texts, True) if plan.cycles and tree.kind != "project" else plan


def _make_plan(tree: Tree, texts: Mapping[str, str], parsing: bool) -> Plan:
    dialect = tree.convention.dialect
    by_file = {
        (item.target, dialect.module_name(kind, item.model)): item.model
        for item in tree.definitions
        for kind in dialect.file_types
    }
    providers: dict[str, frozenset[str]] = {}
    sources: dict[str, frozenset[str]] = {}
    for model, text in texts.items():
        needed = set()
        paths = {tree.definition(model).path}
        for path in _parent_paths(tree, text, paths, parsing):
            paths.add(path)
            folder, _, name = path.rpartition("/")
            provider = by_file.get((folder, name.removesuffix(".py")))
            if provider and provider != model:
                needed.add(provider)
        providers[model] = frozenset(needed)
        sources[model] = frozenset(paths)
    return Plan(providers, sources, *_order(providers, tree))


def _parent_paths(tree: Tree, text: str, paths: set[str], parsing: bool) -> Iterator[str]:
    """Files of the parents that a definition names; those that hand a base on join ``paths``."""
    spelled: Iterable[str] = ()
    if not parsing:
        spelled = _FROM.findall(text)
    else:
        try:
            parsed = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return  # the expansion says what is wrong
        spelled = ["." * node.level + (node.module or "") for node in outer_imports(parsed)]
        for base in imported_bases(parsed, tree.convention):
            paths.update(base.via)
            yield from filter(None, [tree.source_path(base.module)])
    for name in spelled:
        module = tree.convention.parent_module(name)
        if module and module_file_type(module):
            yield from filter(None, [tree.source_path(module)])


def parent_paths(tree: Tree, text: str) -> set[str]:
    """Paths of the parents that a definition names, and of files that hand their bases on."""
    via: set[str] = set()
    return {*_parent_paths(tree, text, via, tree.kind == "project"), *via}


def _order(
    providers: Mapping[str, frozenset[str]], tree: Tree
) -> tuple[tuple[str, ...], dict[str, tuple[Diagnostic, ...]]]:
    order: list[str] = []
    cycles: dict[str, tuple[Diagnostic, ...]] = {}
    state: dict[str, str] = {}

    def visit(model: str, path: tuple[str, ...]) -> None:
        if state.get(model) == "done":
            return
        if state.get(model) == "open":
            cycle = [*path[path.index(model) :], model]
            problem = Diagnostic(
                "cycle",
                f"definitions inherit from each other: {' -> '.join(cycle)}",
                Location(tree.definition(model).path),
                "move what they share into one of them, or into a third definition",
            )
            cycles[model] = (*cycles.get(model, ()), problem)
            return
        state[model] = "open"
        for provider in sorted(providers.get(model, ())):
            visit(provider, (*path, model))
        state[model] = "done"
        order.append(model)

    for model in sorted(providers):
        visit(model, ())
    return tuple(order), cycles
