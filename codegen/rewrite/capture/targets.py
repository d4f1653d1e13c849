"""Positions of prompts with source images: from the ids of all tokens at once while tracing.

    for row in range(batch_size):                   if is_tracing():
        starts = torch.where(ids[row] == start)         positions, deltas = get_source_positions(...)
        for image, place in enumerate(starts):          self._prompt_length = input_ids.shape[1]
            ...                               ->        self._target_positions = keep_targets(...)
    self._target_positions = torch.stack(found)         return positions, deltas
    return positions, deltas                        for row in range(batch_size): ...

What a graph keeps of targets is asked for a part in later calls, as the tensor would be: only where that, and
whether there is any, is all that is done with the attribute.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.emit.edits import Edit, Insert
from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import children, walk
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.targets import LENGTH, TARGETS, SourcePositions, recognise_targets

Found = tuple[list[Edit], tuple[str, ...], str]
POSITIONS, KEEP = "get_source_positions", "keep_targets"


def targets_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Give a method that counts positions of prompts with source images a second form."""
    found = recognise_targets(index, cls, function)
    if found is None:
        return None
    if isinstance(found, Objection):
        return Left(found.node, f"{POSITIONS} does not stand in for it: {found.reason}")
    for text, kind in found.kept:
        use = _other_use(index, cls, text.partition(".")[2]) if kind == TARGETS else ""
        if use:
            return Left(function, f"{POSITIONS} does not stand in for it: {text} is {use}")
    lines = ("if is_tracing():", *(f"    {line}" for line in _lines(found)))
    helpers = [POSITIONS, "is_tracing", *(KEEP for _, kind in found.kept if kind == TARGETS)]
    reason = (
        "positions of prompts with source images: from the ids of all tokens at once while tracing"
    )
    return [Insert(found.anchor, lines)], tuple(helpers), reason


def _other_use(index: Index, cls: ClassInfo, name: str) -> str:
    """What is done with an attribute besides asking for a part of it, or whether it is None."""
    own = cls.module.source.module
    for module in index.mentioning(f".{name}"):
        if module == index.generated_of(own):
            continue
        info = index.get(module)
        if info is None:
            return f"used in {module}, where it is not looked at"
        for node, parent in _uses(index, cls, info, name):
            is_test = isinstance(parent, ast.Compare) and isinstance(
                parent.ops[0], (ast.Is, ast.IsNot)
            )
            is_part = isinstance(parent, ast.Subscript) and parent.value is node
            if not is_test and not is_part:
                where = "" if module == own else f" in {module.rpartition('.')[2]}"
                return f"used as {ast.unparse(parent)[:60]}{where}"
    return ""


def _uses(
    index: Index, cls: ClassInfo, info: ModuleInfo, name: str
) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Readings of an attribute in a file, each with the node around it."""
    for part in info.tree.body:
        is_apart = isinstance(part, ast.ClassDef) and _has_its_own(
            index, cls, ClassInfo(info, part), name
        )
        for parent in walk(part):
            for node in children(parent):
                if not isinstance(node, ast.Attribute) or node.attr != name:
                    continue
                if isinstance(node.ctx, ast.Load) and not (is_apart and self_attribute(node)):
                    yield node, parent


def _has_its_own(index: Index, cls: ClassInfo, other: ClassInfo, name: str) -> bool:
    """Tell whether ``self.<name>`` is another attribute there: of a class that is no kin, and assigns it."""
    mine, theirs = index.mro(cls), index.mro(other)
    is_kin = any(c.node is other.node for c in mine) or any(c.node is cls.node for c in theirs)
    return not is_kin and any(owner.replaces(name) for owner in theirs)


def _lines(found: SourcePositions) -> Iterator[str]:
    """The statements of the second form."""
    roles, (positions, ahead) = found.roles, found.names
    start, end = found.tokens
    yield f"{positions}, {ahead} = {POSITIONS}("
    yield from (f"    {name}," for name in (roles.ids, roles.grid, roles.sizes))
    yield from (f"    start_token={start},", f"    end_token={end},")
    yield f"    attention_mask={roles.mask},"
    if found.padding:
        yield f"    padding_position={found.padding},"
    yield ")"
    for text, kind in found.kept:
        if kind == LENGTH:
            yield f"{text} = {roles.ids}.shape[1]"
            continue
        yield f"{text} = {KEEP}("
        yield from (f"    {name}," for name in (positions, roles.ids, roles.grid, roles.sizes))
        yield from (f"    end_token={end},", f"    attention_mask={roles.mask},", ")")
    yield f"return {positions}, {ahead}"
