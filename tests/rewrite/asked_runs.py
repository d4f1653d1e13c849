"""Small programs that the interpreter of the passes is asked about, as lines like those of :mod:`tests.rewrite.asked`.

Each is the body of a method of ``(self, rows, x, n, ids)`` of a module with fields, tables and parts: ``rows`` are
hidden rows, ``x`` a tensor, ``n`` a number, ``ids`` tokens. What is told of a run is its value and what it noted.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.codes import CodeInterpreter
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.sourcing import SourceInterpreter
from codegen.rewrite.probe.telling import TokenInterpreter
from codegen.rewrite.probe.trace import Trace
from codegen.rewrite.probe.values import Arr
from tests.rewrite.asked import Asked
from tests.rewrite.asked_answers import said
from tests.rewrite.test_interpreter import FUNCTIONS, PROGRAMS, UNKNOWN_ARGUMENTS
from tests.rewrite.test_rules import DictLibrary

MODULE = "models.tiny.modeling_tiny"
#: In front of the method.
CLASS = f"""
import itertools
from itertools import groupby

import torch
import torch.nn as nn
import torch.nn.functional as F

{FUNCTIONS}

class Part(nn.Module):
    def __init__(self, config, size, scale=2):
        super().__init__()
        self.size = size
        self.scale = scale
        self.proj = nn.Linear(size, size)

    def forward(self, rows, by=1):
        return rows * (self.scale * by)

    def sized(self, rows):
        return self.size, rows.shape[0], self.config.hidden_size


class Rotary(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / 100 ** (torch.arange(0, dim, 2) / dim))

    def forward(self, length):
        return torch.outer(torch.arange(length), self.inv_freq)


class Tiny(nn.Module):
    def __init__(self, config, side=None):
        super().__init__()
        self.config = config
        self.merge = config.spatial_merge_size
        self.unit = self.merge * self.merge
        self.pair = (config.patch_size, config.temporal_patch_size)
        self.side = int(config.num_position_embeddings ** 0.5)
        self.reset = 3
        self.later: int = 4
        if side:
            self.maybe = 5
        self.table = nn.Embedding(config.num_position_embeddings, 3)
        self.rotary = Rotary(4)
        self.part = Part(config, config.hidden_size)
        self.other = Part(config, size=7, scale=3)
        self.layer = nn.Linear(3, 3)
        self.point = nn.Conv2d(3, 3, kernel_size=1)
        self.plain = nn.Conv2d(3, 3, (1, 1), bias=False)
        self.wide = nn.Conv2d(3, 3, 2)
        self.strided = nn.Conv2d(3, 3, 1, stride=2)

    def change(self):
        self.reset = 4

    def twice(self, y, k=2):
        return y * k

    def scaled(self, y, *, by=3, plus):
        return y * by, plus

    def named(self, y, **others):
        return y
