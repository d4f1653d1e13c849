"""The first rows of each group, as many as the host counts: from tensors while tracing.

    groups = torch.split(grid, sizes.tolist())        groups = split_by_item(grid, sizes)
    counts = is_end.sum(dim=1).tolist()               if is_tracing():
    for sample in range(batch_size):                      counts = is_end.sum(dim=1)
        if counts[sample] > 0:                ->          refuse_in_graph((counts <= 0).all(), "no sources")
            found.append(groups[sample][:counts[sample]]) rows = take_first_rows(grid, sizes, counts)
    if len(found) == 0: raise ValueError("no sources")
    rows = torch.cat(found, dim=0)                    else: ...

Which rows the statements take is seen by running them on groups and counts of all sizes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from codegen.rewrite.capture.pieces import Left, Split, integer, is_read, splits_in
from codegen.rewrite.capture.refusals import REFUSE, refusal_lines, refusal_message
from codegen.rewrite.emit.edits import Branch, Edit, Substitute
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import resolved, target_of, walk
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.probes import LARGEST_NUMBER
from codegen.rewrite.probe.stretches import StretchInterpreter
from codegen.rewrite.probe.trace import Trace, assigned_names
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.reach import Reaching, read_names
from codegen.rewrite.recognise.coverage import uncovered
from codegen.rewrite.recognise.effects import vanishing
from codegen.rewrite.recognise.guards import refuses
from codegen.rewrite.recognise.traces import callees_of, shown_by
from codegen.rewrite.vocabulary import TOKEN_IDS, torch_name

Found = tuple[list[Edit], tuple[str, ...], str]
JOINS = ("torch.cat", "torch.concat", "torch.concatenate")
TAKE, SPLIT = "take_first_rows", "split_by_item"
NOTHING = '"no row is taken of any group"'
STEPS, BYTES = 30_000, 4 << 20
_Groups = tuple[tuple[int, int], ...]
_SMALL: tuple[_Groups, ...] = (
    ((2, 1), (3, 2)),
    ((1, 1),),
    ((3, 0), (2, 2), (1, 0)),
    ((2, 5), (0, 1), (4, 1)),
    ((2, 0), (1, 0)),
)
"""Rows of each group and how many are taken; in the end none of any."""


@dataclass(frozen=True)
class Form:
    """Where the statements stand: ``body`` from what lists the counts to what joins the rows."""

    split: Split
    parted: ast.Assign
    counted: ast.Assign
    between: tuple[ast.stmt, ...]
    body: tuple[ast.stmt, ...]
    result: str


def first_rows_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Give statements that take the first rows of groups a second form."""
    for block in _blocks(function):
        form = _form_in(block)
        if form is None:
            continue
        reason = _used_behind(function, form) or Trial(index, cls, function, form).problem()
        if reason:
            return Left(form.split.node, f"rows of groups, which the host parts: {reason}")
        return _edits(cls, form)
    return None


def _blocks(function: Function) -> Iterator[list[ast.stmt]]:
    for node in walk(function):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block


def _form_in(block: Sequence[ast.stmt]) -> Form | None:
    """Statements of a block that part rows, list counts, loop, and join what they have collected."""
    parted = next((number for number, s in enumerate(block) if _parts(s)), None)
    if parted is None:
        return None
    split = next(splits_in(block[parted]))
    listed = [n for n, s in enumerate(block) if n > parted and _lists(s)]
    loops = [n for n, s in enumerate(block) if isinstance(s, ast.For)]
    joins = [n for n, s in enumerate(block) if _joins(s)]
    first = listed[0] if listed else len(block)
    last = next((n for n in joins if any(first < loop < n for loop in loops)), None)
    if last is None:
        return None
    made, counted, joined = block[parted], block[first], block[last]
    assert isinstance(made, ast.Assign) and isinstance(counted, ast.Assign)
    between = tuple(block[parted + 1 : first])
    result = ast.unparse(target_of(joined) or joined)
    return Form(split, made, counted, between, tuple(block[first : last + 1]), result)


def _parts(statement: ast.stmt) -> bool:
    """``groups = torch.split(grid, sizes.tolist())``."""
    if not isinstance(statement, ast.Assign) or not isinstance(target_of(statement), ast.Name):
        return False
    split = next(splits_in(statement.value), None)
    if split is None or split.node is not statement.value or not is_read(split.sizes):
        return False
    sizes = split.sizes.func.value  # type: ignore[attr-defined]
    plain = isinstance(split.state, ast.Name) and isinstance(sizes, ast.Name)
    return plain and (split.axis is None or integer(split.axis) == 0)


