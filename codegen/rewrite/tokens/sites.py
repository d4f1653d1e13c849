"""Where a method replaces placeholders: loops over texts, and what they do for one placeholder.

A site is found by its structure. Whether what comes instead gives the same is a matter of evidence.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import is_written, only, target_of, target_text, walk
from codegen.rewrite.tokens.endings import Ending, ending
from codegen.rewrite.tokens.replacing import (
    Parts,
    all_of,
    counted,
    is_count,
    looked_for,
    loop_names,
    name_of,
    queue_loops,
    queued,
    subject_of,
    taken_of,
)

EXPANDED = "__expanded"
"""Stands for the texts that the helper made, until it is known how they are called."""
MODALITIES = ("image", "video", "audio")
_LOOPS = re.compile(r"\bfor\b")
"""What every site has: a loop over texts, or a list made of them."""


@dataclass(frozen=True, eq=False)
class Site:
    """The expansion of one kind of placeholder in a method.

    ``statements`` are those that go; ``item`` is what is done for one placeholder, ``value`` what takes
    its place, with ``sentinels`` in it for ``unit``. ``texts`` and ``result`` are the lists of texts before
    and after. ``each`` says of what there is one for every placeholder: an index that is counted up, or
    what iterators and queues give. Without any of it all placeholders become the same.
    ``kept`` is the loop itself where it stays and makes a list; ``queue`` a list that it no longer needs,
    ``others`` further placeholders that it looks for. ``written`` is the value where it is not as the author
    wrote it, ``seen`` a statement that has to run for the site to be shown. ``lead`` and ``rest`` are lines for what the loop
    did to the texts besides, in front of and behind the helper, the latter make the result of what it made; ``calls`` are further helpers.
    ``returned`` is what a method returns that is the result then.
    """

    function: Function
    block: Sequence[ast.stmt]
    statements: tuple[ast.stmt, ...]
    token: ast.expr
    texts: str
    result: str
    item: tuple[ast.stmt, ...]
    value: ast.expr
    sentinels: tuple[str, ...] = ()
    unit: str = ""
    counter: str = ""
    taken: tuple[tuple[str, str], ...] = ()
    first: ast.stmt | None = None
    before: tuple[ast.stmt, ...] = ()
    each: tuple[str, str] = ("", "")
    kept: str = ""
    queue: str = ""
    others: tuple[ast.expr, ...] = ()
    written: str = ""
    seen: ast.stmt | None = None
    lead: str = ""
    rest: str = ""
    calls: tuple[str, ...] = ()
    returned: ast.expr | None = None

    @property
    def start(self) -> ast.stmt:
        """The statement that the new lines stand in the place of."""
        return self.first if self.first is not None else self.statements[0]


def find_sites(info: ModuleInfo, function: Function, stay: bool = False) -> Iterator[Site]:
    """The sites of a method, in order; with ``stay`` the loops that can stay do."""
    from codegen.rewrite.tokens.by_text import by_text_site
    from codegen.rewrite.tokens.inline import inline_site
    from codegen.rewrite.tokens.mixed import mixed_site
    from codegen.rewrite.tokens.ordered import ordered_site
    from codegen.rewrite.tokens.per_text import per_text_sites
    from codegen.rewrite.tokens.rest import rest_site
    from codegen.rewrite.tokens.splicing import spliced_site
    from codegen.rewrite.tokens.splits import joined_site, split_site

    if not _LOOPS.search(info.segment(function)):
        return
    for block in blocks(function):
        skipped: set[int] = set()
        for number, statement in enumerate(block):
            if id(statement) in skipped:
                continue
            site = None
            if stay:
                site = inline_site(info, function, block, number)
                site = site or joined_site(info, function, block, number)
            if site is not None:
                skipped |= {id(part) for part in site.statements}
                yield site
                continue
            if isinstance(statement, ast.For):
                site = _loop(function, block, number, statement)
                site = site or split_site(function, block, statement)
                site = site or inline_site(info, function, block, number)
                site = site or mixed_site(info, function, block, number)
                site = site or ordered_site(info, function, block, number)
                site = site or spliced_site(info, function, block, number)
                site = site or by_text_site(info, function, block, number)
                site = site or rest_site(info, function, block, number)
            elif isinstance(statement, ast.Assign):
                site = _comprehension(function, block, statement)
            if site is not None:
                skipped |= {id(part) for part in site.statements}
                yield site
            else:
                yield from per_text_sites(info, function, block, number)


def may_stay(info: ModuleInfo, function: Function) -> bool:
    """Whether a method has a loop that can stay: without one its sites are the same either way."""
    from codegen.rewrite.tokens.inline import inline_site
    from codegen.rewrite.tokens.splits import joined_site

    return bool(_LOOPS.search(info.segment(function))) and any(
        inline_site(info, function, block, number) or joined_site(info, function, block, number)
        for block in blocks(function)
        for number, statement in enumerate(block)
        if isinstance(statement, ast.For)
    )


def blocks(node: ast.AST) -> Iterator[Sequence[ast.stmt]]:
    """Blocks of statements, outer ones first; what stands in a loop over texts belongs to that loop."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
            for statement in block:
                if not isinstance(statement, (ast.For, ast.FunctionDef, ast.While)):
                    yield from blocks(statement)


