"""Two promises of a processor, as tests that the processor tests of a project or a library inherit.

    class TestMyProcessor(ProcessorContract):
        placeholders = {"image": "<image>"}

        def processor(self):
            return MyProcessor(image_processor, tokenizer)

        def items(self, modality):
            return [small_picture, wide_picture, tall_picture]

1. The caller's list of texts is never changed.
2. Every expansion goes through ``get_text_with_replacements``: what a placeholder becomes depends on
   its item alone, so that single items predict whole batches, and what reaches the tokenizer is what
   the helper has returned.

They run under pytest as under unittest, and load neither torch nor transformers by themselves.
"""

from __future__ import annotations

import copy
import re
import sys
import unittest
import unittest.mock
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

HELPER = "get_text_with_replacements"
ARGUMENTS = {"image": "images", "video": "videos", "audio": "audio"}
#: Strings that mean something to a template, a pattern or a loop, and nothing to a processor.
ODD = "\\1 \\g<0> $1 %s {} <placeholder> <|placeholder|> é😀\n\n"

#: One part of a prompt: words, or an item by modality and number.
Part = str | tuple[str, int]


class ProcessorContract:
    """Inherit it beside the test case of a processor, and say what to build and what to give it."""

    #: What a prompt holds for an item, by modality: "image", "video", "audio".
    placeholders: ClassVar[Mapping[str, str]] = {}
    #: Keywords of every call.
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether the processor wants items as one list for each text, not as a flat one.
    nested: ClassVar[bool] = False
    #: Whether all texts of a batch need the same number of items.
    equal_numbers: ClassVar[bool] = False
    #: Processors for which a test means nothing, by name of a class with the reason; children inherit it.
    #: For those of transformers: ``codegen.verify.processors.exceptions.TRANSFORMERS``.
    exceptions: ClassVar[Mapping[str, str]] = {}

    def processor(self) -> Any:
        """A fresh processor."""
        raise NotImplementedError

    def items(self, modality: str) -> Sequence[Any]:
        """Three items that become different numbers of tokens, as far as the processor has them."""
        raise NotImplementedError

    def within(self, text: str) -> str:
        """A text that reaches the tokenizer, without what the processor writes around every prompt."""
        return text

    def test_texts_of_the_caller_are_never_changed(self) -> None:
        """The list is what it was, for one text and for a batch."""
        processor = self._built()
        for prompts in self._batches():
            texts = [self._write(prompt) for prompt in prompts]
            before = list(texts)
            processor(text=texts, **self._given(prompts))
            assert texts == before, f"{before} has become {texts}"

    def test_processor_expands_tokens_via_get_text_with_replacements(self) -> None:
        """Single items predict batches, and the helper has made what is tokenized."""
        processor = self._built()
        learned = {
            (modality, number): self._learn(processor, (modality, number))
            for modality in self.placeholders
            for number in range(3)
        }
        for prompts in self._batches():
            expected = ["".join(_filled(prompt, learned)) for prompt in prompts]
            seen, returned = self._run(processor, prompts)
            assert seen == expected, f"{prompts}: {_shown(seen)}, not {_shown(expected)}"
            if any(isinstance(part, tuple) for prompt in prompts for part in prompt):
                assert seen in returned, f"{prompts}: not what {HELPER} has returned"

    def _built(self) -> Any:
        processor = self.processor()
        for cls in type(processor).__mro__:
            if cls.__name__ in self.exceptions:
                raise unittest.SkipTest(f"{cls.__name__}: {self.exceptions[cls.__name__]}")
        return processor

    def _batches(self) -> Iterator[Sequence[Sequence[Part]]]:
        """Prompts with one modality, then with several in turn."""
        if not self.equal_numbers:
            yield (("just words",),)
        for name in self.placeholders:
            first, second, third = ((name, number) for number in range(3))
            yield ((third, "at the start"),)
            yield ((ODD, first, ODD),)
            yield ((first, second, third),)
            yield ((first, " and ", first, "."), ("x ", third, second))
            if not self.equal_numbers:
                yield ((first, " and ", first, "."), ("words",), ("x ", third))
                yield (("words",), (second, " y\n", first))
        for name in self.placeholders:
            for other in self.placeholders:
                if name < other:
                    yield (((name, 0), (other, 1), " ", (name, 2)), ((other, 0), ODD, (name, 1)))

    def _write(self, prompt: Sequence[Part]) -> str:
        return "".join(p if isinstance(p, str) else self.placeholders[p[0]] for p in prompt)

    def _given(self, prompts: Sequence[Sequence[Part]]) -> dict[str, Any]:
        """Keywords of a call: the items in the order of their placeholders."""
        # Processors take options out of the dictionaries that they get.
        given = copy.deepcopy(dict(self.options))
        for modality in self.placeholders:
            items = self.items(modality)
            rows = [
                [
                    items[p[1] % len(items)]
                    for p in prompt
                    if not isinstance(p, str) and p[0] == modality
                ]
                for prompt in prompts
            ]
            if any(rows):
                flat = [item for row in rows for item in row]
                given[ARGUMENTS[modality]] = rows if self.nested else flat
        return given

    def _learn(self, processor: Any, item: tuple[str, int]) -> str:
        """What the placeholder of an item becomes, from a prompt with nothing else."""
        seen, _ = self._run(processor, [("before ", item, " after")])
        match = re.fullmatch(r"before (.*) after", seen[0], flags=re.DOTALL)
        assert match, f"the words around {item} are gone: {_shown(seen)}"
        return match[1]

    def _run(
        self, processor: Any, prompts: Sequence[Sequence[Part]]
    ) -> tuple[list[str], list[list[str]]]:
        """The texts that reach the tokenizer, and those that the helper has returned, by call."""
        returned: list[list[str]] = []
        texts = [self._write(prompt) for prompt in prompts]
        tokenizer = _Tokenizer(processor.tokenizer)
        with (
            spied(processor, returned),
            unittest.mock.patch.object(processor, "tokenizer", tokenizer),
        ):
            processor(text=texts, **self._given(prompts))
        assert len(tokenizer.seen) == 1, f"the tokenizer was called {len(tokenizer.seen)} times"
        return [self.within(text) for text in tokenizer.seen[0]], [
            [self.within(text) for text in texts] for texts in returned
        ]


