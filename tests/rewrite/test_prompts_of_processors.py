"""What processors are run on, as a table: a loop counts as moved by this evidence.

A prompt that changes is a decision about evidence, to be seen in ``golden/prompts.txt`` and reviewed there.
Record anew with ``pytest tests/rewrite/test_prompts_of_processors.py --update-golden``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.tokens.prompts import placeholders, prompt_of, prompts
from codegen.rewrite.tokens.subject import Subject
from codegen.rewrite.tokens.terms import Term, Unsupported, term
from codegen.rewrite.values import Source
from tests.rewrite.small_edits import GOLDEN
from tests.rewrite.test_tokens import Nothing

TABLE = GOLDEN / "prompts.txt"
SIGNATURES = {
    "images": "images=None, text=None, **kwargs",
    "all": "text, images=None, videos=None, audio=None, is_split=False, *, padded=True, size=3, **kwargs",
    "required": "images, text, more, videos=None",
    "own text": "images, text=None",
    "audios": "audios, videos, text",
}
TOKENS = ("self.image_token", "self.video_token", "self.audio_token")
TEXT = """
class TinyProcessor:
    def __init__(self):
        self.image_token = "<image>"
        self.video_token = "<video>"
        self.audio_token = "<audio>"
        self.count = 3

    def __call__(self, {}):
        return 1
"""
MOST = 40


def subject(signature: str) -> Subject:
    info = ModuleInfo.parse(Source("tiny.py", "tiny", TEXT.format(signature)))
    index = Index(Nothing(), lambda text: True)
    return Subject(index, ClassInfo(info, info.classes["TinyProcessor"]))


def said(value: Any) -> str:
    """A value in words; terms by their numbers."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(said, value))}]"
    return NUMBERS.get(value.digest, value.digest) if isinstance(value, Term) else repr(value)


NUMBERS = {
    term(kind, number).digest: f"{kind} {number}"
    for kind in ("images", "videos", "audio", "audios")
    for number in range(40)
}


def table() -> Iterator[str]:
    for name, signature in SIGNATURES.items():
        yield f"# {name}"
        for prompt in prompts(subject(signature), TOKENS, MOST):
            given = "; ".join(f"{key}: {said(value)}" for key, value in prompt.arguments.items())
            fits = "fit" if prompt.fits else "do not fit"
            yield f"{prompt.number}, {prompt.items} {fits}: {given}"


def test_what_processors_are_run_on_is_as_recorded(request: pytest.FixtureRequest) -> None:
    text = "\n".join(table()) + "\n"
    if request.config.getoption("--update-golden"):
        TABLE.write_text(text, encoding="utf-8")
    assert text == TABLE.read_text(encoding="utf-8"), "record anew with --update-golden"


def test_placeholders_belong_to_kinds_by_their_names() -> None:
    own = subject(SIGNATURES["images"])
    call = own.method("__call__")
    assert call is not None
    _, machine = prompt_of(own, call, TOKENS, 0, False)
    more = ("self.count", "'<AUDIO|>'", "self.mark_token", *TOKENS)
    assert placeholders(machine, more) == {
        "audio": ["<AUDIO|>", "<audio>"],
        "images": ["⟨mark_token⟩", "<image>"],
        "videos": ["<video>"],
    }
    with pytest.raises(Unsupported, match="no strings"):
        placeholders(machine, ("self.count",))
