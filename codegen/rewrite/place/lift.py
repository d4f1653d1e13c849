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
from dataclasses import dataclass, field, replace

from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddParameters,
    Change,
    Describe,
    Edit,
    Insert,
    Replace,
    Site,
)
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.helpers import LIFTED, Helper, rank
from codegen.rewrite.library import ClassInfo, Function, ModuleInfo, defaults_of, self_attribute
from codegen.rewrite.nodes import calls_in, glance, is_written, target_of, walk
from codegen.rewrite.place.bindings import GIVEN, given_of, is_of_entry
from codegen.rewrite.place.called import Called
from codegen.rewrite.place.carry import (
    CallSite,
    Carried,
    HelperCall,
    Want,
    carry,
    is_direct,
    unwritable,
    wants_of,
)
from codegen.rewrite.place.decorators import narrow_decorator
from codegen.rewrite.place.hoist import hoist_positions
from codegen.rewrite.place.replaced import replacing
from codegen.rewrite.place.rows import rows_are_lost, rows_expression
from codegen.rewrite.place.sink import sink_computations
from codegen.rewrite.place.thread import (
    Taken,
    shares_keywords,
    takes_prefixed,
    thread_keywords,
)
from codegen.rewrite.place.written import written_in_place
from codegen.rewrite.reach import Reaching, may_leave_before, spot_of
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import FEATURES_METHODS

_ROUNDS = 12
"""Callers of callers of ... lifted methods that are looked at; more than any model has."""


