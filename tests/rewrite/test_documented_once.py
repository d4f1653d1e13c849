"""New inputs of methods whose docstrings a tree completes from one place: entered there, and nowhere else."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.central import central_changes, entries, without_repeated
from codegen.rewrite.emit.edits import Change, Describe, Insert, Site
from codegen.rewrite.library import Index
from codegen.rewrite.values import Library, Source
from tests.rewrite.test_rules import DictLibrary

ENTRIES = """
class ModelArgs:
    labels = {"description": "Labels.", "shape": "x"}
    cu_seqlens = {"shape": "x", "description": "Known."}
    count = 1
    other = {"shape": "x"}
    a, b = {"description": "x"}, 1
    c: dict = {"description": "x"}
"""
MODEL = """
from ...utils import auto_docstring
from ...utils.other import auto_docstring as renamed, plain


class A:
    @auto_docstring
    def forward(self, x):
        return x

    @auto_docstring(custom_intro="x")
    def called(self, x):
        return x

    @renamed
    def again(self, x):
        return x

    @plain
    @missing.auto_docstring
    def undocumented(self, x):
        return x

    def bare(self, x):
        return x
"""
CHILD = """
from ..tiny.modeling_tiny import A


class B(A):
    def forward(self, x):
        return x

    @staticmethod
    def called(self, x):
        return x
"""
MODULE, NAMES = "models.tiny.modeling_tiny", ("cu_seqlens", "rotary_pos_ids", "block_order")


class Elsewhere(DictLibrary):
    """A tree in which the file with the entries is an installed one."""

    def read(self, module: str) -> Source | None:
        source = super().read(module)
        if source is None or "auto_docstring" not in module:
            return source
        return Source(f"/site/{source.path}", module, source.text)


def index_of(
    entered: str = ENTRIES, kind: type[DictLibrary] = DictLibrary, child: str = "modular"
) -> Index:
    library: Library = kind(
        {
            "models/tiny/modeling_tiny.py": MODEL,
            f"models/small/{child}_small.py": CHILD,
            "utils/auto_docstring.py": entered,
            "utils/other.py": entered,
        }
    )
    return Index(library, lambda text: True)


def change_of(
    index: Index, method: str, cls: str = "A", module: str = MODULE, prefix: str = ""
) -> Change:
    found = index.resolve(module, cls)
    assert found is not None
    node = found.methods[method]
    edits = (Describe(NAMES, prefix), Insert(node.body[0], ("pass",)))
    return Change("lift", (Site(found, node, edits),))


def entered(index: Index, change: Change) -> list[str]:
    """Names that are entered centrally, in order."""
    found = []
    for made in central_changes(index, [change]):
        (site,) = made.sites
        (insert,) = site.edits
        assert isinstance(insert, Insert) and site.cls.name == "ModelArgs"
        text = "\n".join(insert.lines)
        assert (
            text.count("of shape `")
            == text.count('"""') // 2
            == text.count("\n}")
            == len(made.records[0].parameters)
        )
        assert made.records[0].kind == "lifted" and insert.lines[:2] != ("", "")
        found += made.records[0].parameters
    return found


def described(index: Index, change: Change) -> list[tuple[str, ...]]:
    """What is still described in the method, edit by edit; the other edit stays."""
    (site,) = without_repeated(index, change).sites
    assert sum(isinstance(edit, Insert) for edit in site.edits) == 1
    return [edit.names for edit in site.edits if isinstance(edit, Describe)]


@pytest.mark.parametrize(
    ("method", "is_entered"),
    [
        ("forward", True),
        ("called", True),
        ("again", True),
        ("undocumented", False),
        ("bare", False),
    ],
)
def test_what_a_decorator_completes_is_entered_once(method: str, is_entered: bool) -> None:
    index = index_of()
    change = change_of(index, method)
    assert entered(index, change) == (["rotary_pos_ids", "block_order"] if is_entered else [])
    left = ("rotary_pos_ids", "block_order") if is_entered else NAMES
    assert described(index, change) == [left]


def test_what_is_entered_is_not_described_again() -> None:
    added = "".join(f'    {name} = {{"description": "x"}}\n' for name in NAMES)
    index = index_of(ENTRIES + added)
    change = change_of(index, "forward")
    assert entered(index, change) == [] and described(index, change) == []


def test_names_with_a_prefix_are_described_where_they_are() -> None:
    index = index_of()
    change = change_of(index, "forward", prefix="image_")
    assert entered(index, change) == [] and described(index, change) == [NAMES]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("class Others:\n    labels = {'description': 'x'}\n", DictLibrary),
        ("class ModelArgs:\n    labels = {'shape': 'x'}\n", DictLibrary),
        ("class ModelArgs:\n    labels = ['description']\n", DictLibrary),
        ("class ModelArgs(\n", DictLibrary),
        (ENTRIES, Elsewhere),
    ],
)
def test_where_there_is_no_central_place(text: str, kind: type[DictLibrary]) -> None:
    index = index_of(text, kind)
    change = change_of(index, "forward")
    assert entered(index, change) == [] and without_repeated(index, change) is change


@pytest.mark.parametrize(
    ("child", "method", "is_entered"),
    [
        (
            "modular",
            "forward",
            True,
        ),  # an override in a definition has the decorators of its parent's
        ("modular", "called", False),
        ("modeling", "forward", False),
    ],
)
def test_overrides_in_definitions(child: str, method: str, is_entered: bool) -> None:
    index = index_of(child=child)
    change = change_of(index, method, "B", f"models.small.{child}_small")
    assert bool(entered(index, change)) == is_entered


def test_several_changes_are_entered_together() -> None:
    index = index_of()
    both = [change_of(index, "forward"), change_of(index, "called")]
    (made,) = central_changes(index, both)
    assert made.records[0].parameters == ("rotary_pos_ids", "block_order")


def test_what_counts_as_an_entry() -> None:
    index = Index(DictLibrary({"utils/auto_docstring.py": ENTRIES}), lambda text: True)
    cls = index.resolve("utils.auto_docstring", "ModelArgs")
    assert cls is not None and [*entries(cls)] == ["labels", "cu_seqlens"]
    assert [ast.unparse(value)[:15] for value in entries(cls).values()] == [
        "{'description':",
        "{'shape': 'x', ",
    ]
