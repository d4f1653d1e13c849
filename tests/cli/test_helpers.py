"""Runtime helpers of a project: beside each model's files, complete, and gone when not needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codegen.output.helper_bundle import _modules, bundle_helpers
from codegen.rewrite.helpers import HELPER_MODULES
from codegen.verify.definitions.bindings import undefined_names
from tests.cli.trees import PROJECT, Sandbox

_REWRITE = f"{PROJECT}rewrite = true\n"
_ALPHA = '''\
"""Alpha: boundaries of the frames in its forward."""

import torch
from torch import nn
from torch.nn import functional as F


class AlphaLayer(nn.Module):
    def forward(self, rows, cu_seqlens):
        return rows * cu_seqlens.shape[0] + cu_seqlens.sum()


class AlphaEncoder(nn.Module):
    def __init__(self, depth=1):
        super().__init__()
        self.layers = nn.ModuleList(AlphaLayer() for _ in range(depth))

    def forward(self, rows, grid_thw):
        per_frame = torch.repeat_interleave(grid_thw[:, 1] * grid_thw[:, 2], grid_thw[:, 0])
        bounds = F.pad(per_frame.cumsum(dim=0, dtype=torch.int32), (1, 0), value=0)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=bounds)
        return rows
'''
_BETA = '''\
"""Beta is built from alpha."""

from ..alpha.modeling_alpha import AlphaEncoder


class BetaEncoder(AlphaEncoder):
    pass
'''
_PROBE = """\
import torch
from generated.{model}.modeling_{model} import {cls}

