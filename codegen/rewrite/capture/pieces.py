"""Splits of states into pieces, and what they are split by."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import is_written, only, resolved, target_of, walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.vocabulary import torch_name


@dataclass(frozen=True)
class Left:
    """A condition that a method near a rule does not meet, and where."""

    node: ast.AST
    reason: str


class Refused(Exception):
    """Raised where a form that is near turns out to be another."""

    def __init__(self, node: ast.AST, reason: str) -> None:
        super().__init__(reason)
        self.left = Left(node, reason)


@dataclass(frozen=True)
class Split:
    """``state.split(sizes, dim)`` of one state."""

    state: ast.expr
    sizes: ast.expr
    axis: ast.expr | None
    node: ast.Call


def is_read(node: ast.expr) -> bool:
    """Tell whether an expression reads a tensor on the host: ``x.tolist()``."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "tolist"
    )


_KEYWORDS = {
    **dict.fromkeys(("tensor", "input"), "state"),
    **dict.fromkeys(("split_size_or_sections", "split_size", "split_sizes"), "sizes"),
    "dim": "dim",
}
"""What the keywords of the functions and methods that split stand for."""


def splits_in(node: ast.AST) -> Iterator[Split]:
    """All splits in a statement or expression."""
    for call in walk(node):
        split = _split(call)
        if split is not None:
            yield split


def _split(call: ast.AST) -> Split | None:
    """``torch.split(state, sizes, dim=axis)`` or ``state.split(sizes, axis)``."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr not in ("split", "split_with_sizes"):
        return None
    is_function = torch_name(call.func).startswith("torch.")
    names = iter(("state", "sizes", "dim") if is_function else ("sizes", "dim"))
    given = {} if is_function else {"state": call.func.value}
    for value in call.args:
        given[next(names, "")] = value
    for keyword in call.keywords:
        name = _KEYWORDS.get(keyword.arg or "", "")
        given["" if name in given else name] = keyword.value
    if "" in given or not {"state", "sizes"} <= given.keys():
        return None
    return Split(given["state"], given["sizes"], given.get("dim"), call)


def group_of(block: Sequence[ast.stmt], node: ast.expr, own: list[ast.stmt]) -> list[Split]:
    """All splits of ``[t.split(...) for t in (q, k, v)]`` or ``[q.split(...), k.split(...), ...]``."""
    node = _value_of(block, node, own)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("list", "tuple") and node.args:
        node = node.args[0]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [single_of(block, element, own) for element in node.elts]
    if isinstance(node, (ast.ListComp, ast.GeneratorExp)) and len(node.generators) == 1:
        split, first = _split(node.elt), node.generators[0]
        items = _value_of(block, first.iter, own)
        if (
            split is not None
            and isinstance(items, (ast.Tuple, ast.List))
            and isinstance(first.target, ast.Name)
            and ast.unparse(split.state) == first.target.id
            and not first.ifs
        ):
            return [Split(item, split.sizes, split.axis, split.node) for item in items.elts]
    raise Refused(node, "what the loop goes through is no split of several states")


def single_of(block: Sequence[ast.stmt], node: ast.expr, own: list[ast.stmt]) -> Split:
    """The split behind one argument of zip: the split itself, a name for it, or one of a group."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        number = integer(node.slice)
        group = group_of(block, node.value, own)
        if number is not None and -len(group) <= number < len(group):
            return group[number]
    if isinstance(node, ast.Name):
        unpacked = _unpacked(block, node.id, own)
        if unpacked is not None:
            return unpacked
        node = _value_of(block, node, own)
    split = _split(node)
    if split is None:
        raise Refused(node, f"{ast.unparse(node)} is no split of a state")
    return split


def _unpacked(block: Sequence[ast.stmt], name: str, own: list[ast.stmt]) -> Split | None:
    """The split that ``a, b, c = <splits>`` gives one of its names."""
    for statement in block:
        target = target_of(statement)
        if isinstance(statement, ast.Assign) and isinstance(target, ast.Tuple):
            names = [getattr(element, "id", "") for element in target.elts]
            if name in names:
                group = group_of(block, statement.value, own)
                if len(group) == len(names):
                    add(own, statement)
                    return group[names.index(name)]
    return None


def _value_of(block: Sequence[ast.stmt], node: ast.expr, own: list[ast.stmt]) -> ast.expr:
    """What a name stands for, if the block assigns it once; the statement becomes part of the form."""
    if isinstance(node, ast.Name):
        made = [s for s in block if node.id in assigned_names(s)]
        binding = only(made)
        if isinstance(binding, ast.Assign) and is_written(target_of(binding), node.id):
            add(own, binding)
            return binding.value
    return node


def add(own: list[ast.stmt], statement: ast.stmt) -> None:
    """Make a statement part of the form, once."""
    if statement not in own:
        own.append(statement)


def boundaries_of(
    function: Function, block: Sequence[ast.stmt], splits: Sequence[Split], own: list[ast.stmt]
) -> str:
    """Name ``c`` of the boundaries whose differences all states are split by."""
    found = set()
    for split in splits:
        sizes = _value_of(block, split.sizes, own)
        if is_read(sizes):
            assert isinstance(sizes, ast.Call) and isinstance(sizes.func, ast.Attribute)
            sizes = _value_of(block, sizes.func.value, own)
        name = difference(resolved(function, sizes))
        if not name:
            reason = f"{ast.unparse(split.sizes)} are not seen to be the differences of boundaries"
            raise Refused(split.node, reason)
        found.add(name)
    if len(found) != 1:
        raise Refused(splits[0].node, "the states are split by different boundaries")
    return found.pop()


def difference(node: ast.expr) -> str:
    """Name ``c`` of ``c[1:] - c[:-1]``, ``torch.diff(c)`` or ``c.diff()``; read on the host or not."""
    if is_read(node):
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        node = node.func.value
    if isinstance(node, ast.Call) and not node.keywords:
        if torch_name(node.func) == "torch.diff":
            return getattr(node.args[0], "id", "") if len(node.args) == 1 else ""
        if isinstance(node.func, ast.Attribute) and node.func.attr == "diff" and not node.args:
            return getattr(node.func.value, "id", "")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        left, right = ast.unparse(node.left), ast.unparse(node.right)
        name = left.split("[")[0]
        if (left, right) == (f"{name}[1:]", f"{name}[:-1]") and name.isidentifier():
            return name
    return ""


def integer(node: ast.expr) -> int | None:
    """The value of a literal, None for anything else."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) else None
