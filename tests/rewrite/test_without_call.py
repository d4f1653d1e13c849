"""A ``__call__`` in which nothing is left goes: the library's own does the same, shown by running both."""

from __future__ import annotations

import itertools
import sys
from types import ModuleType
from typing import Any

import pytest

from codegen.rewrite import Settings, rewrite_library
from tests.rewrite.test_mixin import MIXIN as METHOD
from tests.rewrite.test_rules import DictLibrary
from utils import processing_utils, replacement_offsets

MIXIN = """import re


class BatchFeature(dict):
    def __init__(self, data=None, tensor_type=None, skip=None):
        super().__init__(data or {}, made=str(tensor_type))


class Kinds(dict):
    pass


class ProcessorMixin:
    valid_processor_kwargs = Kinds

    def __init__(self, image_processor=None, tokenizer=None):
        self.image_processor, self.tokenizer = image_processor, tokenizer

    def __call__(self, images=None, text=None, videos=None, audio=None, **kwargs):
        images, text, videos, audio = self.prepare_inputs_layout(
            images=images, text=text, videos=videos, audio=audio, **kwargs
        )
        self.validate_inputs(images=images, text=text, **kwargs)
        merged = self._merge_kwargs(
            self.valid_processor_kwargs,
            tokenizer_init_kwargs=self.tokenizer.init_kwargs if hasattr(self, "tokenizer") else {},
            **kwargs,
        )
        outputs, found = {}, []
        if images is not None and hasattr(self, "image_processor"):
            outputs, found = self._process_images(images, **merged["images_kwargs"])
        batch = {}
        tensors = merged["text_kwargs"].get("return_tensors", None)
        if getattr(self, "tokenizer", None) is not None and text is not None:
            return_text_replacement_offsets = merged["text_kwargs"].pop("return_text_replacement_offsets", False)
            text, offsets = self.get_text_with_replacements(text, found)
            batch = self.tokenizer(text, **merged["text_kwargs"])
            self._check_special_mm_tokens(text, batch, modalities=["image", "video", "audio"])
            if return_text_replacement_offsets:
                batch["text_replacement_offsets"] = offsets
        data = {**batch, **outputs}
        data = {key: value for key, value in data.items() if key not in self.unused_input_names}
        if not kwargs.get("return_metadata"):
            data.pop("video_metadata", None)
        return BatchFeature(data, tensor_type=tensors, skip=["text_replacement_offsets"])

    @property
    def unused_input_names(self):
        return []

    def prepare_inputs_layout(self, images=None, text=None, videos=None, audio=None, **kwargs):
        if self.all_special_multimodal_tokens and text is not None:
            text = [text] if isinstance(text, str) else text
            text = text.copy()
        return images, text, videos, audio

    @property
    def all_special_multimodal_tokens(self):
        return [kind for kind in ("image", "video") if getattr(self, f"{kind}_token", None) is not None]

    def validate_inputs(self, images=None, text=None, **kwargs):
        if images is None and text is None:
            raise ValueError("nothing was given")

    def _process_images(self, images, **kwargs):
        outputs = self.image_processor(images, **kwargs)
        return outputs, [self.replace_image_token(outputs, image_idx=n) for n in range(len(images))]

    def _merge_kwargs(self, kinds, tokenizer_init_kwargs=None, **kwargs):
        merged = {"text_kwargs": {"kinds": kinds.__name__}, "images_kwargs": {}}
        known = ("return_tensors", "return_text_replacement_offsets")
        merged["text_kwargs"].update({key: value for key, value in kwargs.items() if key in known})
        return merged

    def _check_special_mm_tokens(self, text, batch, modalities):
        for kind in modalities:
            token = getattr(self, f"{kind}_token", None)
            if token is not None and getattr(self, f"{kind}_token_id", None) is not None:
                if [sample.count(token) for sample in text] != batch["counted"]:
                    raise ValueError("a placeholder was cut off")
""" + METHOD[METHOD.index("\n    def get_text") :]
HEAD = '''from ...processing_utils import BatchFeature, Kinds, ProcessorMixin


class PebbleKinds(Kinds):
    """Options of pebbles."""


class PebbleProcessor(ProcessorMixin):
    def __init__(self, image_processor=None, tokenizer=None):
        self.image_token = tokenizer.image_token
        self.image_token_id = tokenizer.image_token_id
        super().__init__(image_processor, tokenizer)

'''
CALL = """    def __call__(self, images=None, text=None, **kwargs):
        if text is None:
            raise ValueError("pebbles need words")
        merged = self._merge_kwargs(PebbleKinds, tokenizer_init_kwargs=self.tokenizer.init_kwargs, **kwargs)
        # Pebbles come first.
        outputs = {}
        if isinstance(text, str):
            text = [text]
        elif not isinstance(text, (list, tuple)):
            raise TypeError("pebbles need words in a list")
        if images is not None:
            outputs = self.image_processor(images, **merged["images_kwargs"])
            heights = outputs.pop("heights")
            made = []
            turn = 0
            for sample in text:
                while self.image_token in sample:
                    # one for each row
                    sample = sample.replace(self.image_token, "<pebble>" * heights[turn], 1)
                    turn += 1
                sample = sample.replace("<pebble>", self.image_token)
                made.append(sample)
            text = made
        tensors = merged["text_kwargs"].pop("return_tensors", None)
        batch = self.tokenizer(text, **merged["text_kwargs"], return_tensors=None)
        self._check_special_mm_tokens(text, batch, modalities=["image"])
        return BatchFeature(data={**batch, **outputs}, tensor_type=tensors)
"""
PATH = "lib/models/pebble/processing_pebble.py"


