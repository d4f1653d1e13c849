"""Expand a definition with the meaning of Python: every name denotes what it denotes in its module.

The classes of the definition are folded with their parents; what they need of the parents is placed
before them under the new model's names, what the definition holds beside classes goes along.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from codegen.expansion.fold.folding import fold_class
from codegen.expansion.fold.model import Origin, Pair, Spellings
from codegen.expansion.link.kin import Kin
from codegen.expansion.link.namespace import Namespace, Target
from codegen.expansion.link.order import Placed
from codegen.expansion.link.render import Renderer
from codegen.expansion.link.spellings import spellings_of
from codegen.expansion.link.units import ModuleUnits, Unit
from codegen.expansion.merge import MARKER, without_marker
from codegen.expansion.model import ParentImport
from codegen.text.lexer import lex, name_tokens
from codegen.text.lines import LineMap
from codegen.text.mentions import Mentions, scan
from codegen.trees.banners import carries_banner
from codegen.trees.conventions import Convention
from codegen.trees.names import module_file_type

#: Names that stand first in a file, in this order, if something needs them.
_PINNED = ("logger", "_CHECKPOINT_FOR_DOC", "_CONFIG_FOR_DOC")
_IMPORT_BLOCKS = -500.0


@dataclass(eq=False)
class Plan:
    """One generated file while its definitions are being placed."""

    kind: str
    items: list[Placed] = field(default_factory=list)
    seen: set[Unit] = field(default_factory=set)
    placed: set[Target] = field(default_factory=set)
    #: Classes of the definition that live in other files.
    elsewhere: dict[str, str] = field(default_factory=dict)
    #: How far down in its module something stood that was placed here: what is further down goes last.
    furthest: dict[str, int] = field(default_factory=dict)

    def append(self, item: Placed) -> None:
        """Put an item behind all others."""
        self._note(item)
        self.items.append(item)

    def insert(self, item: Placed) -> None:
        """Put an item in front of what stands behind it in its own module."""
        module, index = item.module, item.index
        if index < self.furthest.get(module, -1):
            for position, other in enumerate(self.items):
                beside, above = other.module, other.parent
                if (beside == module and other.index > index) or (
                    above[0] == module and above[1] > index
                ):
                    self._note(item)
                    self.items.insert(position, item)
                    return
        self.append(item)

    def _note(self, item: Placed) -> None:
        for module, index in ((item.module, item.index), item.parent):
            self.furthest[module] = max(index, self.furthest.get(module, -1))


@dataclass(frozen=True, slots=True)
class Fold:
    """A class of the definition that is folded: its parent's module and name, and its own base."""

    module: str
    name: str
    base: str


