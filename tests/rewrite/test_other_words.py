"""Every word of a form that is captured is looked at: with another one in its place, nothing of it vanishes.

The cases of capture, each with one word of the method changed, for each word that the form for graphs does not
repeat: then the method is left with a word in the report, or the other word stands in both forms.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rewrite.test_rules import Case, read_case, run
from tests.rewrite.test_unknown_pieces import CASES, NAMES, NUMBER, marked, vanishes

#: What may be any word, by case: names that stand for nothing, and sizes that do not matter.
FREE = {
    "attention_in_a_loop": {"weights"},
    "attention_lengths_listed_first": {"_"},
    "chunks_of_convolutions": {"n_window"},
    "convolution_in_parts": {"part_size"},
    "parts_of_a_function": {"part_size"},
    "parts_of_modules": {"part_size"},
    "parts_of_own_module": {"part_size"},
}
#: Words without which a method is not near the rule any more: nothing need be said of it.
APART = {
    *("split", "tolist", "self", "torch", "dim", "range", "i", "grid_thw"),
    *("torch_compilable_check", "chunk_and_pad_features"),
}
#: Cases whose forms for graphs repeat every word.
REPEATING = {
    "check_with_values_in_its_message",
    "chunks_masked_by_the_model",
    "positions_counted_ahead",
}


def captured(case: Case) -> set[tuple[str, str]]:
    found = re.finditer(r"^# captured at \d+ in (\w+)\.(\w+):", case.report, re.MULTILINE)
    return {(match[1], match[2]) for match in found}


CAPTURED = [path for path in CASES if captured(read_case(path))]


def methods(text: str, places: set[tuple[str, str]]) -> Iterator[ast.FunctionDef]:
    for cls in ast.parse(text).body:
        for node in cls.body if isinstance(cls, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef) and (cls.name, node.name) in places:
                yield node


def with_another(text: str, function: ast.FunctionDef) -> Iterator[tuple[str, str, str]]:
    """A word of a method, another one, and the text with that in its place."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        (row, column), (last, end) = token.start, token.end
        if not function.body[0].lineno <= row <= (function.end_lineno or 0):
            continue
        others: tuple[str, ...] = ()
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            others = NAMES
        elif token.type == tokenize.NUMBER and "." not in token.string:
            others = (NUMBER,)
        for other in others:
            before, behind = text[: starts[row - 1] + column], text[starts[last - 1] + end :]
            yield token.string, other, before + other + behind


@pytest.mark.parametrize("path", marked(CAPTURED))
def test_no_word_of_a_form_vanishes_unseen(path: Path) -> None:
    case = read_case(path)
    ((name, text),) = case.files.items()
    assert case.expected is not None
    tried = 0
    for function in methods(text, captured(case)):
        for word, other, changed in with_another(text, function):
            if not vanishes(case.expected, word) or word in FREE.get(path.stem, ()):
                continue
            tried += 1
            result = run({name: changed}, "capture")
            kinds = {record.kind for record in result.report}
            assert "failed" not in kinds
            if "captured" not in kinds:
                assert "left" in kinds or word in APART, (word, other)
            else:
                assert not vanishes(result.edits[name], other), (word, other)
    assert tried or path.stem in REPEATING
