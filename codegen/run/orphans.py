"""Find generated files that no definition gives any more.

Only what is certainly ours is one: its banner is that of the tree's own kind, stands at its top and
names a definition below the tree's own folder, whose files would lie just there. A copy in another
folder, a file that another repository generated and a quoted banner are not. In a library's tree,
which holds thousands of other files, only the folders of definitions are searched; that a whole
definition has gone is known from the cache there. A package is taken as it was released, and another
output folder may hold files of other trees.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from codegen.run.outcome import FileOutcome, ModelOutcome, State
from codegen.store.cache import Cache
from codegen.trees.banners import banner_definition
from codegen.trees.names import FILE_TYPES
from codegen.trees.sources import glance
from codegen.trees.tree import Tree


def add_orphans(
    tree: Tree, cache: Cache, outcomes: Sequence[ModelOutcome], whole: bool
) -> list[ModelOutcome]:
    """Add generated files that no definition gives any more; ``whole``: those of no model, too."""
    result = list(outcomes)
    known = {file.path for item in outcomes for file in item.files}
    searched = tree.kind != "package" and tree.output == tree.root
    if whole and not (searched and tree.kind == "project"):
        result += _orphans_of_cache(tree, cache)
    if not searched:
        return result
    ours = {tree.banner_path(item): item for item in tree.definitions}
    sound = {
        item.definition: index
        for index, item in enumerate(outcomes)
        if item.definition and not item.problems and not item.blocked_by
    }
    gone: dict[str, list[FileOutcome]] = {}
    for path, text, definition in _generated_files(tree, known):
        orphan = FileOutcome(path, State.ORPHAN, text)
        folder = str(PurePosixPath(path).parent)
        item = ours.get(definition)
        if item is not None:
            index = sound.get(item.path)
            if index is not None and item.target == folder:
                owner = result[index]
                result[index] = replace(owner, files=(*owner.files, orphan))
        elif whole and _target_of(tree, definition) == folder:
            gone.setdefault(definition, []).append(orphan)
    result += [ModelOutcome(_model(path), "", tuple(gone[path])) for path in gone]
    return result


def _target_of(tree: Tree, definition: str) -> str | None:
    """Where the files of a definition went that a project no longer has; None if it is no project's
    or was not below the project's folder of definitions."""
    place = PurePosixPath(definition)
    if tree.kind != "project" or _may_exist(tree, definition):
        return None
    if ".." in place.parts or not place.is_relative_to(tree.config.definitions):
        return None
    inside = place.relative_to(tree.config.definitions).parent
    return str(PurePosixPath(tree.config.output) / inside)


def _may_exist(tree: Tree, definition: str) -> bool:
    """Whether a definition is there, or below a folder that cannot be searched."""
    closed = [item.path for item in tree.refused if not item.model]
    below = any(PurePosixPath(definition).is_relative_to(folder) for folder in closed)
    return below or os.path.lexists(tree.root / definition)


def _model(definition: str) -> str:
    return PurePosixPath(definition).stem.removeprefix("modular_")


def _generated_files(tree: Tree, known: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Path, text and definition of files where output goes that carry a banner."""
    if tree.kind == "project":
        places = sorted((tree.output / tree.config.output).rglob("*.py"))
    else:
        folders = sorted({item.target for item in tree.definitions})
        places = [place for folder in folders for place in (tree.output / folder).glob("*.py")]
    for place in places:
        path = place.relative_to(tree.output).as_posix()
        if path not in known and place.name.startswith(FILE_TYPES):
            text = glance(tree.output / path)
            definition = banner_definition(text, tree.convention.banner_template)
            if definition:
                yield path, text, definition


def _orphans_of_cache(tree: Tree, cache: Cache) -> Iterator[ModelOutcome]:
    """Files of definitions that were there in the last run."""
    known = {item.model for item in tree.definitions} | {item.model for item in tree.refused}
    if "" in known:  # what is in a folder that cannot be searched may still be there
        return
    for model in sorted(cache.records.keys() - known):
        files = []
        for path in cache.records[model].outputs:
            old = glance(tree.output / path)
            named = banner_definition(old, tree.convention.banner_template) or ""
            if PurePosixPath(named).name == f"modular_{model}.py":
                files.append(FileOutcome(path, State.ORPHAN, old))
        if files:
            yield ModelOutcome(model, "", tuple(files))
