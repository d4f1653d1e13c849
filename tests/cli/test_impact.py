"""`impact`, `graph` and `sync --source-map`: what comes from what, over a whole tree."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.provenance.impacts import PARTS, measure_members
from benchmarks.provenance.oracle import Score, show
from codegen.explain.atlas import Atlas, Settings
from codegen.explain.impact import Subject, impact_of
from codegen.explain.named import named_in
from codegen.graph.outline import outline
from codegen.trees.tree import Tree, open_tree
from tests.cli.trees import REPOSITORY, Sandbox

GOLDEN = REPOSITORY / "tests/golden/explain"
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@pytest.mark.parametrize(
    ("case", "arguments"),
    [
        ("impact_method", ("alpha.AlphaAttention.forward",)),
        ("impact_overridden", ("alpha.AlphaModel.forward",)),
        ("impact_model", ("beta",)),
        ("impact_why", ("alpha.AlphaAttention.forward", "--why", "gamma")),
        ("impact_why_not", ("gamma.GammaModel", "--why", "beta")),
        ("impact_no_model", ("alpa",)),
        ("impact_no_member", ("alpha.AlphaAttention.forwrd",)),
        ("impact_from_elsewhere", ("gamma.GammaAttention.forward",)),
    ],
)
def test_impact(family: Sandbox, case: str, arguments: tuple[str, ...]) -> None:
    family.expect(case, family.run("impact", *arguments), GOLDEN)


def test_a_deletion_changes_its_own_model(family: Sandbox) -> None:
    """Nothing of it stands in the file; with another statement in its place something would."""
    path = family.definition("gamma")
    deletion = """

class GammaAttention(BetaAttention):
    def forward(self, states):
        raise AttributeError("not here")
"""
    text = path.read_text(encoding="utf-8")
    text = text.replace("import Beta", "import BetaAttention, Beta", 1) + deletion
    path.write_text(text, encoding="utf-8")
    assert family.run("sync", "--root", str(family.root)).code == 0
    result = family.run("impact", "gamma.GammaAttention.forward", "--root", str(family.root))
    family.expect("impact_deletion", result, GOLDEN)


def measured(tree: Tree, count: int, rewrite: bool = False) -> Score:
    """What edits of members of all kinds give, together."""
    total = Score()
    for score in measure_members(Atlas(tree, Settings(rewrite)), count, 0, PARTS).values():
        total.add(score)
    return total


def test_impact_is_what_an_edit_changes(family: Sandbox) -> None:
    score = measured(open_tree(family.root, None), 40)
    assert score.edits >= 10
    assert score.precision == score.recall == 1, "\n".join(show(score, "models"))


def path_of(tree: Tree, model: str) -> str:
    """The definition of a model."""
    return next(each.path for each in tree.definitions if each.model == model)


AGREEING = {
    "alpha": """

@dataclass
class AlphaCut:
    states: object = None

    @torch.no_grad()
    def cut(self, width):
        self.states = self.states[:width]
""",
    "beta": """

class BetaCut(AlphaCut):
    pass
""",
    "gamma": """

@dataclass
class GammaCut(BetaCut):
    more: object = None

    @torch.no_grad()
    def cut(self, width):
        super().cut(width)
        self.more = None
""",
}


def test_decorators_that_have_to_agree(family: Sandbox) -> None:
    """No word of the parent's stands in a class with its own, and yet they are one only while both agree."""
    imports = {"beta": "AlphaCut", "gamma": "BetaCut"}
    for model, text in AGREEING.items():
        path = family.definition(model)
        old = path.read_text(encoding="utf-8")
        if model in imports:
            at = old.index("import ", old.index("from ..")) + len("import ")
            bracket = old[at] == "("
            old = f"{old[: at + bracket]}{imports[model]}, {old[at + bracket :]}"
        head = "from dataclasses import dataclass\n\nimport torch\n\n" if model != "beta" else ""
        path.write_text(head + old + text, encoding="utf-8")
    result = family.run("sync", "--root", str(family.root))
    assert result.code == 0, result.err
    tree = open_tree(family.root, None)
    atlas = Atlas(tree, Settings(False))
    lines = atlas.text(path_of(tree, "alpha")).split("\n")
    line = lines.index("class AlphaCut:")
    told = impact_of(atlas, [Subject("decorator", path_of(tree, "alpha"), line, line)])
    assert {each.model for each in told.reached} == {"alpha", "beta", "gamma"}
    scores = measure_members(Atlas(tree, Settings(False)), 20, 0, ("decorator",))
    score = scores["decorator"]
    assert score.edits >= 4
    assert score.precision == score.recall == 1, "\n".join(show(score, "models"))


