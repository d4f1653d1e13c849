"""Load the expansion a second time, with strings that keep their places (:mod:`origins`).

The expansion cuts and joins plain strings, and is not told of anything else: what it does to them is
followed here, whatever it does. Its modules are read once more under another name, with the few
operations changed in which Python itself would forget the places:

    f"{lead}{text}"          interpolated(lead, text)
    "".join(pieces)          spliced("", pieces)
    pattern.sub(new, text)   substitute(pattern, new, text)

and with an ``ast`` whose names are cut out of the text that was parsed. Everything else is as it runs
in `sync`, which pays nothing for it.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from codegen.explain.compiled import keep_code, kept_code
from codegen.explain.origins import (
    SOURCES,
    Traced,
    interpolated,
    joined,
    respelled,
    substituted,
)
from codegen.text.lexer import Lexed, lex
from codegen.text.lines import LineMap

#: The package as whose modules the second copies are known.
_COPY = "_codegen_traced"
#: What is copied: all that handles the text of definitions and parents. The rest is shared.
_COPIED = ("text", "expansion", "trees", "output.render", "run.job", "run.missing", "run.written")
_FOLDER = Path(__file__).parents[1]
_OWN_SOURCE = Path(__file__).read_bytes()


def load(module: str) -> Any:
    """The copy of a module, named as below ``codegen``: ``run.job``."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # In front: the folders of the package are where the usual finder would look.
        sys.meta_path.insert(0, _Finder())
    return importlib.import_module(f"{_COPY}.{module}")


def _is_copied(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in _COPIED)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the copies: their sources are those of the modules themselves."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        if fullname.partition(".")[0] != _COPY:
            return None
        inside = fullname.split(".")[1:]
        place = _FOLDER.joinpath(*inside)
        package = place.is_dir()
        file = place / "__init__.py" if package else place.with_suffix(".py")
        if not file.is_file():
            return None
        return importlib.util.spec_from_file_location(
            fullname,
            file,
            loader=_Loader(fullname, str(file)),
            submodule_search_locations=[str(place)] if package else None,
        )


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module with its string operations changed."""

    def get_code(self, fullname: str) -> Any:
        """See :class:`importlib.abc.InspectLoader`; the compiled form is kept where Python keeps its own."""
        path = self.get_filename(fullname)
        source = self.get_data(path)
        return kept_code(path, source, _OWN_SOURCE) or keep_code(
            path,
            source,
            _OWN_SOURCE,
            compile(_changed(ast.parse(source)), path, "exec", dont_inherit=True),
        )

    def exec_module(self, module: ModuleType) -> None:
        """See :class:`importlib.abc.Loader`."""
        vars(module).update(_interpolated=interpolated, _spliced=spliced, _substitute=substitute)
        super().exec_module(module)
        if vars(module).get("ast") is ast:
            vars(module)["ast"] = _named_ast()
        replace = _REPLACED.get(module.__name__.removeprefix(f"{_COPY}."))
        if replace:
            replace(module)


def _changed(tree: ast.Module) -> ast.Module:
    _Operations().visit(tree)
    return ast.fix_missing_locations(tree)


class _Operations(ast.NodeTransformer):
    """Replaces the operations that forget places."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """An f-string; a part with a format of its own stays what it is."""
        self.generic_visit(node)
        parts: list[ast.expr] = []
        for value in node.values:
            plain = isinstance(value, ast.FormattedValue) and value.conversion == -1
            if isinstance(value, ast.FormattedValue):
                whole = plain and value.format_spec is None
                parts.append(value.value if whole else ast.JoinedStr([value]))
            else:
                parts.append(value)
        return _call("_interpolated", parts, node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.expr:
        """Format specifications are no strings of their own."""
        node.value = self.visit(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """``join`` and ``sub``, of whatever object: what it is shows when it is called."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute):
            return node
        if node.func.attr == "join" and len(node.args) == 1 and not node.keywords:
            return _call("_spliced", [node.func.value, *node.args], node)
        if node.func.attr == "sub":
            return _call("_substitute", [node.func.value, *node.args], node, node.keywords)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        """Copies import copies."""
        package, _, inside = (node.module or "").partition(".")
        if package == "codegen" and _is_copied(inside):
            node.module = f"{_COPY}.{inside}"
        return node


def _call(
    name: str, arguments: list[ast.expr], node: ast.expr, keywords: Sequence[ast.keyword] = ()
) -> ast.expr:
    call = ast.Call(ast.Name(name, ast.Load()), arguments, list(keywords))
    return ast.copy_location(call, node)


