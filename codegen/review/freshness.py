"""Whether generated files are what their definitions give: asked of the engine, cache included."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from codegen.errors import CodegenError
from codegen.review.model import Side, Stale
from codegen.run.outcome import FileOutcome, Run, State
from codegen.run.sync import Options, check
from codegen.trees.sources import glance
from codegen.trees.tree import Tree, open_tree

_AROUND = ("pyproject.toml", "__init__.py")


@dataclass(frozen=True, slots=True)
class Expected:
    """What definitions give where files say otherwise, by path. ``known`` is False where nobody
    could ask them (the settings or definitions of that state have errors)."""

    known: bool
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Files that are not what their definitions give, with the texts that these do give; ``notes``
    are the errors of definitions, and what else the run had to say."""

    stale: tuple[Stale, ...] = ()
    expected: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    known: bool = True


def ask_freshness(tree: Tree, options: Options, names: Sequence[str] = ()) -> Freshness:
    """Compare a tree on disk with its definitions; nothing is written."""
    try:
        run = check(tree, names, options)
    except CodegenError as error:
        return Freshness(notes=tuple(map(str, error.diagnostics)), known=False)
    return _from_run(run)


def _from_run(run: Run) -> Freshness:
    stale: list[Stale] = []
    expected: dict[str, str] = {}
    for outcome in run.outcomes:
        for file in outcome.files:
            if file.state in (State.FRESH, State.ENDINGS, State.UNSTAGED):
                continue
            stale.append(Stale(file.path, outcome.model, file.state, _differing(file)))
            if file.new is not None:
                expected[file.path] = file.new
    problems = tuple(map(str, run.problems))
    return Freshness(tuple(stale), expected, (*problems, *run.notes), not problems)


def _differing(file: FileOutcome) -> int:
    from codegen.console.words import count_changes

    return sum(count_changes(file))


class Unpacked(AbstractContextManager[Tree]):
    """A side as a tree in a temporary folder, for the engine to look at."""

    def __init__(self, tree: Tree, side: Side) -> None:
        self._tree, self._side = tree, side
        self._folder = tempfile.TemporaryDirectory(prefix="codegen-review-")

    def __enter__(self) -> Tree:
        root = Path(self._folder.name)
        texts = dict(self._side.texts)
        for name in _AROUND if self._tree.kind != "project" else ():
            for place in {name, str(PurePosixPath(self._tree.package_dir, name))}:
                texts.setdefault(place, glance(self._tree.root / place))
        for path, text in texts.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        return open_tree(root, None)

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def ask_side(tree: Tree, side: Side, options: Options, names: Sequence[str] = ()) -> Freshness:
    """The same for a side that is not on disk."""
    with Unpacked(tree, side) as unpacked:
        known = {item.model for item in unpacked.definitions}
        asked = [name for name in names if name in known]
        if names and not asked:
            return Freshness(known=False)
        return ask_freshness(unpacked, options, asked)


def as_expected(freshness: Freshness) -> Expected:
    """What is asked of a base: where files say something else than their definitions gave."""
    return Expected(freshness.known, freshness.expected)
