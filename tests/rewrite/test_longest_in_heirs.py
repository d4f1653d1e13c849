"""Which methods hand the longest segment on to what they hold, and in which heirs they hold something else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from codegen.rewrite.emit.edits import AddKeywords, AddParameters, Insert
from codegen.rewrite.helpers import MAX_SEQLEN
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.place.longest import Refused, Taker, _drop_unlike_heirs, _handing, submodule
from tests.rewrite.test_rules import DictLibrary

(MAX,) = MAX_SEQLEN.outputs
TINY = """
class TinyAttention(nn.Module):
    def forward(self, x, cu_seqlens=None):
        return attend(x, (cu_seqlens[1:] - cu_seqlens[:-1]).max())


class TinyLayer(nn.Module):
    def __init__(self, config):
        self.attention = TinyAttention(config)

    def forward(self, x, cu_seqlens):
        return self.attention(x, cu_seqlens=cu_seqlens)


class TinyEncoder(nn.Module):
    def __init__(self, config):
        self.layers = nn.ModuleList([TinyLayer(config) for _ in range(2)])

    def forward(self, x, cu_seqlens):
        for layer in self.layers:
            x = layer(x, cu_seqlens)
        return x
"""
IMPORT = "from ..tiny.modeling_tiny import TinyAttention, TinyEncoder, TinyLayer\n"
OWN = "\n    def forward(self, x, cu_seqlens): return x"
BUILDS = "\n    def __init__(self, config): self.attention = {}(config)"
LAYER, ENCODER = "TinyLayer.forward", "TinyEncoder.forward"
INHERITS = "{} inherits it, and its self.{} does not take it"
BOTH = {
    LAYER: INHERITS.format("SmallLayer", "attention"),
    ENCODER: "what it calls as self.layers does not take it",
}


def index_of(**texts: str) -> tuple[Index, dict[str, ClassInfo]]:
    """Files of models by their names, and all classes in them."""
    files = {f"models/{name}/modeling_{name}.py": text for name, text in texts.items()}
    index = Index(DictLibrary(files), lambda _: True)
    found = {}
    for name in texts:
        info = index.get(f"models.{name}.modeling_{name}")
        assert info is not None
        found |= {cls: ClassInfo(info, node) for cls, node in info.classes.items()}
    return index, found


def key(cls: ClassInfo) -> int:
    return id(cls.methods["forward"])


def takers(index: Index, classes: dict[str, ClassInfo], names: str) -> dict[int, Taker]:
    """The attention, which computes it, and the methods that hand it on, in the order of the names."""
    attention = classes["TinyAttention"]
    takes = {"cu_seqlens": MAX}
    found = {key(attention): Taker(attention, attention.methods["forward"], takes, ())}
    for name in names.split():
        taker = _handing(index, classes[name], classes[name].methods["forward"], found)
        assert taker is not None
        found[key(classes[name])] = taker
    return found


@pytest.mark.parametrize(
    ("heirs", "expected"),
    [
        ("class SmallEncoder(TinyEncoder): pass", {}),
        ("class SmallAttention(TinyAttention): pass\nclass SmallLayer(TinyLayer): pass", {}),
        (f"class OtherAttention(TinyAttention):{OWN}\nclass SmallLayer(TinyLayer): pass", {}),
        (f"class SmallLayer(TinyLayer):{OWN}", {}),
        (f"class SmallAttention(TinyAttention):{OWN}\nclass SmallLayer(TinyLayer): pass", BOTH),
        ("class SmallAttention: pass\nclass SmallLayer(TinyLayer): pass", BOTH),
        (f"class SmallLayer(TinyLayer):{BUILDS.format('nn.Linear')}", BOTH),
        (f"class Mine:{OWN}\nclass SmallLayer(TinyLayer):{BUILDS.format('Mine')}", BOTH),
        (f"class SmallLayer(TinyLayer):{BUILDS.format('TinyAttention')}", {}),
        (
            f"class SmallLayer(TinyLayer):{OWN}\nclass SmallEncoder(TinyEncoder): pass",
            {ENCODER: INHERITS.format("SmallEncoder", "layers")},
        ),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_method_that_an_heir_holds_other_modules_for_is_left_with_all_that_call_it(
    heirs: str, expected: dict[str, str], backwards: bool
) -> None:
    index, classes = index_of(tiny=TINY, small=IMPORT + heirs)
    found = takers(index, classes, "TinyLayer TinyEncoder")
    if backwards:
        found = dict(reversed(found.items()))
    refused: dict[int, Any] = {}
    infos = {id(cls.module): cls.module for cls in classes.values()}
    state: Any = SimpleNamespace(
        index=index,
        candidates=infos.values,
        classes=lambda info: [cls for cls in classes.values() if cls.module is info],
    )
    _drop_unlike_heirs(state, found, refused)
    told = {f"{c.name}.{f.name}": refusal.reason for c, f, refusal in refused.values()}
    assert told == expected
    kept = {f"{taker.cls.name}.forward" for taker in found.values()}
    assert kept == {"TinyAttention.forward", LAYER, ENCODER} - told.keys()


HOLDER = """
class Holder(nn.Module):
    def __init__(self, config):
        self.attention = TinyAttention(config)
        self.other = nn.Linear(2, 2)

    def forward(self, x, cu_seqlens=None{more}):
        {line}
