"""Compare what both sides of a generated file promise, and name what may break.

A risk is told once for all models that share it, with the place in a source that is to blame. What
was so before the edit is no risk of the edit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from codegen.errors import Location
from codegen.output.checks import check_text
from codegen.review.classes import ClassFacts
from codegen.review.facts import ModuleFacts
from codegen.review.kinds import RISKS
from codegen.review.lineage import Lineage, Origin
from codegen.review.lost import Loss, lost_definitions, lost_overrides
from codegen.review.model import Change, Edit, Hunk, Instance, Risk, SourceHunk, Unexplained
from codegen.review.modules import read_facts
from codegen.review.promises import (
    Finding,
    compare_classes,
    compare_functions,
    compare_numerics,
    compare_public,
    renamed_classes,
    to_be_brought,
)
from codegen.review.same_risks import folded
from codegen.review.scope import can_lack_names
from codegen.text.unresolved import unresolved_names


@dataclass(frozen=True, slots=True)
class _File:
    """Both sides of one generated file."""

    path: str
    model: str
    old: ModuleFacts
    new: ModuleFacts


#: What is told where it has to be put right, not where the edit is.
_ELSEWHERE = frozenset({"dead-weight", "undefined"})


def findings_of(path: str, base: Lineage, head: Lineage, helpers: str = "") -> tuple[Finding, ...]:
    """What a generated file does not keep of its promises. Asked while both texts are at hand."""
    file = _read(path, base, head)
    if file is None:
        return ()
    found = [*_of_file(file, helpers), *_undefined(file, base, head)]
    meant = (f for f in found if f.kind != "undefined?" or _meant(file.path, f, head))
    return tuple(replace(f, kind=f.kind.rstrip("?")) for f in meant)


def find_risks(
    changes: Sequence[Change],
    findings: Mapping[str, Sequence[Finding]],
    sides: tuple[Lineage, Lineage],
    unexplained: Sequence[Unexplained] = (),
) -> list[Risk]:
    """All risks, the gravest kinds first; ``findings`` are those of each changed file."""
    base, head = sides
    places = _Places(changes, head, unexplained)
    found: dict[tuple[str, str, Location, int], set[str]] = defaultdict(set)
    firsts: dict[tuple[str, str, int], Location] = {}
    files = {path for change in changes for path in change.files}
    for path in sorted(files | {item.place.path for item in unexplained}):
        for finding in findings.get(path, ()):
            place, change = places.of(path, finding)
            if change and finding.kind not in _ELSEWHERE:
                # Made in many sources at once it is one risk all the same.
                place = firsts.setdefault((finding.kind, finding.message, change), place)
            found[(finding.kind, finding.message, place, change)].add(head.side.model_of(path))
    for loss in lost_overrides(base, head):
        if not _told(loss, found):
            change = places.of_name(loss.parent, loss.name)
            found[(loss.kind, loss.message, loss.place, change)] |= set(loss.models)
    for path, loss in lost_definitions(base, head, sorted(files & base.side.texts.keys())):
        if places.is_as_edit(path, loss.name):
            continue  # it is what the edit itself takes away, copied
        change = places.of(path, Finding(loss.kind, loss.message, loss.name, loss.name, loss.name))[
            1
        ]
        found[(loss.kind, loss.message, loss.place, change)] |= set(loss.models)
    order = list(RISKS)
    risks = (
        Risk(kind, message, place, tuple(sorted(models)), change)
        for (kind, message, place, change), models in found.items()
    )
    return sorted(
        folded(risks), key=lambda risk: (order.index(risk.kind), risk.place.path, risk.place.line)
    )


def _read(path: str, base: Lineage, head: Lineage) -> _File | None:
    if path not in base.side.texts or path not in head.side.texts:
        return None  # a file that came or went as a whole breaks nothing that it has promised
    before, after = base.side.text(path), head.side.text(path)
    old = read_facts(before, base.naming(path), after)
    new = read_facts(after, head.naming(path), before, old)
    return _File(path, head.side.model_of(path), old, new) if old and new else None


def _of_file(file: _File, helpers: str) -> Iterator[Finding]:
    yield from compare_public(file.old, file.new)
    yield from compare_functions(file.old, file.new)
    concerned = file.new.concerned(file.old)
    renamed = renamed_classes(file.old, file.new)
    yield from compare_numerics(file.old, file.new, concerned)
    for name in concerned:
        new, old = file.new.classes[name], file.old.classes.get(name)
        if old is not None:
            yield from compare_classes((file.old, file.new), name, renamed)
        yield from _dead_weights(file, old, new)
        yield from _lost_attributes(file, old, new)
    yield from _helpers(file, helpers)


def _dead_weights(file: _File, old: ClassFacts | None, new: ClassFacts) -> Iterator[Finding]:
    for name, weight in new.weights.items():
        if _is_read(file.new, new, name) or not file.new.holds_weights_of(weight):
            continue
        if old is not None and name in old.weights and not _is_read(file.old, old, name):
            continue  # it was so before
        message = f"{new.role} assigns {name} ({weight.constructor}), which nobody reads"
        if old is not None and name in old.weights:
            message += " any more"
        yield Finding("dead-weight", message, new.name, "__init__", name)


def _is_read(module: ModuleFacts, item: ClassFacts, name: str) -> bool:
    if name in module.foreign:
        return True
    family = [*module.ancestors(item.name), *module.heirs(item.name)]
    if any(name in each.read for each in family):
        return True
    # Modules in containers are read by their classes; a class without methods of its own is data.
    return not any("forward" in each.methods for each in family)


def _lost_attributes(file: _File, old: ClassFacts | None, new: ClassFacts) -> Iterator[Finding]:
    """Attributes that are read and were defined, or are read since now, and nothing defines."""
    if old is None:
        return
    defined = {name for each in file.new.ancestors(new.name) for name in each.defined}
    before = {name for each in file.old.ancestors(old.name) for name in each.defined}
    before -= to_be_brought((file.old, file.new), new.name)
    for name in sorted(new.read - defined):
        if name in before:
            message = f"{new.role} reads self.{name}, which nothing assigns any more"
            yield Finding("undefined", message, new.name, "", name)
        elif name not in old.read:
            message = f"{new.role} reads self.{name}, which nothing assigns here"
            yield Finding("undefined?", message, new.name, "", name)


def _meant(path: str, finding: Finding, head: Lineage) -> bool:
    """Whether a class that this one comes from assigns the attribute: no base from elsewhere does."""
    infos = (
        head.index(origin.path).classes.get(origin.name)
        for origin in head.chain(path, finding.owner)
    )
    return any(info and finding.name in {*info.assigned, *info.members} for info in infos)


def _undefined(file: _File, base: Lineage, head: Lineage) -> Iterator[Finding]:
    """Names that nothing defines, as the checks of every generated text find them."""
    new, old = head.side.text(file.path), base.side.text(file.path)
    if not can_lack_names(old, new) or not unresolved_names(new):
        return  # the thorough look takes ten times as long
    before = {(item.code, item.name) for item in check_text(old)}
    for item in check_text(new):
        if (item.code, item.name) not in before:
            owner = _class_at(file.new, item.line)
            yield Finding("undefined", item.message, owner, "", item.name)


def _class_at(module: ModuleFacts, line: int) -> str:
    above = [item for item in module.classes.values() if item.line <= line]
    return max(above, key=lambda item: item.line).name if above else ""


def _helpers(file: _File, helpers: str) -> Iterator[Finding]:
    def own(module: ModuleFacts) -> set[tuple[str, str]]:
        return {
            item
            for item in module.imports
            if item[0].endswith("encoder_helpers")
            or (helpers and (item[0] == helpers or item[0].startswith(f"{helpers}.")))
        }

    old, new = own(file.old), own(file.new)
    for word, names in (("imports", new - old), ("no longer imports", old - new)):
        for module, name in sorted(names):
            message = f"the generated file {word} the helper {name} of {module}"
            yield Finding("helper", message, "", "", name)


def _told(loss: Loss, found: Iterable[tuple[str, str, Location, int]]) -> bool:
    """Whether an assignment anew is told as a weight that nobody reads already."""
    return any(
        kind == "dead-weight" and place == loss.place and f" assigns {loss.name} " in message
        for kind, message, place, _ in found
    )


class _Places:
    """Finds the place in a source that a finding is about, and the change it comes from."""

    def __init__(
        self, changes: Sequence[Change], head: Lineage, unexplained: Sequence[Unexplained]
    ) -> None:
        self._head = head
        self._changes = {change.number: change for change in changes}
        self._strange: dict[str, list[Unexplained]] = defaultdict(list)
        for item in unexplained:
            self._strange[item.place.path].append(item)
        self._known: dict[tuple[int, str, str, tuple[Origin, ...]], Location] = {}
        self._instances: dict[str, list[tuple[int, Instance]]] = defaultdict(list)
        for change in changes:
            for variant in change.variants:
                for instance in variant.instances:
                    self._instances[instance.change.path].append((change.number, instance))

    def of(self, path: str, finding: Finding) -> tuple[Location, int]:
        """Place and number of the change; 0 where lines are to blame that no edit accounts for."""
        number, score = self._number(path, finding)
        strange = self._unexplained(path, finding, score)
        if strange is not None:
            return strange, 0
        change = self._changes.get(number)
        if finding.kind == "dead-weight":
            place = self._assignment(path, finding)
            if place:
                return place, number
        if finding.kind == "undefined":
            place = self._reading(path, finding)
            if place:
                return place, number
        if change and change.edit:
            return self._edit_place(number, change.edit, path, finding), number
        return Location(self._head.side.generated.get(path, path)), number

    def _edit_place(self, number: int, edit: Edit, path: str, finding: Finding) -> Location:
        """The line of an edit that speaks of a finding, in the sources of its class if it is made there."""
        chain = self._head.chain(path, finding.owner) if finding.owner else ()
        sources = tuple(link.path for link in chain if link.path in edit.paths)
        key = (number, finding.name, finding.member, chain)
        if key not in self._known:
            there = [i for i in edit.hunks if i.change.path in sources] or edit.hunks
            owners = {(link.path, link.name) for link in chain}
            self._known[key] = max(there, key=lambda item: _nearness(item, finding, owners)).place
        return self._known[key]

    def _number(self, path: str, finding: Finding) -> tuple[int, int]:
        """The change that is nearest to a finding, and how near it is."""
        best, found = -1, 0
        for number, instance in self._instances.get(path, ()):
            member = instance.change.member
            score = _closeness((member.owner, member.name), instance.hunks, finding)
            if score > best:
                best, found = score, number
        return found, best

    def _unexplained(self, path: str, finding: Finding, score: int) -> Location | None:
        """Lines without an edit that are nearer to a finding than any change."""
        for item in self._strange.get(path, ()):
            owner, _, name = item.member.rpartition(".")
            if _closeness((owner, name), item.hunks, finding) > score:
                return item.place
        return None

    def _assignment(self, path: str, finding: Finding) -> Location | None:
        for origin in self._head.chain(path, finding.owner):
            info = self._head.index(origin.path).classes.get(origin.name)
            if info and finding.name in info.assigned:
                return Location(origin.path, info.assigned[finding.name])
        return None

    def _reading(self, path: str, finding: Finding) -> Location | None:
        """Where a source reads the attribute or name that is missing."""
        pattern = re.compile(rf"(?<!\w)(?:self\.)?{re.escape(finding.name)}(?!\w)")
        for origin in self._head.chain(path, finding.owner) if finding.owner else ():
            first, text = self._head.class_text(origin.path, origin.name)
            found = pattern.search(text)
            if found:
                return Location(origin.path, first + text.count("\n", 0, found.start()))
        return None

    def is_as_edit(self, path: str, name: str) -> bool:
        """Whether a function or class of a file goes with the words with which an edit takes it away."""
        for number, instance in self._instances.get(path, ()):
            edit = self._changes[number].edit
            if edit and instance.change.member.name == name:
                wording = {item.hunk.key for item in edit.hunks}
                return all(hunk.key in wording for hunk in instance.hunks)
        return False

    def of_name(self, path: str, name: str) -> int:
        """The change whose edit speaks of a name, in a parent that may be generated."""
        for number, change in self._changes.items():
            if change.edit and any(name in item.names for item in change.edit.hunks):
                return number
        numbers = [number for number, _ in self._instances.get(path, ())]
        return numbers[0] if numbers else 0


def _closeness(member: tuple[str, str], hunks: Sequence[Hunk], finding: Finding) -> int:
    """How much hunks of a member (class and name) have to do with a finding: the same class, the same
    member, the same name."""
    score = 4 * (finding.owner in member and bool(finding.owner))
    score += 2 * (bool(finding.member) and finding.member == member[1])
    text = "\n".join(line.text for hunk in hunks for line in (*hunk.removed, *hunk.added))
    return score + 3 * (bool(finding.name) and finding.name in text)


def _nearness(item: SourceHunk, finding: Finding, owners: Container[tuple[str, str]]) -> int:
    """How much a hunk of an edit speaks of a finding; ``owners`` are the classes that its own comes from."""
    lines = (*item.hunk.removed, *item.hunk.added)
    named = bool(finding.name) and any(finding.name in line.text for line in lines)
    inside = (item.change.path, item.change.member.owner) in owners
    return 2 * named + 2 * inside + (item.change.member.name == finding.member)
