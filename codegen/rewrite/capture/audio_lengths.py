"""That rows are split by what the convolutions leave of each audio's length: shown by values, in every caller.

    after, total = self.audio._get_feat_extract_output_lengths(lengths)
    self.audio(features, feature_lens=lengths, aftercnn_lens=after)

Both have to be made of the same lengths, and the one has to be what the helpers' law gives for the other.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

import numpy as np

from codegen.rewrite.capture.repeats import callers_of
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.heirs import held_module
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import only, target_of, walk
from codegen.rewrite.probe import reference
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.reach import Reaching, read_names
from codegen.rewrite.recognise.study import same

_GIVEN = "given_lengths"
_LENGTHS = np.array([*range(1, 260), 999, 1000, 2999, 3000, 3001])


def length_problem(
    index: Index, cls: ClassInfo, function: Function, given: str, lengths: str
) -> str:
    """Why ``lengths`` are not known to be what the convolutions leave of ``given``, empty if they are.

    Args:
        index: of all modules.
        cls: the encoder.
        function: its method.
        given: the parameter with the length of each audio.
        lengths: what the rows are split by.
    """
    names = parameters(function)
    changed = {name for statement in function.body for name in assigned_names(statement)}
    if given in changed:
        return f"{given} is changed before the rows are split"
    if lengths not in names or lengths in changed:
        made = _made(function, lengths)
        if lengths not in names and made and _is_halved(index, cls, made, ast.Name(given)):
            return ""
        return f"{lengths} is not known to be {given} behind the convolutions"
    callers = list(callers_of(index, function))
    if not callers:
        return f"no caller tells that {lengths} is {given} behind the convolutions"
    for owner, caller, call in callers:
        bound = dict(zip(names[1:], call.args)) | {k.arg: k.value for k in call.keywords if k.arg}
        encoder = held_module(index, owner, self_attribute(call.func))
        before, behind = bound.get(given), bound.get(lengths)
        if encoder is None or before is None or behind is None:
            return f"{owner.name} is not seen to give both {given} and {lengths}"
        if not _are_both_of(index, encoder, caller, call, before, behind):
            return f"{owner.name} is not seen to give {lengths} that is {given} behind the convolutions"
    return ""


def _made(function: Function, name: str) -> tuple[ast.stmt, ast.expr, int | None] | None:
    """The only statement of a method that gives a name its value, the value, and which part of it."""
    node = only([s for s in function.body if name in assigned_names(s)])
    target = target_of(node)
    if not isinstance(node, ast.Assign):
        return None
    if isinstance(target, ast.Name):
        return node, node.value, None
    if not isinstance(target, ast.Tuple) or not all(isinstance(t, ast.Name) for t in target.elts):
        return None
    parts = [number for number, t in enumerate(target.elts) if getattr(t, "id", "") == name]
    part = only(parts)
    return (node, node.value, part) if part is not None else None


def _are_both_of(
    index: Index,
    encoder: ClassInfo,
    caller: Function,
    call: ast.Call,
    before: ast.expr,
    behind: ast.expr,
) -> bool:
    """Whether a call gives lengths, and what the convolutions leave of the same lengths."""
    statement = next((s for s in caller.body if any(n is call for n in walk(s))), None)
    made = _made(caller, behind.id) if isinstance(behind, ast.Name) else None
    if statement is None or made is None:
        return False
    reaching = Reaching(caller)
    for known, place in _spelled(caller, before, statement):
        unchanged = all(
            reaching.definitions(made[0], name) == reaching.definitions(place, name)
            for name in read_names(known)
        )
        if unchanged and _is_halved(index, encoder, made, known, self_attribute(call.func)):
            return True
    return False


def _spelled(
    caller: Function, node: ast.expr, statement: ast.stmt
) -> Iterator[tuple[ast.expr, ast.stmt]]:
    """An argument as it stands in a statement, and as it was made where it only has a name there."""
    yield node, statement
    made = _made(caller, node.id) if isinstance(node, ast.Name) else None
    if made is not None and made[2] is None:
        yield made[1], made[0]


def _is_halved(
    index: Index,
    cls: ClassInfo,
    made: tuple[ast.stmt, ast.expr, int | None],
    known: ast.expr,
    held: str = "",
) -> bool:
    """Whether a value, or a part of it, is the law's for lengths that are written in some way."""
    _, value, part = made
    turned = _Turned(ast.unparse(known), held).visit(copy.deepcopy(value))
    text = f"def made(self, {_GIVEN}):\n    return {ast.unparse(turned)}"
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    given = {_GIVEN: Arr(_LENGTHS)}
    found = Interpreter(index, 0, 1).run(cls, function, cls, given).result
    if part is not None:
        found = found[part] if isinstance(found, (list, tuple)) and part < len(found) else None
    return (
        isinstance(found, Arr) and not found.late and same(found.data, reference.halved(_LENGTHS))
    )


class _Turned(ast.NodeTransformer):
    """An expression of a caller in the words of the module that it holds, with a name for what is known."""

    def __init__(self, known: str, held: str) -> None:
        self.known, self.held = known, held

    def visit(self, node: ast.AST) -> ast.AST:
        """See :class:`ast.NodeTransformer`."""
        if isinstance(node, ast.expr) and ast.unparse(node) == self.known:
            return ast.Name(_GIVEN, ast.Load())
        if isinstance(node, ast.Attribute) and self.held and self_attribute(node) == self.held:
            return ast.Name("self", ast.Load())
        if isinstance(node, ast.Name) and self.held and node.id == "self":
            return ast.Name("_caller", ast.Load())  # of which nothing is asked
        result: ast.AST = super().visit(node)
        return result
