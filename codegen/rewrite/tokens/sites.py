"""Where a method replaces placeholders: loops over texts, and what they do for one placeholder.

A site is found by its structure. Whether what comes instead gives the same is a matter of evidence.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.library import Function, ModuleInfo
from codegen.rewrite.nodes import walk

EXPANDED = "__expanded"
"""Stands for the texts that the helper made, until it is known how they are called."""
MODALITIES = ("image", "video", "audio")


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
    whiles = [n for n in loop.body if isinstance(n, ast.While) and searched(n.test, text)]
    parts = Parts(text, loop)
    if whiles:
        return _repeated(function, block, number, loop, texts, parts, whiles)
    return _replaced(function, block, number, loop, texts, parts)


def subject_of(function: Function, loop: ast.For) -> tuple[str, str]:
    """How a loop names one text, and the list of texts; empty if it is no loop over texts."""
    if not isinstance(loop.target, ast.Name):
        return "", ""
    if isinstance(loop.iter, ast.Name):
        return loop.target.id, loop.iter.id
    call = loop.iter
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "range":
        return "", ""
    if len(call.args) != 1:
        return "", ""
    size: ast.expr | None = call.args[0]
    if isinstance(size, ast.Name):
        size = last_value(function, size.id, loop)
    if not isinstance(size, ast.Call) or getattr(size.func, "id", "") != "len":
        return "", ""
    texts = size.args[0]
    if not isinstance(texts, ast.Name):
        return "", ""
    return f"{texts.id}[{loop.target.id}]", texts.id


def searched(test: ast.expr, text: str) -> ast.expr | None:
    """``P`` of ``P in text``."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.In):
        return test.left if ast.unparse(test.comparators[0]) == text else None
    return None


@dataclass(frozen=True, eq=False)
class Parts:
    """A loop over texts."""

    text: str
    loop: ast.For

    def replacement(self, node: ast.stmt, limited: bool) -> ast.Call | None:
        """``text.replace(P, R, 1)`` of ``text = text.replace(P, R, 1)``."""
        if not isinstance(node, ast.Assign) or ast.unparse(node.targets[0]) != self.text:
            return None
        return replace_call(node.value, self.text, limited)

    def appended(self, node: ast.stmt) -> str:
        """``out`` of ``out.append(text)``."""
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return ""
        if call.func.attr != "append" or ast.unparse(call.args[0]) != self.text:
            return ""
        return ast.unparse(call.func.value)


