"""Give everything its final name, choose the imports, and hand the drafts on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from codegen.expansion.assemble import assemble_files
from codegen.expansion.link.exports import Export
from codegen.expansion.link.linker import Linker
from codegen.expansion.link.namespace import Target, marks_in, without_marks
from codegen.expansion.link.order import Placed
from codegen.expansion.link.units import ModuleUnits, statements_of
from codegen.expansion.model import Definition, DraftFile, Item, ParentImport
from codegen.text.imports import ImportedName, ImportGuard, ImportStatement, PoolEntry

Placements = Mapping[str, Sequence[Placed]]
_FUTURE = ImportStatement("__future__", (ImportedName("annotations"),))


class Finisher:
    """The last step of an expansion; ``warnings`` is filled by :meth:`drafts`."""

    def __init__(
        self,
        linker: Linker,
        imported: Mapping[str, ParentImport],
        definition: Definition,
        handwritten: Mapping[str, frozenset[str]],
    ) -> None:
        self.linker, self.space, self.imported = linker, linker.space, imported
        self.definition, self.handwritten = definition, handwritten
        self.dialect = linker.convention.dialect
        self.warnings: list[str] = []
        self.spelled: dict[tuple[str, int], str] = {}

    def drafts(self, files: Placements, exports: Mapping[str, Sequence[Export]]) -> list[DraftFile]:
        """The finished files, from their definitions in order."""
        self._spell(files)
        placed = {kind: self._items(items) for kind, items in files.items()}
        pool = [*self._own_entries(), *self._created(), *self._parent_entries()]
        listed = {kind: [entry.text for entry in entries] for kind, entries in exports.items()}
        always = {kind: [_FUTURE] for kind in files} if self.linker.lazy else {}
        wanted = self._wanted(exports)
        convention = self.linker.convention
        return assemble_files(self.definition, placed, pool, listed, convention, always, wanted)

    def _items(self, items: Sequence[Placed]) -> dict[str, tuple[float, Item]]:
        found = {}
        for index, item in enumerate(items):
            name = without_marks(item.name, self.spelled)
            lead, text = (without_marks(part, self.spelled) for part in (item.lead, item.text))
            key = name if name not in found else f"{name}#{index}"
            kind = {"variable": "assignment"}.get(item.kind, item.kind)
            found[key] = (float(index), Item(name, kind, lead, text, item.origin))
        return found

    # -- names -------------------------------------------------------------------------------

    def _spell(self, files: Placements) -> None:
        """Decide what stands in the place of every mark."""
        marks: dict[tuple[str, int], Placed] = {}
        for items in files.values():
            for item in items:
                for mark in marks_in(item.lead + item.text):
                    marks.setdefault(mark, item)
        self._used = {
            name
            for items in files.values()
            for item in items
            for name in item.now | item.later | item.called
        }
        self._placed = {target for plan in self.linker.plans.values() for target in plan.placed}
        taken = {
            name for name, target in self.space.names.items() if self._is_present(name, target)
        }
        for kind, number in marks:
            if kind == "see":
                target, plain = self.space.targets[number]
                self.spelled["see", number] = final = self._name(target, plain, taken)
                taken.add(final)
        for (kind, number), item in marks.items():
            if kind != "see":
                target, plain = self.space.targets[number]
                self.spelled[kind, number] = final = self._spoken(target, plain)
                missing = final == target.name and target not in self._placed
                if kind == "quote" and missing and target.kind == "copy":
                    self.warnings.append(self._missing_class(target, item))

    def _is_present(self, name: str, target: Target) -> bool:
        if target.kind == "own":
            return True
        if target.kind == "copy":
            return target in self._placed
        return target.kind == "import" and name in self._used

    def _name(self, target: Target, plain: str, taken: set[str]) -> str:
        naming = self.space.namings[target.module]
        if target.kind == "neighbour":
            if self._provider(plain):
                return plain
            plain = target.name
        if plain not in taken:
            return plain
        name = f"_{naming.model}_{plain.lstrip('_')}"
        if plain in self.linker.module(target.module).classes or target.name[:1].isupper():
            rest = plain.removeprefix(naming.new_cased)
            new = naming.new_cased if rest != plain else ""
            if not plain.isupper():
                name = f"{new}{naming.cased}{rest}"
        while name in taken:
            name += "_"
        return name

    def _spoken(self, target: Target, plain: str) -> str:
        """How a class is named in strings and comments: as the new model calls it, if it has it."""
        if plain in self.space.definition.classes or self._provider(plain):
            return plain
        for (kind, number), name in self.spelled.items():
            used = kind == "see" and self.space.targets[number] == (target, plain)
            if used and target.kind == "copy":
                return name
        known = self.space.names.get(plain)
        if known is not None and known.kind == "import" and plain in self._used:
            return plain
        heirs = [
            unit.name
            for unit, fold in self.linker.folds.items()
            if (fold.module, fold.name) == (target.module, target.name)
        ]
        return heirs[0] if len(heirs) == 1 else target.name

    def _missing_class(self, target: Target, item: Placed) -> str:
        """A string names a class of the parent model that the new model does not have."""
        place = self.linker.place_of(item)
        return f'warning: {place}: "{target.name}" in {item.name} names a class that the model does not have'

    def _provider(self, name: str) -> str | None:
        """The file of the new model that defines a class."""
        for kind, plan in self.linker.plans.items():
            if any(item.name == name and item.kind != "effect" for item in plan.items):
                return self.dialect.module_name(kind, self.definition.model)
        return next((module for module, names in self.handwritten.items() if name in names), None)

    # -- imports -----------------------------------------------------------------------------

    def _wanted(self, exports: Mapping[str, Sequence[Export]]) -> dict[str, set[str]]:
        """Names that a file imports although nothing in it needs them: the definition does so, too."""
        own = self.space.definition
        pool = [name.bound for each in statements_of(self._own_entries()) for name in each.names]
        found: dict[str, set[str]] = {}
        for kind, listed in exports.items():
            names = {entry.name for entry in listed} - own.binders.keys()
            found[kind] = names & own.imported.keys()
        mentioned = {name for unit in own.units for name in unit.mentions.of("now", "later")}
        idle = {name for name in pool if name.split(".")[0] not in mentioned | self._used}
        found.setdefault(self.linker.default_plan().kind, set()).update(idle)
        return found

    def _own_entries(self) -> Iterator[PoolEntry]:
        """The definition's imports, without what is copied from parents."""
        own = self.space.definition
        for unit in own.units:
            for entry in unit.entries:
                if isinstance(entry, ImportGuard):
                    body = tuple(part for each in entry.body for part in self._own_parts(each))
                    yield replace(entry, body=body)
                else:
                    yield from self._own_parts(entry)

    def _own_parts(self, statement: ImportStatement) -> Iterator[ImportStatement]:
        if statement.module == "__future__":
            return
        kept = []
        for name in statement.names:
            root = name.bound.split(".")[0]
            last, entry = self.space.definition.imported[root]
            item = self.imported.get(name.bound)
            again = (last.module, entry) == (statement.module, name)
            replaced = last is not statement and not again and "." not in name.bound
            if root in self.space.joined or replaced:
                if not (last.line == statement.line and last.module == statement.module):
                    continue
                if root in self.space.joined:
                    continue
            if item is not None and (passed := self._passed_on(item)):
                yield passed
                continue
            kept.append(name)
        if kept:
            yield statement.only(tuple(kept))

    def _passed_on(self, item: ParentImport) -> ImportStatement | None:
        """The import of something that a parent merely imports itself."""
        parent = self.space.parents[item.module]
        if item.name in parent.binders or item.name not in parent.imported:
            return None
        statement, entry = parent.imported[item.name]
        if statement.module is None and not entry.alias and "." in entry.name:
            return None
        bound = item.alias or item.name
        name = ImportedName(entry.name, bound if bound != entry.name else None)
        module = statement.module and self.linker.convention.locate(statement.module, item.module)
        return ImportStatement(module, (name,))

    def _created(self) -> Iterator[ImportStatement]:
        """Imports between the files of the model, and of classes that stay the parent's."""
        for target, name in self.space.kept.items():
            if name == target.name and name not in self.space.definition.imported:
                spelled = f".{target.module.rpartition('.')[2]}"
                home = self.linker.convention.locate(spelled, target.module)
                yield ImportStatement(home, (ImportedName(name),))
        for plan in self.linker.plans.values():
            for name, kind in sorted(plan.elsewhere.items()):
                module = self.dialect.module_name(kind, self.definition.model)
                if all(mark in self.spelled for mark in marks_in(name)):
                    final = without_marks(name, self.spelled)
                    yield ImportStatement(f".{module}", (ImportedName(final),))

    def _parent_entries(self) -> Iterator[PoolEntry]:
        for units in self.space.parents.values():
            for unit in units.units:
                for entry in unit.entries:
                    if isinstance(entry, ImportGuard):
                        body = tuple(
                            part for each in entry.body for part in self._parts(each, units)
                        )
                        yield replace(entry, body=body)
                    else:
                        yield from self._parts(entry, units)

    def _parts(self, statement: ImportStatement, units: ModuleUnits) -> Iterator[ImportStatement]:
        """An import of a parent as the generated file needs it; neighbours may come from two files."""
        if statement.module == "__future__":
            return
        module = units.source.module
        spelled = statement.module
        if spelled is not None:
            spelled = self.linker.convention.locate(spelled, module)
        groups: dict[str | None, list[ImportedName]] = {}
        for name in statement.names:
            final = self._final(name.bound, module)
            home = self._provider(final) if self._is_neighbour(name.bound, module) else None
            if home:
                groups.setdefault(f".{home}", []).append(ImportedName(final))
            else:
                alias = final if final != name.name else None
                if "." in name.bound:
                    alias = None
                groups.setdefault(spelled, []).append(ImportedName(name.name, alias))
        for index, (source, names) in enumerate(groups.items()):
            lead = statement.lead if not index else ""
            yield replace(statement, module=source, names=tuple(names), lead=lead)

    def _is_neighbour(self, name: str, module: str) -> bool:
        mark = self.space.renamed[module].get(name, name)
        target = self.space.resolve(mark)
        return mark != name or (target is not None and target.kind == "neighbour")

    def _final(self, name: str, module: str) -> str:
        """What a name that a parent imports is called in the generated files."""
        mark = self.space.renamed[module].get(name, name)
        for kind, number in marks_in(mark):
            return self.spelled.get((kind, number), name)
        return mark
