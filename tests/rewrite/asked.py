"""Functions of the passes that are asked about code, and what they say, as lines that can be read.

An input is a line ``name=value  name=value``: expressions and statements as they are spelled (of long ones the
beginning), classes and methods by name, names and numbers in quotes or plain. Where it needs a file, the name of a
golden case, and perhaps one edit of a line of it, stand in front in brackets; an index or module is that of the
case. What is spelled like a part of a value before it is that part.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType
from typing import Any

import numpy as np

import codegen.rewrite
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.sites import Site, find_sites
from codegen.rewrite.values import Settings
from codegen.rewrite.vocabulary import DEFAULT
from codegen.text.lines import LineMap
from tests.rewrite.edited import name_of
from tests.rewrite.test_rules import CASES, DictLibrary, read_case

PACKAGE = "codegen.rewrite."
#: Nodes are spelled in so many characters.
SHORT = 72
#: Types that a file gives, without a word.
GIVEN = ("Index", "ModuleInfo", "RewriteState", "Vocabulary")
NAMES = re.compile(r"(?:Collection|Sequence|Iterable|Set|frozenset|set|list)\[str\]")
ARRAYS = ("np.ndarray", "Ints")
BLOCKS = ("Sequence[ast.stmt]", "list[ast.stmt]", "Iterable[ast.stmt]")
_EDIT = re.compile(r"\[(\S+?)(?:: (\d+) (.+?) -> (.*?))?\] (?=\w+=|$)")
_VALUE = re.compile(r"(?:^|  )(\w+)=")


@dataclass(frozen=True, eq=False)
class Place:
    """A golden case, perhaps with one edit: its files as the passes see them."""

    name: str
    files: Mapping[str, str]

    @cached_property
    def parsed(self) -> Index:
        """An index that has read everything."""
        index = Index(DictLibrary(self.files), lambda text: True)
        for module in index.library.modules():
            index.get(module)
        return index

    @property
    def index(self) -> Index:
        """An index that has concluded nothing yet."""
        index = Index(self.parsed.library, lambda text: True)
        index.take(self.parsed)
        return index

    @property
    def state(self) -> RewriteState:
        """The state in front of all passes."""
        state = RewriteState(self.parsed.library, Settings())
        state.index.take(self.parsed)
        return state

    @cached_property
    def sites(self) -> dict[str, Site]:
        """What is seen in the loops of each function, as ``Class.method 0``; what stays too."""
        found = {}
        for name, function in self.functions.items():
            for stay in (False, True):
                for number, site in enumerate(find_sites(self.module, function, stay)):
                    found[f"{name}{' stays' * stay} {number}"] = site
        return found

    @cached_property
    def module(self) -> ModuleInfo:
        """The first file."""
        info = self.parsed.get(next(iter(self.files)).removesuffix(".py").replace("/", "."))
        assert info is not None
        return info

    @cached_property
    def classes(self) -> dict[str, ClassInfo]:
        """Classes of the first file."""
        return {name: ClassInfo(self.module, node) for name, node in self.module.classes.items()}

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """Functions and methods of the first file, as ``Class.method``."""
        methods = {f"{c}.{n}": f for c, cls in self.classes.items() for n, f in cls.methods.items()}
        return {**self.module.functions, **methods}


@cache
def place(name: str, line: int = 0, old: str = "", new: str = "") -> Place:
    """A case by name, with the first ``old`` in a line replaced."""
    case = read_case({name_of(path): path for path in CASES}[name])
    (first, text), *rest = case.files.items()
    lines = text.split("\n")
    if line:
        lines[line - 1] = lines[line - 1].replace(old, new, 1)
    full = f"{name}: {line} {old} -> {new}" if line else name
    return Place(full, {first: "\n".join(lines), **dict(rest)})


# -- functions -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Asked:
    """A function of the passes, and the types of its parameters in words."""

    name: str
    function: Callable[..., Any]
    kinds: Mapping[str, str]

    @property
    def needs_file(self) -> bool:
        """Whether it is asked about more than nodes and names."""
        of_files = ("Function", "ClassInfo", "Site", *GIVEN, *BLOCKS)
        return any(kind in of_files for kind in self.kinds.values())


def modules() -> dict[str, ModuleType]:
    """The modules of the passes."""
    found = pkgutil.walk_packages(codegen.rewrite.__path__, PACKAGE)
    return {m.name.removeprefix(PACKAGE): importlib.import_module(m.name) for m in found}


def asked(name: str, module: ModuleType) -> dict[str, Asked]:
    """The functions of a module that can be asked, by name."""
    members = dict(vars(module))
    for cls in (Index, ModuleInfo, ClassInfo):
        if cls.__module__ == module.__name__:
            members |= {f"{cls.__name__}.{n}": f for n, f in vars(cls).items()}
    found = {}
    for short, member in members.items():
        function: Any = (
            inspect.unwrap(member) if inspect.isroutine(member) or callable(member) else None
        )
        if not inspect.isfunction(function) or function.__module__ != module.__name__:
            continue
        owner = short.rpartition(".")[0]
        taken = inspect.signature(function).parameters.values()
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY) for p in taken):
            continue
        kinds = {p.name: owner if owner and p.name == "self" else str(p.annotation) for p in taken}
        if all(map(is_known, kinds.values())) and not {*kinds.values()} <= {*GIVEN}:
            found[f"{name}.{short}"] = Asked(f"{name}.{short}", function, kinds)
    return found


def is_known(kind: str) -> bool:
    """Whether values of a type can be made of a case or of words."""
    plain = ("Function", "ClassInfo", "Site", "str", "int", "bool", *GIVEN, *BLOCKS, *ARRAYS)
    return kind in plain or NAMES.fullmatch(kind) is not None or bool(types_of(kind))


def types_of(kind: str) -> tuple[type[ast.AST], ...]:
    """The nodes that a parameter takes, by its annotation; none if it takes anything else."""
    parts = [part for part in kind.split(" | ") if part != "None"]
    parts = ["ast.FunctionDef" if part == "Function" else part for part in parts]
    if not all(part.startswith("ast.") for part in parts):
        return ()
    return tuple(getattr(ast, part.removeprefix("ast.")) for part in parts)


# -- inputs as lines -----------------------------------------------------------------------------


def spelled(node: ast.AST, text: LineMap | None = None) -> str:
    """A node on one line, of long ones the beginning; as it stands in a text, if one is given."""
    if isinstance(node, ast.FunctionDef):
        return node.name
    if text is None:
        return _short(ast.unparse(node))
    start, end = text.span(node)
    return _short(text.text[start : min(end, start + 4 * SHORT)])


def _short(code: str) -> str:
    line = " ".join(code.split())
    return line if len(line) <= SHORT else f"{line[: SHORT - 3]}..."


def in_words(where: Place | None, kinds: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The line of an input."""
    words = [
        f"{name}={_word(where, kind, values[name])}"
        for name, kind in kinds.items()
        if kind not in GIVEN
    ]
    return (f"[{where.name}] " if where is not None else "") + "  ".join(words)


