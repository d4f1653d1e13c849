"""``**super_kwargs``: a method takes the parameters of the parent's method, and passes them on.

def run(self, scale=1, **super_kwargs):          def run(self, value, *, times=2, scale=1):
    x = super().run(**super_kwargs)        ->        x = super().run(value=value, times=times)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from codegen.errors import CodegenError, fail
from codegen.expansion.fold.model import Edit, Origin
from codegen.expansion.fold.sites import is_super
from codegen.text.classes import Function, Parameter, Parameters
from codegen.text.lexer import lex
from codegen.text.lines import LineMap
from codegen.text.read_body import ClassBody
from codegen.text.scoping import parameter_names

NAME = "super_kwargs"
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def expand_super_kwargs(body: ClassBody, parent: ClassBody, origin: Origin) -> Iterator[Edit]:
    """The edits that write the parameters out, in signatures and in calls."""
    inherited = {item.function.name: item for item in parent.items if item.function}
    lines = LineMap(body.text)
    for item in body.items:
        node, function = item.node, item.function
        if not isinstance(node, _Function) or not takes_super_kwargs(node):
            continue
        assert function is not None
        above = inherited.get(node.name)
        if above is None or above.function is None:
            raise _refused(
                f"{node.name} takes **{NAME}, but the parent class does not define {node.name}",
                origin,
                node.lineno,
                "write the parameters out",
            )
        assert isinstance(above.node, _Function)
        start, end, merged = _signature(function, above.function, node, body.text, lines, origin)
        yield start, end, merged
        if node.returns is None and above.function.returns:
            yield end + 1, end + 1, f" -> {above.function.returns}"
        yield from _calls(node, above.node, lines, origin)


def takes_super_kwargs(node: ast.stmt) -> bool:
    """Whether a method asks for the parameters of its parent."""
    return (
        isinstance(node, _Function) and node.args.kwarg is not None and node.args.kwarg.arg == NAME
    )


def merge_parameters(own: Parameters, inherited: Parameters) -> Parameters:
    """The parent's parameters in their order with the method's own in their places or behind."""
    positional = _merged(inherited.positional, own.positional[1:])
    taken = {item.name for item in (*inherited.positional_only, *positional)}
    keyword_only = _merged(inherited.keyword_only, own.keyword_only)
    star = own.star if own.star and own.star.name != "*" else None
    star = star or inherited.star or own.star
    return replace(
        own,
        positional_only=inherited.positional_only or own.positional_only,
        positional=positional,
        star=star,
        keyword_only=tuple(item for item in keyword_only if item.name not in taken),
        catch_all=inherited.catch_all,
    )


def _merged(inherited: tuple[Parameter, ...], own: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    merged = {item.name: item for item in inherited}
    return tuple((merged | {item.name: item for item in own}).values())


def _signature(
    function: Function,
    inherited: Function,
    node: _Function,
    text: str,
    lines: LineMap,
    origin: Origin,
) -> Edit:
    merged = merge_parameters(function.parameters, inherited.parameters).text()
    try:
        ast.parse(f"def f({merged}): pass")
    except SyntaxError:
        raise _refused(
            f"the parameters of {node.name} and of its parent do not go together: ({merged})",
            origin,
            node.lineno,
            "give the parameters behind the parent's a default, or write all of them out",
        ) from None
    code = lex(text).code
    assert node.args.kwarg is not None
    start = code.index("(", code.index(node.name, code.index("def", lines.start_of(node.lineno))))
    end = code.index(")", lines.span(node.args.kwarg)[1])
    return start + 1, end, merged


def _calls(node: _Function, parent: _Function, lines: LineMap, origin: Origin) -> Iterator[Edit]:
    passed: set[int] = set()
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        for keyword in call.keywords:
            if keyword.arg is None and _is_name(keyword.value):
                passed.add(id(keyword.value))
                if not _reaches_parent(call, node.name):
                    raise _misused(origin, keyword.value.lineno)
                written = _arguments(call, node, parent, origin)
                start, end = lines.span(keyword)
                if not written:
                    start, end = _with_comma(lines.text, start, end)
                yield start, end, ", ".join(written)
    for name in ast.walk(node):
        if _is_name(name) and id(name) not in passed:
            assert isinstance(name, ast.Name)
            raise _misused(origin, name.lineno)


def _with_comma(text: str, start: int, end: int) -> tuple[int, int]:
    """A keyword that vanishes takes the comma in front of it along."""
    front = text[:start].rstrip()
    return (len(front) - 1, end) if front.endswith(",") else (start, end)


def _reaches_parent(call: ast.Call, name: str) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == name
        and (is_super(function.value) or isinstance(function.value, ast.Name))
    )


def _arguments(call: ast.Call, node: _Function, parent: _Function, origin: Origin) -> list[str]:
    """What a call passes for ``**super_kwargs``: what the method itself does not name."""
    own = set(parameter_names(node.args))
    arguments = parent.args
    if arguments.vararg or arguments.posonlyargs:
        raise _refused(
            f"**{NAME} cannot stand for the positional arguments of the parent's {node.name}",
            origin,
            call.lineno,
            "write the parameters and the arguments out",
        )
    named = {keyword.arg for keyword in call.keywords}
    positional = [item.arg for item in arguments.args[1:]][: len(call.args)]
    names = [item.arg for item in (*arguments.args[1:], *arguments.kwonlyargs)]
    # One that has no default is passed on although the method names it: it has to come from there.
    own -= _required(arguments)
    rest = [each for each in names if each not in own | named and each not in positional]
    written = [f"{name}={name}" for name in rest]
    return [*written, f"**{arguments.kwarg.arg}"] if arguments.kwarg else written


def _required(arguments: ast.arguments) -> set[str]:
    count = len(arguments.args) - len(arguments.defaults)
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults)
    required = {item.arg for item in arguments.args[1:count]}
    return required | {item.arg for item, default in keywords if default is None}


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == NAME


def _misused(origin: Origin, line: int) -> CodegenError:
    return _refused(
        f"{NAME} stands for the parameters of the parent's method, and can only be passed on to it",
        origin,
        line,
        f"write `super().method(**{NAME})`, or the parameters out",
    )


def _refused(message: str, origin: Origin, line: int, hint: str) -> CodegenError:
    return fail("super-kwargs", message, origin.path, origin.line(line), hint)
