"""Where a generated class comes from: its chain of classes down to what people wrote.

A class of a generated file is defined in the model's definition, inherits there from a class of a
parent file, or was copied along from one; the parent may be generated itself. The chain is read
from class statements and imports of both, without an expansion.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from codegen.review.model import Side
from codegen.review.names import Naming, strip_model
from codegen.review.pieces import Piece, bases_of, parse_piece, split_pieces
from codegen.review.syntax import below, dotted
from codegen.trees.sources import glance
from codegen.trees.tree import Tree


class ClassInfo:
    """A class of a source: bases as written, members with their lines, ``deleted`` members (markers).

    All but its name and line is read when it is asked for. A class that does not parse has no members.
    """

    def __init__(self, piece: Piece) -> None:
        self.name, self.line = piece.name, piece.line
        self._piece = piece

    @property
    def text(self) -> str:
        """Its lines, from the one with its name."""
        return self._piece.from_keyword

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """Its bases as they are written."""
        return bases_of(self._piece)

    @property
    def members(self) -> Mapping[str, int]:
        """Lines of its methods and attributes by name."""
        return self._members[0]

    @property
    def deleted(self) -> Mapping[str, int]:
        """Lines of markers that delete a member of the parent, by name."""
        return self._members[1]

    @property
    def assigned(self) -> Mapping[str, int]:
        """Lines of ``self.x = ...`` by name."""
        return self._attributes[0]

    @property
    def erased(self) -> Mapping[str, int]:
        """Lines of ``del self.x`` by name."""
        return self._attributes[1]

    @cached_property
    def calling_super(self) -> frozenset[str]:
        """Methods that call the parent's."""
        return frozenset(
            item.name
            for item in self._body
            if isinstance(item, _METHOD)
            and any(isinstance(each, ast.Name) and each.id == "super" for each in ast.walk(item))
        )

    @property
    def _body(self) -> Sequence[ast.stmt]:
        node = next(iter(self._piece.body), None)
        return node.body if isinstance(node, ast.ClassDef) else ()

    @cached_property
    def _members(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        members: dict[str, int] = {}
        deleted: dict[str, int] = {}
        first = self._piece.start
        for item in self._body:
            if isinstance(item, _METHOD):
                found = deleted if _raises_attribute_error(item) else members
                found.setdefault(item.name, first + item.lineno)
            for name in _targets(item):
                value = getattr(item, "value", None)
                is_marker = isinstance(value, ast.Call) and dotted(value.func) == "AttributeError"
                (deleted if is_marker else members).setdefault(name, first + item.lineno)
        return members, deleted

    @cached_property
    def _attributes(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        assigned: dict[str, int] = {}
        erased: dict[str, int] = {}
        for item in (each for each in self._body if isinstance(each, _METHOD)):
            if item.name in self.members:
                _own_attributes(item, assigned, erased)
        first = self._piece.start
        found = ({name: first + line for name, line in each.items()} for each in (assigned, erased))
        return next(found), next(found)


_METHOD = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Index:
    """Classes and functions of a module, and what its imports bind: (module as spelled, name)."""

    classes: Mapping[str, ClassInfo]
    functions: Mapping[str, int]
    imports: Mapping[str, tuple[str, str]]


_EMPTY = Index({}, {}, {})
#: Groups of statements whose imports are kept.
_KEPT = 16_384


def read_index(text: str) -> Index:
    """The index of a module; an empty one where it does not parse."""
    pieces = split_pieces(text)
    if pieces is None:
        return _EMPTY
    classes: dict[str, ClassInfo] = {}
    functions: dict[str, int] = {}
    imports: dict[str, tuple[str, str]] = {}
    for piece in pieces:
        if piece.kind == "class":
            classes[piece.name] = ClassInfo(piece)
        elif piece.kind:
            functions[piece.name] = piece.line
        else:
            imports.update(_imported(piece.text))
    return Index(classes, functions, imports)


@lru_cache(maxsize=_KEPT)
def _imported(text: str) -> Mapping[str, tuple[str, str]]:
    """What imports among statements bind."""
    tree = parse_piece(text)
    return {
        alias.asname or alias.name: ("." * node.level + (node.module or ""), alias.name)
        for node in (tree.body if tree is not None else ())
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _targets(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def _raises_attribute_error(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    only = node.body[-1] if len(node.body) == 1 else None
    return isinstance(only, ast.Raise) and "AttributeError" in ast.unparse(only)


def _own_attributes(node: ast.AST, assigned: dict[str, int], erased: dict[str, int]) -> None:
    for item in below(node):
        if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name):
            if item.value.id == "self" and isinstance(item.ctx, ast.Store):
                assigned.setdefault(item.attr, item.lineno)
            elif item.value.id == "self" and isinstance(item.ctx, ast.Del):
                erased.setdefault(item.attr, item.lineno)


@dataclass(frozen=True, slots=True)
class Origin:
    """A class or function in a source or a generated file: one link of a chain."""

    path: str
    name: str


@dataclass
class Pool:
    """What both sides share: indexes by text, and where packages hand their classes on from."""

    indexes: dict[str, Index] = field(default_factory=dict)
    homes: dict[tuple[str, str], tuple[str, str] | None] = field(default_factory=dict)


class Lineage:
    """Answers about one side."""

    def __init__(self, tree: Tree, side: Side, pool: Pool) -> None:
        self.tree, self.side, self._pool = tree, side, pool
        self._chains: dict[tuple[str, str], tuple[Origin, ...]] = {}
        self._homes: dict[tuple[str, str], tuple[str, str] | None] = {}
        self._installed: dict[str, str] = {}
        self._replaced: dict[tuple[str, str], tuple[str, ...]] = {}

    def text(self, path: str) -> str:
        """The text of a file of the side, or of an installed parent."""
        if path in self.side.texts:
            return self.side.texts[path]
        if path not in self._installed:
            self._installed[path] = glance(Path(path)) if os.path.isabs(path) else ""
        return self._installed[path]

    def index(self, path: str) -> Index:
        """The index of a file."""
        text = self.text(path)
        known = self._pool.indexes
        if text not in known:
            known[text] = read_index(text)
        return known[text]

    def class_text(self, path: str, name: str) -> tuple[int, str]:
        """The 1-based first line of a class of a file and its lines; (0, "") where there is none."""
        info = self.index(path).classes.get(name)
        return (info.line, info.text) if info is not None else (0, "")

    def base_of(self, path: str, name: str) -> tuple[str, str] | None:
        """File and class of the parent that a class of a definition inherits from."""
        info = self.index(path).classes.get(name)
        for base in info.bases if info else ():
            home = self.home(path, base)
            if home is not None:
                return home
        return None

    def home(self, path: str, name: str) -> tuple[str, str] | None:
        """File and name of something that a definition imports from a parent; None for others."""
        if (path, name) not in self._homes:
            self._homes[(path, name)] = self._find_home(path, name)
        return self._homes[(path, name)]

    def _find_home(self, path: str, name: str) -> tuple[str, str] | None:
        imported = self.index(path).imports.get(name)
        if imported is None:
            return None
        spelled, original = imported
        module = self.tree.convention.parent_module(spelled)
        if module is None:
            return self._handed_on(spelled, original) if self._is_base(path, name) else None
        source = self.tree.source_path(module)
        return (source, original) if source else None

    def _is_base(self, path: str, name: str) -> bool:
        return any(name in info.bases for info in self.index(path).classes.values())

    def _handed_on(self, spelled: str, name: str) -> tuple[str, str] | None:
        """The home of a base that is imported from a package that hands it on."""
        key = (spelled, name)
        if key not in self._pool.homes:
            found = self.tree.convention.base_home(spelled, name)
            home = None
            if found is not None and not isinstance(found, tuple):
                source = self.tree.source_path(found.module)
                home = (source, found.name) if source else None
            self._pool.homes[key] = home
        return self._pool.homes[key]

    def parents(self, definition: str) -> list[str]:
        """Files that a definition imports from as parents, in the order of its imports."""
        homes = (self.home(definition, name) for name in self.index(definition).imports)
        return list(dict.fromkeys(home[0] for home in homes if home))

    def chain(self, path: str, name: str) -> tuple[Origin, ...]:
        """The links of a class or function of a generated file, the nearest first.

        Definitions and hand-written files only: what is generated on the way is passed through.
        """
        key = (path, name)
        if key not in self._chains:
            self._chains[key] = ()  # a cycle ends here
            self._chains[key] = tuple(dict.fromkeys(self._links(path, name)))
        return self._chains[key]

    def _links(self, path: str, name: str) -> Iterator[Origin]:
        definition = self.side.generated.get(path)
        if definition is None:
            index = self.index(path)
            if name in index.classes or name in index.functions:
                yield Origin(path, name)
            return
        index = self.index(definition)
        if name in index.classes or name in index.functions:
            yield Origin(definition, name)
            home = self.base_of(definition, name)
            if home is not None:
                yield from self.chain(*home)
            return
        yield from self._copied(path, definition, name)

    def _copied(self, path: str, definition: str, name: str) -> Iterator[Origin]:
        """Links of what came along from a parent, under the name that it has there."""
        wanted = strip_model(name, self.side.model_of(path))
        for exact in (True, False):
            for parent in self.parents(definition):
                if parent == path:
                    continue
                model = self.side.model_of(parent)
                index = self.index(parent)
                prefixes = () if exact else self._prefixes(definition, parent)
                for other in (*index.classes, *index.functions):
                    bare = strip_model(other, model)
                    if other == name or bare == wanted or name in {p + bare for p in prefixes}:
                        yield from self.chain(parent, other)
                        return

    def _prefixes(self, definition: str, parent: str) -> tuple[str, ...]:
        """What a definition puts in place of the model's name of a parent: ``AriaText`` for llama,
        as its classes say that inherit from there."""
        key = (definition, parent)
        if key not in self._replaced:
            model = self.side.model_of(parent)
            found: dict[str, None] = {}
            for name in self.index(definition).classes:
                home = self.base_of(definition, name)
                if home is not None and home[0] == parent:
                    bare = strip_model(home[1], model)
                    if name.endswith(bare) and name != bare:
                        found[name.removesuffix(bare)] = None
            self._replaced[key] = tuple(found)
        return self._replaced[key]

    def naming(self, path: str) -> Naming:
        """How names in a file are undone."""
        model = self.side.model_of(path)
        aliases: dict[str, str] = {}
        classes = self.index(path).classes
        if path in self.side.generated:
            for name in classes:
                chain = self.chain(path, name)
                if chain:
                    root = chain[-1]
                    aliases[name] = strip_model(root.name, self.side.model_of(root.path))
        elif path in self.side.definitions:
            for name in classes:
                home = self.base_of(path, name)
                chain = self.chain(*home) if home else ()
                if chain:
                    root = chain[-1]
                    aliases[name] = strip_model(root.name, self.side.model_of(root.path))
        # A name that undoing the model already gives needs no alias.
        return Naming(model, {k: v for k, v in aliases.items() if v != strip_model(k, model)})

    @cached_property
    def heirs(self) -> Mapping[Origin, tuple[Origin, ...]]:
        """For every class of a source, the classes of definitions that inherit from it directly."""
        found: dict[Origin, list[Origin]] = {}
        for definition in self.side.definitions:
            for name in self.index(definition).classes:
                home = self.base_of(definition, name)
                if home is None:
                    continue
                chain = self.chain(*home)
                if chain:
                    found.setdefault(chain[0], []).append(Origin(definition, name))
        return {origin: tuple(heirs) for origin, heirs in found.items()}

    @cached_property
    def outputs(self) -> Mapping[str, tuple[str, ...]]:
        """The generated files of each definition."""
        found: dict[str, list[str]] = {}
        for path, definition in self.side.generated.items():
            found.setdefault(definition, []).append(path)
        return {definition: tuple(sorted(paths)) for definition, paths in found.items()}