SHIFTED = '''\
"""Delta, into which passes write in front of a class."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


class DeltaModel(nn.Module):
    def forward(self, rows, grid_thw):
        per_frame = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        bounds = F.pad(per_frame.cumsum(dim=0, dtype=torch.int32), (1, 0), value=0)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=bounds)
        return rows


@dataclass
class DeltaOutput:
    states: list
'''
HEIR = '''\
"""Epsilon repeats the decorator of its parent."""

from dataclasses import dataclass

from ..delta.modeling_delta import DeltaOutput


@dataclass
class EpsilonOutput(DeltaOutput):
    more: int = 1
'''


def test_decorators_agree_where_passes_moved_them(family: Sandbox) -> None:
    family.write({"delta": SHIFTED, "epsilon": HEIR})
    assert family.run("sync", "--rewrite", "--root", str(family.root)).code == 0
    tree = open_tree(family.root, None)
    atlas, path = Atlas(tree, Settings(True)), path_of(tree, "delta")
    line = SHIFTED.split("\n").index("@dataclass") + 1
    assert atlas.is_rewritten(path)
    told = impact_of(atlas, [Subject("decorator", path, line, line)])
    assert {each.model for each in told.reached} == {"delta", "epsilon"}


def test_the_graph_as_data(family: Sandbox) -> None:
    data = family.run("graph", "--json").json
    assert {node["name"]: node["depth"] for node in data["nodes"]} == {
        "alpha": 0,
        "beta": 1,
        "gamma": 2,
    }
    carried = {
        (edge["child"], pair["child"], pair["parent"]): pair["lines"]
        for edge in data["edges"]
        for pair in edge["classes"]
    }
    # Docstring, attribute, one statement of __init__, forward.
    assert carried["beta", "BetaAttention", "AlphaAttention"] == 7
    assert carried["gamma", "GammaAttention", "BetaAttention"] > 7
    family.expect("graph", family.run("graph"), GOLDEN)


def test_what_is_reported_has_its_schema(family: Sandbox) -> None:
    line = f"{family.generated('beta')}:20"
    member = f"{family.generated('beta')}:BetaAttention"
    for command, arguments in (
        ("graph", ()),
        ("impact", ("alpha.AlphaAttention.forward", "beta")),
        ("explain", (line, member)),
    ):
        schema = json.loads(family.run("schema", command).out)
        jsonschema.Draft202012Validator.check_schema(schema)
        data = family.run(command, *arguments, "--json").json
        jsonschema.validate(data, schema)
        wrong = json.loads(
            json.dumps(data).replace('"lines": ', '"rows": ').replace('"path"', '"p"')
        )
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydot and pyparsing among themselves
def test_the_graph_for_graphviz_is_the_same(family: Sandbox) -> None:
    pydot = pytest.importorskip("pydot")
    data = family.run("graph", "--json").json
    (graph,) = pydot.graph_from_dot_data(family.run("graph").out)
    edges = {(e.get_source().strip('"'), e.get_destination().strip('"')) for e in graph.get_edges()}
    assert edges == {(edge["child"], edge["parent"]) for edge in data["edges"]}
    layers = [[n.get_name().strip('"') for n in s.get_nodes()] for s in graph.get_subgraphs()]
    depths = sorted({node["depth"] for node in data["nodes"]})
    assert layers == [[n["name"] for n in data["nodes"] if n["depth"] == d] for d in depths]


