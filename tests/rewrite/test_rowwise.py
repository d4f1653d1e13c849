"""What is taken for a function of one row each, executed in parts and at once; and what is not."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from codegen.rewrite.capture.rowwise import Rows
from codegen.rewrite.library import Index
from tests.rewrite.test_rules import DictLibrary

TEXT = """import torch
import torch.nn.functional as F
from torch import nn

ACT2FN = {"relu": torch.relu}


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, rows):
        \"\"\"Documented.\"\"\"
        opened = torch.sigmoid(self.linear(rows))
        return opened * rows


class Centred(nn.Module):
    def forward(self, rows):
        return rows - rows.mean(0)


class Guarded(nn.Module):
    def forward(self, rows):
        rows = rows * 2
        if rows.shape[0] > 1:
            rows = rows - 1
        return rows


class Silent(nn.Module):
    def forward(self, rows):
        rows = rows * 2


class Returning(nn.Module):
    def forward(self, rows):
        return


class Pair(nn.Module):
    def forward(self, rows, other):
        return rows + other


class Gathered(nn.Module):
    def forward(self, *rows):
        return rows


class Overfull(nn.Module):
    def forward(self, rows, *more):
        return rows * 2


class Optioned(nn.Module):
    def forward(self, rows, *, scale=2):
        return rows * 2


class Named(nn.Module):
    def forward(self, rows, *, scale=2):
        return rows * scale


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = Gate()

    def forward(self, rows):
        return self.gate(rows)


class Shallow(nn.Module):
    def __init__(self):
        super().__init__()
        self.centred = Centred()

    def forward(self, rows):
        return self.centred(rows)


class Encoder(nn.Module):
    def __init__(self, act="relu"):
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)
        self.convolution = nn.Conv1d(4, 4, 3, padding=1)
        self.batch_norm = nn.BatchNorm1d(6)
        self.act = ACT2FN[act]
        self.row_of = nn.Sequential(nn.Linear(6, 6), nn.GELU())
        self.row_with_norm = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6))
        self.nothing = nn.Sequential()
        self.gate = Gate()
        self.deep = Deep()
        self.shallow = Shallow()
        self.centred = Centred()
        self.guarded = Guarded()
        self.silent = Silent()
        self.returning = Returning()
        self.pair = Pair()
        self.gathered = Gathered()
        self.named = Named()
        self.overfull = Overfull()
        self.optioned = Optioned()
        self.scale = 6**-0.5
        self.shift = -2
        self.table = torch.arange(6)

    def forward(self, x, y, bias):
        return x
