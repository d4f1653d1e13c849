"""What the state of the passes says of files: which matter, what they import, and where a line of a report stands."""

from __future__ import annotations

import ast
from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from codegen.rewrite import Settings
from codegen.rewrite.emit.edits import Change, Site
from codegen.rewrite.helpers import HELPER_MODULES
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.state import RewriteState, _made_of, taken_name
from codegen.rewrite.values import Record, Source
from tests.rewrite.test_rules import DictLibrary

ENCODER = """class TinyEncoder:
    def forward(self, hidden, grid_thw):
        return [t * h * w for t, h, w in grid_thw.tolist()]
"""
SEQLENS, POS_IDS = "get_vision_cu_seqlens", "get_rotary_pos_ids"
OURS = "from ...modeling_vision_utils import "


def state_of(**texts: str) -> RewriteState:
    """Files ``models/<name>/modeling_<name>.py``."""
    files = {f"models/{name}/modeling_{name}.py": text for name, text in texts.items()}
    return RewriteState(DictLibrary(files), Settings())


def path_of(name: str) -> str:
    return f"models/{name}/modeling_{name}.py"


def replaced(state: RewriteState, name: str, text: str) -> None:
    """The file has become another text on the way."""
    source = Source(path_of(name), f"models.{name}.modeling_{name}", text)
    state.index.replace(ModuleInfo.parse(source))


def test_files_of_interest_and_the_others() -> None:
    state = state_of(a=ENCODER, b="x = 1", c=f"{ENCODER}(", d=ENCODER)
    assert [info.source.path for info in state.candidates()] == [path_of("a"), path_of("d")]
    for _ in range(2):
        state.candidates()
    reason = "not looked at: as Python it cannot be read ('(' was never closed)"
    assert [(r.kind, r.location, r.reason) for r in state.records] == [
        ("left", f"{path_of('c')}:4", reason)
    ]
    assert [source.path for source in state.others()] == [path_of("b"), path_of("c")]


@pytest.mark.parametrize(
    ("line", "shared", "reason"),
    [
        (f"from ...vision_utils import {SEQLENS}", True, " of this tree"),
        (f"from ...vision_utils import {SEQLENS} as made", True, " of this tree"),
        (f"if True:\n    from lib.vision_utils import a, {SEQLENS}", True, " of this tree"),
        (f"{OURS}{SEQLENS}", False, ""),
        (f"from ...encoder_helpers import {SEQLENS}", False, ""),
        ("from ...vision_utils import other  # get_vision_", False, None),
        (f"from ...vision_utils import made as {SEQLENS}", False, None),
        (f"from ...vision_utilities import {SEQLENS}  # vision_utils", False, None),
        (f"from . import {SEQLENS}  # vision_utils", False, None),
        (f"import vision_utils.{SEQLENS}", False, None),
        (f"from ...other import {SEQLENS}", False, None),
    ],
)
def test_helpers_that_a_tree_has_already(line: str, shared: bool, reason: str | None) -> None:
    state = state_of(a=f"{line}\n{ENCODER}", b=ENCODER)
    told = [(r.location, r.reason) for r in state.records]
    assert state.shared == shared
    place = f"{path_of('a')}:1"
    said = f"the tensors already come from shared functions{reason}"
    assert told == ([] if reason is None else [(place, said)])
    assert len(state.candidates()) == 2


def test_an_installed_file_with_such_helpers_is_left_as_it_is() -> None:
    text = f"from ...vision_utils import {SEQLENS}\n{ENCODER}"

    class Installed(DictLibrary):
        """A library with a file outside of the tree."""

        def read(self, module: str) -> Source | None:
            found = super().read(module)
            far = found is not None and found.path == path_of("a")
            return replace(found, path=f"/lib/{found.path}") if far and found else found

    state = RewriteState(Installed({path_of("a"): text, path_of("b"): ENCODER}), Settings())
    assert not state.shared
    assert [info.source.path for info in state.candidates()] == [path_of("b")]


@pytest.mark.parametrize(
    ("texts", "optional"),
    [
        (["Optional[int]"], "Optional"),
        (["int | None"], ""),
        (["Optional[int]", "int | None"], ""),
        (["Optional[int]", "Optional[str]", "int | None"], "Optional"),
        (["Optional[int] | None"], ""),
        ([""], ""),
    ],
)
def test_how_a_tree_writes_types_that_may_be_none(texts: list[str], optional: str) -> None:
    files = {f"f{n}": f"{ENCODER}x: {text or 'int'}\n" for n, text in enumerate(texts)}
    assert state_of(**files, g="Optional[", h="Optional[").optional == optional


@pytest.mark.parametrize(
    ("text", "helpers"),
    [
        (f"{OURS}{SEQLENS}", {SEQLENS}),
        (f"{OURS}{SEQLENS} as made, {POS_IDS}", {SEQLENS, POS_IDS}),
        (f"{OURS}(\n    {SEQLENS},\n    other,\n)", {SEQLENS}),
        (f"from .modeling_vision_utils import {SEQLENS}", set()),
        (f"from ....modeling_vision_utils import {SEQLENS}", set()),
        (f"from ...modeling_audio_utils import {SEQLENS}", set()),
        (f"from ...other import {SEQLENS}  # {OURS}", set()),
        (f"{OURS}other  # {SEQLENS}", set()),
        (f"def f():\n    {OURS}{SEQLENS}", set()),
        (f"{OURS}{SEQLENS}\n(", set()),
    ],
)
def test_helpers_that_files_import(text: str, helpers: set[str]) -> None:
    assert state_of(a=text, b="x = 1").needed_helpers() == helpers
    state = state_of(a=ENCODER, b="x = 1")
    assert state.needed_helpers() == set()
    if not text.endswith("("):
        replaced(state, "a", text)
        state.required.add("halved_lengths")
        assert state.needed_helpers() == {*helpers, "halved_lengths"}