TOP = '''"""class Docstring: a = 1"""
import math
if math.pi:
    y = 2
else:
    def inside(): pass
A = r"""
class NoClass:
B = 3
"""
B: int = (
3
)
# about C
@one
@two(
    3)
class C(
    A
):
    """def no(): pass
d = 4"""
    x = 1
# behind it

async def run(): return f"{A}"
A.b = 5
e == 6
f, (g) = 7, 8
'''


@pytest.mark.parametrize("text", [TOP, TOP.replace("f, (g)", "h"), "", "x = 1", '"""only"""\n'])
def test_members_are_found_without_parsing(text: str) -> None:
    expected = [
        (member.first, member.last, member.name)
        for member in named_in(text)
        if "." not in member.name and member.kind != "import"
    ]
    found = outline(text)
    assert list(zip(found.firsts, found.lasts, found.names)) == expected


def test_members_of_all_generated_files_are_found() -> None:
    for path in sorted((REPOSITORY / "generated/qwen2_vl").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        found = outline(text)
        for member in named_in(text):
            if "." not in member.name and member.kind != "import":
                lines = range(member.first, member.last + 1)
                assert {found.owner(line) for line in lines} == {member.name}


def test_the_page_needs_nothing_else(family: Sandbox) -> None:
    page = family.root / "page.html"
    assert family.run("graph", "--html", str(page)).code == 0
    text = page.read_text(encoding="utf-8")
    for outside in ("http://www.w3.org/2000/svg",):  # the name of a format, never fetched
        text = text.replace(outside, "")
    assert "http" not in text and " src=" not in text and "@import" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_page_in_a_browser(family: Sandbox, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert family.run("graph", "--html", str(page)).code == 0
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/user"]
    done = subprocess.run(
        [str(CHROMIUM), *options, "--dump-dom", f"file://{page}#beta"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert 'class="picked"' in done.stdout
    assert "BetaAttention ← AlphaAttention" in done.stdout
    assert done.stdout.count("<path") == 2


def decoded(data: dict[str, Any]) -> dict[tuple[int, int], tuple[int, ...]]:
    """The segments of a source map by line and column: source, line, column and name."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    found, last = {}, [0] * 5
    for number, row in enumerate(data["mappings"].split(";"), 1):
        last[0] = 0
        for segment in filter(None, row.split(",")):
            values, value, shift = [], 0, 0
            for digit in map(digits.index, segment):
                value |= (digit & 31) << shift
                shift += 5
                if not digit & 32:
                    values.append(-(value >> 1) if value & 1 else value >> 1)
                    value = shift = 0
            for index, step in enumerate(values):
                last[index] += step
            found[number, last[0]] = tuple(last[1 : len(values)])
    return found


def test_source_maps(family: Sandbox) -> None:
    assert family.run("sync", "--source-map", "--root", str(family.root)).code == 0
    path = family.generated("beta")
    data = json.loads((path.parent / f"{path.name}.map").read_text(encoding="utf-8"))
    assert (data["version"], data["file"]) == (3, "modeling_beta.py")
    lines = path.read_text(encoding="utf-8").split("\n")
    checked = 0
    for (row, column), (source, line, at, *name) in decoded(data).items():
        text = (path.parent / data["sources"][source]).resolve().read_text(encoding="utf-8")
        there = text.split("\n")[line][at:]
        here = lines[row - 1][column:]
        if name:
            assert data["names"][name[0]] in text.split("\n")[line]
            assert "Alpha" in data["names"][name[0]]
        else:
            assert here[0] == there[0]
            checked += 1
    assert checked > 100
    assert family.run("check", "--root", str(family.root)).code == 0


@pytest.mark.slow
def test_impact_on_this_repository() -> None:
    score = measured(open_tree(REPOSITORY, None), 12, True)
    assert score.precision == score.recall == 1, "\n".join(show(score, "models"))
