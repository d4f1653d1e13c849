"""Bad configuration and bad usage: what is wrong, in which file, and what would be right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.trees import PROJECT, Sandbox

BAD = {
    "unknown_key": f'{PROJECT}formater = "black"\n',
    "unknown_key_unlike_any": f"{PROJECT}zzz = 1\n",
    "number_for_a_string": PROJECT.replace('"definitions"', "3"),
    "string_for_a_number": f'{PROJECT}line-length = "100"\n',
    "boolean_for_a_number": f"{PROJECT}line-length = true\n",
    "line_length_below_one": f"{PROJECT}line-length = 0\n",
    "string_for_a_list": f'{PROJECT}include = "alpha"\n',
    "list_of_numbers": f"{PROJECT}expand = [1, 2]\n",
    "string_for_a_table": f'{PROJECT}names = "Alpha"\n',
    "number_in_a_table": f"{PROJECT}[tool.codegen.names]\nalpha = 1\n",
    "string_for_a_boolean": f'{PROJECT}rewrite = "yes"\n',
    "unknown_role": f"{PROJECT}[tool.codegen.vocabulary]\ngrid = []\n",
    "role_unlike_any": f"{PROJECT}[tool.codegen.vocabulary]\nzzz = []\n",
    "string_for_names": f'{PROJECT}[tool.codegen.vocabulary]\ngrids = "layout"\n',
    "empty_name": f'{PROJECT}[tool.codegen.vocabulary]\ngrids = [""]\n',
    "words_for_a_name": f'{PROJECT}[tool.codegen.vocabulary]\ngrids = ["patch layout"]\n',
    "kept_inside_a_method": f'{PROJECT}keep = ["Encoder", "Encoder.forward.ids"]\n',
    "kept_keyword": f'{PROJECT}keep = ["class"]\n',
    "helpers_with_a_space": f'{PROJECT}helpers = "x y"\n',
    "helpers_as_a_path": f'{PROJECT}helpers = "src/helpers"\n',
    "string_for_a_vocabulary": f'{PROJECT}vocabulary = "layout"\n',
    "unknown_formatter": PROJECT.replace('"none"', '"yapf"'),
    "unknown_super_calls": f'{PROJECT}super-calls = "mine"\n',
    "broken_toml": PROJECT.replace('output = "generated"', "output ="),
    "tool_is_no_table": "tool = 1\n",
    "codegen_is_no_table": "[tool]\ncodegen = true\n",
    "definitions_missing": PROJECT.replace('"definitions"', '"nowhere"'),
    "definitions_outside": PROJECT.replace('"definitions"', '"../elsewhere"'),
    "definitions_absolute": PROJECT.replace('"definitions"', '"/etc"'),
    "output_outside": PROJECT.replace('"generated"', '"../elsewhere"'),
    "output_empty": PROJECT.replace('"generated"', '""'),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_configuration(project: Sandbox, name: str) -> None:
    (project.root / "pyproject.toml").write_text(BAD[name])
    (project.root.parent / "elsewhere").mkdir()
    result = project.run("sync")
    project.expect(f"configuration/{name}", result)
    assert result.code == 2
    assert project.outputs() == set()


def test_configuration_that_is_not_utf8(project: Sandbox) -> None:
    (project.root / "pyproject.toml").write_bytes(PROJECT.encode() + b"# caf\xe9\n")
    project.expect("configuration/not_utf8", project.run("check"))


def test_configuration_with_byte_order_mark_and_crlf(project: Sandbox) -> None:
    data = PROJECT.encode().replace(b"\n", b"\r\n")
    (project.root / "pyproject.toml").write_bytes(b"\xef\xbb\xbf" + data)
    assert project.run("sync").code == 0


def test_no_tree_here(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    import codegen.trees.tree

    monkeypatch.setattr(codegen.trees.tree, "_recognise", lambda folder: None)
    sandbox.expect("no_tree", sandbox.run("sync"))


def test_root_that_is_no_tree(sandbox: Sandbox) -> None:
    (sandbox.root / "empty").mkdir()
    sandbox.expect("root_is_no_tree", sandbox.run("check", "--root", "empty"))


def test_root_that_does_not_exist(sandbox: Sandbox) -> None:
    sandbox.expect("root_does_not_exist", sandbox.run("list", "--root", "nowhere"))


def test_project_found_from_a_folder_inside(project: Sandbox) -> None:
    os.chdir(project.definition("beta").parent)
    assert project.run("sync").code == 0
    assert project.generated("beta").is_file()


def test_root_given_from_elsewhere(project: Sandbox, tmp_path: Path) -> None:
    os.chdir(tmp_path)
    assert project.run("sync", "--root", "tree").code == 0
    assert project.generated("beta").is_file()
    project.write({"delta": "class DeltaModel:\n    depth = 2\n"})
    checked = project.run("check", "--root", "tree")
    assert "run `python -m codegen sync --root tree delta`" in checked.out


def test_project_without_definitions(project: Sandbox) -> None:
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(f'{PROJECT}include = ["nothing"]\n')
    result = project.run("sync")
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize(
    ("name", "arguments"),
    {
        "no_command": [],
        "unknown_command": ["sink"],
        "unknown_option": ["sync", "--fast"],
        "no_jobs": ["sync", "--jobs", "0"],
        "jobs_that_are_no_number": ["sync", "--jobs", "many"],
        "quiet_and_verbose": ["sync", "--quiet", "--verbose"],
        "unknown_format": ["check", "--format", "xml"],
        "diff_of_sync": ["sync", "--diff"],
        "force_of_check": ["check", "--force"],
    }.items(),
)
def test_bad_usage(project: Sandbox, name: str, arguments: list[str]) -> None:
    result = project.run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("usage: python -m codegen")
    assert "error: " in result.err.splitlines()[-1]
