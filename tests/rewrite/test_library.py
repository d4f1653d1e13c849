"""What the index knows of files and classes: names, constants, parents, attributes and what they are built of."""

from __future__ import annotations

import ast
from textwrap import dedent, indent

import pytest

from codegen.rewrite.functions import self_attribute, takes_parents_parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo, changed_methods, made_of
from codegen.rewrite.values import Source
from tests.rewrite.test_rules import DictLibrary


def info_of(text: str, module: str = "a.b.tiny") -> ModuleInfo:
    return ModuleInfo.parse(Source("a/b/tiny.py", module, dedent(text)))


def index_of(**texts: str) -> Index:
    """Files ``models/tiny/<name>.py``, all of which may matter."""
    files = {f"models/tiny/{name}.py": dedent(text) for name, text in texts.items()}
    return Index(DictLibrary(files), lambda _: True)


def cls_of(index: Index, name: str, module: str = "modeling_tiny") -> ClassInfo:
    found = index.resolve(f"models.tiny.{module}", name)
    assert found is not None
    return found


def test_a_class_beside_a_definition_is_that_of_the_file_it_is_imported_from() -> None:
    index = index_of(
        modular_tiny="class Both: pass\nclass Defined: pass",
        modeling_tiny="class Both: pass\nclass Beside: pass",
        modeling_other="from .modeling_tiny import Beside, Both, Defined, Gone",
    )
    found = {
        n: index.resolve("models.tiny.modeling_other", n) for n in ("Beside", "Both", "Defined")
    }
    places = {name: cls.module.source.path for name, cls in found.items() if cls is not None}
    folder = "models/tiny"
    assert places == {
        "Beside": f"{folder}/modeling_tiny.py",
        "Both": f"{folder}/modular_tiny.py",
        "Defined": f"{folder}/modular_tiny.py",
    }
    assert index.resolve("models.tiny.modeling_other", "Gone") is None


def test_names_that_a_file_binds() -> None:
    info = info_of("""
        import os.path, sys as system
        from a import b, c as d
        x, (y, *z) = 1, (2, 3)
        def f(inner):
            local = 1
        async def g(): pass
        class A:
            field = 1
        for i in x: j = i
        try: pass
        except E as error: pass
        w.attribute = v[0] = 1
    """)
    assert info.names == {*"bdxyzfgAij", "os", "system", "error"}
    assert set(info.functions) == {"f"} and set(info.classes) == {"A"}
    assert info.imports == {"b": ("a", "b"), "d": ("a", "c")}
    assert not info.has_star


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("from a import *", True),
        ("if x:\n    from a import *", True),
        ("'import *'", False),
        ("from a import b", False),
    ],
)
def test_stars(text: str, is_so: bool) -> None:
    assert info_of(text).has_star == is_so


def test_relative_imports_are_those_of_the_package() -> None:
    info = info_of("from . import x\nfrom .c import y\nfrom ..d import z\nfrom e import w")
    assert info.imports == {
        "x": ("a.b", "x"),
        "y": ("a.b.c", "y"),
        "z": ("a.d", "z"),
        "w": ("e", "w"),
    }


def test_values_and_constants() -> None:
    info = info_of("""
        a = 1
        a = 2
        b = c = 3
        d: int = 4
        e = 5.5
        f = "text"
        g, h = 6, 7
        i = 8
        use(i)
        j += 1
        k = 9
        def change():
            global k
            k = 10
    """)
    assert {name: ast.unparse(value) for name, value in info.values.items()} == {
        **dict.fromkeys("bc", "3"),
        **{"a": "1", "e": "5.5", "f": "'text'", "i": "8", "k": "9"},
    }
    assert info.constants == {"b": 3, "d": 4, "e": 5.5}
    assert info_of("k = 9\ndef read():\n    return k").constants == {"k": 9}


@pytest.mark.parametrize(
    ("line", "stored"),
    [
        ("self.x = 1", True),
        ("self.x, y = 1, 2", True),
        ("self.x: int = 1", True),
        ("use(self.x)", False),
        ("self.x.y = 1", False),
        ("self.x == 1", True),
    ],
)
def test_a_look_at_what_may_be_stored(line: str, stored: bool) -> None:
    assert (
        "x" in info_of(f"def f(self):\n    {line}").maybe_stored
    ) == stored or line == "self.x == 1"


