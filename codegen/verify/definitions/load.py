"""Import a definition, or what was generated from it, out of sources in memory.

A finder in front of all others answers for the modules of a project: for a parent it gives what was
generated, before the rewrite passes. A definition may use names that only its expansion has; they
are put in its way before it runs.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

from codegen.verify.definitions.bindings import undefined_names


@dataclass(frozen=True)
class Source:
    """A module that exists in memory only; ``path`` is the file that it stands for."""

    path: str
    text: str


@dataclass(frozen=True)
class Sides:
    """One model, both ways.

    ``sources`` holds the modules of the project by dotted name, ``definition`` and ``generated`` are
    names among them. ``renames`` gives for every parent module, installed ones too, what each of its
    names is called by the model, ``folded`` are the parent classes (module and name) that classes of
    the definition inherit from by name, ``kept`` what each of these is called (and was called) where
    it stands beside the class that would hold it, ``children`` the classes that inherit from each.
    ``decorators`` are those of its parent, with its module, for a class that has none of its own.
    ``unfolded`` are parents with a base that is named through its module: it stays an import, and
    with it the roles that its file knows. ``folders`` are where further modules of a package
    are looked for.
    """

    sources: Mapping[str, Source]
    definition: str
    generated: Sequence[str]
    renames: Mapping[str, Mapping[str, str]]
    folders: Mapping[str, Sequence[str]]
    folded: frozenset[tuple[str, str]] = frozenset()
    kept: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unfolded: frozenset[str] = frozenset()
    decorators: Mapping[str, tuple[str, Sequence[str]]] = field(default_factory=dict)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def __init__(self, sides: Sides) -> None:
        self.sides, self.roles = sides, dict[type, type]()
        self._as_written: dict[str, dict[str, Any]] = {}
        parents = {name.rsplit(".", count)[0] for name in sides.sources for count in (1, 2, 3)}
        self.packages = {name for name in parents if name and name not in sides.sources}

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module of the project, or of a package that contains one."""
        source = self.sides.sources.get(fullname)
        if source is not None:
            spec = importlib.util.spec_from_loader(fullname, self, origin=source.path)
            assert spec is not None
            spec.has_location = True
            return spec
        if fullname not in self.packages:
            return None
        for folder in self.sides.folders.get(fullname, ()):
            begin = Path(folder) / "__init__.py"
            if begin.is_file():
                return importlib.util.spec_from_file_location(
                    fullname, begin, submodule_search_locations=[folder]
                )
        spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = list(self.sides.folders.get(fullname, ()))
        return spec

    def get_source(self, fullname: str) -> str:
        """Source of a module, for tracebacks and for code that reads itself."""
        return self.sides.sources[fullname].text

    def exec_module(self, module: ModuleType) -> None:
        """Run a module; a definition finds in it what its expansion gives."""
        source = self.sides.sources[module.__name__]
        if module.__name__ == self.sides.definition:
            module.__dict__.update(self._given_names(source.text))
            self._exec_by_statement(module, source)
            return
        exec(compile(source.text, source.path, "exec", dont_inherit=True), module.__dict__)

    def _exec_by_statement(self, module: ModuleType, source: Source) -> None:
        """Run a definition; each class takes its role before the next statement."""
        tree = ast.parse(source.text)
        module.__doc__ = ast.get_docstring(tree, clean=False)
        flags = 0
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for item in node.names:
                    flags |= getattr(__future__, item.name).compiler_flag
            piece = ast.Module([node], [])
            exec(compile(piece, source.path, "exec", flags, dont_inherit=True), module.__dict__)
            if isinstance(node, ast.ClassDef):
                self.roles |= _give_roles(module, self._parents(), self.sides)

    def _parents(self) -> list[tuple[ModuleType, dict[str, Any]]]:
        """The parents imported so far, each with its names as it wrote them."""
        names = self.sides.renames.keys() - self.sides.unfolded
        loaded = [sys.modules[name] for name in sorted(names) if name in sys.modules]
        return [(m, self._as_written.setdefault(m.__name__, dict(vars(m)))) for m in loaded]

    def _given_names(self, text: str) -> dict[str, Any]:
        """Names that the definition uses and neither defines nor imports."""
        found: dict[str, Any] = {}
        for name in undefined_names(text):
            for parent, renames in self.sides.renames.items():
                roles = {new: old for old, new in renames.items()}
                if name in roles:
                    value = getattr(importlib.import_module(parent), roles[name], None)
                    if value is not None:
                        found[name] = value
            for module in self.sides.generated if name not in found else ():
                if module != self.sides.definition:
                    value = vars(importlib.import_module(module)).get(name)
                    if value is not None:
                        found[name] = value
        return found


