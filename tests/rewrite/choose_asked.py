"""Chooses what functions of the passes are asked: ``python -m tests.rewrite.choose_asked [MODULE ...]``.

Of the code of golden cases and of small edits of it, something for each way through a function and each answer
that it gives on that way, up to some. The table of the modules is written anew; ``runs`` are those of programs.
"""

from __future__ import annotations

import argparse
import ast
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from types import FrameType
from typing import Any

import numpy as np

from tests.rewrite.asked import GIVEN, Asked, asked, given, modules, read, where_of
from tests.rewrite.asked_answers import answer
from tests.rewrite.asked_inputs import inputs, of_bodies
from tests.rewrite.asked_runs import asked_runs

#: So many inputs of a function are looked at, and kept.
IN_ALL, OF_EACH = 100, 6
#: Seconds after which an answer does not come; of answers that take too long for a test.
SECONDS, SLOW = 0.5, 0.02
SOURCES = "codegen/rewrite/"


class Hangs(BaseException):
    """An answer takes too long."""


@contextmanager
def limited() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hangs

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


_READ: dict[tuple[str, str], dict[str, Any]] = {}


def values_of(one: Asked, line: str) -> dict[str, Any]:
    """The arguments of an input; what a case gives anew each time."""
    key = (one.name, line)
    if key not in _READ:
        _READ[key] = read(line, one.kinds)
    where, _ = where_of(line)
    fresh = {name: given(where, kind) for name, kind in one.kinds.items() if kind in GIVEN}
    arrays = {n: v.copy() for n, v in _READ[key].items() if isinstance(v, np.ndarray)}
    return {**_READ[key], **fresh, **arrays}


def told(one: Asked, line: str) -> str:
    """The answer to an input."""
    try:
        with limited():
            return answer(one.function, values_of(one, line))
    except Hangs:
        return "! hangs"


@contextmanager
def traced() -> Iterator[set[tuple[str, int]]]:
    """The lines of the passes that are gone through while this holds."""
    lines: set[tuple[str, int]] = set()

    def inside(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return inside

    def called(frame: FrameType, event: str, _: Any) -> Any:
        return inside if SOURCES in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield lines
    finally:
        sys.settrace(before)


@dataclass(frozen=True, eq=False)
class Candidate:
    """An input of a function, the answer, and the lines gone through."""

    one: Asked
    line: str
    answer: str
    lines: frozenset[tuple[str, int]]


def forget(caches: Sequence[Any]) -> None:
    for each in caches:
        each.cache_clear()


def candidates(
    one: Asked, caches: Sequence[Any], several: Iterable[str] | None = None
) -> list[Candidate]:
    """Inputs that a function has an answer to, of each way through it and each answer some."""
    found: list[Candidate] = []
    seen: dict[Any, int] = defaultdict(int)
    tried = set[str]()
    misread = slow = 0
    for line in inputs(one) if several is None else several:
        is_enough = len(tried) >= IN_ALL or misread > 100 or slow > 6
        if several is None and is_enough:
            break
        if line in tried or len(line) > 250:
            continue
        tried.add(line)
        forget(caches)
        try:
            values = values_of(one, line)
            before = [ast.dump(v) for v in values.values() if isinstance(v, ast.AST)]
            begun = time.process_time()
            first = told(one, line)
            if time.process_time() - begun > SLOW:
                slow += 1
                continue
            forget(caches)
            with traced() as lines:
                again = told(one, line)
            after = [ast.dump(v) for v in values.values() if isinstance(v, ast.AST)]
        except (ValueError, LookupError, SyntaxError, AssertionError):
            misread += 1
            continue
        if (
            before != after
            or again != first
            or first.startswith("! ")
            and first[2:] not in ("Stays", "Unsettled")
        ):
            misread += 1
            continue
        key = (frozenset(lines), first)
        seen[key] += 1
        seen[frozenset(lines)] += 1
        if seen[key] <= 2 and seen[frozenset(lines)] <= 12:
            found.append(Candidate(one, line, first, frozenset(lines)))
    return sorted(found, key=lambda c: (": " in c.line.partition("]")[0], len(c.line)))


def _caches(among: Iterable[Any]) -> list[Any]:
    found = [m for module in among for m in vars(module).values() if hasattr(m, "cache_clear")]
    return list({id(each): each for each in found}.values())


def choose(every: Mapping[str, Asked], among: Sequence[Any]) -> dict[str, dict[str, str]]:
    """A table of some functions: for each way through one the shortest input, then others with other answers."""
    caches = _caches(among)
    table: dict[str, dict[str, str]] = {}
    for name, one in every.items():
        by_way: dict[Any, dict[str, Candidate]] = {}
        for found in candidates(one, caches):
            by_way.setdefault(found.lines, {}).setdefault(found.answer, found)
        turns = zip_longest(*(several.values() for several in by_way.values()))
        chosen = [*filter(None, chain.from_iterable(turns))][:OF_EACH]
        if chosen:
            table[name] = {found.line: found.answer for found in chosen}
    return table


def choose_runs() -> dict[str, dict[str, str]]:
    """A table of runs of programs: each goes a way through the interpreter that none before it goes."""
    table: dict[str, dict[str, str]] = {}
    ways = set[Any]()
    caches = _caches(modules().values())
    for name, one in asked_runs().items():
        table[name] = {}
        for found in candidates(one, caches, of_bodies()):
            if found.lines not in ways:
                ways.add(found.lines)
                table[name][found.line] = found.answer
    return table


def main() -> int:
    """Choose the inputs of some modules, or of all."""
    parser = argparse.ArgumentParser(prog="python -m tests.rewrite.choose_asked")
    parser.add_argument("modules", nargs="*")
    options = parser.parse_args()
    from tests.rewrite.test_words_of_trees import read_tables, write_tables

    everything = modules()
    parts = {name: (asked(name, module), [module]) for name, module in everything.items()}
    if not options.modules or "runs" in options.modules:
        write_tables({**read_tables(), **choose_runs()})
    for name, (every, among) in parts.items():
        if options.modules and not any(name.startswith(m) for m in options.modules):
            continue
        _READ.clear()
        kept = {k: v for k, v in read_tables().items() if k.rpartition(".")[0] != name}
        write_tables({**kept, **choose(every, among)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