def replace_call(node: ast.expr, text: str, limited: bool) -> ast.Call | None:
    """The expression if it is ``text.replace(a, b)``, or with a third argument 1."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr != "replace" or ast.unparse(node.func.value) != text:
        return None
    third = node.args[2] if len(node.args) == 3 else None
    is_limited = isinstance(third, ast.Constant) and third.value == 1
    return node if is_limited == limited and len(node.args) == 2 + limited else None


def _repeated(
    function: Function,
    block: Sequence[ast.stmt],
    number: int,
    loop: ast.For,
    texts: str,
    parts: Parts,
    whiles: Sequence[ast.While],
) -> Site | None:
    """``while P in text:`` with one replacement in it, and what brings sentinels back."""
    inner = whiles[0]
    token = searched(inner.test, parts.text)
    assert token is not None
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
        if len(waiting) != 1:
            return None
        queue, value = queued(waiting[0]) or ("", value)
        rest = [node for node in rest if node is not waiting[0]]
    gone, result, unit, sentinels = [*queue_loops(whiles[1:])], texts, "", []
    for node in loop.body:
        back = parts.replacement(node, False)
        if back is not None and isinstance(back.args[0], ast.Constant):
            sentinels.append(str(back.args[0].value))
            unit = ast.unparse(back.args[1])
            gone.append(node)
        elif parts.appended(node):
            result = parts.appended(node)
            gone.append(node)
        elif queue and isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target) == queue:
                gone.append(node)
    others = [n for n in loop.body if n is not inner and all(n is not g for g in gone)]
    if others:
        return None
    statements: list[ast.stmt] = [loop]
    following = block[number + 1] if number + 1 < len(block) else None
    last = restored(following, result)
    if last is not None:
        sentinels.append(last[0])
        unit = last[1]
    if last is not None and isinstance(following, ast.Assign):
        result = ast.unparse(following.targets[0])
        statements.append(following)
    counter, rest = counted(rest)
    return Site(
        function,
        block,
        tuple(statements),
        token,
        texts,
        result,
        tuple(rest),
        value,
        tuple(sentinels),
        unit,
        counter,
        taken_of(rest, value),
        returned=following.value if last and isinstance(following, ast.Return) else None,
    )


def queued(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """``queue`` and ``value`` of ``queue.append(value)``."""
    call = node.value if isinstance(node, ast.Expr) else None
    function = call.func if isinstance(call, ast.Call) else None
    if not isinstance(function, ast.Attribute) or function.attr != "append":
        return None
    assert isinstance(call, ast.Call)
    return (function.value.id, call.args[0]) if isinstance(function.value, ast.Name) else None


def queue_loops(whiles: Sequence[ast.While]) -> Iterator[ast.stmt]:
    """Loops that put what waits in a queue in the place of marks."""
    for node in whiles:
        test = node.test
        is_mark = isinstance(test, ast.Compare) and isinstance(test.left, ast.Constant)
        if is_mark and all(
            ".pop(0)" in ast.unparse(n) or ".replace(" in ast.unparse(n) for n in node.body
        ):
            yield node


def restored(node: ast.stmt | None, texts: str) -> tuple[str, str] | None:
    """Sentinel and unit of ``[text.replace(S, unit) for text in texts]`` behind the loop."""
    made = node.value if isinstance(node, (ast.Assign, ast.Return)) else None
    if not isinstance(made, ast.ListComp):
        return None
    generator = made.generators[0]
    call = replace_call(made.elt, ast.unparse(generator.target), False)
    if call is None or ast.unparse(generator.iter) != texts:
        return None
    if not isinstance(call.args[0], ast.Constant):
        return None
    return str(call.args[0].value), ast.unparse(call.args[1])


def counted(body: Sequence[ast.stmt]) -> tuple[str, list[ast.stmt]]:
    """The name that is counted up at the end of a body, and the rest of the body."""
    for node in body:
        added = node.target if isinstance(node, ast.AugAssign) else None
        if isinstance(added, ast.Name) and ast.unparse(node) == f"{added.id} += 1":
            return added.id, [other for other in body if other is not node]
    return "", list(body)


def taken_of(body: Sequence[ast.stmt], value: ast.expr) -> tuple[tuple[str, str], ...]:
    """What is taken out of iterators and queues: the text of the call, and the name."""
    found = {}
    for root in (*body, value):
        for node in walk(root):
            if not isinstance(node, ast.Call):
                continue
            if getattr(node.func, "id", "") == "next" and isinstance(node.args[0], ast.Name):
                found[ast.unparse(node)] = node.args[0].id
            elif isinstance(node.func, ast.Attribute) and node.func.attr == "pop":
                owner = node.func.value
                if isinstance(owner, ast.Name) and ast.unparse(node).endswith(".pop(0)"):
                    found[ast.unparse(node)] = owner.id
    return tuple(found.items())


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
        if isinstance(node, ast.Assign):
            found = all_of(node.value, text, function, loop)
        if found is not None and value is None:
            assert isinstance(node, ast.Assign)
            token, value = found
            text = ast.unparse(node.targets[0])
            continue
        inner = Parts(text, loop)
        if value is not None and inner.appended(node):
            result = inner.appended(node)
        elif value is None or not _puts_back(node, parts.text, text):
            return None
    if value is None or token is None or loop_names(loop) & {*map(_name, walk(value))}:
        return None
    return Site(
        function, block, (loop,), token, texts, result, (), value, taken=taken_of((), value)
    )


def loop_names(loop: ast.For) -> set[str]:
    """Names that a loop gives other values each time."""
    return {_name(node) for node in walk(loop.target)} - {""}


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _puts_back(node: ast.stmt, place: str, text: str) -> bool:
    return ast.unparse(node) == f"{place} = {text}"


def _comprehension(function: Function, block: Sequence[ast.stmt], node: ast.Assign) -> Site | None:
    """``out = [text.replace(P, r) for text in texts]`` and its like."""
    made = node.value
    if not isinstance(made, ast.ListComp) or len(made.generators) != 1:
        return None
    generator = made.generators[0]
    if not isinstance(generator.iter, ast.Name) or not isinstance(node.targets[0], ast.Name):
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
        node.targets[0].id,
        (),
        value,
        taken=taken_of((), value),
    )


def all_of(
    node: ast.expr, text: str, function: Function, before: ast.AST
) -> tuple[ast.expr, ast.expr] | None:
    """Placeholder and replacement of what replaces all placeholders of a text.

    That is ``text.replace(P, r)``, ``re.sub(re.escape(P), lambda _: r, text)``, or the same with a pattern
    that has a name or was compiled.
    """
    call = replace_call(node, text, False)
    if call is not None:
        is_sentinel = isinstance(call.args[0], ast.Constant) and "placeholder" in str(
            call.args[0].value
        )
        return None if is_sentinel else (call.args[0], call.args[1])
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    pattern, given = node.func.value, list(node.args)
    if ast.unparse(node.func) == "re.sub" and given:
        pattern = given.pop(0)
    if node.func.attr != "sub" or len(given) != 2 or ast.unparse(given[1]) != text:
        return None
    token = _escaped(pattern, function, before)
    value = given[0].body if isinstance(given[0], ast.Lambda) else given[0]
    return (token, value) if token is not None else None


def _escaped(node: ast.expr, function: Function, before: ast.AST) -> ast.expr | None:
    """``P`` of ``re.escape(P)``, which may have a name or be compiled."""
    found: ast.expr | None = node
    for _ in range(4):
        if isinstance(found, ast.Name):
            found = last_value(function, found.id, before)
        elif isinstance(found, ast.Call) and ast.unparse(found.func) == "re.compile":
            found = found.args[0] if len(found.args) == 1 else None
        elif isinstance(found, ast.Call) and ast.unparse(found.func) == "re.escape":
            return found.args[0]
    return None


# -- names ----------------------------------------------------------------------------------------


def last_value(function: Function, name: str, before: ast.AST) -> ast.expr | None:
    """What a name was last given in front of a node, as the lines go; None for a parameter.

    That something is absent (``None``) counts only where nothing else is given.
    """
    found: tuple[int, ast.expr] | None = None
    limit = getattr(before, "lineno", 0)
    for node in walk(function):
        if isinstance(node, ast.Assign) and node.lineno < limit:
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    absent = isinstance(node.value, ast.Constant) and node.value.value is None
                    if found is None or (node.lineno > found[0] and not absent):
                        found = node.lineno, node.value
    return found[1] if found is not None else None
