"""The contract of a processor can be kept, and every way to break it is found and told."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import codegen
from codegen.verify.contract import ProcessorContract
from codegen.verify.processors.exceptions import TRANSFORMERS
from utils.processing_utils import get_text_with_replacements


class Tokenizer:
    name = "tokenizer"

    def __call__(self, text: list[str], padding: bool = False) -> dict[str, Any]:
        return {"input_ids": [list(map(ord, t)) for t in text]}


class Keeping:
    """Items are numbers: as many tokens as they say."""

    def __init__(self) -> None:
        self.tokenizer = Tokenizer()

    def __call__(
        self, text: list[str], images: Sequence[int] = (), videos: Sequence[int] = ()
    ) -> Any:
        assert self.tokenizer.name == "tokenizer"
        return self.tokenizer(self.expand(text, images, videos), padding=True)

    def expand(self, text: list[str], images: Sequence[int], videos: Sequence[int]) -> list[str]:
        unit = ["<i>" * n for n in images], ["<v>" * n for n in videos]
        return get_text_with_replacements(list(text), "<i>", unit[0], "<v>", unit[1])[0]


class Changing(Keeping):
    def expand(self, text: list[str], images: Sequence[int], videos: Sequence[int]) -> list[str]:
        text[:] = super().expand(text, images, videos)
        return text


class Bypassing(Keeping):
    def expand(self, text: list[str], images: Sequence[int], videos: Sequence[int]) -> list[str]:
        values = {"<i>": iter(images), "<v>": iter(videos)}
        pieces = [t.replace("<i>", "\0<i>\0").replace("<v>", "\0<v>\0").split("\0") for t in text]
        return ["".join(p * next(values[p]) if p in values else p for p in ps) for ps in pieces]


class Depending(Keeping):
    """The first item's number holds for all."""

    def expand(self, text: list[str], images: Sequence[int], videos: Sequence[int]) -> list[str]:
        return super().expand(text, [images[0] for _ in images] if images else (), videos)


class Trimming(Keeping):
    def expand(self, text: list[str], images: Sequence[int], videos: Sequence[int]) -> list[str]:
        return [t.removeprefix("before ") for t in super().expand(text, images, videos)]


class Method(Keeping):
    """As the library has it since 5.10: a method of the processor."""

    def get_text_with_replacements(self, text: list[str], images: list[str]) -> Any:
        return Keeping.expand(self, text, list(map(len, images)), ()), []

    def expand(self, text: list[str], images: Sequence[int], videos: Sequence[int]) -> list[str]:
        return self.get_text_with_replacements(text, ["x" * n for n in images])[0]


class ColPaliProcessor(Changing):
    """One that the contract makes an exception of."""


def contract(cls: type[Keeping], *modalities: str, **attributes: Any) -> ProcessorContract:
    members = {
        "placeholders": {name: f"<{name[0]}>" for name in modalities or ("image",)},
        "processor": lambda self: cls(),
        "items": lambda self, modality: [1, 4, 2],
        **attributes,
    }
    return type("Contract", (ProcessorContract,), members)()


@pytest.mark.parametrize("cls", [Keeping, Method])
def test_it_is_kept(cls: type[Keeping]) -> None:
    for modalities in (("image",), ("image", "video"))[: 2 if cls is Keeping else 1]:
        kept = contract(cls, *modalities)
        kept.test_texts_of_the_caller_are_never_changed()
        kept.test_processor_expands_tokens_via_get_text_with_replacements()


def test_a_changed_list_is_found() -> None:
    with pytest.raises(AssertionError, match="has become"):
        contract(Changing).test_texts_of_the_caller_are_never_changed()


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Bypassing, "not what get_text_with_replacements has returned"),
        (Depending, r"\['<i>\*3'\], not \['<i>\*7'\]"),
        (Trimming, "the words around .* are gone"),
    ],
)
def test_an_expansion_by_other_means_is_found(cls: type[Keeping], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        contract(cls).test_processor_expands_tokens_via_get_text_with_replacements()


def test_exceptions_are_skipped_with_their_reason() -> None:
    with pytest.raises(unittest.SkipTest, match="takes texts or images"):
        contract(
            ColPaliProcessor, exceptions=TRANSFORMERS
        ).test_texts_of_the_caller_are_never_changed()
    known = contract(Changing, exceptions={"Changing": "known to change its texts"})
    with pytest.raises(unittest.SkipTest, match="Changing: known to change its texts"):
        known.test_texts_of_the_caller_are_never_changed()


PROJECT = """
from codegen.verify.contract import ProcessorContract


def get_text_with_replacements(text, images):
    parts = "\\0".join(text).split("<i>")
    made = "".join(a + b for a, b in zip(parts, [*images, ""]))
    return made.split("\\0"), []


class Pebble:
    def __init__(self):
        self.tokenizer = list

    def __call__(self, text, images=()):
        new = [*text]
        if images:
            new, _ = get_text_with_replacements(new, ["<i>" * n for n in images])
        {keep}
        return self.tokenizer(new)


class TestPebble(ProcessorContract):
    placeholders = {{"image": "<i>"}}

    def processor(self):
        return Pebble()

    def items(self, modality):
        return [1, 2, 5]
"""


@pytest.mark.parametrize(
    ("keep", "said"), [("", "2 passed"), ("text[:] = new", "1 failed, 1 passed")]
)
def test_a_project_inherits_it_from_the_installed_package(
    tmp_path: Path, keep: str, said: str
) -> None:
    """Nothing of this repository is needed but the package itself."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "codegen").symlink_to(Path(codegen.__file__).parent, target_is_directory=True)
    (tmp_path / "test_pebble.py").write_text(PROJECT.format(keep=keep or "pass"), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_pebble.py"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert said in done.stdout, done.stdout + done.stderr
