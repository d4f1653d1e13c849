"""Reads on the host that stay on the path of an encoder's forward: reported, so that none is there without a word.

    for row, n in enumerate(lengths.tolist()): ...    for n in lengths: ...    width = int(lengths.max())

And loops that run once for each of them, ``for i in range(len(lengths))``: a graph fixes how often.

Looked for when all rules are through, in what they leave; a form that is skipped while tracing is none. What a
rule, or an earlier pass, has said of a statement is not said again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, children, glance, walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.recognise.nearest import beside
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import KEPT_TABLE
from codegen.rewrite.vocabulary import FEATURES_METHODS, TOKEN_IDS, Vocabulary

Method = tuple[ClassInfo, Function]


@dataclass(frozen=True)
class Read:
    """What reads numbers, how (of ``_SAID``), and whether these are sizes or made of sizes."""

    node: ast.expr
    how: str
    is_of_sizes: bool


_READING = frozenset(("tolist", "item", "numpy"))
_NUMBERS = frozenset(("int", "float", "bool", "range"))
_SAID = {
    "read": "{} reads numbers of a tensor on the host",
    "walked": "a loop takes the numbers in {} on the host",
    "counted": "a loop goes over {}, whose end a graph fixes",
    "ended": "a loop goes on while {}, whose end a graph fixes",
}
_WALKING = frozenset(("zip", "enumerate", "reversed", "sorted", "list", "tuple", "pairwise"))
_SHAPES = frozenset(("shape", "size", "ndim", "dim", "numel", "device", "dtype"))
_TRACING = ("is_tracing", "is_compiling")
_BOUNDARIES = "cu_seqlens"


def reads(index: Index, cls: ClassInfo) -> Iterator[tuple[ClassInfo, Function, Left]]:
    """Statements on an encoder's path that read values of tensors on the host, with their methods."""
    for owner, function in _path(index, cls):
        sized = any(_is_sizes(index.vocabulary, name) for name in parameters(function))
        if not sized and not any(word in owner.module.segment(function) for word in _READING):
            continue
        own = frozenset(name for base in index.mro(cls) for name in base.methods)
        if not any(_read_in(index.vocabulary, glance(function), own)):
            continue  # so most are, and need not be looked into where they stand
        for read in _read_in(index.vocabulary, function, own):
            said = _SAID[read.how].format(ast.unparse(read.node))
            near = f"{said}, in a form that no rule knows"
            yield owner, function, Left(read.node, f"{near}: {_why(index, owner, function, read)}")


def _why(index: Index, owner: ClassInfo, function: Function, read: Read) -> str:
    """Which condition of the rules a read does not meet: that of helpers, or that there are sizes at all."""
    if read.is_of_sizes:
        return f"no helper gives what is made of them{beside(index, owner, function, read.node)}"
    return "they are made of no parameter that holds sizes"


def is_told(state: RewriteState, owner: ClassInfo, function: Function, node: ast.AST) -> bool:
    """Tell whether a record names the statement of a node, or one that reads what it makes."""
    info = owner.module
    path, ranges = info.source.path, []
    for statement in function.body:
        last = statement.end_lineno or statement.lineno
        ranges.append((state.given_line(info, statement.lineno), state.given_line(info, last)))
    told = [
        (int(record.location.rpartition(":")[2]), KEPT_TABLE not in record.reason)
        for record in state.records
        if (record.cls, record.method, record.kind) == (owner.name, function.name, "left")
        and record.location.rpartition(":")[0] == path
    ]
    named = [s for s, (a, b) in zip(function.body, ranges) if any(a <= n <= b for n, _ in told)]
    # That a table is kept says nothing of what it is looked up by.
    spoken = [
        s for s, (a, b) in zip(function.body, ranges) if any(a <= n <= b and of for n, of in told)
    ]
    read = {n.id for s in spoken for n in walk(s) if isinstance(n, ast.Name)}
    mine = next(s for s in function.body if any(n is node for n in walk(s)))
    return mine in named or bool(assigned_names(mine) & read and isinstance(mine, ast.Assign))


