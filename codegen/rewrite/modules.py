"""One parsed file: what it imports, binds and spells, its classes, and what two versions of it write differently."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from codegen.rewrite.aliases import imports_of, resolve_aliases, spelled, torch_aliases
from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.nodes import calls_in, children, glance, target_of, walk
from codegen.rewrite.values import Source
from codegen.text.lines import LineMap
from codegen.text.statements import first_line


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
        imports = tuple(imports_of(tree, source.text))
        aliases = torch_aliases(imports)
        resolve_aliases(tree, aliases, source.text)
        info = cls(source, tree, aliases)
        vars(info)["all_imports"] = imports
        return info

    @cached_property
    def names(self) -> frozenset[str]:
        """Names that the file binds outside its functions and classes."""
        return frozenset(_bound_names(self.tree.body))

    @cached_property
    def all_imports(self) -> Sequence[ast.Import | ast.ImportFrom]:
        """Its import statements, those under conditions and in functions included; not for their places."""
        return tuple(imports_of(self.tree, self.source.text))

    @cached_property
    def imported_modules(self) -> dict[str, str]:
        """Local name -> dotted module of plain imports."""
        found: dict[str, str] = {}
        for node in self.all_imports:
            for alias in node.names if isinstance(node, ast.Import) else ():
                found.setdefault(alias.asname or alias.name, alias.name)
        return found

    @cached_property
    def has_star(self) -> bool:
        """Whether a star import may bind any name."""
        return "import *" in self.source.text and any(
            alias.name == "*" for node in self.all_imports for alias in node.names
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
    def hidden(self) -> Sequence[ClassInfo]:
        """Classes under a condition, in a function or in another class."""
        if not _INDENTED.search(self.source.text):
            return ()
        nodes = [node for node in walk(self.tree) if isinstance(node, ast.ClassDef)]
        return [ClassInfo(self, n) for n in nodes if self.classes.get(n.name) is not n]

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Top-level functions by name, but for those whose names the file binds otherwise, too."""
        found = {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}
        rest = [node for node in self.tree.body if not isinstance(node, ast.FunctionDef)]
        others = _bound_names(rest) if found else ()
        return {name: node for name, node in found.items() if name not in others}

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

_INDENTED = re.compile(r"\n[ \t]+class \w")

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
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                found.add(node.id)
            continue
        if isinstance(node, ast.Constant):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
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


@lru_cache(maxsize=8192)
def _methods_of(node: ast.ClassDef) -> dict[str, Function]:
    """See :attr:`ClassInfo.methods`: a class is looked up anew whenever any file changes, its node stays."""
    found = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    rebound = _rebound_in(node)
    return {name: method for name, method in found.items() if name not in rebound}


@lru_cache(maxsize=8192)
def _rebound_in(node: ast.ClassDef) -> frozenset[str]:
    """See :attr:`ClassInfo.rebound`."""
    return frozenset(_bound_names(n for n in node.body if not isinstance(n, ast.FunctionDef)))


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
        return _methods_of(self.node)

    @cached_property
    def rebound(self) -> frozenset[str]:
        """Names that the class body binds otherwise than by ``def`` at its margin: what they hold is not known."""
        return _rebound_in(self.node)

    def replaces(self, name: str) -> bool:
        """Tell whether a method of the class assigns something to ``self.<name>``."""
        if name not in self.module.maybe_stored:
            return False
        return any(
            _is_stored(node, name)
            for part in self.node.body
            for node in walk(glance(part) if isinstance(part, ast.FunctionDef) else part)
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
