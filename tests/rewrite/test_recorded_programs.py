"""What interpreting a program costs and leaves behind, as a table: budgets and evidence rest on these numbers.

Each program is run as the body of a method of ``(self, x, n)``. That its value is that of torch is tested
elsewhere; ``golden/programs.txt`` says the steps and bytes it took and what was noted on the way, so that a change of
what is counted or noted is seen, to be reviewed there.
Record anew with ``pytest tests/rewrite/test_recorded_programs.py --update-golden``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.trace import Trace
from tests.rewrite.test_interpreter import (
    EXPRESSIONS,
    FUNCTIONS,
    PROGRAMS,
    UNKNOWN_ARGUMENTS,
    interpret,
)

TABLE = Path(__file__).parent / "golden" / "programs.txt"
SIZE = 1 << 20
#: What is made of many values, and what is noted of a piece of code, beyond what the interpreter's tests run.
MORE = (
    *("[0] * 100", "(n,) * 100", "[*range(100)]", "list(range(100))", "'-' * 100", "10 ** 30"),
    *("x.repeat(10, 10)", "x.expand(10, 3, 4)", "x.unbind(1)", "x.split(1)", "x.split([1, 1, 1])"),
    *("x.tolist()", "x.flatten().tolist()", "torch.cat([x] * 10)", "torch.stack([x] * 10)"),
    *("torch.arange(1000)", "torch.zeros(100, 10)", "torch.full((100,), 2)", "torch.ones(0, 9)"),
    *("torch.linspace(0, 1, 100)", "torch.tensor([[1] * 50] * 2)", "torch.outer(x[0], x[1])"),
    *("torch.meshgrid(x[0], x[1], indexing='ij')", "torch.cartesian_prod(x[0], x[0])"),
    *("torch.bincount(x[0], minlength=100)", "F.pad(x, (10, 10))", "x.repeat_interleave(100)"),
    *("torch.nn.utils.rnn.pad_sequence([x[0], x[1]], batch_first=True)", "x.argsort()"),
    *("x[[0] * 100]", "x[:, None].expand(3, 100, 4).reshape(-1)", "[r for r in x for _ in r]"),
    *("x if n > 4 else mystery(x)", "n > 4 or mystery(n)", "twice(shifted(n))", "sign(-n)"),
    *("x.clamp(min=1, max=4)", "min(n, 9)", "max(n, 2)", "n % 64", "x % 3", "x[: n - 1]", "x[n:]"),
    *("sum(twice(i) for i in range(n))", "all([n > 1, n > 9])", "any(i > 3 for i in range(n))"),
    *("{1, n}", "{n: 1}", "f'{n}'", "lambda: n", "x.new_zeros(10, 10)", "x.mystery()", "n.mystery"),
    *("self.mystery", "self.mystery(n)", "torch.mystery(n)", "1 / 0", "x[9]", "x.view(5)", "[][0]"),
)


def programs() -> Iterator[tuple[str, str]]:
    """Programs by what they are called in the table."""
    listed = (e.strip() for e in EXPRESSIONS.replace("\n", " | ").split(" | "))
    for expression in (*filter(None, listed), *UNKNOWN_ARGUMENTS, *MORE):
        yield expression, f"return {expression}"
    yield from PROGRAMS.items()


def noted(trace: Trace) -> Iterator[str]:
    """The evidence of a run, in words."""
    for (_, node), seen in trace.outcomes.items():
        yield f"{ast.unparse(node)} {' and '.join(map(str, sorted(seen)))}"
    if numbers := set[float]().union(*trace.numbers.values()):
        yield f"reads {', '.join(map(str, sorted(numbers)))}"
    if entered := {f.name for found in trace.entered.values() for f in found}:
        yield f"enters {', '.join(sorted(entered))}"
    if inside := sum(map(len, trace.ran.values())):
        yield f"{inside} inside"
    for reason in sorted(set(trace.reasons.values())):
        kind, is_error, _ = reason.partition("Error: ")  # what Python and numpy say is theirs
        yield f"not known: {kind + 'Error' if is_error else reason}"
    yield from (f"raises {error.__name__}" for error in trace.errors)
    yield from (f"ends: {why}" for why in (trace.cost, trace.refused) if why)


def line(name: str, program: str) -> str:
    """What a program cost and left behind."""
    meter = Meter(steps=10_000, size=SIZE)
    trace = interpret(program, FUNCTIONS, meter)
    said = [f"{10_000 - meter.steps} steps", f"{SIZE - meter.bytes} bytes", *noted(trace)]
    return f"{name}: {'; '.join(said)}"


ALL = [*programs()]
#: So many programs are looked at together.
TOGETHER = 20


def test_all_programs_are_recorded(update_golden: bool) -> None:
    if update_golden:
        TABLE.write_text("".join(f"{line(*each)}\n" for each in ALL), encoding="utf-8")
    names = TABLE.read_text(encoding="utf-8").split("\n")[:-1]
    assert len(names) == len(ALL)
    assert all(found.startswith(f"{name}: ") for found, (name, _) in zip(names, ALL))


@pytest.mark.parametrize("first", range(0, len(ALL), TOGETHER))
def test_what_programs_cost_and_leave_is_as_recorded(first: int) -> None:
    recorded = TABLE.read_text(encoding="utf-8").split("\n")[first : first + TOGETHER]
    for (name, program), expected in zip(ALL[first : first + TOGETHER], recorded):
        assert line(name, program) == expected
