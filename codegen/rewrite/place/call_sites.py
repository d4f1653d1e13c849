"""Which calls may come to lifted methods, directly or by way of others that do."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance
from codegen.rewrite.place.bindings import given_of
from codegen.rewrite.place.carry import CallSite
from codegen.rewrite.place.thread import shares_keywords
from codegen.rewrite.reach import spot_of
from codegen.rewrite.vocabulary import FEATURES_METHODS


def call_sites(
    index: Index, methods: Sequence[tuple[ClassInfo, Function]], lifted: Collection[int]
) -> Iterator[CallSite]:
    """Calls that may come to a lifted method: of own ones and of submodules without ``**kwargs``."""
    found = [
        (cls, function, number, target)
        for cls, function in methods
        for number, call in enumerate(calls_in(glance(function)))
        if (name := self_attribute(call.func))
        if (target := _target(index, cls, function, name, call)) and target[0] is not function
    ]
    reached, size = set(lifted), -1
    while size < len(reached):
        size = len(reached)
        reached |= {id(caller) for _, caller, _, target in found if id(target[0]) in reached}
    for cls, function, number, target in found:
        if id(target[0]) not in reached:
            continue
        call = calls_in(function)[number]
        spot = spot_of(function, call)
        if spot is not None:
            yield CallSite(cls, function, call, spot, *target)


def _target(
    index: Index, cls: ClassInfo, function: Function, name: str, call: ast.Call
) -> tuple[Function, str] | None:
    if name in FEATURES_METHODS and function.name not in FEATURES_METHODS:
        # These take prefixed keywords, which thread_keywords hands to them.
        return None
    method = index.method(cls, name)
    if method is not None:
        return method[1], "self"
    inner = given_of(call)
    expanded = (k.value for k in call.keywords if k.arg is None)
    if any(value is not inner for value in expanded) or shares_keywords(function):
        return None
    submodule = index.submodule(cls, name)
    forward = index.method(submodule, "forward") if submodule is not None else None
    return (forward[1], f"self.{name}") if forward is not None else None
