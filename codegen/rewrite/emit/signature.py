"""Parameters of a method, as nodes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import libcst as cst

from codegen.rewrite.emit.layout import breaks, newline
from codegen.rewrite.emit.style import Style
from codegen.rewrite.helpers import is_input, rank

MAX_LINE = 119
TENSOR = "torch.Tensor"

_Item = cst.Param | cst.ParamStar | cst.ParamSlash


def with_parameters(
    function: cst.FunctionDef, names: Sequence[str], margin: int, style: Style
) -> cst.FunctionDef:
    """A function with optional tensor parameters; one that exists without default gets None.

    New parameters can only be given by name, in the order that all models have. Where a parameter
    without default follows, an existing one keeps its place and has to be given, None at least.

    Args:
        function: the definition.
        names: of the parameters.
        margin: columns in front of its ``def``.
        style: of the file.
    """
    parameters = function.params
    existing = {param.name.value for param in all_parameters(parameters)}
    missing = [name for name in sorted(names, key=rank) if name not in existing]
    parameters = _with_defaults(parameters, names, style)
    new = [
        cst.Param(
            cst.Name(name),
            annotation=cst.Annotation(style.may_be_none(TENSOR)),
            default=cst.Name("None"),
        )
        for name in missing
    ]
    parameters = parameters.with_changes(kwonly_params=_in_order(parameters.kwonly_params, new))
    if parameters.deep_equals(function.params):
        return function
    return _laid_out(function, parameters, margin)


def with_none(
    function: cst.FunctionDef, names: Sequence[str], margin: int, style: Style
) -> cst.FunctionDef:
    """A function whose parameters of some names have the default None, wherever that is allowed."""
    parameters = _with_defaults(function.params, names, style)
    if parameters.deep_equals(function.params):
        return function
    return _laid_out(function, parameters, margin)


def with_option(function: cst.FunctionDef, parameter: str, margin: int) -> cst.FunctionDef:
    """A function with one more parameter that has a default, behind those that can be given by place."""
    made = cst.parse_statement(f"def f({parameter}): pass")
    assert isinstance(made, cst.FunctionDef)
    parameters = function.params
    changed = parameters.with_changes(params=[*parameters.params, *made.params.params])
    return _laid_out(function, changed, margin)


def _in_order(known: Sequence[cst.Param], new: Sequence[cst.Param]) -> list[cst.Param]:
    """Keyword-only parameters with further ones, each in front of those that come behind it everywhere."""
    found = list(known)
    for param in new:
        behind = (
            n for n, item in enumerate(found) if rank(item.name.value) > rank(param.name.value)
        )
        found.insert(next((n for n in behind if is_input(found[n].name.value)), len(found)), param)
    return found


def all_parameters(parameters: cst.Parameters) -> list[cst.Param]:
    """Every parameter that has a name, in order."""
    star = [parameters.star_arg] if isinstance(parameters.star_arg, cst.Param) else []
    kwarg = [parameters.star_kwarg] if parameters.star_kwarg is not None else []
    plain = [*parameters.posonly_params, *parameters.params]
    return [*plain, *star, *parameters.kwonly_params, *kwarg]


def _with_defaults(
    parameters: cst.Parameters, names: Collection[str], style: Style
) -> cst.Parameters:
    """Give parameters that are there without default the default None, wherever it is allowed."""
    plain = [*parameters.posonly_params, *parameters.params]
    required = [param.name.value for param in plain if param.default is None]

    def optional(param: cst.Param, last: bool) -> cst.Param:
        if param.name.value not in names or param.default is not None:
            return param
        annotation = param.annotation
        if annotation is not None and not _may_be_none(annotation.annotation):
            union = style.may_be_none(_code(annotation.annotation))
            param = param.with_changes(annotation=annotation.with_changes(annotation=union))
        if not last:
            return param
        # Beside an annotation there are spaces around the sign, else none.
        bare = cst.SimpleWhitespace("" if annotation is None else " ")
        return param.with_changes(default=cst.Name("None"), equal=cst.AssignEqual(bare, bare))

    def changed(params: Sequence[cst.Param]) -> list[cst.Param]:
        found = []
        for param in params:
            name = param.name.value
            behind = required[required.index(name) + 1 :] if name in required else []
            found.append(optional(param, set(behind) <= set(names)))
        return found

    return parameters.with_changes(
        posonly_params=changed(parameters.posonly_params),
        params=changed(parameters.params),
        kwonly_params=[optional(param, True) for param in parameters.kwonly_params],
    )


def _may_be_none(annotation: cst.BaseExpression) -> bool:
    """Tell whether a type is written as one that may be None."""
    text = _code(annotation)
    return "None" in text or text.rpartition("[")[0].endswith("Optional")


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def _laid_out(
    function: cst.FunctionDef, parameters: cst.Parameters, margin: int
) -> cst.FunctionDef:
    """The function with its parameters on its line if they fit and stood there, else one a line."""
    if "\n" not in _code(function.whitespace_before_params) + _code(function.params):
        flat = function.with_changes(params=_flat(parameters))
        bare = flat.with_changes(decorators=(), leading_lines=(), lines_after_decorators=())
        first = _code(bare).lstrip("\n").split("\n")[0]
        if margin + len(first) <= MAX_LINE:
            return flat
    opening = newline(function.whitespace_before_params, "    ")
    return function.with_changes(whitespace_before_params=opening, params=_one_a_line(parameters))


def _flat(parameters: cst.Parameters) -> cst.Parameters:
    """All separators without line breaks, none behind the last."""

    def comma(item: _Item, last: bool) -> _Item:
        return item.with_changes(
            comma=cst.MaybeSentinel.DEFAULT
            if last
            else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        )

    return _map_items(parameters, comma)


def _one_a_line(parameters: cst.Parameters) -> cst.Parameters:
    """A line break behind every separator; comments stay behind what they stand behind."""

    def comma(item: _Item, last: bool) -> _Item:
        old = item.comma.whitespace_after if isinstance(item.comma, cst.Comma) else None
        if isinstance(item, cst.Param) and breaks(item.whitespace_after_param):
            # Without a comma behind the last parameter, the comment belongs to the parameter.
            old = item.whitespace_after_param
            item = item.with_changes(whitespace_after_param=cst.SimpleWhitespace(""))
        after = newline(old, "" if last else "    ")
        before = item.comma.whitespace_before if isinstance(item.comma, cst.Comma) else None
        if breaks(before):
            return item.with_changes(comma=cst.Comma(before or cst.SimpleWhitespace(""), after))
        return item.with_changes(comma=cst.Comma(whitespace_after=after))

    return _map_items(parameters, comma)


def _map_items(
    parameters: cst.Parameters, change: Callable[[_Item, bool], _Item]
) -> cst.Parameters:
    """Apply ``change(item, is_last)`` to every entry between the parentheses."""
    star = parameters.star_arg
    if star is cst.MaybeSentinel.DEFAULT and parameters.kwonly_params:
        star = cst.ParamStar()
    items: list[_Item] = [*parameters.posonly_params]
    items += [parameters.posonly_ind] if isinstance(parameters.posonly_ind, cst.ParamSlash) else []
    items += parameters.params
    items += [star] if isinstance(star, (cst.Param, cst.ParamStar)) else []
    items += parameters.kwonly_params
    items += [parameters.star_kwarg] if parameters.star_kwarg is not None else []
    new = {id(item): change(item, number == len(items)) for number, item in enumerate(items, 1)}

    def of(old: object) -> Any:
        return new.get(id(old), old)

    return parameters.with_changes(
        posonly_params=[of(item) for item in parameters.posonly_params],
        posonly_ind=of(parameters.posonly_ind),
        params=[of(item) for item in parameters.params],
        star_arg=of(star),
        kwonly_params=[of(item) for item in parameters.kwonly_params],
        star_kwarg=of(parameters.star_kwarg),
    )
