"""Definitions that would make an interpreter hang or fill the memory: left, in time, with the reason.

All forms of one kind are run in one process whose memory and time the system limits, so that what
slips through ends that process and not the tests. Each form stands twice: alone, and inside of a method
that a helper would otherwise be recognised in.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from codegen.rewrite import rewrite_library
from tests.rewrite.test_rules import DictLibrary

MEGABYTES = 64
SECONDS = 1.0

FORMS: dict[str, tuple[str, ...]] = {
    "digits": (
        "x = 2 ** 10 ** 9",
        "x = (-3) ** 10 ** 8",
        "x = h ** (h ** (h ** h))",
        "x = 7\n            for _ in range(40): x = x * x",
        "x = 7\n            for _ in range(60): x **= 2",
        "x = 10 ** 4000 * 10 ** 4000",
        "x = int(10 ** 10 ** 8)",
        "x = len(str(9 ** 10 ** 7))",
    ),
    "sequences": (
        "x = [0] * 400_000_000",
        "x = 400_000_000 * [0]",
        "x = (0, 1) * 300_000_000",
        "x = 'a' * 10 ** 10",
        "x = b'ab' * 10 ** 10",
        "x = [[0] * 100_000] * 100_000\n            y = torch.tensor(x)",
        "x = [0]\n            for _ in range(60): x = x + x",
        "x = [0]\n            for _ in range(60): x += x",
        "x = [0]\n            for _ in range(60): x.extend(x)",
        "x = [0]\n            for _ in range(60): x = [*x, *x]",
        "x = (0,)\n            for _ in range(60): x += x",
        "x = 'a'\n            for _ in range(60): x += x",
        "x = [0] * 200_000\n            for _ in range(20_000): y = x[1:]",
        "x = [0] * 200_000\n            for _ in range(20_000): y = list(x)",
        "x = [0] * 200_000\n            for _ in range(20_000): y = tuple(x)",
    ),
    "ranges": (
        "x = sum(range(10 ** 8))",
        "x = list(range(10 ** 9))",
        "x = max(range(10 ** 8))",
        "x = [i for i in range(10 ** 9)]",
        "x = [0 for i in range(10 ** 9) if False]",
        "for i in range(10 ** 9): pass",
        "for i in range(10 ** 3):\n                for j in range(10 ** 6): pass",
        "x = [i + j for i in range(10 ** 5) for j in range(10 ** 5)]",
        "x = enumerate(range(10 ** 9))",
        "x = zip(range(10 ** 9), range(10 ** 9))",
        "x = reversed(range(10 ** 9))",
        "x = torch.tensor(range(10 ** 9))",
        "x = 1.5 in range(10 ** 9)",
        "x = torch.tensor(5) in range(10 ** 10)",
        "x, y = range(10 ** 9)",
        "x = sum(10 ** 5 * [1])\n            for _ in range(10_000): y = sum(10 ** 5 * [1])",
    ),
    "copies": (
        "x = [0]\n            for _ in range(60): x = [x, x]",
        "x = [0]\n            for _ in range(60): x = (x, x)\n            y = x == x",
        "x = [0]\n            for _ in range(60): x = [x, x]\n            y = torch.tensor(x)",
        "x = []\n            x.append(x)",
        "x = []\n            for _ in range(5_000): x = [x]",
        "x = [0]\n            y = [0]\n"
        "            for _ in range(40):\n                x = [x, x]\n                y = [y, y]\n"
        "            z = x == y",
        "x = [0]\n            for _ in range(40): x = [x, x]\n            y = 1 in x",
        "x = [0]\n            for _ in range(40): x = [x, x]\n            y = torch.cat(x)",
    ),
    "text": (
        "x = '%1000000000d' % 5",
        "x = '%*d' % (10 ** 9, 5)",
        "x = '{:1000000000}'.format(5)",
        "x = f'{5:1000000000}'",
        "x = f'{10 ** 10 ** 8}'",
        "x = str(10 ** 10 ** 7)",
        "x = '5'.zfill(10 ** 10)",
        "x = ''.join(['a' * 10 ** 6] * 10 ** 6)",
        "x = 'a'.ljust(10 ** 10)",
        "x = int('9' * 10 ** 7)",
        "x = bytes(10 ** 10)",
        "x = bytearray(10 ** 10)",
    ),
    "tensors": (
        "x = torch.arange(4 * 10 ** 8)",
        "x = torch.arange(0, 10 ** 12, 7)",
        "x = torch.zeros(20_000, 20_000)",
        "x = torch.ones((10 ** 5, 10 ** 5))",
        "x = torch.empty(10 ** 10)",
        "x = torch.full((10 ** 5, 10 ** 5), 1)",
        "x = torch.linspace(0, 1, 10 ** 9)",
        "x = torch.zeros(2).repeat(10 ** 9)",
        "x = torch.zeros(2).repeat(10 ** 5, 10 ** 5)",
        "x = torch.zeros(1).expand(10 ** 10).clone()",
        "x = torch.zeros(1).expand(10 ** 10) + 1",
        "x = torch.arange(3).repeat_interleave(10 ** 9)",
        "x = torch.repeat_interleave(torch.arange(2), torch.tensor([10 ** 9, 10 ** 9]))",
        "x = torch.outer(torch.arange(10 ** 5), torch.arange(10 ** 5))",
        "x = torch.arange(10 ** 5)[:, None] * torch.arange(10 ** 5)",
        "x = torch.arange(10 ** 5)[:, None] < torch.arange(10 ** 5)",
        "x = torch.meshgrid(torch.arange(10 ** 5), torch.arange(10 ** 5))",
        "x = torch.cartesian_prod(torch.arange(10 ** 5), torch.arange(10 ** 5))",
        "x = torch.where(torch.zeros(10 ** 5, 1) > 0, torch.zeros(10 ** 5), 1)",
        "x = torch.bincount(torch.tensor([10 ** 10]))",
        "x = torch.bincount(torch.tensor([1]), minlength=10 ** 10)",
        "x = F.pad(torch.zeros(2), (0, 10 ** 10))",
        "x = F.interpolate(torch.zeros(1, 1, 2, 2), size=(10 ** 6, 10 ** 6), mode='bilinear')",
        "x = torch.zeros(3)\n            for _ in range(60): x = torch.cat([x, x])",
        "x = torch.zeros(3)\n            for _ in range(60): x = torch.stack([x, x])",
        "x = torch.zeros(10 ** 5)\n            for _ in range(10 ** 4): y = x + 1",
        "x = torch.zeros(10 ** 5)\n            for _ in range(10 ** 4): y = x.sum()",
        "x = torch.arange(3)[torch.zeros(10 ** 5, 10 ** 5).long()]",
        "x = torch.zeros(10 ** 5).long()[:, None]\n            y = x[x, torch.zeros(1, 10 ** 5).long()]",
        "x = torch.arange(3).index_select(0, torch.zeros(10 ** 9).long())",
        "x = torch.zeros(10 ** 6).split(1)",
        "x = torch.zeros(10 ** 6).unbind(0)",
        "x = torch.zeros(10 ** 6).tolist()",
        "x = [y for y in torch.zeros(10 ** 6)]",
        "x = hidden.split([10 ** 9, 1])",
        "x = torch.tril(torch.ones(10 ** 5, 10 ** 5))",
        "x = F.one_hot(torch.arange(10 ** 5))",
        "x = torch.eye(10 ** 5)",
        "x = torch.combinations(torch.arange(10 ** 4))",
        "x = torch.zeros(4).unfold(0, 1, 1).expand(10 ** 9, 4, 1).contiguous()",
        "x = torch.zeros(4).new_zeros(10 ** 10)",
        "x = torch.zeros(4).new_full((10 ** 10,), 3)",
        "x = torch.nn.utils.rnn.pad_sequence([torch.zeros(10 ** 6)] * 10 ** 4, batch_first=True)",
        "x = nn.Embedding(10 ** 9, 4)",
        "x = np.zeros(10 ** 10)",
        "x = np.arange(10 ** 10)",
        "x = sorted(range(10 ** 9))",
        "x = sorted([0] * 10 ** 9)",
    ),
    "calls": (
        "x = self.fan(9)",
        "x = self.again()",
        "x = self.wide + self.wide",
        "x = self.table(torch.zeros(10 ** 4).long())\n            y = [x[x.long()] for _ in range(99)]",
        "x = (lambda: 2 ** 10 ** 9)()",
        "x = pow(2, 10 ** 9)",
        "x = eval('2 ** 10 ** 9')",
        "x = exec('while True: pass')",
        "x = __import__('os').system('sleep 20')",
        "while True: pass",
        "x = [self.fan(1) for _ in range(10 ** 7)]",
    ),
    "growth": (
        "x = torch.zeros(h, w, 4_000)",
        "x = torch.arange(h * h * w)",
        "x = [0] * (h * h * w)",
        "for i in range(h * w): x = i * i",
        "for i in range(h):\n                for j in range(w * w): x = i + j",
        "x = torch.outer(torch.arange(h * w), torch.arange(h * w))",
        "x = 2 ** (h * w)",
        "x = [[i, j] for i in range(h * t) for j in range(w * t)]",
        "x = torch.zeros(t, t, h, w)",
        "x = [torch.zeros(h, w) for _ in range(t * h)]",
        "x = torch.bincount(torch.tensor([h ** 3]))",
        "x = torch.arange(h)\n            for _ in range(12): x = torch.cat([x, x])",
    ),
    "depth": (
        "x = " + "-" * 900 + "1",
        "x = 1" + " + 1" * 900,
        "x = h" + ".real" * 900,
        "x = " + "[" * 150 + "]" * 150,
        "x = " + "abs(" * 90 + "1" + ")" * 90,
        "x = " + "1 if h else " * 300 + "2",
        "x = 1" + " < 1" * 3000,
    ),
}

ENCODER = """import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.merge = config.spatial_merge_size
        self.wide = [0] * 10 ** 9
        self.table = nn.Embedding(10 ** 4, 3)

    def fan(self, n):
        return [self.fan(n - 1) for _ in range(50)]

    def again(self):
        return self.again() + self.again()

    def alone(self, hidden, grid_thw):
        for t, h, w in grid_thw.tolist():
            {form}
        return torch.arange(3)

    def forward(self, hidden, grid_thw):
        lengths = []
        for t, h, w in grid_thw.tolist():
            lengths += [h * w] * t
            {form}
        cu_seqlens = F.pad(torch.tensor(lengths).cumsum(0), (1, 0))
        {outside}
        return self.blocks(hidden, cu_seqlens)