# -- loops ----------------------------------------------------------------------------------------


def _loop(function: Function, block: Sequence[ast.stmt], number: int, loop: ast.For) -> Site | None:
    text, texts = subject_of(function, loop)
    if not text:
        return None
    whiles = [n for n in loop.body if looked_for(n, text, loop.body)]
    parts = Parts(text, loop)
    if whiles:
        return _repeated(function, block, number, texts, parts, whiles)
    return _replaced(function, block, number, loop, texts, parts)


def _repeated(
    function: Function,
    block: Sequence[ast.stmt],
    number: int,
    texts: str,
    parts: Parts,
    whiles: Sequence[ast.stmt],
) -> Site | None:
    """``while P in text:`` with one replacement in it, and what brings sentinels back."""
    inner = whiles[0]
    token = looked_for(inner, parts.text, parts.loop.body)
    assert token is not None and isinstance(inner, (ast.While, ast.For))
    calls = {id(node): call for node in inner.body if (call := parts.replacement(node, True))}
    if len(calls) != 1:
        return None
    call = next(iter(calls.values()))
    rest = [node for node in inner.body if id(node) not in calls]
    if any(isinstance(n, ast.expr) and ast.unparse(n) == parts.text for r in rest for n in walk(r)):
        return None  # it does more to the text
    value, queue = call.args[1], ""
    if isinstance(value, ast.Constant):
        # The text gets a mark only; what it stands for waits in a queue.
        waiting = [node for node in rest if queued(node)]
        filling = only(waiting)
        if filling is None:
            return None
        queue, value = queued(filling) or ("", value)
        rest = [node for node in rest if node is not filling]
    end = _end_around(block, number, texts, parts, whiles, queue)
    if end is None:
        return None
    counter, rest = counted(rest)
    return Site(
        *(function, block, end.statements, token, texts, end.result, tuple(rest), value),
        *(end.sentinels, end.unit, counter, taken_of(rest, value)),
        returned=end.returned,
    )


def _end_around(
    block: Sequence[ast.stmt],
    number: int,
    texts: str,
    parts: Parts,
    whiles: Sequence[ast.stmt],
    queue: str,
) -> Ending | None:
    """How a loop over texts ends that does nothing but replace, collect, and bring back; None for others."""
    inner = whiles[0]
    loops = [node for node in whiles[1:] if isinstance(node, ast.While)]
    gone, result, unit, sentinels = [inner, *queue_loops(loops)], texts, "", []
    for node in parts.loop.body:
        back = parts.brought_back(node)
        if back is not None:
            sentinels.append(back[0])
            unit = back[1]
            gone.append(node)
        elif parts.appended(node):
            result = parts.appended(node)
            gone.append(node)
        elif isinstance(inner, ast.For) and is_count(node, parts.text):
            gone.append(node)
        elif queue and isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = target_of(node) if isinstance(node, ast.Assign) else node.target
            if is_written(target, queue):
                gone.append(node)
    if any(all(node is not g for g in gone) for node in parts.loop.body):
        return None
    return ending(block, number, result, sentinels, unit)


# -- one replacement for all, and functions that give the next one ---------------------------------


def _replaced(
    function: Function,
    block: Sequence[ast.stmt],
    number: int,
    loop: ast.For,
    texts: str,
    parts: Parts,
) -> Site | None:
    """A loop that does nothing but replace, and collect or put back."""
    text, value, token, result = parts.text, None, None, texts
    for node in loop.body:
        found = None
        if target_of(node) is not None:
            assert isinstance(node, ast.Assign)
            found = all_of(node.value, text, function, loop)
        if found is not None and value is None:
            assert isinstance(node, ast.Assign)
            token, value = found
            text = target_text(node)
            continue
        inner = Parts(text, loop)
        if value is not None and inner.appended(node):
            result = inner.appended(node)
        elif value is None or not _puts_back(node, parts.text, text):
            return None
    if value is None or token is None or loop_names(loop) & {*map(name_of, walk(value))}:
        return None
    return Site(
        function, block, (loop,), token, texts, result, (), value, taken=taken_of((), value)
    )


def _puts_back(node: ast.stmt, place: str, text: str) -> bool:
    return ast.unparse(node) == f"{place} = {text}"


def _comprehension(function: Function, block: Sequence[ast.stmt], node: ast.Assign) -> Site | None:
    """``out = [text.replace(P, r) for text in texts]`` and its like."""
    made, target = node.value, target_of(node)
    generator = only(made.generators) if isinstance(made, ast.ListComp) else None
    if not isinstance(made, ast.ListComp) or generator is None:
        return None
    if not isinstance(generator.iter, ast.Name) or not isinstance(target, ast.Name):
        return None
    found = all_of(made.elt, ast.unparse(generator.target), function, node)
    if found is None or generator.ifs:
        return None
    token, value = found
    return Site(
        function,
        block,
        (node,),
        token,
        generator.iter.id,
        target.id,
        (),
        value,
        taken=taken_of((), value),
    )


# -- names ----------------------------------------------------------------------------------------
