"""lift: turn the results of helpers into optional inputs and thread them through their callers.

Second of the passes, behind extract, whose helper calls it looks for.

    def forward(self, x, grid_thw, **kwargs):      def forward(self, x, grid_thw, cu_seqlens=None, **kwargs):
        cu_seqlens = get_...(grid_thw)        ->       if cu_seqlens is None:
                                                           cu_seqlens = get_...(grid_thw)

A method that calls a lifted one computes the value itself, where it knows the number of tokens, and
hands it on; one that only wraps an encoder hands on what it was given. So the outermost ``forward`` of
an encoder accepts everything. A caller that passes its ``**kwargs`` on needs no change.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from codegen.rewrite.functions import Function, defaults_of, self_attribute
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.helpers import LIFTED
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import is_written
from codegen.rewrite.place.bindings import is_of_entry
from codegen.rewrite.place.call_sites import call_sites
from codegen.rewrite.place.called import Called
from codegen.rewrite.place.carry import (
    CallSite,
    HelperCall,
    Want,
    carry,
    is_direct,
    unwritable,
    wants_of,
)
from codegen.rewrite.place.decorators import narrow_decorator
from codegen.rewrite.place.helper_calls import called_helper, helper_call, names_bound
from codegen.rewrite.place.hoist import hoist_positions
from codegen.rewrite.place.lifting import Lifting, NotLifted
from codegen.rewrite.place.replaced import replacing
from codegen.rewrite.place.sink import sink_computations
from codegen.rewrite.place.thread import Taken, takes_prefixed, thread_keywords
from codegen.rewrite.place.write_liftings import write_liftings
from codegen.rewrite.place.written import written_in_place
from codegen.rewrite.reach import Reaching, may_leave_before
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of

_ROUNDS = 12
"""Callers of callers of ... lifted methods that are looked at; more than any model has."""


def lift(state: RewriteState) -> None:
    """Lift every helper call of the state."""
    sink_computations(state)
    fixed = hoist_positions(state)
    lifter = Lifter(state)
    lifter.collect(fixed)
    lifter.thread()
    write_liftings(state, lifter.liftings, lifter.not_lifted)
    thread_keywords(state, Taken(lifter.names, lifter.prefixed))
    state.settle()


class Lifter:
    """Liftings of methods, keyed by the identity of the function node."""

    def __init__(self, state: RewriteState) -> None:
        self.state = state
        self.index = state.index
        self.methods = [
            (cls, function)
            for info in state.candidates()
            for cls in state.classes(info)
            for function in cls.methods.values()
        ]
        self.family = state.inheriting()
        self.heirs = Heirs(state.index, self.family)
        self.direct: dict[int, Lifting] = {}
        self.liftings: dict[int, Lifting] = {}
        self._called = Called(state.index, self.heirs)
        self._reaching: dict[int, Reaching] = {}
        self._replacing: dict[tuple[int, str], str] = {}
        self.prefixed: set[int] = set()
        self.not_lifted = NotLifted(state)

    @property
    def names(self) -> Mapping[int, list[str]]:
        """Names of the optional parameters that methods get, by identity of the method."""
        return {key: lifting.names for key, lifting in self.liftings.items()}

    def reaching(self, function: Function) -> Reaching:
        """The flow analysis of a method, made once."""
        if id(function) not in self._reaching:
            self._reaching[id(function)] = Reaching(function)
        return self._reaching[id(function)]

    def collect(self, fixed: Collection[tuple[str, str]]) -> None:
        """Find the helper calls that extraction left, but for modules whose parameters are fixed."""
        for cls, function in self.methods:
            if function.name == "forward" and (cls.module.source.module, cls.name) in fixed:
                continue
            segment = cls.module.segment(function)
            if not any(name in segment for name in LIFTED):
                continue
            for statement in function.body:
                call = helper_call(statement)
                if call is not None:
                    self._collect(cls, function, call)
                elif (helper := called_helper(statement)) is not None:
                    names = ", ".join(helper.outputs)
                    reason = f"its result cannot be called {names} in this method: no parameter"
                    if names_bound(statement) == helper.outputs:
                        reason = "its arguments are given by names: no parameter"
                    self.not_lifted.note(cls, function, statement, HelperCall(helper, ()), reason)

    def _collect(self, cls: ClassInfo, function: Function, call: HelperCall) -> None:
        assert call.statement is not None
        reaching = self.reaching(function)
        if not is_direct(reaching, call.statement, call.helper.outputs):
            reason = "computed for several inputs under one name: no parameter can stand for it"
            self.not_lifted.note(cls, function, call.statement, call, reason)
            return
        why = self._fixed(cls, function, reaching, call)
        if why:
            self.not_lifted.note(cls, function, call.statement, call, why)
            return
        portable = is_of_entry(reaching, function, call.statement, call.arguments)
        eager = not may_leave_before(function, call.statement)
        known = replace(call, portable=portable, eager=eager)
        lifting = self.direct.setdefault(id(function), Lifting(cls, function))
        lifting.calls[call.helper.name] = known

    def _fixed(
        self, cls: ClassInfo, function: Function, reaching: Reaching, call: HelperCall
    ) -> str:
        """Why a method cannot take results as parameters, empty where it can."""
        assert call.statement is not None
        decorator = narrow_decorator(self.index, cls.module, function)
        if decorator:
            return f"the decorator {decorator} hands on no further arguments: no parameter"
        names = ", ".join(call.helper.outputs)
        given = defaults_of(function)
        for name in call.helper.outputs:
            if name in given and not is_written(given[name], "None"):
                return f"{name} is {ast.unparse(given[name])} where it is not given: no parameter can stand for it"
        self._called.start(cls, function)
        written = written_in_place(
            function, reaching, call.statement, call.helper.outputs, self._called.by
        )
        if written is None:
            return ""
        line = self.state.given_line(cls.module, written.statement.lineno)
        how = f"hands {names} to {written.through}, which changes it"
        what = how if written.through else f"changes {names}"
        return f"line {line} {what} in place: what a caller gives has to stay"

    def thread(self) -> None:
        """Carry parameters to the callers until nothing changes."""
        self.liftings = dict(self.direct)
        self._drop_unsafe()
        sites: dict[int, list[CallSite]] = defaultdict(list)
        for site in call_sites(self.index, self.methods, self.liftings):
            sites[id(site.function)].append(site)
        for _ in range(_ROUNDS):
            before = {key: lifting.facts for key, lifting in self.liftings.items()}
            self.liftings = dict(self._derive(sites))
            if before == {key: lifting.facts for key, lifting in self.liftings.items()}:
                break
        for lifting in self.liftings.values():
            for site, call, why in lifting.unwritable:
                reason = f"{ast.unparse(site.call.func)} {why}: it computes its own"
                self.not_lifted.note(lifting.cls, lifting.function, site.call, call, reason)
            for reason, wants in lifting.refused.values():
                calls = [want.site.call for want in wants]
                if takes_prefixed(lifting.function, calls):
                    self.prefixed.update(id(call) for call in calls)
                    continue
                reason = f"{ast.unparse(calls[0].func)} {reason}: it computes its own"
                self.not_lifted.note(lifting.cls, lifting.function, calls[0], wants[0].call, reason)

    def _derive(self, sites: Mapping[int, list[CallSite]]) -> Iterator[tuple[int, Lifting]]:
        """Liftings of all methods, from what those that they call take now."""
        for cls, function in self.methods:
            key = id(function)
            own = self.direct.get(key) if key in self.liftings or key in sites else None
            lifting = Lifting(cls, function, dict(own.calls) if own is not None else {})
            wants: dict[str, list[Want]] = defaultdict(list)
            for site in sites.get(key, ()):
                target = self.liftings.get(id(site.target))
                calls = list(target.calls.values()) if target is not None else []
                if not calls:
                    continue
                why = self._may_be_another(site)
                if why:
                    lifting.unwritable += [(site, call, why) for call in calls]
                    continue
                for want in wants_of(site, self.reaching(function), calls):
                    if self._heirs_agree(want):
                        wants[want.call.helper.name].append(want)
                reasons = ((call, unwritable(site, call)) for call in calls)
                lifting.unwritable += [(site, call, why) for call, why in reasons if why]
            for name, group in wants.items():
                self._enter(lifting, name, group)
            if lifting.calls or lifting.refused or lifting.unwritable:
                yield key, lifting

    def _may_be_another(self, site: CallSite) -> str:
        """Why what a call site calls may be a module that takes none of the results; empty if it takes them."""
        if site.this == "self":
            return ""
        attribute = self_attribute(site.call.func)
        for cls in (site.cls, *self.heirs.of(site.cls, site.function.name)):
            key = id(cls.node), attribute
            if key not in self._replacing:
                self._replacing[key] = replacing(self.index, cls, attribute)
            if self._replacing[key]:
                return (
                    f"may be another module, which {self._replacing[key]} of {cls.name} puts there"
                )
        return ""

    def _enter(self, lifting: Lifting, name: str, wants: list[Want]) -> None:
        own = lifting.calls.get(name)
        decorator = narrow_decorator(self.index, lifting.cls.module, lifting.function)
        if decorator:
            reason = (
                f"is called below the decorator {decorator}, which hands on no further arguments"
            )
            lifting.refused[name] = reason, wants
            return
        found = carry(lifting.function, self.reaching(lifting.function), wants, own)
        if isinstance(found, str):
            lifting.refused[name] = found, wants
            return
        lifting.carried[name] = found
        if own is None:
            lifting.calls[name] = found.call
            inner = self.liftings[id(wants[0].site.target)]
            lifting.paths[name] = (*inner.path(name), lifting.place)

    def _heirs_agree(self, want: Want) -> bool:
        """Tell whether every class that inherits the caller calls something that takes the same results."""
        site = want.site
        for heir in self.heirs.of(site.cls, site.function.name):
            if site.this == "self":
                method = self.index.method(heir, self_attribute(site.call.func))
            else:
                attribute = self_attribute(site.call.func)
                held = self.heirs.submodule(heir, site.cls, attribute)
                method = self.index.method(held, "forward") if held is not None else None
            if method is not None and self._takes(method[1], want.call):
                continue
            reason = (
                f"inherits {site.cls.name}.{site.function.name}, and its {ast.unparse(site.call.func)} "
                f"does not take {', '.join(want.call.helper.outputs)}: not handed on there"
            )
            self.not_lifted.note(heir, site.function, heir.node, want.call, reason)
            return False
        return True

    def _takes(self, function: Function, call: HelperCall) -> bool:
        lifting = self.liftings.get(id(function))
        other = lifting.calls.get(call.helper.name) if lifting is not None else None
        return other is not None and other.arguments == call.arguments

    def _drop_unsafe(self) -> None:
        """A method that a subclass overrides without lifting keeps its signature."""
        for cls, function in ((c, f) for c in self.family for f in c.methods.values()):
            if function.name == "forward" or id(function) in self.liftings:
                continue
            for ancestor in self.index.mro(cls)[1:]:
                overridden = ancestor.methods.get(function.name)
                if overridden is not None and self.direct.pop(id(overridden), None) is not None:
                    del self.liftings[id(overridden)]
                    info = cls.module
                    self.state.note(
                        Record(
                            model_of(info.source.module),
                            cls.name,
                            function.name,
                            "left",
                            info.place(function),
                            reason=f"overrides {ancestor.name}.{function.name} and is not understood: not lifted there",
                        )
                    )
