"""Let ``generate`` take precomputed tensors: accept the prefixed keywords, and drop what repetition spoils.

A step of lift, for every class that generates and whose ``forward`` takes prefixed keywords. Keywords are
checked against signatures that do not name them; and where inputs are repeated for beams or several
sequences, tensors that follow from their sizes are no longer right.

    def _validate_model_kwargs(self, model_kwargs):
        validate = super()._validate_model_kwargs
        validate(split_precomputed(model_kwargs)[1])

The method of the library is meant: a call of ``super()`` that is a whole statement would be expanded
where a definition folds a parent.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import lru_cache

from codegen.rewrite.emit.edits import (
    Change,
    Edit,
    Insert,
    Redefine,
    Site,
    Substitute,
    at_top,
    behind_class,
)
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, speaks_of, walk
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of

MIXIN = "GenerationMixin"
VALIDATE = "_validate_model_kwargs"
PREPARE = "prepare_inputs_for_generation"
EXPAND = "_expand_inputs_for_generation"
#: What a record of some kind is about.
_HELPERS = {"lifted": "split_precomputed"}

_DROP = (
    "if expand_size > 1:",
    "    _, {0} = split_precomputed({0})",
)
_VALIDATION = (
    f"def {VALIDATE}(self, model_kwargs: dict):",
    "    # Precomputed tensors are keywords that no signature names",
    f"    validate = super().{VALIDATE}",
    "    validate(split_precomputed(model_kwargs)[1])",
)
# The docstring also keeps expansion from taking that of an override which this one replaces.
_EXPANSION = (
    f"def {EXPAND}(self, expand_size: int = 1, **model_kwargs):",
    '    """Repeats inputs, but not what was computed from their sizes: it would not fit."""',
    *(f"    {line.format('model_kwargs')}" for line in _DROP),
    f"    expand = super().{EXPAND}",
    "    return expand(expand_size=expand_size, **model_kwargs)",
)

_DEEPEST = 3
"""So many modules in each other are looked into for the one that takes keywords."""


class Generation:
    """Classes that generate, and those whose ``forward`` takes prefixed keywords.

    ``threaded`` are the ids of the ``forward`` functions that hand prefixed keywords to features
    methods themselves.
    """

    def __init__(self, state: RewriteState, threaded: Collection[int]) -> None:
        self.state = state
        self.index = state.index
        self.threaded = threaded
        self._edited: set[int] = set()

    def extend(self) -> None:
        """Queue the edits of all classes and of what their calls of other functions need."""
        for info in self.state.candidates():
            for cls in self.state.classes(info):
                if "forward" in cls.methods:
                    self._strip(cls, cls.methods["forward"])
                if self.takes_keywords(cls) and self.generates(cls):
                    self._accept(cls)
                    self._protect(cls)

    def takes_keywords(self, cls: ClassInfo, depth: int = _DEEPEST) -> bool:
        """Tell whether the ``forward`` of a class hands prefixed keywords to features methods."""
        for owner in self.index.mro(cls):
            function = owner.methods.get("forward")
            if function is None:
                continue
            if id(function) in self.threaded or any(self._takers(cls, glance(function), depth)):
                return True
            if "super().forward(" not in owner.module.segment(function):
                return False
        return False

    def _takers(self, cls: ClassInfo, function: Function, depth: int) -> Iterator[ast.Call]:
        """Calls that hand the keywords of a method on to a submodule that takes them."""
        for call, _ in starred_calls(function):
            target = self.index.submodule(cls, self_attribute(call.func))
            if depth and target is not None and self.takes_keywords(target, depth - 1):
                yield call

    def generates(self, cls: ClassInfo) -> bool:
        """Tell whether a class or an ancestor has the mixin among its bases, or prepares inputs for it."""
        ancestors = self.index.mro(cls)
        if any(PREPARE in ancestor.methods for ancestor in ancestors):
            return True
        bases = [base for ancestor in ancestors for base in ancestor.node.bases]
        return any(ast.unparse(base).rpartition(".")[2] == MIXIN for base in bases)

    # -- edits ------------------------------------------------------------------------------------

    def _strip(self, cls: ClassInfo, function: Function) -> None:
        """Keep prefixed keywords from functions beside the one that takes them, such as the loss."""
        if not any(self._takers(cls, glance(function), _DEEPEST)):
            return
        takers = list(self._takers(cls, function, _DEEPEST))
        edits: tuple[Edit, ...] = tuple(
            Substitute(star, f"split_precomputed({star.id})[1]")
            for call, star in starred_calls(function)
            if call not in takers and self_attribute(call.func)
        )
        if edits:
            site = Site(cls, function, edits)
            self._propose(site, function.name, "prefixed keywords reach the model only")

    def _accept(self, cls: ClassInfo) -> None:
        """Give a class the hook that accepts prefixed keywords, unless it inherits one."""
        ancestors = self.index.mro(cls)
        if any(VALIDATE in ancestor.methods for ancestor in ancestors):
            return
        if any(self.takes_keywords(a) and self.generates(a) for a in ancestors[1:]):
            return
        own = cls.methods.get(EXPAND)
        if own is None or is_deletion_marker(own):
            site = behind_class(cls, _VALIDATION)
        else:
            site = Site(cls, own, (Insert(own, (*_VALIDATION, "")),))
        self._propose(site, VALIDATE, "prefixed keywords are accepted by generate")

    def _protect(self, cls: ClassInfo) -> None:
        """Drop prefixed keywords where the inputs of a class are repeated."""
        found = self.index.method(cls, EXPAND)
        if found is None:
            if not any(
                self.takes_keywords(a) and self.generates(a) for a in self.index.mro(cls)[1:]
            ):
                self._repeat(behind_class(cls, _EXPANSION))
            return
        owner, function = found
        if id(function) in self._edited or speaks_of(function, "split_precomputed"):
            return
        self._edited.add(id(function))
        if is_deletion_marker(function) and not Index.generated_of(owner.module.source.module):
            return
        if is_deletion_marker(function):
            self._repeat(Site(owner, function, (Redefine(self._expansion_past_parent(owner)),)))
            return
        keywords = function.args.kwarg
        candidates = {info.source.module for info in self.state.candidates()}
        known = keywords is not None and "expand_size" in parameters(function)
        if keywords is None or not known or owner.module.source.module not in candidates:
            reason = "repeats its inputs in a way that is not understood: precomputed ones, too"
            self.state.note(self._record(owner, EXPAND, "left", reason))
            return
        lines = tuple(line.format(keywords.arg) for line in _DROP)
        self._repeat(Site(owner, function, (at_top(function, lines),)))

    def _expansion_past_parent(self, owner: ClassInfo) -> tuple[str, ...]:
        """The hook in place of a deletion marker: what the parent has is not to be reached."""
        folded = [ast.unparse(base) for base in owner.node.bases]
        folded = [base for base in folded if base.rpartition(".")[2] != MIXIN]
        if not self.state.settings.python_super or not folded:
            return _EXPANSION
        return tuple(line.replace("super()", f"super({folded[0]}, self)") for line in _EXPANSION)

    def _repeat(self, site: Site) -> None:
        self._propose(site, EXPAND, "prefixed keywords are dropped where inputs are repeated")

    def _propose(self, site: Site, method: str, reason: str) -> None:
        helpers = ((site.cls.module, "split_precomputed"),)
        record = self._record(site.cls, method, "lifted", reason)
        self.state.propose(Change("generation", (site,), helpers, (record,)))

    @staticmethod
    def _record(cls: ClassInfo, method: str, kind: str, reason: str) -> Record:
        info = cls.module
        helper = _HELPERS.get(kind, "")
        path = (f"{cls.name}.{method}",) if helper else ()
        place = info.place(cls.methods.get(method, cls.node))
        model = model_of(info.source.module)
        return Record(model, cls.name, method, kind, place, helper, path_taken=path, reason=reason)


def is_deletion_marker(function: Function) -> bool:
    """Tell whether a method only raises: in a definition it says that the parent's is to be removed."""
    return isinstance(function.body[0], ast.Raise)


@lru_cache(maxsize=4096)
def starred_calls(function: Function) -> tuple[tuple[ast.Call, ast.Name], ...]:
    """Calls that expand the keywords of their function, with the name that is expanded."""
    kwarg = function.args.kwarg
    if kwarg is None:
        return ()
    return tuple(
        (call, keyword.value)
        for call in walk(function)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg is None
        and isinstance(keyword.value, ast.Name)
        and keyword.value.id == kwarg.arg
    )
