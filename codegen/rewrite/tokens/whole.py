"""What counts as the same in runs that compare a ``__call__`` with the library's own.

Tensors are made by the tokenizer or of the whole at the end, as the same option says; behind the tokenizer the
placeholders are counted that the processor has; and what is not named is not there.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens.asking import OPTION
from codegen.rewrite.tokens.scopes import Instance, Scope
from codegen.rewrite.tokens.terms import GONE, Arguments, Term, World, freeze, term

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

CHECK = "_check_special_mm_tokens"
OF_VIDEOS = "video_metadata"
"""What only a video processor returns: the calls that are compared are given images."""
_TENSORS = "return_tensors"
_FEATURES = term("global", "BatchFeature").digest


def has(machine: Machine, owner: Instance, name: str) -> bool:
    """Whether a processor has an attribute: in a run of the whole only what is given to it."""
    is_given = owner.attributes.get(name, GONE) is not GONE
    known = is_given or machine.subject.method(name) is not None
    return known or class_value(machine, name) is not None


def class_value(machine: Machine, name: str) -> Any:
    """The value that a class body gives a name; None where none does."""
    for cls in machine.subject.line:
        for node in cls.node.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(getattr(target, "id", "") == name for target in targets):
                assert isinstance(node, ast.Assign)
                return machine.value(node.value, Scope({}))
    return None


def features(called: Term, args: Arguments, keywords: Mapping[str, Any]) -> Term | None:
    """What ``BatchFeature`` makes: of which data, and whether of tensors."""
    if called.digest != _FEATURES:
        return None
    data = args[0] if args else keywords.get("data")
    kind = args[1] if len(args) > 1 else keywords.get("tensor_type")
    return term("features", {"**0": data} if isinstance(data, Term) else data, kind)


def arguments(
    machine: Machine, part: str, args: Arguments, keywords: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]] | None:
    """What a part of the processor is given, as both calls would give it; None if it plays no part."""
    if part == "tokenizer":
        given = {key: _without_tensors(value) for key, value in keywords.items()}
        asked = given.get(_TENSORS)
        sources = [value for key, value in keywords.items() if key.startswith("**")]
        if asked is None or any(_is_entry(machine.world, asked, s) for s in sources):
            given.pop(_TENSORS, None)
        return [*args, *([given.pop("text")] if not args and "text" in given else [])], given
    if part == CHECK:
        known = machine.instance.attributes
        wanted = keywords.get("modalities", args[2] if len(args) > 2 else ())
        there = [k for k in wanted if {f"{k}_token", f"{k}_token_id"} <= known.keys()]
        return ([*args[:2]], {"modalities": there}) if there else None
    return [*args], dict(keywords)


def _without_tensors(value: Any) -> Any:
    """Keywords for text without those that are not the tokenizer's alone."""
    if not isinstance(value, Term):
        return value
    made = Term(value.digest, value.length, value.nested, value.items)
    made.children = value.children
    made.changed = {k: v for k, v in value.changed.items() if k not in (_TENSORS, OPTION)}
    return made


def _is_entry(world: World, value: Any, source: Any) -> bool:
    gone = isinstance(source, Term) and source.changed.get(_TENSORS) is not GONE
    return gone and freeze(world.entry(source, _TENSORS)) == freeze(value)
