"""Values, functions and classes as plain data that two processes can compare.

Every value becomes nested lists that JSON can hold. A class of the model's own is given with two
names: the one it has, and the one of the role it plays (a parent's ``StoneNorm`` is the
``PebbleNorm`` of a definition that folds ``StoneBlock``).
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import logging
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codegen.verify.definitions.networks import describe_torch, is_network

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_DEPTH = 6
#: What every class has and nobody wrote.
_IMPLICIT = frozenset(
    {
        *("__module__", "__dict__", "__weakref__", "__doc__", "__qualname__", "__annotations__"),
        *("__orig_bases__", "__parameters__", "__type_params__", "__match_args__", "__replace__"),
        *("__abstractmethods__", "_abc_impl", "__firstlineno__", "__static_attributes__"),
        *("__dataclass_fields__", "__dataclass_params__", "__annotate__", "__annotate_func__"),
        *("__annotations_cache__", "__conditional_annotations__"),
    }
)


#: What stands in a class body in place of a plain function.
_MEMBERS = (
    *(staticmethod, classmethod, property),
    *(functools.cached_property, functools.singledispatchmethod, functools.partialmethod),
)


class Describer:
    """Turns what one side holds into data.

    ``renames`` gives, for the modules that are the model's own on this side, the role of each name;
    ``files`` are those of the modules that are the definition or generated from it, ``roles`` the
    classes of the definition that stand for others, ``kept`` what parent classes are called (and
    were called) that stand beside the classes they would be folded into, ``children`` the classes
    that inherit from each.
    """

    def __init__(
        self,
        renames: Mapping[str, Mapping[str, str]],
        files: frozenset[str] = frozenset(),
        roles: Mapping[type, type] | None = None,
        kept: Mapping[str, str] | None = None,
        children: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.renames, self.files, self.roles = renames, files, roles or {}
        self.kept, self.children = kept or {}, children or {}

    def own(self, cls: type) -> bool:
        """Whether a class belongs to the model: to its definition, its files, or a folded parent."""
        return cls.__module__ in self.renames

    def class_name(self, cls: type) -> list[str]:
        """The names of a class: its own, that of its role, and further ones it may go by.

        One of the model's own begins with a dot in place of its module.
        """
        name = f"{cls.__module__}.{cls.__qualname__}"
        if not self.own(cls):
            role = self.roles.get(cls)
            return ["named", name, self.class_name(role)[1] if role else name]
        head, dot, rest = cls.__qualname__.partition(".")
        heads = self._spelled(cls.__module__, head, bool(dot))
        return ["named", *(f".{item}{dot}{rest}" for item in heads)]

    def _spelled(self, module: str, head: str, inside: bool) -> list[str]:
        """Names that something of the model's own goes by; what is inside a class, each child holds."""
        heads = [head, self.renames[module].get(head, head)]
        if head in self.kept:
            heads.append(self.kept[head])
        return [*heads, *(self.children.get(head, ()) if inside else ())]

    def order(self, cls: type) -> list[list[str]]:
        """The resolution order, without the parent classes that are folded into one of its classes."""
        folded = {
            base
            for item in cls.__mro__
            if item.__module__ in self.files
            for base in item.__bases__
            if self.own(base) and base.__module__ not in self.files
        }
        folded |= {
            item
            for item in cls.__mro__
            if self.own(item) and item.__qualname__.partition(".")[0] in self.kept
        } - {cls}
        names = [self.class_name(item) for item in cls.__mro__ if item not in folded]
        return list({found[2]: found for found in names}.values())

    def _one_class(self, cls: type) -> list[type]:
        """A class and the parent classes that a fold makes one with it."""
        apart = [base for base in cls.__bases__ if self.own(base)]
        if cls.__module__ not in self.files:
            return [cls]
        folded = [
            base
            for base in apart
            if base.__module__ not in self.files or base.__name__ in self.kept
        ]
        return [cls, *folded]

    def value(self, value: Any, depth: int = 0) -> Any:
        """A value: its kind and what it consists of."""
        if value is None or isinstance(value, (bool, int)) and not isinstance(value, enum.Enum):
            return value
        if isinstance(value, enum.Enum):
            return ["enum", self.class_name(type(value)), value.name]
        if isinstance(value, str):
            return ["text", str(value)]
        if isinstance(value, (float, complex, bytes)):
            return ["number", repr(value)]
        if isinstance(value, type) and not isinstance(value, types.GenericAlias):
            return ["class", self.class_name(value)]
        if depth > _DEPTH:
            return ["deep"]
        if isinstance(value, (list, tuple)):
            return [type(value).__name__, [self.value(item, depth + 1) for item in value]]
        if isinstance(value, Mapping) and not hasattr(value, "to_dict"):
            pairs = [[self.value(k, depth + 1), self.value(v, depth + 1)] for k, v in value.items()]
            return ["mapping", pairs]
        if isinstance(value, (set, frozenset)):
            items = [self.value(item, depth + 1) for item in value]
            return ["set", sorted(items, key=repr)]
        return self._object(value, depth)

    def _object(self, value: Any, depth: int) -> Any:
        if type(value).__module__.partition(".")[0] == "torch" or is_network(value):
            described = describe_torch(value, self)
            if described is not None:
                return described
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        if isinstance(value, _MEMBERS):
            return self.member(value)
        if inspect.isroutine(value) or inspect.isfunction(value):
            home = getattr(value, "__module__", "") or ""
            name = getattr(value, "__qualname__", repr(value))
            own = home in self.renames
            head, dot, rest = name.partition(".")
            spelled = self._spelled(home, head, bool(dot)) if own else [head, head]
            places = [f"{'' if own else home}:{item}{dot}{rest}" for item in spelled]
            return ["routine", ["named", *places]]
        if isinstance(value, BaseException):
            return ["raised", self.class_name(type(value)), self.value(str(value))]
        if dataclasses.is_dataclass(value) or self.own(type(value)):
            return [
                "object",
                self.class_name(type(value)),
                self.value(_state(value), depth + 1),
            ]
        if isinstance(value, logging.Logger) and value.name in self.renames:
            return ["logger of the file", value.level]
        if any(test(value) for test in _SUSPENDED):
            return ["suspended", type(value).__name__]
        return ["other", self.class_name(type(value)), self._shown(value)]

    def _shown(self, value: Any) -> Any:
        try:
            text = _ADDRESS.sub("", repr(value))
        except Exception as error:  # a class of the model may fail to show itself
            text = f"{type(error).__name__} in repr"
        return self.value(text[:2000])

    def routine(self, function: Any) -> Any:
        """What a caller sees of a function: its kind, its parameters, what it returns."""
        kind = next((name for name, test in _KINDS if test(function)), "function")
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return [kind, "no signature"]
        scope = getattr(inspect.unwrap(function), "__globals__", {})
        parameters = [
            [
                item.name,
                item.kind.name,
                None if item.default is item.empty else ["default", self.value(item.default)],
                self.annotation(item.annotation, scope),
            ]
            for item in signature.parameters.values()
        ]
        return [kind, parameters, self.annotation(signature.return_annotation, scope)]

    def annotation(self, note: Any, scope: Mapping[str, Any]) -> Any:
        """An annotation by what it means; as its text where that cannot be told."""
        if note is inspect.Signature.empty:
            return None
        if isinstance(note, str):
            return ["quoted", note.replace(" ", ""), self._resolved(note, scope)]
        if isinstance(note, type) and not hasattr(note, "__args__"):
            return ["class", self.class_name(note)]
        arguments = getattr(note, "__args__", None)
        if arguments is not None:
            origin = getattr(note, "__origin__", type(note))
            inner = [
                self._argument(i, scope)
                if not isinstance(i, (list, tuple))
                else [self._argument(j, scope) for j in i]
                for i in arguments
            ]
            extra = [self.value(item) for item in getattr(note, "__metadata__", ())]
            return ["generic", self._shown(origin), inner, extra]
        if hasattr(note, "__forward_arg__"):
            return self.annotation(note.__forward_arg__, scope)
        return self._shown(note) if not isinstance(note, (int, str)) else self.value(note)

    def _resolved(self, text: str, scope: Mapping[str, Any]) -> Any:
        """What an annotation that is written as a string means; None for names of type checkers."""
        try:
            return self.annotation(eval(text, dict(scope)), scope)
        except Exception:
            return None

    def _argument(self, note: Any, scope: Mapping[str, Any]) -> Any:
        """An argument of an annotation; as its text where that names nothing of the model's own.

        It may be part of an alias that was imported, whose names the file need not have.
        """
        text = getattr(note, "__forward_arg__", note)
        if not isinstance(text, str):
            return self.annotation(note, scope)
        found = self._resolved(text, scope)
        if found is None or (found[0] == "class" and not found[1][1].startswith(".")):
            return ["note", text.replace(" ", "")]
        return found

    def member(self, value: Any) -> Any:
        """An entry of a class: a routine with its kind of binding, a property, a class, a value."""
        if isinstance(value, (staticmethod, classmethod)):
            return [type(value).__name__, self.routine(value.__func__)]
        if isinstance(value, property):
            parts = (value.fget, value.fset, value.fdel)
            return ["property", [part and self.routine(part) for part in parts]]
        if isinstance(value, functools.cached_property):
            return ["cached_property", self.routine(value.func)]
        if isinstance(value, functools.singledispatchmethod):
            kinds = value.dispatcher.registry.items()
            known = [[self.value(cls), self.routine(function)] for cls, function in kinds]
            return ["singledispatchmethod", known]
        if isinstance(value, functools.partialmethod):
            given = [value.func, list(value.args), value.keywords]
            return ["partialmethod", [self.value(item) for item in given]]
        if inspect.isfunction(value):
            return ["method", self.routine(value)]
        if isinstance(value, type) and self.own(value) and "." in value.__qualname__:
            return ["nested", self.describe_class(value)]
        return ["value", self.value(value)]

    def describe_class(self, cls: type) -> dict[str, Any]:
        """Members, bases, annotations and docstring of a class, what it inherits included."""
        own = [item for item in cls.__mro__ if self.own(item)]
        names = dict.fromkeys(name for item in reversed(own) for name in vars(item))
        members = {
            _unmangled(name, own): self.member(inspect.getattr_static(cls, name))
            for name in names
            if name not in _IMPLICIT
        }
        docs = {
            name: _doc(own, name)
            for name, item in members.items()
            if item[0] in ("method", "staticmethod", "classmethod", "property")
        }
        notes: dict[str, Any] = {}
        for item in reversed(own):
            scope = {**vars(inspect.getmodule(item) or types), **vars(item)}
            written = inspect.get_annotations(item)
            notes |= {name: self.annotation(note, scope) for name, note in written.items()}
        return {
            "mro": self.order(cls),
            "metaclass": self.class_name(type(cls)),
            "abstract": sorted(getattr(cls, "__abstractmethods__", ())),
            "members": members,
            "order": [name for name in names if name not in _IMPLICIT],
            "docs": {name: doc for name, doc in docs.items() if doc},
            "doc": next(
                (doc for item in self._one_class(cls) if (doc := _clean(vars(item)))), None
            ),
            "annotations": list(notes.items()),
        }


def _unmangled(name: str, classes: Sequence[type]) -> str:
    """A private name as it is written: the class that it is joined with may be folded into another."""
    for item in classes:
        start = f"_{item.__name__.lstrip('_')}__"
        if name.startswith(start):
            return f"__{name.removeprefix(start)}"
    return name


def _doc(classes: Sequence[type], name: str) -> str | None:
    """The docstring of a member, or of the one that it overrides in the model's own classes."""
    for item in classes:
        member = vars(item).get(name)
        inner = getattr(member, "__func__", member)
        text = getattr(inner, "__doc__", None)
        if isinstance(text, str):
            return inspect.cleandoc(text)
    return None


def _clean(space: Mapping[str, Any]) -> str | None:
    text = space.get("__doc__")
    return inspect.cleandoc(text) if isinstance(text, str) else None


_SUSPENDED = (inspect.iscoroutine, inspect.isgenerator, inspect.isasyncgen)
_KINDS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("async generator", inspect.isasyncgenfunction),
    ("coroutine", inspect.iscoroutinefunction),
    ("generator", inspect.isgeneratorfunction),
)


def _state(value: Any) -> dict[str, Any]:
    state = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                state[name] = getattr(value, name)
    return state
