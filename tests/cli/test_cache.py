"""The cache saves time and nothing else: whatever is in it, the files come out right."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from codegen.store import cache as caching
from codegen.store import identity
from tests.cli.trees import ALPHA, BETA, Sandbox


def _cache(sandbox: Sandbox) -> dict:  # type: ignore[type-arg]
    return {path.name: path for path in (sandbox.root / ".codegen_cache").iterdir()}


def _truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip_digests(data: bytes) -> bytes:
    """Another digit in every digest, as a bad disk or a bad merge would leave it."""
    return data.replace(b"0", b"1")


def _claim_empty_outputs(data: bytes) -> bytes:
    return data.replace(b"outputs", b"outputz")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "truncated": _truncate,
    "not text": lambda data: os.urandom(4096),
    "not json": lambda data: b"hello",
    "other json": lambda data: b'["codegen"]',
    "nested too deeply": lambda data: b"[" * 200_000,
    "digits changed": _flip_digests,
    "keys changed": _claim_empty_outputs,
    "appended to": lambda data: data + data,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_cache_is_rebuilt_silently(project: Sandbox, damage: str) -> None:
    project.run("sync")
    expected = project.files()
    place = _cache(project)["cache.jsonl"]
    place.write_bytes(DAMAGES[damage](place.read_bytes()))
    project.generated("beta").write_text(
        project.generated("beta").read_text().replace("states *", "states +")
    )
    checked = project.run("check")
    assert (checked.code, checked.err) == (1, "")
    result = project.run("sync")
    assert (result.code, result.err) == (0, "")
    # Nobody knows any more that the file was edited, so what was there is kept.
    copy = project.generated("beta").with_name("modeling_beta.py.edited")
    assert "states +" in copy.read_text()
    copy.unlink()
    assert project.files() == expected
    assert project.run("sync", "--format", "json").expanded() == set(), "and it is valid again"


def test_cache_that_is_a_folder(project: Sandbox) -> None:
    (project.root / ".codegen_cache/cache.jsonl").mkdir(parents=True)
    assert project.run("sync").code == 0
    assert project.run("check").code == 0
    assert set(_cache(project)) <= {"cache.jsonl", "lock", ".gitignore"}


def test_cache_folder_that_is_a_file(project: Sandbox) -> None:
    (project.root / ".codegen_cache").write_text("not a folder")
    assert project.run("sync").code == 0
    assert project.run("check").code == 0


def test_cache_of_another_tree(project: Sandbox) -> None:
    """A copied folder brings a cache that speaks of other places."""
    project.run("sync")
    copy = project.root.parent / "copy"
    os.rename(project.root, copy)
    result = project.run("check", "--root", str(copy), "--format", "json")
    assert result.code == 0
    assert result.expanded() == {"alpha", "beta", "gamma", "delta"}


@pytest.mark.parametrize("changed", ["version", "format"])
def test_cache_of_another_version(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    module, name = {"version": (identity, "__version__"), "format": (caching, "_FORMAT")}[changed]
    monkeypatch.setattr(module, name, "0")
    project.run("sync")
    monkeypatch.undo()
    os.chdir(project.root)
    result = project.run("sync", "--format", "json")
    assert result.expanded() == {"alpha", "beta", "gamma", "delta"}
    assert project.run("sync", "--format", "json").expanded() == set()


def test_changed_settings_are_another_cache(project: Sandbox) -> None:
    project.run("sync")
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("none", "black"))
    assert project.run("check", "--format", "json").expanded() == {
        "alpha",
        "beta",
        "gamma",
        "delta",
    }


def test_no_cache_neither_reads_nor_writes_it(project: Sandbox) -> None:
    assert project.run("sync", "--no-cache").code == 0
    assert "cache.jsonl" not in _cache(project)
    assert ".gitignore" in _cache(project), "what is there must not show up in git"
    project.run("sync")
    place = _cache(project)["cache.jsonl"]
    kept = place.read_bytes()
    project.write({"alpha": ALPHA.replace("Alpha, the", "Alpha the")})
    again = project.run("sync", "--no-cache", "--format", "json")
    assert again.expanded() == {"alpha", "beta", "gamma", "delta"}
    assert place.read_bytes() == kept


def test_cache_is_valid_json_with_its_checksum(project: Sandbox) -> None:
    """Other tools may read it; a line of its own guards the rest against damage."""
    project.run("sync")
    lines = _cache(project)["cache.jsonl"].read_text().splitlines()
    checksum, data = map(json.loads, lines)
    assert len(checksum) == 64
    assert set(data["records"]) == {"alpha", "beta", "gamma", "delta"}


def test_edit_that_keeps_size_and_time(project: Sandbox) -> None:
    """A change under the old size and modification time shows in the time of the change."""
    project.run("sync")
    place = project.definition("alpha")
    status = place.stat()
    place.write_text(ALPHA.replace("states * self.width", "states + self.width"))
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.run("check").code == 1
    assert project.run("sync", "--format", "json").expanded() == {"alpha", "beta", "gamma"}


def test_edits_right_after_a_run(project: Sandbox) -> None:
    """Clocks of file systems are coarse: a file as young as the cache is read again."""
    project.run("sync")
    for _ in range(20):
        for text in (ALPHA.replace("* self", "+ self"), ALPHA.replace("* self", "- self")):
            project.write({"alpha": text})
            project.run("sync")
            sign = "+" if "+ self" in text else "-"
            assert f"states {sign} self.width" in project.generated("gamma").read_text()


def test_replaced_file_with_the_times_of_the_old_one(project: Sandbox) -> None:
    project.run("sync")
    place = project.definition("beta")
    status = place.stat()
    new = place.with_suffix(".new")
    new.write_text(BETA.replace("is built", "was built"))
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(new, place)
    assert project.run("sync", "--format", "json").expanded() == {"beta"}


@pytest.mark.parametrize("variable", ["CODEGEN_CACHE_DIR", "XDG_CACHE_HOME"])
def test_cache_elsewhere(project: Sandbox, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    place = project.root.parent / "elsewhere"
    monkeypatch.setenv(variable, str(place))
    options = [] if variable == "CODEGEN_CACHE_DIR" else ["--output", str(place.parent / "out")]
    project.run("sync", *options)
    assert list(place.rglob("cache.jsonl"))
    assert not (project.root / ".codegen_cache").exists()
    assert project.run("sync", *options, "--format", "json").expanded() == set()


def test_generated_file_with_other_line_breaks(project: Sandbox) -> None:
    """Bytes count for what is generated, with and without a cache."""
    project.run("sync")
    place = project.generated("delta")
    expected = place.read_bytes()
    place.write_bytes(expected.replace(b"\n", b"\r\n"))
    assert project.run("check").code == 1
    assert project.run("check", "--no-cache").code == 1
    project.run("sync")
    assert place.read_bytes() == expected


def test_installed_parent_of_another_environment(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same project with another release of a library: what was expanded from it is stale."""
    pyproject = project.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text() + 'expand = ["library_of_ours.*"]\n')
    project.write(
        {
            "beta": "from library_of_ours.modeling_base import BaseModel\n\n\n"
            "class BetaModel(BaseModel):\n    pass\n"
        }
    )
    for release in ("one", "two"):
        package = project.root.parent / release / "library_of_ours"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        text = f'class BaseModel:\n    release = "{release}"\n'
        (package / "modeling_base.py").write_text(text)
        with monkeypatch.context() as context:
            context.syspath_prepend(package.parent)
            assert project.run("sync").code == 0
            assert project.run("check").code == 0
        assert f'release = "{release}"' in project.generated("beta").read_text()
