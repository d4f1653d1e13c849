"""Lines of code as nodes, and what surrounds statements: blank lines and comments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cache, lru_cache

import libcst as cst

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
Lines = list[cst.EmptyLine]


@lru_cache(maxsize=512)
def parse_lines(lines: tuple[str, ...]) -> tuple[Statement, ...]:
    """Statements of some lines of code; guards of one kind are written in many methods.

    Raises:
        cst.ParserSyntaxError: the lines are no code.
    """
    module = cst.parse_module("".join(f"{line}\n" for line in lines))
    if "" in lines:
        module = module.visit(_BlankLines())
    statements = list(module.body)
    lead = [*module.header] if statements else []
    if lead:
        statements[0] = with_lead(statements[0], [*lead, *statements[0].leading_lines])
    return tuple(item for item in statements if isinstance(item, Statement))


class _BlankLines(cst.CSTTransformer):
    """Blank lines are empty, however far the statements around them are moved to the right."""

    def leave_EmptyLine(
        self, original_node: cst.EmptyLine, updated_node: cst.EmptyLine
    ) -> cst.EmptyLine:
        """A line without comment has no indentation."""
        return updated_node if updated_node.comment else updated_node.with_changes(indent=False)


def with_lead(statement: Statement, lead: Sequence[cst.EmptyLine]) -> Statement:
    """A statement with other lines in front."""
    return statement.with_changes(leading_lines=tuple(lead))


def comment_line(comment: cst.Comment) -> cst.EmptyLine:
    """A line of its own for a comment."""
    return cst.EmptyLine(comment=comment)


def comments_in(node: cst.CSTNode) -> Iterator[cst.Comment]:
    """All comments in a node, in their order."""
    if isinstance(node, cst.Comment):
        yield node
    for child in node.children:
        yield from comments_in(child)


def inner_comments(statement: Statement) -> Lines:
    """The comments in a statement and behind it, each as a line; those in front are not among them."""
    plain = with_lead(statement, ())
    if not _holds_comment(plain):
        return []
    return [comment_line(comment) for comment in comments_in(plain)]


def _holds_comment(node: cst.CSTNode) -> bool:
    """Whether there is a comment in a node: sooner told than which, as that takes them in their order."""
    pending = [node]
    for item in pending:
        if isinstance(item, cst.Comment):
            return True
        for name in _field_names(item.__class__):
            value = getattr(item, name)
            if isinstance(value, cst.CSTNode):
                pending.append(value)
            elif isinstance(value, (list, tuple)):
                pending += [part for part in value if isinstance(part, cst.CSTNode)]
    return False


@cache
def _field_names(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def gathered(lead: Sequence[cst.EmptyLine], blank: bool) -> Lines:
    """Comments that came together from several places, with at most one blank line, in front."""
    apart = (
        [cst.EmptyLine(indent=False)] if blank and any(not line.comment for line in lead) else []
    )
    return [*apart, *(line for line in lead if line.comment is not None)]


def split_lead(lead: Sequence[cst.EmptyLine]) -> tuple[Lines, Lines]:
    """Lines in front of a statement, cut behind the last blank one: what lies behind belongs to it."""
    cut = max((n for n, line in enumerate(lead, 1) if line.comment is None), default=0)
    return list(lead[:cut]), list(lead[cut:])


def newline(
    whitespace: cst.BaseParenthesizableWhitespace | None, indent: str
) -> cst.ParenthesizedWhitespace:
    """A line break inside brackets, with the comments that the whitespace had."""
    broken = cst.ParenthesizedWhitespace(indent=True, last_line=cst.SimpleWhitespace(indent))
    if not isinstance(whitespace, cst.ParenthesizedWhitespace):
        return broken
    lines = [line for line in whitespace.empty_lines if line.comment is not None]
    return broken.with_changes(
        first_line=whitespace.first_line,
        empty_lines=[
            cst.EmptyLine(True, cst.SimpleWhitespace(indent), line.comment) for line in lines
        ],
    )


def breaks(whitespace: object) -> bool:
    """Tell whether whitespace inside brackets holds a line break."""
    return isinstance(whitespace, cst.ParenthesizedWhitespace)


class Deeper(cst.CSTTransformer):
    """Move the continuation lines of an expression one level to the right."""

    def __init__(self, indent: str) -> None:
        super().__init__()
        self.indent = indent

    def leave_ParenthesizedWhitespace(
        self, original_node: cst.ParenthesizedWhitespace, updated_node: cst.ParenthesizedWhitespace
    ) -> cst.ParenthesizedWhitespace:
        """The line behind the break, and the comment lines between."""
        last = cst.SimpleWhitespace(self.indent + updated_node.last_line.value)
        lines = [
            line.with_changes(whitespace=cst.SimpleWhitespace(self.indent + line.whitespace.value))
            if line.comment is not None
            else line
            for line in updated_node.empty_lines
        ]
        return updated_node.with_changes(last_line=last, empty_lines=lines)
