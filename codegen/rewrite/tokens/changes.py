"""The change of a processor: lists in the place of its loops, calls of the helper, offsets for who asks."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from codegen.rewrite.emit.edits import (
    AddOption,
    Change,
    Edit,
    Insert,
    Replace,
    behind_class,
)
from codegen.rewrite.emit.edits import Site as Place
from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.tokens.asking import COLLECTED, HELPER, Offsets, Style, call_edits, calls
from codegen.rewrite.tokens.leftovers import leftovers, totals
from codegen.rewrite.tokens.names import Unmovable
from codegen.rewrite.tokens.plans import KEYS, Move
from codegen.rewrite.tokens.sites import EXPANDED, MODALITIES, Site
from codegen.rewrite.tokens.wording import call_lines, placeholder_of
from codegen.rewrite.values import Record, model_of


def change_of(
    cls: ClassInfo,
    moves: Sequence[Move],
    has_method: bool,
    collecting: Collection[str],
    style: Style,
) -> Change:
    """The change of a class that carries out all its moves.

    Args:
        cls: the processor.
        moves: of its sites.
        has_method: whether the library's mixin has the method of the helper's name.
        collecting: methods that a parent's ``__call__`` asks for offsets.
        style: how it is written.

    Raises:
        Unmovable: why it cannot be made.
    """
    info = cls.module
    call = cls.methods.get("__call__")
    own_call = _asks(call, moves, collecting)
    places: dict[int, tuple[Function, list[Edit]]] = {}
    for group in _by_function(moves):
        function = group[0].site.function
        edits = [edit for move in group for edit in move.edits]
        name = _free_name("offsets", function)
        edits += _function_edits(group, has_method, Offsets(function is call, style, name))
        places[id(function)] = function, edits
    if own_call and call is not None:
        _, edits = places.setdefault(id(call), (call, []))
        edits += call_edits(
            info, call, [m.site.function for m in moves if m.site.function is not call]
        )
    record = Record(
        model_of(info.source.module),
        cls.name,
        moves[0].site.function.name,
        "extracted",
        info.place(moves[0].site.start),
        helper=HELPER,
        reason="its placeholders are replaced in one pass",
    )
    sites = [Place(cls, function, tuple(edits)) for function, edits in places.values()]
    helpers = {(info, name) for name in _helpers(moves, style, call if own_call else None)}
    if not has_method:
        helpers.add((info, HELPER))
    return Change("expand", tuple(_with_methods(cls, moves, sites)), tuple(helpers), (record,))


def _asks(call: Function | None, moves: Sequence[Move], collecting: Collection[str]) -> bool:
    """Whether the class's own ``__call__`` is the one that asks for offsets.

    Raises:
        Unmovable: nobody could.
    """
    callees = {move.site.function.name for move in moves if move.site.function is not call}
    nodes = [*walk(call)] if call is not None else []
    asked_here = {name for name in callees if any(calls(n, f"self.{name}") for n in nodes)}
    if not callees <= asked_here | set(collecting):
        raise Unmovable("its own __call__ does not call it, so offsets cannot be asked for")
    return not callees or bool(asked_here) or any(m.site.function is call for m in moves)


def _by_function(moves: Sequence[Move]) -> list[list[Move]]:
    found: dict[int, list[Move]] = {}
    for move in moves:
        found.setdefault(id(move.site.function), []).append(move)
    return list(found.values())


def _helpers(moves: Sequence[Move], style: Style, call: Function | None) -> Iterator[str]:
    """What is called beside the helper itself."""
    for move in moves:
        yield from (name for name in move.site.calls if any(f"{name}(" in c for c in move.collect))
    if style.separate:
        yield "chain_offsets"
    if style.follow and any(move.site.rest for move in moves):
        yield "move_offsets"
    if call is not None:
        yield "add_replacement_offsets"
        if call.args.kwarg is not None:
            yield "pop_offsets_option"


def _with_methods(cls: ClassInfo, moves: Sequence[Move], sites: Sequence[Place]) -> Iterator[Place]:
    """The places of a change, with the methods for placeholders at the end of the class."""
    methods: list[str] = []
    for move in (move for move in moves if move.method):
        methods += ["", *move.method] if methods else [*move.method]
    if not methods:
        yield from sites
        return
    last = behind_class(cls, tuple(methods))
    for site in sites:
        edits = (*site.edits, *last.edits) if site.node is last.node else site.edits
        yield Place(cls, site.node, edits)
    if all(site.node is not last.node for site in sites):
        yield last


def _function_edits(group: Sequence[Move], has_method: bool, offsets: Offsets) -> Iterator[Edit]:
    """The edits of a method: lists in the place of loops, and calls of the helper."""
    sites = [move.site for move in group]
    function = sites[0].function
    if not offsets.in_call:
        yield AddOption(f"{COLLECTED}=None")
    for node in leftovers(function, sites):
        yield Replace((node,))
    if len(group) > 1 and not offsets.style.separate:
        yield from _joined(group, has_method, offsets)
        return
    for move in group:
        site = move.site
        lines = [*move.collect, *_replaced([move], has_method, offsets)]
        if site.statements:
            yield Replace(site.statements, tuple(lines))
        else:
            yield Insert(site.start, tuple(lines))


def _replaced(group: Sequence[Move], has_method: bool, offsets: Offsets) -> Iterator[str]:
    """One call of the helper with all that goes with it."""
    sites = [move.site for move in group]
    function, texts, result = sites[0].function, sites[0].texts, sites[-1].result
    rest = sites[-1].rest
    passed = _free_name(f"expanded_{texts}", function) if rest else ""
    yield from totals(function, sites)
    yield from _helper_call(group, texts, passed or result, offsets, has_method)
    yield from rest.replace(EXPANDED, passed).split("\n") if rest else ()
    yield from offsets.kept(passed, result)


def _joined(group: Sequence[Move], has_method: bool, offsets: Offsets) -> Iterator[Edit]:
    """One call of the helper for several sites of a method, behind the last."""
    sites = [move.site for move in group]
    function = sites[0].function
    if len({move.modality for move in group}) < len(group):
        raise Unmovable("two kinds of placeholders stand for one kind of item")
    if any(site.rest for site in sites):
        raise Unmovable("more than one loop works on the texts, one of them on what was replaced")
    for first, second in zip(sites, sites[1:]):
        if second.texts != first.result:
            raise Unmovable("the loops do not work on the same texts one after the other")
    tops = [_top(function, site) for site in sites]
    names = [KEYS[move.modality] for move in group]
    lines = [*_replaced(group, has_method, offsets)]
    for move in group:
        if move.site.statements:
            yield Replace(move.site.statements, move.collect)
        else:
            yield Insert(move.site.start, move.collect)
    if any(top is not site.start for top, site in zip(tops, sites)):
        if sites[0].texts != sites[-1].result:
            raise Unmovable("where there are no items, the texts have another name")
        yield Insert(tops[0], (f"{' = '.join(names)} = []",))
        lines = [f"if {' or '.join(names)}:", *(f"    {line}" for line in lines)]
    yield Insert(tops[-1], tuple(lines), behind=True)


def _free_name(wanted: str, function: Function) -> str:
    """A name that a method does not have yet."""
    used = {n.id for n in walk(function) if isinstance(n, ast.Name)}
    used |= {n.arg for n in walk(function) if isinstance(n, ast.arg)}
    name = wanted if wanted.isidentifier() else "expanded"
    while name in used:
        name = f"{name}_"
    return name


def _top(function: Function, site: Site) -> ast.stmt:
    """The statement of the method's own block that a site stands in."""
    for node in function.body:
        if any(inner is site.start for inner in walk(node)):
            return node
    raise Unmovable("the loop stands in a function inside the method")


def _helper_call(
    group: Sequence[Move], texts: str, result: str, offsets: Offsets, has_method: bool
) -> list[str]:
    arguments = [texts]
    for modality in MODALITIES:
        for move in group:
            others = zip((kind for kind, _ in move.others), move.site.others)
            found = [(move.modality, move.site.token), *others]
            token = next((token for name, token in found if name == modality), None)
            if token is None:
                continue
            if not has_method or ast.unparse(token) != f"self.{modality}_token":
                is_named = isinstance(token, ast.IfExp)
                given = placeholder_of(modality) if is_named else ast.unparse(token)
                arguments.append(f"{modality}_token={given}")
            arguments.append(f"{KEYS[modality]}={KEYS[modality]}")
    arguments.append(f"return_replacement_offsets={offsets.wanted}")
    if not has_method:
        arguments.append("allow_surplus=True")
    function = f"self.{HELPER}" if has_method else HELPER
    return call_lines(f"{result}, {offsets.target}", function, arguments)
