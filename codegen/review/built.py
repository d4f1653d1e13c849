"""``review --verify``: state-dict keys of models that are really built, on both sides."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from codegen.errors import Location, fail
from codegen.review.build import Question
from codegen.review.freshness import Unpacked
from codegen.review.model import Report, Risk, Side

#: Seconds for all models of one side.
_PATIENCE = 900
_SHOWN = 4
_NUMBER = re.compile(r"\.\d+(?=\.)")


def with_built(report: Report, question: Question) -> Report:
    """The report with what building the changed models shows. Raises CodegenError."""
    paths = sorted(
        path
        for change in report.changes
        for path in change.files
        if PurePosixPath(path).name.startswith("modeling_")
        and path in question.base.generated
        and path in question.head.generated
    )
    if not paths:
        return report
    paths = list(dict.fromkeys(paths))
    with ExitStack() as stack:
        roots = [
            _root(question, side, root, stack)
            for side, root in zip((question.base, question.head), question.roots)
        ]
        old, new = (_build(root, _modules(question, paths)) for root in roots)
    risks = [
        risk
        for path, module in zip(paths, _modules(question, paths))
        for risk in _risks(path, old[module], new[module], question.head)
    ]
    notes = [
        f"{path}: {name} cannot be built: {found}"
        for path, module in zip(paths, _modules(question, paths))
        for name, found in _named(new[module]).items()
        if isinstance(found, str)
    ]
    return replace(report, risks=(*report.risks, *risks), notes=(*report.notes, *notes))


def _root(question: Question, side: Side, root: Path | None, stack: ExitStack) -> Path:
    if root is not None:
        return root
    if question.tree.kind != "project":
        hint = "compare two folders: a commit of a library is not unpacked as a whole"
        raise fail("usage", "--verify builds models of a library from folders only", "", 0, hint)
    return stack.enter_context(Unpacked(question.tree, side)).root


def _modules(question: Question, paths: Sequence[str]) -> list[str]:
    package = PurePosixPath(question.tree.package_dir).parent
    return [
        ".".join(PurePosixPath(path).relative_to(package).with_suffix("").parts) for path in paths
    ]


def _build(root: Path, modules: Sequence[str]) -> Mapping[str, Any]:
    ours = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": ours, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "codegen.review.worker", str(root), *modules]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise fail("verify", f"building the models took more than {_PATIENCE} s") from None
    if done.returncode:
        last = (done.stderr.strip() or "no output").split("\n")[-1]
        hint = "the models need torch and transformers: pip install 'modular-codegen[models]'"
        raise fail("verify", f"the models cannot be built: {last}", "", 0, hint)
    result: Mapping[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return result


def _named(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {"the module": found}


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
