"""Writing fails: all or none of a model's files, no stray files, and one message."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import codegen.store.workspace
from tests.cli.trees import ALPHA, FAMILY, Sandbox

#: Larger files than this cannot be written by the process (a limit that holds for root, too).
SMALL_FILES = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
LONG_ALPHA = ALPHA + "\n\nclass AlphaTable:\n    rows = [\n" + "        0,\n" * 400 + "    ]\n"


def _no_strays(sandbox: Sandbox) -> None:
    names = {path.name for path in sandbox.root.rglob("*")}
    assert not [name for name in names if "staging" in name or name.endswith((".tmp", ".new"))]


def test_place_of_the_output_is_taken_by_a_file(project: Sandbox) -> None:
    (project.root / "generated").write_text("not a folder")
    result = project.run("sync")
    project.expect("output_is_a_file", result)
    assert (project.root / "generated").read_text() == "not a folder"
    _no_strays(project)


def test_place_of_a_model_is_taken_by_a_file(project: Sandbox) -> None:
    (project.root / "generated").mkdir()
    (project.root / "generated/delta").write_text("not a folder")
    result = project.run("sync")
    project.expect("model_folder_is_a_file", result)
    assert project.generated("gamma").exists()
    _no_strays(project)


def test_place_of_a_file_is_taken_by_a_folder(project: Sandbox) -> None:
    project.generated("delta").mkdir(parents=True)
    result = project.run("sync")
    project.expect("output_is_a_folder", result)
    assert project.generated("gamma").exists()
    _no_strays(project)


def test_file_too_large_for_the_system(project: Sandbox) -> None:
    """A real write that fails in the middle of a file."""
    project.write({"alpha": LONG_ALPHA})
    result = project.run_apart("sync", "--no-cache", hook=SMALL_FILES)
    project.expect("write_fails", result)
    assert result.code == 2
    assert "configuration_alpha.py" not in project.outputs(), "all or none of a model"
    assert project.generated("gamma").exists()
    _no_strays(project)


def test_old_files_stay_when_new_ones_cannot_be_written(project: Sandbox) -> None:
    project.run("sync")
    before = project.files()
    changed = LONG_ALPHA.replace('model_type = "alpha"', 'model_type = "other"')
    project.write({"alpha": changed})
    assert project.run_apart("sync", hook=SMALL_FILES).code == 2
    after = project.files()
    for kind in ("modeling", "configuration"):
        path = f"generated/alpha/{kind}_alpha.py"
        assert after[path] == before[path]
    _no_strays(project)
    assert project.run("sync").code == 0
    assert 'model_type = "other"' in project.generated("alpha", "configuration").read_text()


def test_cache_that_cannot_be_written_costs_nothing(project: Sandbox) -> None:
    hook = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    project.write({name: text for name, text in FAMILY.items() if name != "alpha"})
    result = project.run_apart("sync", hook=hook)
    assert (result.code, result.err) == (0, "")
    assert not list((project.root / ".codegen_cache").glob("cache*"))
    _no_strays(project)


class _Failing:
    """Stands for ``put``, which moves one file: fails at one call, counting from one."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.calls, self.at, self.error = 0, at, error
        self.real = codegen.store.workspace.put

    def __call__(self, place: Path, source: Path | None) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        self.real(place, source)


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("what", ["new files", "changed files"])
def test_disk_full_while_files_are_put_in_place(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch, at: int, what: str
) -> None:
    """Whether the first or the second of two files fails, both are as they were."""
    if what == "changed files":
        project.run("sync")
        changed = ALPHA.replace("self.width", "self.depth").replace('"alpha"', '"other"')
        project.write({"alpha": changed})
    before = project.files()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(codegen.store.workspace, "put", _Failing(at, full))
    result = project.run("sync", "alpha", "--no-cache")
    monkeypatch.undo()
    os.chdir(project.root)
    if (at, what) == (1, "new files"):
        project.expect("disk_full", result)
    assert result.code == 2
    assert project.files() == before
    _no_strays(project)


def test_interrupt_while_files_are_put_in_place(
    project: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("sync")
    changed = ALPHA.replace("self.width", "self.depth").replace('"alpha"', '"other"')
    project.write({"alpha": changed})
    before = project.files()
    monkeypatch.setattr(codegen.store.workspace, "put", _Failing(2, KeyboardInterrupt()))
    result = project.run("sync", "alpha")
    project.expect("interrupted", result)
    assert result.code == 130
    assert project.files() == before
    _no_strays(project)


def test_failing_removal_of_an_orphan(project: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run("sync")
    start, _, rest = ALPHA.partition("class AlphaConfig")
    project.write({"alpha": start + rest[rest.index("class AlphaMLP") :].replace("width", "x")})
    before = project.files()

    def unlink(self: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(codegen.store.workspace.Path, "unlink", unlink)
    result = project.run("sync", "alpha")
    monkeypatch.undo()
    os.chdir(project.root)
    assert result.code == 2
    assert "configuration_alpha.py: error[unwritable]: " in result.err
    assert project.files() == before
    _no_strays(project)


@pytest.fixture
def tiny_disk(project: Sandbox) -> Iterator[Path]:
    """A file system of 64 kB in the place of the output."""
    place = project.root / "generated"
    place.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_real_disk_full(project: Sandbox, tiny_disk: Path) -> None:
    large = ALPHA + "\n\nclass AlphaTable:\n    text = '" + "x" * 100_000 + "'\n"
    project.write({"alpha": large})
    result = project.run("sync", "--no-cache")
    project.expect("disk_really_full", result)
    assert result.code == 2
    assert "configuration_alpha.py" not in project.outputs()
    assert "modeling_delta.py" in project.outputs(), "small ones fit"
    _no_strays(project)


def test_real_read_only_disk(project: Sandbox, tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    result = project.run("sync", "delta", "--no-cache")
    project.expect("read_only", result)
    assert result.code == 2
    assert project.outputs() == set()


def test_an_output_folder_whose_parents_do_not_exist(project: Sandbox) -> None:
    folder = project.root.parent / "one/two/three"
    assert project.run("sync", "--output", str(folder)).code == 0
    assert (folder / "generated/alpha/modeling_alpha.py").is_file()
