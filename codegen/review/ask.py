"""From the arguments of the command to the two sides that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codegen.errors import CodegenError, fail
from codegen.review.build import Question
from codegen.review.drift import drift_question, is_library
from codegen.review.freshness import Expected, Freshness, as_expected, ask_freshness, ask_side
from codegen.review.model import Side
from codegen.review.sides import make_side, places_of, read_commit, read_folder
from codegen.run.sync import Options
from codegen.trees.tree import Tree, open_tree

WORK_TREE = "work tree"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line names: up to two states, the tree, and a second release."""

    states: tuple[str, ...] = ()
    root: Path | None = None
    against: Path | None = None
    synced: bool = False


def make_question(asked: Asked, options: Options) -> Question:
    """Read both sides and ask for their freshness. Raises CodegenError."""
    if asked.against is not None:
        if asked.states or asked.root is None:
            raise fail("usage", "--against takes --root and no BASE or HEAD", "", 0, _AGAINST)
        if is_library(asked.root) and is_library(asked.against):
            project = _enclosing_project()
            if project is not None:
                options = replace(options, rewrite=options.rewrite or project.config.rewrite)
                return drift_question(project, asked.root, asked.against, options)
        return _folders(asked.root, asked.against, options, asked.synced)
    folders = [_folder(state) for state in asked.states]
    if len(folders) == 2 and folders[0] and folders[1]:
        return _folders(folders[0], folders[1], options, asked.synced)
    tree = open_tree(asked.root, None)
    options = replace(options, rewrite=options.rewrite or tree.config.rewrite)
    if len(folders) == 1 and folders[0] and not _is_ref(tree, asked.states[0]):
        return _folders(folders[0], tree.root, options, asked.synced)
    for state, folder in zip(asked.states, folders):
        if len(folders) == 2 and any(folders) and not folder and not _is_ref(tree, state):
            raise fail("unknown-ref", f"{state!r} is neither a folder nor a commit")
    commits = (asked.states[0] if asked.states else "HEAD", "".join(asked.states[1:]))
    base = read_commit(tree, commits[0])
    if len(asked.states) == 2:
        head = read_commit(tree, asked.states[1])
        fresh = ask_side(tree, head, replace(options, cache=False))
    else:
        head = read_folder(tree, WORK_TREE)
        fresh = ask_freshness(tree, options)
    question = _question(tree, base, head, fresh, options, asked.synced)
    on_disk = len(asked.states) < 2 and not asked.synced
    return replace(question, roots=(None, tree.root if on_disk else None), commits=commits)


_AGAINST = "python -m codegen review --root releases/A --against releases/B"


def _enclosing_project() -> Tree | None:
    """The project around the working directory, if there is one."""
    try:
        tree = open_tree(None, None)
    except CodegenError:
        return None
    return tree if tree.kind == "project" else None


def _folder(state: str) -> Path | None:
    path = Path(state)
    return path if path.is_dir() else None


def _is_ref(tree: Tree, state: str) -> bool:
    from codegen.trees.history import History

    return bool(History(tree.root).commit(state))


def _folders(old: Path, new: Path, options: Options, synced: bool) -> Question:
    tree, other = open_tree(new, None), open_tree(old, None)
    if (tree.kind == "project") != (other.kind == "project"):
        raise fail("usage", f"{old} and {new} are trees of different kinds", "", 0, _AGAINST)
    options = replace(options, rewrite=options.rewrite or tree.config.rewrite)
    base = read_folder(other, str(old), tree)
    head = read_folder(tree, str(new))
    fresh = ask_freshness(tree, options)
    question = _question(tree, base, head, fresh, options, synced)

    def expected(models: Sequence[str]) -> Expected:
        known = {item.model for item in other.definitions}
        names = [name for name in models if name in known]
        return as_expected(ask_freshness(other, options, names)) if names else Expected(False, {})

    if places_of(tree) == places_of(other):
        question = replace(question, base_expected=expected)
    return replace(question, roots=(other.root, None if synced else tree.root))


def _question(
    tree: Tree, base: Side, head: Side, fresh: Freshness, options: Options, synced: bool
) -> Question:
    def base_expected(models: Sequence[str]) -> Expected:
        plain = replace(options, cache=False)
        return as_expected(ask_side(tree, base, plain, models))

    unread = (*(f"{base.label}: {said}" for said in base.unread), *head.unread)
    notes = tuple(dict.fromkeys((*fresh.notes, *unread)))
    if synced:  # what is there gives way to what `sync` would write
        orphans = {item.path for item in fresh.stale} - fresh.expected.keys()
        texts = {path: text for path, text in head.texts.items() if path not in orphans}
        head = make_side(f"{head.label}, synced", tree, {**texts, **fresh.expected})
        fresh = replace(fresh, expected={}, stale=())
    return Question(
        tree,
        base,
        head,
        fresh.stale,
        fresh.expected,
        fresh.known,
        base_expected,
        notes,
        options=options,
    )
