"""Give the modules behind an encoder the precomputed tensors that they take.

The last step of lift. A features method hands its keywords to the encoder; what a resampler or projector
behind it takes as well goes there, and not to the encoder:

    hidden = self.visual(pixels, grid, **encoder_inputs(kwargs, "image"))
    return self.projector(hidden, grid)
        ->  hidden = self.visual(pixels, grid, **encoder_inputs(kwargs, "image", without=("block_order",)))
            return self.projector(hidden, grid, **encoder_inputs(kwargs, "image", only=("block_order",)))
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.emit.edits import AddKeywords, Change, Edit, Site, Substitute
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.helpers import is_input, rank
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.thread import HANDED_ON, shares_keywords
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import FEATURES_METHODS


def share_keywords(state: RewriteState) -> None:
    """Edit every features method that calls such a module."""
    for info in state.candidates():
        for cls in state.classes(info):
            for function in cls.methods.values():
                if shares_keywords(function):
                    with state.attempt("further", cls, function):
                        _share(state, cls, function)
    state.settle()


def _share(state: RewriteState, cls: ClassInfo, function: Function) -> None:
    modality = FEATURES_METHODS[function.name]
    own = set(parameters(function))
    encoders = [call for call in walk(function) if isinstance(call, ast.Call) and _handed(call)]
    known = {name for call in encoders for name in _taken(state, cls, call)}
    gifts = [
        (call, names)
        for call in walk(function)
        if isinstance(call, ast.Call) and not any(k.arg is None for k in call.keywords)
        if (names := [n for n in _taken(state, cls, call) if n not in known | own])
    ]
    # Of one encoder with its keywords it is certain that it comes first.
    if not gifts or len(encoders) != 1 or encoders[0].lineno > gifts[0][0].lineno:
        return
    handed = _handed(encoders[0])
    assert handed is not None
    others = sorted({name for _, names in gifts for name in names}, key=rank)
    arguments = f'{ast.unparse(handed.args[0])}, "{modality}"'
    edits: list[Edit] = [Substitute(handed, f"{HANDED_ON}({arguments}, without={_tuple(others)})")]
    for call, names in gifts:
        edits.append(AddKeywords(call, (f"**{HANDED_ON}({arguments}, only={_tuple(names)})",)))
    info = cls.module
    record = Record(
        model_of(info.source.module),
        cls.name,
        function.name,
        "lifted",
        info.place(function),
        helper=HANDED_ON,
        parameters=tuple(others),
        path_taken=(f"{cls.name}.{function.name}",),
        reason=f"they reach {', '.join(ast.unparse(call.func) for call, _ in gifts)}",
    )
    site = Site(cls, function, tuple(edits))
    state.propose(Change("further", (site,), ((info, HANDED_ON),), (record,)))


def _handed(call: ast.Call) -> ast.Call | None:
    """``encoder_inputs(...)`` of a call that is given ``**encoder_inputs(...)`` of all keywords."""
    if not self_attribute(call.func):
        return None
    for keyword in call.keywords:
        value = keyword.value if keyword.arg is None else None
        if not isinstance(value, ast.Call) or value.keywords or len(value.args) != 2:
            continue
        if ast.unparse(value.func) == HANDED_ON:
            return value
    return None


def _taken(state: RewriteState, cls: ClassInfo, call: ast.Call) -> Iterator[str]:
    """Optional inputs that the ``forward`` of a called module names and the call does not give."""
    name = self_attribute(call.func)
    held = state.index.submodule(cls, name) if name else None
    forward = state.index.method(held, "forward") if held is not None else None
    given = {keyword.arg for keyword in call.keywords}
    for parameter in parameters(forward[1]) if forward is not None else ():
        if is_input(parameter) and parameter not in given:
            yield parameter


def _tuple(names: list[str]) -> str:
    return f"({', '.join(repr(name) for name in names)}{',' if len(names) == 1 else ''})".replace(
        "'", '"'
    )
