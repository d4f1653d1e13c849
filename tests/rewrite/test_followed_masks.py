"""Where a mask of ones is asked for and how it is followed: every condition on both sides."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.capture.multiplied import (
    _is_of_other_kind,
    _kind,
    _looped,
    _parents,
    _uses,
    is_text,
    only_multiplies,
)
from codegen.rewrite.capture.ones import _asked, _classes_around
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.values import Source


def function_of(lines: str, head: str = "self, rows, mask=None") -> ast.FunctionDef:
    (found,) = ast.parse(f"def f({head}):\n    {lines}").body
    assert isinstance(found, ast.FunctionDef)
    return found


DROPPED = "kept = mask\n    if mask is not None and torch.all(mask == 1):\n        kept = None\n    return kept"


@pytest.mark.parametrize(
    ("lines", "is_asked"),
    [
        (DROPPED, True),
        (f'"""Words."""\n    {DROPPED}', True),
        (DROPPED.replace("if mask", "if flag[0] or mask"), True),
        (DROPPED.replace("mask == 1):", "mask == 1) or flag:"), True),
        (DROPPED.replace("if mask", "if flag and mask"), False),
        (DROPPED.replace("and torch", "or torch"), False),
        (DROPPED.replace("is not None", "is None"), False),
        (DROPPED.replace("== 1", "== 0"), False),
        (DROPPED.replace("all(", "any("), False),
        (DROPPED.replace("all(mask", "all(rows"), False),
        (DROPPED.replace("kept = mask", "kept = rows.mask"), False),
        (DROPPED.replace("kept = mask", "kept = other = mask"), False),
        (DROPPED.replace("kept = mask", "self.kept = mask"), False),
        (DROPPED.replace("kept = None", "kept = rows"), False),
        (DROPPED.replace("kept = None", "kept = None\n        rows = 1"), False),
        (DROPPED.replace("return kept", "return mask"), False),
        (DROPPED.replace("    return", "    else:\n        kept = 1\n    return"), False),
        (DROPPED.replace("    return", "    rows += 1\n    return"), False),
        (DROPPED.replace("    if", "    while"), False),
    ],
)
def test_where_a_mask_of_ones_is_dropped(lines: str, is_asked: bool) -> None:
    asked = _asked(function_of(lines))
    assert (asked is not None) == is_asked
    assert asked is None or ast.unparse(asked) == "torch.all(mask == 1)"


CLEARED = "if mask is not None and mask.shape[1] > 1:\n        dtype = rows.dtype\n        rows = (rows * mask[:, :, None]).to(dtype)\n    return rows"


@pytest.mark.parametrize(
    ("lines", "only"),
    [
        (CLEARED, True),
        (f'"""Words."""\n    {CLEARED}', True),
        (CLEARED.replace("mask[:, :, None]", "mask"), True),
        (CLEARED.replace(" and mask.shape[1] > 1", ""), True),
        (
            CLEARED.replace(
                " and mask.shape[1] > 1", " and mask.shape[0] > 1 and mask.shape[1] > 1"
            ),
            True,
        ),
        (CLEARED.replace(" and mask.shape", " or mask.shape"), False),
        (CLEARED.replace(" and mask.shape[1]", " and rows.shape[1]"), False),
        (CLEARED.replace("is not None", "is None"), False),
        (CLEARED.replace("rows * mask", "rows + mask"), False),
        (CLEARED.replace("rows * mask[:, :, None]", "mask[:, :, None] * rows"), False),
        (CLEARED.replace("rows * mask", "rows * other"), False),
        (CLEARED.replace(".to(dtype)", ""), False),
        (CLEARED.replace(".to(dtype)", ".to(other)"), False),
        (CLEARED.replace("dtype = rows.dtype", "dtype = mask.dtype"), False),
        (CLEARED.replace("dtype = rows.dtype", "dtype: object = rows.dtype"), False),
        (CLEARED.replace("dtype = rows.dtype", "dtype = other = rows.dtype"), False),
        (CLEARED.replace("        dtype = rows.dtype\n", ""), False),
        (CLEARED.replace("return rows", "return mask"), False),
        (CLEARED.replace("return rows", "return other"), False),
        (CLEARED.replace("return rows", "return"), False),
        (CLEARED.replace("return rows", "rows"), False),
        (CLEARED.replace("    return", "    else:\n        rows = 1\n    return"), False),
        (CLEARED.replace("    return", "    rows += 1\n    return"), False),
        (CLEARED.replace("    if", "    while", 1).replace("if mask", "while mask"), False),
    ],
)
def test_functions_that_only_multiply(lines: str, only: bool) -> None:
    assert only_multiplies(function_of(lines, "rows, mask"), "mask") == only


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (
            'for i, layer in enumerate(self.layers): a if self.config.kinds[i] == "x" else b',
            ("kinds", "x"),
        ),
        ('for i, layer in enumerate(self.layers): a if self.config.kinds[i] != "x" else b', None),
        ("for i, layer in enumerate(self.layers): a if self.config.kinds[i] == x else b", None),
        (
            'for i, layer in enumerate(self.layers): a if self.config.kinds[layer] == "x" else b',
            None,
        ),
        ('for i, layer in enumerate(self.layers): a if self.config.kinds == "x" else b', None),
        (
            'for i, layer in enumerate(self.layers): a if self.config.of.kinds[i] == "x" else b',
            None,
        ),
        (
            'for i, layer in enumerate(self.layers): a if self.config.kinds[i] == "x" == y else b',
            None,
        ),
        ("for i, layer in enumerate(self.layers): a if self.config.kinds[i] else b", None),
        ('for i, layer in zip(n, self.layers): a if self.config.kinds[i] == "x" else b', None),
        ('for i in self.layers: a if self.config.kinds[i] == "x" else b', None),
        ('for i, j in enumerate(x): pass\n    a if self.config.kinds[i] == "x" else b', None),
    ],
)
def test_choices_by_the_kind_of_a_layer(lines: str, kind: tuple[str, str] | None) -> None:
    function = function_of(lines)
    (choice,) = (n for n in ast.walk(function) if isinstance(n, ast.IfExp))
    assert _kind(function, choice.test) == kind


@pytest.mark.parametrize(
    ("head", "layers"),
    [
        ("layer in self.layers", "layers"),
        ("i, layer in enumerate(self.layers)", "layers"),
        ("layer in self.layers[:n]", "layers"),
        ("i, layer in enumerate(self.layers[:n])", "layers"),
        ("layer in self.layers[1:]", ""),
        ("layer in self.layers[::2]", ""),
        ("layer in self.layers[0]", ""),
        ("other in self.layers", ""),
        ("layer, i in enumerate(self.layers)", ""),
        ("i, layer in enumerate(self.layers, 1)", ""),
        ("i, layer in zip(self.layers)", ""),
        ("layer in layers", ""),
    ],
)
def test_loops_over_layers(head: str, layers: str) -> None:
    (loop,) = ast.parse(f"for {head}: pass").body
    assert isinstance(loop, ast.For)
    assert _looped(loop, "layer") == layers


@pytest.mark.parametrize(
    ("test", "in_body", "kind", "is_other"),
    [
        ('self.kind == "other"', True, ("kinds", "x"), True),
        ('self.kind == "x"', True, ("kinds", "x"), False),
        ('self.kind == "other"', False, ("kinds", "x"), False),
        ('self.kind == "other"', True, None, False),
        ('self.kind == "other"', True, ("names", "x"), False),
        ('self.kind != "other"', True, ("kinds", "x"), False),
        ("self.kind == other", True, ("kinds", "x"), False),
        ('self.name == "other"', True, ("kinds", "x"), False),
        ("self.kind", True, ("kinds", "x"), False),
    ],
)
def test_branches_for_layers_of_another_kind(
    test: str, in_body: bool, kind: tuple[str, str] | None, is_other: bool
) -> None:
    branch = f"if {test}:\n            {{}}\n        else:\n            {{}}"
    branch = branch.format(*(("use(mask)", "pass") if in_body else ("pass", "use(mask)")))
    text = "class A:\n    def __init__(self, config, i):\n        self.kind = config.kinds[i]\n        self.name = 1\n"
    text += f"    def forward(self, mask):\n        {branch}\n"
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    layer = ClassInfo(info, info.classes["A"])
    forward = layer.methods["forward"]
    (use,) = _uses(forward, "mask")
    assert _is_of_other_kind(layer, "i", _parents(forward), use, kind) == is_other


def test_classes_around_words() -> None:
    text = "words\nclass A:\n    words, words\n    class Inner: pass\nclass B:\n    pass\nclass C:\n    words\n"
    assert [*dict.fromkeys(_classes_around(text, "words"))] == ["", "A", "C"]


def test_texts_are_no_code() -> None:
    kinds = [is_text(node) for node in ast.parse("'words'\n1\nx\nx = 'words'\nf('words')").body]
    assert kinds == [True, True, False, False, False]
