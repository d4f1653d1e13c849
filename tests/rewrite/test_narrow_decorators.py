"""Decorators through which a further keyword does not reach a method, and those through which it does."""

from __future__ import annotations

import pytest

from codegen.rewrite.library import Index
from codegen.rewrite.place.decorators import narrow_decorator
from tests.rewrite.test_rules import DictLibrary

OPEN = "def wrap(f):\n    def inner(*args, **kwargs):\n        return f(*args, **kwargs)\n    return inner\n"
NARROW = "def wrap(f):\n    def inner(self, x):\n        return f(self, x)\n    return inner\n"
WITH = "def wrap(size):\n    def outer(f):\n        def inner({}):\n            return f(size)\n        return inner\n    return outer\n"


def narrow(head: str, decorators: str, other: str = NARROW) -> str:
    lines = "".join(f"@{name}\n" for name in decorators.split())
    files = {
        "models/tiny/modeling_tiny.py": f"{head}\n\n{lines}def forward(self, x):\n    return x\n",
        "models/tiny/helpers.py": other,
    }
    index = Index(DictLibrary(files), lambda text: "tiny" in text or "wrap" not in text)
    info = index.open("models.tiny.modeling_tiny")
    assert info is not None
    return narrow_decorator(index, info, info.functions["forward"])


@pytest.mark.parametrize(
    ("head", "decorators", "found"),
    [
        (NARROW, "", ""),
        (NARROW, "wrap", "wrap"),
        (NARROW, "wrap(3)", "wrap"),
        (NARROW, "other", ""),
        (NARROW, "other wrap", "wrap"),
        (NARROW, "a.wrap", ""),
        (OPEN, "wrap", ""),
        (NARROW.replace("wrap", "auto_docstring"), "auto_docstring", ""),  # known to pass all on
        (NARROW.replace("return f(self, x)", "return x"), "wrap", ""),  # it calls nothing
        (NARROW.replace("return f(self, x)", "return self.f(x)"), "wrap", ""),
        (NARROW.replace("def inner(self, x)", "def inner(self, x, **more)"), "wrap", ""),
        ("def wrap(f):\n    return lambda x: f(x)\n", "wrap", "wrap"),
        ("def wrap(f):\n    return lambda x, **more: f(x, **more)\n", "wrap", ""),
        ("def wrap(f):\n    return f\n", "wrap", ""),
        (WITH.format("self, x"), "wrap(1)", "wrap"),
        (WITH.format("self, **kwargs"), "wrap(1)", ""),
        (WITH.format("self, x").replace("f(size)", "size(x)"), "wrap(1)", "wrap"),
        (WITH.format("self, x").replace("f(size)", "print(x)"), "wrap(1)", ""),
        ("class wrap:\n    def __call__(self, x): pass\n", "wrap", "wrap"),
        ("class wrap:\n    def __call__(self, x, **kwargs): pass\n", "wrap", ""),
        ("class wrap:\n    def call(self, x): pass\n", "wrap", ""),
        ("from .helpers import wrap", "wrap", "wrap"),
        ("from .helpers import wrap as other", "other", "other"),
        ("from .helpers import wrap as other", "wrap", ""),
        ("from .helpers import gone", "gone", ""),
        ("from .missing import wrap", "wrap", ""),
        ("from .modeling_tiny import wrap", "wrap", ""),
        ("import wrap", "wrap", ""),
    ],
)
def test_the_decorator_that_is_narrow(head: str, decorators: str, found: str) -> None:
    assert narrow(head, decorators) == found


def test_a_class_of_another_file_can_be_a_decorator() -> None:
    other = "class wrap:\n    def __call__(self, x): pass\n"
    assert narrow("from .helpers import wrap", "wrap", other) == "wrap"
    assert narrow("from .helpers import wrap", "wrap", "wrap = 3\n") == ""
    assert narrow("from .helpers import wrap", "wrap", "def (\n") == ""
