"""Edits of statements, carried out on the block that they stand in.

Comments of a statement that goes stay: in front of what comes instead, or of the statement behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import libcst as cst

from codegen.rewrite.emit.edits import Branch, Edit, Insert, Replace
from codegen.rewrite.emit.hidden import NEW, is_plain
from codegen.rewrite.emit.layout import (
    Lines,
    Statement,
    comment_line,
    gathered,
    inner_comments,
    split_lead,
    with_lead,
)
from codegen.rewrite.emit.positions import Place
from codegen.rewrite.emit.style import Style


@dataclass
class StatementEdits:
    """What is due at the statements of an excerpt, by their places."""

    before: dict[Place, list[Insert]] = field(default_factory=dict)
    behind: dict[Place, list[Insert]] = field(default_factory=dict)
    replaced: dict[Place, tuple[Replace, frozenset[Place]]] = field(default_factory=dict)
    branches: dict[Place, tuple[Branch, frozenset[Place]]] = field(default_factory=dict)
    touched: set[Place] = field(default_factory=set)
    done: set[Edit] = field(default_factory=set)


@dataclass(frozen=True)
class _Unit:
    """One statement on lines of its own, as it is after the edits inside it."""

    place: Place
    node: Statement


@dataclass(frozen=True)
class Block:
    """The statements of a block after their edits, and the comments that nothing follows."""

    body: tuple[Statement, ...]
    footer: tuple[cst.EmptyLine, ...]


class BlockWriter:
    """Carries out the edits of statements.

    ``comments`` are those in statements that are hidden. ``new`` gets lines that are written as they are:
    a name stands for them until libcst has written the rest; None where it has to see all of them.
    """

    def __init__(
        self,
        edits: StatementEdits,
        place: Callable[[cst.CSTNode], Place],
        style: Style,
        comments: Mapping[Place, Sequence[str]],
        new: list[Sequence[str]] | None = None,
    ) -> None:
        self.edits = edits
        self.place = place
        self.style = style
        self.comments = comments
        self.new = new

    def is_touched(self, original: Sequence[cst.CSTNode]) -> bool:
        """Tell whether an edit is due at a statement of the block."""
        return any(
            self.place(small) in self.edits.touched
            for statement in original
            for small in _parts(statement)
        )

    def write(
        self, original: Sequence[cst.CSTNode], updated: Sequence[cst.CSTNode], pad: bool = True
    ) -> Block:
        """The block after the edits; ``pad`` puts a ``pass`` where no statement is left."""
        units: list[_Unit] = []
        for old, new in zip(original, updated):
            units += self._units(old, new)
        out: list[Statement] = []
        pending: Lines = []
        position = 0
        while position < len(units):
            position, pending = self._write_unit(units, position, pending, out)
        if not out and pad:
            out.append(with_lead(cst.SimpleStatementLine([cst.Pass()]), pending))
            pending = []
        return Block(tuple(out), tuple(gathered(pending, bool(out))))

    def _units(self, original: cst.CSTNode, updated: cst.CSTNode) -> list[_Unit]:
        """The statements of a line, each on a line of its own if one of them is touched."""
        places = [self.place(part) for part in _parts(original)]
        if not isinstance(updated, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
            assert isinstance(updated, Statement)
            return [_Unit(places[0], updated)]
        if isinstance(updated, cst.SimpleStatementLine) and (
            len(places) == 1 or not self.edits.touched.intersection(places)
        ):
            return [_Unit(places[0], updated)]
        lead = updated.leading_lines if isinstance(updated, cst.SimpleStatementLine) else ()
        units = []
        for number, (place, small) in enumerate(zip(places, updated.body)):
            line = cst.SimpleStatementLine(
                [small.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)],
                leading_lines=lead if number == 0 else (),
            )
            if number == len(places) - 1:
                line = line.with_changes(trailing_whitespace=updated.trailing_whitespace)
            units.append(_Unit(place, line))
        return units

    def _write_unit(
        self, units: list[_Unit], position: int, pending: Lines, out: list[Statement]
    ) -> tuple[int, Lines]:
        """Write a statement, and those that an edit treats together with it.

        Returns:
            The number of the next one, and comments that it takes over.
        """
        unit = units[position]
        lead = [*unit.node.leading_lines]
        if pending:
            lead = gathered([*pending, *lead], bool(out))
        inserts = self.edits.before.get(unit.place, [])
        if inserts:
            outer, lead = split_lead(lead)
            new = [item for insert in inserts for item in self._parsed(insert, insert.lines)]
            out += _led(new, outer)
            if not inserts[-1].lines[-1]:  # a blank line at the end sets the statement apart
                lead = [cst.EmptyLine(indent=False), *lead]
        members = [unit]
        if unit.place in self.edits.replaced:
            replace, places = self.edits.replaced[unit.place]
            members = _members(units, position, places)
            inner = self._inner(unit)
            for member in members[1:]:
                inner += [*member.node.leading_lines, *self._inner(member)]
            if inner:
                lead = gathered([*lead, *inner], bool(out))
            new = self._parsed(replace, replace.lines)
            out += _led(new, lead)
            lead = [] if new else lead
        elif unit.place in self.edits.branches:
            branch, places = self.edits.branches[unit.place]
            members = _members(units, position, places)
            kept = [with_lead(unit.node, ()), *(member.node for member in members[1:])]
            out.append(with_lead(self._branch(branch, kept), lead))
            lead = []
        else:
            out.append(with_lead(unit.node, lead))
            lead = []
        for insert in self.edits.behind.get(members[-1].place, []):
            out += _led(self._parsed(insert, insert.lines), lead)
            lead = []
        return position + len(members), lead

    def _inner(self, unit: _Unit) -> Lines:
        """The comments in a statement that goes, each as a line."""
        found = self.comments.get(unit.place)
        if found is None:
            return inner_comments(unit.node)
        return [comment_line(cst.Comment(text)) for text in found]

    def _parsed(self, edit: Edit, lines: Sequence[str]) -> list[Statement]:
        self.edits.done.add(edit)
        if self.new is None or self.style.names or not is_plain(lines):
            return self.style.lines(lines)
        self.new.append(lines)
        return [cst.SimpleStatementLine([cst.Expr(cst.Name(f"{NEW}{len(self.new) - 1}"))])]

    def _branch(self, branch: Branch, kept: Sequence[Statement]) -> cst.If:
        body = self._parsed(branch, branch.lines)
        orelse = cst.Else(cst.IndentedBlock(kept))
        return cst.If(self.style.expression(branch.test), cst.IndentedBlock(body), orelse)


def _parts(statement: cst.CSTNode) -> Sequence[cst.CSTNode]:
    """The small statements of a line, or the statement itself."""
    if isinstance(statement, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
        return statement.body
    return [statement]


def _members(units: Sequence[_Unit], position: int, places: frozenset[Place]) -> list[_Unit]:
    """The statements from a place on that an edit treats together."""
    members = [units[position]]
    for unit in units[position + 1 :]:
        if unit.place not in places:
            break
        members.append(unit)
    return members


def _led(statements: Sequence[Statement], lead: Sequence[cst.EmptyLine]) -> list[Statement]:
    """Statements with lines in front of the first."""
    if not statements:
        return []
    first = with_lead(statements[0], [*lead, *statements[0].leading_lines])
    return [first, *statements[1:]]
