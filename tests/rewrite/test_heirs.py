"""Which classes inherit a method, and which class takes the place of another in them."""

from __future__ import annotations

import pytest

from codegen.rewrite import Settings, rewrite_library
from codegen.rewrite.heirs import Heirs, held_module, renamed
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.state import RewriteState
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


SIZED = """import torch


class TinyEncoder:
    def forward(self, hidden, grid_thw):
        return torch.cat([torch.arange(t * h * w) for t, h, w in grid_thw.tolist()])


class TinyOther:
    pass
"""
OUTSIDE = {
    "models/a/modular_a.py": "from ..b.modular_b import Child as Base\nclass Grandchild(Base): pass",
    "models/b/modular_b.py": "from ..tiny.modeling_tiny import TinyEncoder\nclass Child(TinyEncoder): pass",
    "models/c/modular_c.py": "from ..tiny.modeling_tiny import TinyOther\nclass OfNoSizes(TinyOther): pass",
    "models/d/modular_d.py": "class Unrelated:\n    pass",
    "models/e/modular_e.py": (
        "from ..tiny.modeling_tiny import TinyEncoder as E\n"
        "def made():\n    class Hidden(E): pass\nclass Beside: pass"
    ),
}


def test_heirs_are_looked_for_in_all_files_and_nothing_else_is_opened() -> None:
    state = RewriteState(
        DictLibrary({"models/tiny/modeling_tiny.py": SIZED, **OUTSIDE}), Settings()
    )
    for _ in range(2):
        found = [cls.name for cls in state.inheriting()]
        assert found == ["TinyEncoder", "TinyOther", "Child", "Beside", "Grandchild", "Hidden"]


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


ENCODER = """import torch


class Encoder(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.unit = config.spatial_merge_size

    def order(self, values):
        return values.permute(0, 2, 1, 3).flatten()

    def ids(self, grid_thw):
        found = []
        for t, h, w in grid_thw.tolist():
            shape = (h // self.unit, self.unit, w // self.unit, self.unit)
            rows = self.order(torch.arange(h)[:, None].expand(h, w).reshape(shape))
            cols = self.order(torch.arange(w)[None, :].expand(h, w).reshape(shape))
            found.append(torch.stack([rows, cols], dim=-1).repeat(t, 1))
        ids = torch.cat(found)
        return ids
"""
BODY = "    def order(self, values):\n        return values.flatten()\n"
BELOW = BODY.replace("\n", "\n    ").rstrip(" ")
FROM = "from ..tiny.modeling_tiny import Encoder"
OTHERWISE = {
    "by another name": f"{FROM} as Base\n\n\nclass Child(Base):\n{BODY}",
    "by another name, over lines": (
        f"{FROM.replace('Encoder', '(')}\n    Encoder\n    as Base,\n)\n\n\nclass Child(\n    # other\n    Base,\n):\n{BODY}"
    ),
    "of a module": f"from ..tiny import modeling_tiny\n\n\nclass Child(modeling_tiny.Encoder):\n{BODY}",
    "of an absolute module": (
        f"import models.tiny.modeling_tiny as tiny\n\n\nclass Child(tiny.Encoder):\n{BODY}"
    ),
    "by an assigned name": f"{FROM}\n\nBase = Encoder\n\n\nclass Child(Base):\n{BODY}",
    "by a star": f"{FROM.replace('Encoder', '*')}\n\n\nclass Child(Encoder):\n{BODY}",
    "by an import in a try": (
        f"try:\n    {FROM} as Base\nexcept ImportError:\n    Base = object\n\n\nclass Child(Base):\n{BODY}"
    ),
    "in a condition": f"{FROM}\n\nif True:\n\n    class Child(Encoder):\n    {BELOW}",
    "in a function": f"def make():\n    {FROM} as Base\n\n    class Child(Base):\n    {BELOW}",
    "of what a call makes": f"{FROM}\n\n\nclass Child(mixed(Encoder)):\n{BODY}",
    "by type": f'{FROM}\n\nChild = type("Child", (Encoder,), {{"order": str}})\n',
    "put there": f"{FROM}\n\nEncoder.order = str\n",
    "put there by setattr": f'{FROM}\n\nsetattr(Encoder, "order", str)\n',
    "put there with an annotation": f"{FROM}\n\nEncoder.order: object = str\n",
    "put there beside something": f"{FROM}\n\nEncoder.order, other = str, 1\n",
    "put there last of several": f"{FROM}\n\n(other, Encoder.order) = 1, str\n",
    "put there by a loop": f"{FROM}\n\nfor Encoder.order in (str, int):\n    pass\n",
    "taken away": f"{FROM}\n\ndel Encoder.order\n",
    "put there by setattr behind one of nothing": (
        f'{FROM}\n\n\ndef never(**names):\n    setattr(**names)\n    setattr(Encoder, "order", str)\n'
    ),
}


@pytest.mark.parametrize("child", OTHERWISE.values(), ids=OTHERWISE)
def test_a_method_that_another_file_has_otherwise_is_not_taken_for_the_one_here(child: str) -> None:
    files = {"models/tiny/modeling_tiny.py": ENCODER, "models/child/modeling_child.py": child}
    result = rewrite_library(DictLibrary(files))
    reasons = [r.reason for r in result.report if r.helper == "get_rotary_pos_ids"]
    assert result.edits == {}
    assert len(reasons) == 1
    assert "another order" in reasons[0] or "in the place of order" in reasons[0]


def test_a_child_without_methods_of_its_own_changes_nothing() -> None:
    files = {
        "models/tiny/modeling_tiny.py": ENCODER,
        "models/child/modeling_child.py": f"{FROM} as Base\n\n\nclass Child(Base):\n    pass\n",
    }
    assert list(rewrite_library(DictLibrary(files)).edits) == ["models/tiny/modeling_tiny.py"]
