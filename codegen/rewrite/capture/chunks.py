"""Chunks of packed audio: sizes that follow from shapes, so that a graph has none that it must read.

Eagerly chunks are padded to the longest one. While tracing that width is a size which the graph does not
know, and compilers cannot lay out a convolution over it. Where torch runs the graph, the convolutions are
an operator, to which that does not matter. In graphs for other runtimes, and where a module does more
than convolve, chunks are padded to the full width instead, and what lies beyond the longest chunk is
cleared between the convolutions, which then see the zeros that their own padding would be. Where the
method masks every chunk itself, that does it.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.audio_helpers import CHUNKS, VALID_INDICES
from codegen.rewrite.capture.pieces import Left, Refused
from codegen.rewrite.emit.edits import AddKeywords, Edit, Insert, Substitute
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import is_written, only, target_of, walk
from codegen.rewrite.vocabulary import LAW_STRIDES

Found = tuple[list[Edit], tuple[str, ...], str]

COUNT = "count_lengths"
CLEAR, WIDEN = "clear_beyond_longest", "widen_valid_indices"
WIDTH, CONVOLVE = "chunk_width", "convolve_chunks"
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
    call: ast.Call


def chunk_edits(
    index: Index, cls: ClassInfo, function: Function
) -> list[Found | Left] | Left | None:
    """Give the chunk helpers bounds and facts that follow from shapes; what cannot be given is reported."""
    text = cls.module.text
    calls = calls_of(function, CHUNKS.name)
    if not calls or any(call.keywords for call in calls):
        return None  # it has its bounds
    cut, valid = only(calls), _call(function, VALID_INDICES.name)
    if cut is None or len(cut.args) != 3:
        several = len(calls) > 1
        why = "chunks are made in several places" if several else "a call is not understood"
        return Left(calls[-1], f"{why}: their number has no bound")
    features, lens, window = (text.source(arg) for arg in cut.args)
    stride = 0 if valid is None else _law_stride(valid)
    made = next((n for n in walk(function) if isinstance(n, ast.Assign) and n.value is cut), None)
    steps: list[Convolution] = []
    near: list[Found | Left] = []
    try:
        steps = _steps(index, cls, function, made, stride)
    except Refused as refused:
        reason = f"chunks are as wide as the longest, but {refused.left.reason}"
        near.append(Left(refused.left.node, reason))
    audios = f"{lens}.shape[0]"
    helpers = ["while_tracing"]
    if isinstance(cut.args[1], ast.Name):
        audios = f'{COUNT}("{lens}", {lens})'  # which may be None
        helpers.append(COUNT)
    chunks = f"{features}.shape[1] // (2 * {window}) + {audios}"
    bounds = [f"num_chunks=while_tracing({chunks})"]
    facts: list[str] = []
    edits: list[Edit] = []
    reason = "chunk sizes bounded by shapes while tracing"
    if made is not None and steps:
        modules = ", ".join(dict.fromkeys(ast.unparse(step.call.func) for step in steps))
        bounds.append(f"max_chunk_length={WIDTH}(2 * {window}, {modules})")
        widest = f"({PADDED}.shape[-1] + {stride - 1}) // {stride}"
        facts.append(f"max_length=while_tracing({widest})")
        edits, needed = _convolved(function, made, steps, stride)
        helpers += [WIDTH, *needed]
    else:
        reason += "; their width is open"
    if stride:
        # The first chunk leaves one row if it is no longer than the stride, and else several.
        more = f"{audios} > 1 or {features}.shape[1] > {stride}"
        facts.append(f"more_than_one=while_tracing({more})")
    edits.append(AddKeywords(cut, tuple(bounds)))
    if valid is not None and facts:
        edits.append(AddKeywords(valid, tuple(facts)))
    return [(edits, tuple(helpers), reason), *near]


def _convolved(
    function: Function, made: ast.Assign, steps: Sequence[Convolution], stride: int
) -> tuple[list[Edit], list[str]]:
    """Edits by which a graph convolves chunks of any width, and the functions that they need."""
    clears = list(_clears(steps))
    widened = _widened(function, made, stride)
    helpers = [CONVOLVE, *[CLEAR] * bool(clears), *[WIDEN] * bool(widened)]
    helpers += ["is_tracing"] * bool(clears or widened)
    return [*map(_by_operator, steps), *clears, *widened], helpers


def calls_of(function: Function, name: str) -> list[ast.Call]:
    """The calls of a function of that name."""
    calls = (node for node in walk(function) if isinstance(node, ast.Call))
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]


def _call(function: Function, name: str) -> ast.Call | None:
    """The only call of a helper, if it has no keywords yet."""
    call = only(calls_of(function, name))
    return call if call is not None and not call.keywords else None


def divides_by(index: Index, cls: ClassInfo, function: Function, stride: int) -> bool:
    """Tell whether the convolutions that a method calls are known to divide widths by a number, in all."""
    made = [m for n in walk(function) if isinstance(n, ast.Call) and (m := _made(index, cls, n))]
    return bool(made) and math.prod(map(_stride, {id(m): m for m in made}.values())) == stride


def _steps(
    index: Index, cls: ClassInfo, function: Function, made: ast.Assign | None, stride: int
) -> list[Convolution]:
    """The convolutions over the padded chunks, which divide by what the length law does.

    Raises:
        Refused: the condition that does not hold.
    """
    if made is None:
        raise Refused(function, f"{PADDED} is not what the chunks are assigned to")
    steps = _convolutions(index, cls, function)
    divided = math.prod(step.stride for step in steps)
    if not stride:
        raise Refused(made, "no length law that is known says what the convolutions leave of them")
    if divided != stride:
        reason = f"the convolutions divide by {divided}, their length law by {stride}"
        raise Refused(steps[0].statement, reason)
    return steps


def _law_stride(call: ast.Call) -> int:
    """What the length law of a call divides by, 0 for a law that is not known."""
    law = call.args[1] if len(call.args) > 1 else None
    name = "halved_lengths" if law is None else ast.unparse(law)
    return LAW_STRIDES.get(name, 0)


def _clears(steps: Sequence[Convolution]) -> Iterator[Edit]:
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


def _by_operator(step: Convolution) -> Edit:
    """Call the convolution through the helper, which takes chunks of a width that no graph knows."""
    return Substitute(step.call, f"{CONVOLVE}({ast.unparse(step.call.func)}, {step.source})")


def _widened(function: Function, made: ast.Assign, stride: int) -> list[Edit]:
    """Indices that are given count rows of the longest chunk; count those of the real width instead."""
    indices = VALID_INDICES.outputs[0]
    if indices not in parameters(function):
        return []
    lines = (
        f"if is_tracing() and {indices} is not None:",
        f"    {indices} = {WIDEN}({indices}, {LENGTHS}, {PADDED}.shape[-1], {stride})",
    )
    return [Insert(made, lines, behind=True)]


def _convolutions(index: Index, cls: ClassInfo, function: Function) -> list[Convolution]:
    """All convolutions of a method, which follow one another from the padded chunks on.

    Raises:
        Refused: they do not, or do more than divide.
    """
    calls = [
        node
        for node in walk(function)
        if isinstance(node, ast.Call) and _is_convolution(index, cls, node)
    ]
    if not calls:
        raise Refused(function, "no convolution of them is found")
    body = max(_bodies(function), key=lambda body: len(_among(index, cls, calls, body)))
    found: list[Convolution] = []
    for node in _among(index, cls, calls, body):
        step = _convolution(index, cls, function, node)
        if isinstance(step, str):
            raise Refused(node, f"{step} ({ast.unparse(node)})")
        if found and body.index(found[-1].statement) + 1 != body.index(node):
            between = body[body.index(found[-1].statement) + 1]
            raise Refused(between, "something stands between the convolutions")
        if found and found[-1].target != step.source:
            raise Refused(node, f"{step.source} is not what the convolution before leaves")
        if found and not _is_plain(index, cls, found[-1]):
            what = ast.unparse(found[-1].statement.value)
            raise Refused(found[-1].statement, f"{what} does more than convolve and activate")
        found.append(step)
    outside = [call for call in calls if not any(call in walk(node) for node in body)]
    if outside:
        raise Refused(outside[0], f"{ast.unparse(outside[0])} stands apart from the others")
    names = _parts(function)
    if not names:
        raise Refused(found[0].statement, f"{PADDED} gets another layout on the way")
    if found[0].source not in names:
        raise Refused(found[0].statement, f"{found[0].source} is not the padded chunks")
    return found


def _among(
    index: Index, cls: ClassInfo, calls: Sequence[ast.Call], body: Sequence[ast.stmt]
) -> list[ast.stmt]:
    """The simple statements of a block in which convolutions are called."""
    simple = (node for node in body if not hasattr(node, "body"))
    return [node for node in simple if any(call in walk(node) for call in calls)]


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
        if isinstance(node, ast.Assign) and any(is_written(t, PADDED) for t in node.targets):
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
    return _made(index, cls, call) is not None


def _made(index: Index, cls: ClassInfo, call: ast.Call) -> ast.Call | None:
    """How the convolution that is called was built; None if none is called."""
    found = index.attribute(cls, self_attribute(call.func)) if self_attribute(call.func) else None
    made = found[2] if found is not None else None
    kind = ast.unparse(made.func).split(".")[-1] if isinstance(made, ast.Call) else ""
    return made if kind in ("Conv1d", "Conv2d") else None  # type: ignore[return-value]


def _convolution(
    index: Index, cls: ClassInfo, function: Function, node: ast.stmt
) -> Convolution | str:
    """A statement with one convolution of kernel 3 and padding 1 over the rows of a name, or why it is none."""
    target = target_of(node)
    if not isinstance(node, ast.Assign) or not isinstance(target, ast.Name):
        return "what a convolution leaves has no name"
    calls = [
        call
        for call in walk(node.value)
        if isinstance(call, ast.Call) and _is_convolution(index, cls, call)
    ]
    call = only(calls)
    if call is None:
        return "several convolutions stand in one statement"
    rows = only(call.args)
    if call.keywords or not isinstance(rows, ast.Name):
        return "a convolution is called with something that has no name"
    made = _made(index, cls, call)
    stride = _stride(made) if made is not None else 0
    if not stride:
        return "a convolution is not known to have kernel 3 and padding 1"
    mask = node.value.right if isinstance(node.value, ast.BinOp) else None
    masked = mask is not None and _is_frame_mask(function, mask)
    return Convolution(node, target.id, rows.id, stride, masked, call)


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
        if isinstance(node, ast.Assign) and getattr(target_of(node), "id", "") in names:
            compared = [n for n in walk(node.value) if isinstance(n, ast.Compare)]
            if any(LENGTHS in ast.unparse(c.comparators[0]) for c in compared):
                return all(isinstance(c.ops[0], ast.Lt) for c in compared)
    return False
