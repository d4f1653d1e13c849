"""Parsed sources and the classes in them, resolved across definitions and modeling files.

For a class imported from ``modeling_x`` the definition ``modular_x`` is looked at first: it is what a
pass edits. A class that exists only in the generated file (pulled in by expansion) is found there.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from codegen.rewrite.aliases import imports_of, resolve_aliases, spelled, torch_aliases
from codegen.rewrite.nodes import calls_in, children, glance, target_of, walk
from codegen.rewrite.values import Library, Source
from codegen.rewrite.vocabulary import DEFAULT, PARENTS_PARAMETERS, Vocabulary
from codegen.text.lines import LineMap
from codegen.text.statements import first_line

Function = ast.FunctionDef


@dataclass(frozen=True, eq=False)
class ModuleInfo:
    """One parsed file: imports by local name, top-level classes and functions.

    The tree says ``torch``, ``nn`` and ``F`` whatever the file calls them, ``aliases`` how it does.
    """

    source: Source
    tree: ast.Module
    aliases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, source: Source) -> ModuleInfo:
        """Parse a file.

        Raises:
            SyntaxError: it is not Python.
        """
        tree = ast.parse(source.text)
        aliases = torch_aliases(tree)
        resolve_aliases(tree, aliases)
        return cls(source, tree, aliases)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names that the file binds outside its functions and classes."""
        return frozenset(_bound_names(self.tree.body))

    @cached_property
    def has_star(self) -> bool:
        """Whether a star import may bind any name."""
        return "import *" in self.source.text and any(
            alias.name == "*" for node in imports_of(self.tree) for alias in node.names
        )

    @cached_property
    def optional(self) -> str | None:
        """What the file writes around types that may be None, ``Optional`` or an alias of it.

        Empty for ``type | None``, and where the file uses that more often; None where it does neither.
        """
        known = [name for name, origin in self.imports.items() if origin == ("typing", "Optional")]
        if not known and "typing" not in self.names:
            return "" if "| None" in self.source.text else None
        counts = Counter[str]()
        for part in _parts(self.tree):
            counts.update(_spellings_of_none(part))
        unions = counts.pop(_UNION, 0)
        best = max((*known, "typing.Optional"), key=lambda name: counts[name])
        if not unions and not counts[best]:
            return None
        return best if counts[best] > unions else ""

    def spelled(self, dotted: str) -> str:
        """How the file can write a name of torch with what it imports; empty where it cannot."""
        return spelled(self.aliases, dotted)

    @cached_property
    def text(self) -> LineMap:
        """The text with its position tables."""
        return LineMap(self.source.text)

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Top-level classes by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Top-level functions by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Local name -> (dotted module, original name) of top-level from-imports."""
        found = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom):
                module = absolute(self.source.module, node.level, node.module or "")
                for alias in node.names:
                    found[alias.asname or alias.name] = (module, alias.name)
        return found

    @cached_property
    def values(self) -> dict[str, ast.expr]:
        """Top-level name -> the expression that is first assigned to it."""
        found: dict[str, ast.expr] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, node.value)
        return found

    @cached_property
    def constants(self) -> dict[str, float]:
        """Top-level names that are bound once, to a number."""
        bound: list[str] = []
        numbers: dict[str, float] = {}
        for statement in self.tree.body:
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                continue
            names = [n.id for n in walk(statement) if isinstance(n, ast.Name)]
            bound += names
            value = None
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                value = statement.value
            if isinstance(value, ast.Constant) and isinstance(value.value, (int, float)) and names:
                numbers[names[0]] = value.value
        if numbers and "global " in self.source.text:
            bound += 2 * [n for node in walk(self.tree) for n in getattr(node, "names", [])]
        return {name: value for name, value in numbers.items() if bound.count(name) == 1}

    @cached_property
    def maybe_stored(self) -> frozenset[str]:
        """Names of attributes of ``self`` that the text may assign something to: nothing else is looked for."""
        return frozenset(_STORED.findall(self.source.text))

    def segment(self, node: ast.stmt) -> str:
        """Source lines of a statement, for cheap tests before its tree is looked at."""
        end = (node.end_lineno or node.lineno) + 1
        return self.source.text[self.text.start_of(node.lineno) : self.text.start_of(end)]

    def naming(self, names: Collection[str]) -> Iterator[ast.AST]:
        """What the file consists of, classes taken apart, as far as its lines hold one of some names."""
        for node in self.tree.body:
            for part in children(node) if isinstance(node, ast.ClassDef) else (node,):
                if not isinstance(part, ast.stmt):
                    yield part
                    continue
                start = self.text.start_of(first_line(part))
                text = self.source.text[start : self.text.start_of((part.end_lineno or 0) + 1)]
                if any(name in text for name in names):
                    yield part

    def place(self, node: ast.AST) -> str:
        """``path:line`` of a node."""
        return f"{self.source.path}:{getattr(node, 'lineno', 0)}"


_UNION = "|"
_STORED = re.compile(r"self\.(\w+)(?: =|[:,])")


def _parts(tree: ast.Module) -> Iterator[ast.AST]:
    """What a file consists of, classes taken apart; functions as they are, but not where they are."""
    for node in tree.body:
        for part in children(node) if isinstance(node, ast.ClassDef) else (node,):
            yield glance(part) if isinstance(part, ast.FunctionDef) else part


@lru_cache(maxsize=8192)
def _spellings_of_none(part: ast.AST) -> tuple[str, ...]:
    return tuple(filter(None, map(_spelling_of_none, walk(part))))


def _spelling_of_none(node: ast.AST) -> str:
    """``Optional`` of ``Optional[x]``, ``|`` of ``x | None``, empty for anything else."""
    if isinstance(node, ast.Subscript):
        of = node.value
        if isinstance(of, ast.Attribute):
            return ast.unparse(of) if of.attr == "Optional" else ""
        return of.id if isinstance(of, ast.Name) else ""
    is_union = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
    return _UNION if is_union and getattr(node.right, "value", 0) is None else ""  # type: ignore[attr-defined]


def _is_stored(node: ast.AST, name: str) -> bool:
    return self_attribute(node) == name and isinstance(getattr(node, "ctx", None), ast.Store)


def _bound_names(statements: Iterable[ast.AST]) -> set[str]:
    """Names that statements bind, those in functions and classes left out."""
    found: set[str] = set()
    pending = list(statements)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        pending += children(node)
    return found


def absolute(module: str, level: int, name: str) -> str:
    """Dotted name of a relative import made in ``module``."""
    if level == 0:
        return name
    package = module.split(".")[:-level]
    return ".".join([*package, name] if name else package)


@dataclass(frozen=True, eq=False)
class ClassInfo:
    """A class and the file it is defined in."""

    module: ModuleInfo
    node: ast.ClassDef

    @property
    def name(self) -> str:
        """Name of the class."""
        return self.node.name

    @cached_property
    def methods(self) -> dict[str, Function]:
        """Methods defined in the class body itself, but for those whose names it binds otherwise, too."""
        found = {n.name: n for n in self.node.body if isinstance(n, ast.FunctionDef)}
        return {name: node for name, node in found.items() if name not in self.rebound}

    @cached_property
    def rebound(self) -> frozenset[str]:
        """Names that the class body binds otherwise than by ``def`` at its margin: what they hold is not known."""
        rest = [node for node in self.node.body if not isinstance(node, ast.FunctionDef)]
        return frozenset(_bound_names(rest))

    def replaces(self, name: str) -> bool:
        """Tell whether a method of the class assigns something to ``self.<name>``."""
        if name not in self.module.maybe_stored:
            return False
        return any(_is_stored(node, name) for node in walk(self.node))


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
        if definition != module and self.get(definition) is not None:
            found = self.get(definition)
            if found is not None and name in found.classes:
                return self.resolve(definition, name)
        return self.resolve(module, name)

    @staticmethod
    def generated_of(module: str) -> str:
        """The modeling module that a definition is expanded to, empty for other modules."""
        package, _, last = module.rpartition(".")
        return f"{package}.modeling_{last[8:]}" if last.startswith("modular_") else ""

    def bases(self, cls: ClassInfo) -> Iterator[ClassInfo]:
        """Resolved base classes in order; unknown ones are skipped."""
        for base in cls.node.bases:
            if isinstance(base, ast.Name):
                found = self.resolve(cls.module.source.module, base.id)
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
            if self._modules.get(module) is not None:
                return self._modules[module]
            self._modules.pop(module, None)
            self._forget_classes()
        return self.get(module)

    def open_ancestors(self, cls: ClassInfo) -> None:
        """Read the files of all ancestors of a class, also those that do not look relevant."""
        module = cls.module.source.module
        for base in cls.node.bases:
            if not isinstance(base, ast.Name):
                continue
            if self.resolve(module, base.id) is None and base.id in cls.module.imports:
                self.open(cls.module.imports[base.id][0])
            found = self.resolve(module, base.id)
            if found is not None and found.node is not cls.node:
                self.open_ancestors(found)

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


def is_static(function: Function) -> bool:
    """Whether a method is called without ``self``."""
    return any(
        getattr(node, "id", "") == "staticmethod" for node in glance(function).decorator_list
    )


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
    if isinstance(left, ast.Constant) and left.value is None:
        return True
    return (
        isinstance(left, ast.Call)
        and isinstance(right, ast.Call)
        and (ast.dump(left.func) == ast.dump(right.func))
    )


def made_of(info: ModuleInfo, names: Collection[str]) -> Iterator[tuple[ast.Call, str]]:
    """Calls of classes of some names in a file, each with the attribute of ``self`` that gets the result.

    The attribute is empty where anything else happens to it.
    """
    if not any(f"{name}(" in info.source.text for name in names):
        return
    for part in info.naming(names):
        held = {
            id(node.value): self_attribute(target)
            for node in walk(part)
            if isinstance(node, ast.Assign) and (target := target_of(node)) is not None
        }
        for node in calls_in(part):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in names:
                yield node, held.get(id(node), "")


def _why_unreadable(error: Exception) -> tuple[int, str]:
    """Line, 0 if it is not known, and reason why a text does not parse."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0, error.msg
    if isinstance(error, (RecursionError, MemoryError)):
        return 0, "it is nested too deeply"
    return 0, str(error)


