"""Odd things in a tree: the good models are written, the odd one is told, nothing blocks."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codegen.store.system import locked
from tests.cli.trees import DELTA, FAMILY, PROJECT, Sandbox

GOOD = {"configuration_alpha.py", *(f"modeling_{name}.py" for name in FAMILY)}


def fifo(place: Path) -> None:
    os.mkfifo(place)


def unix_socket(place: Path) -> None:
    here = os.getcwd()
    os.chdir(place.parent)  # names of sockets must be short
    try:
        socket.socket(socket.AF_UNIX).bind(place.name)
    finally:
        os.chdir(here)


def device(place: Path) -> None:
    place.symlink_to("/dev/zero")


def own_device(place: Path) -> None:
    if subprocess.run(["mknod", str(place), "c", "1", "5"], capture_output=True).returncode:
        pytest.skip("devices cannot be made here")


def loop(place: Path) -> None:
    place.symlink_to(place.name)


def folder(place: Path) -> None:
    place.mkdir()


KINDS = [
    fifo,
    *(
        pytest.param(kind, marks=pytest.mark.slow)
        for kind in (device, unix_socket, own_device, loop, folder)
    ),
]
each_kind = pytest.mark.parametrize("make", KINDS, ids=lambda kind: getattr(kind, "__name__", None))


@each_kind
def test_definition(project: Sandbox, make: Callable[[Path], None]) -> None:
    (project.root / "definitions/eps").mkdir()
    make(project.root / "definitions/eps/modular_eps.py")
    for command in ("sync", "check", "list"):
        result = project.run_apart(command)
        assert result.code == 2
        assert "definitions/eps/modular_eps.py: error[" in result.err
        assert "Traceback" not in result.err
    assert project.outputs() == GOOD


@each_kind
def test_parent(project: Sandbox, make: Callable[[Path], None]) -> None:
    """One written by hand where generated files go."""
    project.write(
        {
            "beta": "from ..eps.modeling_eps import EpsModel\n\nclass BetaModel(EpsModel):\n    x = 1\n"
        }
    )
    place = project.generated("eps")
    place.parent.mkdir(parents=True)
    make(place)
    result = project.run_apart("sync")
    assert result.code == 2
    assert "generated/eps/modeling_eps.py: error[unreadable]: cannot read the file" in result.err
    assert project.generated("delta").exists()


@each_kind
def test_generated_file(project: Sandbox, make: Callable[[Path], None]) -> None:
    place = project.generated("delta")
    place.parent.mkdir(parents=True)
    make(place)
    kind = os.lstat(place).st_mode
    for command in ("sync", "check", "sync"):
        result = project.run_apart(command)
        assert result.code == 2
        assert "generated/delta/modeling_delta.py: error[" in result.err
        assert "Traceback" not in result.err
    assert project.generated("gamma").exists()
    assert os.lstat(place).st_mode == kind, "it is left alone"


@each_kind
def test_generated_file_in_a_checkout(checkout: Sandbox, make: Callable[[Path], None]) -> None:
    place = checkout.generated("delta")
    make(place)
    for command in ("sync", "check"):
        result = checkout.run_apart(command)
        assert result.code == 2
        assert "models/delta/modeling_delta.py: error[" in result.err
        assert "Traceback" not in result.err
    assert checkout.generated("gamma").exists()


@each_kind
def test_pyproject(project: Sandbox, make: Callable[[Path], None]) -> None:
    (project.root / "pyproject.toml").unlink()
    make(project.root / "pyproject.toml")
    for command in ("sync", "check"):
        result = project.run_apart(command)
        assert result.code == 2
        assert "pyproject.toml: error[config]: cannot read the configuration" in result.err


@each_kind
def test_cache_and_lock(project: Sandbox, make: Callable[[Path], None]) -> None:
    """An odd cache is none; without a proper lock nothing is written."""
    project.run("sync")
    cache = project.root / ".codegen_cache/cache.jsonl"
    cache.unlink()
    make(cache)
    for command in ("check", "sync", "check"):
        assert project.run_apart(command).code == 0
    lock = project.root / ".codegen_cache/lock"
    lock.unlink(missing_ok=True)
    make(lock)
    result = project.run_apart("sync")
    assert result.code == 2
    assert "is in the place of the lock file" in result.err
    assert project.run_apart("check").code == 0


def test_links_of_the_cache_folder_are_not_followed(project: Sandbox) -> None:
    """What a tree brings along must not damage a file of the user."""
    precious = project.root.parent / "precious.txt"
    precious.write_text("precious")
    absent = project.root.parent / "absent.txt"
    caches = project.root / ".codegen_cache"
    caches.mkdir()
    (caches / "lock").symlink_to(precious)
    (caches / ".gitignore").symlink_to(absent)
    (caches / "cache.jsonl").symlink_to(precious)
    (caches / "cache-1.tmp").symlink_to(precious)
    project.expect("linked_lock", project.run("sync"))
    (caches / "lock").unlink()
    (caches / "lock").symlink_to(absent)
    assert project.run("sync").code == 2
    (caches / "lock").unlink()
    os.link(precious, caches / "lock")
    assert project.run("sync").code == 0
    assert (precious.read_text(), absent.exists()) == ("precious", False)


def test_cache_folder_that_is_a_link(project: Sandbox) -> None:
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    (project.root / ".codegen_cache").symlink_to(elsewhere)
    project.expect("linked_cache_folder", project.run("sync"))
    assert project.run("check").code == 2
    assert list(elsewhere.iterdir()) == []


def test_staging_folder_that_is_a_link(project: Sandbox) -> None:
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.txt").write_text("precious")
    (project.root / ".codegen-staging-x").symlink_to(elsewhere)
    assert project.run("sync").code == 0
    assert (elsewhere / "precious.txt").read_text() == "precious"


@pytest.mark.parametrize(
    "name", ["line\nbreak", "return\rhere", "tab\there", "next\x85line", "\u2028"]
)
def test_folder_name_that_breaks_a_line(project: Sandbox, name: str) -> None:
    place = project.root / "definitions" / name / "modular_eps.py"
    place.parent.mkdir()
    place.write_text(DELTA)
    result = project.run("sync")
    assert result.code == 2
    assert "error[path-name]" in result.err
    assert len(result.err.splitlines()) == 2, "the message is in one line, and its hint"
    assert project.outputs() == GOOD
    assert project.run("check", "--format", "json").json["problems"][0]["code"] == "path-name"


@pytest.mark.parametrize("rewrite", [False, True])
def test_folder_name_that_is_not_utf8(project: Sandbox, rewrite: bool) -> None:
    place = os.path.join(os.fsencode(project.root), b"definitions", b"\xff\xfe")
    os.mkdir(place)
    with open(os.path.join(place, b"modular_eps.py"), "w") as file:
        file.write(DELTA)
    for command in ("sync", "check", "list"):
        result = project.run_apart(command, *(["--rewrite"] if rewrite else []))
        assert result.code == 2
        assert "definitions/\\udcff\\udcfe/modular_eps.py: error[path-name]" in result.err
    assert project.outputs() == GOOD


def test_names_that_differ_in_case(project: Sandbox) -> None:
    project.write({"DELTA": DELTA})
    project.expect("same_without_case", project.run("sync"))
    assert project.outputs() == GOOD - {"modeling_delta.py"}


def test_folders_that_differ_in_case_or_composition(project: Sandbox) -> None:
    for name, model in (("Caf\u00e9", "one"), ("cafe\u0301", "two")):
        place = project.root / "definitions" / name / f"modular_{model}.py"
        place.parent.mkdir()
        place.write_text(DELTA)
    result = project.run("sync")
    assert result.err.count("error[same-without-case]") == 2
    assert project.outputs() == GOOD


@pytest.mark.parametrize(
    "value", [".git", "a/.git/b", ".codegen_cache", "x" * 300, "a\\u0000b", "a\\nb"]
)
def test_output_that_cannot_be_a_folder(project: Sandbox, value: str) -> None:
    (project.root / "pyproject.toml").write_text(PROJECT.replace('"generated"', f'"{value}"'))
    result = project.run_apart("sync")
    assert result.code == 2
    assert "pyproject.toml: error[config]: output in [tool.codegen]" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["y" * 200] * 30), "z/.git"])
def test_output_option_that_cannot_be_a_folder(project: Sandbox, name: str) -> None:
    result = project.run_apart("sync", "--output", name)
    assert result.code == 2
    assert "error[" in result.err and "Traceback" not in result.err


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 20_000, "x = " + "{a=" * 5000, "x = " + "9" * 10_000, "\ud800"],
    ids=["lists", "tables", "number", "surrogate"],
)
def test_configuration_that_is_too_much(project: Sandbox, text: str) -> None:
    data = f"{PROJECT}{text}\n".encode("utf-8", "surrogatepass")
    (project.root / "pyproject.toml").write_bytes(data)
    result = project.run_apart("sync")
    assert result.code == 2
    assert "cannot read the configuration" in result.err and "Traceback" not in result.err


@pytest.mark.parametrize("rewrite", [False, True])
@pytest.mark.parametrize("shape", ["brackets", "operators", "attributes"])
def test_definition_nested_too_deeply(project: Sandbox, shape: str, rewrite: bool) -> None:
    value = {
        "brackets": "(" * 10_000 + "grid_thw" + ")" * 10_000,
        "operators": "-" * 10_000 + "grid_thw",
        "attributes": "grid_thw" + ".a" * 10_000,
    }[shape]
    project.write(
        {"eps": f"class EpsModel:\n    def forward(self, grid_thw):\n        return {value}\n"}
    )
    for command in ("sync", "check"):
        result = project.run_apart(command, *(["--rewrite"] if rewrite else []))
        assert result.code == 2, result
        assert re.search(r"modular_eps.py(:3)?: error\[(too-deep|syntax-error)\]", result.err)
        assert "Traceback" not in result.err
    assert project.outputs() == GOOD


UNREADABLE = """\
import os
scandir, listdir = os.scandir, os.listdir

