"""Take the length of the longest segment as an input: flash attention asks for it in every layer.

    def forward(self, x, cu_seqlens, **kwargs):              def forward(self, x, cu_seqlens, *, max_seqlen=None, ...):
        longest = (cu_seqlens[1:] - cu_seqlens[:-1]).max()  ->   if max_seqlen is None:
        attention(..., max_length_q=longest)                         max_seqlen = (cu_seqlens[1:] - ...).max()
                                                                 longest = max_seqlen

and in every method on the way from the encoder that takes the boundaries:

    layer(x, cu_seqlens=cu_seqlens)   ->   layer(x, cu_seqlens=cu_seqlens, max_seqlen=max_seqlen)

A step of lift. The computation stays as it is where it is: attention that does not ask for it never runs it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

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
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.heirs import Heirs, renamed
from codegen.rewrite.helpers import LONGEST, MAX_SEQLEN, rank
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, is_written, only, target_of, walk
from codegen.rewrite.place.bindings import bound_arguments
from codegen.rewrite.place.carry import HelperCall
from codegen.rewrite.place.unless_given import check_lines
from codegen.rewrite.recognise.longest import Measure, find_measure
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of

CHECK = "check_longest"


@dataclass(frozen=True, eq=False)
class Taker:
    """A method that takes the longest segment of boundaries: ``takes`` has the input for each parameter.

    ``calls`` are those that it hands it on to, each with the attribute of ``self`` that is called and the
    method that takes it there; ``guarded`` are the statements that compute boundaries which are not given.
    """

    cls: ClassInfo
    function: Function
    takes: dict[str, str]
    edits: tuple[Edit, ...]
    calls: tuple[tuple[str, Function], ...] = ()
    guarded: tuple[ast.stmt, ...] = ()


@dataclass(frozen=True)
class Refused(Exception):
    """Why a method cannot take it."""

    node: ast.AST
    reason: str


def lift_longest(state: RewriteState) -> None:
    """Thread the longest segments from encoders to the attention that reads them."""
    methods = [
        (cls, function)
        for info in state.candidates()
        if any(name in info.source.text for name in LONGEST)
        for cls in state.classes(info)
        for function in cls.methods.values()
    ]
    found: dict[int, Taker] = {}
    for cls, function in methods:
        with state.attempt("longest", cls, function):
            measure = (
                find_measure(function)
                if MAX_SEQLEN.outputs[0] not in parameters(function)
                else None
            )
            if isinstance(measure, Measure):
                found[id(function)] = _measuring(cls, function, measure)
            elif measure is not None:
                _leave(state, cls, function, measure.node, measure.reason)
    if not found:
        return
    refused: dict[int, tuple[ClassInfo, Function, Refused]] = {}
    while _grow(state, methods, found, refused):
        pass
    _drop_unlike_heirs(state, found, refused)
    for cls, function, refusal in refused.values():
        _leave(state, cls, function, refusal.node, refusal.reason)
    for group in _groups(found):
        _propose(state, group)
    state.settle()


def _measuring(cls: ClassInfo, function: Function, measure: Measure) -> Taker:
    """The method that computes it, and now does so only where it is not given."""
    (name,) = MAX_SEQLEN.outputs
    value = cls.module.text.source(measure.statement.value)
    lines = [f"if {name} is None:", f"    {name} = {value}"]
    lines += [f"{measure.name} = {name}"] if measure.name != name else []
    edits = (Replace((measure.statement,), tuple(lines)), AddParameters((name,)), Describe((name,)))
    return Taker(cls, function, {measure.boundaries: name}, edits)


def _grow(
    state: RewriteState,
    methods: list[tuple[ClassInfo, Function]],
    found: dict[int, Taker],
    refused: dict[int, tuple[ClassInfo, Function, Refused]],
) -> bool:
    """Add the methods that call those found; tells whether there are any."""
    words = {name for taker in found.values() for name in taker.takes}
    new: dict[int, Taker] = {}
    for cls, function in methods:
        if id(function) in found or id(function) in refused:
            continue
        if not any(word in cls.module.segment(function) for word in words):
            continue
        with state.attempt("longest", cls, function):
            try:
                taker = _handing(state.index, cls, function, found)
            except Refused as refusal:
                refused[id(function)] = cls, function, refusal
                continue
            if taker is not None:
                new[id(function)] = taker
    found.update(new)
    return bool(new)


def _handing(
    index: Index, cls: ClassInfo, function: Function, found: dict[int, Taker]
) -> Taker | None:
    """A method that hands boundaries to methods that take their longest segment; None for any other."""
    takes: dict[str, str] = {}
    edits: list[Edit] = []
    calls: list[tuple[str, Function]] = []
    layers = dict(_layers(function))
    for call in calls_in(function):
        attribute = self_attribute(call.func) or layers.get(getattr(call.func, "id", ""), "")
        held = submodule(index, cls, attribute) if attribute else None
        target = index.method(held, "forward") if held is not None else None
        taker = found.get(id(target[1])) if target is not None else None
        bound = bound_arguments(call, taker.function) if taker is not None else None
        if taker is None or bound is None:
            continue
        keywords = []
        for parameter, name in sorted(taker.takes.items(), key=lambda item: rank(item[1])):
            if parameter in bound:
                value = _longest_of(function, bound[parameter], takes, edits)
                keywords.append(f"{name}={value}")
        if keywords:
            edits.append(AddKeywords(call, tuple(keywords)))
            calls.append((attribute, taker.function))
    if not calls:
        return None
    names = tuple(sorted(set(takes.values()), key=rank))
    taken = {n.id for n in walk(function) if isinstance(n, ast.Name)} | set(parameters(function))
    if taken & set(names):
        raise Refused(function, f"{min(taken & set(names))} is something else in it")
    guarded = []
    for boundaries, name in takes.items():
        guard = next((s for s in function.body if _guards(s, boundaries)), None)
        if guard is not None and boundaries in LONGEST:
            guarded.append(guard)
            call_ = HelperCall(LONGEST[boundaries], (boundaries,))
            lines = [f"    {line}" for line in check_lines(call_, "")]
            edits.append(Insert(guard, (f"if {name} is not None:", *lines), behind=True))
    edits += [AddParameters(names), Describe(names)]
    return Taker(cls, function, takes, tuple(edits), tuple(calls), tuple(guarded))


def _guards(statement: ast.stmt, name: str) -> bool:
    """Tell a statement that computes what is not given."""
    return isinstance(statement, ast.If) and f"{name} is None" in ast.unparse(statement.test)


def _longest_of(
    function: Function, node: ast.expr, takes: dict[str, str], edits: list[Edit]
) -> str:
    """The longest segment of boundaries that a call is given, as the method can write it.

    Raises:
        Refused: the boundaries are no parameters of the method.
    """
    if isinstance(node, ast.IfExp):
        body = _longest_of(function, node.body, takes, edits)
        other = _longest_of(function, node.orelse, takes, edits)
        return f"{body} if {ast.unparse(node.test)} else {other}"
    if not isinstance(node, ast.Name):
        raise Refused(node, f"the boundaries are {ast.unparse(node)}, which is no input")
    if node.id in parameters(function):
        measure = LONGEST.get(node.id, MAX_SEQLEN)
        others = {boundaries for boundaries, name in takes.items() if name == measure.outputs[0]}
        if others - {node.id}:
            raise Refused(node, f"{node.id} is a second kind of boundaries beside {min(others)}")
        takes[node.id] = measure.outputs[0]
        return measure.outputs[0]
    return _chosen(function, node, takes, edits)


def _chosen(function: Function, node: ast.Name, takes: dict[str, str], edits: list[Edit]) -> str:
    """A name beside one that is assigned one or the other boundaries."""
    made = [s for s in walk(function) if isinstance(s, ast.Assign) and _binds(s, node.id)]
    stored = [n for n in walk(function) if getattr(n, "id", "") == node.id]
    known = len([n for n in stored if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)])
    given = [s.value for s in made]
    inputs = [v for v in given if isinstance(v, ast.Name) and v.id in parameters(function)]
    if not made or len(made) != known or len(inputs) != len(made):
        raise Refused(node, f"the boundaries {node.id} are no input of the method")
    name = f"{MAX_SEQLEN.outputs[0]}_of_{node.id}"
    if "cu_seqlens" in node.id:
        name = node.id.replace("cu_seqlens", MAX_SEQLEN.outputs[0])
    taken = {n.id for n in walk(function) if isinstance(n, ast.Name)} | set(parameters(function))
    if name in taken:
        raise Refused(node, f"{name} is something else in the method")
    for statement, value in zip(made, inputs):
        line = f"{name} = {_longest_of(function, value, takes, edits)}"
        insert = Insert(statement, (line,), behind=True)
        if insert not in edits:
            edits.append(insert)
    return name


def _binds(statement: ast.Assign, name: str) -> bool:
    return is_written(target_of(statement), name)


def _layers(function: Function) -> Iterator[tuple[str, str]]:
    """Names of loops over layers, each with the attribute that holds these."""
    for loop in walk(glance(function)):
        if not isinstance(loop, ast.For):
            continue
        iterated, target = loop.iter, loop.target
        if isinstance(iterated, ast.Call) and getattr(iterated.func, "id", "") == "enumerate":
            if not isinstance(target, ast.Tuple) or not iterated.args:
                continue
            iterated, target = iterated.args[0], target.elts[-1]
        if isinstance(iterated, ast.Subscript) and isinstance(iterated.slice, ast.Slice):
            iterated = iterated.value
        attribute = self_attribute(iterated)
        if attribute and isinstance(target, ast.Name):
            yield target.id, attribute


def submodule(index: Index, cls: ClassInfo, name: str) -> ClassInfo | None:
    """The class of ``self.<name>``, or of every layer in it where it is a list of one kind of them."""
    single = index.submodule(cls, name)
    found = index.attribute(cls, name)
    if single is not None or found is None:
        return single
    holder, _, value = found
    if not isinstance(value, ast.Call) or not ast.unparse(value.func).endswith("ModuleList"):
        return None
    listed = only(value.args)
    made = listed.elt if isinstance(listed, (ast.ListComp, ast.GeneratorExp)) else None
    if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Name):
        return None
    return index.resolve(holder.module.source.module, made.func.id)


def _drop_unlike_heirs(
    state: RewriteState,
    found: dict[int, Taker],
    refused: dict[int, tuple[ClassInfo, Function, Refused]],
) -> None:
    """Leave methods that a class inherits which holds modules that do not take it, and all that call them."""
    heirs = Heirs(state.index, [c for info in state.candidates() for c in state.classes(info)])
    dropped = True
    while dropped:
        dropped = False
        for key, taker in list(found.items()):
            refusal = _unlike(state.index, heirs, taker, found)
            if refusal is not None:
                refused[key] = taker.cls, taker.function, refusal
                del found[key]
                dropped = True


def _unlike(index: Index, heirs: Heirs, taker: Taker, found: dict[int, Taker]) -> Refused | None:
    for attribute, function in taker.calls:
        if id(function) not in found:
            return Refused(taker.function, f"what it calls as self.{attribute} does not take it")
        for heir in heirs.of(taker.cls, taker.function.name):
            held = submodule(index, heir, attribute)
            if held is not None:
                own = renamed(held.name, taker.cls.name, heir.name)
                if own != held.name and own in heir.module.classes:
                    held = index.resolve(heir.module.source.module, own)
            method = index.method(held, "forward") if held is not None else None
            if method is None or id(method[1]) not in found:
                reason = f"{heir.name} inherits it, and its self.{attribute} does not take it"
                return Refused(taker.function, reason)
    return None


def _groups(found: dict[int, Taker]) -> Iterator[list[Taker]]:
    """Methods that hand it to one another, where one of them takes boundaries that may be given."""
    roots = {key: key for key in found}
    for key, taker in found.items():
        for _, function in taker.calls:
            old, new = roots[id(function)], roots[key]
            roots = {k: new if root == old else root for k, root in roots.items()}
    wanted: set[int] = set()
    pending = [key for key, taker in found.items() if taker.guarded]
    while pending:
        key = pending.pop()
        if key not in wanted:
            wanted.add(key)
            pending += [id(function) for _, function in found[key].calls]
    for root in dict.fromkeys(roots.values()):
        group = [t for key, t in found.items() if roots[key] == root and key in wanted]
        if group:
            yield group


def _propose(state: RewriteState, group: list[Taker]) -> None:
    sites, needs, records = [], [], []
    for taker in group:
        info = taker.cls.module
        sites.append(Site(taker.cls, taker.function, taker.edits))
        needs += [(info, CHECK)] if taker.guarded else []
        names = tuple(sorted(set(taker.takes.values()), key=rank))
        record = Record(
            model_of(info.source.module),
            taker.cls.name,
            taker.function.name,
            "lifted",
            info.place(taker.function),
            MAX_SEQLEN.name,
            names,
            (f"{taker.cls.name}.{taker.function.name}",),
        )
        records.append(record)
    state.propose(Change("longest", tuple(sites), tuple(needs), tuple(records)))


def _leave(
    state: RewriteState, cls: ClassInfo, function: Function, node: ast.AST, reason: str
) -> None:
    """Report why a method does not take it."""
    info = cls.module
    place, model = info.place(node), model_of(info.source.module)
    reason = f"{MAX_SEQLEN.outputs[0]} is not lifted: {reason}"
    state.note(
        Record(model, cls.name, function.name, "left", place, MAX_SEQLEN.name, reason=reason)
    )
