"""``review --verify``: state-dict keys of models that are really built, on both sides."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from codegen.errors import Location, fail
from codegen.review.build import Question
from codegen.review.freshness import Unpacked
from codegen.review.model import Report, Risk, Side
from codegen.review.worker import MARK
from codegen.trees.history import History
from codegen.trees.tree import Tree, open_tree

#: Seconds for all models of one side; those that are not built by then are named.
_PATIENCE = 600
_SHOWN = 4
_NUMBER = re.compile(r"\.\d+(?=\.)")


def with_built(report: Report, question: Question) -> Report:
    """The report with what building the changed models shows. Raises CodegenError."""
    paths = sorted(
        {
            path
            for change in report.changes
            for path in change.files
            if PurePosixPath(path).name.startswith("modeling_")
            and path in question.base.generated
            and path in question.head.generated
        }
    )
    if not paths:
        return report
    modules = dict(zip(paths, _modules(question, paths)))
    with ExitStack() as stack:
        roots = [stack.enter_context(_Rooted(question, index)) for index in (0, 1)]
        old, new = (_build(root, list(modules.values())) for root in roots)
    risks: list[Risk] = []
    unknown: list[str] = []
    late: list[str] = []
    for path, module in modules.items():
        if module in old and module in new:
            risks += _risks(path, old[module], new[module], question.head)
            unknown += _never_built(module, old[module], new[module])
        else:
            late.append(path)
    notes = [*_noted(unknown)]
    if late:
        notes.append(f"not built, since {_PATIENCE} s were over: {', '.join(late)}")
    return replace(report, risks=(*report.risks, *risks), notes=(*report.notes, *notes))


def _never_built(module: str, old: Any, new: Any) -> Iterator[str]:
    """Classes that neither side can build, or that are new and cannot be built, with the reason."""
    before = _named(old)
    for name, said in _named(new).items():
        if isinstance(said, str) and not isinstance(before.get(name), dict):
            shown = module.rpartition(".")[2] if name == _MODULE else name
            yield f"{shown} ({said})"


def _noted(unknown: Sequence[str]) -> Iterator[str]:
    if unknown:
        yield (
            f"state dicts not compared, since a default configuration builds neither side: "
            f"{'; '.join(unknown)}"
        )


class _Rooted(AbstractContextManager[Path]):
    """One side as a folder that can be imported from: its own, or a temporary one."""

    def __init__(self, question: Question, index: int) -> None:
        self._question, self._root = question, question.roots[index]
        self._side = (question.base, question.head)[index]
        self._commit = question.commits[index]
        self._stack = ExitStack()

    def __enter__(self) -> Path:
        tree = self._question.tree
        if self._root is not None:
            tree = open_tree(self._root, None)
        elif tree.kind == "project":
            tree = self._stack.enter_context(Unpacked(tree, self._side))
            self._root = tree.root
        else:
            folder = tempfile.TemporaryDirectory(prefix="codegen-review-")
            self._root = Path(self._stack.enter_context(folder))
            _write_package(self._root, tree, self._commit, self._side)
        package = PurePosixPath(tree.package_dir).parent  # what a project imports is below its root
        return self._root / (package if tree.kind != "project" else ".")

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _write_package(root: Path, tree: Tree, commit: str, side: Side) -> None:
    """All of the library at a commit (as it lies there, where there is none), with the texts of a side."""
    if commit:
        history = History(tree.root, _PATIENCE)
        files = history.texts(commit, history.files(commit, [tree.package_dir]))
        if not files:
            raise fail("no-git", f"git did not hand out the files of {commit!r} in time")
        for path, data in files.items():
            _write(root / path, data)
    else:
        source = tree.root / tree.package_dir
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, root / tree.package_dir, ignore=ignored)
    for path, text in side.texts.items():
        _write(root / path, text.encode())


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _modules(question: Question, paths: Sequence[str]) -> list[str]:
    package = PurePosixPath(question.tree.package_dir).parent
    return [
        ".".join(PurePosixPath(path).relative_to(package).with_suffix("").parts) for path in paths
    ]


def _build(root: Path, modules: Sequence[str]) -> Mapping[str, Any]:
    """What the worker says of each module that it comes to in time."""
    ours = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": ours, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "codegen.review.worker", str(root), *modules]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=_PATIENCE, check=False
        )
        said, failed = done.stdout, done.returncode != 0
    except subprocess.TimeoutExpired as error:
        return _answers(error.stdout or b"")
    found = _answers(said)
    missing = [module for module in modules if module not in found]
    if failed and len(missing) == len(modules):
        last = (done.stderr.decode(errors="replace").strip() or "no output").split("\n")[-1]
        hint = "the models need torch and transformers: pip install 'modular-codegen[models]'"
        raise fail("verify", f"the models cannot be built: {last}", "", 0, hint)
    ended = f"the process that builds it ended with {done.returncode}"
    return {**found, **dict.fromkeys(missing, ended)}


def _answers(output: bytes) -> dict[str, Any]:
    """The modules that the worker tells of; a module may print as well, when it is imported."""
    lines = output.decode(errors="replace").split("\n")[:-1]
    found: dict[str, Any] = {}
    for line in lines:
        if line.startswith(MARK):
            found.update(json.loads(line.removeprefix(MARK)))
    return found


def _named(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {_MODULE: found}


_MODULE = "the module"


@dataclass(frozen=True, slots=True)
class _Differing:
    """What of the state dict of a class is gone, new or of another size; ``failed``: why nothing is known."""

    name: str
    gone: tuple[str, ...] = ()
    come: tuple[str, ...] = ()
    sized: tuple[tuple[str, str], ...] = ()
    failed: str = ""

    @property
    def said(self) -> str:
        """The same in words."""
        sized = [f"{key} {sizes}" for key, sizes in self.sized]
        parts = (("gone", self.gone), ("new", self.come), ("other sizes", sized))
        return self.failed or "; ".join(f"{word}: {_some(keys)}" for word, keys in parts if keys)

    def is_part_of(self, other: _Differing) -> bool:
        """Whether another class says the same of a module of this one that it has."""
        if self.failed or other.failed or not self.said:
            return False
        mine, theirs = (
            (*each.gone, "", *each.come, "", *(" ".join(item) for item in each.sized))
            for each in (self, other)
        )
        pairs = list(zip(mine, theirs))
        return len(mine) == len(theirs) and all(
            one == two or (bool(one) and two.endswith(f".{one}")) for one, two in pairs
        )


def _risks(path: str, old: Any, new: Any, head: Side) -> list[Risk]:
    """One risk for each class that is built otherwise, with the classes that have it as a part."""
    found = [each for each in _differing(_named(old), _named(new)) if each.said]
    told: dict[_Differing, list[str]] = {}
    for each in sorted(found, key=lambda item: (len(item.said), item.name)):
        inner = next((first for first in told if first.is_part_of(each)), None)
        if inner is None:
            told[each] = []
        else:
            told[inner].append(each.name)
    definition = head.generated[path]
    risks = []
    for each, others in told.items():
        also = f" (and in {', '.join(sorted(others))})" if others else ""
        message = f"built with its default configuration, {each.name}{also}: {each.said}"
        place = Location(definition, _line_of(each.name, head.text(definition)))
        risks.append(Risk("state-dict", message, place, (head.model_of(path),)))
    return risks


def _line_of(name: str, text: str) -> int:
    """The line of a class in its definition; the first one where it was copied along."""
    found = re.search(rf"^class {name}\b", text, re.M)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[_Differing]:
    for name, old in before.items():
        if not isinstance(old, dict):
            continue
        new = after.get(name)
        if not isinstance(new, dict):
            yield _Differing(name, failed=f"cannot be built any more: {new}" if new else "is gone")
            continue
        yield _Differing(
            name,
            tuple(key for key in old if key not in new),
            tuple(key for key in new if key not in old),
            tuple(
                (key, f"{tuple(old[key])} to {tuple(new[key])}")
                for key in old
                if key in new and old[key] != new[key]
            ),
        )


def _some(found: Sequence[str]) -> str:
    """The first of some keys; those of equal layers are one."""
    keys = list(dict.fromkeys(_NUMBER.sub(".*", key) for key in found))
    rest = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + rest