def record(kind: Any, line: int, method: str = "forward", name: str = "a") -> Record:
    return Record("a", "TinyEncoder", method, kind, f"{path_of(name)}:{line}", reason="why")


def test_a_line_of_a_report_is_one_of_the_file_as_it_was_given() -> None:
    state = state_of(a=f"x = 1\n{ENCODER}", b=ENCODER)
    state.candidates()
    replaced(state, "a", f"x = 1\nimport torch\n\n\n{ENCODER}")
    for kind, line in (
        ("lifted", 9),
        ("captured", 9),
        ("failed", 9),
        ("extracted", 9),
        ("left", 7),
    ):
        state.note(record(kind, line))
    state.note(record("lifted", 9, "other"))
    state.note(record("left", 3, name="b"))
    lines = [int(r.location.rpartition(":")[2]) for r in state.records]
    assert lines == [3, 3, 3, 9, 4, 9, 3]
    info = state.index.get("models.a.modeling_a")
    assert info is not None
    assert [state.given_line(info, line) for line in (1, 5, 7)] == [1, 2, 4]
    state.note(replace(record("left", 7), location="elsewhere.py:7"))
    state.note(replace(record("left", 7), location=path_of("a")))
    assert [r.location for r in state.records[-2:]] == ["elsewhere.py:7", path_of("a")]


def test_a_second_look_reports_nothing() -> None:
    state = state_of(a=ENCODER)
    again = RewriteState(state.index.library, Settings(), again=state)
    for each in (state, again):
        each.note(record("lifted", 2))
    assert (len(state.records), len(again.records)) == (1, 0)


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        (f"{OURS}{SEQLENS}, {POS_IDS}\n{ENCODER}", False),
        (f"{OURS}{SEQLENS}, {POS_IDS}\n{ENCODER}\n{SEQLENS}", True),
        (f"{OURS}{SEQLENS}, {POS_IDS}\n{ENCODER}        return {SEQLENS}(grid_thw)\n", True),
        (f"{OURS}{SEQLENS}, {POS_IDS}\n{ENCODER}        '{SEQLENS}'\n", False),
        (f"{OURS}{SEQLENS}, {POS_IDS}\n{ENCODER}        return self.{SEQLENS}(grid_thw)\n", False),
    ],
)
def test_an_import_that_nothing_uses_is_taken_back(text: str, is_kept: bool) -> None:
    state = state_of(a=text)
    state.forget("models.a.modeling_a", SEQLENS)
    state.forget("models.a.modeling_a", "get_window_index")
    state.forget("models.gone", SEQLENS)
    after = state.index.changed().get("models.a.modeling_a", text)
    assert after == (text if is_kept else text.replace(f"{SEQLENS}, ", ""))


@pytest.mark.parametrize(
    ("head", "is_taken"),
    [
        ("", False),
        (f"{OURS}{SEQLENS}", False),
        (f"from ...encoder_helpers import {SEQLENS}", False),
        (f"{OURS}other as {SEQLENS}", True),
        (f"from ...other import {SEQLENS}", True),
        (f"def {SEQLENS}(): pass", True),
        (f"def {POS_IDS}(): pass", False),
    ],
)
def test_a_name_that_means_something_else_is_taken(head: str, is_taken: bool) -> None:
    state = state_of(a=f"{head}\n{ENCODER}", b=ENCODER)
    changes = {}
    for name in "ab":
        info = state.index.get(f"models.{name}.modeling_{name}")
        assert info is not None
        cls = ClassInfo(info, info.classes["TinyEncoder"])
        changes[name] = Site(cls, cls.methods["forward"], ())
    info = changes["a"].cls.module
    sites = (changes["b"], changes["a"])
    found = taken_name(Change("rule", sites, ((info, SEQLENS),), ()))
    if not is_taken:
        assert found is None
        return
    assert found is not None
    assert (found.kind, found.cls, found.method, found.helper) == (
        "left",
        "TinyEncoder",
        "forward",
        SEQLENS,
    )
    assert found.location == f"{path_of('a')}:{3 + head.count(chr(10))}"
    assert found.reason == f"rule: the file calls something else {SEQLENS}: kept"
    other = taken_name(Change("rule", sites[:1], ((info, SEQLENS),), ()))
    assert other is not None and other.location == f"{path_of('b')}:2"
    unknown = Change("rule", sites, ((info, "TinyEncoder"),), ())
    assert "TinyEncoder" not in HELPER_MODULES and taken_name(unknown) is None


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("class A(B): pass", {"A": "B"}),
        ("class A(B, metaclass=M): pass", {"A": "B, metaclass=M"}),
        ("class A(  # one: two\n    B,\n): pass", {"A": "  # one: two\n    B,\n"}),
        ("class A: pass", {}),
        ("from x import A as B", {"B": "A"}),
        ("from x import (\n    A as B,\n    C,\n    D  as  E,\n)", {"B": "A", "E": "D"}),
        ("from x import A, B", {}),
        ("import A as B", {}),
        ("\nA = B\n", {"A": "B"}),
        ("\nA = b.B\n", {"A": "b.B"}),
        ("\nA = B()\n", {}),
        ("\n    A = B\n", {}),
    ],
)
def test_what_classes_may_be_made_of(text: str, made: dict[str, str]) -> None:
    assert dict(_made_of(text)) == made
    assert ast.parse(dedent(text))
