"""What interpreting a method may cost: steps, bytes and digits, asked for before an operation is done.

Code of a tree is never executed, but what the interpreter does for it costs time and memory all the
same: ``[0] * 400_000_000`` is one step. So everything that grows with a value asks first, and
:class:`OverBudget` ends the whole run. One run has one :class:`Meter`; it is found through a context
variable, because the functions that ask are as deep as ``is_late`` and have no other use for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

STEPS = 60_000
"""Statements and expressions of all runs of a method; larger operations count as several steps."""
BYTES = 24 << 20
"""Bytes that all values of a run take together, those that are gone again included."""
DIGITS = 256
"""Bits of an integer."""

_ITEM = 64
"""Bytes of a Python object in a list."""
_BYTES_PER_STEP = 4096
"""How much memory is filled in the time of one step."""
_SMALL_TENSOR = _BYTES_PER_STEP // 8
_SMALL_LIST = _BYTES_PER_STEP // _ITEM


class OverBudget(Exception):
    """Interpreting a method would cost too much; the message says what."""


class Meter:
    """What is left of the budget of one run or of several."""

    __slots__ = ("bytes", "steps")

    def __init__(self, steps: int = STEPS, size: int = BYTES) -> None:
        self.steps = steps
        self.bytes = size

    def step(self, count: int = 1) -> None:
        """Count steps.

        Raises:
            OverBudget: there were too many.
        """
        self.steps -= count
        if self.steps < 0:
            raise OverBudget("too many steps")

    def hold(self, count: int, size: int) -> None:
        """Count the memory of ``count`` values of ``size`` bytes that are about to be made.

        Raises:
            OverBudget: there is too little left.
        """
        wanted = count * size
        if wanted > self.bytes:
            raise OverBudget(f"{count:,} values at once" if count < 10**18 else "too many values")
        self.bytes -= max(wanted, 0)
        self.step(wanted // _BYTES_PER_STEP)


_METER: ContextVar[Meter] = ContextVar("meter")
"""The meter of the run; outside of runs every question has a budget of its own."""


@contextmanager
def metered(meter: Meter) -> Iterator[Meter]:
    """Let what runs inside count on ``meter``."""
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def numbers(count: int, taken: int = 0) -> int:
    """Ask for a tensor of ``count`` numbers, and for ``taken`` steps in front of that."""
    meter = _METER.get(None) or Meter()
    if taken:
        meter.steps -= taken
        if meter.steps < 0:
            meter.step(0)
    # Most are small, less than the memory of a step.
    if 0 <= count < _SMALL_TENSOR and count * 8 <= meter.bytes:
        meter.bytes -= count * 8
    else:
        meter.hold(count, 8)
    return count


def items(count: int) -> int:
    """Ask for a list of ``count`` items."""
    meter = _METER.get(None) or Meter()
    if 0 <= count < _SMALL_LIST and count * _ITEM <= meter.bytes:
        meter.bytes -= count * _ITEM
    else:
        meter.hold(count, _ITEM)
    return count


def steps(count: int) -> None:
    """Ask for ``count`` steps."""
    (_METER.get(None) or Meter()).step(count)


def bits(count: int) -> None:
    """Ask for an integer of ``count`` bits."""
    if count > DIGITS:
        raise OverBudget(f"an integer of {count:,} bits" if count < 10**18 else "a huge integer")
