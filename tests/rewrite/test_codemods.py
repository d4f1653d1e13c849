"""Passes of a project: which are taken, which are refused and where, and what they may write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codegen.errors import CodegenError, Diagnostic
from codegen.rewrite import Settings, rewrite_library
from codegen.rewrite.codemods import load_pass, run_on_texts, run_pass
from tests.rewrite.test_rules import GOLDEN, DictLibrary, read_case

HEAD = """import libcst as cst
from libcst.codemod import CodemodCommand, SkipFile, VisitorBasedCodemodCommand as Visitor


"""
RENAME = """class {name}(Visitor):
    DESCRIPTION = "Renames."

    def leave_Name(self, original_node, updated_node):
        if updated_node.value != "{old}":
            return updated_node
        return updated_node.with_changes(value="{new}")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "passes").mkdir()
    return tmp_path


def write(root: Path, text: str, name: str = "own.py") -> str:
    (root / "passes" / name).write_text(HEAD + text)
    return f"passes/{name}"


def problem(root: Path, reference: str) -> Diagnostic:
    with pytest.raises(CodegenError) as caught:
        load_pass(reference, root)
    (found,) = caught.value.diagnostics
    assert found.code == "pass"
    return found


def test_a_codemod_is_loaded_by_its_file(root: Path) -> None:
    place = write(root, RENAME.format(name="Rename", old="a", new="b"))
    own = load_pass(f"{place}:Rename", root)
    assert (own.reference, own.path, own.runs_on) == (f"{place}:Rename", place, "sources")
    assert run_pass(own, "a = 1\n", "f.py", "f")[0] == "b = 1\n"


def test_one_that_runs_on_generated_files_says_so(root: Path) -> None:
    text = RENAME.format(name="Rename", old="a", new="b")
    place = write(root, text + '    RUNS_ON = "generated"\n')
    assert load_pass(f"{place}:Rename", root).runs_on == "generated"
    place = write(root, text + '    RUNS_ON = "elsewhere"\n', "other.py")
    found = problem(root, f"{place}:Rename")
    assert found.message == "RUNS_ON of Rename is 'elsewhere'"
    assert found.hint == "use sources or generated"


def test_one_in_an_installed_module() -> None:
    own = load_pass("libcst.codemod.commands.strip_strings_from_types:StripStringsCommand", Path())
    assert own.path.endswith("strip_strings_from_types.py")


def test_what_is_not_there_is_refused_at_its_place(root: Path) -> None:
    assert problem(root, "passes/none.py:A").message == "the file of a pass does not exist"
    found = problem(root, "passes:A")
    assert found.message.startswith("the module of a pass cannot be imported")
    assert (str(found.location), found.hint) == ("passes", "see passes in [tool.codegen]")
    (root.parent / "outside.py").write_text("")
    message = "the file of a pass must be below the project's root"
    assert problem(root, "../outside.py:A").message == message
    place = write(root, RENAME.format(name="Rename", old="a", new="b") + "\nOther = 1\n")
    found = problem(root, f"{place}:Renamed")
    assert (found.message, found.hint) == ("Renamed does not exist", "did you mean Rename?")
    found = problem(root, f"{place}:Other")
    assert (found.message, found.hint) == ("Other is no libcst codemod", "did you mean Rename?")
    assert str(found.location) == place
    place = write(root, "Other = CodemodCommand\n", "foreign.py")
    hint = "derive it from libcst.codemod.CodemodCommand"
    assert problem(root, f"{place}:Missing").hint == hint, "only a class of its own is proposed"


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("x = (\n", 5, "the pass cannot be loaded: '(' was never closed"),
        ("x = 1\n\ny = x / 0\n", 7, "the pass cannot be loaded: ZeroDivisionError"),
        ("import nowhere_at_all\n", 5, "the pass cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_pass_that_cannot_be_loaded_is_refused_at_its_line(
    root: Path, text: str, line: int, message: str
) -> None:
    place = write(root, text)
    found = problem(root, f"{place}:A")
    assert found.message.startswith(message)
    assert str(found.location) == f"{place}:{line}"


