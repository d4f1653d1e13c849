"""The runs that compare processors: worlds, terms, prompts, and what counts as a difference."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite import Settings
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.evidence import difference, run
from codegen.rewrite.tokens.expand_tokens import _collecting
from codegen.rewrite.tokens.prompts import prompts
from codegen.rewrite.tokens.subject import Subject
from codegen.rewrite.tokens.terms import Term, Unsupported, World, freeze, term
from codegen.rewrite.values import Source

HEAD = """
class TinyProcessor(ProcessorMixin):
    def __init__(self, image_processor=None, tokenizer=None):
        self.image_token = tokenizer.image_token
        super().__init__(image_processor, tokenizer)

    def __call__(self, images=None, text=None):
        text = [text] if isinstance(text, str) else list(text or [])
        image_inputs = self.image_processor(images) if images is not None else {}
"""
LOOP = """
        if images is not None:
            counts = image_inputs["counts"]
            index = 0
            for i in range(len(text)):
                while self.image_token in text[i]:
                    text[i] = text[i].replace(self.image_token, "<mark>" * counts[index], 1)
                    index += 1
                text[i] = text[i].replace("<mark>", self.image_token)
"""
ONE_PASS = """
        found = []
        if images is not None:
            counts = image_inputs["counts"]
            made = [self.image_token * counts[n] for n in range(len(counts))]
            text, found = get_text_with_replacements(
                text,
                image_token=self.image_token,
                images_replacements=made,
                return_replacement_offsets=True,
            )
        return add_replacement_offsets(self.tokenizer(text), found)
"""
TAIL = """
        return self.tokenizer(text)
"""


class Nothing:
    """A library without any other file."""

    def modules(self) -> dict[str, str]:
        return {}

    def read(self, module: str) -> None:
        return None


def subject(body: str) -> Subject:
    """A processor with a piece of code between the parts and the tokenizer."""
    source = Source("tiny.py", "tiny", HEAD + body + TAIL)
    info = ModuleInfo.parse(source)
    return Subject(
        Index(Nothing(), lambda text: True), ClassInfo(info, info.classes["TinyProcessor"])
    )


def loop_of(found: Subject) -> list[ast.stmt]:
    """The statements that have to have run."""
    call = found.method("__call__")
    assert call is not None
    whiles = [node for node in ast.walk(call) if isinstance(node, ast.While)]
    return [node.body[0] for node in whiles]


def compared(after: str) -> str:
    """Why code is not shown to do what the loop does."""
    old = subject(LOOP)
    return difference(old, subject(after), ["self.image_token"], loop_of(old))


def test_one_pass_is_what_the_loop_does() -> None:
    assert compared(ONE_PASS) == ""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("counts[n] for", "counts[0] for", "something else"),
        ("self.image_token * counts[n]", "self.image_token * (counts[n] + 1)", "something else"),
        ("range(len(counts))]", "range(len(counts) - 1)]", "raises ValueError"),
        (
            "            text, found =",
            "            text = text[:1]\n            text, found =",
            "something else",
        ),
        (
            "        found = []",
            "        text = text or ['x']\n        found = []",
            "something else",
        ),
        (
            "        return add",
            "        text = ['<s>' + t for t in text]\n        return add",
            "changed behind",
        ),
    ],
)
def test_a_planted_fault_is_found(old: str, new: str, reason: str) -> None:
    assert old in ONE_PASS
    found = compared(ONE_PASS.replace(old, new))
    assert reason in found


def test_code_that_cannot_be_followed_is_no_evidence() -> None:
    old = subject("\n        with open('x') as file:\n            text = file" + LOOP)
    assert "cannot be followed" in difference(old, old, ["self.image_token"], loop_of(old))


def test_a_loop_that_never_runs_is_no_evidence() -> None:
    never = LOOP.replace("if images is not None:", "if images is None and images is not None:")
    old = subject(never)
    assert "never ran" in difference(old, old, ["self.image_token"], loop_of(old))


def test_the_same_prompt_gives_the_same() -> None:
    old = subject(LOOP)
    for prompt in prompts(old, ["self.image_token"], 20):
        try:
            first = run(old, prompt)
        except Unsupported:
            continue
        again = run(old, prompt)
        assert (first.result, first.raised, first.trace) == (
            again.result,
            again.raised,
            again.trace,
        )


def test_worlds_decide_the_same_for_equal_terms_and_differ_among_each_other() -> None:
    made = [term("f", 1, "a") for _ in range(2)]
    assert freeze(made[0]) == freeze(made[1]) != freeze(term("f", 2, "a"))
    truths = {number: {World(number).truth(item) for item in made} for number in range(20)}
    assert all(len(found) == 1 for found in truths.values())
    assert set.union(*truths.values()) == {True, False}


def test_a_term_remembers_what_was_stored_and_knows_its_length() -> None:
    world = World(0)
    whole = Term("x", length=3)
    assert len(list(world.entries(whole))) == 3
    assert world.entry(whole, -1) is world.entry(whole, 2)
    with pytest.raises(IndexError):
        world.entry(whole, 3)
    before = freeze(whole)
    world.entry(whole, 0).changed["a"] = 1
    assert freeze(whole) != before


def test_items_are_given_flat_and_as_lists_for_each_text() -> None:
    found = subject(LOOP)
    given = [
        p.arguments["images"]
        for p in prompts(found, ["self.image_token"], 40)
        if p.arguments.get("images")
    ]
    assert {isinstance(images[0], list) for images in given} == {True, False}


def test_methods_that_a_parent_asks_for_offsets_are_known() -> None:
    text = """
class Parent:
    def __call__(self, text):
        collected = {}
        self.plain(text)
        self.expand(text, **collected)
        self.other(text, **more)


class Child(Parent):
    def expand(self, text):
        self.own(text, **collected)
"""
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    state = RewriteState(Nothing(), Settings())
    state.index.replace(info)
    found = {name: _collecting(state, ClassInfo(info, node)) for name, node in info.classes.items()}
    assert found == {"Parent": set(), "Child": {"expand"}}
