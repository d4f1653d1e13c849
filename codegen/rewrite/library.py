"""Classes, methods and attributes of parsed files, resolved across definitions and modeling files.

For a class imported from ``modeling_x`` the definition ``modular_x`` is looked at first: it is what a
pass edits. A class that exists only in the generated file (pulled in by expansion) is found there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache

from codegen.rewrite.functions import Function, self_attribute, takes_parents_parameters
from codegen.rewrite.modules import ClassInfo, ModuleInfo, absolute
from codegen.rewrite.nodes import glance, of_kind, walk
from codegen.rewrite.values import Library, Source
from codegen.rewrite.vocabulary import DEFAULT, Vocabulary, field_value

Attribute = tuple[ClassInfo, Function, ast.expr]
"""An attribute of an instance: the class whose ``__init__`` assigns it, that method, and the expression, which may
be as it stood elsewhere."""


@dataclass(eq=False)
class Index:
    """Lookup of modules and classes; parses every text once.

    A file that is not ``relevant`` counts as absent: nothing in it can matter.
    """

    library: Library
    relevant: Callable[[str], bool]
    vocabulary: Vocabulary = DEFAULT
    _modules: dict[str, ModuleInfo | None] = field(default_factory=dict)
    _classes: dict[tuple[str, str], ClassInfo | None] = field(default_factory=dict)
    _overlay: dict[str, str] = field(default_factory=dict)
    _mro: dict[int, list[ClassInfo]] = field(default_factory=dict)
    _attributes: dict[tuple[int, str], Attribute | None] = field(default_factory=dict)
    _methods: dict[tuple[int, str], tuple[ClassInfo, Function] | None] = field(default_factory=dict)
    _opened: set[str] = field(default_factory=set)
    _mentioning: dict[str, list[str]] = field(default_factory=dict)
    unreadable: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Modules that do not parse, with line and reason."""
    revision: int = 0
    resets: dict[tuple[int, int, str], bool] = field(default_factory=dict)
    """What was found out of attributes that need not be what ``__init__`` assigns, by two classes and name."""

    def guessing(self, name: str, role: str = "merge_fields") -> Index:
        """The same texts, looked at as if a name had a role: that of the side of a merge block."""
        view = copy(self)
        known = {role: (*getattr(self.vocabulary, role), name)}
        view.vocabulary = replace(self.vocabulary, **known)
        return view

    def get(self, module: str) -> ModuleInfo | None:
        """The parsed module, None where the tree has none or it does not parse."""
        if module not in self._modules:
            source = self.library.read(module)
            info = None
            wanted = source is not None and (module in self._opened or self.relevant(source.text))
            if source is not None and wanted:
                text = self._overlay.get(module, source.text)
                try:
                    info = ModuleInfo.parse(Source(source.path, module, text))
                except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                    self.unreadable[module] = _why_unreadable(error)
            self._modules[module] = info
        return self._modules[module]

    def take(self, other: Index) -> None:
        """Use what another index has parsed, for the same texts."""
        self._modules.update(other._modules)

    def replace(self, info: ModuleInfo) -> None:
        """Put another version of a module in its place; what is derived from it is computed anew."""
        self.revision += 1
        self._overlay[info.source.module] = info.source.text
        self._modules[info.source.module] = info
        self._forget_classes()

    def _forget_classes(self) -> None:
        """What is derived from the classes of all files is computed anew."""
        self._classes.clear()
        self._mro.clear()
        self._attributes.clear()
        self._methods.clear()
        self.resets.clear()

    def changed(self) -> dict[str, str]:
        """New texts by module."""
        return dict(self._overlay)

    def mentioning(self, words: str) -> list[str]:
        """Modules that may be changed and whose files hold these words, as they were given."""
        if words not in self._mentioning:
            texts = ((module, self.library.read(module)) for module in self.library.modules())
            found = [module for module, source in texts if source and words in source.text]
            self._mentioning[words] = found
        return self._mentioning[words]

    def resolve(self, module: str, name: str) -> ClassInfo | None:
        """The class that ``name`` means in ``module``."""
        key = (module, name)
        if key not in self._classes:
            self._classes[key] = None
            self._classes[key] = self._resolve(module, name)
        return self._classes[key]

    def _resolve(self, module: str, name: str) -> ClassInfo | None:
        info = self.get(module)
        if info is None:
            return None
        if name in info.classes:
            return ClassInfo(info, info.classes[name])
        if name in info.imports:
            return self._imported(*info.imports[name])
        if name in info.values:
            return self.named(module, info.values[name])
        further = self._imported_elsewhere(info, name)
        if further is not None:
            return further
        generated = self.generated_of(module)
        source = self.library.read(generated) if generated else None
        if source is None or f"class {name}(" not in source.text:
            return None
        return self.resolve(generated, name)

    def _imported(self, module: str, name: str) -> ClassInfo | None:
        package, _, last = module.rpartition(".")
        if not last.startswith(("modeling_", "modular_")):
            return None
        definition = f"{package}.modular_{last.split('_', 1)[1]}"
        found = self.get(definition) if definition != module else None
        if found is not None and name in found.classes:
            return self.resolve(definition, name)
        return self.resolve(module, name)

    def _imported_elsewhere(self, info: ModuleInfo, name: str) -> ClassInfo | None:
        """The class that an import under a condition or in a function, or a star, gives a name."""
        for node in info.all_imports:
            origin = absolute(
                info.source.module, getattr(node, "level", 0), getattr(node, "module", "") or ""
            )
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                if "*" in alias.name or name == (alias.asname or alias.name):
                    found = self._imported(origin, name if "*" in alias.name else alias.name)
                    if found is not None:
                        return found
        return None

    def named(self, module: str, node: ast.expr) -> ClassInfo | None:
        """The class that an expression in a file means: a name, one of a module, either with types in brackets."""
        node = node.value if isinstance(node, ast.Subscript) else node
        if isinstance(node, ast.Name):
            return self.resolve(module, node.id)
        info = self.get(module)
        if info is None or not isinstance(node, ast.Attribute):
            return None
        held = ast.unparse(node.value)
        if held in info.imports:
            return self._imported(".".join(info.imports[held]), node.attr)
        known = info.imported_modules.get(held)
        return None if known is None else self._imported(known, node.attr)

    @staticmethod
    def generated_of(module: str) -> str:
        """The modeling module that a definition is expanded to, empty for other modules."""
        package, _, last = module.rpartition(".")
        return f"{package}.modeling_{last[8:]}" if last.startswith("modular_") else ""

    def bases(self, cls: ClassInfo) -> Iterator[ClassInfo]:
        """Resolved base classes in order; unknown ones are skipped."""
        for base in cls.node.bases:
            found = self.named(cls.module.source.module, base)
            if found is not None and found.node is not cls.node:
                yield found

    def mro(self, cls: ClassInfo) -> list[ClassInfo]:
        """The class and its known ancestors, nearest first."""
        known = self._mro.get(id(cls.node))
        if known is None:
            known = [cls]
            self._mro[id(cls.node)] = known
            for base in self.bases(cls):
                known += [c for c in self.mro(base) if all(c.node is not k.node for k in known)]
        return known

    def open(self, module: str) -> ModuleInfo | None:
        """The parsed module, also if it does not look relevant."""
        if module not in self._opened:
            self._opened.add(module)
            if module in self._modules and self._modules[module] is None:
                # Somebody has asked for it, and what was found since may be otherwise with it.
                del self._modules[module]
                self._forget_classes()
        return self.get(module)

    @property
    def opened(self) -> int:
        """How many modules were asked for although they may not look relevant: with each more can be known."""
        return len(self._opened)

    def open_ancestors(self, cls: ClassInfo, enough: Callable[[], bool] = lambda: False) -> None:
        """Read the files of the ancestors of a class, also those that do not look relevant, until it is enough."""
        module = cls.module.source.module
        for base in cls.node.bases:
            if not isinstance(base, ast.Name) or enough():
                continue
            if self.resolve(module, base.id) is None and base.id in cls.module.imports:
                self.open(cls.module.imports[base.id][0])
            found = self.resolve(module, base.id)
            if found is not None and found.node is not cls.node:
                self.open_ancestors(found, enough)

    def method(self, cls: ClassInfo, name: str) -> tuple[ClassInfo, Function] | None:
        """The method that an instance of ``cls`` has, with the class that defines it.

        None where that is not known: a class body or a method assigns something to the name.
        """
        key = (id(cls.node), name)
        if key not in self._methods:
            self._methods[key] = self._method(cls, name)
        return self._methods[key]

    def _method(self, cls: ClassInfo, name: str) -> tuple[ClassInfo, Function] | None:
        owners = self.mro(cls)
        for owner in owners:
            if name in owner.rebound:
                return None
            if name in owner.methods:
                replaced = any(other.replaces(name) for other in owners)
                return None if replaced else (owner, owner.methods[name])
        return None

    def signature(self, cls: ClassInfo, name: str) -> Function | None:
        """The method whose parameters an instance of ``cls`` has: an override may leave them to its parent's."""
        for owner in self.mro(cls):
            function = owner.methods.get(name)
            if function is not None and not takes_parents_parameters(function):
                return function
        return None

    def attribute(self, cls: ClassInfo, name: str) -> Attribute | None:
        """The expression that an ``__init__`` along the MRO assigns to ``self.<name>``."""
        key = (id(cls.node), name)
        if key not in self._attributes:
            self._attributes[key] = self._attribute(cls, name)
        return self._attributes[key]

    def _attribute(self, cls: ClassInfo, name: str) -> Attribute | None:
        found = self._assigning(cls, name)
        return (*found, _assigned(glance(found[1]))[name][0]) if found is not None else None

    def _assigning(self, cls: ClassInfo, name: str) -> tuple[ClassInfo, Function] | None:
        """The ``__init__`` along the MRO that assigns something to ``self.<name>``, and its class."""
        for owner in self.mro(cls):
            init = owner.methods.get("__init__")
            if init is not None and name in _assigned(glance(init)):
                return owner, init
        return None

    def knows_all_of(self, cls: ClassInfo, node: ast.AST) -> bool:
        """Whether all that code reads of ``self`` is known, and what ``__init__`` computes that of.

        What is called like a field of the configuration has the value of that.
        """
        pending, seen = [node], {"config"}
        while pending:
            for inner in of_kind(pending.pop(), ast.Attribute):
                name = self_attribute(inner)
                if not name or name in seen or field_value(self.vocabulary, name, 0) is not None:
                    continue
                seen.add(name)
                found = self.attribute(cls, name)
                if found is not None:
                    pending.append(found[2])
                elif self.method(cls, name) is None:
                    return False
        return True

    def submodule(self, cls: ClassInfo, name: str) -> ClassInfo | None:
        """The class of ``self.<name>``, if ``__init__`` builds it from a known class, and from no other."""
        found = self._assigning(cls, name)
        if found is None:
            return None
        owner, init = found
        assigned = _assigned(glance(init))[name]
        value = assigned[0]
        if not isinstance(value, ast.Call):
            return None
        if not all(_is_same(made, value) for made in assigned):
            return None
        function = value.func
        if isinstance(function, ast.Attribute) and function.attr == "_from_config":
            function = function.value
        if not isinstance(function, ast.Name):
            return None
        return self.resolve(owner.module.source.module, function.id)


@lru_cache(maxsize=4096)
def _assigned(init: Function) -> Mapping[str, Sequence[ast.expr]]:
    """What statements of an ``__init__`` assign to attributes of ``self``, by name."""
    found: dict[str, list[ast.expr]] = {}
    for node in walk(init):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in dict.fromkeys(map(self_attribute, targets)):
                found.setdefault(name, []).append(node.value)
    return found


def _is_same(left: ast.expr, right: ast.expr) -> bool:
    """Tell whether two expressions call one class, or one sets what the other builds to nothing."""
    if left is right or isinstance(left, ast.Constant) and left.value is None:
        return True
    return (
        isinstance(left, ast.Call)
        and isinstance(right, ast.Call)
        and (ast.dump(left.func) == ast.dump(right.func))
    )


def _why_unreadable(error: Exception) -> tuple[int, str]:
    """Line, 0 if it is not known, and reason why a text does not parse."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0, error.msg
    if isinstance(error, (RecursionError, MemoryError)):
        return 0, "it is nested too deeply"
    return 0, str(error)
