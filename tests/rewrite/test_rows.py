"""Which values have the rows of an input, and how an encoder names their number."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.library import Index
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.place.replacements import new_lines, ordered_rows, replaced_effect, superseded
from codegen.rewrite.place.rows import reaches, rows_are_lost, rows_expression
from codegen.rewrite.recognise.grids import Match
from codegen.rewrite.values import Source
from codegen.rewrite.vision_helpers import BLOCK_ORDER, CU_SEQLENS, TEMPORAL_PAIRS
from tests.rewrite.test_rules import DictLibrary


def method(text: str) -> ast.FunctionDef:
    """The only function of a text, with torch's names as the passes read them."""
    tree = ModuleInfo.parse(Source("tiny.py", "tiny", text)).tree
    (found,) = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return found


def given(lines: str, value: str) -> bool:
    """Whether a value has the rows of ``x`` behind some lines, where it is handed to the layers."""
    body = "\n    ".join([*filter(None, lines.split("; ")), f"self.layer(cu_seqlens, {value})"])
    function = method(f"def forward(self, x, z, cu_seqlens):\n    {body}")
    calls = [n for n in ast.walk(function) if isinstance(n, ast.Call)]
    last = max(calls, key=lambda call: call.lineno)
    (layer,) = (n for n in calls if ast.unparse(n.func) == "self.layer" and n.lineno == last.lineno)
    return reaches(function, "x", None, [layer])


#: Lines, and the value behind them.
KEPT = """
 -> x
 -> z, x
 -> other=x
 -> x + z
 -> z + x
 -> 2 * x
 -> x.to(z.device)
 -> x.float().contiguous()
 -> self.norm(x)
 -> self.norm(z, x)
 -> self.norm(self.act(x))
y = x -> y
y = x; x = z -> y
n = x.shape[0]; y = z.view(n, -1) -> y
n = x.size(0); y = z.reshape(n, 4) -> y
n = len(x); y = z.view(n, -1) -> y
n = len(x); m = n; y = z.view(m, -1) -> y
n, m = x.shape; y = z.view(n, m) -> y
n, m = x.size(); y = z.view(n, m) -> y
y = z.view(len(x), -1) -> y
for i in range(3): x = self.block(x) -> x
"""
LOST = """
 -> z
 -> z + z
 -> x[1:]
 -> x.flip(0)
 -> x.sum(0)
 -> norm(x)
 -> self.norm(z)
 -> z.to(x)
 -> x.reshape()
x = z -> x
x = z -> z + x
y = z; y = x.mean(1) -> y
x, y = self.both(x) -> x
n = x.shape[1]; y = z.view(n, -1) -> y
n = x.shape[-1]; y = z.view(n, -1) -> y
n = x.size(1); y = z.view(n, -1) -> y
n = x.strides[0]; y = z.view(n, -1) -> y
n = x.numel(0); y = z.view(n, -1) -> y
n = x.shape(0); y = z.view(n, -1) -> y
n = z.shape[0]; y = z.view(n, -1) -> y
n = len(z); y = z.view(n, -1) -> y
n = sum(x); y = z.view(n, -1) -> y
n = abs(x); y = z.view(n, -1) -> y
n = len(x, 1); y = z.view(n, -1) -> y
n = x.shape[0]; n = 4; y = z.view(n, -1) -> y
n = x.shape[0]; n, m = 4, 5; y = z.view(n, -1) -> y
n = x.shape[0]; y = z.view(-1, n) -> y
n = x.shape[0]; y = z.expand(n, -1) -> y
n, m = x.shape; y = z.view(m, n) -> y
n, m = x.size(0); y = z.view(n, m) -> y
n, m = z.shape; y = z.view(n, m) -> y
self.n, m = x.shape; y = z.view(m, -1) -> y
x, m = x.shape; y = z.view(m, -1) -> x
for x in z: pass -> x
with self.open() as x: pass -> x
print(x := z) -> x
y = [x for x in z] -> x
"""


def cases(table: str) -> list[list[str]]:
    return [line.strip().rpartition("-> ")[::2] for line in table.strip("\n").split("\n")]  # type: ignore[misc]


@pytest.mark.parametrize(("lines", "value"), cases(KEPT))
def test_rows_are_followed(lines: str, value: str) -> None:
    assert given(lines.strip(), value)


@pytest.mark.parametrize(("lines", "value"), cases(LOST))
def test_rows_are_not_guessed(lines: str, value: str) -> None:
    assert not given(lines.strip(), value)


def test_the_first_call_with_boundaries_decides() -> None:
    text = "def forward(self, x, z, cu_seqlens):\n    self.layer({}, cu_seqlens)\n    self.layer({}, cu_seqlens)"
    for first, second in (("x", "z"), ("z", "x")):
        function = method(text.format(first, second))
        assert rows_are_lost(function) == (first == "z")


