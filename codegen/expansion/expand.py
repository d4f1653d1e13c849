"""Expand one definition into its generated files (unformatted)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from codegen.errors import fail
from codegen.expansion.assemble import assemble_files
from codegen.expansion.build_pool import build_pool
from codegen.expansion.checks import check_parent
from codegen.expansion.definition import import_pool
from codegen.expansion.dependencies import (
    Needs,
    Request,
    needs_with_parent,
    needs_without_parent,
)
from codegen.expansion.link.link import link
from codegen.expansion.merge import MARKER, Place, merge_class, without_marker
from codegen.expansion.merge_methods import is_expandable
from codegen.expansion.model import BaseClass, Definition, DraftFile, Item, ParsedModule
from codegen.expansion.module_getattr import restrict_getattr
from codegen.expansion.nodes import Node, Scope
from codegen.expansion.prefix import infer_prefixes, parent_base
from codegen.expansion.rename import PairSpelling, Spelling, paired_names
from codegen.expansion.scopes import own_scope, parent_scope, redirect_imported
from codegen.text.classes import Class
from codegen.text.imports import ImportedName, ImportStatement
from codegen.text.lexer import lex, name_tokens
from codegen.text.read_classes import parse_class
from codegen.trees.conventions import Convention
from codegen.trees.names import NameTable, common_suffix

#: Names that stand first in a file, in this order, if something needs them.
_PINNED = ("logger", "_CHECKPOINT_FOR_DOC", "_CONFIG_FOR_DOC")


@dataclass
class FilePlan:
    """One generated file while its definitions are being placed."""

    items: dict[str, tuple[float, Item]] = field(default_factory=dict)
    next_index: int = 0

    def place(self, item: Item, replace: bool = False) -> None:
        """Put a definition at the end; an earlier one of that name stays unless replaced."""
        if item.name in self.items and not replace:
            return
        if item.name in _PINNED:
            self.items[item.name] = (_PINNED.index(item.name) - 1000.0, item)
            return
        self.items[item.name] = (float(self.next_index), item)
        self.next_index += 1


def expand(
    definition: Definition,
    parents: Mapping[str, ParsedModule],
    table: NameTable,
    convention: Convention,
    handwritten: Mapping[str, frozenset[str]] | None = None,
) -> tuple[list[DraftFile], list[str]]:
    """Return the generated files of a definition and the warnings about its prefixes.

    ``parents`` holds every parent module of the definition, ``handwritten`` the names defined in
    files that stand beside the generated ones (by module name). Raises CodegenError for what the
    convention cannot express.
    """
    for parent in parents.values():
        check_parent(parent)
    if convention.dialect.python_meaning:
        return link(definition, parents, table, convention, handwritten or {})
    expander = _Expander(definition, parents, table, convention, handwritten or {})
    expander.place_classes()
    return expander.files(), expander.warnings


class _Expander:
    """State of one expansion; lives only inside :func:`expand`."""

    def __init__(
        self,
        definition: Definition,
        parents: Mapping[str, ParsedModule],
        table: NameTable,
        convention: Convention,
        handwritten: Mapping[str, frozenset[str]],
    ) -> None:
        self.handwritten = handwritten
        self.definition, self.parents, self.convention = definition, parents, convention
        self.table = table
        self.cased = table.cased(definition.model)
        models = {module: convention.parent_model(module) for module in parents}
        texts = {module: parsed.source.text for module, parsed in parents.items()}
        prefixes = infer_prefixes(definition, table, models, texts)
        path = definition.module.source.path
        self.warnings = [
            f"note: {path}: {prefix.warning}" for prefix in prefixes.values() if prefix.warning
        ]
        protected = convention.dialect.protected_names
        self.spellings = {
            module: Spelling(models[module], prefixes[module].lower, table, protected)
            if models[module]
            else self._paired(module)
            for module in definition.parent_modules
        }
        self.own = own_scope(definition)
        self.scopes = {
            module: parent_scope(
                parents[module],
                self.spellings[module],
                definition,
                self.own,
                convention.dialect.neighbour_type(module, models[module]),
            )
            for module in definition.parent_modules
        }
        self.joined = redirect_imported(definition, self.own, self.scopes)
        self.home = {parent.name: parent.module for parent in definition.parents}
        self.plans: dict[str, FilePlan] = {}
        self.created: list[tuple[str, ImportStatement]] = []

    def _paired(self, module: str) -> Spelling:
        taken = {item.name for item in self.definition.parents if item.module == module}
        pairs = [
            (statement.name, base)
            for statement in self.definition.classes
            for base in statement.bases
            if base in taken
        ]
        return PairSpelling(paired_names(pairs, self.cased), self.definition.model)

    def file_type(self, class_name: str) -> str:
        """The kind of file a class of this model belongs to."""
        return self.convention.dialect.file_type(class_name, self.cased)

    def place_classes(self) -> None:
        """Build every class of the definition and place it behind what it needs."""
        for statement in self.definition.classes:
            node = self.own.own_classes[statement.name]
            base = parent_base(self.definition, statement)
            kind = self.file_type(statement.name)
            plan = self.plans.setdefault(kind, FilePlan())
            if base is None:
                item = self._as_written(node)
                needs = self._needs(node.uses(), statement, kind, plan, None)
            else:
                item = self._merged(statement, node, base)
                uses = frozenset(name_tokens(lex(item.text).code))
                needs = self._needs(uses, statement, kind, plan, self.scopes[self.home[base]])
            for name in needs.imported:
                self._create_import(name, kind)
            for dependency in needs.nodes:
                if dependency.name not in plan.items:
                    plan.place(self._render(dependency))
            plan.place(item, replace=True)

    def _needs(
        self,
        uses: frozenset[str],
        statement: BaseClass,
        kind: str,
        plan: FilePlan,
        parent: Scope | None,
    ) -> Needs:
        neighbours, dialect = self._neighbours(kind), self.convention.dialect
        request = Request(
            statement.name,
            uses,
            kind,
            plan.items.keys(),
            neighbours,
            self.file_type,
            lambda name: dialect.adopts(kind, name),
            dialect.expands_own_classes,
        )
        if parent is None:
            return needs_without_parent(request, self.own, self.joined, self.scopes)
        return needs_with_parent(request, parent, self.own)

    def _neighbours(self, kind: str) -> set[str]:
        """Names that files of this kind can import from their neighbours."""
        found = {
            name
            for home, created in self.created
            for name in (created.names[0].name,)
            if home == kind
        }
        for scope in self.scopes.values():
            if scope.file_type == kind:
                found |= scope.neighbours.keys()
        return found

    def _create_import(self, name: str, kind: str) -> None:
        home = self.convention.dialect.module_name(self.file_type(name), self.definition.model)
        self.created.append((kind, ImportStatement(f".{home}", (ImportedName(name),))))

    def _merged(self, statement: BaseClass, node: Node, base: str) -> Item:
        """The class of the definition folded with its parent class."""
        module = self.home[base]
        parent, spelling = self.parents[module], self.spellings[module]
        renamed = spelling.name(base)
        path = self.definition.module.source.path
        parent_node = self.scopes[module].own_classes.get(renamed)
        if parent_node is None:
            raise fail(
                "missing-class",
                f"{statement.name} inherits from {base}, which {module} does not define",
                path,
                statement.line,
                _suggest(base, parent, self.convention.describe(module)),
            )
        inherited = self._render(parent_node)
        text = inherited.lead + inherited.text
        if renamed != statement.name:
            text = self._rename_fragments(text, renamed, statement.name)
        own = node.render()
        above = _decorator_lines(own.text) + own.lead.count("\n") + 1
        place = Place(path, statement.line, statement.name, statement.line - above)
        child, _ = parse_class(own.lead + own.text)
        folded, _ = parse_class(text)
        self.warnings += _kept_super_calls(child, folded, place)
        self.warnings += _left_out(child, folded, place)
        merged = merge_class(child, folded, base, place, self.convention.dialect)
        lead = folded.lead
        return Item(statement.name, "class", lead, merged[len(lead) :], f"{path}:{statement.line}")

    def _as_written(self, node: Node) -> Item:
        """A class of the definition without parent, without the marker for decorators."""
        item = node.render()
        if not self.convention.dialect.decorator_marker or MARKER not in item.text:
            return item
        path, _, line = item.origin.rpartition(":")
        return replace(item, text=without_marker(item.text, path, int(line) - 1))

    def _render(self, node: Node) -> Item:
        """A definition as it is placed; imports inside it work where the file goes."""
        item = node.render()
        module = node.module.source.module
        return replace(item, text=self.convention.adapt_text(item.text, module))

    def _provides(self, module: str, name: str) -> bool:
        """Whether the neighbour file ``module`` of this model defines a name."""
        for kind, plan in self.plans.items():
            home = self.convention.dialect.module_name(kind, self.definition.model)
            if module == home and name in plan.items:
                return True
        return name in self.handwritten.get(module, ())

    def _rename_fragments(self, text: str, renamed: str, name: str) -> str:
        """Second renaming of a parent class under another name: strings and comments only."""
        suffix = common_suffix(renamed, name)
        old, new = (item.replace(suffix, "") if suffix else item for item in (renamed, name))
        old_lower, new_lower = (self.table.lower(item).replace("-", "_") for item in (old, new))
        spelling = Spelling(
            old_lower, new_lower, self.table, self.convention.dialect.protected_names
        )
        lexed = lex(text)
        pieces, done = [], 0
        for start, end in sorted((*lexed.strings, *lexed.comments)):
            pieces.append(text[done:start])
            pieces.append(spelling.text(text, start, end))
            done = end
        return "".join(pieces) + text[done:]

    def files(self) -> list[DraftFile]:
        """The finished files: definitions in order, their imports, header and exports."""
        pool = build_pool(
            import_pool(self.definition, self.convention),
            [statement for _, statement in self.created],
            [
                (self.parents[module], self.spellings[module])
                for module in self.definition.parent_modules
            ],
            self.definition.model,
            self.convention,
            self._provides,
        )
        exports: dict[str, list[str]] = {}
        for name, text in zip(self.definition.exports, self.definition.export_texts):
            exports.setdefault(self.file_type(name), []).append(text)
        placed = {kind: dict(plan.items) for kind, plan in self.plans.items()}
        if self.convention.dialect.keeps_getattr:
            self._place_getattr(placed)
        return assemble_files(self.definition, placed, pool, exports, self.convention)

    def _place_getattr(self, placed: dict[str, dict[str, tuple[float, Item]]]) -> None:
        """Put a module-level ``__getattr__`` behind the classes of the files that it is about."""
        node = self.own.nodes.get("__getattr__")
        if node is None or "__getattr__" not in self.own.positions:
            return
        item = node.render()
        names = {item.text[start + 1 : end - 1] for start, end in lex(item.text).strings}
        kinds = {self.file_type(name) for name in names if name.isidentifier()}
        for kind in kinds & placed.keys():
            text = restrict_getattr(item.text, lambda name: self.file_type(name) == kind)  # noqa: B023
            placed[kind]["__getattr__"] = (math.inf, replace(item, text=text))


def _kept_super_calls(child: Class, parent: Class, place: Place) -> Iterator[str]:
    """Warn of ``super()`` calls that cannot be expanded although the parent's method is folded in.

    They reach past the parent in the generated file: only a call that is a whole statement or a
    whole ``return``, at the top of the method, is expanded.
    """
    inherited = dict(parent.methods)
    for key, method in child.methods:
        if key not in inherited:
            continue
        call = re.compile(rf"\bsuper\(\)\.{re.escape(method.name)}\(")
        for statement in method.body:
            if call.search(lex(statement.text).code) and not is_expandable(statement, method.name):
                yield (
                    f"warning: {place.path}:{place.line_of(statement)}: "
                    f"super().{method.name}() is not expanded here and does not reach the "
                    f"parent's {method.name}; name the base that is meant, or write it out"
                )
                break


def _left_out(child: Class, parent: Class, place: Place) -> Iterator[str]:
    """Warn of what a library's fold leaves out or changes: it keeps attributes and methods only."""
    for line in child.others:
        yield (
            f"warning: {place.path}:{place.offset + line}: this statement of class {child.name} is "
            "left out: a folded class keeps attributes and methods"
        )
    for line in parent.others:
        yield (
            f"warning: {place.path}:{place.line}: a statement of the parent of {child.name} (line "
            f"{line} of its class) is left out: a folded class keeps attributes and methods"
        )
    inherited = dict(parent.methods)
    for key, method in child.methods:
        if key in inherited and inherited[key].keyword != method.keyword:
            yield (
                f"warning: {place.path}:{place.line}: {child.name}.{method.name} becomes "
                f"`{inherited[key].keyword}`, as in the parent"
            )


def _decorator_lines(text: str) -> int:
    """Lines between the first decorator of a class and its ``class`` line."""
    lines = text.split("\n")
    return next((index for index, line in enumerate(lines) if line.startswith("class ")), 0)


def _suggest(name: str, parent: ParsedModule, where: str) -> str:
    from difflib import get_close_matches

    classes = list(parent.of_kind("class"))
    close = get_close_matches(name, classes, 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if any(name == item.bound for entry in parent.relative_imports for item in entry.names):
        return f"{where} only imports it: inherit from the module that defines it"
    return f"{where} defines {len(classes)} classes, none of a similar name"
