"""What the code of one placeholder needs from the method around it, and how a method of its own gets it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.tokens.replacing import last_value
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import expression

_BUILTINS = frozenset(dir(builtins))
_PURE_CALLS = frozenset({"int", "len", "float", "round", "max", "min", "abs", "getattr", "range"})


class Unmovable(Exception):
    """Why the code of a placeholder cannot stand in a method of its own."""


@dataclass
class Needs:
    """Lines that give names their values again, entries that are handed over, and the output they are in."""

    lines: list[str] = field(default_factory=list)
    entries: dict[str, str] = field(default_factory=dict)
    source: str = ""
    known: set[str] = field(default_factory=set)


def free_names(statements: Sequence[ast.stmt], value: ast.expr) -> Iterator[str]:
    """Names that are read before they are given a value there, in order."""
    stored: set[str] = set()
    seen: set[str] = set()
    for node in (*statements, value):
        inner = {n.id for n in walk(node) if isinstance(n, ast.Name) and _is_local(n, node)}
        for name in walk(node):
            if not isinstance(name, ast.Name) or not isinstance(name.ctx, ast.Load):
                continue
            if name.id not in stored | seen | inner:
                seen.add(name.id)
                yield name.id
        added_to = node.target if isinstance(node, ast.AugAssign) else None
        if isinstance(added_to, ast.Name) and added_to.id not in stored | seen:
            seen.add(added_to.id)
            yield added_to.id
        stored |= {n.id for n in walk(node) if isinstance(n, ast.Name) and _stores(n)}


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _is_local(name: ast.Name, root: ast.AST) -> bool:
    """Targets of loops and comprehensions inside a node, and of assignments below its head."""
    return (
        _stores(name)
        and isinstance(root, (ast.For, ast.If, ast.While, ast.expr, ast.Assign))
        and not any(name is n for target in getattr(root, "targets", ()) for n in walk(target))
    )


def gather(
    info: ModuleInfo, function: Function, site: Site, names: Sequence[str], inputs: str
) -> Needs:
    """What has to be handed to a method that holds the code of a placeholder.

    Args:
        info: the file.
        function: the method that the code stands in.
        site: where in it.
        names: that the code reads.
        inputs: the parameter that holds what the processor of the items returned.
    """
    needs = Needs()
    for name in names:
        _provide(info, function, site, name, inputs, needs)
    return needs


def _provide(
    info: ModuleInfo, function: Function, site: Site, name: str, inputs: str, needs: Needs
) -> None:
    if name in needs.known or name == "self" or name in info.names or name in _BUILTINS:
        return
    needs.known.add(name)
    value = last_value(function, name, site.start)
    if value is not None:
        value = bare(value)
    found = output_entry(function, value, site) if value is not None else None
    if found is not None:
        source, key, popped = found
        if needs.source in ("", source):
            needs.source = source
            if popped:
                needs.entries[key] = name
            needs.lines.append(f'{name} = {inputs}["{key}"]')
            return
    if value is not None and not _changed(function, name) and _follows(info, function, value, site):
        for inner in free_names((), value):
            _provide(info, function, site, inner, inputs, needs)
        needs.lines.append(f"{name} = {expression(info, value)}")
        return
    needs.entries[name] = name
    needs.lines.append(f'{name} = {inputs}["{name}"]')


def bare(value: ast.expr) -> ast.expr:
    """What ``iter(value)`` goes through."""
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "iter" and value.args:
        return value.args[0]
    return value


def output_entry(function: Function, value: ast.expr, site: Site) -> tuple[str, str, bool] | None:
    """``(outputs, key, popped)`` of ``outputs[key]`` or ``outputs.pop(key)``, outputs being those of a part."""
    owner: ast.expr | None = None
    key: ast.expr | None = None
    popped = False
    if isinstance(value, ast.Subscript):
        owner, key = value.value, value.slice
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.args:
        if value.func.attr in ("pop", "get"):
            owner, key, popped = value.func.value, value.args[0], value.func.attr == "pop"
    elif isinstance(value, ast.Attribute):
        owner, key = value.value, ast.Constant(value.attr)
    if not isinstance(owner, ast.Name) or not isinstance(key, ast.Constant):
        return None
    made = _made_by_part(function, owner.id, site)
    return (owner.id, key.value, popped) if made and isinstance(key.value, str) else None


def _made_by_part(function: Function, name: str, site: Site) -> bool:
    """Tell whether a name is given the outputs of a processor of items, or nothing."""
    calls = 0
    for node in walk(function):
        if not isinstance(node, ast.Assign) or node.lineno >= site.start.lineno:
            continue
        if not any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            continue
        value = node.value
        if isinstance(value, ast.IfExp):
            value = value.body
        if isinstance(value, ast.Dict) and not value.keys:
            continue
        owner = value.func if isinstance(value, ast.Call) else None
        if not isinstance(owner, ast.Attribute) or ast.unparse(owner.value) != "self":
            return False
        calls += 1
    return calls == 1


def _changed(function: Function, name: str) -> bool:
    """Tell whether a name is given values at several places."""
    stores = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == name and _stores(n)]
    return len(stores) != 1


def _follows(
    info: ModuleInfo,
    function: Function,
    value: ast.expr,
    site: Site,
    seen: frozenset[str] = frozenset(),
) -> bool:
    """Tell whether an expression follows from the processor alone, and can be computed again."""
    for node in walk(value):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called not in _PURE_CALLS and not called.startswith("math."):
                return False
        if isinstance(node, (ast.List, ast.Dict, ast.Lambda, ast.ListComp, ast.GeneratorExp)):
            return False
    for name in free_names((), value):
        if name == "self" or name in info.names or name in _BUILTINS:
            continue
        inner = last_value(function, name, site.start)
        if inner is None or name in seen or _changed(function, name):
            return False
        if not _follows(info, function, inner, site, seen | {name}):
            return False
    return True