def _path(index: Index, cls: ClassInfo) -> Iterator[Method]:
    """The methods that a call of an encoder may run: its forward, and what that calls on ``self``.

    An encoder takes sizes of any kind and no ids of tokens; what a model does to get the features of one
    modality is looked at, too.
    """
    starts = [name for name in FEATURES_METHODS if name in cls.methods]
    forward = index.method(cls, "forward")
    if forward is not None and _takes_sizes(index.vocabulary, forward[1]):
        starts.append("forward")
    pending = [(cls, name) for name in starts]
    seen: set[int] = set()
    while pending:
        holder, name = pending.pop()
        found = index.method(holder, name)
        if found is None or id(found[1]) in seen:
            continue
        seen.add(id(found[1]))
        yield found
        for node in calls_in(glance(found[1])):
            called = self_attribute(node.func)
            if called and index.method(holder, called) is not None:
                pending.append((holder, called))
            elif called and "forward" in starts:
                part = index.submodule(holder, called)
                pending += [(part, "forward")] if part is not None else []


def _takes_sizes(vocabulary: Vocabulary, function: Function) -> bool:
    names = parameters(function)
    if any(name in names for name in (*TOKEN_IDS, "inputs_embeds")):
        return False
    return any(_is_sizes(vocabulary, name) for name in names)


def _is_sizes(vocabulary: Vocabulary, name: str) -> bool:
    return vocabulary.is_sizes(name) or _BOUNDARIES in name


def _read_in(vocabulary: Vocabulary, function: Function, own: frozenset[str]) -> Iterator[Read]:
    """The first read of each statement that a graph runs; ``own`` are methods of the class."""
    sizes = {name for name in parameters(function) if _is_sizes(vocabulary, name)}
    args = function.args
    for given in [*args.posonlyargs, *args.args, *args.kwonlyargs]:
        told = given.annotation if given.arg in sizes else None
        if told is not None and "Tensor" not in ast.unparse(told):
            sizes.discard(given.arg)
    counts: set[str] = set()
    for statement in _traced(function.body):
        found = next((n for part in _own(statement) for n in _found(part, sizes, counts)), None)
        if found is None and isinstance(statement, ast.While):
            is_ended = _counts(statement.test, sizes, counts)
            found = (statement.test, "ended") if is_ended else None
        if found is not None:
            node, how = found
            names = {n.id for n in walk(node) if isinstance(n, ast.Name)}
            yield Read(node, how, bool(names & (sizes | counts)))
        elif hasattr(statement, "body"):
            continue
        elif any(_values(part, sizes) and _of_sizes(part, sizes, own) for part in _own(statement)):
            sizes |= assigned_names(statement)
        elif any(_counts(part, sizes, counts) for part in _own(statement)):
            counts |= assigned_names(statement)


def _of_sizes(expression: ast.AST, sizes: set[str], own: frozenset[str]) -> bool:
    """Whether a result can be sizes again: modules give rows, and so do methods that take rows."""
    for node in walk(expression):
        called = self_attribute(node.func) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and called:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            names = {n.id for value in given for n in walk(value) if isinstance(n, ast.Name)}
            if called not in own or not names <= sizes | {"self"}:
                return False
    return True


def _traced(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements one after the other, those in others too, without those that tracing skips."""
    for statement in body:
        yield statement
        side = _tracing(statement.test) if isinstance(statement, ast.If) else None
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            continue
        if side is not False:
            yield from _traced(getattr(statement, "body", []))
        if side is not True:
            yield from _traced(getattr(statement, "orelse", []))
        for handler in getattr(statement, "handlers", []):
            yield from _traced(handler.body)
        yield from _traced(getattr(statement, "finalbody", []))
        taken = getattr(statement, "body", [])
        if side is True and isinstance(taken[-1], (ast.Return, ast.Raise, ast.Continue)):
            return


def _tracing(test: ast.expr) -> bool | None:
    """What a test is while tracing; None where that depends on anything else."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _tracing(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        sides = [_tracing(value) for value in test.values]
        decided = isinstance(test.op, ast.Or)
        if decided in sides:
            return decided
        # What a configuration asks for besides is no other way through the same graph.
        others = [value for value, side in zip(test.values, sides) if side is None]
        names = {n.id for value in others for n in walk(value) if isinstance(n, ast.Name)}
        return True if not decided and names <= {"self"} and others != test.values else None
    called = ast.unparse(test.func) if isinstance(test, ast.Call) else ""
    return True if called.rpartition(".")[2] in _TRACING else None


def _own(statement: ast.stmt) -> Iterator[ast.AST]:
    """Expressions of a statement itself, without those of the statements in it; none of an assert."""
    if isinstance(statement, (ast.Assert, ast.FunctionDef, ast.ClassDef)):
        return
    for name, value in ast.iter_fields(statement):
        if name in ("body", "orelse", "handlers", "finalbody"):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.withitem):
                yield item.context_expr
            elif isinstance(item, ast.expr):
                # What a loop goes over is looked at as in a comprehension.
                target = ast.Name("_", ast.Store())
                yield ast.comprehension(target, item, [], 0) if name == "iter" else item