"""
#: Beside those that the tests of the interpreter run.
MORE = """
self.merge | self.unit + n | self.pair | self.pair[0] | self.side | self.reset | self.later | self.maybe | self.gone
self.config.spatial_merge_size | self.config.vision_config.patch_size | self.config.tokens_per_second | self.config.dtype
self.table.weight | self.table(x) | self.table(x[:2] - 1) | self.table(rows) | self.table.weight[x[0]] | self.part(rows)
self.part(x) | self.other(x) | self.other(x, 2) | self.other(x, by=3) | self.other.size | self.part.size | self.part.sized(x)
self.layer(rows) | self.layer(x) | self.twice(x) | self.twice(n, 3) | self.twice(y=n, k=4) | self.twice(*[n]) | self.rotary(5)
self.rotary(n)[x[0]] | self.rotary(3)[x[:, :2] % 3].flatten(1) | self.rotary.inv_freq | torch.outer(x[0], self.rotary.inv_freq)
rows.split([4, 6]) | rows.split([4, 6], dim=0)[1] | rows.split([1, 2], dim=-1)[0] | rows.split([1, 2], -1) | rows.split([1, 2], 1)[1]
rows.split([4, 6], dim=-1)[0] | rows.split([4, 6], dim=-3)[0] | rows.split([4, 6], -2)[0]
rows.T.split([4, 6])[1] | rows.T.split([4, 6], -2)[1] | rows.T.split([4, 6], dim=1)[0] | rows.T.split([4, 6], -1)[1] | rows.T.split([1, 2]) | rows.split(5) | rows.split([4, 6], dim=2)
rows.split([4, 6], 0, 1) | rows.split([4, 6], other=0) | rows.split(x[0].tolist()) | rows.shape | rows.shape[0] | rows.device
rows.dtype | x.dtype | x.device | n.device | x.is_cuda | x.shape | len(rows) | rows[:2] | rows[x[0] % 10] | rows + 1 | rows * rows
[1, 2, 3].index(2) | [1, 2, 1].index(1, 1) | [1, 2].index(3) | [1, 2].index(1, 1) | [1, 2].index(1, -1) | [1, n].index(n) | [1].index()
ids.tolist().index(151) | ids.tolist().index(151, 4) | ids.tolist().index(9) | (ids == self.config.image_token_id).sum() | ids[0]
(ids == 151).nonzero() | torch.argwhere(ids == 151) | torch.where(ids == 151) | torch.where(ids == 151)[0] | ids.unique() | [1, 2].count(1)
next(iter([1, 2])) | list(iter([1, 2])) | next(iter([])) | next([1]) | sum(iter([1, 2])) | max(iter([1, 2])) | iter(rows) | iter(n)
[(k, list(v)) for k, v in groupby([1, 1, 2])] | [(k, len(list(v))) for k, v in itertools.groupby(ids.tolist(), lambda i: i > 150)]
[k for k, _ in groupby([1, 1, 2], key=lambda i: i % 2)] | groupby([1], lambda a, b: a) | groupby([1], twice) | groupby(rows) | groupby()
{"a": 1}["a"] | {"a": n, 2: x}[2] | {"a": 1}["b"] | {n: 1} | lambda i: i | (lambda i: i + n)(2) | [*x[0]] | x[0].tolist()[-1] | -x[0] | not x[0, 0]
x[0].cumsum(0) | x.sum(-1) | x.any() | x.all(0) | x[0, 0] + True | 3 ** 40 | 2 ** 62 | 2 ** 63 | torch.tensor(2 ** 63 - 1) | torch.tensor([2 ** 63])
torch.tensor(-(2 ** 63)) | torch.tensor([-(2 ** 63) - 1]) | 1 // 0 | 1 % 0 | [1, 2][5] | x[5] | x[:, 9] | x.view(5) | x.reshape(-1, 5) | abs(-n)
n if n > 3 else rows | rows if rows.sum() > 0 else n | n and rows | rows and n | n or rows | 0 or rows | not rows | rows is None | rows in [1]
isinstance(n, int) | isinstance(rows, torch.Tensor) | isinstance(x, list) | hasattr(self, "merge") | getattr(self, "merge") | getattr(self, "gone", 3)
torch.jit.is_tracing() | torch.compiler.is_compiling() | F.interpolate(self.table.weight[None], size=(2, 2)) | F.pad(rows, (0, 1)) | nn.Linear(2, 3)
f"{n} and {x.shape[0]:>3}" | "a" + "b" | "a" * n | "ab"[0] | "a" in "ab" | "ab".split("a") | str(n) | print(n) | range(n)[1] | list(range(n, 0, -1))
self.scaled(n) | self.scaled(n, by=2) | self.scaled(n, 2) | self.scaled(n, other=2) | self.named(n, other=2) | self.named(n, 2)
self.twice(n, k=2) | self.twice(n, y=2) | self.twice(n, 2, 3) | torch.where(ids > 150, n) | torch.zeros(2) | torch.zeros(mystery(n)) | x.where(ids)
F.pad(ids, (0, 2), mode="replicate") | F.pad(ids, (0, n), mode="replicate") | F.pad(x, (1, 2), mode="replicate") | F.pad(x, (0, -1), mode="replicate")
F.pad(ids, (0, 0), mode="replicate") | F.pad(x, (0, 1, 2), mode="replicate") | F.pad(x[:, :0], (0, 1), mode="replicate") | F.pad(x, (0, 1), mode="reflect")
self.config.image_token_id | self.config.image_start_token_id | self.config.image_end_token_id | self.config.start | torch.sum(self.merge, self.pair)
F.normalize(x) | F.normalize(x, p=2, dim=-1) | F.normalize(x, dim=0) | F.normalize(x, p=1) | F.normalize(x - x) | F.normalize(mystery(x))
torch.einsum("ij,kj->ik", x, x + 1) | torch.einsum("i...,i->i", x, x) | torch.einsum("ij->i", x) | torch.einsum(n, x, x) | torch.argmin(x) | Out()
torch.argmin(-x, dim=1) | torch.argmin(-x, dim=0) | self.point(x[None, :, None]) | self.plain(x[None, :, None]) | self.wide(x[None, :, None])
self.strided(x[None, :, None]) | self.point(x) | self.point(x[None, :, None], n) | Out(first=n) | Out(first=n).first | Out(first=n).other | Out(n)
Out(n, first=n) | out(first=n) | fill(t=x) | self.config.text_config.size | self.config.text_config | self.config.configs | self.table.bias
sorted([3, 1, 2]) | sorted(x[0].tolist(), reverse=True) | list(map(abs, [1, -2])) | list(zip([1], x[0])) | set([1, 1]) | len({1, 2}) | divmod(7, 2)
round(2.5) | round(n / 2) | math.ceil(2.5) | int(n / 2) | float("1") | bool(n) | min(n, rows) | sum(rows) | sum([rows, 1]) | all([]) | any([n, rows])
"""
BODIES = (
    "for i in range(n):\n    if i > 2:\n        break\n    n = n - 1\nreturn n, i",
    "while n > 2:\n    n = n - 1\nelse:\n    x = x + n\nreturn n, x",
    "while n:\n    n = n - 1\n    if n == 3:\n        continue\n    if n == 2:\n        break\nreturn n",
    "found = []\nfor row in rows.split([4, 6]):\n    found.append(row.shape[0])\nreturn found",
    "def inner():\n    return n + 1\nreturn inner()",
    "def inner():\n    yield 1\n    yield n\nreturn list(inner())",
    "def inner(a):\n    return a\nreturn inner(n)",
    "def inner():\n    yield\nreturn [i for i in inner()]",
    "def inner():\n    nonlocal n\n    n = 2\ninner()\nreturn n",
    "parts = iter(x[0].tolist())\nreturn next(parts), next(parts), list(parts)",
    "for k, g in groupby(ids.tolist()):\n    n = n + k * len(list(g))\nreturn n",
    "a = [3]\na.append(n)\na.extend([1, 2])\na.insert(1, 9)\na += [4]\nreturn a, len(a), a[1:3]",
    "a = [3, 1]\na.sort()\nreturn a",
    "a = [3, 1]\nb = a.pop()\nreturn a, b",
    "a = [[1]]\na[0].append(2)\na[0][0] = 5\nreturn a",
    "a, *b = [1, 2, 3]\nreturn a, b",
    "(a, b), c = (1, 2), 3\nreturn a + b * c",
    "a = b = [n]\nb.append(1)\nreturn a",
    "a: int = n\na -= 1\na *= 3\na //= 2\na %= 4\nreturn a",
    "y = x.clone()\ny[1:, 0] = 7\ny[y > 9] = 0\ny[:, 1] += 2\nreturn y, x",
    "y = x[1]\ny.add_(5)\ny.clamp_(max=9)\ny.fill_(n)\nreturn x",
    "y = x.new_zeros(3)\ny[x[0, :2]] = 1\ny.copy_(x[0, :3])\ny.zero_()\nreturn y",
    "rows[0] = 1\nreturn x",
    "rows = rows[:4]\nreturn rows",
    "self.kept = n\nreturn self.kept",
    "self.merge = 9\nreturn self.merge + self.unit",
    "if rows.sum() > 1:\n    n = 1\nelse:\n    n = 2\nreturn n",
    "if rows is None:\n    n = 1\nelif n > 4:\n    n = 2\nreturn n",
    "try:\n    n = 1\nexcept ValueError:\n    n = 2\nfinally:\n    x = x + 1\nreturn n, x",
    "with torch.no_grad():\n    n = 3\nreturn n",
    "assert n > 4, 'small'\nreturn n",
    "assert n > 9\nreturn n",
    "if n > 4:\n    raise ValueError('large')\nreturn n",
    "if n > 9:\n    raise ValueError('large')\nreturn n",
    "del x\nreturn n",
    "import math\nreturn math.ceil(n / 2)",
    "global LIMIT\nreturn n",
    "y = mystery(n)\nz = n + 1\nreturn z",
    "y = mystery(x)\nreturn y + 1",
    "for y in mystery(x):\n    n = y\nreturn n",
    "for i, (a, b) in enumerate(zip(x[0], x[1])):\n    n = n + i * (a - b)\nreturn n",
    "for t, h, w in x[:, :3].tolist():\n    n = n + t * h * w\nreturn n",
    "y = [a for a in x[0] if a > 1]\nz = {a: b for a, b in [(1, 2)]}\nreturn y, len(z)",
    "y = [a + b for a in range(3) for b in range(a) if b]\nreturn y, sum(y)",
    "w = x if (y := n) > 3 else 0\nreturn y",
    "pos = self.rotary(n)\nout = pos[x[:, :2] % 5].flatten(1)\nreturn torch.cat((out, out), dim=-1)",
    "pos = torch.arange(n)\nfreqs = pos[:, None] * self.rotary.inv_freq[None, :]\nreturn freqs.cos()",
    "ids = x[0] % 3\nreturn self.table(ids) + self.table.weight[ids]",
    "out = []\nfor m, row in zip([2, 1], rows.split([4, 6])):\n    out.append(row.reshape(-1, m * 3))\nreturn out",
    "parts = torch.split(rows, x[0, :3].tolist())\nreturn len(parts)",
    "lengths = torch.repeat_interleave(x[:, 1], x[:, 0])\nreturn F.pad(lengths.cumsum(0), (1, 0), value=0)",
    "return self.part.sized(self.twice(x))",
    "return n\nn = 3",
    "pass",
)


#: What is made of a tensor of 32 bits, and asked how many it has.
NARROW = """
y + 1 | 1 - y | y * n | y // 2 | y % 2 | -y | y + x | y + x[0, 0] | y + y[0, 0] | y[0, 0] + x[0, 0] | y[0, 0] + 1 | y / 2 | y > 1 | y[0, 0] | y[:, 1]
torch.where(y > 1, y, y) | torch.where(y > 1, y, 0) | torch.where(y > 1, y, x) | torch.where(y > 1, x, y[0, 0]) | torch.where(x > 1, 1, 0) | abs(y)
torch.where(y[0, 0] > 1, y, y) | torch.minimum(y, y) | torch.maximum(y, x) | y.clamp(max=3) | y.sum() | y.sum(0) | y.cumsum(0) | y.prod() | y.max()
torch.cat([y, y]) | torch.cat([y, x]) | torch.stack([y, y]) | torch.repeat_interleave(y[0], y[0]) | torch.repeat_interleave(y[0], 2) | y.repeat(2, 1)
F.pad(y, (1, 0)) | y.flatten() | torch.arange(n, dtype=torch.int32) | torch.arange(n) | torch.full((2,), n) | torch.zeros_like(y) | y.new_zeros(2)
torch.div(y, 2, rounding_mode="floor") | torch.ceil(y / 2) | torch.floor_divide(y, 2) | y.argsort() | y.unique() | y.long() | y.float() | y.bool()
"""


def bodies() -> Iterator[str]:
    """All programs."""
    for expression in filter(str.strip, NARROW.replace("\n", " | ").split(" | ")):
        yield f"y = x.to(torch.int32)\nreturn ({expression.strip()}).dtype"
    for expression in MORE.replace("\n", " | ").split(" | "):
        if expression.strip():
            yield f"return {expression.strip()}"
    yield from (f"return {expression}" for expression in UNKNOWN_ARGUMENTS)
    yield from PROGRAMS.values()
    yield from BODIES


@cache
def _tiny() -> tuple[Index, ClassInfo]:
    index = Index(DictLibrary({f"{MODULE.replace('.', '/')}.py": CLASS}), lambda _: True)
    cls = index.resolve(MODULE, "Tiny")
    assert cls is not None
    return index, cls


def method(body: str) -> ast.FunctionDef:
    """A program as a method that the class might have."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    (function,) = ast.parse(f"def run(self, rows, x, n, ids):\n{lines}").body
    assert isinstance(function, ast.FunctionDef)
    return function


