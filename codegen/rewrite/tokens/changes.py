"""The change of a processor: lists in the place of its loops, calls of the helper, offsets for who asks."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddOption,
    Change,
    Edit,
    Enclose,
    Insert,
    Replace,
    Substitute,
    at_top,
    behind_class,
)
from codegen.rewrite.emit.edits import Site as Place
from codegen.rewrite.library import ClassInfo, Function, ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.processors import own_returns
from codegen.rewrite.tokens.names import Unmovable
from codegen.rewrite.tokens.plans import KEYS, Move
from codegen.rewrite.tokens.sites import EXPANDED, MODALITIES, Site
from codegen.rewrite.tokens.wording import call_lines, placeholder_of
from codegen.rewrite.values import Record, model_of

HELPER = "get_text_with_replacements"
OPTION = "return_text_replacement_offsets"
_OFFSETS = "text_replacement_offsets"
_COLLECTED = "replacement_offsets"


@dataclass(frozen=True)
class Style:
    """How a class is written.

    ``stay``: loops that can stay do. ``separate``: a call of the helper at every site, one behind the
    other, instead of one for all. ``follow``: offsets follow what is done to the texts behind the helper.
    """

    stay: bool = False
    separate: bool = False
    follow: bool = False


@dataclass(frozen=True)
class Offsets:
    """Where a method leaves the offsets of its calls: in a variable of ``__call__``, or in a list that it is given."""

    in_call: bool
    style: Style
    name: str

    @property
    def wanted(self) -> str:
        """The expression that says whether anybody asks for them."""
        return OPTION if self.in_call else f"{_COLLECTED} is not None"

    @property
    def target(self) -> str:
        """The variable for those of one call."""
        return _OFFSETS if self.in_call and not self.style.separate else self.name

    def kept(self, passed: str, result: str) -> list[str]:
        """The lines behind a call; ``passed`` are its texts where ``result`` is made of them later."""
        owner = _OFFSETS if self.in_call else _COLLECTED
        lines = []
        if self.style.separate:
            lines.append(f"chain_offsets({owner}, {self.target})")
        elif not self.in_call:
            lines.append(f"{owner}.extend({self.target})")
        if passed and self.style.follow:
            lines.append(f"move_offsets({owner}, {passed}, {result})")
        if self.in_call or not lines:
            return lines
        return [f"if {_COLLECTED} is not None:", *(f"    {line}" for line in lines)]


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
        edits += _call_edits(
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
    asked_here = {name for name in callees if any(_calls(n, f"self.{name}") for n in nodes)}
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
        yield AddOption(f"{_COLLECTED}=None")
    for node in _leftovers(function, sites):
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
    yield from _totals(function, sites)
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


def _described(info: ModuleInfo, call: Function) -> Iterator[Edit]:
    """The option in a docstring that has its parameters checked."""
    checked = any("auto_docstring" in ast.unparse(item) for item in call.decorator_list)
    first = call.body[0]
    if (
        not checked
        or ast.get_docstring(call, clean=False) is None
        or not isinstance(first, ast.Expr)
    ):
        return
    written = info.text.source(first.value) or ""
    head, line, rest = written.partition("\n")
    margin = " " * first.col_offset
    entry = (
        f"{margin}{OPTION} (`bool`, *optional*, defaults to `False`):\n"
        f"{margin}    Whether to return, too, where placeholders stood and where their replacements stand.\n"
    )
    if line and not head.strip("rR\"' "):
        yield Substitute(first.value, f"{head}\n{entry}{rest}")


def _free_name(wanted: str, function: Function) -> str:
    """A name that a method does not have yet."""
    used = {n.id for n in walk(function) if isinstance(n, ast.Name)}
    used |= {n.arg for n in walk(function) if isinstance(n, ast.arg)}
    name = wanted if wanted.isidentifier() else "expanded"
    while name in used:
        name = f"{name}_"
    return name


def _totals(function: Function, sites: Sequence[Site]) -> Iterator[str]:
    """Counters that are read behind their loop: they have counted the placeholders."""
    for site in sites:
        end = max(statement.end_lineno or 0 for statement in (site.start, *site.statements))
        later = [
            node
            for node in walk(function)
            if isinstance(node, ast.Name) and node.id == site.counter and node.lineno > end
        ]
        first = min(later, key=lambda node: (node.lineno, node.col_offset), default=None)
        if first is not None and isinstance(first.ctx, ast.Load):
            token = ast.unparse(site.token)
            yield f"{site.counter} = sum(sample.count({token}) for sample in {site.texts})"


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


def _leftovers(function: Function, sites: Sequence[Site]) -> Iterator[ast.stmt]:
    """Counters, empty lists and patterns that only the loops used."""
    gone = {id(node) for site in sites for s in site.statements for node in walk(s)}
    stays = " ".join((*(site.rest for site in sites), *(site.lead for site in sites)))
    for pattern in patterns(function, gone):
        if not re.search(rf"\b{ast.unparse(pattern.targets[0])}\b", stays):
            yield pattern
    results = {site.result for site in sites if not site.rest}
    kept = {name.id for name in _loads(function) if id(name) not in gone}
    used = {
        n.id for site in sites for s in site.statements for n in walk(s) if isinstance(n, ast.Name)
    }
    seen: set[int] = set()
    for site in sites:
        for node in site.block:
            if node.lineno >= site.start.lineno or not isinstance(node, ast.Assign):
                continue
            target = node.targets[0]
            if not isinstance(target, ast.Name) or not _is_empty(node.value):
                continue
            unused = not (site.kept or site.rest) or target.id == site.queue
            gone_too = target.id in (*results, site.counter)
            goes = gone_too or (unused and target.id not in kept)
            if target.id in used and id(node) not in seen and goes:
                seen.add(id(node))
                yield node


def patterns(function: Function, gone: Collection[int]) -> Iterator[ast.Assign]:
    """Regular expressions that are given a name, which only loops of sites read."""
    kept = {name.id for name in _loads(function) if id(name) not in gone}
    used = {name.id for name in _loads(function)} - kept
    for node in walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            made = ast.unparse(node.value).startswith(("re.compile(", "re.escape("))
            if made and node.targets[0].id in used:
                yield node


def _loads(function: Function) -> Iterator[ast.Name]:
    for node in walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node


def _is_empty(value: ast.expr) -> bool:
    is_zero = isinstance(value, ast.Constant) and value.value == 0
    return is_zero or (isinstance(value, ast.List) and not value.elts)


def _calls(node: ast.AST, called: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == called


def _call_edits(info: ModuleInfo, call: Function, callees: Sequence[Function]) -> Iterator[Edit]:
    """Offsets for who asks ``__call__`` for them."""
    lines = [f"{_OFFSETS} = []"]
    if call.args.kwarg is not None:
        lines.insert(0, f"{OPTION} = pop_offsets_option({call.args.kwarg.arg})")
    else:
        yield AddOption(f"{OPTION}=False")
        yield from _described(info, call)
    if callees:
        # A class that overrides the method need not know the keyword, unless it is asked for.
        lines.append(f'collected = {{"{_COLLECTED}": {_OFFSETS}}} if {OPTION} else {{}}')
    yield at_top(call, tuple(lines))
    names = {f"self.{function.name}" for function in callees}
    for node in walk(call):
        if isinstance(node, ast.Call) and any(_calls(node, name) for name in names):
            yield AddKeywords(node, ("**collected",))
    for node in own_returns(call):
        if node.value is not None and isinstance(node.value, ast.Call):
            arguments = (f"{_OFFSETS} if {OPTION} else None,",)
            yield Enclose(node.value, "add_replacement_offsets", arguments)
