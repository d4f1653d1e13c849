"""Names: aliases of torch, what a project adds, and the cheap test that comes first."""

from __future__ import annotations

import ast
from dataclasses import fields

import pytest

from codegen.rewrite import Settings, rewrite_library
from codegen.rewrite.aliases import imports_in, imports_of, resolve_aliases, spelled, torch_aliases
from codegen.rewrite.vocabulary import DEFAULT, Vocabulary, extended, field_value
from codegen.trees.config import ROLES
from tests.rewrite.test_rules import GOLDEN, DictLibrary, read_case

ALIASES = {
    "import torch as th\nx = th.arange(2)": "x = torch.arange(2)",
    "import torch.nn.functional as nnf\nx = nnf.pad(y)": "x = F.pad(y)",
    "import torch.nn as layers\nx = layers.Linear(2, 3)": "x = nn.Linear(2, 3)",
    "from torch.nn import functional as ops\nx = ops.gelu(y)": "x = F.gelu(y)",
    "from torch import cat as join, arange\nx = join([arange(2)])": "x = torch.cat([torch.arange(2)])",
    "from torch.nn.functional import pad\nx = pad(y)": "x = F.pad(y)",
    "if True:\n    import torch as th\nx = th.cat(y)": "x = torch.cat(y)",
    "def f():\n    import torch as th\n    return th.cat(y)\nx = 0": "x = 0",
    # Names that mean something of a function's own stay what they are there.
    "import torch as th\nx = lambda th: th.cat": "x = lambda th: th.cat",
    "from numpy import arange\nx = arange(2)": "x = arange(2)",
}


@pytest.mark.parametrize("source", ALIASES)
def test_aliases_are_resolved(source: str) -> None:
    tree = ast.parse(source)
    resolve_aliases(tree, torch_aliases(imports_in(tree.body)))
    assert ast.unparse(tree.body[-1]) == ALIASES[source]


def test_a_shadowed_alias_is_kept_in_its_function_only() -> None:
    tree = ast.parse(
        "import torch as th\ndef f(th):\n    return th.cat\ndef g():\n    return th.cat"
    )
    resolve_aliases(tree, torch_aliases(imports_in(tree.body)))
    assert ast.unparse(tree.body[1]).endswith("return th.cat")
    assert ast.unparse(tree.body[2]).endswith("return torch.cat")


@pytest.mark.parametrize(
    ("imports", "name", "written"),
    [
        ("import torch", "torch.Tensor", "torch.Tensor"),
        ("import torch as th", "torch.nn.functional.pad", "th.nn.functional.pad"),
        ("from torch import nn", "torch.nn.functional.pad", "nn.functional.pad"),
        ("from torch import Tensor, nn", "torch.Tensor", "Tensor"),
        ("from torch import arange as count", "torch.arange", "count"),
        ("from torch import nn", "torch.Tensor", ""),
        ("import numpy", "torch.Tensor", ""),
    ],
)
def test_spelling_of_what_is_written_anew(imports: str, name: str, written: str) -> None:
    assert spelled(torch_aliases(imports_in(ast.parse(imports).body)), name) == written


def test_roles_of_the_configuration_are_fields_of_the_vocabulary() -> None:
    assert {role.replace("-", "_") for role in ROLES} == {f.name for f in fields(Vocabulary)}


def test_names_of_a_project_are_added() -> None:
    vocabulary = extended({"grids": ("layout",), "merge-fields": ("downsample",)})
    assert vocabulary.grid_of(["hidden", "image_layout"]) == "image_layout"
    assert vocabulary.grid_of(["hidden", "image_grid_thw"]) == "image_grid_thw"
    assert DEFAULT.grid_of(["hidden", "image_layout"]) == ""
    assert vocabulary.may_matter("layout") and not DEFAULT.may_matter("layout")
    assert field_value(vocabulary, "downsample", 1) == 3
    assert field_value(DEFAULT, "downsample", 1) is None


FILTERED = {
    "def f(self, grid_thw)": True,
    "from torch import outer\nouter(x, self.inv_freq)": True,
    "th.outer(x, self.inv_freq.to(x))": True,
    "outer(x, self.inverse)": False,
    "x.split(torch.diff(c).tolist()) zip(": True,
    "x.split((c[1:] - c[:-1]).tolist()) zip(": True,
    "x.split(sizes.tolist()) zip(": False,
    "": False,
}


@pytest.mark.parametrize("text", FILTERED)
def test_the_cheap_test_looks_at_words(text: str) -> None:
    assert DEFAULT.may_matter(text) == FILTERED[text]


