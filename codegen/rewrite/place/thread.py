"""Carry precomputed tensors from the top of a model to its encoders, as prefixed keywords.

A step of lift. Features methods hand their ``**kwargs`` to the encoder with the prefix of their modality
removed; a ``forward`` that calls features methods takes the prefixed keywords out of its own, so that
the language model never sees them; generation lets them pass.

    self.visual(pixel_values, grid_thw=grid, **kwargs)
        ->  self.visual(pixel_values, grid_thw=grid, **encoder_inputs(kwargs, "image"))
    self.get_image_features(pixel_values, image_grid_thw)
        ->  self.get_image_features(pixel_values, image_grid_thw, **precomputed)

A method without ``**kwargs`` that takes the results by name gets those of its modality, with the prefix
removed; so does an encoder that one method calls for several grids. What takes neither keeps what it is
called with, and the report says so.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from codegen.rewrite.emit.edits import AddKeywords, Change, Edit, Site, Substitute, at_top
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, speaks_of, target_of, walk
from codegen.rewrite.place.clashes import clashing_call
from codegen.rewrite.place.generation import Generation
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import FEATURES_METHODS

HANDED_ON = "encoder_inputs"


@dataclass(frozen=True)
class Taken:
    """``named`` are the optional parameters that methods were given, by identity of the method; ``prefixed``
    the calls of encoders for several grids, by identity, which get those of their modality."""

    named: Mapping[int, Sequence[str]]
    prefixed: Collection[int]


def thread_keywords(state: RewriteState, taken: Taken) -> None:
    """Edit features methods and the methods that call them, then the classes that generate.

    ``taken`` are the optional parameters that methods have been given.
    """
    if state.shared:
        return
    threaded: set[int] = set()
    for info in state.candidates():
        for cls in state.classes(info):
            for function in cls.methods.values():
                done = False
                with state.attempt("thread", cls, function):
                    done = _thread(state, cls, function, taken)
                if function.name == "forward" and (done or is_threaded(function)):
                    threaded.add(id(function))
    Generation(state, threaded).extend()


def _thread(state: RewriteState, cls: ClassInfo, function: Function, taken: Taken) -> bool:
    """Edit one method; True if it hands keywords to encoders or features methods."""
    info = cls.module
    modality = FEATURES_METHODS.get(function.name, "")
    if modality and is_packed(function):
        edits = features_edits(function, modality)
        if edits and _is_kept(state, cls, function.name):
            return False
        helper, reason = HANDED_ON, f"keywords with the prefix {modality}_ reach the encoder"
    elif function.name == "forward" and not modality:
        edits = forward_edits(state, cls, function, taken)
        helper, reason = "split_precomputed", "prefixed keywords reach the features methods"
    elif function.name == "generate" and ".generate(" in info.segment(function):
        edits = generate_edits(state, cls, function)
        helper, reason = "split_precomputed", "prefixed keywords reach the part that takes them"
    else:
        return False
    if not edits:
        return False
    record = Record(
        model_of(info.source.module),
        cls.name,
        function.name,
        "lifted",
        info.place(function),
        helper=helper,
        path_taken=(f"{cls.name}.{function.name}",),
        reason=reason,
    )
    helpers = {helper, *(HANDED_ON for edit in edits if _hands_on(edit))}
    site = Site(cls, function, tuple(edits))
    needs = tuple((info, name) for name in sorted(helpers))
    state.propose(Change("thread", (site,), needs, (record,)))
    return True


def _is_kept(state: RewriteState, cls: ClassInfo, name: str) -> bool:
    """Tell, and note, that prefixed inputs would go to several calls of features methods for different inputs."""
    clash = clashing_call(state, cls, name)
    if clash is not None:
        _note_refused(state, *clash, "another call for other inputs gets the same keywords")
    return clash is not None


def is_threaded(function: Function) -> bool:
    """Tell whether the keywords of a ``forward`` have been split before."""
    return any(isinstance(node, ast.Assign) and _splits(node) for node in glance(function).body)


def _splits(node: ast.Assign) -> bool:
    """Tell whether a statement is ``precomputed, kwargs = split_precomputed(kwargs)``."""
    target, value = target_of(node), node.value
    if not isinstance(target, ast.Tuple) or not isinstance(value, ast.Call):
        return False
    names = [getattr(part, "id", "") for part in (*target.elts, value.func, *value.args)]
    return len(names) == 4 and [names[0], names[2]] == ["precomputed", "split_precomputed"]


def is_packed(function: Function) -> bool:
    """Tell whether a features method takes packed inputs: a grid, or lengths of audios."""
    names = parameters(function)
    return any(name.endswith(("grid_thw", "feature_lengths")) for name in names)


def shares_keywords(function: Function) -> bool:
    """Tell whether a method hands its ``**kwargs``, by their names, to several modules that it calls.

    What those take besides an encoder is handed to them by :mod:`codegen.rewrite.place.further`.
    """
    named = function.name in FEATURES_METHODS and function.args.kwarg is not None
    return named and is_packed(function) and hands_on(function)


def _hands_on(edit: Edit) -> bool:
    """Tell whether an edit gives a call the keywords of one modality."""
    return isinstance(edit, AddKeywords) and any(HANDED_ON in text for text in edit.keywords)


def features_edits(function: Function, modality: str) -> list[Edit]:
    """Pass ``**kwargs`` on with the modality's prefix removed."""
    edits: list[Edit] = []
    for call in walk(function):
        if isinstance(call, ast.Call) and self_attribute(call.func):
            star = _star(call)
            if star is not None:
                edits.append(Substitute(star, f'{HANDED_ON}({star.id}, "{modality}")'))
    return edits


