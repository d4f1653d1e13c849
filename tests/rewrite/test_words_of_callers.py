"""Arguments in the words of a caller, what is read on the host, and what code needs elsewhere: condition by condition."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.capture.reads import (
    _found,
    _of_sizes,
    _own,
    _read_in,
    _takes_sizes,
    _traced,
    _tracing,
    _values,
)
from codegen.rewrite.capture.repeats import _boundaries, _is_list, _joined_repeats
from codegen.rewrite.place.bindings import (
    bound_arguments,
    carried,
    given_names,
    is_pure,
    names_in,
    own_attributes,
    stored_attributes,
)
from codegen.rewrite.place.calls import bind_arguments
from codegen.rewrite.tokens.names import bare, free_names
from codegen.rewrite.vocabulary import DEFAULT
from codegen.text.lines import LineMap


def function_of(text: str) -> ast.FunctionDef:
    (found,) = ast.parse(text).body
    assert isinstance(found, ast.FunctionDef)
    return found


def expression_of(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def call_of(text: str) -> ast.Call:
    call = expression_of(text)
    assert isinstance(call, ast.Call)
    return call


@pytest.mark.parametrize(
    ("call", "bound"),
    [
        ("f(x, y)", {"a": "x", "b": "y"}),
        ("f(x, k=y)", {"a": "x", "k": "y"}),
        ("f(b=x, a=y)", {"a": "y", "b": "x"}),
        ("f(x, other=y, **more)", {"a": "x"}),
        ("f(x, self=y)", {"a": "x"}),
        ("f()", {}),
        ("f(*x)", None),
        ("f(x, *y)", None),
        ("f(x, y, z)", None),
    ],
)
def test_what_a_call_gives_for_parameters(call: str, bound: dict[str, str] | None) -> None:
    function = function_of("def f(self, a, /, b, *, k): pass")
    found = bound_arguments(call_of(call), function)
    assert (None if found is None else {n: ast.unparse(v) for n, v in found.items()}) == bound
    if bound is not None and "other" not in call and "self" not in call:
        assert bind_arguments(call_of(call), function, LineMap(call)) == bound


def test_keywords_that_are_expanded_count_as_given() -> None:
    call = call_of("f(x, a=1, **given_inputs(b=2, c=3), **others(d=4), **more)")
    assert given_names(call) == {"a", "b", "c"}
    assert given_names(call_of("f(**given_inputs(**x))")) == frozenset()


@pytest.mark.parametrize(
    ("argument", "this", "written"),
    [
        ("a", "self.part", "x.grid"),
        ("a[:, 0]", "self.part", "x.grid[:, 0]"),
        ("self.unit", "self.part", "self.part.unit"),
        ("self.unit", "self", "self.unit"),
        ("int(a)", "self", "int(x.grid)"),
        ("2", "self", "2"),
        ("b.prod()", "self", None),
        ("c", "self", None),
        ("a + c", "self", None),
        ("a.item()", "self", None),
        ("f(a)", "self", None),
    ],
)
def test_arguments_in_the_words_of_a_caller(argument: str, this: str, written: str | None) -> None:
    bound = {"a": expression_of("x.grid"), "b": expression_of("make()")}
    assert carried(argument, bound, this) == written


@pytest.mark.parametrize(
    ("text", "pure"),
    [
        ("x", True),
        ("x.y[0, 1:]", True),
        ("-x + 2", True),
        ("x.to(y)", True),
        ("x.prod(dim=1)", True),
        ("int(x)", True),
        ("float(x)", False),
        ("x.tolist()", False),
        ("x.add_(1)", False),
        ("x if y else z", False),
        ("[y for y in x]", False),
        ("x.to(y.item())", False),
        ("lambda: x", False),
        ("x == y", False),
    ],
)
def test_what_can_be_evaluated_once_more(text: str, pure: bool) -> None:
    assert is_pure(expression_of(text)) == pure


def test_names_and_attributes_of_arguments() -> None:
    arguments = ("a + self.b.c", "int(d[e])", "f.self")
    assert names_in(arguments) == {"a", "d", "e", "f"}
    assert own_attributes(arguments) == {"b"}
    function = function_of(
        "def f(self):\n    self.a = self.b\n    self.c.d = 1\n    x.e = 1\n    self.g[0] += 1\n    self.h += 1"
    )
    assert {"a", "h"} <= stored_attributes(function) and not {"b", "e"} & stored_attributes(
        function
    )


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("torch.cat([x[i, 0].repeat(n[i]) for i in range(3)])", True),
        ("torch.concat([x[i, 0].repeat(n[i]) for i in range(3)])", True),
        ("torch.cat(x[i, 0].repeat(n[i]) for i in range(3))", True),
        ("torch.stack([x[i, 0].repeat(n[i]) for i in range(3)])", False),
        ("torch.cat([x[i, 0].expand(n[i]) for i in range(3)])", False),
        ("torch.cat([x[i, 0].repeat(n) for i in range(3)])", False),
        ("torch.cat([x.repeat(n[i]) for i in range(3)])", False),
        ("torch.cat([x[i, 0].repeat() for i in range(3)])", False),
        ("torch.cat([repeat(n[i]) for i in range(3)])", False),
        ("torch.cat([x[i, 0] for i in range(3)])", False),
        ("torch.cat(parts)", False),
        ("torch.cat()", False),
        ("parts", False),
    ],
)
def test_values_that_are_repeated_and_joined(text: str, made: bool) -> None:
    assert (_joined_repeats(expression_of(text)) is not None) == made


@pytest.mark.parametrize(
    ("lines", "lengths", "boundaries", "is_list"),
    [
        ("n = cu[1:] - cu[:-1]", "n", "cu", False),
        ("n = (cu[1:] - cu[:-1]).tolist()", "n", "cu", True),
        ("n = cu[1:]", "n", "", False),
        ("n = cu[1:] - cu[:-1]\n    n = other", "n", "", False),
        ("n = cu[1:] - cu[:-1]\n    n = n.tolist()", "n", "", True),
        ("pass", "cu[1:] - cu[:-1]", "cu", False),
        ("pass", "(cu[1:] - cu[:-1]).tolist()", "cu", True),
        ("pass", "n", "", False),
        ("n: object = cu[1:] - cu[:-1]", "n", "", False),
    ],
)
def test_lengths_that_a_caller_hands_over(
    lines: str, lengths: str, boundaries: str, is_list: bool
) -> None:
    caller = function_of(f"def f(self, cu):\n    {lines}")
    assert _boundaries(caller, lengths) == boundaries
    assert _is_list(caller, lengths) == is_list


@pytest.mark.parametrize(
    ("test", "found"),
    [
        ("is_tracing()", True),
        ("torch.compiler.is_compiling()", True),
        ("not is_tracing()", False),
        ("not not is_tracing()", True),
        ("x", None),
        ("not x", None),
        ("tracing()", None),
        ("is_tracing", None),
        ("is_tracing() or x", True),
        ("x or not is_tracing()", None),
        ("x and not is_tracing()", False),
        ("is_tracing() and x", None),
        ("is_tracing() and self.config.x", True),
        ("is_tracing() and self.config.x and y", None),
        ("self.config.x and y", None),
        ("is_tracing() and is_tracing()", True),
    ],
)
def test_what_a_test_is_while_tracing(test: str, found: bool | None) -> None:
    node = expression_of(test)
    assert _tracing(node) is found


TRACED = """
def f():
    a
    if is_tracing():
        b
    else:
        c
    if not is_tracing():
        d
    elif x:
        e
    for i in x:
        g
    else:
        h
    try:
        j
    except E:
        k
    finally:
        l
    def inner():
        m
    while x:
        if is_tracing():
            continue
        n
    if is_tracing():
        return o
    p
