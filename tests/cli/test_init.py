"""``init`` begins a project that syncs; ``schema`` describes its table and its reports."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields

import jsonschema
import pytest

from codegen.trees.config import Config
from tests.cli.trees import REPOSITORY, Sandbox

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize("before", ["", "[project]\nname = 'mine'", "[project]\nname = 'mine'\n"])
def test_a_new_project_syncs_and_imports(sandbox: Sandbox, before: str) -> None:
    pyproject = sandbox.root / "pyproject.toml"
    if before:
        pyproject.write_text(before, encoding="utf-8")
    result = sandbox.run("init", "--model", "pebble_vl")
    assert result.code == 0, result.err
    assert "written definitions/pebble_vl/modular_pebble_vl.py" in result.out
    assert pyproject.read_text(encoding="utf-8").startswith(before)
    assert sandbox.run("sync").code == 0
    assert sandbox.run("check").code == 0
    code = "from generated.pebble_vl.modeling_pebble_vl import PebbleVlMLP as M; print(M.__name__)"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.stdout == "PebbleVlMLP\n", done.stderr


def test_without_transformers_the_definition_stands_alone(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert sandbox.run("init").code == 0
    assert sandbox.run("sync").code == 0
    assert (sandbox.root / "generated/pebble/modeling_pebble.py").is_file()


def test_init_overwrites_nothing(project: Sandbox) -> None:
    before = (project.root / "pyproject.toml").read_text(encoding="utf-8")
    result = project.run("init")
    assert result.code == 2
    assert "there is a [tool.codegen] table already" in result.err
    (project.root / "pyproject.toml").unlink()
    result = project.run("init", "--model", "alpha")
    assert result.code == 2 and "the file exists already" in result.err
    assert not (project.root / "pyproject.toml").exists()
    assert "tool.codegen" in before


@pytest.mark.parametrize("name", ["Pebble", "peb-ble", "", "../x", "a\nb"])
def test_a_name_that_is_none_is_refused(sandbox: Sandbox, name: str) -> None:
    result = sandbox.run("init", "--model", name)
    assert result.code == 2 and "cannot be a model name" in result.err
    assert not list(sandbox.root.iterdir())


def test_the_schema_of_the_table_knows_every_setting(sandbox: Sandbox) -> None:
    schema = json.loads(sandbox.run("schema", "table").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == {item.name.replace("_", "-") for item in fields(Config)}
    for path in (REPOSITORY / "pyproject.toml", REPOSITORY / "examples/own_models/pyproject.toml"):
        table = tomllib.loads(path.read_text(encoding="utf-8"))["tool"]["codegen"]
        jsonschema.validate(table, schema)
    for wrong in ({"formatter": "yapf"}, {"line-length": 0}, {"rewrites": True}, {"names": [1]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_reports_are_as_their_schema_says(project: Sandbox) -> None:
    schema = json.loads(project.run("schema", "report").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    project.definition("delta").write_text("def broken(:\n", encoding="utf-8")
    calls = [("list",), ("check", "--diff"), ("sync",), ("sync", "nothing"), ("check",)]
    for call in calls:
        jsonschema.validate(project.run(*call, "--format", "json").json, schema)
