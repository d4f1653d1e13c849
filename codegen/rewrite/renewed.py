"""A file parsed again after some of its lines have changed: only what they are in is parsed.

Files are changed by every pass, and to parse them as a whole each time is a good part of what all passes
cost. What stands in front of the first change is the same nodes as before, what stands behind it is copied
as far as it is looked at (:func:`codegen.rewrite.nodes.shifted`). Where the lines alone do not tell that a
part can be read by itself, the file is parsed as a whole.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codegen.rewrite.aliases import Aliases, imports_in, other_names, resolve_aliases, torch_aliases
from codegen.rewrite.check import Changed
from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import shifted, walk
from codegen.text.lines import LineMap
from codegen.text.statements import first_line


class _NotApart(Exception):
    """The file has to be parsed as a whole."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Lines ``first`` to ``last`` give way to ``new`` others; ``last`` is before ``first`` where none goes.

    ``made`` are the statements on the new lines where these are parsed already, with ``header`` lines
    in front of them.
    """

    first: int
    last: int
    new: int
    made: Sequence[ast.stmt] = ()
    header: int = 0

    @property
    def moves(self) -> int:
        """How many lines further down the rest stands."""
        return self.new - (self.last - self.first + 1)


def renewed(
    info: ModuleInfo, splices: Sequence[Splice], parsed: Mapping[int, Changed] | None = None
) -> ModuleInfo:
    """A file with changed lines, as if it had been parsed as a whole.

    Args:
        info: the file before.
        splices: what changes.
        parsed: what is parsed of this already, by the identity of the splice; the trees become part of the file.

    Raises:
        SyntaxError: it is not Python any more.
    """
    source = replace(info.source, text=spliced(info.source.text, splices))
    made = _Renewal(info.text, LineMap(source.text))
    if parsed is None or other_names(info.aliases):
        parsed = {}  # what was looked at already does not say ``torch``
    try:
        body = made.block(info.tree.body, _changes_of(info.text, splices, parsed), 0, "")
        made.resolve(info.aliases)
    except (_NotApart, SyntaxError, ValueError):
        return ModuleInfo.parse(source)
    renewal = ModuleInfo(source, ast.Module(body=body, type_ignores=[]), info.aliases)
    vars(renewal)["text"] = made.new  # computed already
    return renewal


def _changes_of(
    text: LineMap, splices: Sequence[Splice], parsed: Mapping[int, Changed]
) -> list[_Change]:
    """Splices as changes of lines, in their order."""
    changes = []
    for splice in sorted(splices, key=lambda item: (item.start, item.end)):
        first, end = (_line_begun(text, offset) for offset in (splice.start, splice.end))
        if splice.new and not splice.new.endswith("\n"):
            raise _NotApart
        known, count = parsed.get(id(splice)), splice.new.count("\n")
        if known is None or isinstance(known.tree, str) or not splice.new.strip():
            changes.append(_Change(first, end - 1, count))
        else:
            made = _whole_statements(known, known.tree)
            changes.append(_Change(first, end - 1, count, made, known.header))
    return changes


def _whole_statements(changed: Changed, tree: ast.Module) -> Sequence[ast.stmt]:
    """The statements on new lines; none where something of their class stands behind them."""
    holder = tree.body[-1]
    if changed.header and not (isinstance(holder, ast.ClassDef) and _ends_with_body(holder)):
        return ()
    return changed.statements(tree)


def _line_begun(text: LineMap, offset: int) -> int:
    """The line that begins at an offset."""
    if offset == len(text.text) and text.text.endswith("\n"):
        return len(text.starts) + 1
    line = text.line_at(offset)
    if text.start_of(line) != offset:
        raise _NotApart
    return line


@dataclass(frozen=True, slots=True)
class _Renewal:
    """The lines before and after; the statements that are gone, and those that were parsed."""

    old: LineMap
    new: LineMap
    gone: list[ast.stmt] = field(default_factory=list)
    come: list[ast.stmt] = field(default_factory=list)

    def block(
        self, body: Sequence[ast.stmt], changes: Sequence[_Change], moved: int, margin: str
    ) -> list[ast.stmt]:
        """The statements of a block after some changes.

        Args:
            body: the statements before.
            changes: of the lines of the block, and only of these.
            moved: how far down its first line has moved.
            margin: in front of the statements; empty for a module.
        """
        made: list[ast.stmt] = []
        dropped: list[ast.stmt] = []
        pending = list(changes)
        before = first_line(body[0]) - 1 if margin else 0
        for node in body:
            first, last = first_line(node), node.end_lineno or node.lineno
            inside = [c for c in pending if c.last >= first and c.first <= last]
            if inside and not _is_within(node, inside, self.old):
                dropped.append(node)
                continue  # it goes with the lines between the others
            between = [c for c in pending if c.last < first]
            made += self._between(before + 1, first - 1, between, dropped, moved, margin)
            dropped = []
            moved += sum(change.moves for change in between)
            made.append(self._class(node, inside, moved) if inside else _at(node, moved))
            moved += sum(change.moves for change in inside)
            pending = pending[len(between) + len(inside) :]
            before = last
        ends = (before, body[-1].end_lineno or 0 if body else 0, *(c.last for c in pending))
        return made + self._between(before + 1, max(ends), pending, dropped, moved, margin)

    def _class(self, node: ast.stmt, changes: Sequence[_Change], moved: int) -> ast.stmt:
        """A class in whose body some lines have changed."""
        assert isinstance(node, ast.ClassDef)
        made = ast.ClassDef.__new__(ast.ClassDef)
        head = shifted(_headless(node), moved)
        made.__dict__.update(head.__dict__)
        body = self.block(node.body, changes, moved, _margin(node.body[0], self.old))
        if not body:
            raise _NotApart
        made.body = body
        made.end_lineno, made.end_col_offset = body[-1].end_lineno, body[-1].end_col_offset
        return made

    def _between(
        self,
        first: int,
        last: int,
        changes: Sequence[_Change],
        dropped: Sequence[ast.stmt],
        moved: int,
        margin: str,
    ) -> list[ast.stmt]:
        """The statements that stand where some lines stood, if any of these has changed.

        ``dropped`` are those that stood there.
        """
        if not changes:
            return []
        if first > 1 and self.old.lines[first - 2].rstrip("\r\n").endswith("\\"):
            raise _NotApart  # the line in front goes on
        start, end = first + moved, last + moved + sum(change.moves for change in changes)
        text = self.new.text[self.new.start_of(start) : self.new.start_of(end + 1)]
        if all(not line.strip() or line.lstrip().startswith("#") for line in text.split("\n")):
            return []
        if "\t" in text or "\f" in text or (margin and start < 2):
            raise _NotApart  # how deep a line stands would have to be counted
        self.gone.extend(dropped)
        whole = all(any(_covers(change, node) for change in changes) for node in dropped)
        if whole and all(change.made for change in changes):
            found = list(_placed(changes, moved))
            if any(_margin(node, self.new) != margin for node in found):
                raise _NotApart
        elif not margin:
            found = ast.parse("\n" * (start - 1) + text).body
        else:
            holder, *others = ast.parse("\n" * (start - 2) + "class _:\n" + text).body
            assert isinstance(holder, ast.ClassDef)
            found = holder.body
            if others or not _ends_with_body(holder) or _margin(found[0], self.new) != margin:
                raise _NotApart
        self.come.extend(found)
        return found

    def resolve(self, aliases: Aliases) -> None:
        """Make what was parsed say ``torch``, as the rest does."""
        gone, come = (torch_aliases(imports_in(part)) for part in (self.gone, self.come))
        if gone != come:
            raise _NotApart
        resolve_aliases(ast.Module(body=self.come, type_ignores=[]), aliases)


def _covers(change: _Change, node: ast.stmt) -> bool:
    return change.first <= first_line(node) and (node.end_lineno or node.lineno) <= change.last


def _placed(changes: Sequence[_Change], moved: int) -> Iterator[ast.stmt]:
    """Statements that were parsed by themselves, put where they stand in the file."""
    for change in changes:
        lines = change.first + moved - 1 - change.header
        for node in (inner for statement in change.made for inner in walk(statement)):
            held = node.__dict__
            if "lineno" in held:
                held["lineno"] += lines
                held["end_lineno"] += lines
        yield from change.made
        moved += change.moves


def _at(node: ast.stmt, moved: int) -> ast.stmt:
    """An untouched statement, where it stands now."""
    made = shifted(node, moved) if moved else node
    assert isinstance(made, ast.stmt)
    return made


def _headless(node: ast.ClassDef) -> ast.ClassDef:
    """A class without its body, to be copied."""
    made = ast.ClassDef.__new__(ast.ClassDef)
    made.__dict__.update({**node.__dict__, "body": []})
    return made


def _is_within(node: ast.stmt, changes: Sequence[_Change], text: LineMap) -> bool:
    """Whether all changes are of whole lines in the body of a class."""
    if not isinstance(node, ast.ClassDef) or not _ends_with_body(node):
        return False
    begin, end = first_line(node.body[0]), node.end_lineno or 0
    own_lines = not _margin(node.body[0], text).strip(" ")
    return own_lines and all(c.first >= begin and c.last <= end for c in changes)


def _ends_with_body(node: ast.ClassDef) -> bool:
    """Whether nothing of a class stands behind its last statement."""
    last = node.body[-1]
    return (node.end_lineno, node.end_col_offset) == (last.end_lineno, last.end_col_offset)


def _margin(node: ast.stmt, text: LineMap) -> str:
    """What stands in front of a statement."""
    start = text.start_of(first_line(node))
    return text.text[start : start + node.col_offset]
