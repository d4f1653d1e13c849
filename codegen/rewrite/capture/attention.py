"""Attention over segments: one call while tracing instead of a split by host-side lengths.

    else:                                             elif is_tracing() and ...:
        lengths = cu_seqlens[1:] - cu_seqlens[:-1]        out, weights = attend_segments(
        splits = [torch.split(t, lengths.tolist(), ..)  ->     attention, self, query, key, value, cu_seqlens, ...
        outputs = [attention(q, k, v) for ...]            )
        out = torch.cat(outputs, dim=1)               else:
                                                          (unchanged)

The helper knows the library's attention functions: it takes an operator that splits inside the graph
(sdpa, compiled), or calls the function with a mask. A function that is called in another way is
called with a mask here: what it does with one has to be known, by the library's convention or from
the function itself. The mask compares segment ids, so its shape depends on the number of tokens only.
Eager attention adds it, sdpa takes it as booleans; other implementations keep the split.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.capture.segments import SplitAttention, find_split
from codegen.rewrite.emit.edits import Branch, Edit, ElseIf
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import speaks_of, walk
from codegen.rewrite.vocabulary import torch_name
from codegen.text.lines import LineMap

IMPLEMENTATION = "self.config._attn_implementation"
MASK = "attention_mask"
REGISTRY = "ALL_ATTENTION_FUNCTIONS"
"""The library's table of attention functions, by implementation."""

Found = tuple[list[Edit], tuple[str, ...], str]


