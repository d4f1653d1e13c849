"""What a caller does about results that the methods it calls could be given, and when it leaves them to these."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from codegen.rewrite.helpers import CU_SEQLENS
from codegen.rewrite.place.carry import CallSite, HelperCall, carry, is_direct, unwritable, wants_of
from codegen.rewrite.reach import Reaching, spot_of
from tests.rewrite.test_reach import function_of

TARGET = "def inner(self, grid, unit=2, *, cu_seqlens=None, more=0): pass"
FACT = HelperCall(CU_SEQLENS, ("grid", "self.unit"))
OWN = "cu_seqlens = get_vision_cu_seqlens(x, self.unit)"


def sites_of(function: ast.FunctionDef) -> list[CallSite]:
    target: Any = ast.parse(TARGET).body[0]
    calls = [n for n in ast.walk(function) if isinstance(n, ast.Call)]
    inner = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "inner"]
    nothing: Any = None
    found = []
    for call in sorted(inner, key=lambda c: (c.lineno, c.col_offset)):
        spot = spot_of(function, call)
        assert spot is not None and isinstance(call.func, ast.Attribute)
        this = ast.unparse(call.func.value)
        found.append(CallSite(nothing, function, call, spot, target, this))
    return found


def outcome(body: str, fact: HelperCall = FACT) -> str:
    """What is done about the results, in words: arguments, what holds of them, lines of the guards."""
    function = function_of(body)
    reaching, sites = Reaching(function), sites_of(function)
    wants = [want for site in sites for want in wants_of(site, reaching, [fact])]
    if not wants:
        return f"nothing: {'; '.join(filter(None, (unwritable(site, fact) for site in sites)))}"
    own = next((n for n in function.body if ast.unparse(n) == OWN), None)
    assert own is None or isinstance(own, ast.Assign)
    computed = None if own is None else HelperCall(CU_SEQLENS, ("x", "self.unit"), own)
    found = carry(function, reaching, wants, computed)
    if isinstance(found, str):
        return found
    if found.call is computed:
        return f"handed on to {len(found.wants)}"
    kept = ["portable"] * found.call.portable + ["eager"] * found.call.eager
    lines = [spot.statement.lineno for spot in found.guards]
    said = f"{', '.join(found.call.arguments)}: {' and '.join(kept) or 'neither'}"
    return f"{said}, guards at {lines}, for {len(found.wants)}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("self.inner(x)", "x, self.unit: portable and eager, guards at [2], for 1"),
        ("self.inner(grid=x)", "x, self.unit: portable and eager, guards at [2], for 1"),
        ("y.a.inner(x)", "x, y.a.unit: portable and eager, guards at [2], for 1"),
        ("self.inner(x.to(y))", "x.to(y), self.unit: portable and eager, guards at [2], for 1"),
        # the caller has no words for it
        ("self.inner(*x)", "nothing: is called with expanded arguments"),
        ("self.inner(x, 2, 3)", "nothing: is called with expanded arguments"),
        ("self.inner(f(x))", "nothing: is called with f(x)"),
        ("self.inner()", "nothing: "),
        ("self.inner(x, cu_seqlens=y)", "nothing: "),
        ("self.inner(f(x), cu_seqlens=y)", "nothing: "),
        ("self.inner(x, **given_inputs(cu_seqlens=y))", "nothing: "),
        ("self.inner(x, **given_inputs(other=y))", "x, self.unit: portable and eager, guards at [2], for 1"),
        ("self.unit = 1\nself.inner(x)", "nothing: "),
        ("self.inner(x, self.unit)\nself.other = 1", "x, self.unit: portable and eager, guards at [2], for 1"),
        # it means something else where the method is entered
        ("x = y\nself.inner(x)", "x, self.unit: eager, guards at [3], for 1"),
        ("if y:\n    x = y\nself.inner(x)", "x, self.unit: eager, guards at [4], for 1"),
        # not in any case
        ("if y:\n    self.inner(x)", "x, self.unit: portable, guards at [3], for 1"),
        ("y or self.inner(x)", "x, self.unit: portable, guards at [], for 1"),
        ("if y:\n    return x\nself.inner(x)", "x, self.unit: portable, guards at [4], for 1"),
        ("assert y\nself.inner(x)", "x, self.unit: portable, guards at [3], for 1"),
        ("while y:\n    self.inner(x)", "x, self.unit: portable, guards at [3], for 1"),
        # several calls
        ("self.inner(x)\nself.inner(x)", "x, self.unit: portable and eager, guards at [2], for 2"),
        ("if y:\n    self.inner(x)\nself.inner(x)", "x, self.unit: portable and eager, guards at [3, 4], for 2"),
        ("self.inner(x)\nif y:\n    self.inner(x)", "x, self.unit: portable and eager, guards at [2], for 2"),
        ("if y:\n    self.inner(x)\nelse:\n    self.inner(x)", "x, self.unit: portable, guards at [3, 5], for 2"),
        ("self.inner(x)\nself.inner(y)", "is called for different inputs"),
        ("self.inner(x)\nx = y\nself.inner(x)", "is called for different inputs"),
        ("self.inner(x)\nself.inner(x, cu_seqlens=y)", "x, self.unit: portable and eager, guards at [2], for 1"),
        # the name of the result is taken
        ("cu_seqlens = y\nself.inner(x)", "has another use for cu_seqlens"),
        ("self.inner(x)\ncu_seqlens = y", "x, self.unit: portable and eager, guards at [2], for 1"),
        ("self.inner(x)\ncu_seqlens = y\nself.inner(x)", "has another use for cu_seqlens"),
        # loops
        ("for i in y:\n    self.inner(x)", "x, self.unit: portable, guards at [3], for 1"),
        ("for i in y:\n    self.inner(i)", "is called in a loop for inputs that change in it"),
        ("for i in y:\n    x = i\n    self.inner(x)", "is called in a loop for inputs that change in it"),
        ("for i in y:\n    self.inner(x)\nx = y", "x, self.unit: portable, guards at [3], for 1"),
        ("x = y\nfor i in y:\n    self.inner(x)", "x, self.unit: neither, guards at [4], for 1"),
        ("for i in y:\n    for x in i:\n        use(x)\n    self.inner(x)", "is called in a loop for inputs that change in it"),
        # computed by the caller itself
        (f"{OWN}\nself.inner(x)", "handed on to 1"),
        (f"{OWN}\nself.inner(x)\nself.inner(x)", "handed on to 2"),
        (f"{OWN}\nif y:\n    self.inner(x)", "handed on to 1"),
        (f"{OWN}\nself.inner(y)", "is called for other inputs than the ones whose results are computed here"),
        (f"{OWN}\nx = y\nself.inner(x)", "is called for other inputs than the ones whose results are computed here"),
        (f"x = y\n{OWN}\nself.inner(x)", "handed on to 1"),
        (f"self.inner(x)\n{OWN}", "is called for other inputs than the ones whose results are computed here"),
        (f"{OWN}\nif y:\n    cu_seqlens = y\nself.inner(x)", "is called for other inputs than the ones whose results are computed here"),
        (f"{OWN}\ny.inner(x)", "is called for other inputs than the ones whose results are computed here"),
    ],
)  # fmt: skip
def test_what_a_caller_does_about_results(body: str, expected: str) -> None:
    assert outcome(body) == expected


@pytest.mark.parametrize(
    ("body", "is_portable", "is_eager", "expected"),
    [
        ("self.inner(x)", False, True, "nothing: "),
        ("self.inner(f(x))", False, True, "nothing: "),
        ("self.inner(x)", True, False, "x, self.unit: portable, guards at [], for 1"),
        ("self.inner(x)\nself.inner(x)", True, False, "x, self.unit: portable, guards at [], for 2"),
    ],
)  # fmt: skip
def test_what_a_called_method_says_of_its_results(
    body: str, is_portable: bool, is_eager: bool, expected: str
) -> None:
    fact = HelperCall(CU_SEQLENS, ("grid", "self.unit"), None, is_portable, is_eager)
    assert outcome(body, fact) == expected


@pytest.mark.parametrize(
    ("head", "body", "is_so"),
    [
        ("self, x", f"{OWN}", True),
        ("self, x, cu_seqlens=None", f"{OWN}", True),
        ("self, x", f"cu_seqlens = x\n{OWN}", False),
        ("self, x, cu_seqlens=None", f"if x:\n    cu_seqlens = x\n{OWN}", False),
        ("self, x", f"if x:\n    cu_seqlens = x\n{OWN}", False),
        ("self, x", f"other = x\n{OWN}", True),
    ],
)
def test_a_parameter_named_like_a_result(head: str, body: str, is_so: bool) -> None:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    (function,) = ast.parse(f"def f({head}):\n{lines}").body
    assert isinstance(function, ast.FunctionDef)
    assert is_direct(Reaching(function), function.body[-1], ("cu_seqlens",)) == is_so
