"""Chunks of packed audio: sizes that follow from shapes, so that a graph has none that it must read.

Eagerly chunks are padded to the longest one. While tracing that width would be a size which the graph
does not know, and compilers cannot lay out a convolution over it. There chunks are padded to the full
width instead, and what lies beyond the longest chunk is cleared between the convolutions, which then
see the zeros that their own padding would be. Where the method masks every chunk itself, that does it.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass

from codegen.rewrite.emit.edits import AddKeywords, Edit, Insert
from codegen.rewrite.helpers import CHUNKS, VALID_INDICES
from codegen.rewrite.library import ClassInfo, Function, Index, parameters, self_attribute
from codegen.rewrite.nodes import walk
from codegen.rewrite.vocabulary import LAW_STRIDES

Found = tuple[list[Edit], tuple[str, ...], str]

CLEAR, WIDEN = "clear_beyond_longest", "widen_valid_indices"
PADDED, LENGTHS = CHUNKS.outputs
ACTIVATIONS = ("elu", "gelu", "leaky_relu", "mish", "relu", "selu", "silu", "tanh")
"""Functions of one element each, under which zeros of a mask and of a padding are worth the same."""


@dataclass(frozen=True)
class Convolution:
    """A statement ``target = ...self.convolution(source)...`` that leaves ⌈width / stride⌉ columns."""

    statement: ast.Assign
    target: str
    source: str
    stride: int
    masked: bool


def chunk_edits(index: Index, cls: ClassInfo, function: Function) -> Found | None:
    """Give the chunk helpers bounds and facts that follow from shapes."""
    text = cls.module.text
    cut, valid = _call(function, CHUNKS.name), _call(function, VALID_INDICES.name)
    if cut is None or len(cut.args) != 3:
        return None
    features, lens, window = (text.source(arg) for arg in cut.args)
    stride = 0 if valid is None else _law_stride(valid)
    made = next((n for n in walk(function) if isinstance(n, ast.Assign) and n.value is cut), None)
    steps = _agreeing(_convolutions(index, cls, function), stride) if made is not None else []
    chunks = f"{features}.shape[1] // (2 * {window}) + {lens}.shape[0]"
    bounds = [f"num_chunks=while_tracing({chunks})"]
    facts: list[str] = []
    edits: list[Edit] = []
    helpers = ["while_tracing"]
    reason = "chunk sizes bounded by shapes while tracing"
    if made is not None and steps:
        bounds.append(f"max_chunk_length=while_tracing(2 * {window})")
        widest = f"({PADDED}.shape[-1] + {stride - 1}) // {stride}"
        facts.append(f"max_length=while_tracing({widest})")
        clears = list(_clears(steps))
        widened = _widened(function, made, f"2 * {window}", stride)
        edits += [*clears, *widened]
        helpers += [CLEAR] * bool(clears) + [WIDEN] * bool(widened)
        helpers += ["is_tracing"] * bool(clears or widened)
    else:
        reason += "; their width is open: no plain row of convolutions that the lengths agree with"
    if stride:
        # The first chunk leaves one row if it is no longer than the stride, and else several.
        several = f"{lens}.shape[0] > 1 or {features}.shape[1] > {stride}"
        facts.append(f"more_than_one=while_tracing({several})")
    edits.append(AddKeywords(cut, tuple(bounds)))
    if valid is not None and facts:
        edits.append(AddKeywords(valid, tuple(facts)))
    return edits, tuple(helpers), reason


def _call(function: Function, name: str) -> ast.Call | None:
    """The only call of a helper, if it has no keywords yet."""
    calls = [
        node
        for node in walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
    return calls[0] if len(calls) == 1 and not calls[0].keywords else None


def _law_stride(call: ast.Call) -> int:
    """What the length law of a call divides by, 0 for a law that is not known."""
    law = call.args[1] if len(call.args) > 1 else None
    name = "halved_lengths" if law is None else ast.unparse(law)
    return LAW_STRIDES.get(name, 0)


def _agreeing(steps: list[Convolution], stride: int) -> list[Convolution]:
    """The convolutions, if they divide by what the length law does; else none."""
    return steps if math.prod(step.stride for step in steps) == stride else []


def _clears(steps: list[Convolution]) -> Iterator[Edit]:
    """Clear what each convolution leaves beyond the longest chunk, unless the next one cannot see it."""
    stride = 1
    for step in steps[:-1]:
        stride *= step.stride
        if step.masked:
            continue
        lines = (
            "if is_tracing():",
            f"    {step.target} = {CLEAR}({step.target}, {LENGTHS}, {stride})",
        )
        yield Insert(step.statement, lines, behind=True)


def _widened(function: Function, made: ast.Assign, width: str, stride: int) -> list[Edit]:
    """Indices that are given count rows of the longest chunk; count those of the full width instead."""
    indices = VALID_INDICES.outputs[0]
    if indices not in parameters(function):
        return []
    lines = (
        f"if is_tracing() and {indices} is not None:",
        f"    {indices} = {WIDEN}({indices}, {LENGTHS}, {width}, {stride})",
    )
    return [Insert(made, lines, behind=True)]


def _convolutions(index: Index, cls: ClassInfo, function: Function) -> list[Convolution]:
    """All convolutions of a method, if they follow one another from the padded chunks on; else none."""
    calls = [
        node
        for node in walk(function)
        if isinstance(node, ast.Call) and _is_convolution(index, cls, node)
    ]
    for body in _bodies(function):
        steps = [_convolution(index, cls, function, node) for node in body]
        found = [step for step in steps if step is not None]
        if len(found) != len(calls) or not found:
            continue
        first = steps.index(found[0])
        if steps[first : first + len(found)] != found or found[0].source not in _parts(function):
            return []
        follow = all(left.target == right.source for left, right in zip(found, found[1:]))
        plain = all(_is_plain(index, cls, step) for step in found[:-1])
        return found if follow and plain else []
    return []


def _bodies(function: Function) -> Iterator[list[ast.stmt]]:
    for node in walk(function):
        if isinstance(node, (ast.FunctionDef, ast.For)):
            yield node.body


def _parts(function: Function) -> set[str]:
    """Names that stand for the padded chunks: their own, and that of a loop over parts of them.

    None if the chunks get another layout on the way, so that their width is not the last axis.
    """
    names = {PADDED}
    for node in walk(function):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == PADDED:
            if not _methods(node.value) <= {"contiguous", "to", "unsqueeze(1)"}:
                return set()
        elif isinstance(node, ast.For) and ast.unparse(node.iter).startswith(f"{PADDED}.split("):
            names.add(ast.unparse(node.target))
    return names


def _methods(value: ast.expr) -> set[str]:
    """Methods that an expression calls, `unsqueeze` with its argument."""
    found = set()
    for node in walk(value):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            arguments = ", ".join(ast.unparse(argument) for argument in node.args)
            name = node.func.attr
            found.add(f"{name}({arguments})" if name == "unsqueeze" else name)
    return found


def _is_convolution(index: Index, cls: ClassInfo, call: ast.Call) -> bool:
    found = index.attribute(cls, self_attribute(call.func)) if self_attribute(call.func) else None
    return (
        found is not None
        and isinstance(found[2], ast.Call)
        and ast.unparse(found[2].func).split(".")[-1] in ("Conv1d", "Conv2d")
    )


def _convolution(
    index: Index, cls: ClassInfo, function: Function, node: ast.stmt
) -> Convolution | None:
    """A statement with one convolution of kernel 3 and padding 1 over the rows of a name."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return None
    calls = [
        call
        for call in walk(node.value)
        if isinstance(call, ast.Call) and _is_convolution(index, cls, call)
    ]
    if len(calls) != 1 or len(calls[0].args) != 1 or not isinstance(calls[0].args[0], ast.Name):
        return None
    found = index.attribute(cls, self_attribute(calls[0].func))
    stride = _stride(found[2]) if found is not None and isinstance(found[2], ast.Call) else 0
    if not stride:
        return None
    mask = node.value.right if isinstance(node.value, ast.BinOp) else None
    masked = mask is not None and _is_frame_mask(function, mask)
    return Convolution(node, node.targets[0].id, calls[0].args[0].id, stride, masked)


