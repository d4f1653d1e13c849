"""Fixtures: a project with ``[tool.codegen]`` and a checkout that looks like transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.lineage import ALPHA, BETA, GAMMA
from tests.cli.trees import DELTA, FAMILY, PROJECT, Sandbox

_AUTO = """\
from collections import OrderedDict

CONFIG_MAPPING_NAMES = OrderedDict(
    [
        ("alpha", "AlphaConfig"),
        ("beta", "BetaConfig"),
        ("gamma", "GammaConfig"),
        ("delta", "DELTAConfig"),
    ]
)
"""
_PARENT = '''\
"""Alpha, written by hand."""


class AlphaMLP:
    def forward(self, states):
        return states * self.alpha_width


class AlphaModel:
    def __init__(self, config):
        self.mlp = AlphaMLP(config)
'''


@pytest.fixture
def sandbox(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    update_golden: bool,
) -> Iterator[Sandbox]:
    """An empty folder to run commands in."""
    root = tmp_path / "tree"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.delenv("CODEGEN_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    sandbox = Sandbox(root, capsys, update_golden)
    yield sandbox
    sandbox.close()


@pytest.fixture
def project(sandbox: Sandbox) -> Sandbox:
    """A project of four models: gamma builds on beta, beta on alpha; delta stands alone."""
    (sandbox.root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    sandbox.write(FAMILY)
    return sandbox


@pytest.fixture
def checkout(sandbox: Sandbox) -> Sandbox:
    """A checkout that is laid out like transformers; alpha is written by hand."""
    sandbox.definitions = sandbox.output = "src/transformers/models"
    package = sandbox.root / "src/transformers"
    models = {name: text for name, text in FAMILY.items() if name in ("beta", "gamma")}
    sandbox.write({**models, "delta": DELTA.replace("DeltaModel", "DELTAModel")})
    (package / "models/auto").mkdir()
    (package / "models/alpha").mkdir()
    (package / "__init__.py").write_text('__version__ = "5.8.1"\n', encoding="utf-8")
    (package / "models/auto/configuration_auto.py").write_text(_AUTO, encoding="utf-8")
    (package / "models/alpha/modeling_alpha.py").write_text(_PARENT, encoding="utf-8")
    return sandbox


@pytest.fixture
def family(sandbox: Sandbox) -> Sandbox:
    """A project of three models, each built on the one before, in sync."""
    table = PROJECT.replace('"none"', '"ruff"')
    (sandbox.root / "pyproject.toml").write_text(table, encoding="utf-8")
    sandbox.write({"alpha": ALPHA, "beta": BETA, "gamma": GAMMA})
    assert sandbox.run("sync", "--root", str(sandbox.root)).code == 0
    return sandbox
