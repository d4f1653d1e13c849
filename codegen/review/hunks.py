"""Where two states of a member differ: hunks of lines without layout, of imports name by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from codegen.review.logical import logical_lines, physical_lines, plain_lines
from codegen.review.members import BROKEN
from codegen.review.model import Hunk, Line, Member
from codegen.review.names import Naming


def member_hunks(
    old: Member, old_naming: Naming, new: Member, new_naming: Naming
) -> tuple[Hunk, ...]:
    """Where two states of a member differ."""
    if old.text == new.text and (old.kind != "class" or old_naming == new_naming):
        return ()
    lines = import_lines if new.kind == "imports" else logical_lines
    if new.name == BROKEN:
        lines = plain_lines
    sides = _Sides(lines(old, old_naming), lines(new, new_naming), old.line, new.line)
    found: list[Hunk] = []
    for tag, a, b, c, d in sides.opcodes():
        if tag == "equal":
            pairs = zip(sides.left[a:b], sides.right[c:d])
            changed = [(one, two) for one, two in pairs if one.text != two.text]
            found += [
                Hunk((one,), (two,), two.number, one.number, layout=True) for one, two in changed
            ]
        else:
            inner = sides.refined((a, b, c, d), old_naming, new_naming)
            found += inner or [sides.hunk((a, b, c, d))]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Lines of two states of a member, and the lines of the file where these begin."""

    left: Sequence[Line]
    right: Sequence[Line]
    first: int
    now: int

    def opcodes(self) -> Sequence[tuple[str, int, int, int, int]]:
        """What is equal in both, and what is not."""
        left, right = ([line.tokens for line in side] for side in (self.left, self.right))
        return SequenceMatcher(None, left, right, autojunk=False).get_opcodes()

    def hunk(self, span: tuple[int, int, int, int]) -> Hunk:
        """The lines of a span that differ."""
        left, right, (a, b, c, d) = self.left, self.right, span
        line = right[c].number if c < len(right) else (right[-1].number if right else self.now)
        old_line = left[a].number if a < len(left) else (left[-1].number if left else self.first)
        before = right[c - 1].text if c else ""
        after = right[d].text if d < len(right) else ""
        return Hunk(tuple(left[a:b]), tuple(right[c:d]), line, old_line, before, after)

    def refined(self, span: tuple[int, int, int, int], old: Naming, new: Naming) -> list[Hunk]:
        """The same line by line as they stand in the file, where statements over several lines share
        some: an argument that came is one line, however long the list is that it came into."""
        a, b, c, d = span
        if not all(any("\n" in line.text for line in s) for s in (self.left[a:b], self.right[c:d])):
            return []
        left = [each for line in self.left[a:b] for each in physical_lines(line, old)]
        right = [each for line in self.right[c:d] for each in physical_lines(line, new)]
        inner = _Sides(left, right, left[0].number, right[0].number)
        opcodes = inner.opcodes()
        shared = (line for tag, i, j, _, _ in opcodes if tag == "equal" for line in left[i:j])
        if not any(_SAID.search(line.text) for line in shared):
            return []
        return [inner.hunk(tuple(rest)) for tag, *rest in opcodes if tag != "equal"]  # type: ignore[arg-type]


#: A line says something if it is more than brackets.
_SAID = re.compile(r"\w")


def import_lines(member: Member, naming: Naming) -> list[Line]:
    """Imports name by name: which line a name shares with others does not matter."""
    try:
        nodes = ast.parse(member.text).body
    except (SyntaxError, ValueError):
        return logical_lines(member, naming)
    lines: list[Line] = []
    for node in nodes:
        for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            module = ""
            if isinstance(node, ast.ImportFrom):
                module = f"from {'.' * node.level}{node.module or ''} "
            bound = f" as {alias.asname}" if alias.asname else ""
            text = f"{module}import {alias.name}{bound}"
            lines.append(Line(text, member.line + node.lineno - 1, (naming.text(text),)))
    comments = [
        Line(line.strip(), member.line + index, (naming.text(line.strip()),))
        for index, line in enumerate(member.text.split("\n"))
        if line.lstrip().startswith("#")
    ]
    return sorted(lines + comments, key=lambda line: line.tokens)
