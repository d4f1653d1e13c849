"""Where a generated class comes from: its chain of classes down to what people wrote.

A class of a generated file is defined in the model's definition, inherits there from a class of a
parent file, or was copied along from one; the parent may be generated itself. The chain is read
from class statements and imports of both, without an expansion.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from codegen.review.index import Index, read_index
from codegen.review.model import Side
from codegen.review.names import Naming, strip_model
from codegen.trees.sources import glance
from codegen.trees.tree import Tree


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