def test_an_edited_file_is_another_pass(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Bytecode is known by size and second, and an edit can leave both as they are.
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    place = write(root, RENAME.format(name="Rename", old="a", new="b"))
    os.utime(root / place, (10**9, 10**9))
    first = load_pass(f"{place}:Rename", root)
    assert load_pass(f"{place}:Rename", root) is first
    write(root, RENAME.format(name="Rename", old="a", new="c"))
    os.utime(root / place, (10**9, 10**9))
    second = load_pass(f"{place}:Rename", root)
    assert run_pass(second, "a = 1\n", "f.py", "f")[0] == "c = 1\n"


FAILING = {
    "raises": (
        "    def transform_module_impl(self, tree):\n        raise KeyError('gone')\n",
        "A fails on f.py: KeyError: 'gone'",
        9,
    ),
    "does not parse": (
        "    def leave_Integer(self, original_node, updated_node):\n"
        "        return cst.Name('class')\n",
        "A cannot be used on f.py: line 1 of its result does not parse",
        0,
    ),
    "names nothing": (
        "    def leave_Integer(self, original_node, updated_node):\n"
        "        return cst.Name('nobody')\n",
        "A cannot be used on f.py: its result uses nobody, which nothing defines",
        0,
    ),
    "grows": (
        "    def leave_Integer(self, original_node, updated_node):\n"
        "        return updated_node.with_changes(value=updated_node.value + '0')\n",
        "A cannot be used on f.py: a second run changes its result again",
        0,
    ),
}


@pytest.mark.parametrize("kind", FAILING)
def test_what_a_pass_must_not_do(root: Path, kind: str) -> None:
    body, message, line = FAILING[kind]
    base = "CodemodCommand" if "transform_module_impl" in body else "Visitor"
    place = write(root, f'class A({base}):\n    DESCRIPTION = ""\n\n{body}')
    own = load_pass(f"{place}:A", root)
    with pytest.raises(CodegenError) as caught:
        run_pass(own, "x = 1\n", "f.py", "f")
    (found,) = caught.value.diagnostics
    assert found.message == message
    assert str(found.location) == (f"{place}:{line}" if line else place)


def test_what_is_skipped_warned_about_and_changed_is_recorded(root: Path) -> None:
    body = """class A(CodemodCommand):
    DESCRIPTION = ""

    def transform_module_impl(self, tree):
        if "skip" in tree.code:
            raise SkipFile("not this one")
        if "silent" in tree.code:
            raise SkipFile("")
        self.warn("looked at")
        return tree.visit(Two())


class Two(cst.CSTTransformer):
    def leave_Integer(self, original_node, updated_node):
        return updated_node.with_changes(value="2")
"""
    own = load_pass(f"{write(root, body)}:A", root)
    texts = {
        "models.a.modeling_a": ("a.py", "x = 1\n"),
        "models.b.modeling_b": ("b.py", "skip = 1\n"),
        "models.c.modeling_c": ("c.py", "silent = 1\n"),
        "models.d.modeling_d": ("d.py", "x = 2\n"),
        "models.e.modeling_e": ("e.py", "x = (\n"),
    }
    changed, records = run_on_texts(own, texts)
    assert changed == {"models.a.modeling_a": "x = 2\n"}
    assert [(r.model, r.kind, r.location, r.helper, r.reason) for r in records] == [
        ("a", "left", "a.py:1", "A", "looked at"),
        ("a", "rewritten", "a.py:1", "A", ""),
        ("b", "left", "b.py:1", "A", "not this one"),
        ("c", "left", "c.py:1", "A", "the pass skips this file"),
        ("d", "left", "d.py:1", "A", "looked at"),
    ]


def test_passes_run_in_the_order_in_which_they_are_named(root: Path) -> None:
    """Own ones between ours, all of them, each on what the one before has written."""
    first = RENAME.format(name="First", old="sizes", new="grid_thw")
    last = RENAME.format(name="Last", old="TinyEncoder", new="TunyEncoder")
    place = write(root, first + "\n\n" + last)
    case = read_case(GOLDEN / "extract/cumulative_lengths.txt")
    (path,) = case.files
    text = case.files[path].replace("grid_thw", "sizes")
    settings = Settings(
        passes=(f"{place}:First", "extract", f"{place}:Last", "lift"), root=str(root)
    )
    result = rewrite_library(DictLibrary({path: text}), settings)
    new = result.edits[path]
    assert "class TunyEncoder" in new or "TinyEncoder" not in text
    assert "get_vision_cu_seqlens(grid_thw" in new
    assert "sizes" not in new.replace("grid_sizes", "")
    assert {r.helper for r in result.report if r.kind == "rewritten"} >= {"First"}
