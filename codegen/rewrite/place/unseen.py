"""Calls that may come to a lifted encoder and hand on none of its inputs: reported, so that none is left without a word.

    getattr(self, name)(rows, grid)      self.towers[kind](rows, grid)      self.visual(rows, **collected)

A step behind lift, which hands inputs on in calls that name the module. What is called here computes what
it is not given, as before; whoever precomputes has to know that the tensors do not get there.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.helpers import LONGEST, is_input, rank
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, walk
from codegen.rewrite.place.bindings import given_names
from codegen.rewrite.place.holders import Giving, key_of
from codegen.rewrite.place.thread import HANDED_ON
from codegen.rewrite.reach import spot_of
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import Vocabulary, is_host_class, torch_name

_ASKING = frozenset(
    (
        "bool",
        "callable",
        "dict",
        "enumerate",
        "getattr",
        "hasattr",
        "id",
        "isinstance",
        "issubclass",
    )
    + (
        "iter",
        "len",
        "list",
        "next",
        "print",
        "repr",
        "reversed",
        "setattr",
        "str",
        "super",
        "tuple",
    )
    + ("type", "zip")
)
"""Functions that call no module that they are given."""

_SEGMENTS = frozenset(name for helper in LONGEST.values() for name in helper.outputs)
"""Inputs that an encoder hands to its layers, which has rules of its own."""
_GIVING_ANY = ("getattr(self", "children(", "modules(", "._modules", "get_submodule(")
"""Texts of calls that give any module that an instance holds."""


@dataclass(frozen=True)
class _Found:
    """A call with the classes that it may come to, and why nothing is handed on there."""

    call: ast.Call
    classes: frozenset[str]
    why: str


def report_unseen(state: RewriteState) -> None:
    """Report such calls in every class of the state; what was said of a call already is not said again."""
    if not state.reports:
        return
    taken = _taken(state)
    if not taken:
        return
    wanted = frozenset(taken)
    files = {info.source.path for info in state.candidates()}
    classes = [cls for cls in state.inheriting() if not is_host_class(cls.name)]
    giving = [(cls, Giving(state.index, cls, wanted)) for cls in classes]
    within = {f".{name}" for _, one in giving for name in one.attributes if name}
    seen: set[int] = set()
    for cls, one in giving:
        own = cls.module.source.path in files
        if not own and not one.attributes:
            continue
        with state.attempt("lift", cls):
            for owner, function in _methods(state, cls, one, within):
                if owner.module.source.path not in files:
                    continue
                plain = _known_to_lift(state, owner, one, wanted)
                for found in _calls(one, owner, function, plain):
                    if id(found.call) not in seen:
                        seen.add(id(found.call))
                        names = {name for c in found.classes for name in taken[c]}
                        _note(state, owner, function, found, sorted(names, key=rank))
            for function, found in _unknown(state, cls, one) if own else ():
                _note(state, cls, function, found, [])


def _taken(state: RewriteState) -> dict[str, tuple[str, ...]]:
    """The classes, by their keys, whose ``forward`` has been given optional inputs, with these."""
    lifted: dict[tuple[str, str], set[str]] = {}
    for record in state.records:
        if record.kind == "lifted" and record.method == "forward":
            path = record.location.rpartition(":")[0]
            names = (name for name in record.parameters if is_input(name) and name not in _SEGMENTS)
            lifted.setdefault((path, record.cls), set()).update(names)
    found = {}
    for cls in state.inheriting() if any(lifted.values()) else ():
        forward = state.index.method(cls, "forward")
        owner = forward[0] if forward is not None else cls
        given = lifted.get((owner.module.source.path, owner.name))
        if given and forward is not None:
            found[key_of(cls)] = tuple(given)
    return found


def _methods(
    state: RewriteState, cls: ClassInfo, giving: Giving, within: Collection[str]
) -> Iterator[tuple[ClassInfo, Function]]:
    """The methods that a class has and that may call such a module, with the classes that define them.

    A look at the text comes first. ``within`` are attributes of other modules that hold one.
    """
    words = {*_GIVING_ANY, *(f".{name}" for name in giving.words())} if giving.attributes else ()
    overridden: set[str] = set()
    for owner in state.index.mro(cls):
        wanted = {*words, *within} if owner is cls else words
        asked = [word for word in wanted if _stands_in(owner.module.source.text, word)]
        for name, function in owner.methods.items() if asked else ():
            segment = owner.module.segment(function)
            known = name == "__init__" or name in overridden
            if not known and any(word in segment for word in asked):
                yield owner, function
        overridden.update(owner.methods)


@lru_cache(maxsize=4096)
def _stands_in(text: str, word: str) -> bool:
    """Tell whether a file holds a word; all its classes ask the same."""
    return word in text


def _known_to_lift(
    state: RewriteState, owner: ClassInfo, giving: Giving, wanted: frozenset[str]
) -> set[str]:
    """Attributes that hold such a module for the class that defines a method, too."""
    held = ((name, state.index.submodule(owner, name)) for name in giving.attributes)
    return {name for name, made in held if made is not None and key_of(made) in wanted}


def _calls(
    giving: Giving, owner: ClassInfo, function: Function, plain: set[str]
) -> Iterator[_Found]:
    """The calls of one method; ``plain`` are attributes whose class lift knows."""
    giving.read(function)
    kept = _made_of(function)
    for call in walk(function):
        if not isinstance(call, ast.Call) or _hands_on(call, kept):
            continue
        called, held = call.func, giving.of(call.func)
        if held is not None and not held.many:
            name = self_attribute(called)
            if name in plain:
                why = _why_not_handed(function, call)
            elif name in giving.attributes:
                why = f"{ast.unparse(called)} may be another module, for all that {owner.name} says"
            else:
                why = f"{ast.unparse(called)} is no plain self.<module>"
            if why:
                yield _Found(call, held.classes, why)
        elif getattr(called, "id", "") not in _ASKING and giving.of(call) is None:
            for value in (*call.args, *(keyword.value for keyword in call.keywords)):
                held = giving.of(value)
                if held is not None:
                    what = f"{ast.unparse(called)} gets {ast.unparse(value)} and may call it"
                    yield _Found(call, held.classes, what)


def _unknown(
    state: RewriteState, cls: ClassInfo, giving: Giving
) -> Iterator[tuple[Function, _Found]]:
    """Calls that give a grid or lengths to a module whose class ``__init__`` does not name."""
    vocabulary = state.index.vocabulary
    for function in cls.methods.values():
        if not any(word in cls.module.segment(function) for word in vocabulary.words):
            continue
        for number, glanced in enumerate(calls_in(glance(function))):
            name = self_attribute(glanced.func)
            if not name or name in giving.attributes or not _gets_sizes(vocabulary, glanced):
                continue
            held = state.index.attribute(cls, name)
            made = held[2].func if held is not None and isinstance(held[2], ast.Call) else None
            if made is None or torch_name(made) or state.index.submodule(cls, name) is not None:
                continue
            call = calls_in(function)[number]
            if not _hands_on(call, _made_of(function)):
                why = f"which module self.{name} is, {ast.unparse(made)}(...) does not say"
                yield function, _Found(call, frozenset(), why)


def _gets_sizes(vocabulary: Vocabulary, call: ast.Call) -> bool:
    """Tell whether a call is given something that is called as a grid or as lengths."""
    given = [getattr(node, "id", getattr(node, "attr", "")) for node in call.args]
    given += [keyword.arg or "" for keyword in call.keywords]
    return bool(vocabulary.grid_of(given) or vocabulary.lengths_of(given))


def _why_not_handed(function: Function, call: ast.Call) -> str:
    """Why lift has handed nothing on in a call that names the module; empty where it says so itself."""
    if spot_of(function, call) is None:
        return "the call stands in a function of its own"
    for keyword in call.keywords:
        if keyword.arg is None:
            return f"what **{ast.unparse(keyword.value)} holds is not known"
    return ""


def _made_of(function: Function) -> frozenset[str]:
    """The keywords of a method, and local names that are made of them."""
    names = {function.args.kwarg.arg} if function.args.kwarg is not None else set()
    size = -1
    while size < len(names):
        size = len(names)
        for node in walk(function):
            if isinstance(node, ast.Assign) and names & _read(node.value):
                names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return frozenset(names)


def _read(node: ast.AST) -> set[str]:
    return {n.id for n in walk(node) if isinstance(n, ast.Name)}


def _hands_on(call: ast.Call, kept: frozenset[str]) -> bool:
    """Tell whether a call gives an input by name, or the caller's keywords, ``kept``, or some of them."""
    if any(map(is_input, given_names(call))):
        return True
    expanded = [keyword.value for keyword in call.keywords if keyword.arg is None]
    return any(_read(value) & {*kept, HANDED_ON, "precomputed"} for value in expanded)


def _note(
    state: RewriteState, cls: ClassInfo, function: Function, found: _Found, names: list[str]
) -> None:
    info = cls.module
    which = " or ".join(sorted({key.rpartition(":")[2] for key in found.classes})) or "it"
    what, how = ", ".join(names) or "precomputed inputs", "write the call as self.<module>(...)"
    reason = f"{found.why}: {what} not handed on to {which}, which computes its own ({how}, or give them by name)"
    place, model = info.place(found.call), model_of(info.source.module)
    state.note(Record(model, cls.name, function.name, "left", place, "lift", reason=reason))
