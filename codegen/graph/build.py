"""The graph of a tree: models by depth, and what each takes from which, class by class."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from codegen.explain.atlas import Atlas
from codegen.explain.maps import FileMap
from codegen.graph.outline import outline
from codegen.text.lines import LineMap


@dataclass(frozen=True, slots=True)
class Node:
    """A model: how far from those that are built from no other it is, and how many lines its
    definition and its generated files have (none, if it is written by hand)."""

    name: str
    depth: int
    definition: int
    lines: int


@dataclass(frozen=True, slots=True)
class ClassEdge:
    """Lines of a class (or function) that come from one of another model."""

    child: str
    parent: str
    lines: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Lines of a model that come straight from another one, with the classes that they are in.

    An edge without lines is an import of a definition from which nothing came that is still there.
    """

    child: str
    parent: str
    lines: int
    classes: tuple[ClassEdge, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """All models, in order of depth and name, and what they take from each other."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def build_graph(atlas: Atlas) -> Graph:
    """The graph of a whole tree; models that cannot be expanded have no edges."""
    models = [item.model for item in atlas.tree.definitions]
    atlas.prepare(models)
    edges: list[Edge] = []
    outlines = _Outlines(atlas)
    for model in models:
        edges += _edges(atlas, outlines, model)
    depths = _depths(models, edges)
    nodes = [_node(atlas, name, depth) for name, depth in depths.items()]
    nodes.sort(key=lambda node: (node.depth, node.name))
    return Graph(tuple(nodes), tuple(edges))


def owner_of(atlas: Atlas, path: str) -> str:
    """The model that a source belongs to: by its folder where it is written by hand."""
    return atlas.owners.get(path) or PurePath(path).parent.name


def _edges(atlas: Atlas, outlines: _Outlines, model: str) -> list[Edge]:
    known = atlas.known(model)
    found: dict[str, Counter[tuple[str, str]]] = {}
    definition = atlas.tree.definition(model).path
    for path, item in known.maps.items() if known else ():
        for (child, source, parent), lines in _carried(outlines, path, item, definition).items():
            found.setdefault(owner_of(atlas, source), Counter())[child, parent] += lines
    for source in atlas.plan.sources[model] - {definition}:
        found.setdefault(owner_of(atlas, source), Counter())
    return [
        Edge(
            model,
            parent,
            sum(pairs.values()),
            tuple(ClassEdge(*pair, lines) for pair, lines in pairs.most_common()),
        )
        for parent, pairs in sorted(found.items())
        if parent != model
    ]


def _carried(
    outlines: _Outlines, path: str, item: FileMap, definition: str
) -> Counter[tuple[str, str, str]]:
    """Lines by class here, source and class there: a line counts where most of its words are from."""
    here = outlines.of(path)
    there = [outlines.of(source) for source in item.sources]
    found: Counter[tuple[str, str, str]] = Counter()
    stops = [bisect_left(item.begins, start) for start in here.starts[1:]]
    first = 0
    for line, stop in enumerate([*stops, len(item.begins)], 1):
        if stop == first:
            continue
        place = _source(item, first, stop, there)
        first = stop
        if place is None:
            continue
        file, number = place
        source = item.sources[file - 1]
        if source != definition:
            found[here.owner(line), source, there[file - 1].owner(number)] += 1
    return found


def _source(
    item: FileMap, first: int, stop: int, there: Sequence[_Owners]
) -> tuple[int, int] | None:
    """The file and line that most words in a range come from; None if the tool wrote them all."""
    files, offsets = item.files[first:stop], item.offsets[first:stop]
    if files.count(files[0]) == len(files):
        if not files[0]:
            return None
        line = there[files[0] - 1].line(min(offsets))
        if line == there[files[0] - 1].line(max(offsets)):
            return files[0], line
    votes: dict[tuple[int, int], int] = {}
    for file, place in zip(files, offsets):
        if file:
            key = file, there[file - 1].line(place)
            votes[key] = votes.get(key, 0) + 1
    return max(votes, key=votes.__getitem__)


class _Outlines:
    """The members of texts, each read once."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._known: dict[str, _Owners] = {}

    def of(self, path: str) -> _Owners:
        """Those of a file of the tree."""
        if path not in self._known:
            self._known[path] = _Owners(self._atlas.text(path))
        return self._known[path]


class _Owners:
    """The outermost class or function around places of one text."""

    def __init__(self, text: str) -> None:
        self.starts = LineMap(text).starts
        self._outline = outline(text)

    def line(self, offset: int) -> int:
        """The 1-based line of an offset."""
        return bisect_right(self.starts, offset)

    def owner(self, line: int) -> str:
        """The name of it; "imports" for what stands outside of all."""
        return self._outline.owner(line) or "imports"


def _depths(models: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    parents: dict[str, list[str]] = {model: [] for model in models}
    for edge in edges:
        parents.setdefault(edge.child, []).append(edge.parent)
        parents.setdefault(edge.parent, [])
    depths: dict[str, int] = {}

    def depth(name: str, below: frozenset[str]) -> int:
        if name not in depths:
            above = [depth(each, below | {name}) for each in parents[name] if each not in below]
            depths[name] = 1 + max(above) if above else 0
        return depths[name]

    for name in sorted(parents):
        depth(name, frozenset())
    return depths


def _node(atlas: Atlas, name: str, depth: int) -> Node:
    own = next((item.path for item in atlas.tree.definitions if item.model == name), "")
    definition = atlas.text(own).count("\n") if own else 0
    lines = sum(atlas.text(path).count("\n") for path in atlas.files_of(name)) if own else 0
    return Node(name, depth, definition, lines)


def as_data(graph: Graph) -> Mapping[str, Any]:
    """The graph for JSON."""
    return asdict(graph)


def as_dot(graph: Graph) -> str:
    """The graph for graphviz: one node a model, one layer a depth, edges as wide as what they carry."""
    rows = ["digraph models {", "  rankdir=BT;", "  node [shape=box, fontname=Helvetica];"]
    for depth in sorted({node.depth for node in graph.nodes}):
        names = "; ".join(f'"{node.name}"' for node in graph.nodes if node.depth == depth)
        rows.append(f"  {{ rank=same; {names}; }}")
    for edge in graph.edges:
        width = 1 + min(edge.lines, 2000) / 400
        rows.append(
            f'  "{edge.child}" -> "{edge.parent}" [label="{edge.lines}", penwidth={width:.1f}];'
        )
    return "\n".join([*rows, "}"])