"""


def test_statements_that_a_graph_runs() -> None:
    (function,) = ast.parse(TRACED).body
    assert isinstance(function, ast.FunctionDef)
    found = [s.value for s in _traced(function.body) if isinstance(s, (ast.Expr, ast.Return))]
    assert "".join(ast.unparse(value) for value in found if value is not None) == "abeghjklo"


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("x = y + z", ["x", "y + z"]),
        ("if x: y", ["x"]),
        ("with x as y: z", ["x"]),
        ("assert x, y", []),
        ("def g(a=b): c", []),
        ("class A(b): c", []),
        ("return x", ["x"]),
        ("a = b = c", ["a", "b", "c"]),
    ],
)
def test_expressions_of_a_statement_itself(line: str, parts: list[str]) -> None:
    (statement,) = ast.parse(line).body
    assert [ast.unparse(part) for part in _own(statement)] == parts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("grid.tolist()", ["grid.tolist()"]),
        ("x.item() + y.numpy()", ["x.item()", "y.numpy()"]),
        ("int(grid[0])", ["int(grid[0])"]),
        ("int(x)", []),
        ("bool(len(grid))", []),
        ("float(grid.shape[0])", []),
        ("float(grid.sum())", ["float(grid.sum())"]),
        ("str(grid)", []),
        ("x.tolist() if is_tracing() else y.item()", ["x.tolist()"]),
        ("x.tolist() if not is_tracing() else y.item()", ["y.item()"]),
        ("x.tolist() if z else y.item()", ["x.tolist()", "y.item()"]),
        ("[t for t in grid]", ["grid"]),
        ("[t for t in x]", []),
        ("[t for i, t in enumerate(grid)]", ["grid"]),
        ("[t for i, t in zip(x, grid)]", ["grid"]),
        ("[t for t in sorted(reversed(grid))]", ["grid"]),
        ("[t for t in f(grid)]", []),
        ("grid.tolist", []),
        ("[t for t in grid[1:]]", ["grid[1:]"]),
        ("[t for t in grid[1:] - grid[:-1]]", ["grid[1:] - grid[:-1]"]),
        ("[t for t in -grid]", ["-grid"]),
        ("[t for t in x[grid]]", []),
        ("[t for t in range(len(grid) - 1)]", ["range(len(grid) - 1)"]),
        ("[t for t in range(1, grid.shape[0])]", ["range(1, grid.shape[0])"]),
        ("[t for t in range(grid.size(0))]", ["range(grid.size(0))"]),
        ("[t for t in range(grid.shape[1])]", []),
        ("[t for t in range(grid.size(1))]", []),
        ("[t for t in range(x.shape[0])]", []),
        ("[t for t in range(len(x))]", []),
        ("[t for t in range(count)]", ["range(count)"]),
        ("[t for t in range(grid[0])]", ["range(grid[0])"]),
        ("[t for t in f(len(grid))]", []),
        ("x[grid[0] : grid[1]]", []),
        ("[t for t in grid.diff()]", ["grid.diff()"]),
        ("[t for t in torch.diff(grid)]", ["torch.diff(grid)"]),
        ("[t for t in torch.split(x, grid)]", []),
        ("[t for t in self.of(grid)]", []),
        ("[t for t in itertools.pairwise(grid)]", ["grid"]),
        ("list(map(f, grid[1:], x))", ["grid[1:]"]),
        ("map(grid, x)", []),
        ("[t for t in torch.arange(len(grid))]", ["torch.arange(len(grid))"]),
        ("[t for t in range(grid.numel() - 1)]", ["range(grid.numel() - 1)"]),
        ("[t for t in range(grid.shape[-1])]", ["range(grid.shape[-1])"]),
    ],
)
def test_numbers_that_are_read_on_the_host(text: str, found: list[str]) -> None:
    assert [
        ast.unparse(node) for node, _ in _found(expression_of(text), {"grid"}, {"count"})
    ] == found


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("grid", True),
        ("grid[0]", True),
        ("f(grid)", True),
        ("x", False),
        ("grid.shape", False),
        ("grid.size(0)", False),
        ("len(grid)", False),
        ("isinstance(grid, list)", False),
        ("len(x) + grid", True),
        ("grid.T", True),
    ],
)
def test_values_of_sizes(text: str, is_so: bool) -> None:
    assert _values(expression_of(text), {"grid"}) == is_so


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("grid * 2", True),
        ("self.own(grid)", True),
        ("self.own(grid, y=grid)", True),
        ("self.own(rows)", False),
        ("self.own(grid, y=rows)", False),
        ("self.module(grid)", False),
        ("f(rows)", True),
        ("self.own(self.unit)", True),
    ],
)
def test_results_that_can_be_sizes_again(text: str, is_so: bool) -> None:
    assert _of_sizes(expression_of(text), {"grid"}, frozenset({"own"})) == is_so


@pytest.mark.parametrize(
    ("head", "is_so"),
    [
        ("self, rows, grid_thw", True),
        ("self, rows, cu_seqlens", True),
        ("self, rows", False),
        ("self, input_ids, grid_thw", False),
        ("self, inputs_embeds, grid_thw", False),
    ],
)
def test_methods_that_take_sizes(head: str, is_so: bool) -> None:
    assert _takes_sizes(DEFAULT, function_of(f"def f({head}): pass")) == is_so


@pytest.mark.parametrize(
    ("head", "lines", "found"),
    [
        ("grid_thw", "x = grid_thw.tolist()", ["grid_thw.tolist()"]),
        ("grid_thw", "a = grid_thw * 2\n    b = int(a)", ["int(a)"]),
        ("grid_thw", "a = self.layer(grid_thw)\n    b = int(a)", []),
        ("grid_thw: list", "b = int(grid_thw)", []),
        ("grid_thw: torch.Tensor", "b = int(grid_thw)", ["int(grid_thw)"]),
        ("grid_thw", "for t in grid_thw: pass", ["grid_thw"]),
        ("grid_thw", "x = grid_thw.item() + grid_thw.tolist()", ["grid_thw.item()"]),
        ("grid_thw", "if grid_thw.sum():\n        a = grid_thw\n    b = int(a)", ["int(a)"]),
        ("rows", "b = int(rows)", []),
        ("grid_thw", "n = len(grid_thw) - 1\n    for i in range(n): pass", ["range(n)"]),
        ("grid_thw", "n = rows.shape[0]\n    for i in range(n): pass", []),
        ("grid_thw", "i = 0\n    while i < len(grid_thw): i += 1", ["i < len(grid_thw)"]),
        ("grid_thw", "i = 0\n    while i < 3: i += 1", []),
        ("grid_thw", "n, _ = grid_thw.shape\n    for i in range(n): pass", ["range(n)"]),
        ("grid_thw", "_ = grid_thw\n    n, _ = rows.shape\n    int(n)", []),
    ],
)
def test_the_first_read_of_each_statement(head: str, lines: str, found: list[str]) -> None:
    function = function_of(f"def f(self, {head}):\n    {lines}")
    assert [ast.unparse(r.node) for r in _read_in(DEFAULT, function, frozenset())] == found


@pytest.mark.parametrize(
    ("lines", "value", "names"),
    [
        ("", "a + b + a", ["a", "b"]),
        ("a = 1", "a + b", ["b"]),
        ("a = c", "a + b", ["c", "b"]),
        ("a += 1", "a", ["a"]),
        ("a = 1\na += b", "a", ["b"]),
        ("a = a + 1", "a", ["a"]),
        ("for i in x: y = i", "y", ["x"]),
        ("if c:\n    d = e\n    f = d", "f", ["c", "e"]),
        ("", "[i for i in x]", ["x"]),
        ("x = y = z", "x + y", ["z"]),
        ("(p, q) = r", "p + q", ["r"]),
        ("x[i] = v", "x", ["x", "i", "v"]),
    ],
)
def test_names_that_are_read_before_they_are_given(
    lines: str, value: str, names: list[str]
) -> None:
    assert sorted(free_names(ast.parse(lines).body, expression_of(value))) == sorted(names)


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("iter(x)", "x"),
        ("iter()", "iter()"),
        ("next(x)", "next(x)"),
        ("x.iter(y)", "x.iter(y)"),
        ("x", "x"),
    ],
)
def test_what_an_iterator_goes_through(text: str, inner: str) -> None:
    assert ast.unparse(bare(expression_of(text))) == inner
