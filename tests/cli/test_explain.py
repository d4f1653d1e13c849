"""`explain`: every line of a generated file is followed to where an author wrote it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.provenance.measure import KINDS, compare, measure
from benchmarks.provenance.oracle import Edit, Oracle, Score, show
from benchmarks.provenance.words import sources
from codegen.explain.align import word_starts
from codegen.explain.atlas import Atlas, Settings
from codegen.explain.explain import Explainer
from codegen.explain.impact import Subject, impact_of
from codegen.explain.origins import SOURCES
from codegen.explain.passed import BY_PASS, passed
from codegen.output.render import render_helpers
from codegen.trees.tree import Tree, open_tree
from tests.cli.trees import REPOSITORY, Sandbox

GOLDEN = REPOSITORY / "tests/golden/explain"


def line_of(sandbox: Sandbox, model: str, text: str) -> str:
    """The target that names the first line of a model's file that holds a text."""
    path = sandbox.generated(model)
    lines = path.read_text(encoding="utf-8").split("\n")
    return f"{path}:{next(n for n, line in enumerate(lines, 1) if text in line)}"


@pytest.mark.parametrize(
    ("case", "model", "text"),
    [
        ("inherited_through_two", "gamma", "return states * self.width"),
        ("super_expanded", "beta", "self.width = config.width"),
        ("override", "beta", "self.depth = 3"),
        ("comment_renamed", "gamma", "scales first"),
        ("copied_function", "beta", "def scaled"),
        ("class_line", "beta", "class BetaAttention"),
        ("import_of_definition", "beta", "import json"),
        ("import_of_parent", "beta", "import dataclass"),
        ("banner", "beta", "Do not edit"),
        ("exports", "beta", "__all__"),
        ("docstring", "beta", "Attention of"),
        ("decorator", "gamma", "@dataclass"),
    ],
)
def test_a_line(family: Sandbox, case: str, model: str, text: str) -> None:
    family.expect(case, family.run("explain", line_of(family, model, text)), GOLDEN)


BADLY_LAID_OUT = """\
def listed(*parts, **named):
    return [parts, named]


class DeltaModel:
    def forward(self, first, second):
        name = 'delta'
        total = first + \\
            second
        most = listed(first * second, second * first, first + second, second - first, name=name, all=total)
        few = (first)
        return [
            first, second, most, few
        ]
"""


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("quotes", "name ="),
        ("joined", "total = first"),
        ("wrapped", "most = listed("),
        ("wrapped_too", "first * second"),
        ("brackets", "few ="),
        ("untouched", "def listed"),
    ],
)
def test_what_the_formatter_did(family: Sandbox, case: str, text: str) -> None:
    family.write({"delta": BADLY_LAID_OUT})
    assert family.run("sync", "--root", str(family.root)).code == 0
    family.expect(f"layout_{case}", family.run("explain", line_of(family, "delta", text)), GOLDEN)


KEEPING = """\
from ..beta.modeling_beta import BetaAttention


class DeltaAttention(BetaAttention):
    def forward(self, states):
        return [super().forward(states)]
"""
KEPT_BELOW = """\
from ..delta.modeling_delta import DeltaAttention


class EpsilonAttention(DeltaAttention):
    pass
"""


@pytest.fixture
def keeping(family: Sandbox) -> Sandbox:
    """Delta keeps a method of its parent under a private name; epsilon has that from delta."""
    family.write({"delta": KEEPING, "epsilon": KEPT_BELOW})
    assert family.run("sync", "--root", str(family.root)).code == 0
    return family


@pytest.mark.parametrize(
    ("case", "model", "text"),
    [
        ("kept", "delta", "def _BetaAttention_forward"),
        ("kept_below", "epsilon", "return states * self."),
        ("kept_call", "epsilon", "return [self."),
    ],
)
def test_a_method_under_a_private_name(keeping: Sandbox, case: str, model: str, text: str) -> None:
    keeping.expect(case, keeping.run("explain", line_of(keeping, model, text)), GOLDEN)


