"""Carry out the changes that rules propose: each whole or not at all, and nothing unchecked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from codegen.rewrite.check import Changed, problem_of
from codegen.rewrite.emit.edits import AddParameters, Change, Edit, LetOut, Site
from codegen.rewrite.emit.imports import OPTIONAL, TORCH, idle_splices, import_splices
from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.emit.style import Style, spellings
from codegen.rewrite.emit.write import EditError, write_edits
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.renewed import renewed
from codegen.rewrite.report import failure
from codegen.rewrite.values import Record

Group = tuple[Change, ...]


@dataclass(frozen=True)
class Settled:
    """Modules as the changes leave them, and what to report: what was done, and what failed."""

    modules: tuple[ModuleInfo, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class _Written:
    """New lines of modules, and names that the modules have to import for them."""

    pieces: tuple[tuple[ModuleInfo, Splice, Changed], ...]
    needs: frozenset[tuple[ModuleInfo, str]]


class _FailureAt(Exception):
    """A place where changes cannot be carried out, and why."""

    def __init__(self, site: Site, problem: str) -> None:
        super().__init__(problem)
        self.site, self.problem = site, problem


def settle(changes: Sequence[Change], package: str, optional: str = "") -> Settled:
    """Carry out changes of modules.

    Args:
        changes: what rules propose. Those that meet in one method are carried out together.
        package: the one that helpers are imported from.
        optional: what is written around types that may be None in files that have none.
    """
    records: list[Record] = []
    written: dict[Group, _Written] = {}
    for group in meeting(changes):
        try:
            written[group] = _write(group, optional)
        except _FailureAt as failure:
            records += _failed(group, failure.site, failure.problem)
    parsed = {id(splice): made for some in written.values() for _, splice, made in some.pieces}
    while True:
        modules, broken = _assemble(written, package, parsed)
        parsed = {}  # these trees stand in the files now
        if not broken:
            break
        for group in [
            g for g in written if broken & {id(site.cls.module) for c in g for site in c.sites}
        ]:
            del written[group]
            site = group[0].sites[0]
            records += _failed(group, site, "the file does not parse any more")
    for group in written:
        records += [record for change in group for record in change.records]
    return Settled(tuple(modules), tuple(records))


def meeting(changes: Sequence[Change]) -> list[Group]:
    """Changes in groups: those that touch the same statement of a class are in one."""
    groups: list[tuple[list[Change], set[int]]] = []
    for change in dict.fromkeys(changes):
        touched = {id(site.node) for site in change.sites}
        apart = [group for group in groups if not group[1] & touched]
        joined = [group for group in groups if group[1] & touched]
        members = [item for group in joined for item in group[0]]
        groups = [*apart, ([*members, change], touched.union(*(group[1] for group in joined)))]
    return [tuple(members) for members, _ in groups]


def _write(group: Group, optional: str) -> _Written:
    """The new lines of all statements that a group touches.

    Raises:
        _FailureAt: one cannot be written, or is not right afterwards.
    """
    edits: dict[int, tuple[Site, list[Edit]]] = {}
    for change in group:
        for site in change.sites:
            edits.setdefault(id(site.node), (site, []))[1].extend(site.edits)
    needs = {need for change in group for need in change.helpers}
    pieces = []
    for site, items in edits.values():
        info = site.cls.module
        known = info.names | {name for module, name in needs if module is info}
        try:
            splice, changed = _write_site(site, items, known, optional)
        except EditError as error:
            raise _FailureAt(site, str(error)) from error
        except Exception as error:
            # Whatever goes wrong in writing is the rule's fault or ours: no other method suffers.
            raise _FailureAt(site, f"{type(error).__name__}: {error}") from error
        problem = problem_of(changed, known | {TORCH, OPTIONAL}, info.aliases)
        if problem:
            raise _FailureAt(site, problem)
        needs |= {(info, name) for name in {TORCH, OPTIONAL} & changed.added_names(known)}
        pieces.append((info, splice, changed))
    return _Written(tuple(pieces), frozenset(needs))


def _write_site(
    site: Site, edits: Sequence[Edit], known: Collection[str], optional: str
) -> tuple[Splice, Changed]:
    """The new lines of a statement, in which names of torch are spelled as the file can spell them."""
    info, siblings = site.cls.module, site.cls.node.body
    style = Style()
    if any(isinstance(edit, (AddParameters, LetOut)) for edit in edits):
        style = Style(optional=optional if info.optional is None else info.optional)
    splice = write_edits(info.text, siblings, site.node, edits, style)
    changed = Changed(
        site.node, info.source.text[splice.start : splice.end], splice.new, tuple(edits)
    )
    names = spellings(changed.added_names(known), info.aliases)
    if not names:
        return splice, changed
    splice = write_edits(info.text, siblings, site.node, edits, replace(style, names=names))
    return splice, replace(changed, new=splice.new)


def _assemble(
    written: Mapping[Group, _Written], package: str, parsed: Mapping[int, Changed]
) -> tuple[list[ModuleInfo], set[int]]:
    """The modules with all new lines and imports, and the ids of those that do not parse so.

    What is ``parsed`` of the new lines already, by the identity of the splice, becomes part of the modules.
    """
    infos: dict[int, ModuleInfo] = {}
    splices: dict[int, list[Splice]] = defaultdict(list)
    needs: dict[int, set[str]] = defaultdict(set)
    for made in written.values():
        for info, splice, _ in made.pieces:
            infos[id(info)] = info
            splices[id(info)].append(splice)
        for info, name in made.needs:
            infos[id(info)] = info
            needs[id(info)].add(name)
    modules, broken = [], set()
    for key, info in infos.items():
        pieces_of = [*splices[key], *import_splices(info, needs[key], package)]
        if not pieces_of:
            continue
        pieces_of += idle_splices(info, spliced(info.source.text, pieces_of))
        try:
            modules.append(renewed(info, pieces_of, parsed))
        except SyntaxError:
            broken.add(key)
    return modules, broken


def _failed(group: Group, site: Site, problem: str) -> Iterable[Record]:
    """One line for each rule: it had to be taken back."""
    return (failure(rule, site, problem) for rule in dict.fromkeys(c.rule for c in group))
