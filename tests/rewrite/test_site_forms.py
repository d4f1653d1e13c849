"""The forms of loops that replace placeholders, and what is next to each: another word, one part more or less.

Whether a site may be moved is a matter of evidence; that it is seen as what it is, is a matter of these tests.
"""

from __future__ import annotations

import ast
import re
from textwrap import dedent

import pytest

from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.tokens.sites import Site, find_sites
from codegen.rewrite.values import Source


def method_of(body: str) -> tuple[ModuleInfo, ast.FunctionDef]:
    """A file with a method of some statements."""
    lines = "".join(f"        {line}\n" for line in body.strip().split("\n"))
    text = f"class P:\n    def __call__(self, images, texts, counts):\n{lines}"
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    (cls,) = info.tree.body
    assert isinstance(cls, ast.ClassDef)
    (method,) = cls.body
    assert isinstance(method, ast.FunctionDef)
    return info, method


def sites(body: str, **how: bool) -> list[Site]:
    """The sites of a method with some statements."""
    return list(find_sites(*method_of(body), **how))


def told(site: Site) -> dict[str, str]:
    """What a site says, without what it leaves open; several statements of a block on one line."""
    said = {
        "token": ast.unparse(site.token),
        "texts": site.texts,
        "result": site.result if site.result != site.texts else "",
        "value": site.written or ast.unparse(site.value),
        "item": "; ".join(map(ast.unparse, site.item)) if not site.kept else "",
        "marks": ", ".join((*site.sentinels, site.unit)) if site.sentinels else "",
        "counter": site.counter,
        "taken": ", ".join(map(" of ".join, site.taken)),
        "each": " in ".join(filter(None, site.each)),
        "kept": dedent(site.kept).strip(),
        "queue": site.queue,
        "others": ", ".join(map(ast.unparse, site.others)),
        "lead": site.lead,
        "rest": site.rest,
        "returned": ast.unparse(site.returned) if site.returned is not None else "",
        "statements": str(len(site.statements)) if len(site.statements) != 1 else "",
    }
    return {name: text for name, text in said.items() if text}


