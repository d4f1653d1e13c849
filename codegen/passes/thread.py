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
        if edits and generates_plainly(workspace, cls):
            edits.append(hooks_edit(text, function))
        helper, reason = "split_precomputed", "prefixed keywords reach the features methods"
    elif function.name == "generate" and ".generate(" in info.segment(function):
        edits = generate_edits(workspace, cls, function)
        helper, reason = "split_precomputed", "prefixed keywords reach the part that takes them"
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
    calls = [
        call
        for call in features_calls(workspace, cls, function)
        if all(keyword.arg is not None for keyword in call.keywords)
    ]
    return split_edits(cls.module.text, function, calls)


def features_calls(workspace: Workspace, cls: ClassInfo, function: Function) -> list[ast.Call]:
    """Calls of own features methods that take packed inputs."""
    found = []
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and _FEATURES.fullmatch(self_attribute(call.func)):
            owners = workspace.index.mro(cls)
            methods = [owner.methods.get(self_attribute(call.func)) for owner in owners]
            if any(method is not None and is_packed(method) for method in methods):
                found.append(call)
    return found


def generate_edits(workspace: Workspace, cls: ClassInfo, function: Function) -> list[Edit]:
    """Keep prefixed keywords for the part whose ``forward`` takes them, where ``generate`` calls several parts'."""
    calls = []
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        part = self_attribute(call.func.value) if call.func.attr == "generate" else ""
        owner = workspace.index.submodule(cls, part) if part else None
        found = workspace.index.method(owner, "forward") if owner is not None else None
        if owner is not None and found is not None and features_calls(workspace, owner, found[1]):
            calls.append(call)
    if "split_precomputed" in ast.dump(function):
        return []
    return split_edits(cls.module.text, function, calls)


def split_edits(text: SourceText, function: Function, calls: list[ast.Call]) -> list[Edit]:
    """Split the keywords of a function at its top and hand the prefixed ones to some calls."""
    if function.args.kwarg is None or not calls:
        return []
    place, indent = _top(text, function)
    name = function.args.kwarg.arg
    edits = [
        Edit(place, place, block([f"precomputed, {name} = split_precomputed({name})"], indent))
    ]
    for call in calls:
        items: list[ast.expr] = [*call.args, *[k.value for k in call.keywords]]
        end = max(text.span(item)[1] for item in items)
        edits.append(Edit(end, end, ", **precomputed"))
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


def generates_plainly(workspace: Workspace, cls: ClassInfo) -> bool:
    """Tell whether a class generates with the hooks of the library, and none it inherits from here does."""
    if not _is_generator(cls):
        return False
    ancestors = workspace.index.mro(cls)
    known = {"_validate_model_kwargs", "_expand_inputs_for_generation"}
    return not any(
        known & set(ancestor.methods) or (_is_generator(ancestor) and ancestor is not cls)
        for ancestor in ancestors
    )


def _is_generator(cls: ClassInfo) -> bool:
    bases = [getattr(base, "id", "") for base in cls.node.bases]
    return "GenerationMixin" in bases or "prepare_inputs_for_generation" in cls.methods


# A call of `super()` that is a whole statement would be expanded where the parent is known.
VALIDATION = (
    "def _validate_model_kwargs(self, model_kwargs: dict):",
    "    # Precomputed tensors are keywords that no signature names",
    "    validate = super()._validate_model_kwargs",
    "    validate(split_precomputed(model_kwargs)[1])",
    "",
)
EXPANSION = (
    "def _expand_inputs_for_generation(self, expand_size: int = 1, **model_kwargs):",
    "    # Repeated inputs no longer fit tensors that were computed before",
    "    if expand_size > 1:",
    "        _, model_kwargs = split_precomputed(model_kwargs)",
    "    expand = super()._expand_inputs_for_generation",
    "    return expand(expand_size=expand_size, **model_kwargs)",
    "",
)


def validation_edit(text: SourceText, function: Function) -> Edit:
    """Let ``generate`` accept prefixed keywords, which no signature names."""
    return _methods_edit(text, function, VALIDATION)


def hooks_edit(text: SourceText, function: Function) -> Edit:
    """Let ``generate`` accept prefixed keywords, and drop them where inputs are repeated."""
    return _methods_edit(text, function, VALIDATION + EXPANSION)


def _methods_edit(text: SourceText, function: Function, lines: tuple[str, ...]) -> Edit:
    """Insert methods in front of a method and its decorators."""
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
