"""What becomes of the sites of a processor: a method with what a placeholder becomes, and a list of all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import dedent

from codegen.rewrite.emit.edits import Edit, Replace, Substitute
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import only, walk
from codegen.rewrite.tokens.inline import LIST
from codegen.rewrite.tokens.names import Needs, Unmovable, bare, free_names, gather
from codegen.rewrite.tokens.replacing import last_value
from codegen.rewrite.tokens.sites import Site, blocks
from codegen.rewrite.tokens.wording import (
    MAX_LINE,
    expression,
    lines_of,
    modality_of,
    renamed,
    segment,
    without_comments,
)

KEYS = {
    "image": "images_replacements",
    "video": "videos_replacements",
    "audio": "audio_replacements",
}
"""Names of the lists, which are those of the helper's parameters."""


@dataclass(frozen=True)
class Move:
    """What becomes of a site: the method with what a placeholder becomes, and the list of all of them.

    ``others`` are modalities and placeholders of further lists that are made in the same loop.
    """

    site: Site
    modality: str
    token: str
    method: tuple[str, ...]
    collect: tuple[str, ...]
    edits: tuple[Edit, ...]
    others: tuple[tuple[str, str], ...] = ()


def token_of(cls: ClassInfo, site: Site) -> str:
    """The placeholder as an expression that any method of the class could use.

    Raises:
        Unmovable: it depends on the method.
    """
    node: ast.expr | None = site.token
    seen = set(cls.module.names)
    while isinstance(node, ast.Name) and node.id not in seen:
        name = node.id
        seen.add(name)
        node = last_value(site.function, name, site.start)
        if node is None:
            node = _given_by_caller(cls, site.function, name)
    if node is None or (isinstance(node, ast.Name) and node.id not in cls.module.names):
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
    call = only(calls)
    if call is None or name not in parameters(function):
        return None
    place = [p for p in parameters(function) if p != "self"].index(name)
    by_name = (keyword.value for keyword in call.keywords if keyword.arg == name)
    given = next(iter(call.args[place:]), None) or next(by_name, None)
    return given if given is not None and ast.unparse(given).startswith("self.") else None


def plan(cls: ClassInfo, site: Site) -> Move:
    """What to write for a site.

    Raises:
        Unmovable: why nothing can be.
    """
    info = cls.module
    token = token_of(cls, site)
    modality = modality_of(token)
    if site.kept:
        if site.others:
            return _several(cls, site, modality, token)
        return _kept(site, modality, token)
    words = _Words(f"{modality}_inputs", f"{modality}_idx")
    lengths: list[str] = []
    edits: list[Edit] = []
    sequences: dict[str, str] = {}
    for call, name in site.taken:
        sequences[name] = _sequence(info, site, name, edits)
        words.calls[call] = f"{sequences[name]}[{words.index}]"
        lengths.append(sequences[name])
    if site.each[0]:
        lengths.append(f"per_{modality}")
    if site.counter:
        words.names[site.counter] = words.index
        lengths += _indexed(site)
        if not lengths:
            raise Unmovable(f"no list with a name is looked up by {site.counter}")
    words.sentinels.update(dict.fromkeys(site.sentinels, site.unit))
    needs = _needs(info, site, sequences, words, modality)
    given, lead = _given(modality, needs)
    made = f"self.replace_{modality}_token({given}, {words.index if lengths else 0})"
    collect = [
        *filter(None, site.lead.split("\n")),
        *_listed(site, f"per_{modality}"),
        *lead,
        *_list_of(made, modality, site, lengths),
    ]
    method = _method(info, site, modality, words, needs)
    edits += _edits(site)
    return Move(site, modality, token, method, tuple(collect), tuple(edits))


def _edits(site: Site) -> Iterator[Edit]:
    """What becomes of a value that is returned behind a loop."""
    if site.returned is not None:
        yield Substitute(site.returned, site.result)


@dataclass(frozen=True)
class _Words:
    """What stands for what in the method of a placeholder: names, calls that take the next, sentinels."""

    inputs: str
    index: str
    names: dict[str, str] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)
    sentinels: dict[str, str] = field(default_factory=dict)

    def said(self, text: str) -> str:
        """A piece of the method that the code stood in, in the words of the new one."""
        return renamed(text, self.names, self.calls, self.sentinels)


def _needs(
    info: ModuleInfo, site: Site, sequences: Mapping[str, str], words: _Words, modality: str
) -> Needs:
    """What the method has to be given."""
    given_value = ast.parse(site.written, mode="eval").body if site.written else site.value
    each = [part.strip() for part in site.each[0].split(",")]
    names = [
        sequences.get(name, name)
        for name in free_names(site.item, given_value)
        if name != site.counter and name not in each
    ]
    needs = gather(info, site.function, site, names, words.inputs)
    if site.sentinels:
        unit = free_names((), ast.parse(site.unit, mode="eval").body)
        extra = [name for name in unit if name not in names]
        needs.lines += gather(info, site.function, site, extra, words.inputs).lines
    if site.each[0]:
        needs.entries[f"per_{modality}"] = f"per_{modality}"
        needs.lines.append(f'{site.each[0]} = {words.inputs}["per_{modality}"][{words.index}]')
    return needs


def _method(
    info: ModuleInfo, site: Site, modality: str, words: _Words, needs: Needs
) -> tuple[str, ...]:
    """The method with what a placeholder becomes."""
    body = words.said("\n".join(lines_of(info, site.item)))
    value = words.said(site.written or expression(info, site.value))
    return (
        f"def replace_{modality}_token(self, {words.inputs}: dict, {words.index}: int) -> str:",
        f'    """What the placeholder of one {modality} becomes."""',
        *(f"    {line}" for line in needs.lines),
        *(f"    {line}" for line in body.split("\n") if line),
        *(f"    {line}" for line in _returned(info, site, value, words)),
    )


