"""What each name of the generated files denotes: something of the definition, of a parent, an import.

A parent's names get their new spelling. Where two different things would share one name, code that
means the second one carries a mark in its place until it is known which of them are needed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from codegen.expansion.link.naming import Naming
from codegen.expansion.link.units import ModuleUnits, Unit, statements_of
from codegen.trees.conventions import resolve_relative
from codegen.trees.names import FILE_TYPES

_MARK = re.compile(r"_(see|say|quote)(\d+)_(?=[^\W\d])")


@dataclass(frozen=True, slots=True)
class Target:
    """What a name denotes. ``kind``: ``own`` (the definition's), ``copy`` (a parent's, placed in the
    file), ``neighbour`` (from another file of the parent's model), or ``import``.

    ``module`` is that of the parent ("" for the definition), ``name`` the name there.
    """

    kind: str
    module: str
    name: str


@dataclass
class Namespace:
    """The names of one expansion.

    ``names`` says what a name in generated code denotes, ``renamed`` how each parent's names are
    spelled there, ``targets`` what the numbers in marks stand for, ``plain`` their plain spelling.
    """

    definition: ModuleUnits
    parents: Mapping[str, ModuleUnits]
    namings: Mapping[str, Naming]
    #: Names of the definition that denote functions and variables of parents.
    joined: Mapping[str, Target]
    names: dict[str, Target] = field(default_factory=dict)
    renamed: dict[str, dict[str, str]] = field(default_factory=dict)
    targets: list[tuple[Target, str]] = field(default_factory=list)
    #: What a parent has in common with the definition or with an earlier parent: its name there.
    shared: dict[str, dict[Target, str]] = field(default_factory=dict)
    #: Names that the definition imports from parents, and the dotted name of its generated files.
    parental: frozenset[str] = frozenset()
    home: str = ""
    #: Variables of parents that stay imports for everything, with the definition's name for each.
    kept: Mapping[Target, str] = field(default_factory=dict)
    #: The parent's module and class that each folded class of the definition inherits from.
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def resolve(self, name: str) -> Target | None:
        """What a name in generated code denotes, marks included; None for builtins and unknowns."""
        mark = _MARK.match(name)
        if mark:
            return self.targets[int(mark[2])][0]
        return self.names.get(name)

    def mark(self, target: Target, plain: str, kind: str = "see") -> str:
        """A stand-in for the name of ``target``, in code that needs it (``see``), in a string that
        is a name (``quote``), or in a docstring or comment (``say``)."""
        entry = (target, plain)
        if entry not in self.targets:
            self.targets.append(entry)
        return f"_{kind}{self.targets.index(entry)}_{plain}"


def marks_in(text: str) -> Iterator[tuple[str, int]]:
    """The marks in a text: their kinds and numbers."""
    for match in _MARK.finditer(text):
        yield match[1], int(match[2])


def without_marks(text: str, spelled: Mapping[tuple[str, int], str]) -> str:
    """The text with the final names in place of the marks."""
    pattern = re.compile(_MARK.pattern.replace("(?=[^\\W\\d])", "\\w+"))
    return pattern.sub(lambda match: spelled[match[1], int(match[2])], text)


def build_namespace(
    definition: ModuleUnits,
    parents: Mapping[str, ModuleUnits],
    namings: Mapping[str, Naming],
    joined: Mapping[str, Target],
    kept: Mapping[Target, str],
    parental: frozenset[str],
    home: str,
    pairs: Mapping[str, tuple[str, str]],
) -> Namespace:
    """Decide what every name denotes.

    ``joined`` are functions and variables that the definition imports from parents, ``kept`` those
    of which there is one for both, ``parental`` all names that it imports from them, ``home`` the
    module of the generated file, ``pairs`` what its folded classes inherit from.
    """
    space = Namespace(
        definition, parents, namings, joined, parental=parental, home=home, kept=kept, pairs=pairs
    )
    for name in definition.binders:
        space.names[name] = Target("own", "", name)
    for name in definition.imported:
        if name not in definition.binders:
            space.names[name] = joined.get(name) or Target("import", "", name)
    taken = {target: name for name, target in joined.items()}
    for module, units in parents.items():
        _Renamer(space, module, units, taken).run()
    return space


class _Renamer:
    """Enters the names of one parent."""

    def __init__(
        self,
        space: Namespace,
        module: str,
        units: ModuleUnits,
        taken: Mapping[Target, str],
    ) -> None:
        self.space, self.module, self.units, self.taken = space, module, units, taken
        self.naming = space.namings[module]
        self.neighbours = frozenset(_neighbours(units))
        self.map: dict[str, str] = {}

    def run(self) -> None:
        """Fill ``renamed`` and ``names`` for the module."""
        self.space.renamed[self.module] = self.map
        for name in self.units.binders:
            target = Target("copy", self.module, name)
            new = name if self._is_fixed(name) else self.naming.name(name)
            if name in self.units.classes and self._has_role(name, new):
                self.map[name] = new
                continue
            if target in self.space.kept:
                self.map[name] = self.space.kept[target]
                continue
            if target in self.taken:
                self._enter(name, self.taken[target], target)
                continue
            self._enter(name, new, target)
        for name in self.units.imported:
            if name in self.units.binders:
                continue
            if name in self.neighbours:
                self._neighbour(name)
            else:
                self._import(name)

    def _is_fixed(self, name: str) -> bool:
        """Whether a name is bound by something else than a definition or a plain assignment."""
        return any(unit.kind == "block" for unit in self.units.binders[name])

    def _has_role(self, name: str, new: str) -> bool:
        """Whether the definition has its own class in place of a parent's class."""
        if new in self.space.definition.classes:
            module, parent = self.space.pairs.get(new, ("", ""))
            # class PebbleLayer(StoneStack), where StoneStack is a StoneLayer or is made of such: no
            # class is above itself, nor a part of itself.
            if module != self.module or name == parent:
                return True
            return name not in _above_and_within(parent, self.units)
        known = self.space.names.get(new)
        imported = known is not None and known.kind == "import" and not known.module
        return imported and new != name and new not in self.space.parental

    def _enter(self, name: str, new: str, target: Target) -> None:
        """Let ``target`` be called ``new``, or mark it where that name denotes something else."""
        known = self.space.names.get(new)
        if known is None or known == target:
            self.space.names[new] = target
            self.map[name] = new
            return
        if self._is_same(target, known):
            self.map[name] = new
            self.space.shared.setdefault(self.module, {})[known] = name
            return
        self.map[name] = self.space.mark(target, new)

    def _neighbour(self, name: str) -> None:
        new = self.naming.name(name)
        known = self.space.names.get(new)
        if new in self.space.definition.classes or (known and known.kind in ("own", "import")):
            self.map[name] = new
            return
        target = Target("neighbour", self.module, name)
        self.map[name] = self.space.mark(target, new)
        self.space.names.setdefault(new, target)

    def _import(self, name: str) -> None:
        new = self.naming.name(name)
        if new != name and name[0].isupper() and self._has_role(name, new):
            # from lib import StoneConfig          in the parent
            # from lib import PebbleConfig         in the definition, which has its own
            self.map[name] = new
            return
        target = Target("import", self.module, name)
        known = self.space.names.get(name)
        if known is None:
            self.space.names[name] = target
        elif not (known.kind == "import" and self._same_import(target, known)):
            self.map[name] = self.space.mark(target, name)

    # -- equality ----------------------------------------------------------------------------

    def _same_import(self, one: Target, other: Target) -> bool:
        first, second = (_origin(self.space, target) for target in (one, other))
        return first == second or _is_reexport(first, second)

    def _is_same(self, one: Target, other: Target) -> bool:
        """Whether two names of different modules denote equal code that uses equal things."""
        return _Comparison(self.space).equal(one, other)


def _above_and_within(name: str, units: ModuleUnits) -> set[str]:
    """The classes of a module that one of its classes is a kind of, or uses, all the way down.

    To be asked for in ``isinstance`` is no use.
    """
    found: set[str] = set()
    queue = [name]
    while queue:
        nodes = [node for unit in units.binders[queue.pop()] for node in unit.nodes]
        used = {each for node in nodes for each in _used_names(node)} & units.binders.keys()
        queue += used - found
        found |= used
    return found & units.classes


def _used_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
        return
    for child in ast.iter_child_nodes(node):
        yield from _used_names(child)


class _Comparison:
    """Compares definitions of two modules with everything that they use."""

    def __init__(self, space: Namespace) -> None:
        self.space = space
        self.assumed: set[tuple[Target, Target]] = set()

    def equal(self, one: Target, other: Target) -> bool:
        """Whether both mean the same; cycles are equal if nothing in them differs."""
        if one == other or (one, other) in self.assumed:
            return True
        if "import" in (one.kind, other.kind) or "neighbour" in (one.kind, other.kind):
            if one.kind != other.kind:
                return False
            first, second = _origin(self.space, one), _origin(self.space, other)
            return first == second or _is_reexport(first, second)
        self.assumed.add((one, other))
        left, right = self._units(one), self._units(other)
        if [unit.kind for unit in left] != [unit.kind for unit in right]:
            return False
        return all(map(self._equal_units, left, right))

    def _module(self, module: str) -> ModuleUnits:
        return self.space.parents[module] if module else self.space.definition

    def _units(self, target: Target) -> list[Unit]:
        units = self._module(target.module)
        riders = [unit for unit, names in units.riders.items() if target.name in names]
        bound = list(units.binders.get(target.name, ()))
        return sorted({*bound, *riders}, key=lambda unit: unit.index)

    def _equal_units(self, one: Unit, other: Unit) -> bool:
        if _spoken_text(self._module(one.module), one, self.space) != _spoken_text(
            self._module(other.module), other, self.space
        ):
            return False
        mine, theirs = one.mentions.names, other.mentions.names
        if len(mine) != len(theirs):
            return False
        for left, right in zip(mine, theirs):
            first, second = (
                self._target(one.module, left.name),
                self._target(other.module, right.name),
            )
            if first is None or second is None:
                if first is not second or left.name != right.name:
                    return False
            elif not self.equal(first, second):
                return False
        return True

    def _target(self, module: str, name: str) -> Target | None:
        units = self._module(module)
        if not module and name in self.space.names:
            return self.space.names[name]
        if name in units.binders:
            return Target("copy" if module else "own", module, name)
        return Target("import", module, name) if name in units.imported else None


def _spoken_text(units: ModuleUnits, unit: Unit, space: Namespace) -> str:
    """The code of a unit with the parent's names under their new spelling."""
    naming = space.namings.get(unit.module)
    text, done = units.source.text, unit.lead_end
    pieces = []
    for mention in unit.mentions.names:
        pieces.append(text[done : mention.start])
        pieces.append(naming.name(mention.name) if naming else mention.name)
        done = mention.end
    pieces.append(text[done : unit.end])
    return "".join(pieces)


def _neighbours(units: ModuleUnits) -> Iterator[str]:
    """Names that a parent imports from another generated file of its model."""
    for unit in units.units:
        for statement in statements_of(unit.entries):
            module = statement.module or ""
            if module.count(".") == 1 and module[1:].startswith(FILE_TYPES):
                yield from (name.bound for name in statement.names)


def _origin(space: Namespace, target: Target) -> str:
    """Absolute dotted path of what an import binds."""
    units = space.parents[target.module] if target.module else space.definition
    statement, entry = units.imported[target.name]
    if statement.module is None:
        return entry.name if entry.alias else entry.name.split(".")[0]
    module = statement.module
    if module.startswith("."):
        module = resolve_relative(module, target.module or space.home)
    return f"{module}.{entry.name}"


def _is_reexport(one: str, other: str) -> bool:
    """Whether two paths end in one name, and one comes from a package around the other's module."""
    (first, _, name), (second, _, same) = one.rpartition("."), other.rpartition(".")
    if name != same or not first or not second:
        return False
    return f"{first}.".startswith(f"{second}.") or f"{second}.".startswith(f"{first}.")