def spliced(owner: Any, pieces: Any) -> Any:
    """``owner.join(pieces)``."""
    return joined(owner, pieces) if isinstance(owner, str) else owner.join(pieces)


def substitute(owner: Any, *arguments: Any, **options: Any) -> Any:
    """``owner.sub(...)`` of a pattern or of the module ``re``."""
    if owner is re:
        owner = re.compile(arguments[0], options.pop("flags", 0))
        arguments = arguments[1:]
    if isinstance(owner, re.Pattern):
        return substituted(owner, *arguments, **options)
    return owner.sub(*arguments, **options)


# -- syntax trees --------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _named_ast() -> ModuleType:
    module = ModuleType("ast")
    vars(module).update(vars(ast))
    vars(module)["parse"] = _parse
    return module


def _parse(source: str, *arguments: Any, **options: Any) -> Any:
    """``ast.parse``; names of definitions and imports are cut out of the text."""
    tree = ast.parse(source, *arguments, **options)
    if isinstance(source, Traced):
        _cut_names(tree, source)
    return tree


def _cut_names(tree: ast.AST, source: Traced) -> None:
    lines = LineMap(str.__str__(source))
    for node in _statements(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            keyword = "class" if isinstance(node, ast.ClassDef) else "def"
            start = lines.offset(node.lineno, node.col_offset)
            begin = lines.text.index(node.name, lines.text.index(keyword, start) + len(keyword))
            node.name = source[begin : begin + len(node.name)]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            _cut_import(node, source, lines)


def _cut_import(node: ast.Import | ast.ImportFrom, source: Traced, lines: LineMap) -> None:
    for alias in node.names:
        begin = lines.offset(alias.lineno, alias.col_offset)
        if source.startswith(alias.name, begin):
            alias.name = source[begin : begin + len(alias.name)]
        if alias.asname:
            end = lines.offset(alias.end_lineno or 0, alias.end_col_offset or 0)
            alias.asname = source[end - len(alias.asname) : end]
    if isinstance(node, ast.ImportFrom) and node.module:
        begin = lines.offset(node.lineno, node.col_offset) + len("from")
        found = source.find(node.module, begin, lines.offset(*_first(node.names)))
        if found >= 0:
            node.module = source[found : found + len(node.module)]


def _first(names: Sequence[ast.alias]) -> tuple[int, int]:
    return names[0].lineno, names[0].col_offset


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            yield node
        for block in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, block, ())
            pending += inner if isinstance(inner, list) else ()


# -- what is replaced as a whole -----------------------------------------------------------------


@lru_cache(maxsize=4096)
def _lexed(text: str) -> Lexed:
    return lex(text)


def _plain_lexer(module: ModuleType) -> None:
    # What belongs to strings and comments does not depend on where a text comes from.
    vars(module)["lex"] = lambda text: _lexed(str.__str__(text))


def _traced_sources(module: ModuleType) -> None:
    plain = module.make_source

    def make_source(path: str, name: str, text: str) -> Any:
        return plain(path, name, SOURCES.traced(path, text))

    vars(module)["make_source"] = make_source


def _spelled_apart(*class_names: str) -> Callable[[ModuleType], None]:
    """New spellings are kept by name; each time one is asked for, it stands in another place."""

    def replace(module: ModuleType) -> None:
        for owner in (getattr(module, name) for name in class_names):
            owner.name = _respelling(owner.name)

    return replace


def _respelling(plain: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    return lambda self, name: respelled(plain(self, str.__str__(name)), name)


def _plain_questions(module: ModuleType) -> None:
    """Which file a module name leads to does not depend on where that name is written."""
    for owner in (module.TransformersConvention, module.ProjectConvention):
        for name in ("parent_module", "base_home", "stays_import"):
            setattr(owner, name, _untraced(getattr(owner, name)))


def _untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *arguments: Any) -> Any:
        return function(self, *(str.__str__(each) for each in arguments))

    return call


def _plain_edits(module: ModuleType) -> None:
    """A new name was cut out where it is defined; in an edit it stands where the old one is."""
    plain = module.Renderer._apply

    def apply(self: Any, start: int, end: int, edits: list[tuple[int, int, str]]) -> str:
        text: str = plain(self, start, end, [(*edit[:2], str.__str__(edit[2])) for edit in edits])
        return text

    module.Renderer._apply = apply


