"""Write a processor anew: its loops go, a method says what a placeholder becomes, the helper replaces."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import dedent

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
from codegen.rewrite.library import ClassInfo, Function, ModuleInfo, parameters
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.processors import own_returns
from codegen.rewrite.tokens.inline import LIST
from codegen.rewrite.tokens.mixed import EACH
from codegen.rewrite.tokens.names import Needs, Unmovable, bare, free_names, gather, output_entry
from codegen.rewrite.tokens.sites import MODALITIES, Site, last_value
from codegen.rewrite.tokens.wording import (
    MAX_LINE,
    call_lines,
    expression,
    lines_of,
    renamed,
    segment,
    without_comments,
)
from codegen.rewrite.values import Record, model_of

HELPER = "get_text_with_replacements"
OPTION = "return_text_replacement_offsets"
_OFFSETS = "text_replacement_offsets"
_COLLECTED = "replacement_offsets"
_KEYS = {
    "image": "images_replacements",
    "video": "videos_replacements",
    "audio": "audio_replacements",
}


@dataclass(frozen=True)
class Move:
    """What becomes of a site: the method with what a placeholder becomes, and the list of all of them.

    ``second`` is the modality and the placeholder of another list that is made in the same loop.
    """

    site: Site
    modality: str
    token: str
    method: tuple[str, ...]
    collect: tuple[str, ...]
    edits: tuple[Edit, ...]
    second: tuple[str, str] = ("", "")


def token_of(cls: ClassInfo, site: Site) -> str:
    """The placeholder as an expression that any method of the class could use.

    Raises:
        Unmovable: it depends on the method.
    """
    node: ast.expr | None = site.token
    for _ in range(4):
        if not isinstance(node, ast.Name) or node.id in cls.module.names:
            break
        name = node.id
        node = last_value(site.function, name, site.start)
        if node is None:
            node = _given_by_caller(cls, site.function, name)
    if node is None:
        raise Unmovable(f"what {ast.unparse(site.token)} is, its callers decide")
    return ast.unparse(node)


def _given_by_caller(cls: ClassInfo, function: Function, name: str) -> ast.expr | None:
    """What the only call of a method gives for a parameter, if any other method could say it, too."""
    calls = [
        node
        for method in cls.methods.values()
        for node in walk(method)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"self.{function.name}"
    ]
    if len(calls) != 1 or name not in parameters(function):
        return None
    place = unit_parameters(function).index(name)
    given = calls[0].args[place : place + 1]
    given += [keyword.value for keyword in calls[0].keywords if keyword.arg == name]
    return given[0] if given and ast.unparse(given[0]).startswith("self.") else None


def modality_of(token: str) -> str:
    """Which kind of item a placeholder stands for, by its name."""
    low = token.lower()
    return next((name for name in ("video", "audio") if name in low), "image")


def plan(cls: ClassInfo, site: Site) -> Move:
    """What to write for a site.

    Raises:
        Unmovable: why nothing can be.
    """
    info = cls.module
    token = token_of(cls, site)
    modality = modality_of(token)
    if site.kept:
        if site.second is not None:
            return _both(cls, site, modality, token)
        return _kept(site, modality, token)
    inputs, index = (
        f"{modality}_inputs" if modality != "audio" else "audio_inputs",
        f"{modality}_idx",
    )
    edits: list[Edit] = []
    sequences: dict[str, str] = {}
    calls: dict[str, str] = {}
    lengths: list[str] = []
    for call, name in site.taken:
        sequence = _sequence(info, site, name, edits)
        sequences[name] = sequence
        calls[call] = f"{sequence}[{index}]"
        lengths.append(sequence)
    if site.each[0]:
        lengths.append(f"per_{modality}")
    if site.counter:
        lengths += _indexed(site)
        if not lengths:
            raise Unmovable(f"nothing is looked up by {site.counter}")
    given_value = ast.parse(site.written, mode="eval").body if site.written else site.value
    each = [part.strip() for part in site.each[0].split(",")]
    names = [
        sequences.get(name, name)
        for name in free_names(site.item, given_value)
        if name != site.counter and name not in each
    ]
    needs = gather(info, site.function, site, names, inputs)
    sentinels = dict.fromkeys(site.sentinels, site.unit)
    extra = (
        [] if not site.sentinels else list(free_names((), ast.parse(site.unit, mode="eval").body))
    )
    for name in gather(
        info, site.function, site, [n for n in extra if n not in names], inputs
    ).lines:
        needs.lines.append(name)
    if site.each[0]:
        needs.entries[f"per_{modality}"] = f"per_{modality}"
        needs.lines.append(f'{site.each[0]} = {inputs}["per_{modality}"][{index}]')
    change = {site.counter: index} if site.counter else {}
    body = renamed("\n".join(lines_of(info, site.item)), change, calls, sentinels)
    value = site.written or expression(info, site.value)
    value = renamed(value, change, calls, sentinels)
    method = (
        f"def replace_{modality}_token(self, {inputs}: dict, {index}: int) -> str:",
        f'    """What the placeholder of one {modality} becomes."""',
        *(f"    {line}" for line in needs.lines),
        *(f"    {line}" for line in body.split("\n") if line),
        *(f"    {line}" for line in _returned(info, site, value, change, calls, sentinels)),
    )
    given, lead = _given(modality, needs)
    called = f"self.replace_{modality}_token"
    collect = [*_listed(site, f"per_{modality}"), *lead]
    if lengths:
        made = f"{called}({given}, {index})"
        line = f"{_KEYS[modality]} = [{made} for {index} in range(len({lengths[0]}))]"
        if len(line) > 100:
            collect += [
                f"{_KEYS[modality]} = [",
                f"    {made} for {index} in range(len({lengths[0]}))",
                "]",
            ]
        else:
            collect.append(line)
    else:
        made = f"{called}({given}, 0)"
        count = f"sum(sample.count({ast.unparse(site.token)}) for sample in {site.texts})"
        line = f"{_KEYS[modality]} = [{made}] * {count}"
        if len(line) > 100:
            line = f"num_placeholders = {count}"
            collect += [line, f"{_KEYS[modality]} = [{made}] * num_placeholders"]
        else:
            collect.append(line)
    return Move(site, modality, token, method, tuple(collect), tuple(edits))


def _kept(site: Site, modality: str, token: str) -> Move:
    """A loop that stays, and fills the list."""
    name = _KEYS[modality]
    text = dedent(without_comments(site.kept)).replace(LIST, name)
    text = renamed(text, {}, {}, dict.fromkeys(site.sentinels, site.unit))
    lines = [line for line in text.split("\n") if line.strip()]
    return Move(site, modality, token, (), (f"{name} = []", *lines), ())


def _both(cls: ClassInfo, site: Site, modality: str, token: str) -> Move:
    """A loop that stays, and fills two lists."""
    assert site.second is not None
    other = token_of(cls, replace(site, token=site.second))
    second = modality_of(other)
    if second == modality:
        raise Unmovable("two kinds of placeholders stand for one kind of item")
    first, last = _KEYS[modality], _KEYS[second]
    text = dedent(without_comments(site.kept)).replace(f"{LIST}0", first)
    lines = [line for line in text.replace(f"{LIST}1", last).split("\n") if line.strip()]
    collect = (f"{first}, {last} = [], []", *lines)
    return Move(site, modality, token, (), collect, (), (second, other))


def _returned(
    info: ModuleInfo,
    site: Site,
    value: str,
    change: dict[str, str],
    calls: dict[str, str],
    sentinels: dict[str, str],
) -> list[str]:
    """``return value``, over several lines as the author wrote it where it is too long for one."""
    if len(value) + 15 <= MAX_LINE or site.written:
        return [f"return {value}"]
    lines = renamed(segment(info, site.value), change, calls, sentinels).split("\n")
    return ["return (", *(f"    {line}" for line in lines), ")"]


def _given(modality: str, needs: Needs) -> tuple[str, list[str]]:
    """The argument with what the method needs, and lines in front that make it."""
    entries = ", ".join(f'"{key}": {name}' for key, name in needs.entries.items())
    if needs.source and not entries:
        return needs.source, []
    name = f"{modality}_replacement_inputs"
    if not entries:
        return "{}", []
    parts = [f"**{needs.source}"] if needs.source else []
    parts += [f'"{key}": {value}' for key, value in needs.entries.items()]
    flat = f"{name} = {{{', '.join(parts)}}}"
    if len(flat) + 16 <= MAX_LINE:
        return name, [flat]
    return name, [f"{name} = {{", *(f"    {part}," for part in parts), "}"]


def _listed(site: Site, name: str) -> list[str]:
    """The list of what there is for every item, where the method has such lists for every text."""
    if not site.each[0]:
        return []
    flat = f"{name} = {site.each[1]}"
    if len(flat) + 16 <= MAX_LINE:
        return [flat]
    outer, _, inner = site.each[1][1:-1].removeprefix("item ").rpartition(" for item in ")
    return [f"{name} = [", "    item", f"    {outer}", f"    for item in {inner}", "]"]


def _indexed(site: Site) -> list[str]:
    """What the counter looks up: its length is the number of items."""
    found = []
    for root in (*site.item, site.value):
        for node in walk(root):
            looked_up = node.value if isinstance(node, ast.Subscript) else None
            if isinstance(looked_up, ast.Name) and ast.unparse(node).endswith(f"[{site.counter}]"):
                found.append(looked_up.id)
    return list(dict.fromkeys(found))


def _sequence(info: ModuleInfo, site: Site, name: str, edits: list[Edit]) -> str:
    """The name of what an iterator or a queue gives one by one, as a sequence."""
    function = site.function
    gone = site.statements or (site.start,)
    inside = {id(node) for statement in gone for node in walk(statement)}
    uses = [
        node
        for node in walk(function)
        if isinstance(node, ast.Name) and node.id == name and id(node) not in inside
    ]
    loads = [node for node in uses if isinstance(node.ctx, ast.Load)]
    if loads:
        raise Unmovable(f"{name} is used elsewhere, too")
    stores = [
        n
        for n in walk(function)
        if isinstance(n, ast.Assign) and any(u is t for u in uses for t in n.targets)
    ]
    if len(stores) != len(uses):
        raise Unmovable(f"{name} is given its value in a way that is not followed")
    for store in stores:
        value = store.value
        if bare(value) is not value:
            inner = bare(value)
            new = expression(info, inner)
            if getattr(getattr(inner, "func", None), "id", "") in ("zip", "map", "enumerate"):
                new = f"list({new})"
            if isinstance(inner, ast.GeneratorExp):
                new = f"[{ast.unparse(inner)[1:-1]}]"
            if isinstance(inner, ast.Name) and len(stores) == 1:
                edits.append(Replace((store,)))
                return inner.id
            edits.append(Substitute(value, new))
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr == "copy" and isinstance(value.func.value, ast.Name):
                edits.append(Replace((store,)))
                return value.func.value.id
    return name


def change_of(
    cls: ClassInfo, moves: Sequence[Move], has_method: bool, collecting: Collection[str]
) -> Change:
    """The change of a class that carries out all its moves.

    Args:
        cls: the processor.
        moves: of its sites.
        has_method: whether the library's mixin has the method of the helper's name.
        collecting: methods that a parent's ``__call__`` asks for offsets.

    Raises:
        Unmovable: why it cannot be made.
    """
    info = cls.module
    call = cls.methods.get("__call__")
    by_function: dict[int, list[Move]] = {}
    for move in moves:
        by_function.setdefault(id(move.site.function), []).append(move)
    places: dict[int, tuple[Function, list[Edit]]] = {}
    callees = {move.site.function.name for move in moves if move.site.function is not call}
    nodes = [*walk(call)] if call is not None else []
    asked_here = {name for name in callees if any(_calls(n, f"self.{name}") for n in nodes)}
    if not callees <= asked_here | set(collecting):
        raise Unmovable("its own __call__ does not call it, so offsets cannot be asked for")
    own_call = not callees or bool(asked_here) or any(m.site.function is call for m in moves)
    helpers: set[tuple[ModuleInfo, str]] = set() if has_method else {(info, HELPER)}
    for group in by_function.values():
        function = group[0].site.function
        edits = [edit for move in group for edit in move.edits]
        in_call = function is call
        edits += _function_edits(info, group, has_method, in_call)
        places[id(function)] = function, edits
    if any(move.second[0] for move in moves):
        helpers.add((info, EACH))
    if own_call and call is not None:
        _, edits = places.setdefault(id(call), (call, []))
        edits += _call_edits(call, [m.site.function for m in moves if m.site.function is not call])
        helpers.add((info, "add_replacement_offsets"))
        if call.args.kwarg is not None:
            helpers.add((info, "pop_offsets_option"))
    methods: list[str] = []
    for move in (move for move in moves if move.method):
        methods += ["", *move.method] if methods else [*move.method]
    reason = "its placeholders are replaced in one pass"
    record = Record(
        model_of(info.source.module),
        cls.name,
        moves[0].site.function.name,
        "extracted",
        info.place(moves[0].site.start),
        helper=HELPER,
        reason=reason,
    )
    sites = [Place(cls, function, tuple(edits)) for function, edits in places.values()]
    if not methods:
        return Change("expand", tuple(sites), tuple(helpers), (record,))
    last = behind_class(cls, tuple(methods))
    joined = [
        Place(cls, site.node, (*site.edits, *last.edits)) if site.node is last.node else site
        for site in sites
    ]
    if all(site.node is not last.node for site in sites):
        joined.append(last)
    return Change("expand", tuple(joined), tuple(helpers), (record,))


def _function_edits(
    info: ModuleInfo, group: Sequence[Move], has_method: bool, in_call: bool
) -> Iterator[Edit]:
    """The edits of a method: lists in the place of loops, and one call of the helper behind the last."""
    sites = [move.site for move in group]
    function = sites[0].function
    if len({move.modality for move in group}) < len(group):
        raise Unmovable("two kinds of placeholders stand for one kind of item")
    for first, second in zip(sites, sites[1:]):
        if second.texts != first.result:
            raise Unmovable("the loops do not work on the same texts one after the other")
    texts, result = sites[0].texts, sites[-1].result
    wanted = OPTION if in_call else f"{_COLLECTED} is not None"
    target = _OFFSETS if in_call else "offsets"
    lines = _helper_call(group, texts, result, target, wanted, has_method)
    lines = [*_totals(function, sites), *lines]
    if not in_call:
        lines += [f"if {_COLLECTED} is not None:", f"    {_COLLECTED}.extend(offsets)"]
        yield AddOption(f"{_COLLECTED}=None")
    leftover = list(_leftovers(function, sites))
    for node in leftover:
        yield Replace((node,))
    if len(group) == 1:
        site = sites[0]
        yield Replace(site.statements, (*group[0].collect, *lines))
        return
    tops = [_top(function, site) for site in sites]
    names = [_KEYS[move.modality] for move in group]
    guarded = [top is not site.start for top, site in zip(tops, sites)]
    for move in group:
        if move.site.statements:
            yield Replace(move.site.statements, move.collect)
        else:
            yield Insert(move.site.start, move.collect)
    if any(guarded):
        if texts != result:
            raise Unmovable("where there are no items, the texts have another name")
        yield Insert(tops[0], (f"{' = '.join(names)} = []",))
        lines = [f"if {' or '.join(names)}:", *(f"    {line}" for line in lines)]
    yield Insert(tops[-1], tuple(lines), behind=True)


def _totals(function: Function, sites: Sequence[Site]) -> Iterator[str]:
    """Counters that are read behind their loop: they have counted the placeholders."""
    for site in sites:
        end = max(statement.end_lineno or 0 for statement in (site.start, *site.statements))
        for node in walk(function):
            if isinstance(node, ast.Name) and node.id == site.counter and node.lineno > end:
                token = ast.unparse(site.token)
                yield f"{site.counter} = sum(sample.count({token}) for sample in {site.texts})"
                break


def _top(function: Function, site: Site) -> ast.stmt:
    """The statement of the method's own block that a site stands in."""
    for node in function.body:
        if any(inner is site.start for inner in walk(node)):
            return node
    raise Unmovable("the loop stands in a function inside the method")


