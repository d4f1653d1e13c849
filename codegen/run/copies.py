"""Where the text of a file goes that is about to be replaced or removed, so that nothing is lost."""

from __future__ import annotations

import os

from codegen.run.outcome import FileOutcome, ModelOutcome, State
from codegen.store.cache import Cache
from codegen.trees.sources import glance
from codegen.trees.tree import Tree

#: Not the name of a module: neither Python nor this tool takes the copy for a generated file.
_SUFFIX = ".edited"
_REMOVED = "removed"


def copies_of(tree: Tree, cache: Cache, outcome: ModelOutcome) -> dict[str, str]:
    """Paths of copies by the paths of the model's files that need one.

    What git has committed needs none. What may be somebody's work is kept beside the file, what was
    only generated and is removed now, in the cache.
    """
    copies = {}
    for file in outcome.files:
        if file.committed or file.old is None:
            continue
        if file.precious and file.state is not State.FRESH:
            copies[file.path] = _beside(tree, file)
        elif file.state is State.ORPHAN and cache.folder.is_relative_to(tree.output):
            folder = cache.folder.relative_to(tree.output).as_posix()
            copies[file.path] = f"{folder}/{_REMOVED}/{file.path}"
    return copies


def _beside(tree: Tree, file: FileOutcome) -> str:
    """The first free name beside the file, or that of a copy with the same text."""
    copy, count = f"{file.path}{_SUFFIX}", 1
    while os.path.lexists(tree.output / copy) and glance(tree.output / copy) != file.old:
        count += 1
        copy = f"{file.path}{_SUFFIX}{count}"
    return copy