def _lists(statement: ast.stmt) -> bool:
    """``counts = ....tolist()``."""
    named = isinstance(statement, ast.Assign) and isinstance(target_of(statement), ast.Name)
    return named and is_read(statement.value)  # type: ignore[attr-defined]


def _joins(statement: ast.stmt) -> bool:
    """``rows = torch.cat(found)``."""
    if not isinstance(statement, ast.Assign) or not isinstance(target_of(statement), ast.Name):
        return False
    return isinstance(statement.value, ast.Call) and torch_name(statement.value.func) in JOINS


def _used_behind(function: Function, form: Form) -> str:
    """Why the statements give more than the rows that they join; empty if they do not."""
    inside = {id(node) for statement in form.body for node in walk(statement)}
    made = {name for statement in form.body for name in assigned_names(statement)}
    made |= assigned_names(form.parted)
    names = (n for n in walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    for node in names:
        if id(node) not in inside and node.id in made - {form.result}:
            return f"{node.id} is used elsewhere"
    read = read_names(form.split.node)
    for statement in (*form.between, *form.body):
        changed = assigned_names(statement) & read - {"torch"}
        if changed:
            return f"{min(changed)} is changed behind the split"
    return ""


@dataclass
class Trial:
    """Runs of the statements of one form."""

    index: Index
    cls: ClassInfo
    function: Function
    form: Form
    meter: Meter = field(default_factory=lambda: Meter(STEPS, BYTES))
    runs: dict[_Groups, Trace] = field(default_factory=dict)

    def problem(self) -> str:
        """Why the statements are not known to take the first rows; empty if they do."""
        before = self._definitions()
        if isinstance(before, str):
            return before
        refusals = [s for s in self.form.body if refuses(s)]
        if len(refusals) > 1 or [*_refusals(self.form)] != refusals:
            return "they refuse more than that nothing is taken, or do more than raise"
        probes = [*_SMALL, _large()]
        if not self._counts_trues():
            probes.append(((2, -1), (3, 2)))
        for groups in chain(probes, self._around()):
            reason = self._wrong(groups, before)
            if reason:
                return reason
        kept = [s for s in self.form.body if not refuses(s)]
        asked: list[ast.stmt] = [ast.Expr(s.test) for s in _refusals(self.form)]
        lost = vanishing(
            [*kept, *asked], self.function, lambda call: callees_of(self.runs.values(), call)
        )
        if lost is not None:
            return lost.reason
        ran, outcomes = shown_by(self.runs.values())
        ran.add(self.form.counted)
        missing = (uncovered(statement, ran, outcomes) for statement in kept)
        return next((found.reason for found in missing if found is not None), "")

    def _wrong(self, groups: _Groups, before: tuple[ast.stmt, ...]) -> str:
        form, state = self.form, self.form.split.state
        assert isinstance(state, ast.Name)
        sizes, counts = ([pair[side] for pair in groups] for side in (0, 1))
        rows = np.arange(3 * sum(sizes)).reshape(-1, 3) + 5
        given = dict.fromkeys(parameters(self.function)[1:])
        prompts = {*TOKEN_IDS, *self._compared()}
        given |= {name: Arr(np.zeros((len(groups), 7), np.int64)) for name in prompts}
        given |= {state.id: Arr(rows.copy()), self._sizes(): Arr(np.array(sizes))}
        self.meter.bytes = BYTES
        interpreter = StretchInterpreter(self.index, 0, len(rows), self.meter)
        counted = target_of(form.counted)
        assert isinstance(counted, ast.Name)
        interpreter.put = {form.counted: (counted.id, list(counts))}
        stretch = (*before, form.parted, *form.between, *form.body)
        found = interpreter.run_stretch(self.cls, self.function, given, stretch).get(form.result)
        trace = self.runs[groups] = interpreter.trace
        said = f"{len(groups)} groups with {sum(max(c, 0) for c in counts)} rows to take"
        if trace.cost:
            return f"on {said} it would take {trace.cost}"
        if max(counts) <= 0:
            # Here the graph refuses: so must the statements, or what joins no rows.
            refuses_it = trace.refused or not any(map(refuses, form.body))
            fails = refuses_it and not isinstance(found, Arr)
            return "" if fails or trace.refused else "they do not refuse to take nothing"
        starts = np.cumsum([0, *sizes])
        expected = [rows[at : at + min(max(c, 0), n)] for at, (n, c) in zip(starts, groups)]
        if not isinstance(found, Arr) or found.late or trace.refused:
            why = trace.refused or next(iter(trace.reasons.values()), "its rows are not known")
            return f"not understood on {said}: {why}"
        same = np.array_equal(found.data, np.concatenate(expected))
        return "" if same else f"it gives other rows for {said}"

    def _sizes(self) -> str:
        sizes = self.form.split.sizes
        assert isinstance(sizes, ast.Call) and isinstance(sizes.func, ast.Attribute)
        return ast.unparse(sizes.func.value)

    def _counts_trues(self) -> bool:
        """Tell whether the counts are sums of booleans, so that none is negative."""
        value = self.form.counted.value
        assert isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
        match value.func.value:
            case ast.Call(func=ast.Attribute(value=summed, attr="sum")):
                return self._is_boolean(summed)
        return False

    def _compared(self) -> set[str]:
        """Parameters ``(groups, tokens)``: what is counted along their tokens is ``ids == value``."""
        value = self.form.counted.value
        assert isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
        match value.func.value:
            case ast.Call(
                func=ast.Attribute(value=summed, attr="sum"),
                args=[],
                keywords=[ast.keyword(arg="dim", value=ast.Constant(value=1))],
            ):
                compared = resolved(self.function, summed)
                if isinstance(compared, ast.Compare) and isinstance(compared.left, ast.Name):
                    return {compared.left.id} & set(parameters(self.function))
        return set()

    def _is_boolean(self, node: ast.expr) -> bool:
        node = resolved(self.function, node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            return self._is_boolean(node.left) and self._is_boolean(node.right)
        return isinstance(node, ast.Compare)

    def _around(self) -> Iterator[_Groups]:
        """Groups on both sides of every number that took part."""
        numbers = {int(abs(n)) for t in self.runs.values() for n in chain(*t.numbers.values())}
        for number in sorted(n for n in numbers if 1 < n <= LARGEST_NUMBER // 2):
            yield tuple((number + 2, count) for count in (number - 1, number, number + 1))
            yield ((1, 1),) * (number + 1)

    def _definitions(self) -> tuple[ast.stmt, ...] | str:
        """The statements further up that make what the form reads, or which of it is not known."""
        reaching, own = Reaching(self.function), set(parameters(self.function))
        top = {id(s): s for s in self.function.body if isinstance(s, ast.Assign)}
        made: set[str] = set(assigned_names(self.form.parted)) | {"torch"}
        found: dict[int, ast.stmt] = {}
        for statement in self.form.body:
            skipped = statement is self.form.counted
            for name in () if skipped else sorted(read_names(statement) - made - own):
                places = reaching.definitions(statement, name)
                inner = {id(s) for s in self.form.between}
                if not places or places <= inner or name in _made_in(self.form.body):
                    continue
                if len(places) != 1 or not places <= top.keys():
                    return f"{name} is not known"
                found[next(iter(places))] = top[next(iter(places))]
            made |= assigned_names(statement)
        return tuple(statement for statement in self.function.body if id(statement) in found)


def _made_in(statements: Sequence[ast.stmt]) -> frozenset[str]:
    return frozenset(name for statement in statements for name in assigned_names(statement))


def _large() -> _Groups:
    random = np.random.default_rng(20_240_315)
    return tuple((int(n), int(n * part)) for n, part in zip(*_sides(random))) + ((30, 29),)


def _sides(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return random.integers(1, 9, 12), random.random(12)


def _edits(cls: ClassInfo, form: Form) -> Found:
    source = cls.module.text.source
    sizes, counts = form.split.sizes, form.counted.value
    assert isinstance(sizes, ast.Call) and isinstance(sizes.func, ast.Attribute)
    assert isinstance(counts, ast.Call) and isinstance(counts.func, ast.Attribute)
    state, number = source(form.split.state), source(sizes.func.value)
    listed = ast.unparse(target_of(form.counted) or form.counted)
    message = next((refusal_message(s) or NOTHING for s in _refusals(form)), NOTHING)
    lines = (
        f"{listed} = {source(counts.func.value)}",
        *refusal_lines(f"({listed} <= 0).all()", message),
        f"{form.result} = {TAKE}({state}, {number}, {listed})",
    )
    edits: list[Edit] = [
        Substitute(form.split.node, f"{SPLIT}({state}, {number})"),
        Branch(form.body, "is_tracing()", lines),
    ]
    reason = "first rows of each group: taken from tensors while tracing"
    return edits, ("is_tracing", REFUSE, SPLIT, TAKE), reason


def _refusals(form: Form) -> Iterator[ast.If]:
    """The statements that only raise, with a message that can be told in a graph."""
    for statement in form.body:
        if isinstance(statement, ast.If) and refusal_message(statement) is not None:
            yield statement
