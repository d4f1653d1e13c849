"""Whether a changed text can read names that nothing defines: a look at what changed in it only."""

from __future__ import annotations

import re
import symtable
from collections.abc import Iterable, Iterator
from functools import lru_cache

from codegen.review.members import of_piece
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
    states = {piece.name: piece for piece in before if piece.kind == "class"}
    try:
        bound = _bound(after)
        gone = _bound(before) - bound
        changed = (each for each in after if each.text not in known)
        parts = (part for each in changed for part in _changed(each, states.get(each.name)))
        read = {name for part in parts for name in _read(part)}
    except SyntaxError:
        return True
    if gone and re.search(rf"\b(?:{'|'.join(map(re.escape, sorted(gone)))})\b", new):
        return True
    return not read <= bound | BUILT_IN


def _changed(piece: Piece, state: Piece | None) -> Iterator[str]:
    """The methods of a class that differ from its other state, or all of a piece where more than methods
    does: what a class binds, its methods do not see."""
    old, new = (of_piece(each) if each is not None else [] for each in (state, piece))
    alike = [[(m.kind, m.name, m.kind == "method" or m.text) for m in side] for side in (old, new)]
    if piece.kind != "class" or alike[0] != alike[1]:
        yield piece.text
        return
    for one, two in zip(old, new):
        if one.text != two.text:
            yield f"if 1:\n{two.text}"  # indented as it is


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
