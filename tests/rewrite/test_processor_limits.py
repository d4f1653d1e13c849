"""Processors that would hang the tool or fill the memory are left, at once and with that reason."""

from __future__ import annotations

import time

import pytest

from codegen.rewrite.tokens import limits
from codegen.rewrite.tokens.limits import TooMuch
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
