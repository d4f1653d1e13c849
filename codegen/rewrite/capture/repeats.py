"""Per-image values repeated per token: a gather by segment instead of a list of repeats.

    torch.cat([shapes[i, 1].repeat(lengths[i]) for i in range(len(lengths))])
        ->  shapes[get_segment_ids(<boundaries of lengths>, while_tracing(rows)), 1]

and, in callers of a method that accepts lengths as a tensor too, ``(c[1:] - c[:-1]).tolist()`` stays a
tensor. Both forms give the same integers, as the first input has as many rows as the lengths add up to,
which its callers have to show.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from codegen.rewrite.capture.pieces import Left, Refused, difference, integer, is_read
from codegen.rewrite.emit.edits import Edit, Substitute
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.heirs import held_module
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, only, target_of, walk
from codegen.rewrite.place.calls import bind_arguments
from codegen.rewrite.place.rows import go_to_layers
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.reach import read_names
from codegen.rewrite.vocabulary import torch_name


def repeat_edits(
    index: Index, cls: ClassInfo, function: Function
) -> tuple[list[Edit], tuple[str, ...], str] | Left | None:
    """Replace repeats in a method by a gather."""
    edits: list[Edit] = []
    for node in walk(function):
        made = _joined_repeats(node)
        if made is None or len(parameters(function)) < 2:
            continue
        assert isinstance(node, ast.Call)
        try:
            values, lengths, column = _parts(node, made)
            _check_rows(index, function, node, lengths)
        except Refused as refused:
            reason = f"values repeated per token, but {refused.left.reason}"
            return Left(refused.left.node, reason)
        rows = f"{parameters(function)[1]}.shape[0]"
        boundaries = f"torch.nn.functional.pad({lengths}.cumsum(0), (1, 0)).to({values}.device)"
        # Eagerly there are as many as the lengths say: a single row may be broadcast to them.
        new = f"{values}[get_segment_ids({boundaries}, while_tracing({rows})), {column}]"
        edits.append(Substitute(node, new))
    return (
        (
            edits,
            ("get_segment_ids", "while_tracing"),
            "per-image values repeated per token: gather by segment",
        )
        if edits
        else None
    )


def lengths_edits(
    index: Index, cls: ClassInfo, function: Function
) -> tuple[list[Edit], tuple[str, ...], str] | None:
    """Keep lengths on the device where the receiver accepts them so."""
    edits = _lengths_edits(index, cls, function)
    return (edits, (), "host-side lengths stay a tensor") if edits else None


def _joined_repeats(node: ast.AST) -> ast.ListComp | ast.GeneratorExp | None:
    """``[x.repeat(n) for ...]`` of ``cat([x.repeat(n) for ...])``."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    made = node.args[0]
    if torch_name(node.func) not in ("torch.cat", "torch.concat") or not isinstance(
        made, (ast.ListComp, ast.GeneratorExp)
    ):
        return None
    element = made.elt
    if not isinstance(element, ast.Call) or not isinstance(element.func, ast.Attribute):
        return None
    parts = [element.func.value, *element.args]
    repeats = element.func.attr == "repeat" and len(parts) > 1
    return made if repeats and all(isinstance(part, ast.Subscript) for part in parts) else None


def _parts(node: ast.Call, made: ast.ListComp | ast.GeneratorExp) -> tuple[str, str, str]:
    """(values, lengths, column) of ``cat([values[i, column].repeat(lengths[i]) for i in range(len(lengths))])``.

    Raises:
        Refused: it is something else.
    """
    repeat, loop = made.elt, made.generators[0]
    assert isinstance(repeat, ast.Call) and isinstance(repeat.func, ast.Attribute)
    if len(made.generators) > 1 or loop.ifs or not isinstance(loop.target, ast.Name):
        raise Refused(made, "it does not go through the images one by one")
    axis = node.args[1:] + [k.value for k in node.keywords]
    if any(integer(value) != 0 for value in axis):
        raise Refused(node, "it is joined along another dimension")
    source, count = repeat.func.value, loop.target.id
    amount = repeat.args[0] if len(repeat.args) == 1 and not repeat.keywords else None
    if not isinstance(amount, ast.Subscript) or ast.unparse(amount.slice) != count:
        raise Refused(repeat, "it is not repeated by the length of each image")
    lengths = ast.unparse(amount.value)
    if ast.unparse(loop.iter) != f"range(len({lengths}))":
        raise Refused(loop.iter, f"it goes through {ast.unparse(loop.iter)}")
    parts = source.slice.elts if _is_pair(source) else []  # type: ignore[attr-defined]
    if not parts or ast.unparse(parts[0]) != count:
        raise Refused(source, f"{ast.unparse(source)} is no value of one image")
    column = parts[1]
    if isinstance(column, (ast.Slice, ast.Starred)) or count in read_names(column):
        raise Refused(source, f"{ast.unparse(source)} is not the same column of every image")
    return ast.unparse(source.value), lengths, ast.unparse(column)  # type: ignore[attr-defined]


