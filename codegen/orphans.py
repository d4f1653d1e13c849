"""Find generated files that no definition gives any more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from codegen.cache import Cache
from codegen.names import FILE_TYPES
from codegen.outcome import FileOutcome, ModelOutcome, State
from codegen.render import banner_definition, carries_banner
from codegen.sources import read_generated
from codegen.tree import Tree


def add_orphans(
    tree: Tree, cache: Cache, outcomes: Sequence[ModelOutcome], whole: bool
) -> list[ModelOutcome]:
    """Add generated files that no definition gives any more; ``whole``: those of no model, too."""
    if tree.kind != "project":
        return [*outcomes, *(_orphans_of_cache(tree, cache) if whole else ())]
    result = list(outcomes)
    sound = {
        item.definition: index
        for index, item in enumerate(outcomes)
        if not item.problems and not item.blocked_by
    }
    gone: dict[str, list[FileOutcome]] = {}
    known = {file.path for item in outcomes for file in item.files}
    for path, text, definition in _generated_files(tree, known):
        orphan = FileOutcome(path, State.ORPHAN, text)
        if definition in sound:
            owner = result[sound[definition]]
            result[sound[definition]] = replace(owner, files=(*owner.files, orphan))
        elif whole and not (tree.root / definition).is_file():
            gone.setdefault(definition, []).append(orphan)
    result += [ModelOutcome(_model(path), "", tuple(gone[path])) for path in gone]
    return result


def _model(definition: str) -> str:
    return PurePosixPath(definition).stem.removeprefix("modular_")


def _generated_files(tree: Tree, known: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Path, text and definition of files below a project's output with our banner."""
    for place in sorted((tree.output / tree.config.output).rglob("*.py")):
        path = place.relative_to(tree.output).as_posix()
        if path not in known and place.name.startswith(FILE_TYPES):
            text = read_generated(tree.output / path) or ""
            definition = banner_definition(text)
            if definition:
                yield path, text, definition


def _orphans_of_cache(tree: Tree, cache: Cache) -> Iterator[ModelOutcome]:
    """Files of definitions that were there in the last run."""
    known = {item.model for item in tree.definitions}
    for model in sorted(cache.records.keys() - known):
        files = []
        for path in cache.records[model].outputs:
            old = read_generated(tree.output / path)
            if old is not None and carries_banner(old):
                files.append(FileOutcome(path, State.ORPHAN, old))
        if files:
            yield ModelOutcome(model, "", tuple(files))