def _found(
    expression: ast.AST, sizes: set[str], counts: Set[str] = frozenset()
) -> Iterator[tuple[ast.expr, str]]:
    """Reads in an expression, and how each reads; the side that tracing does not take has none."""
    if isinstance(expression, ast.IfExp) and _tracing(expression.test) is not None:
        taken = expression.body if _tracing(expression.test) else expression.orelse
        yield from _found(taken, sizes, counts)
        return
    if isinstance(expression, ast.comprehension):
        for part in _parts(expression.iter):
            if _is_walked(part, sizes):
                yield part, "walked"
            elif _is_range(part) and _counts(part, sizes, counts) and not _values(part, sizes):
                yield part, "counted"
    elif isinstance(expression, ast.Call):
        called = expression.func
        if getattr(called, "id", "") == "map":
            walked = (part for part in expression.args[1:] if _is_walked(part, sizes))
            yield from ((part, "walked") for part in walked)
        number = isinstance(called, ast.Name) and called.id in _NUMBERS
        if (
            isinstance(called, ast.Attribute)
            and called.attr in _READING
            or number
            and any(_values(argument, sizes) for argument in expression.args)
        ):
            yield expression, "read"
    for child in children(expression):
        yield from _found(child, sizes, counts)


def _parts(iterated: ast.expr) -> list[ast.expr]:
    """What a loop goes over, one or several side by side."""
    called = iterated.func if isinstance(iterated, ast.Call) else None
    if isinstance(iterated, ast.Call) and _name_of(called) in _WALKING:
        return [part for argument in iterated.args for part in _parts(argument)]
    return [iterated]


def _is_walked(part: ast.expr, sizes: set[str]) -> bool:
    """Whether a loop takes values of sizes one by one: all, some, or what is computed of each."""
    if isinstance(part, ast.Subscript):
        return _is_walked(part.value, sizes)
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
        if part.func.attr in (*_READING, *_SHAPES, "arange"):
            return False
        # A method of sizes, or a function of torch of them: one for each again.
        is_torch = ast.unparse(part.func.value) == "torch"
        holder = part.args[:1] if is_torch else [part.func.value]
        return any(_is_walked(given, sizes) for given in holder)
    return isinstance(part, (ast.Name, ast.BinOp, ast.UnaryOp)) and _values(part, sizes)


def _is_range(part: ast.expr) -> bool:
    return isinstance(part, ast.Call) and _name_of(part.func) in ("range", "arange")


def _name_of(called: ast.expr | None) -> str:
    """The last word of what is called."""
    return getattr(called, "attr", getattr(called, "id", ""))


def _counts(expression: ast.AST, sizes: set[str], counts: Set[str]) -> bool:
    """Tell whether an expression says how many sizes there are: ``len(x)``, ``x.shape[0]``, ``x.size(0)``."""
    if isinstance(expression, ast.Name):
        return expression.id in counts
    if isinstance(expression, ast.Call) and getattr(expression.func, "id", "") == "len":
        return any(_values(argument, sizes) for argument in expression.args)
    if isinstance(expression, (ast.Subscript, ast.Call)):
        holder = expression.value if isinstance(expression, ast.Subscript) else expression.func
        axes = [expression.slice] if isinstance(expression, ast.Subscript) else expression.args
        if isinstance(holder, ast.Attribute) and holder.attr == "numel":
            return _values(holder.value, sizes)
        if isinstance(holder, ast.Attribute) and holder.attr in ("shape", "size") and axes:
            return _is_first(axes[0]) and _values(holder.value, sizes)
    if isinstance(expression, ast.Attribute) and expression.attr in ("shape", "size"):
        return _values(expression.value, sizes)
    return any(_counts(child, sizes, counts) for child in children(expression))


def _is_first(axis: ast.expr) -> bool:
    """Whether an axis is the first, or the last: boundaries and lengths have but one."""
    return ast.unparse(axis) in ("0", "-1")


def _values(expression: ast.AST, sizes: set[str]) -> bool:
    """Tell whether an expression takes values of sizes, not only their number, device or dtype."""
    if isinstance(expression, ast.Attribute) and expression.attr in _SHAPES:
        return False
    if isinstance(expression, ast.Call) and getattr(expression.func, "id", "") in (
        "len",
        "isinstance",
    ):
        return False
    if isinstance(expression, ast.Name):
        return expression.id in sizes and isinstance(expression.ctx, ast.Load)
    return any(_values(child, sizes) for child in children(expression))
