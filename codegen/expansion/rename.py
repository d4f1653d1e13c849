"""Replace a parent's model name by the new one, the way the modular convention does it.

Three spellings are replaced (lower, UPPER, Cased) wherever they start a word part; nothing is
required behind the match. Literal text of f-strings and absolute imports stay as they are.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from codegen.text.lexer import Region
from codegen.trees.names import FILE_TYPES, NameTable


class Spelling:
    """One old-to-new replacement in its three spellings, applied to names and to text."""

    def __init__(
        self, old_lower: str, new_lower: str, table: NameTable, protected: frozenset[str]
    ) -> None:
        old_cased, new_cased = table.cased(old_lower), table.cased(new_lower)
        self.old_lower, self.new_lower = old_lower, new_lower
        self.new_cased = new_cased
        self._protected = protected
        self._upper = old_lower.upper()
        self._upper_is_cased = old_cased == self._upper
        self._exact = {
            old_cased: new_cased,
            self._upper: new_cased if self._upper_is_cased else new_lower.upper(),
            old_lower: new_lower,
        }
        # Case is ignored, so lower and UPPER are one alternative, and cased often is the same.
        spellings = dict.fromkeys((old_lower, old_cased.lower()))
        alternatives = "|".join(map(re.escape, spellings))
        self._pattern = re.compile(f"(?<![a-zA-Z0-9])(?:{alternatives})", re.IGNORECASE)
        self._names: dict[str, str] = {}

    def name(self, token: str) -> str:
        """The new spelling of one identifier."""
        renamed = self._names.get(token)
        if renamed is None:
            renamed = token if token in self._protected else self._replace_all(token)
            self._names[token] = renamed
        return renamed

    def text(self, text: str, start: int, end: int, skipped: Sequence[Region] = ()) -> str:
        """Rename ``text[start:end]`` except inside the ``skipped`` ranges (sorted, disjoint)."""
        begins = [region[0] for region in skipped]
        pieces, done = [], start
        for match in self._pattern.finditer(text, start, end):
            index = bisect_right(begins, match.start()) - 1
            if index >= 0 and match.start() < skipped[index][1]:
                continue
            pieces.append(text[done : match.start()])
            pieces.append(self._replacement(match))
            done = match.end()
        pieces.append(text[done:end])
        return "".join(pieces)

    def _replace_all(self, text: str) -> str:
        return self._pattern.sub(self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        found = match.group()
        if found == self._upper and self._upper_is_cased:
            following = match.string[match.end() : match.end() + 1]
            if not following.isalpha():
                return self.new_lower.upper()
        return self._exact.get(found, self.new_cased)


def rename_import_module(module: str, spelling: Spelling, model_lower: str) -> str:
    """New spelling of the module path of a relative import inside a renamed parent."""
    dots = module[: len(module) - len(module.lstrip("."))]
    path = ".".join(spelling.name(part) for part in module.lstrip(".").split("."))
    if spelling.new_lower != model_lower and "." not in path:
        for kind in FILE_TYPES:
            path = path.replace(f"{kind}_{spelling.new_lower}", f"{kind}_{model_lower}")
    return dots + path


class PairSpelling(Spelling):
    """New names of a parent file whose name says no model: those of its classes that a definition
    pairs with its own, as whole words. Everything else in the file keeps its name."""

    def __init__(self, pairs: Mapping[str, str], model: str) -> None:
        self.old_lower, self.new_lower, self.new_cased = "", model, ""
        self._pairs = pairs
        names = "|".join(map(re.escape, pairs)) or r"(?!)"
        self._pattern = re.compile(rf"(?<![\w.])(?:{names})(?!\w)")

    def name(self, token: str) -> str:
        """See :class:`Spelling`."""
        return self._pairs.get(token, token)

    def _replacement(self, match: re.Match[str]) -> str:
        return self._pairs[match.group()]


def paired_names(pairs: Iterable[tuple[str, str]], cased: str) -> dict[str, str]:
    """Which class of a definition plays the role of each parent class (pairs of child and parent).

    Of several children the one that is called like the parent behind the model's name, else the first.
    """
    roles: dict[str, str] = {}
    for child, parent in pairs:
        if parent not in roles or child == cased + parent:
            roles[parent] = child
    return roles
