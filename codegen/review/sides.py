"""Read the states to compare: the work tree, a commit, another folder.

Paths of both sides are those of the tree that is reviewed, wherever the other one keeps its package.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from codegen.errors import CodegenError, fail
from codegen.review.model import Side
from codegen.trees.banners import banner_definition
from codegen.trees.definitions import model_of_file
from codegen.trees.history import History
from codegen.trees.sources import glance, read_text
from codegen.trees.tree import Tree

SETTINGS = "pyproject.toml"
#: Seconds that git may take to hand out the files of a commit.
_PATIENCE = 120.0
_BANNER_PACKAGE = "src/transformers/"


def places_of(tree: Tree) -> list[str]:
    """Folders and files of a tree that can hold an edit or what it does, relative to its root."""
    if tree.kind != "project":
        return [str(PurePosixPath(tree.package_dir, "models"))]
    config = tree.config
    helpers = [config.helpers.replace(".", "/")] if config.helpers else []
    codemods = [entry.partition(":")[0] for entry in config.passes if ".py:" in entry]
    return [config.definitions, config.output, *helpers, *codemods, SETTINGS]


def read_folder(tree: Tree, label: str, like: Tree | None = None) -> Side:
    """What lies in a folder; ``like`` is the tree whose paths count."""
    texts: dict[str, str] = {}
    unread: list[str] = []
    for place in places_of(tree):
        start = tree.root / place
        if start.is_file():
            texts[place] = _plain(_glanced(start, place, unread))
            continue
        for folder, folders, names in os.walk(start):
            folders[:] = [name for name in folders if name != "__pycache__"]
            inside = Path(folder).relative_to(tree.root).as_posix()
            for name in names:
                if name.endswith(".py"):
                    path = f"{inside}/{name}"
                    texts[path] = _plain(_glanced(Path(folder, name), path, unread))
    side = make_side(label, like or tree, _moved(texts, tree, like))
    return replace(side, unread=tuple(unread))


def _glanced(path: Path, shown: str, unread: list[str]) -> str:
    """The text of a file; of one that cannot be read the reason is added to ``unread``."""
    text = glance(path)
    if not text:
        try:
            read_text(path, shown)
        except CodegenError as error:
            unread += map(str, error.diagnostics)
    return text


def read_commit(tree: Tree, ref: str) -> Side:
    """What a commit holds. Raises CodegenError where git knows no such commit."""
    unread: list[str] = []
    side = make_side(ref, tree, commit_texts(tree, ref, unread))
    return replace(side, unread=tuple(unread))


def commit_texts(tree: Tree, ref: str, unread: list[str]) -> dict[str, str]:
    """Texts of a commit by path; those that are no text are left out, and added to ``unread``."""
    history = History(tree.root, _PATIENCE)
    if not history.known:
        hint = "give two folders to compare"
        raise fail("no-git", f"there is no git repository around {tree.root}", "", 0, hint)
    commit = history.commit(ref)
    if not commit:
        hint = "name a commit, branch or tag, or two folders"
        if history.is_shallow:
            hint = "this clone is shallow: git fetch --unshallow, then review again"
        elif not history.commit("HEAD"):
            hint = "nothing is committed here yet: commit once, or name two folders"
        raise fail("unknown-ref", f"git knows no commit {ref!r}", "", 0, hint)
    paths = history.files(commit, places_of(tree))
    wanted = [path for path in paths if path.endswith((".py", SETTINGS))]
    texts = {}
    for path, data in history.texts(commit, wanted).items():
        try:
            texts[path] = _plain(data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            unread.append(f"{path}: the file is not UTF-8")
    if wanted and not texts:
        raise fail("no-git", f"git did not hand out the files of {ref!r} in time")
    return texts


def make_side(label: str, tree: Tree, texts: Mapping[str, str]) -> Side:
    """Tell definitions, generated files and other sources apart."""
    definitions: dict[str, str] = {}
    generated: dict[str, str] = {}
    for path, text in texts.items():
        model = model_of_file(PurePosixPath(path).name)
        if model:
            definitions[path] = model
            continue
        named = banner_definition(text)
        if named is not None and model_of_file(PurePosixPath(named).name):
            generated[path] = _banner_path(named, tree)
    return Side(label, texts, generated, definitions)


def _banner_path(named: str, tree: Tree) -> str:
    if tree.kind == "project":
        return named
    return str(PurePosixPath(tree.package_dir, named.removeprefix(_BANNER_PACKAGE)))


def _moved(texts: Mapping[str, str], tree: Tree, like: Tree | None) -> dict[str, str]:
    """The texts under the paths that the other tree has for them."""
    if like is None or like.root == tree.root:
        return dict(texts)
    pairs = list(zip(places_of(tree), places_of(like)))
    return {_under(path, pairs): text for path, text in texts.items()}


def _under(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    for own, other in pairs:
        if path == own or path.startswith(f"{own}/"):
            return other + path[len(own) :]
    return path


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")
