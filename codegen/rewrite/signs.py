"""Signs that a parameter holds sizes, whatever it is called: what is done with it, in names that no file can change.

    for t, h, w in layout.tolist(): ... arange(h * w)        t, h, w = layout.unbind(1)
    pad(layout.prod(-1).cumsum(0), (1, 0))                   for row in layout: t, h, w = row

They only tell where to look: a file that uses none of the vocabulary's names may hold something for the
passes, and a method whose sizes go by another name is reported with the name to add.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from textwrap import dedent

from codegen.rewrite.nodes import calls_in, glance, of_kind, of_kinds, walk

TELLING = ("repeat_interleave", "arange", "linspace", "cumsum")
"""Functions one of which takes part where positions and boundaries are computed of sizes."""

_LOOP = re.compile(r"for \(?\w+, ?\w+, ?\w+\)? in ")
_UNPACKED = re.compile(
    r", ?\w+, ?\w+\)? = (?!\w*shape)\w+(?:\[\w+\])?"
    r"(?:\.(?:tolist|unbind|t|cpu|long|int|numpy)\([^)\n]*\)|\.T)*(?: *[;#].*)?\n"
)
_NUMBERED = re.compile(r"\[\w+\]\[2\]|\[\w+, ?2\]")
_NUMBERED_ROW = re.compile(r"for (\w+) in [^\n]*\n(?:[^\n]*\n){0,6}?[^\n]*\b\1\[2\]")
_BOUNDARIES = tuple(
    map(
        re.compile,
        (
            r"cumsum[^#]{0,160}?[(\[]1, ?0[)\]]",
            r"zeros[^#]{0,80}?cumsum",
            r"cumsum[^#]{0,160}?cat\([^#]{0,60}?zeros",
        ),
    )
)
_COLUMNS = ("[:, 0]", "[:, 1]", "[:, 2]")
_METHOD = "\n    def "
_IMPORTED = re.compile(r"from torch[\w.]* import (\([^)]*\)|[^\n]*)")
_IMPORTED_AS = re.compile(r"\b(arange|cat|concat|cumsum|linspace|pad|repeat_interleave) as (\w+)")
_FORWARD = "    def forward("
_END = re.compile(r"\n(?=\w|@|    @)")

_SAME = frozenset(
    ("cpu", "contiguous", "cuda", "detach", "flatten", "int", "long", "numpy", "prod", "reshape")
    + ("squeeze", "t", "to", "tolist", "transpose", "type", "unbind", "view")
)
"""Methods whose results are sizes again."""


@dataclass(frozen=True)
class Sizes:
    """A parameter that is used as sizes: what role its name would have, and the node that computes of it.

    The role is empty for rows of two numbers, for which there is none.
    """

    name: str
    role: str
    node: ast.AST


@lru_cache(maxsize=2048)
def shows_sizes(text: str) -> bool:
    """Tell whether a method of a file uses a parameter as sizes; a cheap look at the text comes first."""
    renamed = _renamed(text)
    for found in _methods(text, (*TELLING, *renamed)):
        segment = found
        for new, old in renamed.items():
            segment = re.sub(rf"\b{new}\b", old, segment)
        try:
            if _may_show(segment) and any(map(_uses_any, _functions(segment))):
                return True
        except RecursionError:
            return True  # who looks at the file says that it is nested too deeply
    return False


def _uses_any(function: ast.FunctionDef) -> bool:
    """Tell whether a method uses a parameter as sizes, or something that comes in ``*args`` or ``**kwargs``."""
    several = [given.arg for given in (function.args.vararg, function.args.kwarg) if given]
    names = (n for name in several for n in (name, *entries_of(function, name)))
    return sizes_by_use(function) is not None or any(uses_as_sizes(function, n) for n in names)


def _renamed(text: str) -> dict[str, str]:
    """Functions of torch that a file imports under another name, by that name."""
    imported = " ".join(_IMPORTED.findall(text))
    return {new: old for old, new in _IMPORTED_AS.findall(imported)} if " as " in imported else {}


def _methods(text: str, words: Iterable[str]) -> Iterator[str]:
    """The texts of the methods of a file in which one of some words stands."""
    seen: set[int] = set()
    for word in words:
        place = text.find(word)
        while place >= 0:
            start, end = text.rfind(_METHOD, 0, place), text.find(_METHOD, place)
            if start >= 0 and start not in seen:
                seen.add(start)
                yield text[start + 1 : end + 1 if end >= 0 else None]
            place = text.find(word, end) if end >= 0 else -1


def _may_show(segment: str) -> bool:
    """Look for the words of such a use."""
    if all(column in segment for column in _COLUMNS) or _LOOP.search(segment):
        return True
    if _UNPACKED.search(segment) or _NUMBERED.search(segment):
        return True
    if "[2]" in segment and _NUMBERED_ROW.search(segment):
        return True
    cumulated = segment.startswith(_FORWARD) and "cumsum" in segment
    return cumulated and any(form.search(segment) for form in _BOUNDARIES)


@lru_cache(maxsize=256)
def _functions(segment: str) -> tuple[ast.FunctionDef, ...]:
    """The function at the beginning of a text, none where that does not parse on its own."""
    try:
        # What is no line of the method ends it: the next class, a decorator of the next method.
        tree = ast.parse(dedent(_END.split(segment)[0]))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(node for node in tree.body[:1] if isinstance(node, ast.FunctionDef))


def sizes_by_use(function: ast.FunctionDef) -> Sizes | None:
    """The first parameter that a method uses as rows of three numbers, or adds up to boundaries."""
    return _by_use(glance(function))


@lru_cache(maxsize=8192)
def _by_use(function: ast.FunctionDef) -> Sizes | None:
    args = function.args
    read = {n.id for n in of_kind(function, ast.Name) if isinstance(n.ctx, ast.Load)}
    for given in (*args.posonlyargs, *args.args, *args.kwonlyargs):
        if given.arg != "self" and given.arg in read:
            found = _use_of(function, given.arg)
            if found is not None:
                return found
    return None


def _use_of(function: ast.FunctionDef, name: str) -> Sizes | None:
    """What one parameter is used as."""
    rows, parts = _rows_of(function, name)
    parts |= _derived(function, parts) if parts else set()
    for node in calls_in(function):
        if parts and _called(node) in TELLING and parts & _names(node):
            return Sizes(name, "grids", node)
        if (
            _called(node) == "cumsum"
            and _is_boundaries(function, node)
            and function.name == "forward"
        ):
            given = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            of = next(iter(given if _is_method(node) else node.args), None)
            if of is not None and _is_of(of, name, function):
                read = _numbered(function, name, rows)
                several = "prod" in ast.unparse(of) or 2 in read or bool(rows)
                return Sizes(name, "grids" if several else "" if read else "lengths", node)
    return None


def _rows_of(function: ast.FunctionDef, name: str) -> tuple[set[str], set[str]]:
    """Names of single rows of a parameter, and names that hold one of three numbers of a row."""
    rows: set[str] = set()
    parts: set[str] = set()
    for node in of_kinds(function, ast.For, ast.comprehension, ast.Assign):
        if isinstance(node, (ast.For, ast.comprehension)):
            target, iterated = node.target, node.iter
            if isinstance(iterated, ast.Call) and _called(iterated) == "enumerate":
                target = target.elts[-1] if isinstance(target, ast.Tuple) else target
                iterated = iterated.args[0] if iterated.args else iterated
            if _root(iterated) == name:
                if isinstance(target, ast.Name):
                    rows.add(target.id)
                parts |= _three(target)
        elif isinstance(node, ast.Assign) and _root(node.value) in {name, *rows}:
            if not isinstance(node.value, ast.Name) or node.value.id != name:
                parts |= _three(node.targets[0])
    if not parts and _numbered(function, name, rows) == {0, 1, 2}:
        parts = {name, *rows}
    return rows, parts


def _three(target: ast.expr) -> set[str]:
    """The names that three numbers are unpacked to, none for another number of them."""
    names = [getattr(part, "id", "") for part in getattr(target, "elts", [])]
    return set(names) if len(names) == 3 and all(names) else set()


def _numbered(function: ast.FunctionDef, name: str, rows: set[str]) -> set[int]:
    """The numbers by which entries of rows are read: ``row[1]``, ``rows[:, 1]``, ``rows[i][1]``, ``rows[i, 1]``."""
    found: set[int] = set()
    for node in of_kind(function, ast.Subscript):
        several = isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2
        row = _root(node.value) in rows or isinstance(node.value, ast.Subscript)
        if _root(node.value) not in {name, *rows} or not (row or several):
            continue
        key = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) else node.slice
        if isinstance(key, ast.Constant) and type(key.value) is int:
            found.add(key.value)
    return found


def _root(node: ast.expr) -> str:
    """``layout`` of ``layout[i].cpu().tolist()``: the name whose entries an expression gives, else empty."""
    while True:
        if isinstance(node, ast.Call) and _is_method(node) and _called(node) in _SAME:
            node = node.func.value  # type: ignore[attr-defined]
        elif (
            isinstance(node, ast.Attribute)
            and node.attr == "T"
            or isinstance(node, ast.Subscript)
            and getattr(node.value, "attr", "") != "shape"
        ):
            node = node.value
        else:
            return node.id if isinstance(node, ast.Name) else ""


def _derived(function: ast.FunctionDef, names: set[str]) -> set[str]:
    """Local names that are assigned something of names."""
    found = set(names)
    size = -1
    while size < len(found):
        size = len(found)
        for node in of_kind(function, ast.Assign):
            if found & _names(node.value):
                found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return found


def _is_of(node: ast.expr, name: str, function: ast.FunctionDef, steps: int = 4) -> bool:
    """Tell whether an expression is a parameter's values, or products of these, and nothing else."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return all(_is_of(side, name, function, steps) for side in (node.left, node.right))
    if _root(node) == name:
        return True
    if not isinstance(node, ast.Name) or not steps:
        return False
    values = [
        n.value
        for n in of_kind(function, ast.Assign)
        if any(getattr(t, "id", "") == node.id for t in n.targets)
    ]
    others = [value for value in values if getattr(value, "id", "") != node.id]
    return len(others) == 1 and _is_of(others[0], name, function, steps - 1)