def interpreted(body: str) -> Any:
    """What a run of a program comes by."""
    return _told(body, Interpreter, 0)


def of_tokens(body: str) -> Any:
    """The same where it counts positions of tokens, with the other set of configuration fields."""
    return _told(body, TokenInterpreter, 1)


def of_sources(body: str) -> Any:
    """The same where it counts positions of prompts with source images."""
    return _told(body, SourceInterpreter, 0)


def of_codes(body: str) -> Any:
    """The same where rows of images become codes."""
    return _told(body, CodeInterpreter, 0)


def _told(body: str, kind: type[Interpreter], variant: int) -> str:
    index, cls = _tiny()
    tokens = [7, 3, 154, 151, 151, 155, 153, 9]
    values = {"x": Arr(np.arange(12).reshape(3, 4)), "n": 5, "ids": Arr(np.array(tokens))}
    meter = Meter(steps=20_000, size=1 << 20)
    interpreter = kind(index, variant, 10, meter)
    trace = interpreter.run(cls, method(body), cls, values)
    kept = interpreter.written if isinstance(interpreter, SourceInterpreter) else {}
    written = [f"keeps {name}: {value_in_words(value)}" for name, value in kept.items()]
    return "; ".join([value_in_words(trace.result), *_noted(trace), *written])


