"""Flow analysis: which definitions reach a statement, and where expressions are evaluated."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.reach import ENTRY, UNBOUND, Reaching, may_leave_before, spot_of

HEAD = "def f(self, x, y=None):\n"


def function_of(body: str) -> ast.FunctionDef:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    (function,) = ast.parse(HEAD + lines).body
    assert isinstance(function, ast.FunctionDef)
    return function


def call_of(function: ast.FunctionDef, name: str = "use") -> ast.Call:
    return next(
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    )


DEFINITIONS = {
    "use(x)": {"entry"},
    "x = 1\nuse(x)": {2},
    "if y:\n    x = 1\nuse(x)": {"entry", 3},
    "if y:\n    x = 1\nelse:\n    x = 2\nuse(x)": {3, 5},
    "if y:\n    x = 1\n    return x\nuse(x)": {"entry"},
    "if y:\n    raise ValueError\nelse:\n    x = 2\nuse(x)": {5},
    "for x in y:\n    use(x)": {2},
    "for i in y:\n    use(x)\n    x = i": {"entry", 4},
    "for i in y:\n    x = i\n    break\nelse:\n    x = 0\nuse(x)": {3, 6},
    "for i in y:\n    if i:\n        continue\n    x = i\nuse(x)": {"entry", 5},
    "while y:\n    x = 1\nuse(x)": {"entry", 3},
    "try:\n    x = 1\nexcept ValueError:\n    use(x)": {"entry", 2},
    "try:\n    x = 1\nexcept ValueError:\n    x = 2\nuse(x)": {3, 5},
    "try:\n    x = 1\nfinally:\n    use(x)": {"entry", 2, 3},
    "with y as x:\n    use(x)": {2},
    "x[0] = 1\nuse(x)": {2},
    "x.clamp_(1)\nuse(x)": {2},
    "x.clamp(1)\nuse(x)": {"entry"},
    "x += 1\nuse(x)": {2},
    "(x := 1)\nuse(x)": {2},
    "import x\nuse(x)": {2},
    "def x(): pass\nuse(x)": {2},
    "match y:\n    case x:\n        use(x)": {2},
    "def g():\n    nonlocal x\n    x = 1\nuse(x)": {2},
}


@pytest.mark.parametrize("body", DEFINITIONS)
def test_definitions_that_reach(body: str) -> None:
    function = function_of(body)
    spot = spot_of(function, call_of(function))
    assert spot is not None
    lines = {id(node): node.lineno for node in ast.walk(function) if hasattr(node, "lineno")}
    found = Reaching(function).definitions(spot.statement, "x")
    assert {"entry" if item == ENTRY else lines[item] for item in found} == DEFINITIONS[body]


def test_a_name_that_is_bound_on_some_paths_only() -> None:
    function = function_of("if y:\n    z = 1\nuse(z)")
    found = Reaching(function).definitions(function.body[-1], "z")
    assert UNBOUND in found and len(found) == 2
    assert Reaching(function).definitions(function.body[0], "z") == frozenset()


SPOTS = {
    "use(x)": True,
    "y = use(x) + 1": True,
    "if use(x):\n    pass": True,
    "for i in use(x):\n    pass": True,
    "with use(x):\n    pass": True,
    "if y:\n    use(x)": True,
    "use(x) if y else x": False,
    "y if use(x) else x": True,
    "y and use(x)": False,
    "use(x) and y": True,
    "y < x < use(x)": False,
    "[use(x) for i in y]": False,
    "lambda: use(x)": False,
    "while use(x):\n    pass": False,
    "if y:\n    pass\nelif use(x):\n    pass": False,
}


@pytest.mark.parametrize("body", SPOTS)
def test_whether_a_call_is_made_whenever_its_statement_runs(body: str) -> None:
    function = function_of(body)
    spot = spot_of(function, call_of(function))
    assert spot is not None and spot.always == SPOTS[body]


def test_a_call_in_a_nested_function_has_no_spot() -> None:
    function = function_of("def g():\n    use(x)")
    assert spot_of(function, call_of(function)) is None


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        ("first(x)\nuse(x)", True),
        ("use(x)\nfirst(x)", False),
        ("first(x)\nif y:\n    use(x)", True),
        ("if y:\n    first(x)\nuse(x)", False),
        ("if y:\n    first(x)\nelse:\n    use(x)", False),
        ("if y:\n    first(x)\n    use(x)", True),
        ("try:\n    first(x)\nexcept ValueError:\n    use(x)", False),
        ("use(first(x))", True),
    ],
)
def test_what_has_run_before(body: str, follows: bool) -> None:
    function = function_of(body)
    first, last = (spot_of(function, call_of(function, name)) for name in ("first", "use"))
    assert first is not None and last is not None
    assert last.follows(first) == follows


@pytest.mark.parametrize(
    ("body", "leaves"),
    [
        ("y = 1\nuse(x)", False),
        ("if y:\n    return x\nuse(x)", True),
        ("assert y\nuse(x)", True),
        ("for i in y:\n    raise ValueError\nuse(x)", True),
        ("def g():\n    return 1\nuse(x)", False),
    ],
)
def test_whether_a_function_may_leave_earlier(body: str, leaves: bool) -> None:
    function = function_of(body)
    assert may_leave_before(function, function.body[-1]) == leaves
