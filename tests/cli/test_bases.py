"""Bases from anywhere: modules of any name, packages that hand them on, and what does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.trees import Sandbox

#: An installed library whose modules are not called after models.
GRAVEL = {
    "__init__.py": "from .layers import *\n",
    "layers/__init__.py": "from .attention import Attention, Mlp\n",
    "layers/attention.py": """\
def shift(value):
    return value + 1


class Mlp:
    def __call__(self, value):
        return shift(value)


class Pool:
    pass


class Attention:
    bias = 0
    pool = Pool

    def __init__(self):
        self.mlp = Mlp()

    def run(self, value):
        return self.mlp(value) + self.bias
""",
    "late.py": """\
def __getattr__(name):
    from .layers import attention

    return getattr(attention, name.removeprefix("Late"))


LateMlp: type
""",
}
EXPAND = 'expand = ["gravel.*"]\n'
OWN = """\


class BetaMlp(Mlp):
    pass


class BetaAttention(Attention):
    bias = 2
"""


@pytest.fixture
def library(project: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A project with the library within reach and to be expanded."""
    for name, text in GRAVEL.items():
        place = tmp_path / "lib" / "gravel" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + EXPAND)
    return project


@pytest.mark.parametrize(
    "line",
    [
        "from gravel.layers.attention import Attention, Mlp\n",
        "from gravel.layers import Attention, Mlp\n",
        "from gravel import Attention, Mlp\n",
    ],
)
def test_classes_are_folded_wherever_they_are_imported_from(library: Sandbox, line: str) -> None:
    library.write({"beta": line + OWN})
    assert library.run("sync", "beta").code == 0
    text = (library.root / "generated/beta/modeling_beta.py").read_text()
    assert "gravel" not in text.partition("\n\n")[2]
    made = _loaded(text)
    attention = made["BetaAttention"]()
    assert type(attention.mlp) is made["BetaMlp"], "inherited code uses the class in its role"
    assert attention.run(3) == 6
    assert "Pool" in made and made["Pool"].__module__ == "made", "the rest keeps its name"


def test_a_base_of_a_package_that_is_not_expanded_stays_an_import(library: Sandbox) -> None:
    pyproject = library.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("gravel.*", "gravel.other.*"))
    library.write({"beta": "from gravel import Attention, Mlp\n" + OWN})
    assert library.run("sync", "beta").code == 0
    assert "from gravel import" in (library.root / "generated/beta/modeling_beta.py").read_text()


def test_a_base_from_the_top_of_an_installed_library(project: Sandbox) -> None:
    head = "from transformers import LlamaConfig, PreTrainedModel\n"
    body = "class BetaConfig(LlamaConfig):\n    pass\n\n\nclass BetaModel(PreTrainedModel):\n    pass\n"
    project.write({"beta": f"{head}\n\n{body}"})
    assert project.run("sync", "beta").code == 0
    folder = project.root / "generated/beta"
    assert "hidden_size: int" in (folder / "configuration_beta.py").read_text()
    assert "(PreTrainedModel)" in (folder / "modeling_beta.py").read_text()


def test_a_second_run_has_nothing_to_do(library: Sandbox) -> None:
    library.write({"beta": "from gravel import Attention, Mlp\n" + OWN})
    assert library.run("sync", "beta").code == 0
    again = library.run("check", "beta", "--format", "json")
    assert again.code == 0 and not again.expanded()


def test_what_hands_a_base_on_is_an_input(library: Sandbox, tmp_path: Path) -> None:
    library.write({"beta": "from gravel import Attention, Mlp\n" + OWN})
    library.run("sync", "beta")
    other = GRAVEL["layers/attention.py"].replace("bias = 0", "bias = 0\n    other = 1")
    (tmp_path / "lib/gravel/layers/second.py").write_text(other)
    handed = "from .second import Attention, Mlp\n"
    (tmp_path / "lib/gravel/layers/__init__.py").write_text(handed)
    assert library.run("check", "beta").code == 1


@pytest.mark.parametrize(
    ("golden", "line"),
    [
        ("missing_base", "from gravel import Atention as Attention, Mlp\n"),
        ("missing_base_module", "from gravel.leyers import Attention, Mlp\n"),
        ("base_not_exported", "from gravel import Attention, Pool as Mlp\n"),
    ],
)
def test_bases_that_do_not_exist(library: Sandbox, golden: str, line: str) -> None:
    library.write({"beta": line + OWN})
    library.expect(golden, library.run("sync", "beta"))


def test_a_base_that_is_made_when_asked_for_stays_an_import(library: Sandbox) -> None:
    library.write(
        {"beta": "from gravel.late import LateMlp as Mlp\n" + OWN.partition("\n\n\nclass BetaA")[0]}
    )
    assert library.run("sync", "beta").code == 0
    assert (
        "from gravel.late import LateMlp as Mlp"
        in (library.root / "generated/beta/modeling_beta.py").read_text()
    )


def test_an_export_that_nothing_defines(project: Sandbox) -> None:
    beta = (project.root / "definitions/beta/modular_beta.py").read_text()
    project.write({"beta": f'{beta}\n\n__all__ = [\n    "BetaModel",\n    "BetaMPL",\n]\n'})
    project.expect("missing_export", project.run("sync", "beta"))


def test_a_module_of_nearly_that_name(project: Sandbox) -> None:
    beta = (project.root / "definitions/beta/modular_beta.py").read_text()
    project.write({"beta": beta.replace("..alpha.modeling_alpha", "..alpa.modeling_alpa")})
    project.expect("missing_module_with_suggestion", project.run("sync", "beta"))


def _loaded(text: str) -> dict[str, type]:
    space: dict[str, type] = {"__name__": "made"}  # type: ignore[dict-item]
    exec(compile(text, "made", "exec"), space)
    return space


def test_import_lines_in_docstrings_are_no_dependency(project: Sandbox) -> None:
    beta = (project.root / "definitions/beta/modular_beta.py").read_text()
    usage = 'USAGE = """\nfrom ..gamma.modeling_gamma import GammaModel\n"""\n'
    project.write({"beta": f"{beta}\n\n{usage}"})
    assert project.run("sync").code == 0


def test_import_lines_in_docstrings_are_no_dependency_in_a_library(checkout: Sandbox) -> None:
    place = next(checkout.root.rglob("modular_beta.py"))
    usage = '"""Usage::\n\n    from ..gamma.modeling_gamma import GammaModel\n"""\n'
    place.write_text(usage + place.read_text().partition("\n")[2])
    assert checkout.run("sync").code == 0
