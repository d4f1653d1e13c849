"""Edits of expressions and calls, as functions of nodes."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from codegen.rewrite.emit.layout import Deeper, breaks, comments_in, newline
from codegen.rewrite.emit.style import Style

_HOLE = "_codegen_hole"


def substituted(old: cst.BaseExpression, parsed: cst.BaseExpression) -> cst.BaseExpression:
    """Another expression, in the parentheses of the old one."""
    if not old.lpar or isinstance(old, (cst.Tuple, cst.GeneratorExp)):
        return parsed
    return parsed.with_changes(lpar=(*old.lpar, *parsed.lpar), rpar=(*parsed.rpar, *old.rpar))


def enclosed(
    old: cst.BaseExpression, function: str, arguments: Sequence[str], style: Style
) -> cst.BaseExpression:
    """``function(old, arguments...)``, what was there one level deeper, one argument a line."""
    inner = "".join(f"    {line}\n" for line in arguments)
    call = cst.ensure_type(style.expression(f"{function}(\n    {_HOLE},\n{inner})"), cst.Call)
    deeper = old.visit(Deeper("    "))
    assert isinstance(deeper, cst.BaseExpression)
    first = call.args[0].with_changes(value=deeper)
    return call.with_changes(args=(first, *call.args[1:]))


def with_keywords(call: cst.Call, keywords: Sequence[str], style: Style) -> cst.Call:
    """A call with further arguments, in front of those it expands.

    An argument that is one of ``**name`` itself comes last. Where the arguments stand one a line, so
    do the new ones.
    """
    given = {arg.keyword.value for arg in call.args if arg.keyword is not None}
    wanted = [text for text in keywords if text.split("=")[0] not in given]
    if not wanted:
        return call
    template = cst.ensure_type(style.expression(f"_({', '.join(wanted)})"), cst.Call)
    new = [arg.with_changes(comma=cst.MaybeSentinel.DEFAULT) for arg in template.args]
    args = list(call.args)
    stars = next((n for n, arg in enumerate(args) if arg.star == "**"), len(args))
    place = stars if all(arg.star != "**" for arg in new) else len(args)
    separator = _separator(call)
    args[place:place] = new
    return call.with_changes(args=_separated(args, place, len(new), separator, call))


def _separator(call: cst.Call) -> cst.BaseParenthesizableWhitespace:
    """What lies between the arguments of a call: a line break where each has its line."""
    commas = [
        arg.comma.whitespace_after for arg in call.args[:-1] if isinstance(arg.comma, cst.Comma)
    ]
    broken = commas[-1] if commas else call.whitespace_before_args
    if isinstance(broken, cst.ParenthesizedWhitespace):
        return newline(None, broken.last_line.value)
    return cst.SimpleWhitespace(" ")


def _separated(
    args: list[cst.Arg],
    place: int,
    count: int,
    separator: cst.BaseParenthesizableWhitespace,
    call: cst.Call,
) -> list[cst.Arg]:
    """The arguments with commas around the new ones; comments and the end of the call stay."""
    end = place + count
    if end < len(args):
        commas = [cst.Comma(whitespace_after=separator)] * count
        new = [arg.with_changes(comma=comma) for arg, comma in zip(args[place:end], commas)]
        return [*args[:place], *new, *args[end:]]
    new = args[place:]
    between = cst.Comma(whitespace_after=separator)
    new = [arg.with_changes(comma=between) for arg in new]
    if not call.args:
        return [*new[:-1], new[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)]
    last = call.args[-1]
    if isinstance(last.comma, cst.Comma):
        # The comma at the end, with the line break and the comment behind it.
        tail = last.comma
        comment = _comment_of(tail.whitespace_after)
        if comment is not None and breaks(separator):
            assert isinstance(separator, cst.ParenthesizedWhitespace)
            separator = newline(tail.whitespace_after, separator.last_line.value)
            tail = tail.with_changes(whitespace_after=_without_comments(tail.whitespace_after))
        first = last.with_changes(comma=cst.Comma(whitespace_after=separator))
        return [*args[: place - 1], first, *new[:-1], new[-1].with_changes(comma=tail)]
    ending = last.whitespace_after_arg
    plain = last.with_changes(whitespace_after_arg=cst.SimpleWhitespace(""))
    if _comment_of(ending) is not None:
        separator = newline(ending, _margin(separator))
        ending = _without_comments(ending)
    first = plain.with_changes(comma=cst.Comma(whitespace_after=separator))
    tail_arg = new[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=ending)
    return [*args[: place - 1], first, *new[:-1], tail_arg]


def _margin(separator: cst.BaseParenthesizableWhitespace) -> str:
    return (
        separator.last_line.value if isinstance(separator, cst.ParenthesizedWhitespace) else "    "
    )


def _comment_of(whitespace: cst.BaseParenthesizableWhitespace) -> cst.Comment | None:
    """The first comment in whitespace inside brackets."""
    if not isinstance(whitespace, cst.ParenthesizedWhitespace):
        return None
    lines = [whitespace.first_line.comment, *(line.comment for line in whitespace.empty_lines)]
    return next((comment for comment in lines if comment is not None), None)


def _without_comments(
    whitespace: cst.BaseParenthesizableWhitespace,
) -> cst.BaseParenthesizableWhitespace:
    if not isinstance(whitespace, cst.ParenthesizedWhitespace):
        return whitespace
    return newline(None, whitespace.last_line.value)


def without_keyword(call: cst.Call, name: str) -> cst.Call:
    """A call without one of its keywords; comments beside it stay behind what is in front."""
    args = list(call.args)
    number = next(
        n for n, arg in enumerate(args) if arg.keyword is not None and arg.keyword.value == name
    )
    gone = args.pop(number)
    comments = list(comments_in(gone))
    if number == len(args) and args:
        # What ended the list ends it still.
        ending = _without_comments(gone.whitespace_after_arg)
        comma = gone.comma
        if isinstance(comma, cst.Comma):
            comma = comma.with_changes(whitespace_after=_without_comments(comma.whitespace_after))
        before = args[-1].comma
        if comments and isinstance(before, cst.Comma):
            after = _with_comments(before.whitespace_after, comments)
            comma = before.with_changes(whitespace_after=_moved_left(after, comma, ending))
        args[-1] = args[-1].with_changes(comma=comma, whitespace_after_arg=ending)
    elif comments and number:
        before = args[number - 1].comma
        assert isinstance(before, cst.Comma)
        comma = before.with_changes(
            whitespace_after=_with_comments(before.whitespace_after, comments)
        )
        args[number - 1] = args[number - 1].with_changes(comma=comma)
    elif comments:
        opening = _with_comments(call.whitespace_before_args, comments)
        return call.with_changes(args=args, whitespace_before_args=opening)
    return call.with_changes(args=args)


def _with_comments(
    whitespace: cst.BaseParenthesizableWhitespace, comments: Sequence[cst.Comment]
) -> cst.ParenthesizedWhitespace:
    """Whitespace inside brackets with further comments, each on a line."""
    if not isinstance(whitespace, cst.ParenthesizedWhitespace):
        whitespace = newline(None, "    ")
    margin = whitespace.last_line
    lines = [cst.EmptyLine(True, margin, comment) for comment in comments]
    return whitespace.with_changes(empty_lines=(*whitespace.empty_lines, *lines))


def _moved_left(
    whitespace: cst.ParenthesizedWhitespace,
    comma: cst.Comma | cst.MaybeSentinel,
    ending: cst.BaseParenthesizableWhitespace,
) -> cst.ParenthesizedWhitespace:
    """Whitespace behind the last comma, with the indentation of the bracket that follows."""
    end = comma.whitespace_after if isinstance(comma, cst.Comma) else ending
    last = (
        end.last_line if isinstance(end, cst.ParenthesizedWhitespace) else cst.SimpleWhitespace("")
    )
    return whitespace.with_changes(last_line=last)