class Linker:
    """State of one expansion; :func:`codegen.expansion.link.link.link` drives it.

    ``model`` is the model's name in both spellings; ``moved`` are classes whose file was decided on
    by what needs them.
    """

    def __init__(
        self,
        space: Namespace,
        folds: Mapping[Unit, Fold],
        imported: Mapping[str, ParentImport],
        convention: Convention,
        model: tuple[str, str],
        path: str,
        moved: Mapping[str, str],
    ) -> None:
        self.space, self.folds, self.convention = space, folds, convention
        self.imported = imported
        self.model, self.cased = model
        self.path = path
        above = {unit.name: module_file_type(fold.module) for unit, fold in folds.items()}
        self._kinds = {**{name: kind for name, kind in above.items() if kind}, **moved}
        self.plans: dict[str, Plan] = {}
        self.warnings: list[str] = []
        #: The folded classes whose parent stays a class in front of them, and its name there.
        self.apart: dict[Unit, str] = {}
        self._spellings: dict[Fold, Spellings] = {}
        #: Whether types in the generated files are left unevaluated.
        self.lazy = space.definition.lazy_annotations
        self.renderers = {
            module: Renderer(space, units, convention.locate)
            for module, units in space.parents.items()
        }

    # -- where things go ---------------------------------------------------------------------

    def file_type(self, name: str) -> str:
        """The kind of file that a class of the model belongs to.

        Where the end of its name says nothing, it goes where its parent's class stands.
        """
        kind = self.convention.dialect.file_type(name, self.cased)
        return self._kinds.get(name, kind) if kind == "modeling" else kind

    def is_settled(self, name: str) -> bool:
        """Whether its parent, or an earlier decision, says where a class belongs."""
        return name in self._kinds

    def plan(self, kind: str) -> Plan:
        """The plan of a file."""
        return self.plans.setdefault(kind, Plan(kind))

    def default_plan(self) -> Plan:
        """The file of what no class needs: that of the models, or the first there is."""
        if "modeling" in self.plans or not self.plans:
            return self.plan("modeling")
        return next(
            self.plans[kind] for kind in self.convention.dialect.file_types if kind in self.plans
        )

    def units_of(self, target: Target) -> list[Unit]:
        """The statements that make up something of a module: those that bind and that change it."""
        units = self.module(target.module)
        riders = [unit for unit, names in units.riders.items() if target.name in names]
        binders = units.binders.get(target.name, ())
        return sorted({*binders, *riders}, key=lambda unit: unit.index)

    def module(self, module: str) -> ModuleUnits:
        """The units of a parent, or of the definition ("")."""
        return self.space.parents[module] if module else self.space.definition

    def spelled(self, module: str, names: Iterable[str]) -> frozenset[str]:
        """Names of a module as generated code spells them."""
        renamed = self.space.renamed.get(module, {})
        return frozenset(renamed.get(name, name) for name in names)

    def place_of(self, item: Placed) -> str:
        """The line of the definition that an item comes from, or that brought it in."""
        if not item.module:
            return item.origin
        for unit, fold in self.folds.items():
            if fold.module == item.module:
                return f"{self.path}:{unit.nodes[0].lineno}"
        return self.path

    # -- placing -----------------------------------------------------------------------------

    def place_classes(self) -> None:
        """Place every class of the definition behind what it needs."""
        for unit in self.space.definition.units:
            if unit.kind != "class":
                continue
            plan = self.plan(self.file_type(unit.name))
            fold = self.folds.get(unit)
            item = self._folded(unit, fold) if fold else self._own(unit)
            self.need(item.now | item.called | item.later, plan, fold.module if fold else "")
            plan.append(item)
            plan.seen.add(unit)
            target = Target("own", "", unit.name)
            plan.placed.add(target)
            self._place_riders(unit, fold, plan)

    def place_rest(self) -> None:
        """Place what the definition holds beside its classes, as far as no class needed it."""
        for unit in self.space.definition.units:
            if unit.kind in ("class", "import", "exports", "text"):
                continue
            if any(unit in plan.seen for plan in self.plans.values()):
                continue
            plan = self._plan_of(unit)
            item = self._own(unit)
            self.need(item.now | item.called | item.later, plan, "")
            if unit not in plan.seen:
                plan.insert(item)
                plan.seen.add(unit)
                plan.placed |= {Target("own", "", name) for name in unit.binds}

    def place_idle(self) -> None:
        """Place the functions and variables that the definition imports from parents for others."""
        own = self.space.definition
        mentioned = {name for unit in own.units for name in unit.mentions.of("now", "later")}
        for name in sorted(self.space.joined.keys() - mentioned - own.binders.keys()):
            self.need([name], self.default_plan(), self.space.joined[name].module)

    def _plan_of(self, unit: Unit) -> Plan:
        """The file of a statement that no class needs: that of the classes that it names."""
        kinds = {
            self.file_type(name)
            for name in unit.mentions.of("now")
            if name in self.space.definition.classes
        }
        if unit.kind != "function" and len(kinds) == 1 and (kind := kinds.pop()) in self.plans:
            return self.plans[kind]
        return self.default_plan()

    def need(self, names: Iterable[str], plan: Plan, parent: str) -> None:
        """Place everything that some code in a file needs, in the order of the convention."""
        wanted = self._closure(names, plan)
        for target in self._in_order(wanted, parent):
            self._place(target, plan)

    def _closure(self, names: Iterable[str], plan: Plan) -> dict[Target, None]:
        wanted: dict[Target, None] = {}
        queue = sorted(names)
        while queue:
            target = self.space.resolve(queue.pop())
            if target is None or target in wanted or target in plan.placed:
                continue
            if target.kind == "own" and target.name in self.space.definition.classes:
                kind = self.file_type(target.name)
                if kind != plan.kind:
                    plan.elsewhere[target.name] = kind
                continue
            if target.kind in ("own", "copy"):
                wanted[target] = None
                for unit in self.units_of(target):
                    queue += sorted(
                        self.spelled(unit.module, unit.mentions.of("now", "later", "binds"))
                    )
        return wanted

    def _place(self, target: Target, plan: Plan) -> None:
        if target in plan.placed:
            return
        plan.placed.add(target)
        for unit in self.units_of(target):
            if unit not in plan.seen and not self._has_own_turn(unit):
                plan.seen.add(unit)
                plan.append(self._copied(unit, {}) if unit.module else self._own(unit))
                plan.placed |= {Target(target.kind, unit.module, name) for name in unit.binds}

    def _has_own_turn(self, unit: Unit) -> bool:
        """Whether a class that changes something else is the definition's, or has one in its role."""
        if unit.kind != "class":
            return False
        name = next(iter(self.spelled(unit.module, [unit.name])))
        target = self.space.resolve(name)
        return target is None or target != Target("copy", unit.module, unit.name)

    def _place_riders(self, unit: Unit, fold: Fold | None, plan: Plan) -> None:
        """Statements that change a class go behind it, those about its parent's class included."""
        targets = [Target("own", "", unit.name)]
        if fold:
            targets.append(Target("copy", fold.module, fold.name))
        for target in targets:
            for rider in self.units_of(target):
                if rider in plan.seen or target.name in rider.binds:
                    continue
                plan.seen.add(rider)
                instead = {target.name: unit.name} if rider.module else {}
                item = self._copied(rider, instead) if rider.module else self._own(rider)
                self.need(item.now | item.called | item.later, plan, rider.module)
                plan.append(item)

    # -- order -------------------------------------------------------------------------------

    def _in_order(self, wanted: Mapping[Target, None], parent: str) -> list[Target]:
        """The order of the convention: a parent's classes, each behind the functions it uses."""
        rest = set(wanted)
        order: list[Target] = []

        def emit(targets: Iterable[Target]) -> None:
            for target in targets:
                if target in rest:
                    rest.discard(target)
                    order.append(target)

        if parent:
            classes = [target for target in wanted if self._is_class(target, parent)]
            for target in sorted(classes, key=self._position):
                members = {item for item in self._uses(target, wanted) if item in rest} - {target}
                emit(self._by_position(members, parent))
                emit(sorted((m for m in members if not m.module), key=self._position))
                emit([target])
            emit(self._by_position(rest, parent))
        modules = list(self.space.parents)
        others = [target for target in rest if target.module]
        emit(sorted(others, key=lambda t: (modules.index(t.module), self._position(t))))
        emit(sorted(rest, key=self._position))
        return order

    def _by_position(self, targets: Iterable[Target], parent: str) -> list[Target]:
        """Those that a parent has, or has in common with others, in its order."""
        names = {target: target.name for target in targets if target.module == parent}
        shared = self.space.shared.get(parent, {})
        names |= {target: shared[target] for target in targets if target in shared}
        binders = self.module(parent).binders
        return sorted(names, key=lambda target: (binders[names[target]][0].index, target.name))

    def _is_class(self, target: Target, module: str) -> bool:
        units = self.module(module)
        return target.module == module and target.name in units.classes

    def _position(self, target: Target) -> tuple[int, str]:
        return self.units_of(target)[0].index, target.name

    def _uses(self, target: Target, wanted: Mapping[Target, None]) -> set[Target]:
        """What a class of a parent uses, directly and through functions and variables."""
        found: set[Target] = set()
        queue = [target]
        while queue:
            current = queue.pop()
            if current is not target and current.name in self.module(current.module).classes:
                continue
            for unit in self.units_of(current):
                for name in self.spelled(unit.module, unit.mentions.of("now", "later")):
                    used = self.space.resolve(name)
                    if used is not None and used in wanted and used not in found:
                        found.add(used)
                        queue.append(used)
        return found

    # -- texts -------------------------------------------------------------------------------

    def _own(self, unit: Unit) -> Placed:
        """A statement of the definition, as written."""
        source = self.space.definition.source
        lead, text = source.text[unit.start : unit.lead_end], source.text[unit.lead_end : unit.end]
        if unit.kind == "class" and MARKER in text:
            text = without_marker(text, self.path, unit.line - 1)
        return self._item(unit, lead, text)

    def _copied(self, unit: Unit, instead: Mapping[str, str]) -> Placed:
        """A statement of a parent under its new names."""
        lead, text = self.renderers[unit.module].render(unit, instead)
        return self._item(unit, lead, text)

    def _item(self, unit: Unit, lead: str, text: str, fresh: bool = False) -> Placed:
        mentions = scan_text(text, self.lazy) if fresh or unit.module else unit.mentions
        name = unit.name
        if unit.module:
            name = next(iter(self.spelled(unit.module, [unit.name])))
        binds = mentions.of("binds")
        return Placed(
            name or text.split("\n")[0][:40],
            unit.kind,
            unit.module,
            unit.index,
            lead,
            text,
            f"{self.module(unit.module).source.path}:{unit.line}",
            binds,
            mentions.of("now"),
            mentions.called,
            mentions.of("later"),
            self.spelled(unit.module, self.module(unit.module).riders.get(unit, ())),
            self._rank(unit, name),
        )

    def _rank(self, unit: Unit, name: str) -> float:
        if name in _PINNED:
            return _PINNED.index(name) - 1000.0
        if unit.kind == "block" and _imports(unit):
            own = self.module(unit.module).binders.keys() - unit.binds
            if not unit.mentions.of("now") & own:
                return _IMPORT_BLOCKS
        return 0.0

    def spellings(self, fold: Fold) -> Spellings:
        """The names by which the definition knows a parent class."""
        if fold not in self._spellings:
            own = self.space.definition
            self._spellings[fold] = spellings_of(
                fold.module, fold.name, fold.base, own, self.convention
            )
        return self._spellings[fold]

    def _folded(self, unit: Unit, fold: Fold) -> Placed:
        """A class of the definition folded with its parent class."""
        module = self.space.parents[fold.module]
        parent = module.binders[fold.name][-1]
        # Where the parent's class names itself, it is the folded class that is meant.
        lead, text = self.renderers[fold.module].render(parent, {fold.name: unit.name})
        definition, kin = self.space.definition, Kin(self.space, self.imported, fold.module)
        above = module.source.text.count("\n", parent.start, parent.lead_end)
        folded = fold_class(
            Pair(
                definition.source.text[unit.start : unit.end],
                lead + text,
                fold.base,
                self.spellings(fold),
                Origin(self.path, definition.source.text.count("\n", 0, unit.start), unit.name),
                Origin(module.source.path, parent.line - above - 1, fold.name),
                name_tokens(definition.lexed.code) | name_tokens(module.lexed.code),
                kin.relative,
                kin.key_of,
                self.convention.dialect.replaces_assignments,
                carries_banner(module.source.text),
            )
        )
        self.warnings += folded.notes
        if folded.apart:
            self.apart[unit] = folded.apart
        item = self._item(unit, folded.lead, folded.text, fresh=True)
        return replace(item, parent=(fold.module, parent.index))

    # -- what parents do besides -------------------------------------------------------------

    def carry_effects(self) -> None:
        """Carry statements of parents that act on something outside, with what they need."""
        for module, units in self.space.parents.items():
            plan = next(
                (plan for plan in self.plans.values() if self._draws_on(plan, module)), None
            )
            if plan is None:
                continue
            for unit in units.units:
                if not unit.mentions.acts or unit.kind not in ("effect", "block"):
                    continue
                if unit in plan.seen or _is_main(unit) or _is_tidying(unit):
                    continue
                changed = {Target("copy", module, name) for name in unit.mentions.changed}
                if changed and changed <= self.space.kept.keys():
                    continue  # done to what is imported from there
                missing = self._missing_classes(unit, plan)
                if missing:
                    self.warnings.append(
                        f"warning: {units.source.path}:{unit.line}: this statement is not carried "
                        f"into the model: {', '.join(missing)} is no part of it"
                    )
                    continue
                item = self._copied(unit, {})
                self.need(item.now | item.called | item.later, plan, module)
                plan.insert(item)
                plan.seen.add(unit)

    def _draws_on(self, plan: Plan, module: str) -> bool:
        folded = any(
            fold.module == module and self.file_type(unit.name) == plan.kind
            for unit, fold in self.folds.items()
        )
        return folded or any(target.module == module for target in plan.placed)

    def _missing_classes(self, unit: Unit, plan: Plan) -> list[str]:
        """Classes and variables that a statement acts on, of those that no class of the file needs."""
        module = self.module(unit.module)
        acted_on = (unit.mentions.of("now") | unit.mentions.changed) & module.binders.keys()
        missing = []
        for name in sorted(acted_on):
            target = self.space.resolve(next(iter(self.spelled(unit.module, [name]))))
            if target is None or target in plan.placed or module.kind_of(name) == "function":
                continue
            if target.kind == "own" or (
                name not in module.classes and name not in unit.mentions.changed
            ):
                continue
            missing.append(name)
        return missing


def scan_text(text: str, lazy: bool) -> Mentions:
    """The mentions in the text of one statement."""
    return scan(ast.parse(text).body, LineMap(text), lex(text).code, lazy)


def _imports(unit: Unit) -> bool:
    return any(
        isinstance(node, (ast.Import, ast.ImportFrom))
        for outer in unit.nodes
        for node in ast.walk(outer)
    )


def _is_tidying(unit: Unit) -> bool:
    """Whether a parent's statement only removes names of its own module, which may not be here."""
    return all(isinstance(node, ast.Delete) for node in unit.nodes)


def _is_main(unit: Unit) -> bool:
    """Whether a statement runs only when the module is the program."""
    node = unit.nodes[0]
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
