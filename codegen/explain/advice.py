"""Where to make a change: at the root of a line, or in the definition for one model only."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.explain.maps import Substitute
from codegen.explain.named import find_named
from codegen.explain.steps import Reader, is_kept, listed, records_behind
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
    if root.root:
        everywhere = _above_installed(reader, place, links)
    elif atlas.is_generated(root.path):
        everywhere = f"{root} is generated, and no author wrote it: change what did, as told above"
    else:
        everywhere = f"edit {root}"
    same = [f"{each.spot.path}:{atlas.line(each.spot)}" for each in others if each.same]
    if same and others[0].same:
        everywhere += f", and {listed(same)}, which would take its place"
    if nearest.path == definition:
        line = f"edit {nearest}" if nearest != root else "the same line"
        return Advice(everywhere, f"{line}: it is this model's own{_taken_over(reader, place)}")
    public = _public_name(place, links)
    if public:
        return Advice(everywhere, _override_kept(reader, definition, place, public))
    return Advice(everywhere, _override(reader, definition, place, links[0]))


def advise_kept(reader: Reader, place: Place, source: str) -> Advice:
    """What to do about a line that passes wrote into a method of a source: keep them from it."""
    member = reader.member(place.path, place.line)
    records = records_behind(reader.atlas, source, member, place.text)
    named = dict.fromkeys(f"{each['cls']}.{each['method']}" for each in records)
    found = (find_named(reader.members(source), name) for name in named)
    known = list(filter(None, found))
    if not known:
        return Advice()
    first = known[0]
    more = f", and of {listed([each.name for each in known[1:]])}," if known[1:] else ","
    keep = f"`# codegen: keep` in front of {first.name}, {source}:{first.first}{more} keeps the passes away"
    definition = reader.atlas.tree.definition(reader.atlas.owners[place.path]).path
    if source == definition:
        return Advice(keep, f"the same: it is this model's own{_taken_over(reader, place)}")
    method = first.name.rpartition(".")[2]
    owner = (member.owner if member else "") or first.owner
    child = find_named(reader.members(definition), owner)
    line = f":{child.header}" if child else ""
    here = f"write {method} into class {owner}, {definition}{line}, with `# codegen: keep` in front of it"
    return Advice(keep, here)


def _taken_over(reader: Reader, place: Place) -> str:
    """What else has a line that a model has written itself: those that are built from its file."""
    member = reader.member(place.path, place.line)
    if member is None or member.kind == "import" or member.name == "__all__":
        return ""
    atlas = reader.atlas
    heirs = [
        model for model in atlas.users.get(place.path, ()) if model != atlas.owners[place.path]
    ]
    return f"; override it in what takes it over ({listed(sorted(heirs))})" if heirs else ""


def _above_installed(reader: Reader, place: Place, links: Sequence[Link]) -> str:
    """What an installed library wrote is changed in the first model of the tree that takes it over."""
    chain = [place, *(link.place for link in links)]
    first = next(index for index, each in enumerate(chain) if each.root) - 1
    top, link = chain[first], links[first]
    told = f"{link.place} below {link.place.root} is installed, not this tree's"
    if first == 0 or top.path not in reader.atlas.owners:
        return f"{told}: change it in each model that has it"
    definition = reader.atlas.tree.definition(reader.atlas.owners[top.path]).path
    return f"{_override(reader, definition, top, link)}, for what comes from there; {told}"


def _public_name(place: Place, links: Sequence[Link]) -> str:
    """What a method was called before the expansion kept it under a private name; "" of all others."""
    private = place.member.rpartition(".")[2]
    names = (link.place.member.rpartition(".")[2] for link in links)
    return next((name for name in names if name and is_kept(private, name)), "")


def _override_kept(reader: Reader, definition: str, place: Place, public: str) -> str:
    """What is under a private name is not overridden, but the method that calls it."""
    own = reader.members(definition)
    owner, _, private = place.member.partition(".")
    known, child = find_named(own, f"{owner}.{public}"), find_named(own, owner)
    if known is not None:
        return (
            f"let {known.name}, {definition}:{known.header}, do it instead of calling "
            f"`super().{public}`: {private} is there for that call only"
        )
    line = f":{child.header}" if child else ""
    return (
        f"write {public} into class {owner}, {definition}{line}: it is what calls {private}, "
        "and a name that the expansion made cannot be overridden"
    )


#: How a class or method gets something of its own in place of what it takes from the parent, by the part that
#: a line is in: heads of methods are those of the definition, so that of a class tells of its bases.
_OWN = {
    "decorator": "write decorators of its own in front of {}",
    "signature": "name other bases behind the parent of {}",
    "docstring": "write a docstring of its own into {}",
    "body": "write it into {}",
}


def _override(reader: Reader, definition: str, place: Place, link: Link) -> str:
    own = reader.members(definition)
    if link.kind == "imported":
        return f"import what is to be used in {definition}: its imports come first"
    owner, _, rest = place.member.partition(".")
    child = find_named(own, owner)
    if child is None or child.kind == "import":
        what = "function" if not rest and place.member[:1].islower() else "class"
        parent = link.place.member.partition(".")[0]
        inherit = f"({parent}), imported from {link.place.path}," if what == "class" else ""
        imports = (each for each in own if each.kind == "import")
        line = next((each.first for each in imports if owner in each.name.split(", ")), 0)
        instead = f", in place of its import in line {line}" if line else ""
        return f"write the {what} {owner}{inherit} into {definition}{instead}"
    member = reader.member(place.path, place.line)
    part = member.part(place.line) if member else "body"
    if not rest:
        return f"{_OWN[part].format(f'class {owner}')}, {definition}:{child.header}"
    known = find_named(own, place.member)
    if known is not None:
        if known.kind == "function":
            return f"{_OWN[part].format(place.member)}, {definition}:{known.header}"
        return f"change {place.member}, {definition}:{known.header}"
    return f"write {rest} into class {owner}, {definition}:{child.header}"
