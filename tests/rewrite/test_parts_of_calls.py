"""The parts of a ``__call__`` whose loops are gone, and what is no part of one: each line is one change of a form."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.emit.edits import Insert, Replace
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.tokens.own_call import Stays, change_of_call, parts_of, unused_imports
from codegen.rewrite.values import Source

FORM = """
LIMIT = 9


class PebbleProcessor:
    def __init__(self, image_processor=None, tokenizer=None):
        pass

    def __call__(self, images=None, text=None, **kwargs):
        return_text_replacement_offsets = pop_offsets_option(kwargs)
        if text is None:
            raise ValueError("pebbles need words")
        merged = self._merge_kwargs(PebbleKinds, **kwargs)
        outputs = {}
        if images is not None:
            outputs = self.image_processor(images, **merged["images_kwargs"])
            images_replacements = [self.replace_image_token(outputs, n) for n in range(len(images))]
            made, text_replacement_offsets = self.get_text_with_replacements(text, images_replacements)
            text = made
        batch = self.tokenizer(text, **merged["text_kwargs"])
        if return_mm_token_type_ids:
            batch["types"] = self.create_mm_token_type_ids(batch)
        self._check_special_mm_tokens(text, batch, modalities=["image"])
        return BatchFeature(data={**batch, **outputs})
