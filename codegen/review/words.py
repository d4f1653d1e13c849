"""What a text names, told from its words alone."""

from __future__ import annotations

import re
from functools import lru_cache

from codegen.review.pieces import split_pieces

_WORD = re.compile(r"\w+")
#: An attribute of anything but ``self``, and strings that may name one.
_FOREIGN = tuple(
    map(
        re.compile,
        (r"\.(?<!\bself\.)([A-Za-z_]\w*)", r"\"([A-Za-z_]\w*)\"", r"'([A-Za-z_]\w*)'"),
    )
)
#: Pieces whose words are kept.
_KEPT = 16_384


@lru_cache(maxsize=_KEPT)
def words_of(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(_WORD.findall(text))


def names_any(text: str, names: frozenset[str]) -> bool:
    """Whether one of some names is a word of a text."""
    return any(name in text for name in names) and not names.isdisjoint(words_of(text))


@lru_cache(maxsize=4)
def foreign_names(text: str) -> frozenset[str]:
    """Attributes that a module reads of anything but ``self``, and strings that may name one."""
    return frozenset[str]().union(*(_foreign(piece.text) for piece in split_pieces(text) or ()))


@lru_cache(maxsize=_KEPT)
def _foreign(text: str) -> frozenset[str]:
    return frozenset[str]().union(*(pattern.findall(text) for pattern in _FOREIGN))
