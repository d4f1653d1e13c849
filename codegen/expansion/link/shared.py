"""What two generated files of a model have in common and may change: one of them has it.

A definition is one module, its files are several. Constants and functions are written into every
file that needs them; of something that can change, or is known by its identity, there is one, and
the other files import it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, permutations

from codegen.errors import fail
from codegen.expansion.link.linker import Linker, Plan
from codegen.expansion.link.namespace import Target
from codegen.expansion.link.order import Placed
from codegen.expansion.link.units import ModuleUnits, Unit
from codegen.text.classes import last_name

#: Calls that give the same value, or an equal one that nothing can change, in every file.
_CONSTANT_CALLS = frozenset(
    {"int", "float", "str", "bool", "bytes", "tuple", "frozenset", "range", "len", "min", "max"}
    | {"sum", "abs", "round", "compile", "Path", "Decimal", "Fraction", "getenv", "partial"}
    | {"TypeVar", "ParamSpec", "TypeVarTuple", "NewType", "TypedDict", "NamedTuple", "namedtuple"}
    | {"getLogger", "get_logger", "device", "finfo", "iinfo", "version", "parse", "itemgetter"}
)
_CACHING = frozenset({"lru_cache", "cache", "singledispatch"})
#: These kinds of files need more than the others, and import them rather than the other way.
_LAST = ("image_processing", "video_processing", "processing", "modeling")
_MOST_ORDERS = 120

Key = tuple[str, int]


def share_state(linker: Linker) -> None:
    """Leave what can change in one file of those that need it, and let the others import it.

    Raises CodegenError where that would make files import each other, or where a name is bound anew
    while the program runs, which an import does not see.
    """
    plans = list(linker.plans.values())
    if len(plans) < 2:
        return
    shared = _Shared(linker, plans)
    if not shared.keys:
        return
    first = [plan for plan in plans if plan.kind not in _LAST]
    last = [plan for kind in _LAST for plan in plans if plan.kind == kind]
    involved = [plan for plan in (*first, *last) if shared.items_in(plan)]
    rest = [plan for plan in plans if plan not in involved]
    for order in islice(permutations(involved), _MOST_ORDERS):
        if not _circle([*order, *rest], shared):
            shared.settle(order)
            return
    raise shared.refused(involved, "each would have to import the other")


class _Shared:
    """The statements of which there has to be one, by module and index, and where they stand."""

    def __init__(self, linker: Linker, plans: Sequence[Plan]) -> None:
        self.linker, self.plans = linker, plans
        self.keys = self._close(set(self._found()))

    def _found(self) -> Iterator[Key]:
        for module in ("", *self.linker.space.parents):
            units = self.linker.module(module)
            rebound, changed = _rebound(units), _changed(units)
            for unit in units.units:
                if unit.kind in ("class", "import", "exports", "text"):
                    continue
                if unit.kind == "function":
                    one = bool(unit.binds & changed) or _declares(unit, rebound)
                    one = one or any(map(_remembers, unit.nodes))
                else:
                    one = bool(unit.binds) and _is_state(unit, rebound | changed)
                if one and self._count(unit) > 1:
                    yield unit.module, unit.index

    def _count(self, unit: Unit) -> int:
        return sum(
            any((item.module, item.index) == (unit.module, unit.index) for item in plan.items)
            for plan in self.plans
        )

    def _close(self, keys: set[Key]) -> set[Key]:
        """With every statement all that bind or change what it binds and changes."""
        while True:
            more = set()
            for module, index in keys:
                units = self.linker.module(module)
                unit = units.units[_position(units, index)]
                for name in unit.binds | units.riders.get(unit, frozenset()):
                    for other in self.linker.units_of(Target("own", module, name)):
                        if other.kind != "class" and self._count(other) > 1:
                            more.add((other.module, other.index))
            if more <= keys:
                return keys
            keys |= more

    def items_in(self, plan: Plan) -> list[Placed]:
        """The shared statements that stand in a file."""
        return [item for item in plan.items if (item.module, item.index) in self.keys]

    def homes(self, order: Sequence[Plan]) -> dict[Key, Plan]:
        """The file that has each shared statement: the first that needs it."""
        found: dict[Key, Plan] = {}
        for plan in order:
            for item in self.items_in(plan):
                found.setdefault((item.module, item.index), plan)
        return found

    def settle(self, order: Sequence[Plan]) -> None:
        """Take the statements out of all files but one, and import there what they bind."""
        homes = self.homes(order)
        for plan in order:
            away = [i for i in self.items_in(plan) if homes[i.module, i.index] is not plan]
            plan.items = [item for item in plan.items if item not in away]
            for item in away:
                for name in item.binds:
                    plan.elsewhere[name] = homes[item.module, item.index].kind
                self._check_rebound(item, plan)

    def _check_rebound(self, item: Placed, plan: Plan) -> None:
        """What a function binds anew must be read where the function stands."""
        rebound = self.linker.spelled(item.module, _rebound(self.linker.module(item.module)))
        for name in item.binds & rebound if item.kind != "function" else ():
            if any(name in other.now | other.later | other.called for other in plan.items):
                raise self.refused([plan], "a function binds it anew", item)

    def refused(self, plans: Sequence[Plan], why: str, item: Placed | None = None) -> Exception:
        """The error about a variable that cannot be in one file."""
        found = item or next(each for each in self.items_in(plans[0]) if each.kind != "function")
        key = found.module, found.index
        kinds = [
            plan.kind for plan in self.plans if any((i.module, i.index) == key for i in plan.items)
        ]
        kinds += [plan.kind for plan in plans if plan.kind not in kinds]
        place, _, line = self.linker.place_of(found).rpartition(":")
        return fail(
            "shared-state",
            f"{found.name} can change, and is needed in several files "
            f"({', '.join(kinds)}), but {why}",
            place or self.linker.path,
            int(line) if line.isdigit() else 0,
            "keep it on a class, or in a module of its own that the definition imports",
        )


def _circle(order: Sequence[Plan], shared: _Shared) -> bool:
    """Whether files would import each other if the first that needs something has it."""
    homes = shared.homes(order)
    edges: dict[str, set[str]] = {}
    for plan in order:
        standing = []
        targets = edges.setdefault(plan.kind, set())
        for item in plan.items:
            home = homes.get((item.module, item.index), plan)
            if home is plan:
                standing.append(item)
            else:
                targets.add(home.kind)
        read = {name for item in standing for name in item.now | item.later | item.called}
        targets |= {kind for name, kind in plan.elsewhere.items() if name in read}
    return any(kind in _reached(edges, kind) for kind in edges)


def _reached(edges: Mapping[str, Collection[str]], start: str) -> set[str]:
    found: set[str] = set()
    queue = list(edges.get(start, ()))
    while queue:
        kind = queue.pop()
        if kind not in found:
            found.add(kind)
            queue += edges.get(kind, ())
    return found


def _position(units: ModuleUnits, index: int) -> int:
    return next(place for place, unit in enumerate(units.units) if unit.index == index)


def _rebound(units: ModuleUnits) -> frozenset[str]:
    """Names of the module that functions bind anew."""
    return frozenset(
        name
        for unit in units.units
        for outer in unit.nodes
        for node in ast.walk(outer)
        if isinstance(node, ast.Global)
        for name in node.names
    )


def _changed(units: ModuleUnits) -> frozenset[str]:
    return frozenset(
        name for unit in units.units for name in unit.mentions.changed | unit.mentions.changed_later
    )


def _declares(unit: Unit, names: Collection[str]) -> bool:
    """Whether a function binds one of the names, which are the module's."""
    return any(
        isinstance(node, ast.Global) and set(node.names) & set(names)
        for outer in unit.nodes
        for node in ast.walk(outer)
    )


def _remembers(node: ast.stmt) -> bool:
    """Whether a function keeps something from call to call: its results, or a default it may change."""
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    caching = {last_name(each) for each in node.decorator_list} & _CACHING
    defaults = (*node.args.defaults, *filter(None, node.args.kw_defaults))
    return bool(caching) or not all(map(_is_constant, defaults))


def _is_state(unit: Unit, changing: Collection[str]) -> bool:
    """Whether a statement binds something that can change, or that is known by its identity."""
    if unit.binds & set(changing):
        return True
    return not all(
        isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign))
        and (node.value is None or _is_constant(node.value))
        for node in unit.nodes
    )


def _is_constant(node: ast.expr) -> bool:
    """Whether an expression gives something that cannot change and is equal in every file."""
    if isinstance(node, (ast.Constant, ast.Name, ast.Attribute, ast.Lambda, ast.JoinedStr)):
        return True
    if isinstance(node, ast.Call):
        if any(isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(node)):
            return True  # each file has a logger of its own
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        return name in _CONSTANT_CALLS or name.endswith("_available")
    if isinstance(node, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)):
        return False
    if isinstance(node, (ast.GeneratorExp, ast.NamedExpr, ast.Await)):
        return False
    inner = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return all(map(_is_constant, inner))