def value_in_words(value: Any) -> str:
    """A value of a run."""
    if isinstance(value, Arr):
        late = "late " if value.late else ""
        numbers = np.round(value.data.astype(float), 2).tolist()
        return f"{late}{value.data.dtype.kind}{numbers}".replace(".0,", ",").replace(".0]", "]")
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(value_in_words, value))})"
    return said(value, 2)


def _noted(trace: Trace) -> Iterator[str]:
    for text, number in trace.scalars.items():
        yield f"{text} is {number}"
    for (_, node), seen in trace.outcomes.items():
        yield f"{ast.unparse(node)} {' and '.join(map(str, sorted(seen)))}"
    for call, entered in trace.calls.items():
        yield f"calls {ast.unparse(call)}: {sorted(f.name for f in entered)}"
    for node, text in trace.lookups:
        yield f"looks up {ast.unparse(node)} of {text}"
    for kind, error, _ in (why.partition("Error: ") for why in trace.reasons.values()):
        yield f"not known: {kind}{error}"
    yield from (f"ends: {why}" for why in (trace.cost, trace.refused) if why)
    if trace.unknown:
        yield f"unknown {sorted(trace.unknown)}"
    if trace.embeddings:
        yield f"tables {sorted(trace.embeddings)}"


def asked_runs() -> dict[str, Asked]:
    """The interpreters as functions that are asked."""
    functions: tuple[Callable[..., Any], ...] = (interpreted, of_tokens, of_sources, of_codes)
    return {
        f"runs.{function.__name__}": Asked(f"runs.{function.__name__}", function, {"body": "str"})
        for function in functions
    }