def attention_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Put the masked call in front of the split, used while tracing."""
    near: Left | None = None
    for body, owner in _bodies(function):
        split = find_split(function, body)
        if isinstance(split, Left) or split is None:
            near = near or split
            continue
        convention = _convention(index, cls, function, split)
        if isinstance(convention, Left):
            near = near or convention
            continue
        if convention == "library" and _as_library_calls(split):
            lines = _segment_lines(cls.module.text, split)
            helpers: tuple[str, ...] = ("attend_segments",)
        else:
            lines = _masked_lines(cls.module.text, split, convention)
            helpers = ("get_segment_ids", "get_segment_mask")
        test = "is_tracing()"
        if convention == "library":
            test += f' and {IMPLEMENTATION} in (None, "eager", "sdpa")'
        edits = [_edit(owner, body, split, test, lines)]
        reason = "attention split by lengths: one call for all segments while tracing"
        if split.weights:
            reason += "; its weights are then one matrix, not a list"
        return edits, (*helpers, "is_tracing"), reason
    return near


def _bodies(function: Function) -> Iterator[tuple[Sequence[ast.stmt], ast.If | None]]:
    """Blocks of a method that run eagerly, those of an ``else`` with their if statement."""
    pending: list[tuple[Sequence[ast.stmt], ast.If | None]] = [(function.body, None)]
    while pending:
        body, owner = pending.pop(0)
        yield body, owner
        for node in body:
            if isinstance(node, ast.If):
                traced = speaks_of(node.test, "is_tracing")
                pending += [(node.body, None)] if not traced else []
                pending += [(node.orelse, node)] if node.orelse and not traced else []
            elif isinstance(node, (ast.With, ast.For, ast.While)):
                pending.append((node.body, None))


def _convention(
    index: Index, cls: ClassInfo, function: Function, split: SplitAttention
) -> str | Left:
    """``library`` or ``additive``: how the attention function takes a mask, if that is known."""
    called = split.call.func
    own = cls.module.functions.get(called.id) if isinstance(called, ast.Name) else None
    causal = _causality(index, cls, function, split, own)
    if causal is not None:
        return causal
    if own is not None and not _assigned(function, own.name):
        return "additive" if _adds_mask(own) else _unknown(split, f"{own.name} does with a mask")
    if _has_config(index, cls):
        return "library"
    return _unknown(split, "attention runs: there is no self.config")


def _unknown(split: SplitAttention, what: str) -> Left:
    return Left(split.call, f"it is not known what {what}")


def _causality(
    index: Index, cls: ClassInfo, function: Function, split: SplitAttention, own: Function | None
) -> Left | None:
    """A reason if the attention of one segment may be causal, which the mask would not be."""
    given = next((k.value for k in split.call.keywords if k.arg == "is_causal"), None)
    held = index.attribute(cls, "is_causal")
    value = given if given is not None else held[2] if held is not None else None
    if value is None:
        table = own is None and any(
            isinstance(n, ast.Name) and n.id == REGISTRY for n in walk(function)
        )
        if not table:
            return None
    elif isinstance(value, ast.Constant) and value.value is False:
        return None
    return Left(split.call, "the attention may be causal inside a segment: is_causal is not False")


def _assigned(function: Function, name: str) -> bool:
    stored = (n for n in walk(function) if isinstance(n, ast.Name) and n.id == name)
    return any(isinstance(n.ctx, ast.Store) for n in stored)


def _adds_mask(function: Function) -> bool:
    """Tell whether a function adds its mask to the weights, or hands it to sdpa."""
    if MASK not in parameters(function):
        return False
    for node in walk(function):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            sides = (node.left, node.right)
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            sides = (node.value, node.value)
        elif isinstance(node, ast.Call) and torch_name(node.func).endswith(
            "scaled_dot_product_attention"
        ):
            masks = [k.value for k in node.keywords if k.arg == "attn_mask"] + node.args[3:4]
            sides = (masks[0], masks[0]) if masks else (node, node)
        else:
            continue
        if any(MASK in {n.id for n in walk(s) if isinstance(n, ast.Name)} for s in sides):
            return True
    return False


def _has_config(index: Index, cls: ClassInfo) -> bool:
    """Tell whether instances have a configuration: they use or set it, or an unknown parent may."""
    for owner in index.mro(cls):
        if any(self_attribute(node) == "config" for node in walk(owner.node)):
            return True
        known = {base.name for base in index.bases(owner)}
        names = {ast.unparse(base).rpartition(".")[2] for base in owner.node.bases}
        if names - known - {"Module", "object"}:
            return True
    return False


def _as_library_calls(split: SplitAttention) -> bool:
    """Tell whether a call is ``attention(self, query, key, value, ...)`` with a pair of results."""
    call, pieces = split.call, split.pieces
    names = [getattr(argument, "id", "") for argument in call.args]
    return split.is_first and names[:1] == ["self"] and names[1:4] == list(pieces)


def _segment_lines(text: LineMap, split: SplitAttention) -> list[str]:
    """The call of all segments by the helper."""
    call = split.call
    given = [text.source(call.func), "self", *split.pieces.values(), split.boundaries]
    for keyword in call.keywords:
        if keyword.arg != MASK:
            name = "**" if keyword.arg is None else f"{keyword.arg}="
            given.append(f"{name}{text.source(keyword.value)}")
    return [
        "# A graph has no lengths to split by: all segments in one call",
        f"{split.output}, {split.weights or '_'} = attend_segments(",
        *[f"    {argument}," for argument in given],
        ")",
        *_listed(split),
    ]


def _masked_lines(text: LineMap, split: SplitAttention, convention: str) -> list[str]:
    """The masked call."""
    query = split.query
    additive = f"{query}.dtype"
    if convention == "library":
        additive = f'None if {IMPLEMENTATION} == "sdpa" else {query}.dtype'
    target = split.output
    if split.is_first:
        target += f", {split.weights or '_'}"
    return [
        "# A graph has no lengths to split by: all segments in one call, separated by a mask",
        f"segment_ids = get_segment_ids({split.boundaries}.to({query}.device), {query}.shape[2])",
        f"mask_dtype = {additive}",
        f"{target} = {text.source(split.call.func)}(",
        *[f"    {argument}," for argument in _arguments(text, split)],
        ")",
        *_listed(split),
    ]


def _listed(split: SplitAttention) -> list[str]:
    """A list of the one result, for what joins a list."""
    return [f"{split.output} = [{split.output}]"] if split.is_list else []


def _arguments(text: LineMap, split: SplitAttention) -> Iterator[str]:
    """Arguments of the call with whole states for pieces, and the mask."""
    mask = f"{MASK}=get_segment_mask(segment_ids, mask_dtype)"
    call, pieces = split.call, split.pieces
    placed = len(call.args) > 4 or any(k.arg == MASK for k in call.keywords)
    for number, argument in enumerate(call.args):
        given = pieces.get(getattr(argument, "id", ""), text.source(argument))
        yield mask.partition("=")[2] if number == 4 else given
    for keyword in call.keywords:
        if keyword.arg is None and not placed:
            placed = True
            yield mask
        value = pieces.get(getattr(keyword.value, "id", ""), text.source(keyword.value))
        name = "**" if keyword.arg is None else f"{keyword.arg}="
        yield mask if keyword.arg == MASK else f"{name}{value}"
    if not placed:
        yield mask


def _edit(
    owner: ast.If | None,
    body: Sequence[ast.stmt],
    split: SplitAttention,
    test: str,
    lines: list[str],
) -> Edit:
    if owner is not None and len(split.statements) == len(body):
        return ElseIf(owner, test, tuple(lines))
    return Branch(split.statements, test, tuple(lines))