def _is_pair(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Tuple)
        and len(node.slice.elts) == 2
    )


def _check_rows(index: Index, function: Function, node: ast.Call, lengths: str) -> None:
    """Establish that the first input has as many rows as the lengths add up to.

    Every caller has to give lengths between boundaries, and rows that go to its layers with these.

    Raises:
        Refused: one does not, or there is none.
    """
    rows, text = parameters(function)[1], ast.unparse(function)
    callers = list(callers_of(index, function))
    for cls, caller, call in callers:
        bound = bind_arguments(call, function, cls.module.text)
        boundaries = _boundaries(caller, bound.get(lengths, ""))
        statement = next((s for s in caller.body if any(n is call for n in walk(s))), None)
        given = bound.get(rows, "")
        if (
            not boundaries
            or statement is None
            or not go_to_layers(index, cls, caller, given, statement, boundaries)
        ):
            reason = f"{cls.name} is not seen to call it with as many rows as {lengths} add up to"
            raise Refused(node, reason)
        if _is_list(caller, bound[lengths]) and f"isinstance({lengths}, list)" not in text:
            raise Refused(
                node, f"{cls.name} gives {lengths} as a list, and no tensor is made of it"
            )
    if not callers:
        raise Refused(node, f"no caller tells that {rows} has as many rows as {lengths} add up to")


def callers_of(index: Index, function: Function) -> Iterator[tuple[ClassInfo, Function, ast.Call]]:
    """Calls of the ``forward`` of submodules, among all that may be rewritten, that reach a method."""
    for found, cls, caller, number in _calls_of_submodules(index, index.revision):
        if found is function:
            yield cls, caller, calls_in(caller)[number]


@lru_cache(maxsize=1)
def _calls_of_submodules(
    index: Index, revision: int
) -> list[tuple[Function, ClassInfo, Function, int]]:
    """Methods that are reached so, with the number of the call among those of a caller, at this revision."""
    found = []
    for module in index.library.modules():
        info = index.get(module)
        for name in info.classes if info is not None else ():
            cls = index.resolve(module, name)
            for caller in cls.methods.values() if cls is not None else ():
                for number, call in enumerate(calls_in(glance(caller))):
                    held = self_attribute(call.func)
                    target = held_module(index, cls, held) if held and cls is not None else None
                    reached = index.method(target, "forward") if target is not None else None
                    if reached is not None:
                        assert cls is not None
                        found.append((reached[1], cls, caller, number))
    return found


def _boundaries(caller: Function, lengths: str) -> str:
    """The boundaries whose differences a caller hands over as lengths, empty for other lengths."""
    made = [s for s in caller.body if lengths in assigned_names(s)]
    binding = only(made)
    if isinstance(binding, ast.Assign):
        return difference(binding.value)
    return "" if made or not lengths else difference(ast.parse(lengths, mode="eval").body)


def _is_list(caller: Function, lengths: str) -> bool:
    """Whether what a caller hands over as lengths is a list: read on the host where it is made."""
    made = [
        s.value for s in caller.body if isinstance(s, ast.Assign) and lengths in assigned_names(s)
    ]
    return any(map(is_read, made or [ast.parse(lengths, mode="eval").body]))


def _lengths_edits(index: Index, cls: ClassInfo, function: Function) -> list[Edit]:
    """Drop ``.tolist()`` of differences that only a tolerant submodule receives."""
    edits: list[Edit] = []
    for statement in function.body:
        if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)):
            continue
        callee, target = statement.value.func, target_of(statement)
        if not (
            isinstance(callee, ast.Attribute)
            and callee.attr == "tolist"
            and isinstance(target, ast.Name)
        ):
            continue
        if isinstance(callee.value, ast.BinOp) and _only_tolerant_uses(
            index, cls, function, target.id
        ):
            difference = cls.module.text.source(callee.value)
            edits.append(Substitute(statement.value, difference))
    return edits


def _only_tolerant_uses(index: Index, cls: ClassInfo, function: Function, name: str) -> bool:
    """Tell whether a local is only handed to submodules that turn a list into a tensor themselves."""
    uses = [
        n
        for n in walk(function)
        if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
    ]
    accepted = 0
    for call in walk(function):
        if not isinstance(call, ast.Call) or not self_attribute(call.func):
            continue
        target = index.submodule(cls, self_attribute(call.func))
        found = index.method(target, "forward") if target is not None else None
        if found is None:
            continue
        bound = dict(zip(parameters(found[1])[1:], call.args))
        bound.update({k.arg: k.value for k in call.keywords if k.arg})
        for parameter, value in bound.items():
            if isinstance(value, ast.Name) and value.id == name:
                accepted += f"isinstance({parameter}, list)" in ast.unparse(found[1])
    return bool(uses) and accepted == len(uses)
