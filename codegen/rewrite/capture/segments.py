"""Recognition of attention that is split into segments, called per segment, and joined again.

What the split form computes is read from the code part by part, and every part that is needed to put one
masked call in its place has to be established: that the sizes are differences of boundaries, that all
states are split along the positions, that the call depends on its segment in the states alone, that the
results are joined along the positions, and that nothing else happens on the way.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from codegen.rewrite.capture.parts import JOINS, appended, starts_list
from codegen.rewrite.capture.pieces import (
    Left,
    Refused,
    Split,
    add,
    boundaries_of,
    group_of,
    integer,
    is_read,
    single_of,
    splits_in,
)
from codegen.rewrite.functions import Function
from codegen.rewrite.nodes import only, resolved, target_of, target_text, walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.reach import Reaching, read_names
from codegen.rewrite.vocabulary import torch_name

POSITIONS = (2, -2)
"""The axis of positions in states (batch, heads, positions, width)."""
JOINED = (1, -3)
"""The axis of positions in what an attention function returns (batch, positions, heads, width)."""


@dataclass(frozen=True)
class SplitAttention:
    """Attention per segment: the statements, the boundaries, the call with its loop names, its results.

    ``pieces`` maps loop names to the split states; ``call`` is the attention call of one segment;
    ``is_first`` tells that only the first of its results is used. ``output`` and ``weights`` are what
    the joined results are called, ``weights`` empty where they are not collected. With ``is_list`` the
    results are joined in an expression, and ``output`` is the list of them.
    """

    statements: tuple[ast.stmt, ...]
    boundaries: str
    pieces: dict[str, str]
    call: ast.Call
    is_first: bool
    output: str
    weights: str
    is_list: bool

    @property
    def query(self) -> str:
        """The first of the states."""
        return next(iter(self.pieces.values()))


@dataclass(frozen=True)
class _Loop:
    """A loop over pieces: the statement, loop names, what is iterated, the body or the element."""

    statement: ast.stmt
    target: ast.expr
    over: ast.expr
    body: Sequence[ast.stmt]
    element: ast.expr | None


def find_split(function: Function, block: Sequence[ast.stmt]) -> SplitAttention | Left | None:
    """The split form in a block of a method; a reason where it is near, None where it is not."""
    for loop in _loops(block):
        names = _names(loop.target)
        call = _call(loop, names)
        if call is None or not _reads_sizes(function, block, loop):
            continue
        try:
            return _recognise(function, block, loop, names, call)
        except Refused as refused:
            return refused.left
    return None


# -- near the form --------------------------------------------------------------------------------


def _loops(block: Sequence[ast.stmt]) -> Iterator[_Loop]:
    for statement in block:
        if isinstance(statement, ast.For):
            yield _Loop(statement, statement.target, statement.iter, statement.body, None)
        value = getattr(statement, "value", None)
        if isinstance(statement, ast.Assign) and isinstance(
            value, (ast.ListComp, ast.GeneratorExp)
        ):
            first = value.generators[0]
            if len(value.generators) == 1 and not first.ifs:
                yield _Loop(statement, first.target, first.iter, (), value.elt)


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in walk(target) if isinstance(node, ast.Name)]


def _call(loop: _Loop, names: Sequence[str]) -> ast.Call | None:
    """The innermost call whose arguments contain three or more loop names, one each."""
    nodes = [loop.element] if loop.element is not None else list(loop.body)
    for node in nodes:
        for call in walk(node):
            if isinstance(call, ast.Call):
                given = [*call.args, *(keyword.value for keyword in call.keywords)]
                used = [{n.id for n in walk(a) if isinstance(n, ast.Name)} for a in given]
                if sum(bool(found & set(names)) for found in used) >= 3:
                    return call
    return None


def _reads_sizes(function: Function, block: Sequence[ast.stmt], loop: _Loop) -> bool:
    """Tell whether three states or more are split by sizes that are read from a tensor."""
    count = 0
    for statement in block:
        for split in splits_in(statement):
            if is_read(resolved(function, split.sizes)):
                count += _repetitions(statement, split.node)
    return count >= 3


def _repetitions(statement: ast.stmt, node: ast.AST) -> int:
    """For how many states a comprehension evaluates a split inside it; one outside."""
    for made in walk(statement):
        if isinstance(made, (ast.ListComp, ast.GeneratorExp)) and node in walk(made.elt):
            items = made.generators[0].iter
            return len(items.elts) if isinstance(items, (ast.Tuple, ast.List)) else 3
    return 1


# -- the form -------------------------------------------------------------------------------------


def _recognise(
    function: Function,
    block: Sequence[ast.stmt],
    loop: _Loop,
    names: list[str],
    call: ast.Call,
) -> SplitAttention:
    own: list[ast.stmt] = [loop.statement]
    splits = _pieces(block, loop, own)
    if len(names) != len(splits) or not isinstance(loop.target, (ast.Tuple, ast.List)):
        raise Refused(loop.target, "the loop has other names than those of the split states")
    boundaries = boundaries_of(function, block, splits, own)
    for split in splits:
        axis = 0 if split.axis is None else integer(split.axis)
        if axis not in POSITIONS:
            shown = "an unknown axis" if axis is None else f"dim={axis}"
            raise Refused(
                split.node, f"the states are split along {shown}, not along positions (dim=2)"
            )
    states = [split.state for split in splits]
    if not all(isinstance(state, ast.Name) for state in states):
        raise Refused(loop.statement, "a state that is split is not a plain name")
    _check_call(call, loop, names)
    is_first, outputs, weights = _results(block, loop, call, own)
    is_list = not weights and _joined_where_used(function, block, loop, outputs)
    output = outputs if is_list else _joined(block, loop, outputs, own)
    if weights:
        own += [s for s in block if starts_list(s, {weights}) and s not in own]
    statements = _region(function, block, own, {output, weights})
    pieces = {name: ast.unparse(state) for name, state in zip(names, states)}
    return SplitAttention(statements, boundaries, pieces, call, is_first, output, weights, is_list)


def _pieces(block: Sequence[ast.stmt], loop: _Loop, own: list[ast.stmt]) -> list[Split]:
    """The splits whose parts the loop goes through side by side."""
    over = loop.over
    if not (isinstance(over, ast.Call) and ast.unparse(over.func) == "zip") or any(
        keyword.arg != "strict" for keyword in over.keywords
    ):
        raise Refused(over, "the loop does not go through the pieces with zip")
    found: list[Split] = []
    for argument in over.args:
        if isinstance(argument, ast.Starred):
            found += group_of(block, argument.value, own)
        else:
            found.append(single_of(block, argument, own))
    return found


def _check_call(call: ast.Call, loop: _Loop, names: Sequence[str]) -> None:
    """Refuse a call that depends on its segment in more than the pieces, or has a mask already."""
    inside = {*names, *(n for s in loop.body for n in assigned_names(s))}
    given = [*call.args, *(keyword.value for keyword in call.keywords), call.func]
    for argument in given:
        if isinstance(argument, ast.Name) and argument.id in names:
            continue
        used = {n.id for n in walk(argument) if isinstance(n, ast.Name)} & inside
        if used:
            shown = ast.unparse(argument)
            raise Refused(argument, f"{shown} depends on {sorted(used)[0]}, a variable of the loop")
    passed = [a.id for a in given if isinstance(a, ast.Name) and a.id in names]
    if sorted(passed) != sorted(names):
        raise Refused(call, "the call does not get each piece once")
    masks = [k.value for k in call.keywords if k.arg == "attention_mask"] + call.args[4:5]
    if any(not (isinstance(mask, ast.Constant) and mask.value is None) for mask in masks):
        raise Refused(call, "the call has a mask of its own for every segment")
    if len(call.args) > 5:
        raise Refused(call, "the call gets more than a mask behind the pieces by position")


def _results(
    block: Sequence[ast.stmt], loop: _Loop, call: ast.Call, own: list[ast.stmt]
) -> tuple[bool, str, str]:
    """Whether the first result alone is used, the list of outputs, and that of weights or ''."""
    if loop.element is not None:
        assert isinstance(loop.statement, ast.Assign)
        target = target_of(loop.statement)
        if not isinstance(target, ast.Name):
            raise Refused(loop.statement, "the results of the calls get no plain name")
        return _is_first(loop.element, call, loop), target.id, ""
    first, local = False, ["", ""]
    lists: dict[str, str] = {}
    for statement in loop.body:
        if isinstance(statement, ast.Assign) and any(n is call for n in walk(statement)):
            target = target_of(statement)
            if isinstance(target, ast.Tuple) and len(target.elts) == 2 and statement.value is call:
                first, local = True, [ast.unparse(element) for element in target.elts]
            else:
                first, local = _is_first(statement.value, call, loop), [target_text(statement), ""]
            continue
        collected = appended(statement)
        if collected is None:
            shown = ast.unparse(statement).split("\n")[0]
            raise Refused(statement, f"the loop does more than the call: {shown}")
        name, value = collected
        if any(n is call for n in walk(value)):
            first, local = _is_first(value, call, loop), [ast.unparse(value), ""]
        lists[ast.unparse(value)] = name
    if not local[0] or local[0] not in lists:
        raise Refused(loop.statement, "the results of the calls are not collected in a list")
    if set(lists) - {item for item in local if item}:
        raise Refused(loop.statement, "the loop collects more than the results of the calls")
    outputs = lists[local[0]]
    made = only([s for s in block if starts_list(s, {outputs})])
    if made is None:
        raise Refused(loop.statement, f"{outputs} is not seen to be empty in front of the loop")
    add(own, made)
    return first, outputs, lists.get(local[1], "") if local[1] else ""


def _is_first(value: ast.expr, call: ast.Call, loop: _Loop) -> bool:
    """Tell ``call[0]`` from ``call``.

    Raises:
        Refused: something else is made of the result.
    """
    if value is call:
        return False
    if isinstance(value, ast.Subscript) and value.value is call and integer(value.slice) == 0:
        return True
    raise Refused(loop.statement, f"{ast.unparse(value)} is made of the result of every call")


def _is_join(node: ast.AST | None, outputs: str) -> TypeGuard[ast.Call]:
    """Tell whether a node joins a list, along whatever axis."""
    if not isinstance(node, ast.Call) or torch_name(node.func) not in JOINS:
        return False
    others = {keyword.arg for keyword in node.keywords} - {"dim", "axis"}
    return bool(node.args) and getattr(node.args[0], "id", "") == outputs and not others


def _axis_of(join: ast.Call) -> int | None:
    given = [*join.args[1:], *(keyword.value for keyword in join.keywords)]
    return integer(given[0]) if given else 0


def _joined_where_used(
    function: Function, block: Sequence[ast.stmt], loop: _Loop, outputs: str
) -> bool:
    """Tell whether a list is joined along positions in expressions, wherever it is read, and nowhere else.

    Then what joins it may stay, and gets a list of one.
    """
    behind = block[list(block).index(loop.statement) + 1 :]
    joins = [node for s in behind for node in walk(s) if _is_join(node, outputs)]
    if not joins or any(
        target_of(s) and _is_join(getattr(s, "value", None), outputs) for s in behind
    ):
        return False
    known = {id(join.args[0]) for join in joins} | {id(n) for n in walk(loop.statement)}
    known |= {id(n) for s in block if starts_list(s, {outputs}) for n in walk(s)}
    names = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == outputs]
    return all(id(n) in known for n in names) and all(_axis_of(join) in JOINED for join in joins)


def _joined(block: Sequence[ast.stmt], loop: _Loop, outputs: str, own: list[ast.stmt]) -> str:
    """The name of the outputs joined along positions."""
    for statement in block[list(block).index(loop.statement) + 1 :]:
        value = getattr(statement, "value", None)
        uses = any(isinstance(n, ast.Name) and n.id == outputs for n in walk(statement))
        if not uses:
            continue
        target = target_of(statement)
        joins = [node for node in walk(statement) if _is_join(node, outputs)]
        if not joins:
            raise Refused(statement, f"{outputs} is used otherwise than joined")
        axis = _axis_of(joins[0])
        if axis not in JOINED:
            reason = f"the outputs are joined along dim={axis}, not along positions (dim=1)"
            raise Refused(statement, reason)
        if value is not joins[0] or not isinstance(target, ast.Name):
            raise Refused(statement, f"{outputs} is joined and used for something else, too")
        add(own, statement)
        return target.id
    raise Refused(loop.statement, f"{outputs} is not joined behind the loop")


def _region(
    function: Function, block: Sequence[ast.stmt], own: Sequence[ast.stmt], results: set[str]
) -> tuple[ast.stmt, ...]:
    """The statements of the form, one behind the other, of which only the results are used elsewhere."""
    numbers = sorted(number for number, s in enumerate(block) if s in own)
    region = tuple(block[numbers[0] : numbers[-1] + 1])
    for statement in region:
        if statement not in own:
            shown = ast.unparse(statement).split("\n")[0]
            raise Refused(statement, f"{shown} stands between the split and what is made of it")
    inside = {id(node) for statement in region for node in walk(statement)}
    made = {name for statement in region for name in assigned_names(statement)} - results
    reaching = Reaching(function)
    for node in walk(function):
        if not isinstance(node, ast.stmt) or id(node) in inside or node is function:
            continue
        for name in sorted(read_names(node) & made):
            if reaching.definitions(node, name) & inside:
                raise Refused(node, f"{name} is used behind the split form, too")
    return region