"""

#: x is (7, 6), y is (7, 4, 6).
KEPT = """
x | self.linear(x) | self.norm(x) | self.act(x) | self.row_of(x) | self.gate(x) | self.deep(x) | self.linear(self.norm(x))
x + x | x * 2 | 2 - x | x / self.scale | x * -self.shift | -x
F.gelu(x) | F.relu(x, inplace=False) | torch.tanh(x) | F.leaky_relu(x, 0.1) | F.elu(x, alpha=0.5)
x.relu() | x.sigmoid().neg() | x.to(torch.float64) | x.float() | x.type(torch.float64) | x.contiguous()
x.mean(1) | x.mean(1, keepdim=True) | x.sum(dim=1) | x.softmax(1) | x.amax(1) | x.cumsum(1) | x.log_softmax(dim=1)
y.transpose(1, 2) | y.transpose(2, 1) | y.flatten(1) | y.flatten(1, 2) | x.unsqueeze(1)
y.sum(2) | y.mean(2, keepdim=True) | y.flatten(start_dim=1)
"""
MIXED = """
x @ x | self.batch_norm(x) | self.centred(x) | self.shallow(x) | self.row_with_norm(x) | self.nothing(x) | self.guarded(x)
self.silent(x) | self.returning(x) | self.pair(x) | self.gathered(x) | self.named(x) | self.overfull(x) | self.optioned(x) | self.pair(x, x) | self.linear() | self.linear(rows=x)
self.linear(x, x) | self.linear(bias) | self.missing(x) | bias | x + bias | bias * x | x + self.table | x * "2"
x.mean() | x.mean(0) | x.mean(-2) | x.sum(dim=0) | x.softmax(0) | x.cumsum(0) | x.amax(dim=-2) | x.mean((0, 1)) | x.mean(True)
x.mean(keepdim=True) | x.sum(bias) | y.transpose(0, 1) | y.transpose(1, 0) | y.transpose(1) | y.flatten() | y.flatten(0) | y.flatten(0, 1) | y.flatten(1, 2, 3)
x.unsqueeze(0) | x.squeeze(0) | x.squeeze() | x.unsqueeze(1, 1) | x.flip(0) | x.t() | x.sort() | x.roll(1) | x[0] | x[:1]
F.softmax(x, dim=0) | F.gelu() | F.elu(x, x) | torch.abs(bias) | torch.cat([x, x]) | F.elu(x, alpha=x) | x.elu(x) | x.to(x) | bias.relu()
unknown(x) | len(x) | x if bias else x | [x] | F.normalize(x, dim=0)
"""


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", " | ").split(" | ") if part.strip()]


def make_rows(batched: bool = False) -> Rows:
    index = Index(DictLibrary({"models/tiny/modeling_tiny.py": TEXT}), lambda _: True)
    found = index.resolve("models.tiny.modeling_tiny", "Encoder")
    assert found is not None
    return Rows(index, found, found.methods["forward"], batched)


def problem(expression: str, batched: bool = False) -> str:
    return make_rows(batched).problem(ast.parse(expression, mode="eval").body, frozenset("xy"))


@pytest.fixture(scope="module")
def encoder() -> nn.Module:
    namespace: dict[str, Any] = {}
    exec(compile(TEXT, "tiny", "exec"), namespace)
    torch.manual_seed(0)
    return namespace["Encoder"]().eval()  # type: ignore[no-any-return]


@pytest.mark.parametrize("expression", listed(KEPT))
def test_what_keeps_rows_apart_gives_the_same_in_parts(expression: str, encoder: nn.Module) -> None:
    assert problem(expression) == ""
    x, y = torch.randn(7, 6), torch.randn(7, 4, 6)

    def value(some: slice) -> torch.Tensor:
        names = {"self": encoder, "x": x[some], "y": y[some], "torch": torch, "F": F}
        return eval(expression, names)  # type: ignore[no-any-return]

    parts = torch.cat([value(slice(0, 3)), value(slice(3, 6)), value(slice(6, 7))])
    torch.testing.assert_close(parts, value(slice(None)))


@pytest.mark.parametrize("expression", listed(MIXED))
def test_anything_else_is_not_known_to(expression: str) -> None:
    assert problem(expression).endswith(("is not known to keep rows apart", "not made of the rows"))


def test_convolutions_keep_entries_of_a_batch_apart_and_no_rows(encoder: nn.Module) -> None:
    assert problem("self.convolution(y)", batched=True) == ""
    assert problem("self.convolution(y)") == "self.convolution is not known to keep rows apart"
    y = torch.randn(7, 4, 6)
    convolution: Any = encoder.convolution
    parts = torch.cat([convolution(part) for part in y.split(3)])
    torch.testing.assert_close(parts, convolution(y))


@pytest.mark.parametrize(
    "body, names, expected",
    [
        ("z = x * 2\nw = z + x", {"x", "y", "z", "w"}, ""),
        ("'said'\nz = x", {"x", "y", "z"}, ""),
        ("z = x.mean(0)\nw = x", {"x", "y"}, "x.mean(0) is not known"),
        ("z = x\nz[0] = 1\nw = x", {"x", "y", "z"}, "z[0] = 1 is not known"),
        ("z += x", {"x", "y"}, "z += x is not known"),
        ("z, w = x, y", {"x", "y"}, "is not known"),
        ("print(x)", {"x", "y"}, "print(x) is not known"),
        ("if x:\n    z = x", {"x", "y"}, "if x:     z = x is not known"),
    ],
)
def test_statements_are_followed_as_far_as_they_are_known(
    body: str, names: set[str], expected: str
) -> None:
    known, problem = make_rows().through(ast.parse(body).body, frozenset("xy"))
    assert known == names
    assert expected in problem and bool(problem) == bool(expected)