class _Tokenizer:
    """A tokenizer that notes the texts of its calls."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.seen: list[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        self.seen.append([text] if isinstance(text, str) else list(text))
        return self._tokenizer(text, *args, **kwargs)


def knows_helper(processor: Any) -> bool:
    """Whether a processor has the helper, as a method or in a module of its classes."""
    return hasattr(processor, HELPER) or bool(_modules(processor))


def _modules(processor: Any) -> list[Any]:
    names = dict.fromkeys(cls.__module__ for cls in type(processor).__mro__)
    modules = [sys.modules.get(name) for name in names]
    return [module for module in modules if hasattr(module, HELPER)]


@contextmanager
def spied(processor: Any, returned: list[list[str]]) -> Iterator[None]:
    """Note what the helper returns, whether it is a function of a module or a method of the processor."""

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            returned.append(list(result[0]))
            return result

        return call

    owners = _modules(processor)
    if hasattr(processor, HELPER):
        owners.append(processor)
    assert owners, f"{type(processor).__name__} knows no {HELPER}"
    with ExitStack() as stack:
        for owner in owners:
            spy = watched(getattr(owner, HELPER))
            stack.enter_context(unittest.mock.patch.object(owner, HELPER, spy))
        yield


def _filled(prompt: Sequence[Part], learned: Mapping[tuple[str, int], str]) -> Iterator[str]:
    return (part if isinstance(part, str) else learned[part] for part in prompt)


def _shown(texts: Sequence[str]) -> str:
    """Texts with repeated tokens as a number, short enough for a message."""

    def fold(match: re.Match[str]) -> str:
        return f"{match[1]}*{len(match[0]) // len(match[1])}"

    folded = [re.sub(r"(<[^<>\s]+>)\1+", fold, text) for text in texts]
    return repr([text if len(text) < 300 else f"{text[:300]}..." for text in folded])