def test_a_private_name_is_written_where_its_parts_are(keeping: Sandbox) -> None:
    """Under another name of the method it is another one, two models down as well."""
    atlas, score = Atlas(open_tree(keeping.root, None), Settings()), Score()
    edits = [
        Edit(path, match.start(), "forward", "forwarq")
        for path in sources(atlas)
        for match in re.finditer(r"\bforward\b", atlas.text(path))
    ]
    compare(atlas, Oracle(atlas), ("", 0), edits, score)
    private = [
        (path, number)
        for model in ("delta", "epsilon")
        for path in atlas.files_of(model)
        for number, line in enumerate(atlas.text(path).split("\n"), 1)
        if "_BetaAttention_forward" in line
    ]
    assert len(private) == 4
    assert score.changed >= len(private)
    expect_right(score, 1)


FUSING = """\
import libcst as cst
from libcst.codemod import VisitorBasedCodemodCommand


class Fuse(VisitorBasedCodemodCommand):
    RUNS_ON = "generated"

    def leave_Return(self, original, updated):
        wanted = cst.parse_expression("states * self.width")
        if original.value is None or not original.value.deep_equals(wanted):
            return updated
        return updated.with_changes(value=cst.parse_expression("states.fused(self.width, 1, 2, 3)"))
"""


def test_what_a_pass_on_generated_files_wrote(family: Sandbox) -> None:
    """No author has written it, though words of it stand in what was there before."""
    (family.root / "fuse.py").write_text(FUSING, encoding="utf-8")
    table = family.root / "pyproject.toml"
    passes = 'rewrite = true\npasses = ["fuse.py:Fuse"]\n'
    table.write_text(table.read_text(encoding="utf-8") + passes, encoding="utf-8")
    assert family.run("sync", "--root", str(family.root)).code == 0
    target = line_of(family, "gamma", "return states.fused(")
    family.expect("own_pass", family.run("explain", target), GOLDEN)


REWRITTEN = '''\
"""Alpha, written by hand: boundaries of the frames in its forward."""

import torch
from torch import nn
from torch.nn import functional as F


class AlphaMLP(nn.Module):
    def check(self, cu_seqlens=None, grid_thw=None):
        if cu_seqlens is None:
            cu_seqlens = self.count(grid_thw)
        return cu_seqlens


class AlphaModel(nn.Module):
    def forward(self, rows, grid_thw):
        per_frame = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        bounds = F.pad(per_frame.cumsum(dim=0, dtype=torch.int32), (1, 0), value=0)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=bounds)
        return rows
'''


@pytest.fixture
def rewritten(checkout: Sandbox) -> Atlas:
    """The generated files of a library whose parent, written by hand, the passes have changed."""
    source = checkout.root / checkout.output / "alpha/modeling_alpha.py"
    source.write_text(REWRITTEN, encoding="utf-8")
    output = checkout.root.parent / "out"
    assert checkout.run("sync", "--rewrite", "--output", str(output)).code == 0
    return Atlas(open_tree(checkout.root, output), Settings(True))


def test_a_line_that_a_pass_wrote_into_a_source_has_no_author(rewritten: Atlas) -> None:
    """Though all words of it stand elsewhere in the parent; what the pass left is as before."""
    path = "src/transformers/models/beta/modeling_beta.py"
    written = []
    for number, line in enumerate(rewritten.text(path).split("\n"), 1):
        start = rewritten.lines(path).start_of(number)
        spots = [rewritten.origin(path, start + at).spot for at in word_starts(line)]
        if "get_vision_cu_seqlens(" in line:
            assert spots and not any(spots)
            written.append(number)
        elif spots and "cu_seqlens=bounds" in line:
            assert all(spots)
    (explained, *_) = [Explainer(rewritten).line(path, number) for number in written]
    (strand,) = explained.strands
    assert not strand.links
    assert strand.made[0].startswith("written by a rewrite pass behind modeling_alpha.py:")
    alpha = "src/transformers/models/alpha/modeling_alpha.py"
    source = rewritten.text(alpha).split("\n")
    head = source.index("    def forward(self, rows, grid_thw):") + 1
    keep = (
        f"`# codegen: keep` in front of AlphaModel.forward, {alpha}:{head}, keeps the passes away"
    )
    assert explained.advice.everywhere == keep
    assert "forward into class BetaModel" in explained.advice.here
    assert "with `# codegen: keep` in front of it" in explained.advice.here


def test_what_passes_replaced_reaches_who_has_what_they_wrote(rewritten: Atlas) -> None:
    """An edit of lines of which nothing is left changes what a pass wrote that read them."""
    path = "src/transformers/models/alpha/modeling_alpha.py"
    lines = rewritten.text(path).split("\n")
    first = max(number for number, line in enumerate(lines, 1) if "per_frame = torch" in line)
    impact = impact_of(rewritten, [Subject("two lines", path, first, first + 1)])
    (reached,) = (item for item in impact.reached if item.model == "beta")
    assert reached.members == ("BetaModel.forward",) and reached.body
    assert reached.path == ("BetaModel.forward", "AlphaModel.forward")