def _list_of(made: str, modality: str, site: Site, lengths: Sequence[str]) -> list[str]:
    """The list of what all placeholders become: one for each item, or the same for all."""
    name = KEYS[modality]
    if lengths:
        loop = f"for {modality}_idx in range(len({lengths[0]}))"
        flat = f"{name} = [{made} {loop}]"
        return [flat] if len(flat) <= 100 else [f"{name} = [", f"    {made} {loop}", "]"]
    count = f"sum(sample.count({ast.unparse(site.token)}) for sample in {site.texts})"
    flat = f"{name} = [{made}] * {count}"
    if len(flat) <= 100:
        return [flat]
    return [f"num_placeholders = {count}", f"{name} = [{made}] * num_placeholders"]


def _kept(site: Site, modality: str, token: str) -> Move:
    """A loop that stays, and fills the list."""
    name = KEYS[modality]
    text = dedent(without_comments(site.kept)).replace(LIST, name)
    text = renamed(text, {}, {}, dict.fromkeys(site.sentinels, site.unit))
    lines = [line for line in text.split("\n") if line.strip()]
    return Move(site, modality, token, (), (f"{name} = []", *lines), tuple(_edits(site)))


def _several(cls: ClassInfo, site: Site, modality: str, token: str) -> Move:
    """A loop that stays, and fills a list for each kind of item."""
    tokens = [token_of(cls, replace(site, token=other)) for other in site.others]
    kinds = [modality, *map(modality_of, tokens)]
    if len(set(kinds)) < len(kinds):
        raise Unmovable("two kinds of placeholders stand for one kind of item")
    text = dedent(without_comments(site.kept))
    for number, kind in enumerate(kinds):
        text = text.replace(f"{LIST}{number}", KEYS[kind])
    lines = [line for line in text.split("\n") if line.strip()]
    names = ", ".join(KEYS[kind] for kind in kinds)
    empty = f"{names} = {', '.join(['[]'] * len(kinds))}"
    collect = (*filter(None, site.lead.split("\n")), empty, *lines)
    others = tuple(zip(kinds[1:], tokens))
    return Move(site, modality, token, (), collect, tuple(_edits(site)), others)


def _returned(info: ModuleInfo, site: Site, value: str, words: _Words) -> list[str]:
    """``return value``, over several lines as the author wrote it where it is too long for one."""
    if len(value) + 15 <= MAX_LINE or site.written:
        return [f"return {value}"]
    lines = words.said(segment(info, site.value)).split("\n")
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


def _store_in_front(
    function: Function, node: ast.AST, stores: Sequence[ast.Assign]
) -> ast.Assign | None:
    """The last of some assignments that stands in front of a node in the block of one of its statements."""
    for block in blocks(function):
        place = next((n for n, part in enumerate(block) if any(i is node for i in walk(part))), 0)
        found = [part for part in block[:place] for store in stores if part is store]
        if found:
            inner = found[-1]
            assert isinstance(inner, ast.Assign)
            return inner
    return None


def _sequence(info: ModuleInfo, site: Site, name: str, edits: list[Edit]) -> str:
    """The name of what an iterator or a queue gives one by one, as a sequence."""
    stores = _giving(site, name)
    for store in stores:
        value = store.value
        if bare(value) is not value:
            inner = bare(value)
            if isinstance(inner, ast.Name) and len(stores) == 1:
                edits.append(Replace((store,)))
                return inner.id
            edits.append(Substitute(value, _as_list(info, inner)))
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr == "copy" and isinstance(value.func.value, ast.Name):
                edits.append(Replace((store,)))
                return value.func.value.id
    return name


def _as_list(info: ModuleInfo, node: ast.expr) -> str:
    """An expression over which one can go once, as one over which one can go again."""
    if isinstance(node, ast.GeneratorExp):
        return f"[{ast.unparse(node)[1:-1]}]"
    new = expression(info, node)
    once = getattr(getattr(node, "func", None), "id", "") in ("zip", "map", "enumerate")
    return f"list({new})" if once else new


def _giving(site: Site, name: str) -> Sequence[ast.Assign]:
    """The assignments that give an iterator or a queue of a site its value.

    Raises:
        Unmovable: it is read elsewhere, or gets its value in another way.
    """
    function = site.function
    gone = site.statements or (site.start,)
    inside = {id(node) for statement in gone for node in walk(statement)}
    uses = [
        node
        for node in walk(function)
        if isinstance(node, ast.Name) and node.id == name and id(node) not in inside
    ]
    stores = [
        n
        for n in walk(function)
        if isinstance(n, ast.Assign) and any(u is t for u in uses for t in n.targets)
    ]
    all_stores = stores
    own = _store_in_front(function, site.start, stores)
    if own is not None:
        # Elsewhere the name may have been given another value, of no concern here.
        stores = [own]
        loads = [u for u in uses if isinstance(u.ctx, ast.Load)]
        uses = [u for u in loads if _store_in_front(function, u, all_stores) in (own, None)]
        uses += [u for u in own.targets if isinstance(u, ast.Name)]
    if any(isinstance(node.ctx, ast.Load) for node in uses):
        raise Unmovable(f"{name} is used elsewhere, too")
    if len(stores) != len(uses):
        raise Unmovable(f"{name} is given its value in a way that is not followed")
    return stores
