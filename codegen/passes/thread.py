"""Carry precomputed tensors from the top of a model to its encoders, as prefixed keywords.

A step of lift. Features methods hand their ``**kwargs`` to the encoder with the prefix of their modality
removed; a ``forward`` that calls features methods takes the prefixed keywords out of its own, so that
the language model never sees them; generation lets them pass.

    self.visual(pixel_values, grid_thw=grid, **kwargs)
        ->  self.visual(pixel_values, grid_thw=grid, **encoder_inputs(kwargs, "image"))
    self.get_image_features(pixel_values, image_grid_thw)
        ->  self.get_image_features(pixel_values, image_grid_thw, **precomputed)
"""

from __future__ import annotations

import ast
import re

from codegen.passes.base import Record, model_of
from codegen.passes.edits import Edit, SourceText, block
from codegen.passes.modules import ClassInfo, Function, parameters, self_attribute
from codegen.passes.workspace import Workspace

_FEATURES = re.compile(r"get_(image|video|audio)_features")


def thread_keywords(workspace: Workspace) -> None:
    """Edit features methods, the forwards that call them, and generation hooks."""
    if workspace.shared:
        return
    for info in workspace.candidates():
        for cls in workspace.classes(info):
            for function in cls.methods.values():
                _thread(workspace, cls, function)


def _thread(workspace: Workspace, cls: ClassInfo, function: Function) -> None:
    info, text = cls.module, cls.module.text
    match = _FEATURES.fullmatch(function.name)
    if match is not None and is_packed(function):
        edits = features_edits(text, function, match[1])
        helper, reason = "encoder_inputs", f"keywords with the prefix {match[1]}_ reach the encoder"
    elif function.name == "forward" and "_features(" in info.segment(function):
        edits = forward_edits(workspace, cls, function)
        helper, reason = "split_precomputed", "prefixed keywords reach the features methods"
    elif function.name == "_expand_inputs_for_generation":
        edits = expansion_edits(text, function)
        if edits and not has_validation(workspace, cls):
            edits.append(validation_edit(text, function))
        helper, reason = (
            "split_precomputed",
            "prefixed keywords are dropped where inputs are repeated",
        )
    else:
        return
    if not edits:
        return
    workspace.edit(info, edits)
    workspace.need(info, helper)
    workspace.note(
        Record(
            model_of(info.source.module),
            cls.name,
            function.name,
            "lifted",
            info.place(function),
            helper=helper,
            path_taken=(f"{cls.name}.{function.name}",),
            reason=reason,
        )
    )


def is_packed(function: Function) -> bool:
    """Tell whether a features method takes packed inputs: a grid, or lengths of audios."""
    names = parameters(function)
    return any(name.endswith(("grid_thw", "feature_lengths")) for name in names)


def features_edits(text: SourceText, function: Function, modality: str) -> list[Edit]:
    """Pass ``**kwargs`` on with the modality's prefix removed."""
    edits = []
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and self_attribute(call.func):
            star = _star(call)
            if star is not None:
                edits.append(Edit(*text.span(star), f'encoder_inputs({star.id}, "{modality}")'))
    return edits


def _star(call: ast.Call) -> ast.Name | None:
    """The plain name that a call expands as ``**name``."""
    for keyword in call.keywords:
        if keyword.arg is None and isinstance(keyword.value, ast.Name):
            return keyword.value
    return None


def forward_edits(workspace: Workspace, cls: ClassInfo, function: Function) -> list[Edit]:
    """Split the keywords of a ``forward`` and give them to the features methods it calls."""
    if function.args.kwarg is None:
        return []
    text, name = cls.module.text, function.args.kwarg.arg
    edits = []
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or _FEATURES.fullmatch(self_attribute(call.func)) is None:
            continue
        ancestors = workspace.index.mro(cls)
        found = [
            a.methods[self_attribute(call.func)]
            for a in ancestors
            if self_attribute(call.func) in a.methods
        ]
        if not any(map(is_packed, found)) or any(k.arg is None for k in call.keywords):
            continue
        items: list[ast.expr] = [*call.args, *[k.value for k in call.keywords]]
        place = max(text.span(item)[1] for item in items)
        edits.append(Edit(place, place, ", **precomputed"))
    if edits:
        place, indent = _top(text, function)
        line = f"precomputed, {name} = split_precomputed({name})"
        edits.append(Edit(place, place, block([line], indent)))
    return edits


def expansion_edits(text: SourceText, function: Function) -> list[Edit]:
    """Drop precomputed tensors where inputs are repeated for several sequences: they are no longer right."""
    names = parameters(function)
    keywords = function.args.kwarg
    if keywords is None or "expand_size" not in names or "split_precomputed" in ast.dump(function):
        return []
    # A method that only raises says that the parent's is to be removed: an edit would keep it.
    if "grid_thw" not in text.text or isinstance(function.body[0], ast.Raise):
        return []
    place, indent = _top(text, function)
    lines = [
        "if expand_size > 1:",
        f"    _, {keywords.arg} = split_precomputed({keywords.arg})",
    ]
    return [Edit(place, place, block(lines, indent))]


def has_validation(workspace: Workspace, cls: ClassInfo) -> bool:
    """Tell whether a class has or inherits the hook, as far as the tree shows it."""
    ancestors = workspace.index.mro(cls)
    if any("_validate_model_kwargs" in ancestor.methods for ancestor in ancestors):
        return True
    return any("_expand_inputs_for_generation" in ancestor.methods for ancestor in ancestors[1:])


def validation_edit(text: SourceText, function: Function) -> Edit:
    """Let ``generate`` accept prefixed keywords, which no signature names."""
    lines = [
        "def _validate_model_kwargs(self, model_kwargs: dict):",
        "    # Precomputed tensors are keywords that no signature names",
        "    super()._validate_model_kwargs(split_precomputed(model_kwargs)[1])",
        "",
    ]
    place = text.statement_lines(function)[0]
    if function.decorator_list:
        place = text.line_start(function.decorator_list[0].lineno)
    return Edit(place, place, block(lines, " " * function.col_offset))


def _top(text: SourceText, function: Function) -> tuple[int, str]:
    """Offset behind the docstring of a function, and the indentation there."""
    first = function.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and len(function.body) > 1
    ):
        first = function.body[1]
    return text.statement_lines(first)[0], text.indent(first)