@pytest.mark.parametrize(
    ("old", "new", "by_pass"),
    [
        # Words of other lines, and brackets, are nobody's; a line that moved inwards is its author's.
        (
            "a = one(first, second)\nkeep(\n    x\n)\n",
            "b = two(first, second)\nmade(\n    y,\n)\nif given:\n    keep(\n        x\n    )\n",
            ["b = two(first, second)", "made(", "y,", ")", "if given:"],
        ),
        # The better one of two lines, not the first that is like it.
        (
            "x = call(a, b, c, d)\nx = call(a, b, c, e)\n",
            "pass\nx = call(a, b, c, e, f=f)\n",
            ["pass"],
        ),
        # Heads of functions take as much as they like.
        (
            "def run(self):\n    return self\n",
            "def run(self, one=None, two=None, three=None):\n    return self\n",
            [],
        ),
        ("run = self\n", "def run(self, one=None, two=None, three=None):\n", None),
    ],
)
def test_which_lines_a_pass_wrote(old: str, new: str, by_pass: list[str] | None) -> None:
    done = passed(SOURCES.traced("parent.py", old), new)
    found, at = [], 0
    for line in new.removesuffix("\n").split("\n"):
        paths = {SOURCES.path(place) for place in done.places[at : at + len(line)]}
        if paths == {BY_PASS}:
            found.append(line.strip())
        at += len(line) + 1
    assert found == (new.strip().split("\n") if by_pass is None else by_pass)


def test_an_import_that_two_sources_have(checkout: Sandbox) -> None:
    """The definition's own comes first; without it the parent's would be there."""
    alpha = checkout.root / "src/transformers/models/alpha/modeling_alpha.py"
    text = alpha.read_text(encoding="utf-8").replace(
        "class AlphaMLP", "import math\n\n\nclass AlphaMLP", 1
    )
    alpha.write_text(text.replace("self.alpha_width", "math.sqrt(2)"), encoding="utf-8")
    beta = checkout.definition("beta")
    text = beta.read_text(encoding="utf-8").replace("from ..alpha", "import math\n\nfrom ..alpha")
    beta.write_text(f"{text}\n\nHALF = math.ceil(0.5)\n", encoding="utf-8")
    assert checkout.run("sync", "--root", str(checkout.root)).code == 0
    target = line_of(checkout, "beta", "import math")
    checkout.expect("import_of_two", checkout.run("explain", target), GOLDEN)


def test_names_of_one_import_are_told_apart(family: Sandbox) -> None:
    """Who else has a name from there, not who has another one."""
    alpha = family.definition("alpha")
    text = alpha.read_text(encoding="utf-8").replace(
        "import math\n", "from math import ceil, floor\n"
    )
    text = text.replace("math.ceil(", "ceil(").replace("* factor\n", "* floor(factor)\n")
    alpha.write_text(f"{text}\n\ndef up(size):\n    return ceil(size)\n", encoding="utf-8")
    using = "from ..alpha.modeling_alpha import NAME\n\n\nclass Omega:\n    run = NAME\n"
    family.write({"omega": using.replace("NAME", "scaled"), "psi": using.replace("NAME", "up")})
    assert family.run("sync", "--root", str(family.root)).code == 0
    explainer = Explainer(Atlas(open_tree(family.root, None), Settings()))
    path = "generated/omega/modeling_omega.py"
    number = explainer.atlas.text(path).split("\n").index("from math import floor") + 1
    told = [place.path for place in explainer.same(explainer.line(path, number))]
    assert "generated/psi/modeling_psi.py" in explainer.atlas.owners
    assert "generated/gamma/modeling_gamma.py" in told
    assert "generated/psi/modeling_psi.py" not in told


def test_a_class(family: Sandbox) -> None:
    target = f"{family.generated('beta')}:BetaAttention"
    family.expect("class", family.run("explain", target), GOLDEN)