def test_methods_are_those_that_nothing_else_is_bound_to() -> None:
    info = info_of("""
        class A:
            a = 1
            def f(self): pass
            def g(self): pass
            g = wrapped(g)
            if a:
                def h(self): pass
            def k(self): pass
            k: object
    """)
    cls = ClassInfo(info, info.classes["A"])
    assert set(cls.methods) == {"f"}
    assert cls.rebound == {"a", "g", "h", "k"}


PARENTS = """
class Base:
    def f(self): pass
    def g(self): pass
class Other:
    def f(self): pass
    def h(self): pass
class Child(Base, Other, Unknown, nn.Module):
    def g(self): pass
class Grandchild(Child, Base): pass
class Loop(Loop):
    def f(self): pass
"""


def test_parents_stand_in_the_order_of_bases() -> None:
    index = index_of(modeling_tiny=PARENTS)
    orders = {
        name: [c.name for c in index.mro(cls_of(index, name))]
        for name in ("Base", "Child", "Grandchild", "Loop")
    }
    assert orders == {
        "Base": ["Base"],
        "Child": ["Child", "Base", "Other"],
        "Grandchild": ["Grandchild", "Child", "Base", "Other"],
        "Loop": ["Loop"],
    }
    owners = {}
    for name in "fghx":
        found = index.method(cls_of(index, "Grandchild"), name)
        owners[name] = found[0].name if found is not None else None
    assert owners == {"f": "Base", "g": "Child", "h": "Other", "x": None}


@pytest.mark.parametrize("where", ["Base", "Child"])
@pytest.mark.parametrize(
    ("line", "is_known"), [("self.f = 1", False), ("self.e = 1", True), ("use(self.f)", True)]
)
def test_a_method_in_whose_place_something_is_put_is_not_known(
    where: str, line: str, is_known: bool
) -> None:
    text = PARENTS.replace(f"class {where}", f"class {where}", 1)
    head = text.index(f"class {where}")
    at = text.index(":\n", head) + 2
    text = f"{text[:at]}    def swap(self):\n        {line}\n{text[at:]}"
    index = index_of(modeling_tiny=text)
    assert (index.method(cls_of(index, "Child"), "f") is not None) == is_known


def test_parameters_may_be_left_to_the_parent() -> None:
    index = index_of(
        modular_tiny="""
        class Base:
            def f(self, a): pass
        class Child(Base):
            def f(self, **super_kwargs): pass
        class Other(Base):
            def f(self, b, **kwargs): pass
    """
    )
    heads = []
    for name in ("Base", "Child", "Other"):
        found = index.signature(cls_of(index, name, "modular_tiny"), "f")
        heads.append(ast.unparse(found.args) if found is not None else "")
    assert heads == ["self, a", "self, a", "self, b, **kwargs"]
    assert index.signature(cls_of(index, "Base", "modular_tiny"), "g") is None
    (function,) = ast.parse("def f(self, **super_kwargs): pass").body
    assert isinstance(function, ast.FunctionDef) and takes_parents_parameters(function)


BUILT = """
from torch import nn
class Part(nn.Module): pass
class Piece(nn.Module): pass
class Base:
    def __init__(self, config):
        self.inherited = Part(config)
        self.overridden = Part(config)
class Tiny(Base):
    def __init__(self, config, given):
        {lines}
    def later(self):
        self.elsewhere = Part()
"""


