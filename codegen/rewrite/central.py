"""Entries for new inputs where a tree documents the arguments of its models in one place.

    class ModelArgs:
        input_ids = {"description": ..., "shape": ...}

Such a tree has a decorator that completes docstrings from these entries (names of both are convention, see
:mod:`codegen.rewrite.vocabulary`). A method with it needs no entry of its own for what is entered there;
any other method is documented in its docstring.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from codegen.rewrite.emit.edits import Change, Describe, Edit, Site, behind_class
from codegen.rewrite.functions import Function
from codegen.rewrite.helpers import INPUTS, rank
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import target_of
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import CENTRAL_ARGUMENTS, COMPLETING_DECORATOR

RULE = "lift"


def central_changes(index: Index, changes: Iterable[Change]) -> Iterator[Change]:
    """What has to be entered centrally for the methods that some changes describe."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for site, edit, arguments in _described(index, changes):
        assert isinstance(site.node, ast.FunctionDef)
        wanted[arguments.module.source.module].update(set(edit.names) - entries(arguments).keys())
    for module, names in wanted.items():
        found = index.resolve(module, CENTRAL_ARGUMENTS)
        if found is not None and names:
            yield _entering(found, sorted(names, key=rank))


def without_repeated(index: Index, change: Change) -> Change:
    """A change that describes nothing in a method that the tree documents centrally."""
    known = {
        (id(site.node), edit): set(edit.names) - entries(arguments).keys()
        for site, edit, arguments in _described(index, [change])
    }
    if not known:
        return change

    def kept(site: Site, edit: Edit) -> Iterator[Edit]:
        rest = known.get((id(site.node), edit)) if isinstance(edit, Describe) else None
        if rest is None or not isinstance(edit, Describe):
            yield edit
        elif rest:
            yield replace(edit, names=tuple(name for name in edit.names if name in rest))

    sites = tuple(
        replace(site, edits=tuple(new for edit in site.edits for new in kept(site, edit)))
        for site in change.sites
    )
    return replace(change, sites=sites)


def _described(
    index: Index, changes: Iterable[Change]
) -> Iterator[tuple[Site, Describe, ClassInfo]]:
    """Descriptions of methods in trees that have a central place, with that place."""
    for change in changes:
        for site in change.sites:
            for edit in site.edits:
                if isinstance(edit, Describe) and isinstance(site.node, ast.FunctionDef):
                    arguments = None if edit.prefix else _place(index, site.cls, site.node)
                    if arguments is not None:
                        yield site, edit, arguments


def _place(index: Index, cls: ClassInfo, function: Function) -> ClassInfo | None:
    """The class with the entries that complete the docstring of a method, None where nothing does.

    In a definition, an override without decorators has those of what it overrides.
    """
    for owner in index.mro(cls):
        method = function if owner.node is cls.node else owner.methods.get(function.name)
        if method is None:
            continue
        for module in _origins(owner, method):
            arguments = _arguments(index, module)
            if arguments is not None:
                return arguments
        if method.decorator_list or not is_definition(owner.module.source.module):
            break
    return None


def is_definition(module: str) -> bool:
    """Tell whether a module is a definition, not a file that runs."""
    return module.rpartition(".")[2].startswith("modular_")


def _origins(cls: ClassInfo, function: Function) -> Iterator[str]:
    """Modules from which the completing decorator of a method may come."""
    for decorator in function.decorator_list:
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        origin = cls.module.imports.get(made.id) if isinstance(made, ast.Name) else None
        if origin is not None and origin[1] == COMPLETING_DECORATOR:
            yield f"{origin[0]}.{origin[1]}"
            yield origin[0]


def _arguments(index: Index, module: str) -> ClassInfo | None:
    """The class with the entries in a module, if it is a file of this tree."""
    source = index.library.read(module)
    if source is None or PurePath(source.path).is_absolute():
        return None
    if index.open(module) is None:
        return None
    found = index.resolve(module, CENTRAL_ARGUMENTS)
    return found if found is not None and entries(found) else None


def entries(arguments: ClassInfo) -> dict[str, ast.expr]:
    """The entries of a class by name, empty for a class that has something else."""
    found: dict[str, ast.expr] = {}
    for node in arguments.node.body:
        target = target_of(node)
        if not isinstance(node, ast.Assign) or not isinstance(target, ast.Name):
            continue
        value = node.value
        keys = [getattr(key, "value", "") for key in getattr(value, "keys", ())]
        if isinstance(value, ast.Dict) and "description" in keys:
            found[target.id] = value
    return found


def _entering(arguments: ClassInfo, names: Sequence[str]) -> Change:
    info = arguments.module
    lines = tuple(line for name in names for line in ("", *_entry(name)))[1:]
    record = Record(
        model_of(info.source.module),
        arguments.name,
        "",
        "lifted",
        info.place(arguments.node),
        parameters=tuple(names),
        reason="entered once for all methods whose docstrings are completed from here",
    )
    return Change(RULE, (behind_class(arguments, lines),), records=(record,))


def _entry(name: str) -> tuple[str, ...]:
    result = INPUTS[name]
    return (
        f"{name} = {{",
        '    "description": """',
        f"    {result.text}",
        '    """,',
        f'    "shape": "of shape `{result.shape}`",',
        "}",
    )
