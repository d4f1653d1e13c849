"""What of a computation runs have to show, which statements take part in it, and how large numbers are."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import pytest

from codegen.rewrite.flow import effect
from codegen.rewrite.probe.probes import LARGEST_NUMBER
from codegen.rewrite.recognise.evidence import Claim, Trial, _size, participants, uncovered

LOOP = "for i in x:\n    y = x[:2] + i % 2 if i > 1 and k else 0\n    z = f(y, max=3)\n    y += 1"
ALL = {
    "i > 1 and k": {True, False},
    "i > 1": {True, False},
    "k": {True, False},
}
SMALL, RUNS = "no probe is large enough to show what it does", "no probe runs it"
SIDES, MAKES = "no probe shows both sides of it", "no probe makes its condition {}"


def shown(text: str, outcomes: dict[str, set[bool]], left_out: str = "") -> tuple[str, str] | None:
    """The first node that no run shows and why; runs are said to have come to all but one."""
    (tree,) = ast.parse(text).body
    nodes = {ast.unparse(node): node for node in ast.walk(tree)}
    ran = {node for said, node in nodes.items() if said != left_out}
    found = uncovered(tree, ran, {nodes[said]: seen for said, seen in outcomes.items()})
    return None if found is None else (ast.unparse(found.node), found.reason)


@pytest.mark.parametrize(
    ("more", "left_out", "expected"),
    [
        ({}, "", None),
        ({}, "z = f(y, max=3)", ("z = f(y, max=3)", RUNS)),
        ({}, "y += 1", ("y += 1", RUNS)),
        ({"i > 1 and k": {True}}, "", ("i > 1 and k", MAKES.format("false"))),
        ({"i > 1 and k": {False}}, "", ("i > 1 and k", MAKES.format("true"))),
        ({"i > 1 and k": set()}, "", ("i > 1 and k", MAKES.format("false"))),
        ({"i > 1": {True}}, "", ("i > 1", MAKES.format("false"))),
        ({"x[:2]": {True}}, "", None),
        ({"x[:2]": {True, False}}, "", None),
        ({"x[:2]": {False}}, "", ("x[:2]", SMALL)),
        ({"i % 2": {False}}, "", ("i % 2", SMALL)),
        ({"y += 1": {False}}, "", ("y += 1", SMALL)),
        ({"y += 1": {True}}, "", None),
        ({"f(y, max=3)": {True}}, "", ("f(y, max=3)", SIDES)),
        ({"f(y, max=3)": {True, False}}, "", None),
        ({"max=3": {False}}, "", ("max=3", SIDES)),
    ],
)
def test_what_no_run_shows(
    more: dict[str, set[bool]], left_out: str, expected: tuple[str, str] | None
) -> None:
    assert shown(LOOP, {**ALL, **more}, left_out) == expected


BOTH = {True, False}


@pytest.mark.parametrize(
    ("text", "outcomes", "left_out", "expected"),
    [
        ("if a:\n    x = 1", {"a": BOTH}, "", None),
        ("if a:\n    x = 1", {"a": {True}}, "", ("a", MAKES.format("false"))),
        ("if a:\n    x = 1", {}, "", ("a", MAKES.format("false"))),
        ("if a:\n    raise E", {}, "", None),
        ("if a:\n    x = 1\n    raise E", {}, "x = 1", None),
        ("if a:\n    raise E\nelse:\n    x = 1", {}, "", ("a", MAKES.format("false"))),
        ("assert a and b", {}, "assert a and b", None),
        ("x = [i for i in a if i > 1]", {"i > 1": BOTH}, "", None),
        ("x = [i for i in a if i > 1]", {"i > 1": {False}}, "", ("i > 1", MAKES.format("true"))),
        ("x = [i for i in a]", {}, "", None),
        ("x = a or b", {"a": BOTH}, "", ("b", MAKES.format("false"))),
        ("'words'", {}, "'words'", None),
        ("a.words", {}, "a.words", ("a.words", RUNS)),
        ("while a:\n    x = 1", {}, "", None),
        ("while a:\n    x = 1", {"while a:\n    x = 1": {True}}, "", ("while a:\n    x = 1", SIDES)),
    ],
)  # fmt: skip
def test_refusals_and_words_need_not_be_shown(
    text: str,
    outcomes: dict[str, set[bool]],
    left_out: str,
    expected: tuple[str, str] | None,
) -> None:
    assert shown(text, outcomes, left_out) == expected


LINES = "a = x\nb = a + 1\nc = y\nb.append(c)\nd = b\nd[0] = z\nfor i in d:\n    e = i"


@pytest.mark.parametrize(
    ("last", "names", "numbers"),
    [
        (6, "e", {0, 1, 2, 3, 4, 5, 6}),
        (5, "d", {0, 1, 2, 3, 4, 5}),
        (4, "d", {0, 1, 2, 3, 4}),
        (3, "d", set()),
        (3, "b", {0, 1, 2, 3}),
        (2, "b", {0, 1}),
        (6, "c", {2}),
        (6, "c a", {0, 2}),
        (1, "c", set()),
        (6, "", set()),
        (6, "x", set()),
    ],
)
def test_which_statements_take_part(last: int, names: str, numbers: set[int]) -> None:
    effects = [effect(statement) for statement in ast.parse(LINES).body]
    assert participants(effects, last, names.split()) == numbers


def test_a_statement_that_is_only_asked_for_its_device_takes_no_part() -> None:
    body = ast.parse("a = x.cos()\nb = torch.arange(3, device=a.device)\nc = a + b.dtype").body
    effects = [effect(statement) for statement in body]
    assert participants(effects, 1, ["b"]) == {1}
    assert participants(effects, 2, ["c"]) == {0, 2}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (3, 3),
        (-3, 3),
        (2.9, 2),
        (-2.9, 2),
        (True, 0),
        ("3", 0),
        (None, 0),
        (float("nan"), 0),
        (float("inf"), 10**18),
        (10**30, 10**18),
        (0, 0),
    ],
)
def test_how_large_a_number_is(value: Any, size: int) -> None:
    assert _size(value) == size


def claim_on(head: str, lines: str, called: str, ran: int = 3) -> tuple[Trial, Claim]:
    """The claim about the last line of a method, which calls ``g``, and of which runs noted a number."""
    text = "\n    ".join([f"def f({head}):", *lines.split("\n")])
    (function,), (other,) = ast.parse(text).body, ast.parse(f"def g(): {called}").body
    assert isinstance(function, ast.FunctionDef)
    last = len(function.body) - 1
    trace = SimpleNamespace(numbers={last: {ran}}, entered={last: {other}})
    probes = [SimpleNamespace(variant=0)]
    study: Any = SimpleNamespace(function=function, traces=[trace], probes=probes)
    nothing: Any = None
    return Trial(nothing, study, frozenset()), Claim(lambda run: True, (last,), ())


LARGE = LARGEST_NUMBER + 1


@pytest.mark.parametrize(
    ("head", "lines", "called"),
    [
        ("a", "x = a[:N]", "y"),
        ("a, b=N", "x = a", "y"),
        ("a", "x = g(a)", "y = N"),
        ("a", "x = -N", "y"),
    ],
)
@pytest.mark.parametrize("number", [7, LARGEST_NUMBER, LARGE])
def test_numbers_that_are_written_down_take_part(
    head: str, lines: str, called: str, number: int
) -> None:
    trial, claim = claim_on(*(part.replace("N", str(number)) for part in (head, lines, called)))
    assert (trial._read(claim, 0) - {0}, trial._read(claim, 1) - {0}) == ({3, number}, {number})
    found = trial._numbers(claim)
    assert (found is None) == (number <= LARGEST_NUMBER)
    told = f"no probe reaches the number {number}"
    assert found is None or found.reason.removesuffix(" in g") == told


@pytest.mark.parametrize(("lines", "ran"), [(f"z = {LARGE}\nx = a", 3), ("x = a", LARGEST_NUMBER)])
def test_other_numbers_do_not(lines: str, ran: int) -> None:
    trial, claim = claim_on("a", lines, "y", ran)
    assert trial._read(claim, 0) - {0} == {ran}
    assert trial._numbers(claim) is None


def test_a_number_that_only_runs_come_to_takes_part() -> None:
    trial, claim = claim_on("a", "x = a", "y", LARGE)
    found = trial._numbers(claim)
    assert found is not None and found.reason == f"no probe reaches the number {LARGE}"
    assert ast.unparse(found.node) == "x = a"