def _kept_names(module: ModuleType) -> None:
    """A private name is made of the parent's name and the method's, as that is written in the parent."""
    plain = module.Privates.name_for

    def name_for(self: Any, name: str, line: int) -> str:
        binders = [member for member in self.above if name in member.sure]
        own = getattr(binders[-1].node, "name", name) if binders else name
        known: str = plain(self, own if own == name else name, line)
        return known

    module.Privates.name_for = name_for


def _named_sites(module: ModuleType) -> None:
    """What stands for ``super().name`` ends with a name that was written there."""
    plain = module._Fold._resolve

    def resolve(self: Any, site: Any) -> list[tuple[int, int, str]]:
        edits: list[tuple[int, int, str]] = list(plain(self, site))
        name = str.__str__(site.name).strip("_")
        if edits and edits[0][2].endswith(name) and name:
            start, end, text = edits[0]
            there = self.child.text[start:end]
            at = there.rfind(name)
            if at >= 0:
                edits[0] = start, end, text[: -len(name)] + there[at : at + len(name)]
        return edits

    module._Fold._resolve = resolve


def _spliced_templates(module: ModuleType) -> None:
    module._environment().concat = lambda pieces: joined("", pieces)


# -- what imports were chosen from ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """An import that would give a name if the chosen one did not: the place of its name, and whether
    it names the same thing in the same module."""

    place: int
    same: bool


class Choices:
    """What else could have given the imported names of one model, by the place of the chosen name."""

    def __init__(self) -> None:
        self.everything: list[Any] | None = None
        self.others: dict[int, tuple[Candidate, ...]] = {}

    def begin(self) -> None:
        """Forget what was said of another model."""
        self.everything, self.others = None, {}

    def record(self, pool: Sequence[Any], chosen: Iterable[Any]) -> None:
        """Note what else of the pool gives the names that were chosen; the next in order comes first."""
        known: dict[str, list[tuple[Any, Any]]] = {}
        for statement in _flat(self.everything if self.everything is not None else pool):
            for name in statement.names:
                known.setdefault(str.__str__(name.bound), []).append((statement.module, name))
        for statement in _flat(chosen):
            for name in statement.names:
                place = _place(name.bound)
                others = (
                    Candidate(_place(each.bound), (module, each) == (statement.module, name))
                    for module, each in known.get(str.__str__(name.bound), ())
                )
                found = {each.place: each for each in others if each.place not in (0, place)}
                if place and found:
                    self.others[place] = tuple(found.values())


CHOICES = Choices()


def _flat(entries: Iterable[Any]) -> Iterator[Any]:
    """Import statements, also those in guards."""
    for entry in entries:
        yield from getattr(entry, "body", (entry,))


def _place(name: str) -> int:
    return next(filter(None, name.places), 0) if isinstance(name, Traced) else 0


def _whole_pool(module: ModuleType) -> None:
    """The pool leaves out what is in it already; if that were not, this would be."""
    plain = module.build_pool

    def build_pool(
        own: Any, created: Any, parents: Any, model: str, convention: Any, provides: Any
    ) -> Any:
        everything = [*own, *created]

        def adapt_import(*arguments: Any) -> Any:
            adapted = list(convention.adapt_import(*arguments))
            everything.extend(adapted)
            return adapted

        noting = SimpleNamespace(adapt_import=adapt_import)
        pool = plain(own, created, parents, model, noting, provides)
        CHOICES.everything = everything
        return pool

    vars(module)["build_pool"] = build_pool


def _recorded_choice(module: ModuleType) -> None:
    plain = module.select_imports

    def select_imports(pool: Sequence[Any], *rest: Any) -> Any:
        chosen = plain(pool, *rest)
        CHOICES.record(pool, chosen)
        return chosen

    vars(module)["select_imports"] = select_imports


_REPLACED: dict[str, Callable[[ModuleType], None]] = {
    "text.lexer": _plain_lexer,
    "trees.sources": _traced_sources,
    "trees.conventions": _plain_questions,
    "expansion.build_pool": _whole_pool,
    "expansion.pool": _recorded_choice,
    "expansion.rename": _spelled_apart("Spelling", "PairSpelling"),
    "expansion.fold.private": _kept_names,
    "expansion.fold.folding": _named_sites,
    "expansion.link.naming": _spelled_apart("Naming", "PairNaming"),
    "expansion.link.render": _plain_edits,
    "output.render": _spliced_templates,
}