ENCODERS = """
class Inner:
    def forward(self, tokens, bounds):
        return self.layer(tokens, cu_seqlens=bounds)


class Batched:
    def forward(self, tokens, cu_seqlens):
        batch, size, width = tokens.shape
        return self.layer(tokens, cu_seqlens)


class Sized:
    def forward(self, tokens, cu_seqlens):
        size, width = tokens.shape
        return self.layer(tokens, cu_seqlens)


class Encoder:
    def __init__(self):
        self.inner = Inner()
        self.batched = Batched()
        self.sized = Sized()

    def forward(self, pixels, rows, cu_seqlens):
        {}
"""


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("return self.layer(pixels, cu_seqlens)", "pixels.shape[0]"),
        ("return self.layer(pixels, cu_seqlens=None)", "pixels.shape[0]"),
        ("return self.layer(rows, cu_seqlens)", ""),
        ("return self.layer(pixels, bounds)", ""),
        ("return torch.stack([pixels, cu_seqlens])", ""),
        ("return get_vision_cu_seqlens(pixels, cu_seqlens)", ""),
        ("return self.inner(rows, cu_seqlens)", "rows.shape[0]"),
        ("return self.inner(bounds=cu_seqlens, tokens=rows)", "rows.shape[0]"),
        ("self.other(pixels, cu_seqlens); return self.inner(rows, cu_seqlens)", "rows.shape[0]"),
        ("return self.sized(pixels, cu_seqlens)", "pixels.shape[0]"),
        ("return self.batched(pixels, cu_seqlens)", ""),
        ("pixels = self.norm(pixels); return self.batched(pixels, cu_seqlens)", ""),
        ("return self.layer(pixels.unsqueeze(0), cu_seqlens)", ""),
        ("pixels = pixels + rows.squeeze(0); return self.layer(pixels, cu_seqlens)", ""),
    ],
)
def test_the_number_of_rows_is_written_with_a_parameter(body: str, rows: str) -> None:
    text = ENCODERS.format("\n        ".join(body.split("; ")))
    index = Index(DictLibrary({"models/tiny/modeling_tiny.py": text}), lambda _: True)
    cls = index.resolve("models.tiny.modeling_tiny", "Encoder")
    assert cls is not None
    assert rows_expression(index, cls, cls.methods["forward"]) == rows


def order(names: tuple[str, ...] = ("order",), statement: int = 0) -> Match:
    return Match(statement, BLOCK_ORDER, names, ("grid_thw", "2"))


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("return rows[order]", "rows.shape[0]"),
        ("return rows[0, order]", "rows.shape[0]"),
        ("return self.norm(rows)[order]", "rows.shape[0]"),
        ("return rows[order] + rows[order]", "rows.shape[0]"),
        ("return rows[order] + more[order]", ""),
        ("return rows[other]", ""),
        ("return rows", ""),
        ("return local[order]", ""),
        ("return self[order]", ""),
        ("rows = more; return rows[order]", ""),
        ("return (rows + more)[order]", ""),
    ],
)
def test_rows_in_an_order_are_counted_where_they_are_a_parameter(body: str, rows: str) -> None:
    lines = "\n    ".join(["order = None", *body.split("; ")])
    function = method(f"def forward(self, rows, more, grid_thw):\n    {lines}")
    assert ordered_rows(order(), function) == rows


def test_rows_in_another_order_are_not_counted() -> None:
    function = method(
        "def forward(self, rows, grid_thw):\n    order = None\n    return rows[order]"
    )
    other = Match(0, TEMPORAL_PAIRS, ("order",), ("grid_thw",))
    assert ordered_rows(other, function) == ""
    before = method("def forward(self, rows, grid_thw):\n    rows[order]\n    order = None")
    assert ordered_rows(order(statement=1), before) == ""


@pytest.mark.parametrize(
    ("value", "device"),
    [
        ("found.to(rows.device)", "rows.device"),
        ("found.to(rows.device, copy=True)", ""),
        ("found.to(rows.device, 1)", ""),
        ("found.to()", ""),
        ("found.to(rows.dtype)", ""),
        ("found.to(rows.a)", ""),
        ("found.to(device)", ""),
        ("found.to(self.rows.device)", ""),
        ("found.zz(rows.device)", ""),
        ("found.a(rows.device)", ""),
        ("to(rows.device)", ""),
        ("found", ""),
    ],
)
def test_a_device_is_kept_where_it_was_asked_for(value: str, device: str) -> None:
    function = method(f"def forward(self, rows, grid_thw):\n    first, second = {value}")
    match = Match(0, TEMPORAL_PAIRS, ("first", "second"), ("grid_thw", "merge"))
    call = f"one, second = {TEMPORAL_PAIRS.name}(grid_thw, merge)"
    moved = [f"{name} = {name}.to({device})" for name in ("one", "second")] if device else []
    assert new_lines(match, function, function.body[0], {"first": "one"}) == [call, *moved]
    kept = Match(0, CU_SEQLENS, ("first",), ("grid_thw",))
    plain = [f"first = {CU_SEQLENS.name}(grid_thw)"]
    assert new_lines(kept, function, function.body[0], {}) == plain


def test_the_effect_of_a_helper_is_what_it_reads_and_leaves() -> None:
    effect = replaced_effect(Match(0, CU_SEQLENS, ("", "b"), ("grid.sizes", "self.merge")))
    assert effect.changes == {"b"} and {*effect.uses} == {"grid", "self"}


def test_statements_that_only_go_on_with_a_result_are_superfluous() -> None:
    effects = [
        replaced_effect(Match(0, CU_SEQLENS, names, ()))
        for names in (("a", "b"), ("a",), ("a", "c"), ("",), ("b",), ("a",))
    ]
    assert superseded(effects, [Match(0, CU_SEQLENS, ("a", "b"), (), last=4)]) == {1, 4}
    assert superseded(effects, [Match(0, CU_SEQLENS, ("a", "", "b"), ())]) == frozenset()
