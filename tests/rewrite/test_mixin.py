"""The library's own method for placeholders: on the helper, with offsets for who asks, and left where it is another."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from codegen.rewrite import Settings, rewrite_library
from tests.rewrite.test_rules import DictLibrary
from utils import processing_utils

MIXIN = '''import re


class ProcessorMixin:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, images=None, text=None, **kwargs):
        merged = {"text_kwargs": dict(kwargs.get("text_kwargs", {}))}
        found = [self.replace_image_token({"sizes": images}, n) for n in range(len(images or []))]
        return_text_replacement_offsets = merged["text_kwargs"].pop("return_text_replacement_offsets", False)
        text, offsets = self.get_text_with_replacements(list(text), found)
        batch = self.tokenizer(text, **merged["text_kwargs"])
        if return_text_replacement_offsets:
            batch["text_replacement_offsets"] = offsets
        return batch

    def get_text_with_replacements(self, text, images_replacements=[], videos_replacements=[], audio_replacements=[]):
        """Texts and offsets."""
        lists = {
            "image": iter(images_replacements), "video": iter(videos_replacements), "audio": iter(audio_replacements)
        }
        groups = []
        for kind, given in (
            ("image", images_replacements), ("video", videos_replacements), ("audio", audio_replacements)
        ):
            token = getattr(self, f"{kind}_token", None)
            if len(given) > 0 and token is not None:
                groups.append(f"(?P<{kind}>{re.escape(token)})")
        offsets = []
        for number in range(len(text)):
            parts, last, found = [], 0, []
            for match in re.finditer("|".join(groups) or "(?!)", text[number]):
                start, end = match.span()
                new = next(lists[match.lastgroup])
                parts.append(text[number][last:start])
                parts.append(new)
                found.append({"type": match.lastgroup, "span": (start, end)})
                last = end
            parts.append(text[number][last:])
            text[number] = "".join(parts)
            offsets.append(found)
        return text, offsets
'''
TINY = """from ...processing_utils import ProcessorMixin


class TinyProcessor(ProcessorMixin):
    image_token = "<image>"

    def replace_image_token(self, image_inputs, image_idx):
        return self.image_token * image_inputs["sizes"][image_idx]
"""


def rewritten(mixin: str) -> tuple[dict[str, str], list[Any]]:
    """New texts by path, and the report."""
    files = {"lib/processing_utils.py": mixin, "lib/models/tiny/processing_tiny.py": TINY}
    result = rewrite_library(DictLibrary(files), Settings("...", passes=("expand_tokens",)))
    return {**files, **result.edits}, [r for r in result.report if r.cls == "ProcessorMixin"]


def tokenizer(text: list[str], **options: Any) -> dict[str, Any]:
    return {"input_ids": text, **options}


def processor_of(text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A processor on a mixin, whose package has the helpers beside it."""
    package = ModuleType("lib_of_mixin")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "lib_of_mixin", package)
    monkeypatch.setitem(sys.modules, "lib_of_mixin.encoder_helpers", processing_utils)
    names: dict[str, Any] = {
        "__name__": "lib_of_mixin.processing_utils",
        "__package__": "lib_of_mixin",
    }
    exec(compile(text, "processing_utils.py", "exec"), names)
    exec(compile(TINY.partition("\n")[2], "processing_tiny.py", "exec"), names)
    return names["TinyProcessor"](tokenizer)


def test_the_method_gives_what_it_gave_and_says_what_is_missing(monkeypatch) -> None:
    files, report = rewritten(MIXIN)
    assert [record.kind for record in report] == ["extracted"]
    old = processor_of(MIXIN, monkeypatch)
    new = processor_of(files["lib/processing_utils.py"], monkeypatch)
    for images, text in (
        ([2, 0], ["a <image>", "<image>"]),
        ([], ["<image>"]),
        ([1, 5], ["<image>"]),
    ):
        assert old(images, text) == new(images, text)
    with pytest.raises(StopIteration):
        old([1], ["<image><image>"])
    with pytest.raises(ValueError, match="'<image>' in the texts: 2, image replacements: 1"):
        new([1], ["<image><image>"])


def test_offsets_are_made_for_who_asks_in_either_way(monkeypatch) -> None:
    files, _ = rewritten(MIXIN)
    new = processor_of(files["lib/processing_utils.py"], monkeypatch)
    assert "text_replacement_offsets" not in new([2], ["a <image>"])
    option = {"return_text_replacement_offsets": True}
    nested = new([2], ["a <image>"], text_kwargs=option)["text_replacement_offsets"]
    flat = new([2], ["a <image>"], **option)["text_replacement_offsets"]
    assert flat == nested
    assert [(entry["span"], entry["new_span"]) for entry in flat[0]] == [((2, 9), (2, 16))]
    made: list[bool] = []
    real = processing_utils.get_text_with_replacements
    monkeypatch.setattr(
        processing_utils,
        "get_text_with_replacements",
        lambda *a, **k: made.append(k["return_replacement_offsets"]) or real(*a, **k),
    )
    new([2], ["a <image>"])
    assert made == [False]


