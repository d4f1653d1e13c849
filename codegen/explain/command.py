"""What `explain` prints, for what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from codegen.errors import CodegenError, fail
from codegen.explain.atlas import Atlas, Settings
from codegen.explain.explain import Explainer
from codegen.explain.frames import log_lines
from codegen.explain.lookup import (
    Target,
    check_line,
    find_file,
    find_member,
    read_target,
    tree_around,
)
from codegen.explain.show import Paint, as_data, show_frame, show_line, show_member, show_same
from codegen.explain.values import Explanation, MemberExplanation, Place
from codegen.trees.tree import Tree, open_tree

Progress = Callable[[str, int, int], None]


class Asked:
    """Opens the trees of what is asked about; each is opened once."""

    def __init__(self, root: Path | None, rewrite: bool, cache: bool, progress: Progress) -> None:
        self.root, self.rewrite, self.cache, self.progress = root, rewrite, cache, progress
        self._explainers: dict[Path, Explainer] = {}
        self._trees: dict[Path, Tree | None] = {}
        self._frames: dict[Target, Explanation | None] = {}

    def explainer(self, file: Path) -> Explainer:
        """The explainer of the tree that is given, or else encloses a file.

        Raises:
            CodegenError: there is no tree.
        """
        folder = self.root or (Path.cwd() / file).parent
        if folder not in self._trees:
            self._trees[folder] = (
                open_tree(folder, None) if self.root else tree_around(Path.cwd() / file)
            )
        tree = self._trees[folder] or open_tree(None, None)
        return self._of(tree)

    def _of(self, tree: Tree) -> Explainer:
        if tree.root not in self._explainers:
            rewrite = self.rewrite or tree.config.rewrite
            settings = Settings(rewrite, self.cache, 0, self.progress)
            self._explainers[tree.root] = Explainer(Atlas(tree, settings))
        return self._explainers[tree.root]

    def answer(self, target: Target) -> Explanation | MemberExplanation:
        """The explanation of a line, without the other files that have it, or of a member.

        Raises:
            CodegenError: there is no such file, line or member, or the file is not generated.
        """
        explainer = self.explainer(target.file)
        path = find_file(explainer.atlas, target.file)
        if target.member:
            return explainer.member(path, find_member(explainer.atlas, path, target.member))
        check_line(explainer.atlas, path, target.line)
        return explainer.line(path, target.line)

    def same(self, target: Target, item: Explanation) -> tuple[Place, ...]:
        """The other lines that come from the source of one."""
        return self.explainer(target.file).same(item)

    def _here(self, target: Target) -> Target:
        """The place of a frame in the tree: of a log from another machine, the file that ends like its path."""
        parts = target.file.parts
        if target.file.exists() or not target.file.is_absolute() or self.root is None:
            return target
        tree = self.explainer(target.file).atlas.tree
        for start in range(1, len(parts) - 1):  # a folder and a file at least
            for base in (tree.output, tree.root):
                there = base.joinpath(*parts[start:])
                if there.is_file():
                    return replace(target, file=there)
        return target

    def frame(self, target: Target) -> Explanation | None:
        """The explanation of a frame; none where its file is no generated one."""
        if target not in self._frames:
            try:
                answer = self.answer(self._here(target))
            except (CodegenError, OSError, ValueError):  # the names of frames can be anything
                answer = None
            self._frames[target] = answer if isinstance(answer, Explanation) else None
        return self._frames[target]


def explain_targets(
    asked: Asked, spelled: list[str], as_json: bool, paint: Paint, whole: bool
) -> Iterator[str]:
    """What to print for what a command line names, piece by piece, as soon as it is known.

    ``whole``: every other place is listed.
    """
    targets = [read_target(each) for each in spelled]
    if as_json:
        yield json.dumps([as_data(_with_same(asked, each)) for each in targets], indent=2)
        return
    for index, target in enumerate(targets):
        lines = [""] if index else []
        answer = asked.answer(target)
        if isinstance(answer, MemberExplanation):
            yield "\n".join([*lines, *show_member(answer, paint)])
            continue
        yield "\n".join([*lines, *show_line(answer, paint)])
        # Who else has the line takes a look at all that is built from its source.
        if same := list(show_same(asked.same(target, answer), whole)):
            yield "\n".join(same)


def _with_same(asked: Asked, target: Target) -> Explanation | MemberExplanation:
    answer = asked.answer(target)
    if isinstance(answer, MemberExplanation):
        return answer
    return replace(answer, same=asked.same(target, answer))


def explain_traceback(asked: Asked, text: str, as_json: bool, paint: Paint) -> Iterator[str]:
    """The lines of a log, every frame of a generated file annotated; everything else passes through.

    Raises:
        CodegenError: there is nothing.
    """
    if not text.strip():
        hint = "give FILE:LINE or FILE:CLASS.METHOD, or pipe a traceback in"
        raise fail("explain-target", "standard input is empty", "", 0, hint)
    lines = list(log_lines(text.removesuffix("\n")))
    answers = [asked.frame(line.target) if line.target else None for line in lines]
    if as_json:
        yield json.dumps([as_data(answer) for answer in answers if answer], indent=2)
        return
    waiting: list[str] = []
    for line, answer in zip(lines, answers):
        if waiting and not line.is_code:
            yield from waiting
            waiting = []
        yield line.text
        if answer is not None:  # behind the line of code that the interpreter shows
            yield from waiting
            waiting = [f"{line.lead}{told}" for told in show_frame(answer, paint)]
    yield from waiting