@contextmanager
def project(sides: Sides) -> Iterator[dict[type, type]]:
    """While this holds, the modules of a project can be imported; afterwards they are forgotten.

    Gives the roles: as soon as the definition is imported, which of its classes stands for which of
    a parent's file, those included that such a file only imports. The parents' code uses them.
    """
    finder = _Finder(sides)
    tops = {name.partition(".")[0] for name in sides.sources}
    hidden = _forget(tops)
    sys.meta_path.insert(0, finder)
    try:
        yield finder.roles
    finally:
        sys.meta_path.remove(finder)
        _forget(tops)
        sys.modules.update(hidden)


def _forget(tops: set[str]) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] in tops]
    return {name: sys.modules.pop(name) for name in names}


def load_generated(sides: Sides) -> list[ModuleType]:
    """Import every module that was generated from the definition."""
    return [importlib.import_module(name) for name in sides.generated]


def _give_roles(
    module: ModuleType, parents: Sequence[tuple[ModuleType, dict[str, Any]]], sides: Sides
) -> dict[type, type]:
    """What a parent's file says about its classes, it now says of the definition's."""
    roles = {
        theirs: ours
        for parent, written in parents
        for old, new in sides.renames[parent.__name__].items()
        for theirs, ours in [(written.get(old), vars(module).get(new))]
        if isinstance(theirs, type) and isinstance(ours, type) and theirs is not ours
    }
    for parent, written in parents:
        for name, value in written.items():
            if _defined_in(value, parent):
                _give_to_class(value, roles)
            elif isinstance(value, types.FunctionType) and value.__module__ == parent.__name__:
                _give_to_function(value, roles)
            if not name.startswith("__"):
                setattr(parent, name, _replaced(value, roles))
    return roles


def _defined_in(value: Any, module: ModuleType) -> TypeGuard[type]:
    return isinstance(value, type) and value.__module__ == module.__name__


def _give_to_class(cls: type, roles: Mapping[type, type]) -> None:
    for name, value in list(vars(cls).items()):
        inner = getattr(value, "__func__", value)
        if isinstance(inner, types.FunctionType):
            _give_to_function(inner, roles)
        elif not name.startswith("__"):
            new = _replaced(value, roles)
            if new is not value:
                setattr(cls, name, new)
    bases = tuple(roles.get(base, base) for base in cls.__bases__)
    if bases != cls.__bases__ and not any(issubclass(base, cls) for base in bases):
        try:
            cls.__bases__ = bases
        except TypeError:  # layouts that do not agree: the role is then not seen here
            return


def _give_to_function(function: types.FunctionType, roles: Mapping[type, type]) -> None:
    if function.__defaults__:
        function.__defaults__ = _replaced(function.__defaults__, roles)
    if function.__kwdefaults__:
        function.__kwdefaults__ = _replaced(function.__kwdefaults__, roles)
    function.__annotations__ = _replaced(function.__annotations__, roles)


def _replaced(value: Any, roles: Mapping[type, type]) -> Any:
    """A value with classes in their roles; the very value where none is in it."""
    if isinstance(value, type):
        return roles.get(value, value)
    if type(value) in (list, tuple, set, frozenset):
        items = [_replaced(item, roles) for item in value]
        same = all(new is old for new, old in zip(items, value))
        return value if same else type(value)(items)
    if type(value) is dict:
        pairs = {_replaced(k, roles): _replaced(v, roles) for k, v in value.items()}
        same = all(
            new is old for pair in zip(pairs.items(), value.items()) for new, old in zip(*pair)
        )
        return value if same else pairs
    return value
