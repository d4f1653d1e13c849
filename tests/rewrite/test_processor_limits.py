"""Processors that would hang the tool or fill the memory are left, at once and with that reason."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from codegen.rewrite.probe import budget
from codegen.rewrite.tokens import limits
from codegen.rewrite.tokens.limits import TooMuch
from codegen.rewrite.tokens.operators import LONGEST, binary
from codegen.rewrite.tokens.terms import Unsupported, World
from tests.rewrite.test_processor_runs import code, machine
from tests.rewrite.test_rules import GOLDEN, read_case, run

CASE = read_case(GOLDEN / "expand_tokens/queue_loop.txt")
PATH = next(iter(CASE.files))
LOOP = "            for sample in text:\n"

BOMBS = [
    "x = 2 ** 10 ** 9",
    "x = [0] * 400_000_000",
    "x = sum(range(10 ** 8))",
    "x = str(3 ** 10 ** 6)",
    "x = 'ab'\nfor _ in range(60):\n    x = x + x",
    "x = [1]\nwhile True:\n    x.extend(x)",
    "x = [1]\nfor _ in range(60):\n    x += x",
    "x = '%1000000000d' % 3",
    "x = '{:{}}'.format(3, 10 ** 9)",
    "x = f'{3:1000000000}'",
    "x = 'a'.ljust(10 ** 10)",
    "x = 'ab'.encode() * 10 ** 9",
    "x = b'%1000000000d' % 3",
    "x = b'ab'\nfor _ in range(60): x += x",
    "x = [i for i in range(10 ** 9)]",
    "x = dict(zip(range(10 ** 8), range(10 ** 8)))",
    "x = 'a' * 10_000\nfor _ in range(9):\n    x = x.replace('a', 'a' * 1000)",
    "x = 'a' * 10 ** 5\ny = [x[i:] for i in range(10 ** 5)]",
    "x = ','.join(['abc' * 1000] * 100_000)",
    "import re\nx = re.sub('(a+)+$', '', 'a' * 40 + 'b')",
    "x = [1]\nfor _ in range(50):\n    x = [x, x]\ny = str(x)",
    "x, y = [1], [1]\nfor _ in range(50):\n    x, y = [x, x], [y, y]\nz = x == y",
    "x = [1]\nfor _ in range(50):\n    x = [x, x]\nself.tokenizer(x)",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_would_cost_too_much_is_left(bomb: str) -> None:
    lines = "".join(f"            {line}\n" for line in bomb.split("\n"))
    files = {**CASE.files, PATH: CASE.files[PATH].replace(LOOP, lines + LOOP)}
    before = time.process_time()
    result = run(files, "expand_tokens")
    assert time.process_time() - before < 3
    assert result.edits == {}
    assert [record.reason.partition(":")[0] for record in result.report] == [
        "it cannot be followed"
    ]


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "(a|b)*x", "((a*)b)*", "(?:a{2,})+", "a{10000}", "a*b*c*d*"]
)
def test_patterns_that_may_go_over_a_string_again_and_again(pattern: str) -> None:
    with pytest.raises(TooMuch):
        limits.matched(pattern, "a" * 60)


@pytest.mark.parametrize("pattern", [r"<\|image\|>", "(?:<image>)+", r"\(a\+\)\+", "[+*]+", "a+b"])
def test_patterns_of_placeholders(pattern: str) -> None:
    limits.matched(pattern, "a" * 1_000)


def asked_for(work: Callable[[], object]) -> int:
    """Bytes that some work asks for; -1 where it is refused."""
    meter = budget.Meter(10_000, 1 << 22)
    try:
        with budget.metered(meter):
            work()
    except (Unsupported, budget.OverBudget):
        return -1
    return (1 << 22) - meter.bytes


def mult(left: object, right: object) -> object:
    return binary(World(0), "Mult", left, right)


ITEMS = asked_for(lambda: budget.items(1))


@pytest.mark.parametrize(
    ("work", "items"),
    [
        (lambda: limits.entries(256), 0),
        (lambda: limits.entries(257), 257),
        (lambda: limits.characters(256), 0),
        (lambda: limits.characters(257), 17),
        (lambda: limits.characters(16 * 30), 31),
        (lambda: limits.weighed([[1] * 4_999] * 4), 0),
        (lambda: limits.weighed([[1] * 5_000] * 4), -1),
        (lambda: limits.weighed({"a": [0] * 19_999}), 0),
        (lambda: limits.weighed({"a": [0] * 20_000}), -1),
        (lambda: limits.numbers("Pow", 2, 2_048), 0),
        (lambda: limits.numbers("Pow", 2, 2_049), -1),
        (lambda: limits.numbers("Pow", 2, -2_049), -1),
        (lambda: limits.numbers("Pow", 2.5, 2_049), 0),
        (lambda: limits.numbers("Pow", 2, 2.5), 0),
        (lambda: limits.numbers("Mult", 1 << 2_047, 1 << 2_047), 0),
        (lambda: limits.numbers("Mult", 1 << 2_047, 1 << 2_048), -1),
        (lambda: limits.formatted("%9999d", 1), 0),
        (lambda: limits.formatted("%99999d", 1), -1),
        (lambda: limits.formatted("%*d", 9_999), 0),
        (lambda: limits.formatted("%*d", 10_000), -1),
        (lambda: limits.formatted("{:{}}", -10_000), -1),
        (lambda: limits.formatted("{0:{width}}", 10_000), -1),
        (lambda: limits.formatted("{}", 10_000), 0),
        (lambda: limits.formatted("%*d", "a" * 10), 0),
        (lambda: limits.called("a", "ljust", [320]), 21),
        (lambda: limits.called("a", "center", ["a"]), 0),
        (lambda: limits.called("a", "zfill", []), 0),
        (lambda: limits.called("\t\t\t", "expandtabs", [160]), 31),
        (lambda: limits.called("abab", "replace", ["a", "b" * 160]), 21),
        (lambda: limits.called("abab", "replace", ["c", "b" * 160]), 0),
        (lambda: limits.called("abab", "replace", ["a"]), 0),
        (lambda: limits.called("abab", "replace", ["a", 3]), 0),
        (lambda: limits.called("abab", "other", [1_000, "b" * 1_000]), 0),
        (lambda: limits.called("{:99999}", "format", [1]), -1),
        (lambda: limits.called("{:99999}", "format_map", [1]), -1),
        (lambda: limits.called("a" * 320, "strip", []), 21),
        (lambda: limits.matched("a", "a" * 5_000), 0),
        (lambda: limits.matched("a", "a" * 5_001), -1),
        (lambda: limits.matched("a+", "a" * 5_000), 0),
        (lambda: limits.matched("a+b*", "a" * 1_000), 0),
        (lambda: limits.matched("a+b*", "a" * 1_001), -1),
        (lambda: limits.matched("a+b*c{2,}", "a" * 200), 0),
        (lambda: limits.matched("a+b*c{2,}", "a" * 201), -1),
        (lambda: limits.matched("a+b+c+d+", "a" * 50), 0),
        (lambda: limits.matched("a+b+c+d+", "a" * 51), -1),
        (lambda: limits.matched("a{999}", "a"), 0),
        (lambda: limits.matched("a{1000}", "a"), -1),
        (lambda: mult("ab", 20), 0),
        (lambda: mult(20, "ab"), 0),
        (lambda: mult([1, 2], 200), 400),
        (lambda: mult((1, 2), 200), 400),
        (lambda: mult("ab", 200), 26),
        (lambda: mult("ab", 1.5), -1),
        (lambda: mult("a", LONGEST), LONGEST // 16 + 1),
        (lambda: mult("a", LONGEST + 1), -1),
        (lambda: mult("ab", LONGEST // 2 + 1), -1),
        (lambda: mult("ab", -3), 0),
    ],
)
def test_what_is_asked_for_on_both_sides_of_limits(work: Callable[[], object], items: int) -> None:
    assert asked_for(work) == (items if items < 0 else items * ITEMS)


@pytest.mark.parametrize(("count", "steps"), [(3, 0), (200, 0), (201, 1), (230, 30)])
def test_many_entries_take_a_step_each(count: int, steps: int) -> None:
    run = machine(code("return texts"))
    before = run.left
    assert [*run.entries(iter(range(count)))] == [*range(count)]
    assert before - run.left == steps


@pytest.mark.parametrize(
    ("left", "name", "right", "asked"),
    [
        ([1, 2], "Add", [3], ["entries 3"]),
        ([1], "Add", [], ["entries 1"]),
        ((1,), "Add", (2, 3, 4), ["entries 4"]),
        ("ab", "Add", "c", ["characters 3"]),
        ("ab", "Add", "", ["characters 2"]),
        ([1, 2], "Mult", 3, ["entries 6"]),
        (3, "Mult", [1, 2], ["entries 6"]),
        ("ab", "Mult", 3, ["characters 6"]),
        (3, "Mult", "ab", ["characters 6"]),
        (2, "Pow", 9, ["numbers Pow 2 9"]),
        (2, "Mult", 9, ["numbers Mult 2 9"]),
        ("%d", "Mod", 3, ["formatted %d 3"]),
        ("%d %d", "Mod", (3, 4), ["formatted %d %d 3 4"]),
        (7, "Mod", 3, []),
        (7, "Add", 3, []),
        (7, "Sub", 3, []),
    ],
)
def test_an_operation_asks_for_what_it_makes(
    monkeypatch: pytest.MonkeyPatch, left: object, name: str, right: object, asked: list[str]
) -> None:
    told: list[str] = []
    for limit in ("entries", "characters", "numbers", "formatted"):
        monkeypatch.setattr(
            limits, limit, lambda *a, limit=limit: told.append(" ".join(map(str, (limit, *a))))
        )
    binary(World(0), name, left, right)
    assert told == asked
