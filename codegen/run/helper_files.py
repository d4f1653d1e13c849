"""Runtime helpers beside the models of a project: one module in each folder whose files import it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from codegen.errors import CodegenError
from codegen.output.formatting import format_texts
from codegen.output.helper_bundle import bundle_helpers
from codegen.output.render import render_helpers
from codegen.run.outcome import FileOutcome, ModelOutcome, State
from codegen.store.cache import Cache
from codegen.trees.banners import carries_banner
from codegen.trees.names import HELPERS
from codegen.trees.sources import digest_text, glance, read_generated
from codegen.trees.tree import Tree

_FILE = f"{HELPERS}.py"


def add_helper_files(
    tree: Tree, cache: Cache, outcomes: Sequence[ModelOutcome], wanted: bool
) -> list[ModelOutcome]:
    """Add to a model of each folder the helper module that the folder's generated files import.

    It holds what they need and no more; where none needs it any longer, or the modules are not
    ``wanted`` there at all, it is an orphan.
    """
    result = list(outcomes)
    folders: dict[str, list[int]] = {}
    for index, outcome in enumerate(outcomes):
        if outcome.definition and not outcome.problems and not outcome.blocked_by:
            target = tree.definition(outcome.model).target
            folders.setdefault(target, []).append(index)
    for folder, members in folders.items():
        names: set[str] = set()
        if wanted:
            texts = _texts(tree, folder, [outcomes[index] for index in members])
            names.update(name for text in texts for name in _imported(text))
        file = _helper_file(tree, cache, str(PurePosixPath(folder, _FILE)), sorted(names))
        if file is not None:
            owner = result[members[0]]
            result[members[0]] = replace(owner, files=(*owner.files, file))
    return result


def _helper_file(tree: Tree, cache: Cache, path: str, names: Sequence[str]) -> FileOutcome | None:
    if not names:
        there = glance(tree.output / path)
        if not carries_banner(there):
            return None
        return FileOutcome(path, State.ORPHAN, there, precious=_edited(cache, path, there))
    source = render_helpers(bundle_helpers(names))
    digest = digest_text(source)
    if cache.helpers.get(path) == (digest, cache.exact_digest(tree.output / path)):
        return FileOutcome(path, State.FRESH)
    formatted = format_texts({path: source}, tree.formatting)
    if path in formatted.refused:
        raise CodegenError(formatted.refused[path])
    new = formatted.texts[path]
    old = read_generated(tree.output / path)
    precious = old is not None and _edited(cache, path, old)
    cache.helpers[path] = (digest, digest_text(new))
    if old is None:
        return FileOutcome(path, State.MISSING, None, new)
    if old == new:
        return FileOutcome(path, State.FRESH, old, new)
    state = State.STALE if carries_banner(old) else State.FOREIGN
    return FileOutcome(path, state, old, new, precious)


def _edited(cache: Cache, path: str, text: str) -> bool:
    """Whether a helper module is not as the last run wrote it, as far as that is known."""
    return cache.helpers.get(path, ("", ""))[1] != digest_text(text)


def _texts(tree: Tree, folder: str, outcomes: Sequence[ModelOutcome]) -> Iterator[str]:
    """The generated files of a folder as they will be, those of models not looked at included."""
    seen = {f"{folder}/{_FILE}"}
    for file in (file for outcome in outcomes for file in outcome.files):
        seen.add(file.path)
        if file.state is not State.ORPHAN:
            yield (file.new if file.new is not None else glance(tree.output / file.path))
    for place in sorted((tree.output / folder).glob("*.py")):
        if place.relative_to(tree.output).as_posix() not in seen:
            text = glance(place)
            if carries_banner(text):
                yield text


def _imported(text: str) -> Iterator[str]:
    """Names that a generated file imports from the helper module beside it."""
    if f"from .{HELPERS} import" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module == HELPERS:
            yield from (alias.name for alias in node.names)
