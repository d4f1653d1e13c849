"""Positions of a prompt counted while inputs are prepared, where ``forward`` would count them in a graph.

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, ...):
        inputs = super().prepare_inputs_for_generation(...)
        inputs["position_ids"] = None                      # and forward counts from its mask
        if inputs.get("input_ids") is not None:            # new: counted here from the mask as given
            inputs["position_ids"] = self._positions_of_inputs(inputs["input_ids"], ...)

A static cache comes with a mask that is prepared for attention: no columns are counted from it any more, and
whether anything is in such a cache no graph knows. Values are those of ``forward``: the same statements, in
a method of their own, given what ``forward`` would be given.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.emit.edits import Change, Insert, Site
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of

PREPARE = "prepare_inputs_for_generation"
COUNT = "_positions_of_inputs"
POSITIONS, IDS = "position_ids", "input_ids"


@dataclass(frozen=True)
class Block:
    """Statements of ``forward`` that count positions if there are none, and the parameters they read."""

    statements: tuple[ast.stmt, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Cleared:
    """Where positions are left to ``forward``: the statement, the name of the inputs, and what they hold."""

    statement: ast.stmt
    inputs: str
    given: frozenset[str]


def count_ahead(state: RewriteState) -> None:
    """Let the classes of a state that leave positions to a graph count them ahead of it."""
    classes = [cls for info in state.candidates() for cls in state.classes(info)]
    heirs = Heirs(state.index, classes)
    for cls in classes:
        prepare, forward = cls.methods.get(PREPARE), cls.methods.get("forward")
        if prepare is None or forward is None:
            continue
        with state.attempt("ahead", cls, prepare):
            found = _find(heirs, cls, prepare, forward)
            if isinstance(found, Left):
                state.note(_record(cls, "left", found.node, found.reason))
            elif found is not None:
                state.propose(_change(cls, prepare, *found))


def _find(
    heirs: Heirs, cls: ClassInfo, prepare: Function, forward: Function
) -> tuple[Cleared, Block] | Left | None:
    cleared, block = cleared_in(prepare), block_in(forward)
    if cleared is None or block is None:
        return None
    if isinstance(block, Left):
        return block
    if heirs.index.method(cls, COUNT) is not None:
        return Left(prepare, f"the name {COUNT} is taken")
    missing = [name for name in block.reads if name not in cleared.given and name != IDS]
    if missing:
        return Left(cleared.statement, f"forward counts from {missing[0]}, which is not handed on")
    for heir in heirs.of(cls, PREPARE):
        other = heir.methods.get("forward")
        found = block if other is None else block_in(other)
        if not isinstance(found, Block) or _dumped(found) != _dumped(block):
            return Left(cleared.statement, f"{heir.name} counts in another way")
    return cleared, block


def _dumped(block: Block) -> list[str]:
    return [ast.dump(statement) for statement in block.statements]


def cleared_in(prepare: Function) -> Cleared | None:
    """Where prepared inputs of the library lose their positions for good; None if they do not."""
    seen = glance(prepare)
    if seen is not prepare and cleared_in(seen) is None:
        return None
    made: dict[str, frozenset[str]] = {}
    found: list[Cleared] = []
    changed: set[str] = set()
    for statement in prepare.body:
        match statement:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(
                    func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=attr)
                ),
            ) if attr == PREPARE:
                made[name] = _handed_on(statement.value, parameters(prepare)) - changed
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=key))],
                value=ast.Constant(value=None),
            ) if key == POSITIONS and name in made:
                found.append(Cleared(statement, name, made[name] - changed))
        changed |= assigned_names(statement)
    stores = [
        node
        for node in walk(prepare)
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value == POSITIONS
    ]
    return found[0] if len(found) == len(stores) == 1 else None


def _handed_on(call: ast.expr, names: Sequence[str]) -> frozenset[str]:
    """Parameters that a call is given under their own names."""
    assert isinstance(call, ast.Call)
    given = {k.arg for k in call.keywords if isinstance(k.value, ast.Name) and k.value.id == k.arg}
    return frozenset(name for name in names if name in given)


def block_in(forward: Function) -> Block | Left | None:
    """The statements that count positions, why they cannot stand elsewhere, or None if there are none."""
    seen = glance(forward)
    if seen is not forward and block_in(seen) is None:
        return None
    for number, statement in enumerate(forward.body):
        if isinstance(statement, ast.If) and _counts(statement):
            return _gathered(forward, number)
    return None


def _counts(statement: ast.If) -> bool:
    """Tell whether a statement gives positions by a method of its own where there are none."""
    asks = any(ast.unparse(node) == f"{POSITIONS} is None" for node in walk(statement.test))
    return asks and any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).startswith("self.")
        and POSITIONS
        in {name.id for t in node.targets for name in walk(t) if isinstance(name, ast.Name)}
        for inner in statement.body
        for node in walk(inner)
    )


def _gathered(forward: Function, number: int) -> Block | Left:
    """A statement with those right in front of it that make what it reads."""
    own = set(parameters(forward)) | {n for s in forward.body for n in assigned_names(s)}
    block = forward.body[number]
    statements, needed = [block], _reads(block) & own - {POSITIONS, "self"}
    first = number
    while first and (made := _always(forward.body[first - 1])) & needed:
        first -= 1
        statements.insert(0, forward.body[first])
        needed = (needed - made) | (_reads(forward.body[first]) & own - {"self"})
    behind = {name for s in forward.body[number + 1 :] for name in _reads(s)}
    written = assigned_names(block) - {POSITIONS}
    if written & behind - {"self"}:
        name = min(written & behind - {"self"})
        return Left(block, f"what counts its positions also makes {name}")
    changed = {name for s in forward.body[:first] for name in assigned_names(s)}
    inputs = needed - _inner(statements)
    for name in sorted(inputs):
        if name in changed or name not in parameters(forward):
            return Left(block, f"its positions are counted from {name}, which forward makes")
    return Block(tuple(statements), tuple(n for n in parameters(forward) if n in inputs))


def _inner(statements: Sequence[ast.stmt]) -> frozenset[str]:
    """Names that statements only read where they have made them: all but parameters."""
    first: set[str] = set()
    for statement in statements:
        made = {n.id for n in walk(statement) if isinstance(n, ast.Name) and not _loaded(n)}
        first |= made
    return frozenset(first - _read_first(statements))


def _read_first(statements: Sequence[ast.stmt]) -> set[str]:
    """Names that may be read before anything is assigned to them, in the order of the text."""
    seen: set[str] = set()
    found: set[str] = set()
    names = [n for s in statements for n in walk(s) if isinstance(n, ast.Name)]
    # On one line what is read is read before its result is assigned.
    for node in sorted(names, key=lambda n: (n.lineno, not _loaded(n), n.col_offset)):
        if not _loaded(node):
            seen.add(node.id)
        elif node.id not in seen:
            found.add(node.id)
    return found


def _loaded(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _reads(statement: ast.stmt) -> frozenset[str]:
    return frozenset(n.id for n in walk(statement) if isinstance(n, ast.Name) and _loaded(n))


def _always(statement: ast.stmt) -> frozenset[str]:
    """The name that a statement assigns and nothing else, on both sides if it is a condition."""
    if isinstance(statement, ast.If) and len(statement.body) == len(statement.orelse) == 1:
        return _always(statement.body[0]) & _always(statement.orelse[0])
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return frozenset((name,))
    return frozenset()


# -- what is written -------------------------------------------------------------------------------


def _change(cls: ClassInfo, prepare: Function, cleared: Cleared, block: Block) -> Change:
    further = [name for name in block.reads if name != IDS]
    method = (
        "",
        f"def {COUNT}(",
        "    self,",
        f"    {IDS},",
        *(f"    {name}=None," for name in further),
        "):",
        '    """Positions as `forward` counts them, from a mask that is not yet prepared for a static cache."""',
        f"    {POSITIONS} = None",
        *(f"    {line}".rstrip() for s in block.statements for line in _lines(cls, s)),
        f"    return {POSITIONS}",
    )
    inputs = cleared.inputs
    call = (
        f'if {inputs}.get("{IDS}") is not None:',
        f'    {inputs}["{POSITIONS}"] = self.{COUNT}(',
        f'        {inputs}["{IDS}"],',
        *(f"        {name}={name}," for name in further),
        "    )",
    )
    edits = (Insert(prepare, method, behind=True), Insert(cleared.statement, call, behind=True))
    reason = "positions of a prompt: counted while its inputs are prepared, ahead of a graph"
    record = _record(cls, "captured", prepare, reason)
    return Change("ahead", (Site(cls, prepare, edits),), records=(record,))


def _lines(cls: ClassInfo, statement: ast.stmt) -> list[str]:
    """The text of a statement as at the left margin."""
    first, *rest = cls.module.text.source(statement).split("\n")
    return [first, *(line[statement.col_offset :] if line.strip() else "" for line in rest)]


def _record(cls: ClassInfo, kind: str, node: ast.AST, reason: str) -> Record:
    info = cls.module
    place, model = info.place(node), model_of(info.source.module)
    if kind == "left":
        reason = f"{reason}: not counted ahead of a graph"
    return Record(model, cls.name, PREPARE, kind, place, COUNT, reason=reason)
