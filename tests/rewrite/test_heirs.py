"""Which classes inherit a method, and which class takes the place of another in them."""

from __future__ import annotations

import pytest

from codegen.rewrite import rewrite_library
from codegen.rewrite.heirs import Heirs, held_module, renamed
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from tests.rewrite.test_rules import GOLDEN, DictLibrary, read_case

TINY = """class TinyRotary:
    pass


class TinyEncoder:
    def __init__(self):
        self.rotary = TinyRotary()

    def forward(self):
        pass
"""
HEIRS = """from ..tiny.modeling_tiny import TinyEncoder, TinyRotary


class SmallRotary(TinyRotary):
    pass


class SmallEncoder(TinyEncoder):
    pass


class SmallDeepEncoder(SmallEncoder):
    pass


class OwnEncoder(TinyEncoder):
    def forward(self):
        pass


class CallingEncoder(TinyEncoder):
    def forward(self):
        super().forward()


class BuildingEncoder(TinyEncoder):
    def __init__(self):
        self.rotary = SmallRotary()


class Alone:
    def forward(self):
        pass
"""
MODULES = {"models/tiny/modeling_tiny.py": TINY, "models/small/modular_small.py": HEIRS}


def classes() -> tuple[Index, dict[str, ClassInfo]]:
    index = Index(DictLibrary(MODULES), lambda _: True)
    found = {}
    for path in MODULES:
        module = path.removesuffix(".py").replace("/", ".")
        info = index.get(module)
        assert info is not None
        for name in info.classes:
            cls = index.resolve(module, name)
            assert cls is not None
            found[name] = cls
    return index, found


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("TinyEncoder", "TinyRotary"),
        ("SmallEncoder", "SmallRotary"),
        ("OwnEncoder", "TinyRotary"),
        ("BuildingEncoder", "SmallRotary"),
    ],
)
def test_a_module_that_an_ancestor_builds_has_the_name_that_it_gets_in_the_heir(
    name: str, held: str
) -> None:
    index, known = classes()
    found = held_module(index, known[name], "rotary")
    assert found is not None and found.name == held
    assert held_module(index, known[name], "other") is None


def test_heirs_have_the_method_or_call_it() -> None:
    index, known = classes()
    heirs = Heirs(index, known.values())
    found = [cls.name for cls in heirs.of(known["TinyEncoder"], "forward")]
    assert found == ["SmallEncoder", "SmallDeepEncoder", "CallingEncoder", "BuildingEncoder"]
    assert [cls.name for cls in heirs.of(known["SmallEncoder"], "forward")] == []
    assert [cls.name for cls in heirs.of(known["TinyRotary"], "forward")] == []
    assert list(heirs.of(known["Alone"], "forward")) == []


@pytest.mark.parametrize(
    "heir, expected",
    [
        ("SmallEncoder", "SmallRotary"),
        ("SmallDeepEncoder", "TinyRotary"),
        ("CallingEncoder", "TinyRotary"),
        ("BuildingEncoder", "SmallRotary"),
    ],
)
def test_the_class_of_the_childs_name_takes_the_place_of_the_parents(
    heir: str, expected: str
) -> None:
    index, known = classes()
    found = Heirs(index, known.values()).submodule(known[heir], known["TinyEncoder"], "rotary")
    assert found is not None and found.name == expected


def test_an_attribute_that_nobody_builds_has_no_class() -> None:
    index, known = classes()
    heirs = Heirs(index, known.values())
    assert heirs.submodule(known["SmallEncoder"], known["TinyEncoder"], "other") is None


@pytest.mark.parametrize(
    "name, parent, child, expected",
    [
        ("TinyRotary", "TinyEncoder", "SmallEncoder", "SmallRotary"),
        ("Rotary", "TinyEncoder", "SmallEncoder", "Rotary"),
        ("MyTinyRotary", "TinyEncoder", "SmallEncoder", "MyTinyRotary"),
        ("TinyRotary", "TinyEncoder", "TinyEncoder", "TinyRotary"),
        ("Rotary", "Encoder", "SmallEncoder", "Rotary"),
        ("EncoderRotary", "Encoder", "Encoder", "EncoderRotary"),
        ("TinyTinyRotary", "TinyEncoder", "BigEncoder", "BigTinyRotary"),
    ],
)
def test_names_after_the_model_name_was_replaced(
    name: str, parent: str, child: str, expected: str
) -> None:
    assert renamed(name, parent, child) == expected


@pytest.mark.parametrize(
    "bases", ["Encoder", "made(1), Encoder", "\n    Encoder,\n    metaclass=Meta(),\n"]
)
def test_children_in_other_files_are_found_however_their_bases_are_written(bases: str) -> None:
    files = read_case(GOLDEN / "all/child_in_a_file_of_no_interest.txt").files
    aside = "models/aside/modeling_aside.py"
    changed = files[aside].replace("class Aside(Encoder)", f"class Aside({bases})")
    report = rewrite_library(DictLibrary({**files, aside: changed})).report
    left = [record.reason for record in report if record.kind == "left"]
    assert any("Aside inherits it and has another" in reason for reason in left)