#: Form: code, what is said of it, and words of the form that may be no others.
FORMS: dict[str, tuple[str, dict[str, str], str]] = {
    "counted up": (
        """
index = 0
for i in range(len(texts)):
    while self.token in texts[i]:
        size = counts[index]
        texts[i] = texts[i].replace(self.token, "<mark>" * size, 1)
        index += 1
    texts[i] = texts[i].replace("<mark>", self.token)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "value": "'<mark>' * size",
            "item": "size = counts[index]",
            "marks": "<mark>, self.token",
            "counter": "index",
        },
        "range len replace",
    ),
    "of a number with a name": (
        """
number = len(texts)
for i in range(number):
    while self.token in texts[i]:
        texts[i] = texts[i].replace(self.token, next(counts), 1)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "value": "next(counts)",
            "taken": "next(counts) of counts",
        },
        "range len replace",
    ),
    "collected": (
        """
made = []
for text in texts:
    while self.token in text:
        text = text.replace(self.token, self.unit * counts.pop(0), 1)
    made.append(text)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "self.unit * counts.pop(0)",
            "taken": "counts.pop(0) of counts",
        },
        "replace append",
    ),
    "a mark, and a queue": (
        """
made = []
for text in texts:
    waiting = []
    while self.token in text:
        waiting.append(self.token * next(counts))
        text = text.replace(self.token, "<mark>", 1)
    while "<mark>" in text:
        text = text.replace("<mark>", waiting.pop(0), 1)
    made.append(text)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "self.token * next(counts)",
            "taken": "next(counts) of counts",
        },
        "replace append pop",
    ),
    "cleaned behind the loop": (
        """
made = []
for text in texts:
    while self.token in text:
        text = text.replace(self.token, "<mark>" * next(counts), 1)
    made.append(text)
done = [text.replace("<mark>", self.unit) for text in made]
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "done",
            "value": "'<mark>' * next(counts)",
            "marks": "<mark>, self.unit",
            "taken": "next(counts) of counts",
            "statements": "2",
        },
        "append",
    ),
    "returned behind the loop": (
        """
made = []
for text in texts:
    while self.token in text:
        text = text.replace(self.token, "<mark>" * next(counts), 1)
    made.append(text)
return [text.replace("<mark>", self.unit) for text in made]
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "'<mark>' * next(counts)",
            "marks": "<mark>, self.unit",
            "taken": "next(counts) of counts",
            "returned": "[text.replace('<mark>', self.unit) for text in made]",
        },
        "append",
    ),
    "the same for all": (
        """
made = []
for text in texts:
    text = text.replace(self.token, self.token * self.count)
    made.append(text)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "self.token * self.count",
        },
        "replace append",
    ),
    "put back": (
        """
for i in range(len(texts)):
    longer = texts[i].replace(self.token, self.token * self.count)
    texts[i] = longer
""",
        {"token": "self.token", "texts": "texts", "value": "self.token * self.count"},
        "range len replace",
    ),
    "in a list": (
        "made = [text.replace(self.token, self.token * self.count) for text in texts]",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "self.token * self.count",
        },
        "replace",
    ),
    "by a pattern": (
        """
escaped = re.escape(self.token)
pattern = re.compile(escaped)
made = [pattern.sub(lambda _: next(counts), text) for text in texts]
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "next(counts)",
            "taken": "next(counts) of counts",
        },
        "escape compile sub re",
    ),
    "by a pattern of its own": (
        "made = [re.sub(re.escape(self.token), self.unit, text) for text in texts]",
        {"token": "self.token", "texts": "texts", "result": "made", "value": "self.unit"},
        "escape sub re",
    ),
    "split and joined": (
        """
index = 0
made = []
for text in texts:
    parts = text.split(self.token)
    pieces = []
    for number, part in enumerate(parts):
        pieces += [part]
        if number < len(parts) - 1:
            size = counts[index]
            index += 1
            pieces.append(self.unit * size)
    made.append("".join(pieces))
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "self.unit * size",
            "item": "size = counts[index]",
            "counter": "index",
        },
        "split append",
    ),
    "split beside lists": (
        """
made = []
for text, sizes in zip(texts, counts):
    parts = text.split(self.token)
    pieces = []
    for size in sizes:
        row = self.unit * size
        pieces.append(row)
    made.append(weave(parts, pieces))
""",
        {
            "token": "self.token",
            "texts": "[text for text, *_ in zip(texts, counts)]",
            "result": "made",
            "value": "row",
            "item": "row = self.unit * size",
            "each": "size in [item for text, sizes in zip(texts, counts) for item in sizes]",
        },
        "zip split append",
    ),
    "split beside several lists": (
        """
made = []
for text, sizes, others in zip(texts, counts, images):
    parts = text.split(self.token)
    pieces = []
    for size, other in zip(sizes, others):
        pieces.append(self.unit * size + other)
    made.append(weave(parts, pieces))
""",
        {
            "token": "self.token",
            "texts": "[text for text, *_ in zip(texts, counts, images)]",
            "result": "made",
            "value": "self.unit * size + other",
            "each": "size, other in [item for text, sizes, others in zip(texts, counts, images)"
            " for item in zip(sizes, others)]",
        },
        "zip split append",
    ),
    "handed to a method": (
        """
queue = iter(counts)
made = []
for text in texts:
    text = self.expanded(text, self.image_token, queue)
    made.append(text)
""",
        {
            "token": "self.image_token",
            "texts": "texts",
            "result": "made",
            "value": "self.expanded(self.image_token, self.image_token, iter([next(queue)]))",
            "taken": "next(queue) of queue",
        },
        "iter self append",
    ),
    "spliced from the back": (
        """
for number, (text, sizes) in enumerate(zip(texts, counts)):
    for at, size in reversed(list(zip(starts(text), sizes))):
        if size:
            row = self.unit * size
            text = text[:at] + row + text[at + len(self.token):]
            texts[number] = text
""",
        {
            "token": "self.token",
            "texts": "texts",
            "value": "row",
            "kept": """
for number, (text, sizes) in enumerate(zip(texts, counts)):
    for at, size in zip(starts(text), sizes):
        if size:
            row = self.unit * size
            __replacements.append(row)
        else:
            __replacements.append(self.token)
""".strip(),
        },
        "enumerate reversed len",
    ),
    "one for all of a text": (
        """
for number, size in enumerate(counts):
    row = self.unit * size
    texts[number] = texts[number].replace(self.token, row)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "value": "row",
            "kept": """
for number, size in enumerate(counts):
    row = self.unit * size
    __replacements += [row] * texts[number].count(self.token)
""".strip(),
        },
        "replace",
    ),
    "at once, and more behind": (
        """
made = []
for text in texts:
    longer = text.replace(self.token, self.unit)
    longer = self.begin + longer
    made.append(longer)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "self.unit",
            "rest": """
for longer in __expanded:
    longer = self.begin + longer
    made.append(longer)
""".strip(),
        },
        "replace append",
    ),
    "at once, and more around": (
        """
made = []
for text in texts:
    check(text)
    longer = text.replace(self.token, self.unit)
    made.append(longer)
    count(text, longer)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "self.unit",
            "lead": "for text in texts:\n    check(text)",
            "rest": """
for text, longer in zip(texts, __expanded):
    made.append(longer)
    count(text, longer)
""".strip(),
        },
        "replace append",
    ),
    "for each, and more": (
        """
made = []
for text in texts:
    while self.token in text:
        text = text.replace(self.token, next(counts), 1)
        text = self.begin + text
    made.append(text)
""",
        {
            "token": "self.token",
            "texts": "texts",
            "result": "made",
            "value": "next(counts)",
            "taken": "next(counts) of counts",
            "rest": """
for given, text in zip(texts, __expanded):
    for _ in range(given.count(self.token)):
        text = self.begin + text
    made.append(text)
""".strip(),
        },
        "replace append",
    ),
    "either of two": (
        """
made = []
for text in texts:
    waiting = []
    while self.image_token in text or self.video_token in text:
        if first(text):
            waiting.append(next(counts))
            text = text.replace(self.image_token, "<mark>", 1)
        else:
            waiting.append(next(images))
            text = text.replace(self.video_token, "<mark>", 1)
    while "<mark>" in text:
        text = text.replace("<mark>", waiting.pop(0), 1)
    made.append(text)
""",
        {
            "token": "self.image_token",
            "texts": "texts",
            "result": "made",
            "value": "self.image_token",
            "queue": "waiting",
            "others": "self.video_token",
            "kept": """
for text in texts:
    waiting = []
    for placeholder in placeholders_in(text, self.image_token, self.video_token):
        if placeholder == self.image_token:
            __replacements0.append(next(counts))
        else:
            __replacements1.append(next(images))
""".strip(),
        },
        "append pop",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_seen(form: str) -> None:
    body, wanted, _ = FORMS[form]
    (site,) = sites(body)
    assert told(site) == wanted


def test_a_loop_stays_only_where_that_is_asked_for() -> None:
    body, wanted, _ = FORMS["counted up"]
    (stays,) = sites(body, stay=True)
    assert told(stays)["kept"].startswith("for i in range(len(texts)):")
    (goes,) = sites(body, stay=False)
    assert told(goes) == wanted


WORDS = [
    (form, word, number)
    for form, (body, _, words) in FORMS.items()
    for word in words.split()
    for number in range(len(re.findall(rf"\b{word}\b", body)))
]


@pytest.mark.parametrize(("form", "word", "number"), WORDS)
@pytest.mark.parametrize("other", ["a0", "zz"])
def test_a_word_of_a_form_is_no_other(form: str, word: str, number: int, other: str) -> None:
    body, wanted, _ = FORMS[form]
    place = [*re.finditer(rf"\b{word}\b", body)][number]
    changed = body[: place.start()] + other + body[place.end() :]
    said = {name: text for name, text in wanted.items() if name not in ("texts", "each")}
    assert not any(said.items() <= told(site).items() for site in sites(changed))