def _stride(made: ast.Call) -> int:
    """Stride of a convolution built with kernel 3 and padding 1, 0 for another."""
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding")
    given = dict(zip(names, made.args)) | {k.arg: k.value for k in made.keywords if k.arg}
    if set(given) - {*names, "bias"}:
        return 0
    sizes = {"stride": 1, "padding": 0}
    for name in names[2:]:
        value = given.get(name)
        if isinstance(value, ast.Constant) and isinstance(value.value, int):
            sizes[name] = value.value
        elif value is not None:
            return 0
    right = sizes.get("kernel_size") == 3 and sizes["padding"] == 1
    return sizes["stride"] if right else 0


def _is_plain(index: Index, cls: ClassInfo, step: Convolution) -> bool:
    """Tell whether a statement is a convolution, an activation and possibly the mask of the chunks."""
    value = step.statement.value
    if isinstance(value, ast.BinOp):
        if not step.masked or not isinstance(value.op, ast.Mult):
            return False
        value = value.left
    if isinstance(value, ast.Call) and not _is_convolution(index, cls, value):
        if ast.unparse(value.func).split(".")[-1] not in ACTIVATIONS or not value.args:
            return False
        value = value.args[0]
    return isinstance(value, ast.Call) and _is_convolution(index, cls, value)


def _is_frame_mask(function: Function, mask: ast.expr) -> bool:
    """Tell whether a mask compares positions in the padded width with the chunk lengths."""
    names = {n.id for n in walk(mask) if isinstance(n, ast.Name)}
    for node in function.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in names:
            compared = [n for n in walk(node.value) if isinstance(n, ast.Compare)]
            if any(LENGTHS in ast.unparse(c.comparators[0]) for c in compared):
                return all(isinstance(c.ops[0], ast.Lt) for c in compared)
    return False