@dataclass
class Lifting:
    """Everything that one method gets: helper calls to guard and calls to extend.

    ``rows`` are the numbers of rows at each guard, once they were looked for.
    """

    cls: ClassInfo
    function: Function
    calls: dict[str, HelperCall] = field(default_factory=dict)
    carried: dict[str, Carried] = field(default_factory=dict)
    refused: dict[str, tuple[str, list[Want]]] = field(default_factory=dict)
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    unwritable: list[tuple[CallSite, HelperCall, str]] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Class and method, for the report."""
        return f"{self.cls.name}.{self.function.name}"

    def path(self, helper: str) -> tuple[str, ...]:
        """Methods that the results of a helper pass through, the innermost first."""
        return self.paths.get(helper, (self.place,))

    @property
    def names(self) -> list[str]:
        """Names of the optional parameters."""
        return sorted((n for call in self.calls.values() for n in call.helper.outputs), key=rank)

    @property
    def facts(self) -> tuple[object, ...]:
        """What callers can see of it."""
        return tuple(call.fact for call in self.calls.values())

    @property
    def extended(self) -> dict[int, tuple[CallSite, list[str]]]:
        """Calls that get results, with the helpers that give them."""
        found: dict[int, tuple[CallSite, list[str]]] = {}
        for name, carried in self.carried.items():
            for want in carried.wants:
                found.setdefault(id(want.site.call), (want.site, []))[1].append(name)
        return found


def lift(state: RewriteState) -> None:
    """Lift every helper call of the state."""
    sink_computations(state)
    fixed = hoist_positions(state)
    lifter = Lifter(state)
    lifter.collect(fixed)
    lifter.thread()
    lifter.write()
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
        self._noted: set[tuple[object, ...]] = set()

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
                    if _names_bound(statement) == helper.outputs:
                        reason = "its arguments are given by names: no parameter"
                    self._note_left(cls, function, statement, HelperCall(helper, ()), reason)

    def _collect(self, cls: ClassInfo, function: Function, call: HelperCall) -> None:
        assert call.statement is not None
        reaching = self.reaching(function)
        if not is_direct(reaching, call.statement, call.helper.outputs):
            reason = "computed for several inputs under one name: no parameter can stand for it"
            self._note_left(cls, function, call.statement, call, reason)
            return
        why = self._fixed(cls, function, reaching, call)
        if why:
            self._note_left(cls, function, call.statement, call, why)
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
        for site in self._call_sites():
            sites[id(site.function)].append(site)
        for _ in range(_ROUNDS):
            before = {key: lifting.facts for key, lifting in self.liftings.items()}
            self.liftings = dict(self._derive(sites))
            if before == {key: lifting.facts for key, lifting in self.liftings.items()}:
                break
        for lifting in self.liftings.values():
            for site, call, why in lifting.unwritable:
                reason = f"{ast.unparse(site.call.func)} {why}: it computes its own"
                self._note_left(lifting.cls, lifting.function, site.call, call, reason)
            for reason, wants in lifting.refused.values():
                calls = [want.site.call for want in wants]
                if takes_prefixed(lifting.function, calls):
                    self.prefixed.update(id(call) for call in calls)
                    continue
                reason = f"{ast.unparse(calls[0].func)} {reason}: it computes its own"
                self._note_left(lifting.cls, lifting.function, calls[0], wants[0].call, reason)

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
            self._note_left(heir, site.function, heir.node, want.call, reason)
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

    def _call_sites(self) -> Iterator[CallSite]:
        """Calls that may come to a lifted method: of own ones and of submodules without ``**kwargs``."""
        found = [
            (cls, function, number, target)
            for cls, function in self.methods
            for number, call in enumerate(calls_in(glance(function)))
            if (name := self_attribute(call.func))
            if (target := self._target(cls, function, name, call)) and target[0] is not function
        ]
        lifted, size = set(self.liftings), -1
        while size < len(lifted):
            size = len(lifted)
            lifted |= {id(caller) for _, caller, _, target in found if id(target[0]) in lifted}
        for cls, function, number, target in found:
            if id(target[0]) not in lifted:
                continue
            call = calls_in(function)[number]
            spot = spot_of(function, call)
            if spot is not None:
                yield CallSite(cls, function, call, spot, *target)

    def _target(
        self, cls: ClassInfo, function: Function, name: str, call: ast.Call
    ) -> tuple[Function, str] | None:
        if name in FEATURES_METHODS and function.name not in FEATURES_METHODS:
            # These take prefixed keywords, which thread_keywords hands to them.
            return None
        method = self.index.method(cls, name)
        if method is not None:
            return method[1], "self"
        inner = given_of(call)
        expanded = (k.value for k in call.keywords if k.arg is None)
        if any(value is not inner for value in expanded) or shares_keywords(function):
            return None
        submodule = self.index.submodule(cls, name)
        forward = self.index.method(submodule, "forward") if submodule is not None else None
        return (forward[1], f"self.{name}") if forward is not None else None

    # -- writing ----------------------------------------------------------------------------------

    def write(self) -> None:
        """Propose the edits of all liftings; those that hand values to one another belong together."""
        names = {info.source.module for info in self.state.candidates()}
        groups: dict[int, list[Lifting]] = defaultdict(list)
        together = self._together()
        for key, lifting in self.liftings.items():
            if lifting.calls and lifting.cls.module.source.module in names:
                groups[together[key]].append(lifting)
        for liftings in groups.values():
            self.state.propose(
                Change(
                    "lift",
                    tuple(Site(item.cls, item.function, self._edits(item)) for item in liftings),
                    tuple(need for item in liftings for need in self._needs(item)),
                    tuple(record for item in liftings for record in self._records(item)),
                )
            )

    def _together(self) -> dict[int, int]:
        """For each lifted method one of those that it hands values to, or gets them from."""
        roots = {key: key for key in self.liftings}
        for key, lifting in self.liftings.items():
            for carried in lifting.carried.values():
                for want in carried.wants:
                    old, new = roots.get(id(want.site.target), key), roots[key]
                    roots = {k: new if root == old else root for k, root in roots.items()}
        return roots

    def _needs(self, lifting: Lifting) -> Iterator[tuple[ModuleInfo, str]]:
        """Functions that the module of a method has to import."""
        info = lifting.cls.module
        if any(site.this != "self" and given for site, _, given in self._extended(lifting)):
            yield info, GIVEN
        for name, call in lifting.calls.items():
            if call.statement is None and not self._guards(lifting, name):
                continue
            yield info, name
            if call.helper.total and self._rows(lifting, name):
                yield info, "while_tracing"
            for line in (*pair_lines(call), *check_lines(call, self._rows(lifting, name))):
                for node in walk(ast.parse(line)):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                        yield info, node.func.id

    def _edits(self, lifting: Lifting) -> tuple[Edit, ...]:
        names = tuple(lifting.names)
        edits: list[Edit] = [AddParameters(names), Describe(names)]
        inserted: dict[ast.stmt, list[str]] = defaultdict(list)
        for name, call in lifting.calls.items():
            lines = guard_lines(call, self._rows(lifting, name))
            if call.statement is not None:
                edits.append(Replace((call.statement,), tuple(lines)))
            for statement in self._guards(lifting, name):
                inserted[statement] += lines
        edits += [Insert(statement, tuple(lines)) for statement, lines in inserted.items()]
        for site, certain, given in self._extended(lifting):
            edits += handing(site, certain, given)
        return tuple(edits)

    def _extended(self, lifting: Lifting) -> Iterator[tuple[CallSite, list[str], list[str]]]:
        """Calls that get results, with the names of those that they get in any case, and of those that may be None."""
        for site, helpers in lifting.extended.values():
            certain: list[str] = []
            given: list[str] = []
            for name in helpers:
                call = lifting.calls[name]
                computed = call.statement is not None or self._guards(lifting, name)
                into = certain if site.this == "self" or computed else given
                into += call.helper.outputs
            yield site, sorted(certain, key=rank), sorted(given, key=rank)

    def _records(self, lifting: Lifting) -> Iterator[Record]:
        info = lifting.cls.module
        for call in lifting.calls.values():
            yield Record(
                model_of(info.source.module),
                lifting.cls.name,
                lifting.function.name,
                "lifted",
                info.place(lifting.function),
                call.helper.name,
                call.helper.outputs,
                lifting.path(call.helper.name),
            )

    def _note_left(
        self, cls: ClassInfo, function: Function, node: ast.AST, call: HelperCall, reason: str
    ) -> None:
        info = cls.module
        key = (info.source.module, cls.name, function.name, call.helper.name, reason)
        if key not in self._noted:
            self._noted.add(key)
            place, model = info.place(node), model_of(info.source.module)
            record = Record(
                model, cls.name, function.name, "left", place, call.helper.name, reason=reason
            )
            self.state.note(record)

    def _guards(self, lifting: Lifting, name: str) -> list[ast.stmt]:
        """Statements in front of which a caller computes results; none where it hands on what it was given.

        An inner encoder that knows the number of rows computes them itself where its caller does not.
        """
        carried = lifting.carried.get(name)
        if carried is None:
            return []
        wrapped = all(want.site.this != "self" for want in carried.wants)
        if wrapped and not self._rows(lifting, name):
            return []
        return [spot.statement for spot in carried.guards]

    def _rows(self, lifting: Lifting, name: str) -> str:
        """The number of rows, where the helper call ``name`` is guarded."""
        if lifting.calls[name].rows:
            return lifting.calls[name].rows
        if name not in lifting.rows:
            before: ast.stmt | None = lifting.calls[name].statement
            if before is None and name in lifting.carried:
                before = lifting.carried[name].wants[0].site.spot.path[0][1]
            found = rows_expression(self.index, lifting.cls, lifting.function, before)
            lifting.rows[name] = found
            if (
                not found
                and lifting.calls[name].helper.needs_rows
                and rows_are_lost(lifting.function)
            ):
                node = before if before is not None else lifting.function
                what = ", ".join(lifting.calls[name].helper.outputs)
                reason = (
                    f"the layers get another number of rows than the first input has: "
                    f"{what} is not checked against it"
                )
                self._note_left(lifting.cls, lifting.function, node, lifting.calls[name], reason)
        return lifting.rows[name]


def handing(site: CallSite, certain: list[str], given: list[str]) -> Iterator[AddKeywords]:
    """Give a call results, those that may be None only where they are given.

    Another module may stand one day in the place of the called one, and take none.
    """
    if certain:
        yield AddKeywords(site.call, tuple(f"{name}={name}" for name in certain))
    keywords = tuple(f"{name}={name}" for name in given)
    inner = given_of(site.call)
    if keywords and inner is not None:
        yield AddKeywords(inner, keywords)
    elif keywords:
        yield AddKeywords(site.call, (f"**{GIVEN}({', '.join(keywords)})",))


def helper_call(statement: ast.stmt) -> HelperCall | None:
    """The helper call of ``a, b = helper(...)``, if its targets carry the canonical names."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return None
    function = statement.value.func
    if not isinstance(function, ast.Name) or function.id not in LIFTED:
        return None
    helper = LIFTED[function.id]
    rows = rows_given(statement.value, helper)
    if _names_bound(statement) != helper.outputs or rows is None:
        return None
    arguments = tuple(ast.unparse(arg) for arg in statement.value.args)
    return HelperCall(helper, arguments, statement, rows=rows)