def _is_boundaries(function: ast.FunctionDef, call: ast.Call) -> bool:
    """Tell whether a sum is given a zero in front: by ``pad(..., (1, 0))``, or joined behind zeros."""
    made = {
        t.id
        for n in of_kind(function, ast.Assign)
        if any(inner is call for inner in calls_in(n.value))
        for t in n.targets
        if isinstance(t, ast.Name)
    }
    for node in calls_in(function):
        if _called(node) not in ("pad", "cat", "concat"):
            continue
        holds = any(inner is call for inner in walk(node)) or made & _names(node)
        written = ast.unparse(node)
        if holds and ("(1, 0)" in written or "[1, 0]" in written or "zeros" in written):
            return True
    return False


def _called(call: ast.Call) -> str:
    """The last name of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _is_method(call: ast.Call) -> bool:
    """Whether a call is one of a value, and not of a function of torch."""
    root = call.func.value if isinstance(call.func, ast.Attribute) else None
    return root is not None and getattr(root, "id", "") not in ("torch", "F", "nn")


def _names(node: ast.AST) -> set[str]:
    """Names whose values an expression reads, and not only their shape."""
    shapes = {
        id(inner)
        for n in walk(node)
        if _asks_for_shape(n)
        for inner in walk(n)
        if isinstance(inner, ast.Name)
    }
    return {n.id for n in walk(node) if isinstance(n, ast.Name) and id(n) not in shapes}


def _asks_for_shape(node: ast.AST) -> bool:
    called = (
        _called(node) in ("dim", "len", "numel", "size") if isinstance(node, ast.Call) else False
    )
    return called or getattr(node, "attr", "") in ("device", "dtype", "ndim", "shape")


def uses_as_sizes(function: ast.FunctionDef, name: str) -> bool:
    """Tell whether a method uses a name, which need be no parameter, as rows of three numbers."""
    rows, parts = _rows_of(glance(function), name)
    parts |= _derived(glance(function), parts) if parts else set()
    calls = (node for node in calls_in(glance(function)) if _called(node) in TELLING)
    return bool(parts) and any(parts & _names(node) for node in calls)


def entries_of(function: ast.FunctionDef, several: str) -> Iterator[str]:
    """Names that entries of ``*args`` are given, by a loop or an assignment."""
    for node in walk(function):
        targets: list[ast.expr] = []
        if isinstance(node, (ast.For, ast.comprehension)):
            targets, value = [node.target], node.iter
        elif isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        if targets and any(getattr(n, "id", "") == several for n in walk(value)):
            named = (n for target in targets for n in walk(target))
            yield from (n.id for n in named if isinstance(n, ast.Name))
