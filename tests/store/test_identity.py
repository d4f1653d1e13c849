"""The identity of the tool: whatever decides the output counts, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codegen.output.helper_bundle import helper_folder
from codegen.output.render import template_folder
from codegen.store import identity
from codegen.store.identity import APART, pass_files, tool_identity
from codegen.trees.tree import Tree, open_tree

PACKAGE = Path(identity.__file__).parents[1]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A project with passes of its own."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.codegen]\ndefinitions = "definitions"\noutput = "generated"\nrewrite = true\n'
        'passes = ["extract", "codemods/own.py:Own"]\n'
    )
    (tmp_path / "definitions").mkdir()
    (tmp_path / "codemods").mkdir()
    for name in ("own.py", "beside.py", "notes.txt"):
        (tmp_path / "codemods" / name).touch()
    return open_tree(tmp_path, None)


def files_read(tree: Tree, rewrite: bool, monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """The files whose content is part of the identity."""
    read: set[Path] = set()
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        read.add(path)
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", read_bytes)
        tool_identity(tree, rewrite)
    return read


def is_apart(path: Path) -> bool:
    """Whether a module can decide nothing; tests/test_layers.py says which these are."""
    places = [PACKAGE / name for name in APART]
    return any(place in (path, *path.parents) for place in places)


def test_what_decides_the_output_counts(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("banner", "helpers_banner", "module", "transformers_banner")
    templates = {template_folder() / f"{name}.py.j2" for name in names}
    sources = {path for path in PACKAGE.rglob("*.py") if not is_apart(path)}
    passes = {path for path in sources if PACKAGE / "rewrite" in path.parents}
    helpers = set(helper_folder().glob("*.py"))
    own = {tree.root / "codemods/own.py", tree.root / "codemods/beside.py"}
    assert sources and templates and passes and helpers
    plain = (sources | templates) - passes
    rewriting = sources | templates | helpers
    assert files_read(tree, False, monkeypatch) == plain
    assert files_read(tree, True, monkeypatch) == rewriting | own
    for kind in ("checkout", "package"):
        library = replace(tree, kind=kind)
        assert files_read(library, True, monkeypatch) == rewriting, "a library names no passes"
        assert files_read(library, False, monkeypatch) == plain


def test_the_content_of_a_file_counts(tree: Tree) -> None:
    before = tool_identity(tree, True)
    assert tool_identity(tree, True) == before
    (tree.root / "codemods/beside.py").write_text("x = 1\n")
    assert tool_identity(tree, True) != before
    assert tool_identity(tree, False) != before


OTHER: dict[str, Callable[[Tree], Tree]] = {
    "root": lambda tree: replace(tree, root=tree.root / "sub"),
    "output": lambda tree: replace(tree, output=tree.root / "out"),
    "kind": lambda tree: replace(tree, kind="package"),
    "version": lambda tree: replace(tree, version="5.8.1"),
    "configuration": lambda tree: replace(tree, config=replace(tree.config, output="other")),
    "formatting": lambda tree: replace(
        tree, formatting=replace(tree.formatting, line_length=tree.formatting.line_length + 1)
    ),
}


@pytest.mark.parametrize("what", OTHER)
def test_every_setting_counts(tree: Tree, what: str) -> None:
    assert tool_identity(OTHER[what](tree), False) != tool_identity(tree, False)


def test_the_release_of_the_tool_and_python_count(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tool_identity(tree, False)
    with monkeypatch.context() as patched:
        patched.setattr(identity, "__version__", "other")
        assert tool_identity(tree, False) != before
    monkeypatch.setattr("sys.version", "other")
    assert tool_identity(tree, False) != before


def test_the_files_of_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file, all that it can import beside it; of an installed module, that module."""
    for name in ("codemods/a.py", "codemods/b.py", "lone.py", "pack/__init__.py", "pack/sub.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "pack/deep").mkdir()
    (tmp_path / "pack/deep/__init__.py").touch()
    (tmp_path / "spaces").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    def names(*references: str) -> list[str]:
        found = pass_files(references, tmp_path)
        return [path.relative_to(tmp_path).as_posix() for path in found]

    assert names("extract", "lift") == []
    assert names("codemods/b.py:B", "codemods/a.py:A") == ["codemods/a.py", "codemods/b.py"]
    assert names("codemods/none.py:A") == ["codemods/a.py", "codemods/b.py"]
    assert names("lone:A") == ["lone.py"]
    assert names("pack:A") == ["pack/__init__.py"]
    assert names("pack.sub:A") == ["pack/sub.py"]
    assert names("pack.deep:A") == ["pack/deep/__init__.py"]
    for missing in ("pack.none:A", "none:A", "none.sub:A", "spaces:A", "..x:A", "sys:A", "time:A"):
        assert names(missing) == [], missing
    assert names("lone:A", "pack:B") == ["lone.py", "pack/__init__.py"]
