"""What is written for results that may be given: lines that compute them if they are not, and what calls get."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.emit.edits import AddKeywords
from codegen.rewrite.place.bindings import GIVEN, given_of
from codegen.rewrite.place.carry import CallSite, HelperCall


def guard_lines(call: HelperCall, rows: str) -> list[str]:
    """Lines that compute a helper's results unless they were given, and check those that were."""
    outputs, total = call.helper.outputs, call.helper.total
    test = " or ".join(f"{name} is None" for name in outputs)
    bound = [f"{total}=while_tracing({rows})"] if total and rows else []
    arguments = ", ".join((*call.arguments, *bound))
    line = f"    {', '.join(outputs)} = {call.helper.name}({arguments})"
    computed = [line]
    if len(line) + 8 > 119:
        opening = f"    {', '.join(outputs)} = {call.helper.name}("
        computed = [opening, f"        {arguments}", "    )"]
    lines = [f"if {test}:", *(f"    {check}" for check in pair_lines(call)), *computed]
    checks = check_lines(call, rows)
    return [*lines, "else:", *[f"    {check}" for check in checks]] if checks else lines


def pair_lines(call: HelperCall) -> list[str]:
    """Calls that refuse one of several results that belong together, given without the others."""
    outputs = call.helper.outputs
    given = ", ".join(f"{name}={name}" for name in outputs)
    return [f"check_together({given})"] if len(outputs) > 1 else []


def check_lines(call: HelperCall, rows: str) -> list[str]:
    """Calls that refuse given results of another size, as far as the size is known in the method."""
    law = call.arguments[1] if len(call.arguments) > 1 else "halved_lengths"
    args = [a if _is_closed(a) else f"({a})" for a in call.arguments]
    return [
        template.format(args=args, rows=rows, law=law)
        for template in call.helper.checks
        if rows or "{rows}" not in template
    ]


def _is_closed(text: str) -> bool:
    """Tell whether an expression can stand anywhere without parentheses."""
    node = ast.parse(text, mode="eval").body
    return isinstance(node, (ast.Name, ast.Attribute, ast.Constant))


def handing(site: CallSite, certain: list[str], given: list[str]) -> Iterator[AddKeywords]:
    """Give a call results, those that may be None only where they are given.

    Another module may stand one day in the place of the called one, and take none.
    """
    if certain:
        yield AddKeywords(site.call, tuple(f"{name}={name}" for name in certain))
    keywords = tuple(f"{name}={name}" for name in given)
    inner = given_of(site.call)
    if keywords and inner is not None:
        yield AddKeywords(inner, keywords)
    elif keywords:
        yield AddKeywords(site.call, (f"**{GIVEN}({', '.join(keywords)})",))