@pytest.mark.parametrize(
    ("lines", "name", "built"),
    [
        ("self.part = Part(config)", "part", "Part"),
        ("self.part: nn.Module = Part(config)", "part", "Part"),
        ("self.part = Part._from_config(config)", "part", "Part"),
        ("self.part = Part.other(config)", "part", None),
        ("self.part = self.one = Part(config)", "part", "Part"),
        ("self.part = given", "part", None),
        ("self.part = nn.Linear(1, 1)", "part", None),
        ("self.part = Unknown(config)", "part", None),
        ("self.part = Part(config) if given else None", "part", None),
        ("self.part = Part(config)\nself.part = None", "part", "Part"),
        ("self.part = Part(config)\nself.part = Part(given)", "part", "Part"),
        ("self.part = Part(config)\nself.part = Piece(config)", "part", None),
        ("self.part = Part(config)\nself.part = given", "part", None),
        (
            "if given:\n    self.part = Part(config)\nelse:\n    self.part = Piece(config)",
            "part",
            None,
        ),
        ("self.overridden = Piece(config)", "overridden", "Piece"),
        ("pass", "overridden", "Part"),
        ("pass", "inherited", "Part"),
        ("pass", "elsewhere", None),
        ("part = Part(config)", "part", None),
    ],
)
def test_what_an_attribute_is_built_of(lines: str, name: str, built: str | None) -> None:
    text = BUILT.replace("        {lines}", indent(lines, " " * 8))
    index = index_of(modeling_tiny=text)
    found = index.submodule(cls_of(index, "Tiny"), name)
    assert (found.name if found is not None else None) == built


def test_the_expression_of_an_attribute_is_the_first() -> None:
    index = index_of(
        modeling_tiny=BUILT.replace(
            "{lines}", "self.a = 1; self.a = 2; self.b: int; self.c = self.d = 3"
        )
    )
    cls = cls_of(index, "Tiny")
    found = {name: index.attribute(cls, name) for name in ("a", "b", "c", "d", "inherited", "e")}
    assert {
        n: (f[0].name, f[1].name, ast.unparse(f[2])) if f else None for n, f in found.items()
    } == {
        "a": ("Tiny", "__init__", "1"),
        "b": None,
        "c": ("Tiny", "__init__", "3"),
        "d": ("Tiny", "__init__", "3"),
        "inherited": ("Base", "__init__", "Part(config)"),
        "e": None,
    }


def test_a_class_is_looked_for_in_its_definition_first() -> None:
    index = index_of(
        modular_tiny="class A: pass\nclass B: pass\n",
        modeling_tiny="class A: pass\nclass C(A): pass\n",
        modular_other="from .modeling_tiny import A, B, C, D\nfrom .utils import E\nfrom .modeling_none import F\n",
        utils="class E: pass\n",
        modeling_other="class G(A): pass\nclass H: pass\n",
    )
    places = {}
    for name in "ABCDEFGH":
        found = index.resolve("models.tiny.modular_other", name)
        places[name] = found.module.source.module.rpartition(".")[2] if found is not None else ""
    assert places == {
        **{"A": "modular_tiny", "B": "modular_tiny", "C": "modeling_tiny", "G": "modeling_other"},
        **dict.fromkeys("DEFH", ""),
    }
    assert index.resolve("models.tiny.nowhere", "A") is None
    assert Index.generated_of("a.b.modular_tiny") == "a.b.modeling_tiny"
    assert Index.generated_of("a.b.modeling_tiny") == ""


def test_another_version_of_a_file_is_read_anew() -> None:
    index = index_of(modeling_tiny=PARENTS)
    assert index.method(cls_of(index, "Child"), "h") is not None
    old = index.get("models.tiny.modeling_tiny")
    new = ModuleInfo.parse(
        Source("x", "models.tiny.modeling_tiny", PARENTS.replace("def h", "def i"))
    )
    index.replace(new)
    assert index.method(cls_of(index, "Child"), "h") is None
    assert index.changed() == {"models.tiny.modeling_tiny": new.source.text}
    assert {*changed_methods(old, new)} == {("models.tiny.modeling_tiny", "Other", n) for n in "hi"}
    assert (
        [*changed_methods(old, old)]
        == [*changed_methods(None, new)]
        == [*changed_methods(old, None)]
        == []
    )


