"""Put together where a line, or every line of a member, comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from codegen.explain.advice import advise, advise_kept
from codegen.explain.align import word_end, word_spans, word_starts
from codegen.explain.atlas import Atlas, Origin
from codegen.explain.forward import written_from
from codegen.explain.layout import layout_of
from codegen.explain.maps import Spot, Substitute
from codegen.explain.named import Named
from codegen.explain.steps import Reader, Way, rewritten_by
from codegen.explain.values import Explanation, Link, MemberExplanation, Place, Section, Strand
from codegen.output.render import render_banner
from codegen.run.rewriting import generated_passes

#: Words that the expansion puts around the names of authors; alone they tell nothing.
_FRAME = frozenset(
    [
        "class",
        "def",
        "async",
        "from",
        "import",
        "as",
        "(",
        ")",
        "[",
        "]",
        ":",
        ",",
        ".",
        "=",
        "-",
        ">",
        "'",
        '"',
        "super",
        "return",
    ]
)
_OUTDATED = (
    "the file is not what its definition gives: it was edited by hand, or is older; "
    "what the definition does not give is told as such"
)
#: Longest chain that is followed; the longest of a release has seventeen links.
_LONGEST = 100
#: Longest word that is shown whole.
_WIDEST = 200
Words = tuple[tuple[int, int], ...]


class Explainer:
    """Explains lines of generated files of one tree."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self._readers: dict[int, Reader] = {}

    def line(self, path: str, number: int) -> Explanation:
        """Where a line comes from, without the other files that have it (:meth:`same`)."""
        place = self._place(self.atlas, path, number)
        strands = tuple(self._strands(path, number))
        first = next((strand for strand in strands if strand.links), None)
        links = first.links if first else ()
        advice = advise(self._reader(self.atlas), place, links, self._substitutes(path, number))
        if not links and (spot := self._rewritten(path, number)) is not None:
            advice = advise_kept(self._reader(self.atlas), place, spot.path)
        notes = self._notes(path)
        # Of a file that was edited by hand nobody can tell what the formatter did.
        layout = () if notes else tuple(layout_of(self.atlas, path, number))
        return Explanation(place, strands, advice, (), notes, layout)

    def same(self, item: Explanation) -> tuple[Place, ...]:
        """The other lines that come from the source of one that was explained."""
        if not any(strand.links for strand in item.strands):
            return ()
        return tuple(self._same(item.place))

    def member(self, path: str, member: Named) -> MemberExplanation:
        """Where the lines of a class, method or function come from."""
        sections: list[Section] = []
        for number in range(member.first, member.last + 1):
            strand = next(iter(self._strands(path, number)), None)
            if strand is None or not strand.words.strip():
                continue
            _extend(sections, number, strand)
        place = self._place(self.atlas, path, member.first)
        links = [strand.links for strand in self._strands(path, member.header)]
        advice = advise(self._reader(self.atlas), place, links[0] if links else ())
        return MemberExplanation(place, member.last, tuple(sections), advice, self._notes(path))

    def _rewritten(self, path: str, number: int) -> Spot | None:
        """Where passes wrote the first word of a line that they wrote at all."""
        start = self.atlas.lines(path).start_of(number)
        line = self.atlas.text(path)[start:].split("\n", 1)[0]
        found = (self.atlas.origin(path, start + at).rewritten for at in word_starts(line))
        return next(filter(None, found), None)

    def _substitutes(self, path: str, number: int) -> Sequence[Substitute]:
        """The imports that the names in a line could have come from as well."""
        found = self.atlas.map(path)
        start = self.atlas.lines(path).start_of(number)
        line = self.atlas.text(path)[start:].split("\n", 1)[0]
        return found.substitutes(start + at for at in word_starts(line)) if found else ()

    def _reader(self, atlas: Atlas) -> Reader:
        return self._readers.setdefault(id(atlas), Reader(atlas))

    def _notes(self, path: str) -> tuple[str, ...]:
        return () if self.atlas.is_current(self.atlas.owners[path]) else (_OUTDATED,)

    def _place(self, atlas: Atlas, path: str, number: int) -> Place:
        reader = self._reader(atlas)
        member = reader.member(path, number)
        root = "" if atlas is self.atlas else str(atlas.tree.root)
        return Place(path, number, reader.line(path, number), member.name if member else "", root)

    # -- one line ----------------------------------------------------------------------------------

    def _strands(self, path: str, number: int) -> Iterator[Strand]:
        """The words of a line by the lines that they come from, most words first."""
        text = self.atlas.text(path)
        start = self.atlas.lines(path).start_of(number)
        end = start + len(text[start:].split("\n", 1)[0])
        groups: dict[tuple[str, int], list[tuple[int, Origin]]] = {}
        for begin, _ in word_spans(text[start:end]):
            origin = self.atlas.origin(path, start + begin)
            key = (origin.spot.path, self.atlas.line(origin.spot)) if origin.spot else ("", 0)
            groups.setdefault(key, []).append((start + begin, origin))
        if not groups:
            yield Strand("", (), ("an empty line, as the formatter lays definitions out",))
        ordered = sorted(groups.items(), key=lambda item: (not item[0][0], -len(item[1])))
        for (source, _), words in ordered:
            shown = _shown(text, [at for at, _ in words])
            if source:
                pairs = tuple((at, each.spot.offset) for at, each in words if each.spot)
                yield self._followed(shown, path, number, words[0][1], pairs)
            elif (
                len(groups) == 1 or any(each.rewritten for _, each in words) or _tells(text, words)
            ):
                yield Strand(shown, (), tuple(self._made(path, number, words)))

    def _made(self, path: str, number: int, words: Sequence[tuple[int, Origin]]) -> Iterator[str]:
        """What the tool wrote that no author did."""
        atlas, reader = self.atlas, self._reader(self.atlas)
        rewritten = next((each.rewritten for _, each in words if each.rewritten), None)
        if rewritten is not None:
            member = reader.member(path, number)
            line = atlas.line_before(rewritten)
            steps = list(rewritten_by(atlas, rewritten.path, member, reader.line(path, number)))
            yield f"written by a rewrite pass behind {Path(rewritten.path).name}:{line}"
            yield from (step.text for step in steps)
            return
        found = atlas.map(path)
        item = atlas.tree.definition(atlas.owners[path])
        template = atlas.tree.convention.banner_template
        banner = render_banner(template, item.model, atlas.tree.banner_path(item))
        if number <= banner.count("\n"):
            yield f"the banner, from templates/{template}"
        elif found is not None and any(found.is_passed(at) for at, _ in words):
            own = ", ".join(generated_passes(atlas.tree))
            yield f"written by a pass of this project on its generated files: {own}"
        elif found is None or not all(found.is_drafted(at) for at, _ in words):
            by = atlas.tree.formatting.formatter
            yield f"not in what the definition gives: written by the formatter ({by}), or by hand"
        else:
            yield "written by the expansion itself, to hold together what authors wrote"

    # -- the way to the root -----------------------------------------------------------------------

    def _followed(self, shown: str, path: str, number: int, origin: Origin, words: Words) -> Strand:
        links: list[Link] = []
        made: tuple[str, ...] = ()
        atlas, spot = self.atlas, origin.spot
        while spot is not None and len(links) < _LONGEST:
            reader = self._reader(atlas)
            steps = Way(reader, path, number, spot, words).steps()
            texts = tuple(step.text for step in steps)
            atlas, path = _home(atlas, spot.path)
            number = atlas.line(Spot(path, spot.offset))
            links.append(Link(self._place(atlas, path, number), steps[0].kind, texts))
            if not atlas.is_generated(path):
                break
            below = [old for _, old in words]
            spot, words = self._above(atlas, path, below)
            if spot is None and atlas is self.atlas:
                made = tuple(self._made(path, number, [(at, Origin(None)) for at in below]))
            elif spot is None:
                made = ("the tool wrote these words there",)
        return Strand(shown, tuple(links), made)

    def _above(self, atlas: Atlas, path: str, words: Iterable[int]) -> tuple[Spot | None, Words]:
        """The line that most words of a line of a generated file come from."""
        groups: dict[tuple[str, int], list[tuple[int, Spot]]] = {}
        for at in words:
            spot = atlas.origin(path, at).spot
            if spot is not None:
                groups.setdefault((spot.path, atlas.line(spot)), []).append((at, spot))
        if not groups:
            return None, ()
        best = max(groups.values(), key=len)
        return best[0][1], tuple((at, spot.offset) for at, spot in best)

    def _same(self, place: Place) -> Iterator[Place]:
        """The other lines that come from the last source of a line inside this tree."""
        words = self._deepest(place)
        if not words:
            return
        lines: dict[tuple[str, int], None] = {}
        for path, start, end in self._sought(place, words):
            for found in written_from(self.atlas, path, start, end):
                lines[found.path, self.atlas.line(found)] = None
        for path, number in sorted(lines):
            if (path, number) != (place.path, place.line):
                yield self._place(self.atlas, path, number)

    def _sought(self, place: Place, words: Sequence[Spot]) -> Iterator[tuple[str, int, int]]:
        """What of a source is looked for: its line; of one that imports several names, those asked about."""
        path, text = words[0].path, self.atlas.text(words[0].path)
        start = text.rfind("\n", 0, words[0].offset) + 1
        end = start + len(text[start:].split("\n", 1)[0])
        member = self._reader(self.atlas).member(path, self.atlas.line(words[0]))
        names = set(member.name.split(", ")) if member and member.kind == "import" else set()
        found = [(at.offset, word_end(text, at.offset)) for at in words]
        found = [span for span in found if text[slice(*span)] in names]
        yield from ((path, *span) for span in found)
        if not found:
            yield path, start, end

    def _deepest(self, place: Place) -> Sequence[Spot]:
        """Where in this tree, or in an installed file, the words of a line were written first."""
        text = self.atlas.text(place.path)
        start = self.atlas.lines(place.path).start_of(place.line)
        line = text[start:].split("\n", 1)[0]
        words: Iterable[int] = [start + begin for begin, _ in word_spans(line)]
        path: str = place.path
        last: Sequence[Spot] = ()
        while True:
            spot, pairs = self._above(self.atlas, path, words)
            if spot is None:
                return last
            path, words = spot.path, [old for _, old in pairs]
            last = [Spot(path, old) for old in words]
            if not self.atlas.is_generated(path):
                return last