def test_a_grid_of_another_name_is_found_with_the_vocabulary_of_the_project() -> None:
    before = read_case(GOLDEN / "extract/position_ids_by_loop.txt").files[
        "models/tiny/modeling_tiny.py"
    ]
    text = before.replace("grid_thw", "layout").replace("merge_size", "downsample")
    # Neither a loop over three numbers nor three columns tell what the parameter is.
    text = text.replace("for t, h, w in layout:", "for row in layout:\n            t, h, w = row")
    library = DictLibrary({"models/tiny/modeling_tiny.py": text})
    assert rewrite_library(library).edits == {}
    vocabulary = extended({"grids": ["layout"], "merge-fields": ["downsample"]})
    (changed,) = rewrite_library(library, Settings(vocabulary=vocabulary)).edits.values()
    assert "get_rotary_pos_ids(layout, self.unit)" in changed


TABLE = "models/tiny/modeling_tiny.py"


def rotary_case(old: str = "inv_freq", new: str = "inv_freq") -> DictLibrary:
    """An encoder that looks up by position ids, with one thing of its rotary module changed."""
    (before,) = read_case(GOLDEN / "extract/position_ids_by_loop.txt").files.values()
    assert old in before
    return DictLibrary({TABLE: before.replace(old, new)})


def test_the_buffer_of_a_project_is_what_the_rewritten_module_reads() -> None:
    vocabulary = extended({"frequencies": ["omega"]})
    own = rewrite_library(rotary_case(new="omega"), Settings(vocabulary=vocabulary)).edits[TABLE]
    known = rewrite_library(rotary_case()).edits[TABLE]
    assert "position_ids" in known and own == known.replace("inv_freq", "omega")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("inv_freq", "omega", "omega is in no vocabulary of frequencies"),
        ("torch.outer(", "3 * torch.outer(", "is not seen to give positions from 0 on"),
        ("torch.outer(", "torch.einsum('i,j->ij', ", "is not seen to give positions from 0 on"),
    ],
)
def test_a_rotary_module_that_is_near_says_what_it_misses(old: str, new: str, why: str) -> None:
    report = rewrite_library(rotary_case(old, new)).report
    said = [r.reason for r in report if "no lookup in a rotary table" in r.reason]
    assert len(said) == 1 and why in said[0], [r.reason for r in report]


@pytest.mark.parametrize("variant", [0, 1])
def test_fields_get_values_that_fit_together(variant: int) -> None:
    """Windows hold whole merge blocks, tables are squares, and no factor is so small that it is not seen."""

    def value(name: str) -> int:
        found = field_value(DEFAULT, name, variant)
        assert found is not None
        return found

    merge, patch = value("spatial_merge_size"), value("patch_size")
    assert merge > 1 and patch > 1
    assert value("window_size") % (merge * patch) == 0 and value("window_size") > merge * patch
    side = round(value("num_position_embeddings") ** 0.5)
    assert side**2 == value("num_position_embeddings") and side > 1
    assert value("image_size") == side * patch
    assert value("n_window_infer") % (2 * value("n_window")) == 0


def test_fields_differ_between_the_probes_but_for_the_frames_of_a_patch() -> None:
    for name in ("spatial_merge_size", "patch_size", "window_size", "n_window", "image_size"):
        assert field_value(DEFAULT, name, 0) != field_value(DEFAULT, name, 1), name
    for name in ("temporal_patch_size", "temporal_merge_size"):
        assert field_value(DEFAULT, name, 0) == field_value(DEFAULT, name, 1) == 2


def test_fields_of_other_names_are_not_known() -> None:
    for name in ("hidden_act", "image_sizes", "depth", "patch_size_of_text"):
        assert field_value(DEFAULT, name, 0) is None, name


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nfrom torch import nn\n",
        "def f():\n    import torch as th\n",
        "class A:\n\tfrom torch import cat\n",
        "try: import torch as th\nexcept ImportError: pass\n",
        "if a: \\\nimport torch as th\n",
        "if (a and\nb): import torch as th\n",
        "x = 1; import torch as th\n",
        "if a:\r    import torch as th\r",
        "if a:\n    pass\nelse:\x0c import torch as th\n",
        '"""\nimport of goods: none\n"""\nimport torch as th\n',
    ],
)
def test_every_import_is_found_by_the_text(text: str) -> None:
    tree = ast.parse(text)
    found = list(imports_of(tree, text))
    assert found
    assert found == list(imports_in(tree.body))
