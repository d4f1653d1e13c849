"""Small questions that rules ask of code, each condition of them on both of its sides."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite import Settings
from codegen.rewrite.aliases import spelled
from codegen.rewrite.capture.multiplied import _attribute
from codegen.rewrite.emit.edits import AddKeywords
from codegen.rewrite.functions import defaults_of
from codegen.rewrite.helper_entry import Result
from codegen.rewrite.input_types import _entry
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import only, target_of, target_text
from codegen.rewrite.place.helper_calls import helper_call, rows_given
from codegen.rewrite.place.longest import submodule
from codegen.rewrite.place.rows import _is_unpacked
from codegen.rewrite.recognise.positions import _refusals
from codegen.rewrite.recognise.study import rows_of_three
from codegen.rewrite.registry import helper_files
from codegen.rewrite.tokens.natives import _made_by
from codegen.rewrite.tokens.scopes import Native
from codegen.rewrite.tokens.terms import term
from codegen.rewrite.tokens.whole import _FEATURES, features
from codegen.rewrite.values import Source
from codegen.rewrite.vision_helpers import CU_SEQLENS, ROTARY_POS_IDS
from codegen.rewrite.vocabulary import DEFAULT
from tests.rewrite.test_emit import calls, written
from tests.rewrite.test_rules import DictLibrary


def function_of(text: str) -> ast.FunctionDef:
    (found,) = ast.parse(text).body
    assert isinstance(found, ast.FunctionDef)
    return found


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("a = 1", "a"),
        ("a, b = f()", "(a, b)"),
        ("a = b = 1", ""),
        ("a: int = 1", ""),
        ("a += 1", ""),
    ],
)
def test_what_a_plain_assignment_binds(line: str, target: str) -> None:
    (node,) = ast.parse(line).body
    assert target_text(node) == target
    assert (target_of(node) is None) == (not target)


def test_the_only_one_of_several() -> None:
    assert [only(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        None,
        "a",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("head", "defaults"),
    [
        ("self, a, b=1", {"b": "1"}),
        ("self, a, /, b, c=2, *, d, e=None", {"c": "2", "e": "None"}),
        ("self, a=0, /, b=1", {"a": "0", "b": "1"}),
        ("self, *rest, **others", {}),
    ],
)
def test_what_parameters_are_where_nothing_is_given(head: str, defaults: dict[str, str]) -> None:
    found = defaults_of(function_of(f"def f({head}): pass"))
    assert {name: ast.unparse(value) for name, value in found.items()} == defaults


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("Layer(config)", "Layer"),
        ("nn.ModuleList([Layer(config) for _ in range(3)])", "Layer"),
        ("nn.ModuleList(Layer(config) for _ in range(3))", "Layer"),
        ("ModuleList([Layer(config) for _ in range(3)])", "Layer"),
        ("nn.ModuleList([Layer(config), Layer(config)])", None),
        ("nn.ModuleList([config.layer() for _ in range(3)])", None),
        ("nn.ModuleList([layer for layer in layers])", None),
        ("nn.ModuleList([Layer(config) for _ in range(3)], other)", None),
        ("nn.ModuleList()", None),
        ("nn.Sequential([Layer(config) for _ in range(3)])", None),
        ("layers", None),
        ("[Layer(config) for _ in range(3)]", None),
    ],
)
def test_the_class_of_all_layers_of_a_list(made: str, found: str | None) -> None:
    text = "from torch import nn\nfrom torch.nn import ModuleList\n\n\nclass Layer(nn.Module):\n    pass\n\n\n"
    text += f"class Tiny(nn.Module):\n    def __init__(self, config, layers):\n        self.layers = {made}\n"
    index = Index(DictLibrary({"models/tiny/modeling_tiny.py": text}), lambda _: True)
    cls = index.resolve("models.tiny.modeling_tiny", "Tiny")
    assert cls is not None
    layer = submodule(index, cls, "layers")
    assert (layer.name if layer is not None else None) == found
    assert submodule(index, cls, "others") is None


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ("", ""),
        ("total=while_tracing(rows)", "rows"),
        ("total=while_tracing(x.shape[0])", "x.shape[0]"),
        ("total=others(rows)", None),
        ("total=while_tracing(rows, 1)", None),
        ("total=while_tracing()", None),
        ("total=rows", None),
        ("other=while_tracing(rows)", None),
        ("total=while_tracing(rows), other=1", None),
        ("**others", None),
    ],
)
def test_rows_that_a_helper_is_told(given: str, rows: str | None) -> None:
    (statement,) = ast.parse(f"rotary_pos_ids = {ROTARY_POS_IDS.name}(grid_thw, {given})").body
    assert isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
    for keyword in statement.value.keywords:
        keyword.arg = ROTARY_POS_IDS.total if keyword.arg == "total" else keyword.arg
    assert rows_given(statement.value, ROTARY_POS_IDS) == rows
    call = helper_call(statement)
    assert (call is None) == (rows is None)
    assert call is None or (call.rows, call.arguments) == (rows, ("grid_thw",))


@pytest.mark.parametrize(
    ("line", "is_call"),
    [
        ("cu_seqlens = {}(grid)", True),
        ("cu_seqlens = other = {}(grid)", False),
        ("lengths = {}(grid)", False),
        ("self.cu_seqlens = {}(grid)", False),
        ("cu_seqlens, other = {}(grid)", False),
        ("cu_seqlens = helpers.{}(grid)", False),
        ("cu_seqlens = {}", False),
        ("cu_seqlens: object = {}(grid)", False),
        ("{}(grid)", False),
    ],
)
def test_which_statement_computes_what_a_parameter_can_stand_for(line: str, is_call: bool) -> None:
    (statement,) = ast.parse(line.format(CU_SEQLENS.name)).body
    assert (helper_call(statement) is not None) == is_call


@pytest.mark.parametrize(
    ("body", "name", "is_replaced"),
    [
        ("self.layer = other", "layer", True),
        ("self.layer = other", "other", False),
        ("self.layer, x = other", "layer", True),
        ("use(self.layer)", "layer", False),
        ("setattr(self, 'layer', other)", "other", False),
    ],
)
def test_which_attributes_methods_put_something_else_in(
    body: str, name: str, is_replaced: bool
) -> None:
    text = f"class Tiny:\n    def swap(self, other):\n        {body}\n"
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    assert ClassInfo(info, info.classes["Tiny"]).replaces(name) == is_replaced


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("for t, h, w in grid: pass", {"grid"}),
        ("for t, h, w in grid.tolist(): pass", {"grid"}),
        ("for t, h in grid: pass", set()),
        ("for t, h, w, d in grid: pass", set()),
        ("for t in grid: pass", set()),
        ("for t, h, w in other.grid: pass", set()),
        ("x = grid[:, 0] * grid[:, 1] * grid[:, 2]", {"grid"}),
        ("x = grid[:, 0] * grid[:, 1]", set()),
        ("x = grid[:, 0] * grid[:, 1] * grid[:, 2] * grid[:, 3]", set()),
        ("x = grid[0, 0] * grid[0, 1] * grid[0, 2]", set()),
        ("x = grid[:, 0, 0] * grid[:, 1, 0] * grid[:, 2, 0]", set()),
        ("x = grid[:, a] * grid[:, 'b'] * grid[:, 2]", set()),
        ("for t, h, w in grid:\n        x = rows[:, 0]", {"grid"}),
    ],
)
def test_rows_that_are_used_as_three_numbers(lines: str, names: set[str]) -> None:
    assert rows_of_three(function_of(f"def f(grid, rows):\n    {lines}")) == names


@pytest.mark.parametrize(
    ("line", "is_unpacked"),
    [
        ("a, b, c = x.shape", True),
        ("a, b, c, d = x.size()", True),
        ("a, b, c = kept = x.shape", True),
        ("kept = a, b, c = x.shape", True),
        ("a, b = x.shape", False),
        ("a = x.shape", False),
        ("a, b, c = y.shape", False),
        ("a, b, c = x.size(0)", False),
        ("use(x.shape)", False),
    ],
)
def test_sizes_that_get_names(line: str, is_unpacked: bool) -> None:
    assert _is_unpacked(function_of(f"def f(x, y):\n    {line}"), "x") == is_unpacked


@pytest.mark.parametrize("number", [0, 1])
def test_of_two_names_the_file_writes_that_of_torch_itself(number: int) -> None:
    names = [("th", "torch"), ("torch", "torch")]
    assert spelled(dict(names[:: 1 - 2 * number]), "torch.Tensor") == "torch.Tensor"
    assert spelled({"nn": "torch.nn", "modules": "torch.nn"}, "torch.nn.Module") == "nn.Module"
    assert spelled({"modules": "torch.nn", "nn": "torch.nn"}, "torch.nn.Module") == "nn.Module"


def test_what_is_longer_than_a_line_is_not_cut_in_a_word() -> None:
    word = "word_of_a_hundred_letters_" * 5
    assert word in _entry("image", Result("indices", "(rows,)", "int64", word))


def test_only_functions_stand_for_themselves() -> None:
    assert Native("len").stands_for == "len"
    assert Native("append", []).stands_for == ""


def test_what_features_are_made_of() -> None:
    data, other = term("data"), term("other")
    made = term("native", "x")
    assert features(made, [data, "pt"], {}) is None
    called = term("x")
    called.digest = _FEATURES
    kinds = {
        features(called, [data], {}): (data, None),
        features(called, [data, "pt"], {}): (data, "pt"),
        features(called, [], {"data": data, "tensor_type": "pt"}): (data, "pt"),
        features(called, [other], {"tensor_type": "np"}): (other, "np"),
    }
    for found, (held, kind) in kinds.items():
        assert found is not None
        assert found.digest == term("features", {"**0": held}, kind).digest


def test_what_is_made_of_several_items_is_as_long() -> None:
    items = term("items")
    items.length = 3
    assert _made_by("process", [items], {}).length == 3
    assert _made_by("process", [], {}).length is None
    assert _made_by("process", ["x", items], {}).length is None
    assert _made_by("call", ["x", items], {}).length == 3
    assert _made_by("call", [items], {}).length == 3
    assert _made_by("call", ["x", [1, 2]], {}).length == 2
    assert _made_by("call", ["x", [1, 2]], {"more": 1}).length is None


def test_refusals_at_the_beginning_stay() -> None:
    text = 'def f(self, x):\n    """Words."""\n    if x is None:\n        raise ValueError("x")\n    assert x\n'
    text += "    y = 1\n    if y:\n        raise ValueError('y')\n"
    function = function_of(text)
    assert [node.lineno for node in _refusals(function)] == [3, 5]
    assert _refusals(function_of("def f(self, x):\n    y = x\n    assert x\n")) == []


def test_a_helper_brings_the_modules_that_it_needs() -> None:
    files = {
        file.path.rpartition("/")[2]: file.text
        for file in helper_files(Settings(), [CU_SEQLENS.name])
    }
    assert "__init__.py" in files and len(files) > 2
    assert any(f"def {CU_SEQLENS.name}(" in text for text in files.values())
    assert helper_files(Settings(), []) == ()


@pytest.mark.parametrize("missing", ["split(", "tolist()", "[1:] - "])
def test_a_file_is_looked_at_for_all_marks_of_a_split(missing: str) -> None:
    text = "x.split(sizes.tolist()); zip(a, b); c[1:] - c[:-1]"
    assert DEFAULT.may_matter(text)
    assert not DEFAULT.may_matter(text.replace(missing, "other"))


@pytest.mark.parametrize("ending", [")", ",)", ",\n            )"])
def test_several_keywords_behind_the_last_argument(ending: str) -> None:
    source = f"class A:\n    def f(self, x):\n        return g(\n            x{ending}\n"
    made = written(source, lambda f: [AddKeywords(calls(f, "g")[0], ("a=1", "b=2", "c=3"))])
    call = next(n for n in ast.walk(ast.parse(made)) if isinstance(n, ast.Call))
    assert ast.unparse(call) == "g(x, a=1, b=2, c=3)"


def test_the_only_assignment_of_an_attribute() -> None:
    text = "class A:\n    def __init__(self):\n        self.a = 1\n        self.b = 2\n        self.b = 3\n"
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    cls = ClassInfo(info, info.classes["A"])
    found = [_attribute(cls, name) for name in ("a", "b", "c", "")]
    assert [ast.unparse(value) if value is not None else None for value in found] == [
        "1",
        None,
        None,
        None,
    ]