def changed_methods(
    old: ModuleInfo | None, new: ModuleInfo | None
) -> Iterator[tuple[str, str, str]]:
    """Module, class and method of what two versions of a file write differently, or only one has."""
    if old is None or new is None or old.source.text == new.source.text:
        return
    for name in {*old.classes, *new.classes}:
        before, after = (_method_texts(info, name) for info in (old, new))
        for method in {*before, *after}:
            if before.get(method) != after.get(method):
                yield old.source.module, name, method


def _method_texts(info: ModuleInfo, name: str) -> dict[str, str]:
    """Source lines of the methods of a class."""
    body = info.classes[name].body if name in info.classes else []
    return {node.name: info.segment(node) for node in body if isinstance(node, ast.FunctionDef)}


def self_attribute(node: ast.AST) -> str:
    """``name`` of ``self.name``, else an empty string."""
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    ):
        return node.attr
    return ""


def takes_parents_parameters(function: Function) -> bool:
    """Tell whether an override in a definition spells the parameters of its parent's as ``**super_kwargs``."""
    kwarg = glance(function).args.kwarg
    return kwarg is not None and kwarg.arg == PARENTS_PARAMETERS


def parameters(function: Function) -> list[str]:
    """Names of the ordinary and keyword-only parameters, ``self`` included."""
    args = glance(function).args
    return [a.arg for a in [*args.posonlyargs, *args.args, *args.kwonlyargs]]


def defaults_of(function: Function) -> dict[str, ast.expr]:
    """What parameters are where nothing is given for them, by name."""
    args = function.args
    plain = [*args.posonlyargs, *args.args]
    pairs = [*zip(plain[len(plain) - len(args.defaults) :], args.defaults)]
    pairs += [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults) if d is not None]
    return {arg.arg: default for arg, default in pairs}
