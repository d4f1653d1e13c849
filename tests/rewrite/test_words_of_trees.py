"""What functions of the passes say when they are asked about code: ``golden/asked_PACKAGE.txt``.

:mod:`tests.rewrite.asked` says how a line is read. A function that is new is held to nothing until inputs are
chosen for it (``python -m tests.rewrite.choose_asked MODULE``). Record answers anew with
``pytest tests/rewrite/test_words_of_trees.py --update-golden``, and review.
"""

from __future__ import annotations

import importlib
from functools import cache

import pytest

from tests.rewrite.asked import PACKAGE, Asked, asked, read
from tests.rewrite.asked_answers import Table, answer, read_table, table_lines
from tests.rewrite.asked_runs import asked_runs
from tests.rewrite.small_edits import GOLDEN

#: What is told of an input that no case has any more; recording anew leaves it out.
NOT_THERE = "no case has this"
PACKAGES = ("capture", "emit", "place", "probe", "recognise", "tokens", "runs")


def package_of(name: str) -> str:
    """The file that holds a function."""
    first = name.partition(".")[0]
    return first if first in PACKAGES else "rewrite"


def read_tables() -> Table:
    table: Table = {}
    for path in sorted(GOLDEN.glob("asked_*.txt")):
        table |= read_table(path.read_text(encoding="utf-8").split("\n")[:-1])
    return table


def write_tables(table: Table) -> None:
    for package in {package_of(name) for name in table}:
        part = {name: table[name] for name in sorted(table) if package_of(name) == package}
        text = "\n".join([*table_lines(part), ""])
        (GOLDEN / f"asked_{package}.txt").write_text(text, encoding="utf-8")


RECORDED = read_tables()


@cache
def functions_of(module: str) -> dict[str, Asked]:
    """The functions of a module, none if it is gone."""
    if module == "runs":
        return asked_runs()
    try:
        return asked(module, importlib.import_module(f"{PACKAGE}{module}"))
    except ModuleNotFoundError:
        return {}


def function_of(name: str) -> Asked | None:
    """The function of a name, None if it is gone; a method has its class in front of it."""
    module = name.rpartition(".")[0]
    return {**functions_of(module.rpartition(".")[0] or module), **functions_of(module)}.get(name)


@pytest.mark.parametrize("name", RECORDED)
def test_what_a_function_says_is_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    one = function_of(name)
    if request.config.getoption("--update-golden"):
        told = {} if one is None else {line: _told(one, line) for line in RECORDED[name]}
        there = {line: said for line, said in told.items() if said != NOT_THERE}
        if there != RECORDED[name]:
            write_tables({**read_tables(), name: there})
    elif one is not None:
        assert {line: _told(one, line) for line in RECORDED[name]} == RECORDED[name]


def _told(one: Asked, line: str) -> str:
    try:
        values = read(line, one.kinds)
    except (LookupError, ValueError, SyntaxError):  # the case has changed
        return NOT_THERE
    return answer(one.function, values)
