"""Features of a modality, split by sizes that the host reads: all in one entry while tracing.

    split_sizes = (image_grid_thw.prod(-1) // m**2).tolist()      split_sizes = image_grid_thw.prod(-1) // m**2
    features = torch.split(rows, split_sizes)                ->   features = split_by_item(rows, split_sizes)

Right only where the callers do nothing but join the entries again (:mod:`.joined`): eagerly there is
one for each item, as before, but in a graph all are one. So they are where the grid is None: the encoder
takes that with everything which follows from it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.capture.joined import joining_objection
from codegen.rewrite.capture.pieces import Left, Split, integer, is_read, splits_in
from codegen.rewrite.emit.edits import Branch, Edit, Insert, Substitute
from codegen.rewrite.functions import Function, defaults_of, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import is_written, target_of, walk
from codegen.rewrite.place.absent import AbsentReads, Call
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.reach import read_names
from codegen.rewrite.vocabulary import FEATURES_METHODS

Found = tuple[list[Edit], tuple[str, ...], str]
HELPER = "split_by_item"
NEEDED = "require_sizes"


def features_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Call the helper in place of the split of a method that encodes one modality."""
    if function.name not in FEATURES_METHODS:
        return None
    edits: list[Edit] = []
    for split, value in host_splits(function):
        reason = _objection(function, split, value)
        if reason:
            return Left(split.node, f"{_said_of(value)}, but {reason}")
        unjoined = joining_objection(index, cls, function)
        if unjoined:
            return Left(split.node, f"{_said_of(value)}, but {unjoined}")
        source = cls.module.text.source
        inner = source(_inner(value))
        inner = f"({inner})" if "\n" in inner else inner
        sizes = inner
        if split.sizes is not value:
            # What is held under a name stays there, as a tensor.
            edits.append(Substitute(value, inner))
            sizes = source(split.sizes)
        statement, grid = _statement_of(function, value), _grid_of(index, function, value)
        if grid and _is_only_handed_on(index, cls, function, grid, value):
            if split.sizes is value:
                sizes = f"{sizes} if {grid} is not None else None"
            else:
                edits.append(Branch((statement,), f"{grid} is None", (f"{sizes} = None",)))
        elif grid in _optional(function):
            edits.append(Insert(statement, (f'{NEEDED}("{grid}", {grid})',)))
        edits.append(Substitute(split.node, f"{HELPER}({source(split.state)}, {sizes})"))
    reason = "features split per item: in one piece while tracing"
    needs = (HELPER, NEEDED) if any(isinstance(edit, Insert) for edit in edits) else (HELPER,)
    return (edits, needs, reason) if edits else None


def _grid_of(index: Index, function: Function, value: ast.expr) -> str:
    """The parameter with the grid that sizes are read from, empty where it is no parameter."""
    grid = index.vocabulary.grid_of(parameters(function)[1:])
    return grid if grid in read_names(value) else ""


def _is_only_handed_on(
    index: Index, cls: ClassInfo, function: Function, grid: str, value: ast.expr
) -> bool:
    """Tell whether a grid that is None goes nowhere else than to modules, which say what they lack."""
    reads = AbsentReads(index).own(cls, function, Call(frozenset((grid,)), frozenset()))
    return all(node in walk(value) for _, node in reads)


def _optional(function: Function) -> set[str]:
    """Parameters that are None by default."""
    return {n for n, value in defaults_of(function).items() if is_written(value, "None")}


def _statement_of(function: Function, node: ast.AST) -> ast.stmt:
    """The innermost statement that holds a node."""
    holders = [s for s in walk(function) if isinstance(s, ast.stmt) and node in walk(s)]
    return min(holders, key=lambda s: sum(1 for _ in walk(s)))


def host_splits(function: Function) -> Iterator[tuple[Split, ast.Call]]:
    """The splits of a method by sizes read on the host, each with the call that reads them."""
    for split in splits_in(function):
        values = [split.sizes]
        if isinstance(split.sizes, ast.Name):
            made = (node for node in walk(function) if isinstance(node, ast.Assign))
            values += [node.value for node in made if split.sizes.id in assigned_names(node)]
        calls = (node for value in values for node in walk(value) if isinstance(node, ast.Call))
        read = next((call for call in calls if is_read(call)), None)
        if read is not None:
            yield split, read


def _objection(function: Function, split: Split, read: ast.Call) -> str:
    """Why a split is no split of rows by a tensor of sizes; empty if it is."""
    if split.axis is not None and integer(split.axis) != 0:
        return "it does not part rows"
    if read.args or read.keywords:
        return f"{ast.unparse(read)} is no list of a tensor"
    if split.sizes is read:
        return ""
    if not isinstance(split.sizes, ast.Name):
        return f"the sizes are more than {ast.unparse(read)}"
    name = split.sizes.id
    uses = [node for node in walk(function) if isinstance(node, ast.Name) and node.id == name]
    made = [node for node in walk(function) if isinstance(node, ast.Assign) and node.value is read]
    if [type(target_of(node)) for node in made] != [ast.Name]:
        return f"{name} is more than {ast.unparse(read)}"
    return "" if len(uses) == 2 else f"{name} has other uses"


def _inner(read: ast.Call) -> ast.expr:
    """``x`` of ``x.tolist()``."""
    assert isinstance(read.func, ast.Attribute)
    return read.func.value


def _said_of(read: ast.expr) -> str:
    return f"results are split by {ast.unparse(read)}, which the host reads: a graph ends here"
