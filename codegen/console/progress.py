"""A progress bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

_WIDTH = 30


@contextlib.contextmanager
def show_progress(hidden: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that takes (what is done, count, total) and draws the bar on standard error."""
    if hidden or not sys.stderr.isatty():
        yield lambda doing, done, total: None
        return
    drawn = False

    def draw(doing: str, done: int, total: int) -> None:
        nonlocal drawn
        drawn = True
        filled = _WIDTH * done // max(total, 1)
        bar = "█" * filled + "░" * (_WIDTH - filled)
        print(f"\r  {doing} {bar} {done}/{total}\033[K", end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        if drawn:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
