"""The classes, functions and names at the top of a text, and the lines of each, without parsing it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.explain.named import named_in
from codegen.text.lexer import lex

#: A statement at the top of a module: what cannot be one ends a bracket or stands in a comment or string.
_STATEMENT = re.compile(
    r"^(?:(?P<decorator>@)|(?P<block>if|elif|else|try|except|finally)\b"
    r"|(?:async[ \t]+)?(?:class|def)[ \t]+(?P<owner>\w+)"
    r"|(?P<name>[^\W\d]\w*)[ \t]*(?::(?!=)[^=\n]*)?=(?!=)|(?P<odd>[\w., \t()\[\]*]+,[\w., \t()\[\]*]*=(?!=))"
    r"|(?P<other>[^\s)\]}]))",
    re.MULTILINE,
)
#: What a block at the top holds that is a member as well.
_INSIDE = re.compile(
    r"^[ \t]+(?:class|def|async[ \t]+def)\b|^[ \t]+\w+[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Outline:
    """Members by their first lines, in order, with their last lines and names."""

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]
    names: tuple[str, ...]

    def owner(self, line: int) -> str:
        """The class, function or name that a line belongs to; "" outside of all."""
        index = bisect_right(self.firsts, line) - 1
        return self.names[index] if index >= 0 and line <= self.lasts[index] else ""


def outline(text: str) -> Outline:
    """The outline of a text; none of what cannot be read."""
    code = lex(text).code
    found = list(_members(text, code))
    if any(name is None for *_, name in found):
        found = [
            (member.first, member.last, member.name)
            for member in named_in(text)
            if "." not in member.name and member.kind != "import"
        ]
    return Outline(*zip(*((a, b, str(c)) for a, b, c in found))) if found else Outline((), (), ())


def _members(text: str, code: str) -> Iterator[tuple[int, int, str | None]]:
    """First line, last line and name of each; a name of None where only the parser can tell."""
    lines = text.split("\n")
    statements = list(_STATEMENT.finditer(code))
    starts = [match.start() for match in statements]
    numbers = _lines_at(text, starts)
    first = 0
    for index, match in enumerate(statements):
        line = numbers[index]
        if match["decorator"]:
            first = first or line
            continue
        following = index + 1 < len(statements)
        last = (numbers[index + 1] if following else len(lines) + 1) - 1
        while last > line and (not lines[last - 1].strip() or lines[last - 1][0] == "#"):
            last -= 1
        block = code[match.end() : starts[index + 1] if following else len(code)]
        if match["odd"] or (match["block"] and _INSIDE.search(block)):
            yield line, last, None
        elif match["owner"] or match["name"]:
            yield first or line, last, match["owner"] or match["name"]
        first = 0


def _lines_at(text: str, offsets: list[int]) -> list[int]:
    """The 1-based lines of offsets, which are in order."""
    found, line, done = [], 1, 0
    for offset in offsets:
        line, done = line + text.count("\n", done, offset), offset
        found.append(line)
    return found