#: What prints a frame of a generated file, and other things that must stay as they are.
LOGS = {
    "traceback": """\
Traceback (most recent call last):
  File "PATH", line LINE, in forward
    return states * self.width
  File "elsewhere.py", line 3, in other
TypeError: no
""",
    "traceback_chained": """\
epoch 1: loss 0.5
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "/usr/lib/python3/site-packages/torch/nn/modules/module.py", line 1751, in _wrapped_call_impl
    return self._call_impl(*args, **kwargs)
           ~~~~~~~~~~~~~~~^^^^^^^^^^^^^^^^^
  File "PATH", line LINE, in forward
    return states * self.width
           ~~~~~~~^~~~~~~~~~~~
  [Previous line repeated 994 more times]
TypeError: can't multiply
a note on line LINE of PATH

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "PATH", line 99999, in forward
  File "PATH", line LINE, in forward
    return states * self.width
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
RuntimeError: again
done
""",
    "traceback_group": """\
  + Exception Group Traceback (most recent call last):
  |   File "elsewhere.py", line 3, in <module>
  |     raise ExceptionGroup("two", errors)
  | ExceptionGroup: two (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "PATH", line LINE, in forward
    |     return states * self.width
    |            ~~~~~~~^~~~~~~~~~~~
    | TypeError: no
    +------------------------------------
""",
    "traceback_coloured": """\
Traceback (most recent call last):
  File \x1b[35m"PATH"\x1b[0m, line \x1b[35mLINE\x1b[0m, in \x1b[35mforward\x1b[0m
    return states \x1b[1;31m*\x1b[0m self.width
           \x1b[31m~~~~~~~\x1b[0m\x1b[1;31m^\x1b[0m\x1b[31m~~~~~~~~~~~\x1b[0m
\x1b[1;35mTypeError\x1b[0m: \x1b[35mno\x1b[0m
""",
    "traceback_pytest": """\
    def test_forward():
>       model.forward(1)

tests/test_it.py:7:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _

>       return states * self.width
E       TypeError: no

PATH:LINE: TypeError
=========================== short test summary info ============================
\x1b[1m\x1b[31mPATH\x1b[0m:LINE: in forward
    return states * self.width
E   TypeError: no
1 failed in 0.10s (PATH:LINE is not at the start)
""",
    "traceback_notebook": """\
---------------------------------------------------------------------------
TypeError                                 Traceback (most recent call last)
Cell In[1], line 1
----> 1 model.forward(1)

File PATH:LINE, in GammaAttention.forward(self, states)
     16     states = scaled(states)
---> 17     return states * self.width

TypeError: no
""",
    "traceback_none": "nothing\n  to see \x07 here: 3\n",
}


