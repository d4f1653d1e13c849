"""Where the nodes of ``ast`` are in the lines that libcst is given, and which edits are due there.

libcst knows lines and characters, ``ast`` lines of the file and bytes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from codegen.rewrite.nodes import children, walk
from codegen.text.lines import LineMap
from codegen.text.statements import first_line

Place = tuple[int, int]
"""Line and character, as libcst counts them in the lines it is given."""

Lines = tuple[int, int]
"""First and last line of a file, both 1-based."""

_FORM_FEED = re.compile(r"(?P<before>[ \t\f]*\f)[ \t]*[^\s#]")
_MARK = "# \ue000"
_MARKED = re.compile(rf"^[ \t]*{_MARK}(?P<before>[ \tF]*)\n", re.MULTILINE)
_KEPT = re.compile(r"^[ \t]*_codegen_lines_(?P<first>\d+)_(?P<last>\d+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some whole lines of a file, as they are given to libcst.

    ``text`` are the lines below a header of ``added`` lines, but for those that are ``kept``: each
    such range is one line in it. Where code follows a form feed, Python begins to count its
    indentation anew and libcst does not: ``cut`` holds for such lines of the file how much was moved
    into a comment line in front.
    """

    map: LineMap
    first: int
    text: str
    added: int
    cut: Mapping[int, int]
    kept: Sequence[Lines]

    def place(self, line: int, byte_column: int) -> Place:
        """A position of ``ast``, which lies in no kept line."""
        character = self.map.offset(line, byte_column) - self.map.start_of(line)
        moved = sum(marked <= line for marked in self.cut)
        moved -= sum(last - first for first, last in self.kept if last < line)
        return line - self.first + 1 + self.added + moved, character - self.cut.get(line, 0)

    def start(self, node: ast.stmt | ast.expr) -> Place:
        """Where a node begins; a function at its ``def``, not at its decorators."""
        return self.place(node.lineno, node.col_offset)

    def span(self, node: ast.expr) -> tuple[Place, Place]:
        """Where an expression begins and ends."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.start(node), self.place(node.end_lineno, node.end_col_offset)

    def restored(self, text: str) -> str:
        """Lines that came back from libcst, without the header, with what was kept from it."""
        for _ in range(self.added):
            text = text[text.index("\n") + 1 :]
        text = _MARKED.sub(lambda match: match["before"].replace("F", "\f"), text)
        return _KEPT.sub(
            lambda match: self.map.text[
                self.map.start_of(int(match["first"])) : self.map.start_of(int(match["last"]) + 1)
            ],
            text,
        )


def excerpt(text: LineMap, lines: Lines, header: str, kept: Sequence[Lines] = ()) -> Excerpt:
    """Lines of a file below a header; of those that are kept libcst does not see more than one."""
    first, last = lines
    whole = text.text[text.start_of(first) : text.start_of(last + 1)]
    feeds = "\f" in whole
    inside = _string_lines(header + whole, first - header.count("\n")) if feeds else set()
    cut: dict[int, int] = {}
    out = [header]
    begin = first
    for hidden in (*kept, (last + 1, last + 1)):
        for number in range(begin, hidden[0]):
            line = text.lines[number - 1]
            match = _FORM_FEED.match(line) if feeds and number not in inside else None
            if match is None:
                out.append(line)
                continue
            before, rest = match["before"], line[len(match["before"]) :]
            cut[number] = len(before)
            out += [f"{_margin(rest)}{_MARK}{before.replace(chr(12), 'F')}\n", rest]
        if hidden[0] <= last:
            margin = _margin(text.lines[hidden[0] - 1])
            out.append(f"{margin}_codegen_lines_{hidden[0]}_{hidden[1]}\n")
        begin = hidden[1] + 1
    return Excerpt(text, first, "".join(out), header.count("\n"), cut, tuple(kept))


class _Wrapper(MetadataWrapper):
    """Walks through a module only where a provider wants it: positions come from writing it."""

    def visit_batched(
        self,
        visitors: Iterable[cst.BatchableCSTVisitor],
        before_visit: Callable[[cst.CSTNode], None] | None = None,
        after_leave: Callable[[cst.CSTNode], None] | None = None,
    ) -> cst.CSTNode:
        """See :class:`MetadataWrapper`."""
        wanted = list(visitors)
        return super().visit_batched(wanted, before_visit, after_leave) if wanted else self.module


@lru_cache(maxsize=8)
def parsed(text: str) -> tuple[cst.Module, Mapping[cst.CSTNode, CodeRange]]:
    """Lines and where their nodes are; asked for again where names of torch get another spelling."""
    module = cst.parse_module(text)
    return module, _Wrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)


def untouched(
    text: LineMap,
    body: Sequence[ast.stmt],
    lines: Collection[int],
    moved: Collection[int],
    gone: Collection[int],
    header_end: int,
) -> list[Lines]:
    """Runs of statements that hold none of some lines, and share no line with others.

    What goes is hidden as well, each statement for itself: nothing in it is of interest.

    Args:
        text: of the file.
        body: the statements of a block; those in it are looked at, too.
        lines: on which something is to be done.
        moved: identities of statements that are replaced or get another indentation, with all in them.
        gone: identities of those that are replaced and hold nothing that stays.
        header_end: the last line that belongs to what the block is the body of.
    """
    found: list[Lines] = []
    before, joins = header_end, False
    for number, node in enumerate(body):
        first, last = first_line(node), node.end_lineno or node.lineno
        shared = first <= before or (
            number + 1 < len(body) and first_line(body[number + 1]) <= last
        )
        line = text.lines[first - 1]
        is_elif = isinstance(node, ast.If) and line[node.col_offset :].startswith("elif")
        if is_elif or any(first <= number <= last for number in lines):
            hidden = False
            if id(node) in gone and not shared and not line[: node.col_offset].strip():
                found.append((first, last))
            elif id(node) not in moved:
                for end, block in _blocks(node):
                    found += untouched(text, block, lines, moved, gone, end)
        else:
            hidden = not shared and not line[: node.col_offset].strip()
            if hidden:
                found.append((found.pop()[0] if joins else first, last))
        before, joins = last, hidden
    return found


def _blocks(node: ast.stmt) -> Iterator[tuple[int, Sequence[ast.stmt]]]:
    """The blocks of a compound statement in their order, each with the last line in front of it."""
    end = node.lineno
    for child in children(node):
        if not isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            end = max(end, *(getattr(part, "end_lineno", None) or 0 for part in walk(child)))
    for name in ("body", "handlers", "orelse", "finalbody"):
        block = getattr(node, name, ())
        handlers = [item for item in block if isinstance(item, ast.ExceptHandler)]
        for handler in handlers:
            start = handler.type.end_lineno if handler.type is not None else handler.lineno
            yield start or handler.lineno, handler.body
            end = handler.body[-1].end_lineno or end
        if block and not handlers:
            yield end, block
            end = block[-1].end_lineno or end


def _margin(line: str) -> str:
    """The indentation of a line, which Python counts anew behind a form feed."""
    return line[: len(line) - len(line.lstrip(" \t\f"))].rpartition("\f")[2]


def _string_lines(text: str, first: int) -> set[int]:
    """Lines that begin inside a string, counted from ``first``."""
    return {
        line + first - 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Constant, ast.JoinedStr))
        for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