def refuse(name):
    def refused(path="."):
        if not isinstance(path, int) and os.fspath(path).endswith("/eps"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return name(path)
    return refused

os.scandir, os.listdir = refuse(scandir), refuse(listdir)
"""


@pytest.mark.parametrize("tree", ["project", "checkout"])
def test_folder_that_cannot_be_read(tree: str, request: pytest.FixtureRequest) -> None:
    """What was generated from it stays: nobody knows that its definition is gone."""
    sandbox: Sandbox = request.getfixturevalue(tree)
    sandbox.write({"eps": DELTA.replace("Delta", "Eps")})
    assert sandbox.run("sync").code == 0
    sandbox.definition("delta").write_text(DELTA.replace("1", "2").replace("Delta", "Delta"))
    result = sandbox.run_apart("sync", hook=UNREADABLE)
    assert result.code == 2
    assert "/eps: error[unreadable]: cannot search the folder: Permission denied" in result.err
    assert "Traceback" not in result.err
    assert sandbox.generated("eps").exists()
    assert "depth = 2" in sandbox.generated("delta").read_text()


def test_definitions_that_vanish_while_the_command_runs(project: Sandbox) -> None:
    hook = """\
import codegen.run.examine as examine, shutil
real = examine._definition_texts

def vanishing(tree):
    shutil.rmtree("definitions/delta")
    texts = real(tree)
    shutil.rmtree("definitions/gamma")
    return texts

examine._definition_texts = vanishing
"""
    result = project.run_apart("sync", hook=hook)
    assert result.code == 2
    assert "definitions/delta/modular_delta.py: error[unreadable]" in result.err
    assert "definitions/gamma/modular_gamma.py: error[unreadable]" in result.err
    assert "Traceback" not in result.err
    assert project.generated("beta").exists()


def test_all_definitions_vanish(project: Sandbox) -> None:
    hook = """\
import codegen.run.examine as examine, shutil
real = examine.make_plan

def vanishing(*arguments):
    shutil.rmtree("definitions")
    return real(*arguments)

examine.make_plan = vanishing
"""
    result = project.run_apart("sync", hook=hook)
    assert result.code == 2
    assert "Traceback" not in result.err
    assert project.outputs() == set()


@pytest.mark.parametrize("place", ["cwd", "checkout"])
def test_modules_of_the_tree_are_not_imported(project: Sandbox, place: str) -> None:
    """``python -m`` puts the working directory in front of the import path."""
    (project.root / "pyproject.toml").write_text(PROJECT.replace("none", "black"))
    names = (
        "argparse ast black codecs concurrent filelock hashlib isort jinja2 json multiprocessing"
    )
    names += " numpy platformdirs re ruff signal symtable tempfile tokenize torch traceback"
    for name in names.split():
        (project.root / f"{name}.py").write_text("print('a module of the tree was run')")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if place == "checkout":  # which runs itself, and is in front for that
        for part in ("codegen", "templates", "utils"):
            (project.root / part).symlink_to(Path(__file__).parents[2] / part)
    else:
        environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), "."])
    for command in ("sync", "check"):
        done = subprocess.run(
            [sys.executable, "-m", "codegen", command, "--jobs", "2", "--no-cache"],
            cwd=project.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "module of the tree" not in done.stdout
    assert project.outputs() == GOOD


@pytest.fixture
def scratch(checkout: Sandbox) -> Iterator[Path]:
    """A file system of 64 kB for temporary files."""
    place = checkout.root.parent / "full"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize(
    "room",
    [4_000, 20_000, *(pytest.param(n, marks=pytest.mark.slow) for n in range(0, 44_000, 2_000))],
)
def test_temporary_folder_that_is_full(checkout: Sandbox, scratch: Path, room: int) -> None:
    """Wherever the space ends: our files, what the linter writes, what the formatter writes."""
    (scratch / "fill").write_bytes(bytes(60_000 - room))
    imports = "import " + ", ".join(f"module{index}" for index in range(300))
    uses = "\n".join(f"x{index} = module{index}.f([{'1,' * 40}])" for index in range(300))
    checkout.write({"delta": f"{imports}\n\n\nclass DELTAModel:\n    x = 1\n\n\n{uses}\n"})
    hook = f"import tempfile\ntempfile.tempdir = {str(scratch)!r}"
    result = checkout.run_apart("sync", hook=hook)
    assert "Traceback" not in result.err
    if result.code:
        assert result.code == 2
        assert result.err.startswith("error[temporary-folder]: ") or "full/" in result.err
        assert not checkout.generated("beta").exists()
        assert not list(scratch.glob("codegen-*")), "nothing is left behind"
    written = checkout.generated("delta").exists()
    assert written is (result.code == 0)
    assert checkout.run("sync").code == 0
    assert not written or checkout.run("check").code == 0


def test_folders_that_killed_runs_left_are_removed(
    checkout: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = checkout.root.parent / "temporary"
    monkeypatch.setattr("tempfile.tempdir", str(place))
    old = time.time() - 3600
    for name, lock, age in (
        ("left", True, old),
        ("held", True, old),
        ("bare", False, old),
        ("new", True, None),
    ):
        folder = place / f"codegen-format-{name}"
        folder.mkdir(parents=True)
        (folder / "ruff.toml").touch()
        if lock:
            (folder / "in-use").touch()
        if age:
            os.utime(folder, (age, age))
    elsewhere = checkout.root.parent / "elsewhere"
    elsewhere.mkdir()
    (place / "codegen-format-link").symlink_to(elsewhere)
    with locked(place / "codegen-format-held/in-use"):
        assert checkout.run("sync").code == 0
    names = {path.name.removeprefix("codegen-format-") for path in place.iterdir()}
    assert names == {"held", "new", "link"}
    assert elsewhere.exists()
