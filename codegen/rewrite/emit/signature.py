"""Edits of function signatures, calls and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from codegen.rewrite.emit.edits import Edit
from codegen.rewrite.helpers import DOCUMENTATION
from codegen.rewrite.library import Function, parameters
from codegen.text.lines import LineMap

MAX_LINE = 119
_ENTRY = re.compile(r"\s*\w+ \(.+\):")
OPTIONAL = "torch.Tensor | None = None"


def signature_edits(text: LineMap, function: Function, names: Sequence[str]) -> list[Edit]:
    """Give a function optional tensor parameters; one that exists without default gets None.

    New parameters come last, in front of ``**kwargs``. Where a parameter without default follows, an
    existing one keeps its place and has to be given, None at least.
    """
    given, optional = _parameter_sources(text, function)
    existing = {name for name, _ in given}
    missing = [name for name in names if name not in existing]
    required = [name for name, _ in given if name in names and name not in optional]
    if not missing and not required:
        return []
    parts = []
    for name, source in given:
        if name in required:
            source = (
                source if " | None" in source else f"{source} | None" if ":" in source else source
            )
            source = f"{source} = None" if _can_be_left_out(function, name, names) else source
        parts.append(source)
    cut = len(parts) - 1 if function.args.kwarg else len(parts)
    parts[cut:cut] = [f"{name}: {OPTIONAL}" for name in missing]
    start, end = _signature_span(text, function)
    return [Edit(start, end, _layout(text, function, start, end, parts))]


def _can_be_left_out(function: Function, name: str, optional: Sequence[str]) -> bool:
    """Tell whether no positional parameter behind ``name`` has to be given."""
    args = function.args
    plain = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    if name not in plain:
        return True
    behind = plain[plain.index(name) + 1 : len(plain) - len(args.defaults)]
    return set(behind) <= set(optional)


def _parameter_sources(text: LineMap, function: Function) -> tuple[list[tuple[str, str]], set[str]]:
    """Sources of all parameters in order, and the names that have a default."""
    args = function.args
    found: list[tuple[str, str]] = []
    optional: set[str] = set()
    plain = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(args.defaults)) + list(
        args.defaults
    )
    for number, (arg, default) in enumerate(zip(plain, defaults)):
        found.append((arg.arg, _with_default(text, arg, default)))
        if default is not None:
            optional.add(arg.arg)
        if args.posonlyargs and number == len(args.posonlyargs) - 1:
            found.append(("/", "/"))
    if args.vararg is not None:
        found.append((args.vararg.arg, "*" + text.source(args.vararg)))
    elif args.kwonlyargs:
        found.append(("*", "*"))
    for arg, kw_default in zip(args.kwonlyargs, args.kw_defaults):
        found.append((arg.arg, _with_default(text, arg, kw_default)))
        if kw_default is not None:
            optional.add(arg.arg)
    if args.kwarg is not None:
        found.append((args.kwarg.arg, "**" + text.source(args.kwarg)))
    return found, optional


def _with_default(text: LineMap, arg: ast.arg, default: ast.expr | None) -> str:
    source = text.source(arg)
    if default is None:
        return source
    equals = " = " if arg.annotation is not None else "="
    return f"{source}{equals}{text.source(default)}"


def _signature_span(text: LineMap, function: Function) -> tuple[int, int]:
    """Offsets of what lies between the parentheses of a signature."""
    start = (
        text.text.index("(", text.offset(function.lineno, function.col_offset) + len("def ")) + 1
    )
    args = function.args
    last: list[ast.arg | ast.expr] = [
        *args.posonlyargs,
        *args.args,
        *args.kwonlyargs,
        *args.defaults,
    ]
    last += [d for d in args.kw_defaults if d is not None]
    last += [a for a in (args.vararg, args.kwarg) if a is not None]
    end = max((text.span(node)[1] for node in last), default=start)
    return start, text.text.index(")", end)


def _layout(text: LineMap, function: Function, start: int, end: int, parts: Sequence[str]) -> str:
    line = text.text[text.start_of(function.lineno) : start]
    after = text.text[end : text.text.index("\n", end)]
    joined = ", ".join(parts)
    if len(line) + len(joined) + len(after) <= MAX_LINE and "\n" not in text.text[start:end]:
        return joined
    indent = " " * (function.col_offset + 4)
    return "\n" + "".join(f"{indent}{part},\n" for part in parts) + " " * function.col_offset


def bind_arguments(call: ast.Call, function: Function, text: LineMap) -> dict[str, str]:
    """Parameter names of a method with the texts a call gives for them."""
    names = parameters(function)[1:]
    bound = {name: text.source(arg) for name, arg in zip(names, call.args)}
    bound.update({k.arg: text.source(k.value) for k in call.keywords if k.arg})
    return bound


def substitute(argument: str, bound: dict[str, str], this: str) -> str | None:
    """A helper argument as the caller writes it; None if the caller does not give it."""
    if argument.startswith("self."):
        return this + argument[len("self") :]
    if argument.isidentifier():
        return bound.get(argument)
    return argument


def keyword_edit(text: LineMap, call: ast.Call, names: Sequence[str]) -> list[Edit]:
    """Pass ``name=name`` for each name in a call, in front of ``**kwargs``."""
    missing = [n for n in names if all(k.arg != n for k in call.keywords)]
    if not missing:
        return []
    joined = ", ".join(f"{name}={name}" for name in missing)
    star = next((k for k in call.keywords if k.arg is None), None)
    if star is not None:
        place = text.text.rindex("**", 0, text.span(star.value)[0])
        return [Edit(place, place, f"{joined}, ")]
    items: list[ast.expr] = [*call.args, *[k.value for k in call.keywords]]
    if not items:
        place = text.span(call)[1] - 1
        return [Edit(place, place, joined)]
    place = max(text.span(item)[1] for item in items)
    return [Edit(place, place, f", {joined}")]


def docstring_edits(
    text: LineMap, function: Function, names: Sequence[str], prefix: str = ""
) -> list[Edit]:
    """Describe new parameters behind the last described one of a docstring; nothing without one."""
    first = function.body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return []
    if not isinstance(first.value.value, str):
        return []
    assert first.end_lineno is not None
    lines = text.lines[first.lineno - 1 : first.end_lineno]
    entries = [i for i, line in enumerate(lines) if _ENTRY.match(line)]
    if not entries:
        return _first_entries(text, function, first.lineno, names, prefix)
    base = len(lines[entries[-1]]) - len(lines[entries[-1]].lstrip())
    place = entries[-1] + 1
    while place < len(lines) and lines[place].strip() and _indent(lines[place]) > base:
        place += 1
    if place == len(lines):
        return []
    present = {lines[i].split("(")[0].strip() for i in entries}
    new = "".join(_entry(prefix, name, base) for name in names if prefix + name not in present)
    offset = text.start_of(first.lineno + place)
    return [Edit(offset, offset, new)] if new else []


def _first_entries(
    text: LineMap, function: Function, line: int, names: Sequence[str], prefix: str
) -> list[Edit]:
    """Describe parameters at the top of a docstring that is completed from its entries by a decorator."""
    opening = text.lines[line - 1].strip()
    # An override without decorators inherits them; a raw docstring is the sign of this one.
    decorated = function.name == "forward" and opening == 'r"""'
    decorated |= any("auto_docstring" in ast.unparse(node) for node in function.decorator_list)
    if not decorated or opening not in ('"""', 'r"""'):
        return []
    base = function.col_offset + 4
    offset = text.start_of(line + 1)
    return [Edit(offset, offset, "".join(_entry(prefix, name, base) for name in names) + "\n")]


def _entry(prefix: str, name: str, base: int) -> str:
    kind, description = DOCUMENTATION[name]
    margin = " " * base
    return f"{margin}{prefix}{name} ({kind}, *optional*):\n{margin}    {description}\n"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def body_start(text: LineMap, function: Function) -> tuple[int, str]:
    """Offset behind the docstring of a function, and the indentation there."""
    first = function.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and len(function.body) > 1
    ):
        first = function.body[1]
    return text.statement_lines(first)[0], " " * first.col_offset
