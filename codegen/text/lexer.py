"""Split source text into code, strings and comments without a full tokenizer.

Renaming and dependency search only need to know, for a character, whether it belongs to code, to a
plain string, to the literal text of an f-string or to a comment. One scan answers that for a whole
file and is an order of magnitude faster than :mod:`tokenize` or a concrete syntax tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Region = tuple[int, int]

_START = re.compile(r"#[^\n]*|\"\"\"|'''|\"|'")
_PREFIX = re.compile(r"(?:[bft]r|r[bft]|[rubft])$", re.IGNORECASE)
_END = {
    '"""': re.compile(r'(?:[^\\"]+|\\.|"(?!""))*"""', re.DOTALL),
    "'''": re.compile(r"(?:[^\\']+|\\.|'(?!''))*'''", re.DOTALL),
    '"': re.compile(r'(?:[^\\"\n]+|\\.)*"', re.DOTALL),
    "'": re.compile(r"(?:[^\\'\n]+|\\.)*'", re.DOTALL),
}
_NAME = re.compile(r"\b[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Lexed:
    """The token classes of one text, as half-open character ranges in source order.

    ``code`` is the text with strings and comments blanked out (same length, so offsets agree);
    expressions inside f-strings stay visible in it, their literal text does not.
    """

    code: str
    comments: tuple[Region, ...]
    strings: tuple[Region, ...]
    fstring_literals: tuple[Region, ...]


def lex(text: str) -> Lexed:
    """Classify every character of ``text``, which must be valid Python source."""
    return _Scanner(text).run()


def name_tokens(code: str) -> set[str]:
    """Return all identifiers in blanked-out ``code`` (see :class:`Lexed`), keywords included."""
    return set(_NAME.findall(code))


def merged_regions(*groups: Iterable[Region]) -> tuple[Region, ...]:
    """Union of several region lists, sorted by start."""
    return tuple(sorted(region for group in groups for region in group))


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


class _Scanner:
    """One pass over a text. Mutable on purpose: it lives only inside :func:`lex`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[str] = []
        self.done = 0
        self.comments: list[Region] = []
        self.strings: list[Region] = []
        self.literals: list[Region] = []

    def run(self) -> Lexed:
        position = 0
        while match := _START.search(self.text, position):
            position = self._token(match)
        self.pieces.append(self.text[self.done :])
        return Lexed(
            "".join(self.pieces), tuple(self.comments), tuple(self.strings), tuple(self.literals)
        )

    def _token(self, match: re.Match[str]) -> int:
        start, end = match.span()
        quote = match.group()
        if quote[0] == "#":
            self.comments.append((start, end))
            self._blank(start, end)
            return end
        prefix = self._prefix(start)
        start -= len(prefix)
        if "f" in prefix or "t" in prefix:
            return self._fstring(start, end, quote, "r" in prefix)
        closing = _END[quote].match(self.text, end)
        stop = closing.end() if closing else len(self.text)
        self.strings.append((start, stop))
        self._blank(start, stop)
        return stop

    def _prefix(self, quote_at: int) -> str:
        """The lower-cased string prefix that ends right before the quote, or nothing."""
        if quote_at == self.done or not self.text[quote_at - 1].isalpha():
            return ""
        word_start = quote_at - 1
        while word_start > self.done and _is_word(self.text[word_start - 1]):
            word_start -= 1
        word = self.text[word_start:quote_at].lower()
        return word if _PREFIX.fullmatch(word) else ""

    def _fstring(self, start: int, position: int, quote: str, raw: bool) -> int:
        """Scan an f-string from behind its opening quote; return the offset after it."""
        text, literal = self.text, start
        while position < len(text):
            char = text[position]
            if text.startswith(quote, position):
                position += len(quote)
                break
            if char == "\\" and not raw and not text.startswith("\\N{", position):
                position += 2
            elif text.startswith("\\N{", position) and not raw:
                position = text.index("}", position) + 1
            elif text.startswith(("{{", "}}"), position):
                position += 2
            elif char == "{":
                self._literal(literal, position + 1)
                position = literal = self._replacement_field(position + 1, quote)
            else:
                position += 1
        self._literal(literal, position)
        return position

    def _replacement_field(self, position: int, quote: str) -> int:
        """Scan the expression of a replacement field; return the offset of its closing brace."""
        depth = 0
        while position < len(self.text):
            char = self.text[position]
            if char in "\"'#":
                match = _START.match(self.text, position)
                position = self._token(match) if match else position + 1
                continue
            if char in "([{":
                depth += 1
            elif depth == 0 and char == "}":
                return position
            elif depth == 0 and char == ":":
                return self._format_spec(position, quote)
            elif char in ")]}":
                depth -= 1
            position += 1
        return position

    def _format_spec(self, position: int, quote: str) -> int:
        literal = position
        while position < len(self.text):
            char = self.text[position]
            if char == "}" or self.text.startswith(quote, position):
                break
            if char == "{":
                self._literal(literal, position + 1)
                position = literal = self._replacement_field(position + 1, quote)
            position += 1
        self._literal(literal, position)
        return position

    def _literal(self, start: int, end: int) -> None:
        if end > start:
            self.literals.append((start, end))
            self._blank(start, end)

    def _blank(self, start: int, end: int) -> None:
        self.pieces.append(self.text[self.done : start])
        self.pieces.append(" " * (end - start))
        self.done = end