def test_a_method_that_gives_other_texts_is_left() -> None:
    other = MIXIN.replace("parts.append(new)", "parts.append(new.upper())")
    files, report = rewritten(other)
    assert files["lib/processing_utils.py"] == other
    assert ["other texts than one pass" in record.reason for record in report] == [True]


OF_RELEASES = "its parameters are not those of the releases"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("text, images_replacements=[], v", "text, pictures=[], v", OF_RELEASES),
        ("text, images_replacements=[], v", "text, heaps=[], v", OF_RELEASES),
        ("audio_replacements=[]):", "audio_replacements=[], more=None):", OF_RELEASES),
        ("=[], videos_replacements=[], audio_replacements=[]):", "=[]):", OF_RELEASES),
        (", audio_replacements=[]):", "):", "it cannot be followed"),
        ("new = next(", "new = self.unknown(", "it cannot be followed"),
        ("next(lists[match.lastgroup])", "next(lists['sound'])", "it cannot be followed"),
    ],
)
def test_a_method_that_cannot_be_what_it_was_is_left(old: str, new: str, reason: str) -> None:
    assert MIXIN.count(old) == 1
    other = MIXIN.replace(old, new)
    files, report = rewritten(other)
    assert files["lib/processing_utils.py"] == other
    assert [(r.kind, r.reason.startswith(reason)) for r in report] == [("left", True)], report


SORTING = """

class SortingProcessor(TinyProcessor):
    def _merge_kwargs(self, known, **kwargs):
        return {"text_kwargs": {key: value for key, value in kwargs.items() if key in known}}

    def __call__(self, text=None, images=None, **kwargs):
        merged = self._merge_kwargs(("padding",), **kwargs)
        return super().__call__(images=images, text=[f"> {sample}" for sample in text], **merged)
"""


def test_a_call_that_sorts_its_keywords_hands_on_who_wants_offsets(monkeypatch) -> None:
    path = "lib/models/tiny/processing_tiny.py"
    files = {"lib/processing_utils.py": MIXIN, path: TINY + SORTING}
    edits = rewrite_library(DictLibrary(files), Settings("...", passes=("expand_tokens",))).edits
    tiny = processor_of(edits["lib/processing_utils.py"], monkeypatch)
    names: dict[str, Any] = {"TinyProcessor": type(tiny)}
    exec(edits[path][edits[path].index("class SortingProcessor") :], names)
    processor = names["SortingProcessor"](tokenizer)
    assert "text_replacement_offsets" not in processor(["a <image>"], [2])
    asked = processor(["a <image>"], [2], return_text_replacement_offsets=True)
    assert asked["text_replacement_offsets"][0][0]["new_span"] == (4, 18)


HANDED = "it hands on whether offsets are asked for"


@pytest.mark.parametrize(
    ("old", "new", "is_handed"),
    [
        ("**merged)", "**merged, **kwargs)", True),
        ("**merged)", "**dict(merged))", False),
        ("**merged)", "**kwargs)", False),
        ("merged = self._merge_kwargs(", "merged = other._merge_kwargs(", False),
        ("merged = self._merge_kwargs(", "self.merged = merged = self._merge_kwargs(", False),
        ("merged = self._merge_kwargs(", "kwargs = merged = self._merge_kwargs(", False),
        ('("padding",), **kwargs)', '("padding", "return_text_replacement_offsets"), **kwargs)', False),
        ("super().__call__(images", "super().called(images", False),
        ("images=None, **kwargs):", "images=None):\n        kwargs = {}", False),
    ],
)  # fmt: skip
def test_only_calls_that_would_drop_it_hand_it_on(old: str, new: str, is_handed: bool) -> None:
    assert SORTING.count(old) == 1
    assert handed_on(MIXIN, SORTING.replace(old, new)) == is_handed


def test_a_library_that_knows_the_option_keeps_it() -> None:
    assert handed_on(MIXIN, SORTING)
    known = "\nclass TextKwargs:\n    return_text_replacement_offsets: bool\n"
    assert not handed_on(MIXIN + known, SORTING)


def handed_on(mixin: str, sorting: str) -> bool:
    """Whether a call that sorts its keywords is changed, and said to be."""
    path = "lib/models/tiny/processing_tiny.py"
    files = {"lib/processing_utils.py": mixin, path: TINY + sorting}
    result = rewrite_library(DictLibrary(files), Settings("...", passes=("expand_tokens",)))
    told = [r.cls for r in result.report if r.reason == HANDED]
    assert told == ["SortingProcessor"] * (path in result.edits)
    return path in result.edits