def _extend(sections: list[Section], number: int, strand: Strand) -> None:
    """Add a line to the last section, or begin another one."""
    link = strand.links[0] if strand.links else None
    last = sections[-1] if sections else None
    steps = link.steps if link else strand.made
    if last is not None and (last.kind, last.steps[:1]) == (_kind(link), steps[:1]):
        source = last.source
        ahead = link is None or (
            source is not None
            and (source.path, source.member) == (link.place.path, link.place.member)
            and link.place.line >= last.last_source
        )
        if ahead:
            end = link.place.line if link else 0
            more = tuple(dict.fromkeys((*last.steps, *steps)))
            sections[-1] = replace(last, last=number, last_source=end, steps=more)
            return
    place = link.place if link else None
    end = place.line if place else 0
    sections.append(Section(number, number, place, end, _kind(link), steps))


def _kind(link: Link | None) -> str:
    return link.kind if link else "tool"


def _home(atlas: Atlas, path: str) -> tuple[Atlas, str]:
    """The atlas that knows a file, and its path there: an installed one is part of a library."""
    other = atlas.elsewhere(path)
    if other is None:
        return atlas, path
    return other, Path(path).relative_to(other.tree.root).as_posix()


def _shown(text: str, starts: Sequence[int]) -> str:
    """The words of a strand as they stand, with dots for what is between them."""
    shown, last = "", -1
    for start in starts:
        if last >= 0:
            between = text[last:start]
            shown += between if not between.strip() else " … "
        word = _word(text, start)
        shown += word
        last = start + len(word)
    return shown


def _word(text: str, at: int) -> str:
    """The word that begins at an offset."""
    return text[at : at + next(stop for _, stop in word_spans(text[at : at + _WIDEST]))]


def _tells(text: str, words: Sequence[tuple[int, Origin]]) -> bool:
    """Whether what the tool wrote into a line is more than the frame of what authors wrote."""
    return any(_word(text, at) not in _FRAME for at, _ in words)
