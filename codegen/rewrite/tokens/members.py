"""What attributes of the processor, of terms and of plain values are in a run."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from codegen.rewrite.tokens import operators, whole
from codegen.rewrite.tokens.scopes import Closure, Instance, Native, Raised, native
from codegen.rewrite.tokens.terms import GONE, Term, Unsupported, term

if TYPE_CHECKING:
    from codegen.rewrite.tokens.machine import Machine

_ABSENT = object()


def attribute(machine: Machine, owner: Any, name: str) -> Any:
    """``owner.name``."""
    if isinstance(owner, Instance):
        return _own(machine, owner, name)
    if owner is None:
        raise Raised("AttributeError")
    if isinstance(owner, str) and name == "content":
        return owner  # of an added token
    if isinstance(owner, Term):
        if name.endswith("_token"):
            return operators.named(name)
        return Native(name, owner)
    if isinstance(owner, Native) and owner.owner is None:
        return native(f"{owner.name}.{name}")
    return Native(name, owner)


def _own(machine: Machine, owner: Instance, name: str) -> Any:
    """An attribute of the processor: a value, or a method of its class."""
    value = owner.attributes.get(name, _ABSENT)
    if value is GONE:
        raise Raised("AttributeError")
    if value is not _ABSENT:
        return _part(machine, name, value)
    found = machine.subject.method(name)
    if found is None:
        if name == "get_text_with_replacements":
            return Native(name, owner)
        if machine.whole and (given := whole.class_value(machine, name)) is not None:
            return given
        plain = operators.named(name) if name.endswith("_token") else term("self", name)
        return _part(machine, name, owner.attributes.setdefault(name, plain))
    if not found.decorator_list:
        return Closure(found, owner=owner)
    kinds = {
        item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "")
        for item in found.decorator_list
    }
    if kinds & {"property", "cached_property"}:
        return machine.call(Closure(found, owner=owner), (), {})
    if "classmethod" in kinds:
        raise Unsupported("a class method")
    return Closure(found, owner=None if "staticmethod" in kinds else owner)


def _part(machine: Machine, name: str, value: Any) -> Any:
    """An attribute of the processor, which may be one of the parts that it is made of."""
    if value.__class__ is Term:
        machine.components[value.digest] = name
    return value


def settled(machine: Machine, value: Any) -> Any:
    """An attribute that nobody calls: of a term it is a term."""
    if isinstance(value, Native) and isinstance(value.owner, Term):
        return machine.world.entry(value.owner, value.name)
    if isinstance(value, Native) and isinstance(value.owner, re.Match):
        return getattr(value.owner, value.name)
    return value