"""

RUNNER = """
import json, resource, sys, time
from codegen.rewrite import rewrite_library
from tests.rewrite.test_bounds import ENCODER, FORMS, source
from tests.rewrite.test_rules import DictLibrary

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": source("x = 0")}))
for form in FORMS[sys.argv[1]]:
    before, started = peak(), time.process_time()
    result = rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": source(form)}))
    left = [[r.method, r.reason, r.location] for r in result.report if r.kind == "left"]
    print(json.dumps([form, time.process_time() - started, peak() - before, left]), flush=True)
"""


def source(form: str) -> str:
    """A file with a form in a loop over images, twice, and behind it."""
    return ENCODER.format(form=form, outside=form.replace("\n            ", "\n        "))


def limit() -> None:
    """What the system allows the process of one kind."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))


@pytest.mark.parametrize("kind", FORMS)
def test_a_definition_can_neither_hang_the_tool_nor_fill_the_memory(kind: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", RUNNER, kind],
        capture_output=True,
        text=True,
        timeout=240,
        preexec_fn=limit,
        cwd=Path(__file__).resolve().parents[2],
    )
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    assert process.returncode == 0, f"after {rows[-1:]}: {process.stderr[-2000:]}"
    assert len(rows) == len(FORMS[kind])
    for form, seconds, megabytes, _ in rows:
        # Three methods hold the form.
        assert seconds < 3 * SECONDS, form
        assert megabytes < 3 * MEGABYTES, form


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("x = 2 ** 10 ** 9", "not looked at: it would take an integer of 2,000,000,000 bits"),
        ("x = [0] * 400_000_000", "not looked at: it would take 400,000,000 values at once"),
        ("x = sum(range(10 ** 8))", "not looked at: it would take 100,000,000 values at once"),
        (
            "x = torch.zeros(20_000, 20_000)",
            "not looked at: it would take 400,000,000 values at once",
        ),
        ("x = torch.bincount(torch.tensor([10 ** 10]))", "10,000,000,001 values at once"),
        (
            "for i in range(10 ** 3):\n                for j in range(10 ** 6): pass",
            "values at once",
        ),
        ("x = [0]\n            for _ in range(60): x.extend(x)", "values at once"),
        ("x = self.fan(9)", "too many steps"),
        ("x = 2 ** (h * w)", "get_vision_cu_seqlens: on larger sizes it would take an integer of"),
    ],
)
def test_what_costs_too_much_is_left_with_the_reason_and_the_place(form: str, reason: str) -> None:
    text = source(form)
    result = rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": text}))
    assert result.edits == {}
    loops = [i for i, line in enumerate(text.splitlines(), 1) if "for t, h, w" in line]
    if "larger" in reason:  # the first loop computes nothing that a helper could give
        del loops[0]
    found = {r.location.rpartition(":")[2]: r.reason for r in result.report if reason in r.reason}
    assert set(found) == {str(line) for line in loops}


@pytest.mark.parametrize(
    "form",
    ["x = " + "not " * 2_000 + "h", "x = h" + "[0]" * 2_000, "x = " + "lambda: " * 500 + "1"],
    ids=lambda form: form[:12],
)
def test_what_is_nested_too_deeply_is_left_and_nothing_fails(form: str) -> None:
    known = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)  # other tests may have left a higher one behind
    try:
        result = rewrite_library(DictLibrary({"models/tiny/modeling_tiny.py": source(form)}))
    finally:
        sys.setrecursionlimit(known)
    assert [record.reason for record in result.report if record.kind == "failed"] == []
    assert "not looked at to the end: it is nested too deeply" in {r.reason for r in result.report}