def _names_bound(statement: ast.stmt) -> tuple[str, ...]:
    """The names that a plain assignment gives its value or its parts, "" for what is no name."""
    target = target_of(statement)
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    return tuple(getattr(part, "id", "") for part in parts)


def called_helper(statement: ast.stmt) -> Helper | None:
    """The helper that the value of an assignment is a call of, None if it is anything else."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    name = getattr(value.func, "id", "") if isinstance(value, ast.Call) else ""
    return LIFTED.get(name)


def rows_given(call: ast.Call, helper: Helper) -> str | None:
    """``x`` of ``total=while_tracing(x)``, as extraction writes it; empty without keywords, None for others."""
    if not call.keywords:
        return ""
    value = call.keywords[0].value
    known = len(call.keywords) == 1 and call.keywords[0].arg == helper.total
    if not known or not isinstance(value, ast.Call) or len(value.args) != 1:
        return None
    return ast.unparse(value.args[0]) if ast.unparse(value.func) == "while_tracing" else None


def guard_lines(call: HelperCall, rows: str) -> list[str]:
    """Lines that compute a helper's results unless they were given, and check those that were."""
    outputs, total = call.helper.outputs, call.helper.total
    test = " or ".join(f"{name} is None" for name in outputs)
    bound = [f"{total}=while_tracing({rows})"] if total and rows else []
    arguments = ", ".join((*call.arguments, *bound))
    line = f"    {', '.join(outputs)} = {call.helper.name}({arguments})"
    computed = [line]
    if len(line) + 8 > 119:
        opening = f"    {', '.join(outputs)} = {call.helper.name}("
        computed = [opening, f"        {arguments}", "    )"]
    lines = [f"if {test}:", *(f"    {check}" for check in pair_lines(call)), *computed]
    checks = check_lines(call, rows)
    return [*lines, "else:", *[f"    {check}" for check in checks]] if checks else lines


def pair_lines(call: HelperCall) -> list[str]:
    """Calls that refuse one of several results that belong together, given without the others."""
    outputs = call.helper.outputs
    given = ", ".join(f"{name}={name}" for name in outputs)
    return [f"check_together({given})"] if len(outputs) > 1 else []


def check_lines(call: HelperCall, rows: str) -> list[str]:
    """Calls that refuse given results of another size, as far as the size is known in the method."""
    law = call.arguments[1] if len(call.arguments) > 1 else "halved_lengths"
    args = [a if _is_closed(a) else f"({a})" for a in call.arguments]
    return [
        template.format(args=args, rows=rows, law=law)
        for template in call.helper.checks
        if rows or "{rows}" not in template
    ]


def _is_closed(text: str) -> bool:
    """Tell whether an expression can stand anywhere without parentheses."""
    node = ast.parse(text, mode="eval").body
    return isinstance(node, (ast.Name, ast.Attribute, ast.Constant))
