"""What was done to a line between the file that it was written in and a generated one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from codegen.explain.atlas import Atlas
from codegen.explain.maps import Spot, Substitute
from codegen.explain.named import Named, find_named, named_at, named_in

_WORD = re.compile(r"\w+")
#: How a method is called that is kept beside what overrides it (``expansion.fold.private``).
_KEPT = re.compile(r"_[A-Z]\w*_\w+")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, in a word (see ``values.Link``) and in a sentence."""

    kind: str
    text: str


class Reader:
    """Reads members of files, each file once."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self._members: dict[str, list[Named]] = {}

    def members(self, path: str) -> list[Named]:
        """All members of a file."""
        if path not in self._members:
            self._members[path] = named_in(self.atlas.text(path))
        return self._members[path]

    def member(self, path: str, line: int) -> Named | None:
        """The member that a line belongs to."""
        return named_at(self.members(path), line)

    def line(self, path: str, number: int) -> str:
        """The text of a line, without what surrounds it."""
        lines = self.atlas.lines(path)
        return self.atlas.text(path)[lines.start_of(number) : lines.end_of(number)].strip()


@dataclass(frozen=True)
class Way:
    """One way from a generated line to its source. ``words`` are the offsets of the words in both."""

    reader: Reader
    path: str
    line: int
    source: Spot
    words: tuple[tuple[int, int], ...]

    @cached_property
    def definition(self) -> str:
        """The definition of the generated file."""
        atlas = self.reader.atlas
        return atlas.tree.definition(atlas.owners[self.path]).path

    @cached_property
    def member(self) -> Named | None:
        """The member that the generated line belongs to."""
        return self.reader.member(self.path, self.line)

    @cached_property
    def above(self) -> Named | None:
        """The member that the source line belongs to."""
        return self.reader.member(self.source.path, self.reader.atlas.line(self.source))

    @cached_property
    def own(self) -> list[Named]:
        """The members of the definition."""
        return self.reader.members(self.definition)

    def steps(self) -> list[Step]:
        """What was done to the words that the author wrote."""
        return [self._fold(), *self._renamed()]

    # -- how the line came into the file -----------------------------------------------------------

    def _fold(self) -> Step:
        member = self.member
        if member is not None and member.kind == "import":
            return self._imported()
        if self.source.path == self.definition:
            return self._written()
        if member is None:
            return Step("copied", f"copied from {_short(self.source.path)}")
        owner = member.name.partition(".")[0]
        if (child := find_named(self.own, owner)) is None or child.kind != "class":
            return self._copied(owner)
        return self._inherited(child, member)

    def _imported(self) -> Step:
        """An import is in a file because something in it needs the name."""
        text = self.reader.atlas.text(self.path)
        words = {_word(text, start) for start, _ in self.words}
        names = _WORD.findall(self.member.name if self.member else "")
        name = next((each for each in names if each in words), names[0] if names else "")
        where = "the definition" if self.source.path == self.definition else "the parent's imports"
        line = self._first_use(name)
        need = f": {name} is used in line {line}" if line else ""
        return Step("imported", f"chosen from {where}{need}{self._instead()}")

    def _instead(self) -> str:
        """What else imports the name: the first in order is chosen, the definition's own before all."""
        others = self.others
        same = [self._spelled(each.spot) for each in others if each.same]
        told = f"; {listed(same)} import{'s' if len(same) == 1 else ''} the same" if same else ""
        rival = next((self._spelled(each.spot) for each in others if not each.same), "")
        return f"{told}; what {rival} imports under this name comes later" if rival else told

    def _spelled(self, spot: Spot) -> str:
        return f"{_short(spot.path)}:{self.reader.atlas.line(spot)}"

    @cached_property
    def others(self) -> tuple[Substitute, ...]:
        """The imports that the names of the line could have come from as well, in order."""
        found = self.reader.atlas.map(self.path)
        return found.substitutes(start for start, _ in self.words) if found else ()

    def _first_use(self, name: str) -> int:
        if not name:
            return 0
        members = [item for item in self.reader.members(self.path) if item.kind == "import"]
        lines = self.reader.atlas.text(self.path).split("\n")
        skipped = {number for item in members for number in range(item.first, item.last + 1)}
        pattern = re.compile(rf"\b{re.escape(name)}\b")
        hits = (number for number, line in enumerate(lines, 1) if pattern.search(line))
        return next((number for number in hits if number not in skipped), 0)

    def _written(self) -> Step:
        member = self.member
        if member is None:
            return Step("written", "taken over from the definition as it stands there")
        if member.name == "__all__":
            return Step("exported", "listed in `__all__` of the definition")
        owner = member.name.partition(".")[0]
        child = find_named(self.own, owner)
        if child is None or child.kind != "class" or member.name == owner:
            return Step("written", "written in the definition")
        return Step("written", f"written in the definition, in class {_header(child)}")

    def _copied(self, owner: str) -> Step:
        user = self._user(owner)
        need = f" because {user} uses it" if user else ""
        return Step("copied", f"{owner} is copied from {_short(self.source.path)}{need}")

    def _user(self, name: str) -> str:
        """What of the generated file brought a definition along: the first that mentions it."""
        lines = self.reader.atlas.text(self.path).split("\n")
        pattern = re.compile(rf"(?<![\w.]){re.escape(name)}\b")
        for number, line in enumerate(lines, 1):
            if pattern.search(line):
                member = self.reader.member(self.path, number)
                inside = member is None or member.kind == "import"
                if not inside and member and member.name.partition(".")[0] != name:
                    return f"{member.name} (line {number})"
        return ""

    def _inherited(self, child: Named, member: Named) -> Step:
        line = self.reader.atlas.line(self.source)
        place = f"{_short(self.definition)}:{child.header}"
        overriding = find_named(self.own, member.name)
        if member.kind == "class":
            return Step(
                "inherited", f"class {_header(child)} in {place} takes this from its parent"
            )
        if overriding is None:
            what = member.name.rpartition(".")[2]
            if self.above is not None and is_kept(what, public := _last(self.above.name)):
                return self._kept(f"{child.name}.{public}", what, place)
            return Step("inherited", f"class {_header(child)} in {place} does not define {what}")
        part = self.above.part(line) if self.above else "body"
        call = self._super_call(overriding)
        if part == "body" and call:
            return Step(
                "expanded",
                f"`super()` in {_short(self.definition)}:{call} is replaced by the parent's statements",
            )
        what = {"body": "the parent's code", "signature": "the parent's signature"}.get(
            part, f"the parent's {part}"
        )
        return Step(
            "inherited",
            f"{what} stays in {_short(self.definition)}:{overriding.header}, which has none",
        )

    def _kept(self, overriding: str, private: str, place: str) -> Step:
        """A method of the parent under a private name, beside the one that overrides and calls it."""
        known = find_named(self.own, overriding)
        call = self._super_call(known) if known else 0
        where = f"{_short(self.definition)}:{call or known.header}" if known else place
        return Step(
            "inherited",
            f"kept as {private} beside {overriding}, which calls it: `super()` in {where}",
        )

    def _super_call(self, member: Named) -> int:
        for number in range(member.header, member.last + 1):
            if re.search(r"\bsuper\(", self.reader.line(self.definition, number)):
                return number
        return 0

    # -- what was done to its words ----------------------------------------------------------------

    def _renamed(self) -> Iterator[Step]:
        new_text = self.reader.atlas.text(self.path)
        old_text = self.reader.atlas.text(self.source.path)
        pairs = {}
        for new_at, old_at in self.words:
            new, old = _around(new_text, new_at), _around(old_text, old_at)
            if new and old and new != old and new.strip("_") and _alike(new, old):
                pairs[old] = new
        if pairs:
            shown = ", ".join(f"{old} → {new}" for old, new in list(pairs.items())[:_SHOWN])
            more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
            yield Step("renamed", f"renamed {shown}{more}")