"""
USUAL = (
    "outputs = self.image_processor(images, **merged['images_kwargs'])",
    "images_replacements = [self.replace_image_token(outputs, n) for n in range(len(images))]",
)


def parts(text: str) -> tuple[str, list[str], list[str]]:
    """Names and statements of the parts: of what is refused, and for the images."""
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    found = parts_of(ClassInfo(info, info.classes["PebbleProcessor"]))
    guards = [ast.unparse(node).partition("\n")[0] for node in found.guards]
    images = []
    for step in found.images:
        images += [] if step.test is None else [f"if {ast.unparse(step.test)}"]
        images += [ast.unparse(node) for node in step.statements]
    return f"{found.kinds} {found.merged} {found.result}", guards, images


def changed(old: str, new: str) -> str:
    assert FORM.count(old) == 1
    return FORM.replace(old, new)


def test_a_call_has_guards_and_what_is_done_for_the_images() -> None:
    assert parts(FORM) == ("PebbleKinds merged outputs", ["if text is None:"], [*USUAL])


@pytest.mark.parametrize(
    ("old", "new", "guards", "images"),
    [
        ("        outputs = {}\n", "        outputs = made = []\n", 1, 2),
        ("        outputs = {}\n", "", 1, 2),
        ("        outputs = {}\n", "        text = text.copy()\n", 1, 2),
        ("        outputs = {}\n", "        if len(text) > 2:\n            text = [text]\n", 2, 2),
        ("            text = made\n", "        else:\n            made = text\n            outputs = {}\n", 1, 2),
        ("            text = made\n", "            number = LIMIT\n", 1, 3),
        ("            text = made\n", "            number = len(images)\n", 1, 3),
        ("if images is not None", "if images", 1, 3),
        ("        outputs = {}\n", "        sizes = [image.size for image in images]\n", 1, 3),
        ("        batch = self", "        kind = merged['text_kwargs'].pop('kind')\n        batch = self", 1, 2),
        ("        batch = self", "        made = []\n        batch = self", 1, 2),
    ],
)  # fmt: skip
def test_a_call_of_another_form_has_as_many_parts(
    old: str, new: str, guards: int, images: int
) -> None:
    names, refused, made = parts(changed(old, new))
    assert names == "PebbleKinds merged outputs"
    assert (len(refused), len(made)) == (guards, images)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("PebbleKinds, **kwargs", "**kwargs", "line 13 does something else"),
        ("PebbleKinds, **kwargs", "self.kinds, **kwargs", "line 13 does something else"),
        ("merged = self._merge", "merged = self.merge", "line 13 does something else"),
        ("merged = self._merge", "self.merged = self._merge", "line 13 does something else"),
        ("        merged = self._merge_kwargs(PebbleKinds, **kwargs)\n", "", "line 14 does something else"),
        ("        batch = self", "        batch.more = 1\n        batch = self", "line 20 does something else"),
        ("        batch = self", "        text = text.copy()\n        batch = self", "line 20 does something else"),
        ("        batch = self", "        if text is None:\n            text = ''\n        batch = self", "line 20"),
        ("        batch = self", "        sizes = len(images)\n        batch = self", "line 20 does something else"),
        ("if return_mm_token_type_ids", "if self.types", "line 21 does something else"),
        ("self.create_mm_token_type_ids", "self.made", "line 21 does something else"),
        ("self._check_special", "self._check_other", "line 23 does something else"),
        ("batch = self.tokenizer", "batch = self.other", "line 20 does something else"),
        ("batch = self.tokenizer", "batch += self.tokenizer", "line 20 does something else"),
        ("            text = made\n", "        else:\n            outputs = {'a': 1}\n", "line 20 does something"),
        ("            text = made\n", "        else:\n            self.last = {}\n", "line 20 does something"),
        ("            text = made\n", "        else:\n            other, = []\n", "line 20 does something"),
        ("if text is None", "if text is None and limit", "line 11 does something else"),
        ("if text is None", "if kwargs is None", "line 11 does something else"),
        ("if text is None", "while text is None", "line 11 does something else"),
        ('raise ValueError("pebbles need words")', "made = [text]", "line 11 does something else"),
        ("self.get_text_with_replacements(text", "self.replaced(text", "what stands for something else than images"),
        ("outputs = self.image_processor(images", "outputs = self.processor(images", "something else than images"),
        ("outputs = self.image_processor(images", "self.last = self.image_processor(images", "something else than images"),
        ("            text = made\n", "            number = limit + size\n", "for the images reads limit, size"),
        ("if images is not None", "if images is not None and limit", "for the images reads limit"),
        ("images=None, text=None, **", "text=None, images=None, **", "in another order (text, images)"),
        ("images=None, text=None, **", "audio=None, text=None, **", "in another order (audio, text)"),
        ("images=None, text=None, **", "images=None, text=None, videos=None, **", "are images, text, videos, not images"),
        ("images=None, text=None, **kwargs", "images=None, text=None", "arguments are images, text, not images, text and"),
        ("text=None, **", "text=None, *, more=None, **", "its arguments are images, text, more, not"),
        ("tokenizer=None", "video_processor=None", "would use its video_processor, too"),
        ("tokenizer=None", "feature_extractor=None", "would use its feature_extractor, too"),
        ("modalities=", "grid_thw=1, modalities=", "what the encoder takes precomputed is returned in it"),
    ],
)  # fmt: skip
def test_a_call_with_more_or_other_than_its_parts_stays(old: str, new: str, reason: str) -> None:
    with pytest.raises(Stays) as found:
        parts(changed(old, new))
    assert reason in found.value.reason
    near = ("in another order", "would use its", "precomputed")
    assert found.value.near == any(words in reason for words in near)


GUARDS = [
    "def prepare_inputs_layout(self, images=None, text=None, videos=None, audio=None, **kwargs):",
    '    """What is refused, and a text on its own as a list of one."""',
    "    if text is None:",
    '        raise ValueError("pebbles need words")',
    "    text = text if text is None else list(text)",
    "    return super().prepare_inputs_layout(images=images, text=text, videos=videos, audio=audio, **kwargs)",
    "",
]
"""What becomes of what is refused."""
IMAGES = [
    "def _process_images(self, images, **kwargs):",
    '    """What the image processor returns, and what the placeholder of each image becomes."""',
    "    outputs = self.image_processor(images, **kwargs)",
    "    images_replacements = [self.replace_image_token(outputs, n) for n in range(len(images))]",
    "    return outputs, images_replacements",
]
"""What becomes of what is done for the images."""
REFUSED = '        if text is None:\n            raise ValueError("pebbles need words")\n'
INIT = "    def __init__(self, image_processor=None, tokenizer=None):\n        pass\n\n"


def written(text: str) -> list[list[str]]:
    """The lines that each place gets, in the order of the file."""
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    cls = ClassInfo(info, info.classes["PebbleProcessor"])
    change = change_of_call(cls, parts_of(cls))
    (record,) = change.records
    assert (record.kind, record.method, record.location) == (
        "extracted",
        "__call__",
        info.place(cls.methods["__call__"]),
    )
    lines = {
        site.node.lineno: [
            line for e in site.edits if isinstance(e, (Insert, Replace)) for line in e.lines
        ]
        for site in change.sites
    }
    return [lines[number] for number in sorted(lines)]


SETTING = "valid_processor_kwargs = PebbleKinds"
ONE_EACH = "            # one each\n            images_replacements = ["


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", [[SETTING, ""], [*GUARDS, *IMAGES]]),
        (REFUSED, "", [[SETTING, ""], IMAGES]),
        (INIT, "", [[SETTING, "", *GUARDS, *IMAGES]]),
        (
            "if images is not None",
            "if images",
            [
                [SETTING, ""],
                [
                    *(*GUARDS, *IMAGES[:2], "    images_replacements = []", "    if images:"),
                    *(*indented(IMAGES[2:4]), IMAGES[-1]),
                ],
            ],
        ),
        (
            REFUSED,
            f"        # words first\n        # always\n{REFUSED}",
            [
                [SETTING, ""],
                [*GUARDS[:2], "    # words first", "    # always", *GUARDS[2:], *IMAGES],
            ],
        ),
        (
            "            images_replacements = [",
            ONE_EACH,
            [[SETTING, ""], [*GUARDS, *IMAGES[:3], "    # one each", *IMAGES[3:]]],
        ),
        (
            "        outputs = {}\n",
            "        outputs = {}  # none yet\n",
            [[SETTING, ""], [*GUARDS, *IMAGES[:2], "    # none yet", *IMAGES[2:]]],
        ),
        (
            "        outputs = {}\n",
            "        sizes = [image.size for image in images]  # one\n",
            [
                [SETTING, ""],
                [*GUARDS, *IMAGES[:2], "    sizes = [image.size for image in images]  # one", *IMAGES[2:]],
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_written_for_the_parts(old: str, new: str, expected: list[list[str]]) -> None:
    assert written(changed(old, new) if old else FORM) == expected


@pytest.mark.parametrize(
    "line",
    [
        "            text = made\n",
        "        batch = self.tokenizer",
        "        return BatchFeature",
    ],
)
def test_a_comment_behind_the_placeholders_has_no_place(line: str) -> None:
    with pytest.raises(Stays) as found:
        written(changed(line, f"{line[: len(line) - len(line.lstrip())]}# behind\n{line}"))
    assert found.value.reason == "the comment # behind would have no place"
    assert found.value.near


def test_imports_that_only_the_call_used_are_not_needed_any_more() -> None:
    info = ModuleInfo.parse(
        Source("tiny.py", "tiny", f"from lib import a, b\nfrom other import c\n{FORM}\nb")
    )
    cls = ClassInfo(info, info.classes["PebbleProcessor"])
    assert [*unused_imports(cls, ["a", "b", "c", "BatchFeature", "d"])] == ["a", "c"]