def _word(where: Place | None, kind: str, value: Any) -> str:
    if isinstance(value, ClassInfo):
        return value.name
    if isinstance(value, ast.FunctionDef) and where is not None:
        return next((n for n, f in where.functions.items() if f is value), value.name)
    if kind in BLOCKS:
        return _word(where, "", value.owner)
    if isinstance(value, Site) and where is not None:
        return next(n for n, s in where.sites.items() if s is value)
    if isinstance(value, ast.AST):
        return spelled(value, where.module.text if where is not None else None)
    return repr(value.tolist() if isinstance(value, np.ndarray) else value)


class Block(list[ast.stmt]):
    """Statements, and what they are the body of."""

    def __init__(self, owner: ast.AST) -> None:
        super().__init__(owner.body)  # type: ignore[attr-defined]
        self.owner = owner


def read(line: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    """The arguments that a line names; ValueError if they cannot be found."""
    where, line = where_of(line)
    found = [m for m in _VALUE.finditer(line) if m[1] in kinds]
    ends = [m.start() for m in found[1:]] + [len(line)]
    words = {m[1]: line[m.end() : end] for m, end in zip(found, ends)}
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind in GIVEN:
            values[name] = given(where, kind)
        else:
            values[name] = _read(words[name], kind, where, values)
    return values


def where_of(line: str) -> tuple[Place | None, str]:
    """The case that a line names, and the rest of it."""
    match = _EDIT.match(line)
    if match is None:
        return None, line
    name, number, old, new = match.groups()
    return place(name, int(number or 0), old or "", new or ""), line[match.end() :]


def given(where: Place | None, kind: str) -> Any:
    """What a case gives."""
    names = {"Index": "index", "ModuleInfo": "module", "RewriteState": "state"}
    return DEFAULT if kind == "Vocabulary" else getattr(where, names[kind])


def _read(word: str, kind: str, where: Place | None, before: Mapping[str, Any]) -> Any:
    types = types_of(kind)
    if kind in BLOCKS:
        return Block(_read(word, "ast.AST", where, before))
    if kind == "ClassInfo" and where is not None:
        return where.classes[word]
    if kind == "Site" and where is not None:
        return where.sites[word]
    may_be = types or (ast.FunctionDef,)
    is_function = any(issubclass(ast.FunctionDef, each) for each in may_be)
    if (
        where is not None
        and word in where.functions
        and is_function
        and (types or kind == "Function")
    ):
        return where.functions[word]
    if not types and kind != "Function":
        value = ast.literal_eval(word)
        return np.array(value) if kind in ARRAYS else value
    text = where.module.text if where is not None else None
    around = [n for n in before.values() if isinstance(n, ast.AST)]
    around += [where.module.tree] if where is not None else []
    for node in (inner for outer in around for inner in ast.walk(outer)):
        if isinstance(node, may_be) and has_place(node) and spelled(node, text) == word:
            return node
    return parsed(word, types)


def has_place(node: ast.AST) -> bool:
    """Whether a node is one that can be spelled."""
    return isinstance(node, (ast.expr, ast.stmt, ast.keyword))


_SPELLED = (ast.expr, ast.stmt, ast.keyword, ast.arguments)


def parsed(word: str, types: tuple[type[ast.AST], ...]) -> ast.AST:
    """A node of one of some types that is spelled so; ValueError if there is none."""
    for text in (word, f"lambda {word}: 0", f"f({word})"):
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, types) and isinstance(node, _SPELLED) and spelled(node) == word:
                return node
    raise ValueError(f"no such code: {word}")
