"""Propose what lift does to methods: parameters, lines that compute what is not given, keywords of calls."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

from codegen.rewrite.emit.edits import AddParameters, Change, Describe, Edit, Insert, Replace, Site
from codegen.rewrite.helpers import rank
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.bindings import GIVEN
from codegen.rewrite.place.carry import CallSite
from codegen.rewrite.place.lifting import Lifting, NotLifted
from codegen.rewrite.place.rows import rows_are_lost, rows_expression
from codegen.rewrite.place.unless_given import check_lines, guard_lines, handing, pair_lines
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of


def write_liftings(
    state: RewriteState, liftings: Mapping[int, Lifting], not_lifted: NotLifted
) -> None:
    """Propose the edits of liftings, which are keyed by the identity of their methods."""
    _Writer(state, liftings, not_lifted).write()


class _Writer:
    """The edits of liftings."""

    def __init__(
        self, state: RewriteState, liftings: Mapping[int, Lifting], not_lifted: NotLifted
    ) -> None:
        self._state = state
        self._liftings = liftings
        self._not_lifted = not_lifted

    def write(self) -> None:
        """Propose the edits of all liftings; those that hand values to one another belong together."""
        names = {info.source.module for info in self._state.candidates()}
        groups: dict[int, list[Lifting]] = defaultdict(list)
        together = self._together()
        for key, lifting in self._liftings.items():
            if lifting.calls and lifting.cls.module.source.module in names:
                groups[together[key]].append(lifting)
        for liftings in groups.values():
            self._state.propose(
                Change(
                    "lift",
                    tuple(Site(item.cls, item.function, self._edits(item)) for item in liftings),
                    tuple(need for item in liftings for need in self._needs(item)),
                    tuple(record for item in liftings for record in self._records(item)),
                )
            )

    def _together(self) -> dict[int, int]:
        """For each lifted method one of those that it hands values to, or gets them from."""
        roots = {key: key for key in self._liftings}
        for key, lifting in self._liftings.items():
            for carried in lifting.carried.values():
                for want in carried.wants:
                    old, new = roots.get(id(want.site.target), key), roots[key]
                    roots = {k: new if root == old else root for k, root in roots.items()}
        return roots

    def _needs(self, lifting: Lifting) -> Iterator[tuple[ModuleInfo, str]]:
        """Functions that the module of a method has to import."""
        info = lifting.cls.module
        if any(site.this != "self" and given for site, _, given in self._extended(lifting)):
            yield info, GIVEN
        for name, call in lifting.calls.items():
            if call.statement is None and not self._guards(lifting, name):
                continue
            yield info, name
            if call.helper.total and self._rows(lifting, name):
                yield info, "while_tracing"
            for line in (*pair_lines(call), *check_lines(call, self._rows(lifting, name))):
                for node in walk(ast.parse(line)):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                        yield info, node.func.id

    def _edits(self, lifting: Lifting) -> tuple[Edit, ...]:
        names = tuple(lifting.names)
        edits: list[Edit] = [AddParameters(names), Describe(names)]
        inserted: dict[ast.stmt, list[str]] = defaultdict(list)
        for name, call in lifting.calls.items():
            lines = guard_lines(call, self._rows(lifting, name))
            if call.statement is not None:
                edits.append(Replace((call.statement,), tuple(lines)))
            for statement in self._guards(lifting, name):
                inserted[statement] += lines
        edits += [Insert(statement, tuple(lines)) for statement, lines in inserted.items()]
        for site, certain, given in self._extended(lifting):
            edits += handing(site, certain, given)
        return tuple(edits)

    def _extended(self, lifting: Lifting) -> Iterator[tuple[CallSite, list[str], list[str]]]:
        """Calls that get results, with the names of those that they get in any case, and of those that may be None."""
        for site, helpers in lifting.extended.values():
            certain: list[str] = []
            given: list[str] = []
            for name in helpers:
                call = lifting.calls[name]
                computed = call.statement is not None or self._guards(lifting, name)
                into = certain if site.this == "self" or computed else given
                into += call.helper.outputs
            yield site, sorted(certain, key=rank), sorted(given, key=rank)

    def _records(self, lifting: Lifting) -> Iterator[Record]:
        info = lifting.cls.module
        for call in lifting.calls.values():
            yield Record(
                model_of(info.source.module),
                lifting.cls.name,
                lifting.function.name,
                "lifted",
                info.place(lifting.function),
                call.helper.name,
                call.helper.outputs,
                lifting.path(call.helper.name),
            )

    def _guards(self, lifting: Lifting, name: str) -> list[ast.stmt]:
        """Statements in front of which a caller computes results; none where it hands on what it was given.

        An inner encoder that knows the number of rows computes them itself where its caller does not.
        """
        carried = lifting.carried.get(name)
        if carried is None:
            return []
        wrapped = all(want.site.this != "self" for want in carried.wants)
        if wrapped and not self._rows(lifting, name):
            return []
        return [spot.statement for spot in carried.guards]

    def _rows(self, lifting: Lifting, name: str) -> str:
        """The number of rows, where the helper call ``name`` is guarded."""
        if lifting.calls[name].rows:
            return lifting.calls[name].rows
        if name not in lifting.rows:
            before: ast.stmt | None = lifting.calls[name].statement
            if before is None and name in lifting.carried:
                before = lifting.carried[name].wants[0].site.spot.path[0][1]
            found = rows_expression(self._state.index, lifting.cls, lifting.function, before)
            lifting.rows[name] = found
            if (
                not found
                and lifting.calls[name].helper.needs_rows
                and rows_are_lost(lifting.function)
            ):
                node = before if before is not None else lifting.function
                what = ", ".join(lifting.calls[name].helper.outputs)
                reason = (
                    f"the layers get another number of rows than the first input has: "
                    f"{what} is not checked against it"
                )
                self._not_lifted.note(
                    lifting.cls, lifting.function, node, lifting.calls[name], reason
                )
        return lifting.rows[name]