"""


@pytest.mark.parametrize(
    ("line", "more", "keywords"),
    [
        ("return self.attention(x, cu_seqlens)", "", [f"{MAX}={MAX}"]),
        ("return self.attention(cu_seqlens=cu_seqlens, x=x)", "", [f"{MAX}={MAX}"]),
        ("return self.attention(self.attention(x, cu_seqlens), cu_seqlens)", "", [f"{MAX}={MAX}"] * 2),
        ("return self.attention(self.attention(x), cu_seqlens)", "", [f"{MAX}={MAX}"]),
        ("return self.attention(x)", "", None),
        ("return self.attention(*x)", "", None),
        ("return self.other(x, cu_seqlens)", "", None),
        ("return attention(x, cu_seqlens)", "", None),
        (f"{MAX} = 1; return self.attention(x, cu_seqlens)", "", f"{MAX} is something else in it"),
        ("return self.attention(x, cu_seqlens)", f", {MAX}=None", f"{MAX} is something else in it"),
        ("return self.attention(x, cu_seqlens[1:])", "", "the boundaries are cu_seqlens[1:], which is no input"),
    ],
)  # fmt: skip
def test_a_method_hands_it_on_with_the_boundaries(line: str, more: str, keywords: Any) -> None:
    text = HOLDER.replace("{more}", more).replace("{line}", line)
    index, classes = index_of(tiny=TINY + text)
    holder = classes["Holder"]
    found = takers(index, classes, "")
    if isinstance(keywords, str):
        with pytest.raises(Refused) as refused:
            _handing(index, holder, holder.methods["forward"], found)
        assert refused.value.reason == keywords
        return
    taker = _handing(index, holder, holder.methods["forward"], found)
    if taker is None:
        assert keywords is None
        return
    added = [word for e in taker.edits if isinstance(e, AddKeywords) for word in e.keywords]
    assert added == keywords
    assert [e.names for e in taker.edits if isinstance(e, AddParameters)] == [(MAX,)]
    assert taker.takes == {"cu_seqlens": MAX} and not taker.guarded
    assert [name for name, _ in taker.calls] == ["attention"] * len(added)


@pytest.mark.parametrize(
    ("line", "is_guarded"),
    [
        ("if cu_seqlens is None: cu_seqlens = x", True),
        ("if cu_seqlens is not None: cu_seqlens = x", False),
        ("if x is None: cu_seqlens = x", False),
    ],
)
def test_boundaries_that_are_not_given_cannot_come_with_their_longest(
    line: str, is_guarded: bool
) -> None:
    text = HOLDER.replace("{more}", "").replace("{line}", f"{line}\n        {{line}}")
    text = text.replace("{line}", "return self.attention(x, cu_seqlens)")
    index, classes = index_of(tiny=TINY + text)
    found = takers(index, classes, "Holder")
    taker = found[key(classes["Holder"])]
    assert len(taker.guarded) == is_guarded
    inserted = [e for e in taker.edits if isinstance(e, Insert)]
    assert [e.lines[0] for e in inserted] == [f"if {MAX} is not None:"] * is_guarded
    assert all(e.behind and e.lines[1].startswith("    ") for e in inserted)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("TinyAttention(config)", "TinyAttention"),
        ("nn.ModuleList([TinyAttention(config) for _ in range(2)])", "TinyAttention"),
        ("nn.ModuleList(TinyAttention(config) for _ in range(2))", "TinyAttention"),
        ("ModuleList([TinyAttention() for _ in range(2)])", "TinyAttention"),
        ("nn.ModuleList([TinyAttention(), TinyAttention()])", ""),
        ("nn.ModuleList([tiny.TinyAttention() for _ in range(2)])", ""),
        ("nn.ModuleList([TinyAttention for _ in range(2)])", ""),
        ("nn.ModuleList([TinyAttention() for _ in range(2)], 1)", ""),
        ("nn.ModuleList()", ""),
        ("nn.ModuleDict([TinyAttention() for _ in range(2)])", ""),
        ("config.layers", ""),
    ],
)
def test_the_class_of_every_layer_is_known_where_they_are_of_one_kind(
    value: str, name: str
) -> None:
    text = HOLDER.replace("{more}", "").replace("{line}", "pass").replace("nn.Linear(2, 2)", value)
    index, classes = index_of(tiny=TINY + text)
    found = submodule(index, classes["Holder"], "other")
    assert (found.name if found is not None else "") == name
    assert submodule(index, classes["Holder"], "gone") is None