grid = torch.tensor([[1, 4, 4], [2, 4, 6]])
rows = torch.ones(64, 2)
encoder = {cls}()
boundaries = torch.tensor([0, 16, 40, 64], dtype=torch.int32)
assert torch.equal(encoder(rows, grid), encoder(rows, grid, cu_seqlens=boundaries))
print(encoder(rows, grid)[0, 0].item())
"""


@pytest.fixture
def rewritten(sandbox: Sandbox) -> Sandbox:
    """A project with passes, in a folder that has a ``utils`` of its own."""
    (sandbox.root / "pyproject.toml").write_text(_REWRITE, encoding="utf-8")
    (sandbox.root / "utils").mkdir()
    (sandbox.root / "utils/__init__.py").write_text("mine = True\n", encoding="utf-8")
    for model, text in (("alpha", _ALPHA), ("beta", _BETA)):
        sandbox.definition(model).parent.mkdir(parents=True)
        sandbox.definition(model).write_text(text, encoding="utf-8")
    return sandbox


def _run(root: Path, model: str, cls: str) -> str:
    """Run a generated encoder in a process that sees nothing but the project."""
    code = _PROBE.format(model=model, cls=cls)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PYTHONPATH": ""},
        text=True,
        capture_output=True,
    )
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_project_runs_with_the_helpers_beside_its_models(rewritten: Sandbox) -> None:
    assert rewritten.run("sync").code == 0
    for model in ("alpha", "beta"):
        text = (rewritten.root / f"generated/{model}/modeling_{model}.py").read_text()
        assert "from .encoder_helpers import" in text
        helpers = (rewritten.root / f"generated/{model}/encoder_helpers.py").read_text()
        assert "def get_vision_cu_seqlens(" in helpers
        assert "def get_window_index(" not in helpers
    assert _run(rewritten.root, "alpha", "AlphaEncoder") == _run(
        rewritten.root, "beta", "BetaEncoder"
    )
    again = rewritten.run("sync", "--format", "json").json
    assert all(file["state"] == "in sync" for item in again["models"] for file in item["files"])


def test_models_of_one_folder_share_their_helpers(rewritten: Sandbox) -> None:
    folder = rewritten.root / "definitions"
    for model, text in (("alpha", _ALPHA), ("beta", _ALPHA.replace("Alpha", "Beta"))):
        rewritten.definition(model).unlink()
        rewritten.definition(model).parent.rmdir()
        (folder / f"modular_{model}.py").write_text(text, encoding="utf-8")
    assert rewritten.run("sync").code == 0
    assert (rewritten.root / "generated/encoder_helpers.py").is_file()
    # One of them alone does not take away what the other needs.
    assert rewritten.run("sync", "alpha").code == 0
    assert rewritten.run("check").code == 0


def test_helpers_that_nobody_needs_are_removed(rewritten: Sandbox) -> None:
    assert rewritten.run("sync").code == 0
    plain = _ALPHA[: _ALPHA.index("class AlphaEncoder")]
    rewritten.definition("alpha").write_text(plain, encoding="utf-8")
    rewritten.definition("beta").unlink()
    result = rewritten.run("check")
    assert result.code == 1
    assert "generated/alpha/encoder_helpers.py: no longer generated" in result.out
    assert rewritten.run("sync").code == 0
    assert not (rewritten.root / "generated/alpha/encoder_helpers.py").exists()
    assert rewritten.run("check").code == 0


def test_a_file_of_that_name_is_not_overwritten(rewritten: Sandbox) -> None:
    place = rewritten.root / "generated/alpha/encoder_helpers.py"
    place.parent.mkdir(parents=True)
    place.write_text("mine = True\n", encoding="utf-8")
    result = rewritten.run("sync")
    assert result.code == 2
    assert "generated/alpha/encoder_helpers.py: error[foreign-file]" in result.err
    assert place.read_text(encoding="utf-8") == "mine = True\n"


def test_switched_off_passes_leave_no_helpers(rewritten: Sandbox) -> None:
    assert rewritten.run("sync").code == 0
    (rewritten.root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    assert rewritten.run("sync").code == 0
    assert not list((rewritten.root / "generated").rglob("encoder_helpers.py"))


def test_a_package_of_the_project_is_imported_as_named(rewritten: Sandbox) -> None:
    settings = f'{_REWRITE}helpers = "mine.helpers"\n'
    (rewritten.root / "pyproject.toml").write_text(settings, encoding="utf-8")
    assert rewritten.run("sync").code == 0
    text = (rewritten.root / "generated/alpha/modeling_alpha.py").read_text()
    assert "from mine.helpers.modeling_vision_utils import" in text
    assert not list((rewritten.root / "generated").rglob("encoder_helpers.py"))


def test_an_installed_parent_is_rewritten_on_its_way_into_the_model(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is installed stays as it is; what the definition gets of it went through the passes."""
    site = sandbox.root.parent / "site"
    parent = site / "quarry/models/alpha/modeling_alpha.py"
    parent.parent.mkdir(parents=True)
    for folder in (parent.parent, parent.parents[1], parent.parents[2]):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    parent.write_text(_ALPHA, encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    settings = f'{_REWRITE}expand = ["quarry.models.*"]\n'
    (sandbox.root / "pyproject.toml").write_text(settings, encoding="utf-8")
    sandbox.definition("beta").parent.mkdir(parents=True)
    text = _BETA.replace("..alpha.", "quarry.models.alpha.")
    sandbox.definition("beta").write_text(text, encoding="utf-8")
    result = sandbox.run("sync", "--format", "json")
    assert result.code == 0
    places = {record["location"].split(":")[0] for record in result.json["rewrites"]}
    assert places == {"quarry/models/alpha/modeling_alpha.py"}
    assert parent.read_text(encoding="utf-8") == _ALPHA
    _run(sandbox.root, "beta", "BetaEncoder")
    # The next run knows, and one after an edit of the definition does the same again.
    assert sandbox.run("check").code == 0
    sandbox.definition("beta").write_text(f"{text}\n\nlimit = 3\n", encoding="utf-8")
    assert sandbox.run("sync").code == 0
    _run(sandbox.root, "beta", "BetaEncoder")


def test_every_helper_can_be_bundled() -> None:
    for name in HELPER_MODULES:
        source = bundle_helpers([name])
        compile(source, name, "exec")
        # A constant that is bound with others in one statement goes along, too.
        assert undefined_names(source) == []


def test_names_of_helper_modules_do_not_clash() -> None:
    """In one module each needs a name of its own."""
    names = [name for module in _modules() for name in module.definitions]
    assert len(names) == len(set(names))
