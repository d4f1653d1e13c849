"""Where to make a change: at the root of a line, or in the definition for one model only."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.explain.maps import Substitute
from codegen.explain.named import find_named
from codegen.explain.steps import Reader, listed
from codegen.explain.values import Advice, Link, Place


def advise(
    reader: Reader, place: Place, links: Sequence[Link], others: Sequence[Substitute] = ()
) -> Advice:
    """What to edit to change a line wherever it is, and to change it in this file only.

    ``others`` are imports that take the place of the chosen one when that is edited.
    """
    if not links:
        return Advice()
    atlas = reader.atlas
    root, nearest = links[-1].place, links[0].place
    definition = atlas.tree.definition(atlas.owners[place.path]).path
    everywhere = f"edit {root}" if not root.root else f"edit {root} below {root.root}"
    same = [f"{each.spot.path}:{atlas.line(each.spot)}" for each in others if each.same]
    if same and others[0].same:
        everywhere += f", and {listed(same)}, which would take its place"
    if nearest.path == definition:
        here = f"edit {nearest}: it is this model's own" if nearest != root else ""
        return Advice(everywhere, here or "the same line: it is this model's own")
    return Advice(everywhere, _override(reader, definition, place, links[0]))


def _override(reader: Reader, definition: str, place: Place, link: Link) -> str:
    own = reader.members(definition)
    if link.kind == "imported":
        return f"import what is to be used in {definition}: its imports come first"
    owner, _, rest = place.member.partition(".")
    child = find_named(own, owner)
    if child is None:
        what = "function" if not rest and place.member[:1].islower() else "class"
        parent = link.place.member.partition(".")[0]
        inherit = f"({parent}), imported from {link.place.path}," if what == "class" else ""
        return f"write the {what} {owner}{inherit} into {definition}"
    if not rest:
        return f"write it into class {owner}, {definition}:{child.header}"
    known = find_named(own, place.member)
    if known is not None:
        if known.kind == "function":
            return f"write it into {place.member}, {definition}:{known.header}"
        return f"change {place.member}, {definition}:{known.header}"
    return f"write {rest} into class {owner}, {definition}:{child.header}"