def test_calls_that_build_classes_of_some_names() -> None:
    info = info_of("""
        class A:
            def __init__(self):
                self.a = Part(1)
                self.b = c = Part(2)
                self.d = [Part(3)]
                e = Part(4)
                self.f = tiny.Part(5)
                self.g = Other(6)
                Part
    """)
    found = {ast.unparse(call.args[0]): attribute for call, attribute in made_of(info, ("Part",))}
    assert found == {"1": "a", "2": "", "3": "", "4": "", "5": "f"}
    assert [*made_of(info, ("Missing",))] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("self.a", "a"),
        ("self.a.b", ""),
        ("other.a", ""),
        ("zelf.a", ""),
        ("aelf.a", ""),
        ("self", ""),
        ("self[0]", ""),
        ("self().a", ""),
    ],
)
def test_attributes_of_self(text: str, name: str) -> None:
    assert self_attribute(ast.parse(text, mode="eval").body) == name


def test_a_file_that_does_not_parse_is_told_once() -> None:
    index = index_of(modeling_tiny="def f(:\n", modeling_other="class A: pass\n")
    assert index.get("models.tiny.modeling_tiny") is None
    assert index.unreadable["models.tiny.modeling_tiny"][0] == 1
    assert index.get("models.tiny.modeling_none") is None and len(index.unreadable) == 1
    assert index.mentioning("class A") == ["models.tiny.modeling_other"]
    assert index.mentioning("class B") == []


def test_a_file_of_no_interest_is_read_where_it_is_asked_for() -> None:
    files = {
        "models/tiny/modeling_tiny.py": "class A: pass\n",
        "models/tiny/modeling_other.py": "from .modeling_tiny import A\nclass B(A): pass\n",
    }
    index = Index(DictLibrary(files), lambda text: "B" in text)
    child = cls_of(index, "B", "modeling_other")
    assert [c.name for c in index.mro(child)] == ["B"]
    index.open_ancestors(child)
    assert [c.name for c in index.mro(child)] == ["B", "A"]


def test_what_code_reads_of_self_is_known_or_not() -> None:
    index = index_of(
        modeling_tiny="""
class A:
    def __init__(self, config):
        self.side = self.count ** 2
        self.count = config.count
        self.width = self.height * 2
    def known(self): return self.side + self.config.x + self.spatial_merge_size + self.other()
    def other(self): return self.table
    def indirect(self): return self.width
"""
    )
    cls = cls_of(index, "A")
    known = {name: index.knows_all_of(cls, function) for name, function in cls.methods.items()}
    # Of methods no more is asked than that they are there; of attributes, what they are computed from.
    assert known == {"__init__": False, "known": True, "other": False, "indirect": False}


@pytest.mark.parametrize(("most", "names"), [(0, ["B"]), (1, ["B", "M"]), (2, ["B", "M", "A"])])
def test_no_more_ancestors_are_read_than_are_needed(most: int, names: list[str]) -> None:
    files = {
        "models/tiny/modeling_tiny.py": "class A: pass\n",
        "models/tiny/modeling_middle.py": "from .modeling_tiny import A\nclass M(A): pass\n",
        "models/tiny/modeling_other.py": "from .modeling_middle import M\nclass B(M): pass\n",
    }
    index = Index(DictLibrary(files), lambda text: "B(" in text)
    child = cls_of(index, "B", "modeling_other")
    index.open_ancestors(child, lambda: len(index.mro(child)) > most)
    assert [c.name for c in index.mro(child)] == names


def test_a_file_that_nobody_asked_for_changes_nothing_that_was_found() -> None:
    files = {
        "models/tiny/modeling_tiny.py": "class A: pass\n",
        "models/tiny/modeling_other.py": "class B: pass\n",
        "models/tiny/modeling_third.py": "from .modeling_tiny import A\nclass B(A): pass\n",
    }
    index = Index(DictLibrary(files), lambda text: "B" in text)
    child = cls_of(index, "B", "modeling_other")
    found = index.mro(child)
    assert index.open("models.tiny.modeling_tiny") is not None and index.mro(child) is found
    # What was asked for and counted as absent may be an ancestor after all.
    index = Index(DictLibrary(files), lambda text: "B" in text)
    child = cls_of(index, "B", "modeling_third")
    assert [c.name for c in index.mro(child)] == ["B"]
    assert index.open("models.tiny.modeling_tiny") is not None
    assert [c.name for c in index.mro(child)] == ["B", "A"]
