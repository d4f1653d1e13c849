"""The package of helpers that a tree of its own gets: what is needed and what that imports, and nothing else."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

from codegen.rewrite import Settings
from codegen.rewrite.helpers import HELPER_MODULES
from codegen.rewrite.registry import helper_files

UTILS = Path(__file__).resolve().parents[2] / "utils"


def siblings(module: str) -> set[str]:
    """Modules of ``utils`` that one imports, by its text, and what these import."""
    found: set[str] = set()
    due = [module]
    while due:
        name = due.pop()
        if name not in found:
            found.add(name)
            tree = ast.parse((UTILS / f"{name}.py").read_text(encoding="utf-8"))
            imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
            modules = [n.module or "" for n in imports if not n.level]
            due += [m.removeprefix("utils.") for m in modules if m.startswith("utils.")]
    return found


@pytest.mark.parametrize("module", sorted({*HELPER_MODULES.values()}))
def test_a_module_comes_with_those_that_it_imports(module: str) -> None:
    needed = [name for name, place in HELPER_MODULES.items() if place == module]
    files = {file.path: file.text for file in helper_files(Settings("lib.own"), needed)}
    names = {Path(path).stem for path in files} - {"__init__"}
    assert names == siblings(module)
    for path, text in files.items():
        tree = ast.parse(text)
        inside = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert not [n.module for n in inside if (n.module or "").partition(".")[0] == "utils"]
        if Path(path).stem in names:
            original = (UTILS / f"{Path(path).stem}.py").read_text(encoding="utf-8")
            assert text.count("\n") == original.count("\n")


def test_nothing_needed_nothing_written() -> None:
    assert helper_files(Settings("lib.own"), []) == ()


def test_the_package_gives_each_helper_and_loads_it_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    needed = ["get_vision_cu_seqlens", "get_text_with_replacements"]
    for file in helper_files(Settings("lib.own"), needed):
        place = tmp_path / "own_of_a_test" / Path(file.path).name
        place.parent.mkdir(exist_ok=True)
        place.write_text(file.text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    package = importlib.import_module("own_of_a_test")
    try:
        for name in needed:
            assert callable(getattr(package, name))
            assert name in package.__all__
        with pytest.raises(AttributeError):
            _ = package.get_nothing
    finally:
        for name in [n for n in sys.modules if n.startswith("own_of_a_test")]:
            monkeypatch.delitem(sys.modules, name)
