"""`verify --definitions`: processes, exit codes, the table, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from codegen.cli import main
from codegen.run import definition_checks
from codegen.verify.definitions.load import Source
from codegen.verify.definitions.names import ParentNames, roles_of
from codegen.verify.definitions.running import run_class
from codegen.verify.definitions.values import Describer

STONE = '''\
class StoneNorm:
    eps = 0.5


class StoneBlock:
    """A block of StoneNorm."""

    model_type = "stone"

    def __init__(self, size):
        self.size = size
        self.norm = StoneNorm()

    def run(self, value):
        return value + self.size
'''
PEBBLE = """\
from ..stone.modeling_stone import StoneBlock


class PebbleBlock(StoneBlock):
    def run(self, value):
        return super().run(value)


def undefined():
    return PebbleNorm
"""
Sources = Mapping[str, Source]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "pyproject.toml": "[tool.codegen]\nformatter = 'none'\n",
        "definitions/stone/modular_stone.py": STONE,
        "definitions/pebble/modular_pebble.py": PEBBLE,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def verify(root: Path, *words: str) -> int:
    return main(["verify", "--definitions", "--root", str(root), *words])


def test_definitions_that_mean_what_is_generated(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(project) == 0
    out = capsys.readouterr().out
    assert "2 of 2 definitions mean what is generated from them" in out
    assert not (project / "generated").exists(), "nothing is written"


def test_the_report_for_tools(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(project, "pebble", "--format", "json") == 0
    (pebble,) = (i for i in json.loads(capsys.readouterr().out) if i["model"] == "pebble")
    assert pebble["state"] == "equal" and pebble["differences"] == []
    assert {item["entry"] for item in pebble["listed"]} == {1}
    assert pebble["compared"]["members"] >= 3


def tampered(monkeypatch: pytest.MonkeyPatch, old: str, new: str, kind: str = "modeling") -> None:
    """What is generated for pebble, with a change that nothing explains."""
    before = definition_checks._sources

    def change(run: object) -> Sources:
        found = before(run)  # type: ignore[arg-type]
        name = f"generated.pebble.{kind}_pebble"
        text = found[name].text
        assert old in text
        return {**found, name: replace(found[name], text=text.replace(old, new, 1))}

    monkeypatch.setattr(definition_checks, "_sources", change)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("self.size = size", "self.size = 1; self.more = size", "equal"),  # seen when it is run
        ("def run(self, value)", "def run(self, other)", "differs: pebble: PebbleBlock.run"),
        ("class PebbleBlock", "missing\n\n\nclass PebbleBlock", "broken: "),
        ("class PebbleBlock", "import os\nos._exit(3)\n\n\nclass PebbleBlock", "the process died"),
    ],
)
def test_a_difference_is_told(
    old: str,
    new: str,
    said: str,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tampered(monkeypatch, old, new)
    assert verify(project) == (0 if said == "equal" else 1)
    assert said in capsys.readouterr().out


def test_a_definition_that_python_does_not_import(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = project / "definitions/pebble/modular_pebble.py"
    place.write_text(place.read_text() + "\n\nPebbleBlock.nothing\n")
    assert verify(project) == 1
    assert "invalid: " in capsys.readouterr().out


def test_a_definition_that_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = project / "definitions/pebble/modular_pebble.py"
    place.write_text(place.read_text().replace("StoneBlock", "StoneBlok"))
    assert verify(project) == 1
    assert "did you mean StoneBlock" in capsys.readouterr().out


def test_a_library_is_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "transformers/models").mkdir(parents=True)
    assert verify(tmp_path) == 2
    assert "is no project" in capsys.readouterr().err


class Settings:
    """As a configuration is: with a type, and settings that make a model large."""

    model_type = "stone"

    def __init__(self) -> None:
        self.hidden_size, self.num_hidden_layers, self.vocab_size = 4096, 40, 100_000

    def to_dict(self) -> dict[str, int]:
        return vars(self)


class Network(torch.nn.Module):
    """Something to run; ``shift`` is what another one does differently."""

    shift = 0.0

    def __init__(self, config: Settings) -> None:
        super().__init__()
        self.proj = torch.nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.proj(hidden_states) + self.shift


def test_networks_are_run_with_equal_weights() -> None:
    Network.forward.__annotations__.clear()
    Network.__init__.__annotations__["config"] = Settings
    describer = Describer({__name__: {}})
    first, second = run_class(Network, describer), run_class(Network, describer)
    assert first == second and len(first) == 2
    assert "32" in str(first) and "4096" not in str(first)
    other = type("Network", (Network,), {"shift": 1e-6, "__module__": __name__})
    changed = run_class(other, describer)
    assert changed["Network(...)(hidden_states)"] != first["Network(...)(hidden_states)"]


def test_a_configuration_is_compared_by_its_values() -> None:
    found = run_class(Settings, Describer({__name__: {}}))
    assert "4096" in str(found["Settings()"])


def test_a_model_whose_name_begins_lower_case_has_its_roles() -> None:
    parent = ParentNames("lib.modeling_xstone", "xstone", ("xSTONEModel", "xSTONECache", "other"))
    roles = roles_of(parent, {"PebbleModel": ("lib.modeling_xstone", "xSTONEModel")}, "pebble")
    assert roles == {"xSTONEModel": "PebbleModel", "xSTONECache": "PebbleCache"}


CHECKED = """\
def checked(cls):
    plain = cls.__init__

    def __init__(self):
        plain(self)
        if type(self) is cls:
            self.depth = 7

    cls.__init__ = __init__
    return cls


@checked
class StoneConfig:
    model_type = "stone"

    def __init__(self):
        self.width = 2

    def to_dict(self):
        return vars(self)
"""


def test_a_class_is_also_run_with_the_decorators_that_it_takes_over(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what these decorators alone explain is explained by the list."""
    (project / "definitions/stone/modular_stone.py").write_text(CHECKED)
    (project / "definitions/pebble/modular_pebble.py").write_text(
        "from ..stone.configuration_stone import StoneConfig\n\n\n"
        "class PebbleConfig(StoneConfig):\n    pass\n"
    )
    assert verify(project, "pebble", "--format", "json") == 0
    (pebble,) = (i for i in json.loads(capsys.readouterr().out) if i["model"] == "pebble")
    assert {"PebbleConfig()": 2}.items() <= {
        i["place"]: i["entry"] for i in pebble["listed"]
    }.items()
    tampered(monkeypatch, "self.width = 2", "self.width = 3", "configuration")
    assert verify(project, "pebble") == 1
    assert "PebbleConfig()" in capsys.readouterr().out


def test_what_cannot_be_built_is_left_to_inspection() -> None:
    class Odd(torch.nn.Module):
        def __init__(self, ingredient: object) -> None:
            super().__init__()

    assert run_class(Odd, Describer({})) == {}
