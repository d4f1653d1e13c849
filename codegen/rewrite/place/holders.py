"""Attributes that hold modules of some classes, on their own or in a list or dict, and code that gives one of them.

    self.visual = TinyEncoder(config)                     getattr(self, name)    self.towers[kind]
    self.towers = nn.ModuleDict({"a": TinyEncoder(...)})  for tower in self.towers.values(): ...

Wider than what a rule may act on: who reads this only reports.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import glance, walk

_GIVING_ALL = frozenset(("children", "modules", "named_children", "named_modules"))
"""Methods of a module that give every module that it holds."""
_GIVING_ITEMS = frozenset(("get", "items", "pop", "values"))
"""Methods of a dict of modules that give one of them, or all."""
_PAIRED = frozenset(("items", "named_children", "named_modules"))
"""Methods that give names with the modules."""
_WALKING = frozenset(("dict", "enumerate", "iter", "list", "next", "reversed", "tuple", "zip"))
"""Functions whose results hold what they are given."""
_ADDING = frozenset(("add_module", "append", "extend", "insert", "register_module", "update"))
"""Methods that put a module into what they are called on."""
_RETURNING = re.compile(r"return (?:self\.|\(|[^\n]* (?:if|or) )")
"""What a method that returns a module is looked into for; a condition may stand in brackets."""
_BOUND = frozenset(("__call__", "forward"))


@dataclass(frozen=True)
class Held:
    """What an expression may give: modules of these classes, ``many`` in a list or dict."""

    classes: frozenset[str]
    many: bool = False


def classes_made(init: Function) -> frozenset[str]:
    """Names of everything that an ``__init__`` calls or mentions, classes among them."""
    return _mentioned(glance(init))


@lru_cache(maxsize=4096)
def _mentioned(init: Function) -> frozenset[str]:
    return frozenset(node.id for node in walk(init) if isinstance(node, ast.Name))


def key_of(cls: ClassInfo) -> str:
    """What tells a class from others of its name in other files."""
    return f"{cls.module.source.path}:{cls.name}"


def holders(index: Index, cls: ClassInfo, wanted: frozenset[str]) -> dict[str, Held]:
    """Attributes of a class that hold modules of the wanted classes (:func:`key_of`), by name.

    The name "" stands for modules that are put where the code does not say.
    """
    names = _names(wanted)
    found: dict[str, Held] = {}
    for owner in index.mro(cls):
        init = owner.methods.get("__init__")
        if init is None or names.isdisjoint(classes_made(init)):
            continue
        meant = _meant(index, owner, names & classes_made(init), wanted)
        for name, held in _held_by(init, frozenset(meant)) if meant else ():
            known = found.get(name, Held(frozenset()))
            keys = {meant[each] for each in held.classes}
            found[name] = Held(known.classes | keys, known.many or held.many)
    return found


@lru_cache(maxsize=64)
def _names(wanted: frozenset[str]) -> frozenset[str]:
    return frozenset(key.rpartition(":")[2] for key in wanted)


def _meant(
    index: Index, owner: ClassInfo, names: Iterable[str], wanted: frozenset[str]
) -> dict[str, str]:
    """The wanted classes that names of a file mean: another file may have classes of these names."""
    found = ((name, index.resolve(owner.module.source.module, name)) for name in names)
    return {name: key_of(cls) for name, cls in found if cls is not None and key_of(cls) in wanted}


def _held_by(init: Function, wanted: frozenset[str]) -> Iterator[tuple[str, Held]]:
    """What the statements of an ``__init__`` put where."""
    local: dict[str, frozenset[str]] = {}
    size = -1
    while size < sum(map(len, local.values())):  # a list may be filled behind what it is put into
        size = sum(map(len, local.values()))
        found = [*_put_by(init, wanted, local)]
    yield from found


def _put_by(
    init: Function, wanted: frozenset[str], local: dict[str, frozenset[str]]
) -> Iterator[tuple[str, Held]]:
    """The same, where local names hold modules of these classes; more of them are entered on the way."""
    for node in walk(init):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            made = _made(node.value, wanted, local)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets if made else ():
                if isinstance(target, ast.Name):
                    local[target.id] = local.get(target.id, frozenset()) | made
                    continue
                inside = isinstance(target, ast.Subscript)
                name = self_attribute(target.value if isinstance(target, ast.Subscript) else target)
                if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                    local[target.value.id] = local.get(target.value.id, frozenset()) | made
                if name:
                    yield name, Held(made, inside or not _is_one(node.value, wanted, local))
        elif isinstance(node, ast.Call):
            yield from _added(node, wanted, local)


def _added(
    call: ast.Call, wanted: frozenset[str], local: dict[str, frozenset[str]]
) -> Iterator[tuple[str, Held]]:
    """What ``self.towers.append(...)``, ``self.add_module(...)`` and ``setattr(self, ...)`` put where."""
    called = call.func
    is_set = getattr(called, "id", "") == "setattr"
    if not is_set and getattr(called, "attr", "") not in _ADDING:
        return
    made = frozenset[str]().union(*(_made(value, wanted, local) for value in call.args))
    if not made:
        return
    if isinstance(called, ast.Attribute) and self_attribute(called.value):
        yield self_attribute(called.value), Held(made, True)
    elif isinstance(called, ast.Attribute) and getattr(called.value, "id", "") != "self":
        name = getattr(called.value, "id", "")
        local[name] = local.get(name, frozenset()) | made
    else:
        keys = call.args[1:2] if is_set else call.args[:1]
        key = next((k.value for k in keys if isinstance(k, ast.Constant)), "")
        yield str(key), Held(made)


def _made(
    value: ast.expr, wanted: frozenset[str], local: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """The wanted classes of which an expression may hold modules."""
    found = frozenset[str]()
    for node in walk(value):
        if isinstance(node, ast.Name):
            found |= {node.id} & wanted | local.get(node.id, frozenset())
    return found


def _is_one(value: ast.expr, wanted: frozenset[str], local: Mapping[str, frozenset[str]]) -> bool:
    """Tell whether an expression gives a module itself, and not a list or dict of some."""
    if isinstance(value, ast.IfExp):
        return any(_is_one(side, wanted, local) for side in (value.body, value.orelse))
    called = value.func if isinstance(value, ast.Call) else None
    if isinstance(called, ast.Attribute) and called.attr in ("_from_config", "from_config"):
        called = called.value
    return getattr(called, "id", "") in wanted


class Giving:
    """What expressions of one method give, of the modules that its class holds."""

    def __init__(
        self, index: Index, cls: ClassInfo, wanted: frozenset[str], depth: int = 0
    ) -> None:
        self._index = index
        self._cls = cls
        self._wanted = wanted
        self._depth = depth
        self._held = holders(index, cls, wanted)
        self._local: dict[str, Held] = {}

    @property
    def attributes(self) -> Mapping[str, Held]:
        """What the attributes of the class hold."""
        return self._held

    def words(self) -> set[str]:
        """Names of attributes, properties and methods that give such a module."""
        found = {name for name in self._held if name}
        for owner in self._index.mro(self._cls):
            for name, function in owner.methods.items():
                segment = owner.module.segment(function)
                if _RETURNING.search(segment) and self._returned_by(function):
                    found.add(name)
        return found

    def read(self, function: Function) -> None:
        """Find the local names of a method that may be modules."""
        self._local = {}
        size = -1
        while size < len(self._local):
            size = len(self._local)
            for node in walk(function):
                if isinstance(node, (ast.For, ast.comprehension)):
                    self._bind_items(node.target, node.iter)
                elif isinstance(node, ast.Assign):
                    for target in node.targets:
                        self._bind(target, self.of(node.value))
                elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                    self._bind(node.target, self.of(node.value))

    def _bind(self, target: ast.expr, held: Held | None) -> None:
        if held is None:
            return
        for node in walk(target):
            if isinstance(node, ast.Name):
                known = self._local.get(node.id, held)
                self._local[node.id] = Held(known.classes | held.classes, held.many)

    def _bind_items(self, target: ast.expr, iterated: ast.expr) -> None:
        """What a loop takes out of what it goes over; of what goes side by side each its own."""
        name = getattr(iterated.func, "id", "") if isinstance(iterated, ast.Call) else ""
        if isinstance(target, ast.Tuple) and isinstance(iterated, ast.Call):
            if name == "zip" and len(target.elts) == len(iterated.args):
                for part, given in zip(target.elts, iterated.args):
                    self._bind_items(part, given)
                return
            if name == "enumerate" and iterated.args and len(target.elts) == 2:
                self._bind_items(target.elts[1], iterated.args[0])
                return
            called = iterated.func
            if getattr(called, "attr", "") in _PAIRED and len(target.elts) == 2:
                self._bind(target.elts[1], self._items(iterated))
                return
        self._bind(target, self._items(iterated))

    def _items(self, iterated: ast.expr) -> Held | None:
        """One of what a loop goes over."""
        held = self.of(iterated)
        return Held(held.classes) if held is not None and held.many else None

    def of(self, node: ast.expr) -> Held | None:
        """What an expression may give; None for anything but modules of the wanted classes."""
        if isinstance(node, ast.Name):
            return self._local.get(node.id)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            held = self.of(node.value)
            return Held(held.classes) if held is not None and held.many else None
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.IfExp):
            return _either(map(self.of, (node.body, node.orelse)))
        if isinstance(node, ast.NamedExpr):
            return self.of(node.value)
        if isinstance(node, ast.BoolOp):
            return _either(map(self.of, node.values))
        if isinstance(node, (ast.Tuple, ast.List)):
            held = _either(map(self.of, node.elts))
            return Held(held.classes, True) if held is not None else None
        if isinstance(node, ast.Dict):
            held = _either(map(self.of, node.values))
            return Held(held.classes, True) if held is not None else None
        return None

    def _attribute(self, node: ast.Attribute) -> Held | None:
        name = self_attribute(node)
        if name == "_modules":
            return self._all()
        if name:
            return self._held.get(name) or self._returned(name, "property")
        if node.attr in _BOUND:
            held = self.of(node.value)
            return held if held is not None and not held.many else None
        # ``self.model.visual``: of another module that this one holds.
        inner = self_attribute(node.value)
        held_class = self._index.submodule(self._cls, inner) if inner else None
        if held_class is None or self._depth:
            return None
        return holders(self._index, held_class, self._wanted).get(node.attr)

    def _called(self, node: ast.Call) -> Held | None:
        called = node.func
        if isinstance(called, ast.Name):
            if called.id == "getattr" and len(node.args) > 1:
                return self._by_name(node.args[0], node.args[1])
            if called.id in _WALKING:
                held = _either(map(self.of, node.args))
                return Held(held.classes, called.id != "next") if held is not None else None
        name = self_attribute(called)
        if name in _GIVING_ALL:
            return self._all()
        if name == "get_submodule" and node.args:
            return self._by_name(called.value, node.args[0])  # type: ignore[attr-defined]
        if name:
            return self._returned(name)
        if isinstance(called, ast.Attribute) and called.attr in _GIVING_ITEMS:
            held = self.of(called.value)
            many = called.attr in ("items", "values")
            return Held(held.classes, many) if held is not None and held.many else None
        if ast.unparse(called).rpartition(".")[2] == "partial" and node.args:
            return self.of(node.args[0])
        return None

    def _all(self) -> Held | None:
        held = _either(self._held.values())
        return Held(held.classes, True) if held is not None else None

    def _by_name(self, this: ast.expr, key: ast.expr) -> Held | None:
        """What ``getattr(self, key)`` gives: where the name is not known, any of the modules."""
        if getattr(this, "id", "") != "self":
            return None
        if isinstance(key, ast.Constant):
            return self._held.get(str(key.value))
        single = [held for held in self._held.values() if not held.many]
        return _either(single or self._held.values())

    def _returned(self, name: str, decorator: str = "") -> Held | None:
        """What an own method gives that returns one of the modules, or a property, with its decorator."""
        method = self._index.method(self._cls, name) if not self._depth else None
        if method is None:
            return None
        decorators = [getattr(node, "id", "") for node in method[1].decorator_list]
        if ("property" in decorators) != bool(decorator):
            return None
        return self._returned_by(method[1])

    def _returned_by(self, function: Function) -> Held | None:
        returned = [n.value for n in walk(function) if isinstance(n, ast.Return) and n.value]
        parts = [part for value in returned for part in _alternatives(value)]
        if not any(isinstance(part, (ast.Attribute, ast.Subscript)) for part in parts):
            return None
        inner = Giving(self._index, self._cls, self._wanted, 1)
        return _either(map(inner.of, returned))


def _alternatives(value: ast.expr) -> Iterator[ast.expr]:
    """What an expression may give: either side of a condition, else itself."""
    sides = [value.body, value.orelse] if isinstance(value, ast.IfExp) else []
    sides += value.values if isinstance(value, ast.BoolOp) else []
    for side in sides:
        yield from _alternatives(side)
    if not sides:
        yield value


def _either(held: Iterable[Held | None]) -> Held | None:
    known = [item for item in held if item is not None]
    if not known:
        return None
    classes = frozenset[str]().union(*(item.classes for item in known))
    return Held(classes, any(item.many for item in known))