def _helper_call(
    group: Sequence[Move], texts: str, result: str, target: str, wanted: str, has_method: bool
) -> list[str]:
    arguments = [texts]
    for modality in MODALITIES:
        for move in group:
            found = [(move.modality, move.site.token), (move.second[0], move.site.second)]
            token = next((token for name, token in found if name == modality), None)
            if token is None:
                continue
            if not has_method or ast.unparse(token) != f"self.{modality}_token":
                arguments.append(f"{modality}_token={ast.unparse(token)}")
            arguments.append(f"{_KEYS[modality]}={_KEYS[modality]}")
    arguments.append(f"return_replacement_offsets={wanted}")
    if not has_method:
        arguments.append("allow_surplus=True")
    function = f"self.{HELPER}" if has_method else HELPER
    return call_lines(f"{result}, {target}", function, arguments)


def _leftovers(function: Function, sites: Sequence[Site]) -> Iterator[ast.stmt]:
    """Counters and empty lists that only the loops used."""
    gone = {id(node) for site in sites for s in site.statements for node in walk(s)}
    results = {site.result for site in sites}
    kept: dict[str, int] = {}
    for node in walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in gone:
            kept[node.id] = kept.get(node.id, 0) + 1
    used = {
        n.id for site in sites for s in site.statements for n in walk(s) if isinstance(n, ast.Name)
    }
    for site in sites:
        for node in site.block:
            if node.lineno >= site.start.lineno or not isinstance(node, ast.Assign):
                continue
            target = node.targets[0]
            empty = (isinstance(node.value, ast.List) and not node.value.elts) or (
                isinstance(node.value, ast.Constant) and node.value.value == 0
            )
            if not isinstance(target, ast.Name) or not empty or target.id not in used:
                continue
            unused = not site.kept or target.id == site.queue
            if target.id in (*results, site.counter) or (unused and not kept.get(target.id)):
                yield node


def _calls(node: ast.AST, called: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == called


def _call_edits(call: Function, callees: Sequence[Function]) -> Iterator[Edit]:
    """Offsets for who asks ``__call__`` for them."""
    lines = [f"{_OFFSETS} = []"]
    if call.args.kwarg is not None:
        lines.insert(0, f"{OPTION} = pop_offsets_option({call.args.kwarg.arg})")
    else:
        yield AddOption(f"{OPTION}=False")
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


def unit_parameters(function: Function) -> list[str]:
    """Parameters of a method."""
    return [name for name in parameters(function) if name != "self"]


__all__ = ["HELPER", "Move", "Unmovable", "change_of", "output_entry", "plan", "token_of"]