def rewritten(call: str = CALL, mixin: str = MIXIN) -> tuple[dict[str, str], str]:
    """New texts by path, and why a call stays."""
    files = {"lib/processing_utils.py": mixin, PATH: HEAD + call}
    result = rewrite_library(DictLibrary(files), Settings("...helpers", passes=("expand_tokens",)))
    stays = [r.reason for r in result.report if "__call__ stays" in r.reason]
    return {**files, **result.edits}, " ".join(stays)


class Words:
    """A tokenizer that counts placeholders."""

    image_token, image_token_id, init_kwargs = "<image>", 7, {}

    def __call__(self, text: list[str], return_tensors: Any = None, **options: Any) -> Any:
        shown = [sample[:40] for sample in text]
        counted = [sample.count("<image>") for sample in shown]
        return {"words": list(text), "counted": counted, "options": options}


def pictures(images: list[int], **options: Any) -> dict[str, Any]:
    return {"pixels": [*images], "heights": [*images]}


def processor_of(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A processor of a small library with the helpers in it."""
    for name in ("lib_whole", "lib_whole.models", "lib_whole.models.pebble"):
        package = ModuleType(name)
        package.__path__ = []
        monkeypatch.setitem(sys.modules, name, package)
    helpers = ModuleType("lib_whole.helpers")
    vars(helpers).update({**vars(replacement_offsets), **vars(processing_utils)})
    monkeypatch.setitem(sys.modules, "lib_whole.helpers", helpers)
    monkeypatch.setitem(sys.modules, "lib_whole.encoder_helpers", helpers)
    for path, package in (
        ("lib/processing_utils.py", "lib_whole"),
        (PATH, "lib_whole.models.pebble"),
    ):
        module = ModuleType(f"{package}.{path.rpartition('/')[2][:-3]}")
        vars(module)["__package__"] = package
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(files[path], path, "exec"), vars(module))
    return module.PebbleProcessor(pictures, Words())


def outcome(processor: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return dict(processor(*args, **kwargs))
    except (ValueError, TypeError, IndexError) as error:
        return type(error).__name__, str(error)


def test_the_call_goes_and_everything_stays_the_same(monkeypatch) -> None:
    files, stays = rewritten()
    new = files[PATH]
    assert stays == ""
    assert "def __call__" not in new
    assert "valid_processor_kwargs = PebbleKinds" in new
    assert "BatchFeature" not in new
    assert all(words in new for words in ("# Pebbles come first.", "# one for each row"))
    before = processor_of({**files, PATH: HEAD + CALL}, monkeypatch)
    after = processor_of(files, monkeypatch)
    texts = (
        None,
        5,
        "a <image>",
        ["<image>", "none", "<image> b"],
        ("<image>",),
        [],
        ["<image>" * 9],
    )
    for images, text, kind in itertools.product(
        (None, [], [2, 0, 3], [1] * 9), texts, ("pt", None)
    ):
        found = outcome(before, images, text, return_tensors=kind)
        if found == outcome(after, images, text, return_tensors=kind):
            continue
        # Only too few items end in another error.
        assert "index" in str(found), (images, text, found)
    offsets = after([2], "a <image>", return_text_replacement_offsets=True)
    assert offsets["text_replacement_offsets"][0][0]["new_span"] == (2, 16)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("images=None, text=None, **", "text=None, images=None, **", "in another order (text, images)"),
        ('        self._check_special_mm_tokens(text, batch, modalities=["image"])\n', "", "truncation"),
        ("        tensors = ", "        # Tensors, at last.\n        tensors = ", "# Tensors, at last."),
        ("tensor_type=tensors)", 'tensor_type="AA")', "a prompt gives another result"),
        ("tensor_type=tensors)", 'tensor_type="zz")', "a prompt gives another result"),
        ("tokenizer(text,", "tokenizer(text, 5,", "the parts of the processor get something else"),
    ],
)  # fmt: skip
def test_a_call_that_does_nearly_the_same_stays(old: str, new: str, reason: str) -> None:
    assert CALL.count(old) == 1
    files, stays = rewritten(CALL.replace(old, new))
    assert reason in stays
    assert "def __call__" in files[PATH]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        tensors = ", "        print(text)\n        tensors = "),
        ("        return BatchFeature", "        batch['more'] = 1\n        return BatchFeature"),
    ],
)
def test_a_call_with_other_work_stays(old: str, new: str) -> None:
    files, _ = rewritten(CALL.replace(old, new))
    assert "def __call__" in files[PATH]
    assert "while" not in files[PATH]


def test_a_library_that_refuses_more_keeps_the_call() -> None:
    strict = MIXIN.replace("if images is None and text is None:", "if images is None:")
    files, stays = rewritten(mixin=strict)
    assert "def __call__" in files[PATH]
    assert "a prompt raises ValueError, before nothing" in stays


def test_a_second_run_changes_nothing() -> None:
    files, _ = rewritten()
    again = rewrite_library(DictLibrary(files), Settings("...helpers", passes=("expand_tokens",)))
    assert not {path: text for path, text in again.edits.items() if files[path] != text}