def _star(call: ast.Call) -> ast.Name | None:
    """The plain name that a call expands as ``**name``."""
    for keyword in call.keywords:
        if keyword.arg is None and isinstance(keyword.value, ast.Name):
            return keyword.value
    return None


def forward_edits(
    state: RewriteState, cls: ClassInfo, function: Function, taken: Taken
) -> list[Edit]:
    """Split the keywords of a ``forward`` and give them to the features methods and encoders it calls."""
    gifts: list[tuple[ast.Call, str]] = []
    refused: list[tuple[ast.Call, str]] = []
    for call, target, modality in takers(state, cls, function):
        if any(keyword.arg is None for keyword in call.keywords):
            continue
        features = target.name in FEATURES_METHODS
        if taken.named.get(id(target)) and (features or id(call) in taken.prefixed):
            gifts.append((call, f'{HANDED_ON}(precomputed, "{modality}")'))
        elif features and hands_on(target) and clashing_call(state, cls, target.name) is None:
            gifts.append((call, "precomputed"))
        elif features:
            what = (
                "takes no further keywords" if target.args.kwarg is None else "keeps its keywords"
            )
            refused.append((call, f"self.{target.name} {what}"))
    if function.args.kwarg is None:
        refused += [(call, "the method takes no further keywords") for call, _ in gifts]
    for call, reason in refused:
        _note_refused(state, cls, function, call, reason)
    return split_edits(function, gifts)


def hands_on(function: Function) -> bool:
    """Tell whether a method expands its own keywords, or those of one modality among them, in a call."""
    name = function.args.kwarg.arg if function.args.kwarg is not None else ""
    for call in calls_in(glance(function)):
        for keyword in call.keywords:
            if keyword.arg is None and name in {
                n.id for n in walk(keyword.value) if isinstance(n, ast.Name)
            }:
                return True
    return False


def takers(
    state: RewriteState, cls: ClassInfo, function: Function
) -> Iterator[tuple[ast.Call, Function, str]]:
    """Calls of own features methods that take packed inputs, and of encoders with a grid of one modality."""
    if not any(_may_take(call) for call in calls_in(glance(function))):
        return
    for number, call in enumerate(calls_in(glance(function))):
        name = self_attribute(call.func)
        if not name:
            continue
        method = state.index.signature(cls, name)
        if method is not None:
            if name in FEATURES_METHODS and is_packed(method):
                yield calls_in(function)[number], method, FEATURES_METHODS[name]
            continue
        modality = modality_of(call)
        held = state.index.submodule(cls, name) if modality else None
        forward = state.index.method(held, "forward") if held is not None else None
        if forward is not None:
            yield calls_in(function)[number], forward[1], modality


def _may_take(call: ast.Call) -> bool:
    """Cheap test of a call."""
    name = self_attribute(call.func)
    return name in FEATURES_METHODS or bool(name and modality_of(call))


def takes_prefixed(function: Function, calls: Sequence[ast.Call]) -> bool:
    """Tell whether a method can hand each of some calls the prefixed keywords of its modality."""
    return (
        function.name == "forward"
        and function.args.kwarg is not None
        and all(modality_of(call) for call in calls)
    )


def modality_of(call: ast.Call) -> str:
    """The modality that the name of a grid among the arguments of a call begins with."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    names = [value.id for value in values if isinstance(value, ast.Name)]
    found = {
        modality
        for modality in FEATURES_METHODS.values()
        for name in names
        if name.startswith(f"{modality}_") and "grid" in name
    }
    return found.pop() if len(found) == 1 else ""


def features_calls(state: RewriteState, cls: ClassInfo, function: Function) -> list[ast.Call]:
    """Calls of own features methods that take packed inputs."""
    found = takers(state, cls, function)
    return [call for call, target, _ in found if target.name in FEATURES_METHODS]


def _note_refused(
    state: RewriteState, cls: ClassInfo, function: Function, call: ast.Call, reason: str
) -> None:
    info = cls.module
    what = f"precomputed inputs with a prefix do not reach {ast.unparse(call.func)}: {reason}"
    place, model = info.place(call), model_of(info.source.module)
    state.note(Record(model, cls.name, function.name, "left", place, reason=what))


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
    if speaks_of(function, "split_precomputed"):
        return []
    return split_edits(function, [(call, "precomputed") for call in calls])


def split_edits(function: Function, gifts: list[tuple[ast.Call, str]]) -> list[Edit]:
    """Split the keywords of a function at its top and hand some calls what is given with each."""
    if function.args.kwarg is None or not gifts:
        return []
    name = function.args.kwarg.arg
    split = at_top(function, (f"precomputed, {name} = split_precomputed({name})",))
    return [split, *(AddKeywords(call, (f"**{given}",)) for call, given in gifts)]
