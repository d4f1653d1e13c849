"""Whether a changed text can read names that nothing defines: a look at what changed in it only."""

from __future__ import annotations

import re
import symtable
from collections.abc import Iterable
from functools import lru_cache

from codegen.review.pieces import Piece, split_pieces
from codegen.text.unresolved import BUILT_IN, free_names

#: Pieces whose names are kept.
_KEPT = 16_384
#: What can bind a name of the module from anywhere.
_FAR = re.compile(r"\bglobal\b|\bimport[\s\\]*\*")


def can_lack_names(old: str, new: str) -> bool:
    """Whether names can be unresolved in a text that were not so in its other state."""
    before, after = split_pieces(old), split_pieces(new)
    if before is None or after is None or _FAR.search(new):
        return True
    known = {piece.text for piece in before}
    try:
        bound = _bound(after)
        gone = _bound(before) - bound
        read = {name for each in after if each.text not in known for name in _read(each.text)}
    except SyntaxError:
        return True
    if gone and re.search(rf"\b(?:{'|'.join(map(re.escape, sorted(gone)))})\b", new):
        return True
    return not read <= bound | BUILT_IN


@lru_cache(maxsize=_KEPT)
def _read(text: str) -> frozenset[str]:
    return free_names(text)


def _bound(pieces: Iterable[Piece]) -> set[str]:
    """Names that a module binds at its margin."""
    named = {piece.name for piece in pieces if piece.kind}
    return named.union(*(_bound_between(piece.text) for piece in pieces if not piece.kind))


@lru_cache(maxsize=_KEPT)
def _bound_between(text: str) -> frozenset[str]:
    return frozenset(
        symbol.get_name()
        for symbol in symtable.symtable(text, "<module>", "exec").get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    )