def rewritten_by(atlas: Atlas, path: str, member: Named | None, line: str) -> Iterator[Step]:
    """What passes did in a method of a source, or for a line of imports, with their reasons."""
    yield from (Step("passes", _told(each)) for each in records_behind(atlas, path, member, line))


def records_behind(atlas: Atlas, path: str, member: Named | None, line: str) -> Sequence[Any]:
    """The records of passes that tell of a line which they wrote into a source."""
    words = set(_WORD.findall(line))
    method = "" if member is None or member.kind == "import" else member.name.rpartition(".")[2]
    named_here: list[Any] = []
    others: list[Any] = []
    for record in atlas.sources.records():
        place = str(record["location"]).rpartition(":")[0]
        if record["kind"] == "left" or not (path == place or path.endswith(f"/{place}")):
            continue
        through = {str(each).rpartition(".")[2] for each in record["path_taken"]}
        if method and method not in {record["method"], *through}:
            continue
        helpers = {name.strip() for name in str(record["helper"]).split(",")}
        (named_here if words & {*helpers, *record["parameters"]} else others).append(record)
    return (named_here or (others if method else []))[:_SHOWN]


def _told(record: Any) -> str:
    helper = f" ({record['helper']})" if record["helper"] else ""
    given = f", inputs {', '.join(record['parameters'])}" if record["parameters"] else ""
    reason = f": {record['reason']}" if record["reason"] else ""
    owner = ".".join(filter(None, (record["cls"], record["method"])))
    return f"{record['kind']} by the passes in {owner}{helper}{given}{reason}"


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _header(member: Named) -> str:
    return f"{member.name}({', '.join(member.bases)})" if member.bases else member.name


def _short(path: str) -> str:
    return PurePath(path).name


def _word(text: str, start: int) -> str:
    match = _WORD.match(text, start)
    return match[0] if match else ""


def is_kept(name: str, public: str) -> bool:
    """Whether a private name is one that the expansion made for a parent's method of a public name."""
    bare = public.strip("_")
    return name != public and bool(_KEPT.fullmatch(name)) and bool(bare) and bare in name


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _around(text: str, at: int) -> str:
    """The word around an offset; "" where there is none."""
    if not _WORD.match(text, at):
        return ""
    while at and (text[at - 1].isalnum() or text[at - 1] == "_"):
        at -= 1
    return _word(text, at)


def _alike(new: str, old: str) -> bool:
    """Whether one is the other with a part replaced: they begin or end alike, or are the model's names."""
    return new[-1:] == old[-1:] or new[:1] == old[:1] or new.lower() != new or old.lower() != old