@pytest.mark.parametrize("case", LOGS)
def test_a_traceback(family: Sandbox, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _, line = line_of(family, "gamma", "return states * self.width").rpartition(":")
    text = LOGS[case].replace("PATH", path).replace("LINE", line)
    monkeypatch.setattr("sys.stdin", io.StringIO(text, newline=""))
    result = family.run("explain")
    told = iter(result.out.split("\n"))
    assert all(line in told for line in text.removesuffix("\n").split("\n")), (
        "all is there, in order"
    )
    family.expect(case, result, GOLDEN)


def test_a_log_of_another_machine(family: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the tree that is asked about is told by how a path ends, at least a folder and a name."""
    path, _, line = line_of(family, "gamma", "return states * self.width").rpartition(":")
    name = path.rpartition("/")[2]
    for file, known in ((f"/elsewhere/{path}", True), (f"/elsewhere/{name}", False)):
        text = f'  File "{file}", line {line}, in forward\n    return states * self.width\n'
        monkeypatch.setattr("sys.stdin", io.StringIO(text, newline=""))
        told = family.run("explain", "--root", str(family.root)).out
        assert told.startswith(text) and ("← definitions/" in told) == known


def test_bytes_that_are_no_text_pass(family: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a \xff\r\n"), newline=""))
    assert family.run("explain").out == "a \\xff\r\n"


def test_an_edited_file_is_told(family: Sandbox) -> None:
    path = family.generated("beta")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("self.depth = 3", "self.depth = 3\n        self.extra = 7"))
    result = family.run("explain", line_of(family, "beta", "self.extra"))
    family.expect("edited_by_hand", result, GOLDEN)


def test_json(family: Sandbox) -> None:
    (data,) = family.run("explain", "--json", line_of(family, "gamma", "self.depth")).json
    assert data["place"]["member"] == "GammaAttention.__init__"
    links = data["strands"][0]["links"]
    assert [link["place"]["path"] for link in links] == [
        "generated/beta/modeling_beta.py",
        "definitions/beta/modular_beta.py",
    ]
    assert {place["path"] for place in data["same"]} == {"generated/beta/modeling_beta.py"}


@pytest.mark.parametrize(
    ("case", "target"),
    [
        ("no_file", "generated/beta/modeling_bet.py:3"),
        ("no_line", "generated/beta/modeling_beta.py:999"),
        ("line_zero", "generated/beta/modeling_beta.py:0"),
        ("folder", "generated/beta:3"),
        ("project_file", "pyproject.toml:3"),
        ("no_member", "generated/beta/modeling_beta.py:BetaAttention.forwrd"),
        ("definition", "definitions/beta/modular_beta.py:3"),
        ("no_target", "modeling_beta"),
    ],
)
def test_what_cannot_be_explained(family: Sandbox, case: str, target: str) -> None:
    result = family.run("explain", target, "--root", str(family.root))
    assert result.code == 2
    family.expect(f"error_{case}", result, GOLDEN)


@pytest.mark.parametrize(
    ("case", "content"),
    [("binary", b"\x89PNG\r\n\x1a\n\xff\x00"), ("null", b"x = 1\n\x00\n"), ("empty", b"")],
)
def test_files_that_are_no_text(family: Sandbox, case: str, content: bytes) -> None:
    family.generated("beta").write_bytes(content)
    result = family.run("explain", f"{family.generated('beta')}:1")
    assert result.code == 2
    family.expect(f"error_{case}", result, GOLDEN)


def test_a_stale_file_is_told(family: Sandbox) -> None:
    """What of it the definition still gives is explained; what it does not is said to be so."""
    path = family.definition("beta")
    text = path.read_text(encoding="utf-8").replace("self.depth = 3", "self.size = 5")
    path.write_text(text, encoding="utf-8")
    family.expect("stale", family.run("explain", line_of(family, "beta", "self.depth")), GOLDEN)


def test_a_definition_that_cannot_be_read(family: Sandbox) -> None:
    family.definition("beta").write_text("class (:\n", encoding="utf-8")
    result = family.run("explain", f"{family.generated('beta')}:3")
    assert result.code == 2
    family.expect("error_broken", result, GOLDEN)


def test_copies_of_helpers_are_told(family: Sandbox) -> None:
    place = family.root / "generated/beta/encoder_helpers.py"
    place.write_text(render_helpers("x = 1\n"), encoding="utf-8")
    result = family.run("explain", f"{place}:1")
    assert result.code == 2
    family.expect("error_helpers", result, GOLDEN)


def test_a_map_holds_while_nothing_changes(family: Sandbox) -> None:
    tree = open_tree(family.root, None)
    first = Atlas(tree, Settings()).maps_of("gamma")
    assert Atlas(tree, Settings()).maps_of("gamma") == first
    path = family.definition("alpha")
    path.write_text(path.read_text().replace("factor=0.5", "factor=0.25"), encoding="utf-8")
    assert family.run("sync", "--root", str(family.root)).code == 0
    assert Atlas(open_tree(family.root, None), Settings()).maps_of("gamma") != first


def expect_right(score: Score, edits: int) -> None:
    report = "\n".join(show(score))
    assert score.edits >= edits, report
    assert score.precision >= 0.99, report
    assert score.recall >= 0.99, report


def measured(tree: Tree, count: int, rewrite: bool = False) -> Score:
    """What edits of all kinds give, together."""
    total = Score()
    for score in measure(Atlas(tree, Settings(rewrite)), count, 0, KINDS).values():
        total.add(score)
    return total


def test_what_an_edit_changes_is_what_was_said(family: Sandbox) -> None:
    expect_right(measured(open_tree(family.root, None), 70), 35)


def test_the_convention_of_libraries(checkout: Sandbox) -> None:
    assert checkout.run("sync", "--root", str(checkout.root)).code == 0
    expect_right(measured(open_tree(checkout.root, None), 70), 20)
    family_line = line_of(checkout, "gamma", "return states * self.")
    checkout.expect("library", checkout.run("explain", family_line), GOLDEN)


@pytest.mark.slow
def test_the_definitions_of_this_repository(tmp_path: Path, caches: Path) -> None:
    expect_right(measured(open_tree(REPOSITORY, None), 14, True), 8)


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CODEGEN_CACHE_DIR", str(tmp_path))
    yield tmp_path
