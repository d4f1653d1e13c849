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

from codegen.rewrite.emit.edits import Edit, block
from codegen.rewrite.emit.signature import body_start
from codegen.rewrite.library import ClassInfo, Function, parameters, self_attribute
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.generation import Generation
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import FEATURES_METHODS
from codegen.text.lines import LineMap


def thread_keywords(state: RewriteState) -> None:
    """Edit features methods and the methods that call them, then the classes that generate."""
    if state.shared:
        return
    threaded: set[int] = set()
    for info in state.candidates():
        for cls in state.classes(info):
            for function in cls.methods.values():
                done = _thread(state, cls, function)
                if function.name == "forward" and (done or is_threaded(info.segment(function))):
                    threaded.add(id(function))
    Generation(state, threaded).extend()


def _thread(state: RewriteState, cls: ClassInfo, function: Function) -> bool:
    """Edit one method; True if it hands keywords to encoders or features methods."""
    info, text = cls.module, cls.module.text
    modality = FEATURES_METHODS.get(function.name, "")
    if modality and is_packed(function):
        edits = features_edits(text, function, modality)
        helper, reason = "encoder_inputs", f"keywords with the prefix {modality}_ reach the encoder"
    elif function.name == "forward" and "_features(" in info.segment(function):
        edits = forward_edits(state, cls, function)
        helper, reason = "split_precomputed", "prefixed keywords reach the features methods"
    elif function.name == "generate" and ".generate(" in info.segment(function):
        edits = generate_edits(state, cls, function)
        helper, reason = "split_precomputed", "prefixed keywords reach the part that takes them"
    else:
        return False
    if not edits:
        return False
    state.edit(info, edits)
    state.need(info, helper)
    state.note(
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
    return True


def is_threaded(source: str) -> bool:
    """Tell whether the keywords of a ``forward`` have been split before."""
    return re.search(r"^\s+precomputed, (\w+) = split_precomputed\(\1\)$", source, re.M) is not None


def is_packed(function: Function) -> bool:
    """Tell whether a features method takes packed inputs: a grid, or lengths of audios."""
    names = parameters(function)
    return any(name.endswith(("grid_thw", "feature_lengths")) for name in names)


def features_edits(text: LineMap, function: Function, modality: str) -> list[Edit]:
    """Pass ``**kwargs`` on with the modality's prefix removed."""
    edits = []
    for call in walk(function):
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


def forward_edits(state: RewriteState, cls: ClassInfo, function: Function) -> list[Edit]:
    """Split the keywords of a ``forward`` and give them to the features methods it calls."""
    calls = [
        call
        for call in features_calls(state, cls, function)
        if all(keyword.arg is not None for keyword in call.keywords)
    ]
    return split_edits(cls.module.text, function, calls)


def features_calls(state: RewriteState, cls: ClassInfo, function: Function) -> list[ast.Call]:
    """Calls of own features methods that take packed inputs."""
    found = []
    for call in walk(function):
        if isinstance(call, ast.Call) and self_attribute(call.func) in FEATURES_METHODS:
            owners = state.index.mro(cls)
            methods = [owner.methods.get(self_attribute(call.func)) for owner in owners]
            if any(method is not None and is_packed(method) for method in methods):
                found.append(call)
    return found


def generate_edits(state: RewriteState, cls: ClassInfo, function: Function) -> list[Edit]:
    """Keep prefixed keywords for the part whose ``forward`` takes them, where ``generate`` calls several parts'."""
    calls = []
    for call in walk(function):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        part = self_attribute(call.func.value) if call.func.attr == "generate" else ""
        owner = state.index.submodule(cls, part) if part else None
        found = state.index.method(owner, "forward") if owner is not None else None
        if owner is not None and found is not None and features_calls(state, owner, found[1]):
            calls.append(call)
    if "split_precomputed" in ast.dump(function):
        return []
    return split_edits(cls.module.text, function, calls)


def split_edits(text: LineMap, function: Function, calls: list[ast.Call]) -> list[Edit]:
    """Split the keywords of a function at its top and hand the prefixed ones to some calls."""
    if function.args.kwarg is None or not calls:
        return []
    place, indent = body_start(text, function)
    name = function.args.kwarg.arg
    edits = [
        Edit(place, place, block([f"precomputed, {name} = split_precomputed({name})"], indent))
    ]
    for call in calls:
        items: list[ast.expr] = [*call.args, *[k.value for k in call.keywords]]
        end = max(text.span(item)[1] for item in items)
        edits.append(Edit(end, end, ", **precomputed"))
    return edits
