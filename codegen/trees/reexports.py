"""Follow a name that a package hands on to the module that defines it, by reading, not importing.

``from transformers import LlamaModel`` names a package; the class stands in
``transformers.models.llama.modeling_llama``. Imports are followed as they are written, those for
type checkers and star imports included, and the tables of packages that load their parts late.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from codegen.trees.names import FILE_TYPES

_LATE = "_import_structure"
_LATE_ACCESS = re.compile(r"__getattr__|sys\.modules\[|globals\(\)|setattr\(|import_module")
_DEEPEST = 12
_NAMED = re.compile(rf"\.(?:{'|'.join(FILE_TYPES)})_\w+$")


@dataclass(frozen=True, slots=True)
class Home:
    """Where a name is defined; ``via`` are the files that were followed to it."""

    module: str
    name: str
    via: tuple[str, ...]


@dataclass(frozen=True)
class _Table:
    """What the module level of one file binds; ``given`` holds (module, name) of imported names."""

    defined: frozenset[str]
    given: dict[str, tuple[str, str]] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    exports: frozenset[str] | None = None


#: Source file of a module by its dotted name; None where there is none.
Locate = Callable[[str], "Path | None"]


def find_home(module: str, name: str, locate: Locate) -> Home | None:
    """The module that defines what ``from module import name`` gives; None if it cannot be told."""
    return _follow(module, name, locate, (), set())


def made_late(module: str, locate: Locate) -> bool:
    """Whether a module gives names when they are asked for, and does not say which it has."""
    path = locate(module)
    text = _text(path) if path else ""
    return "TYPE_CHECKING" not in text and _LATE_ACCESS.search(text) is not None


def similar_module(module: str, locate: Locate) -> str:
    """A module that exists and is called nearly so, or "" for none."""
    head, _, last = module.rpartition(".")
    path = locate(head) if head else None
    if head and path is None:
        head = similar_module(head, locate)
        path = locate(head) if head else None
    if path is None or path.name != "__init__.py":
        return ""
    known = [item.stem for item in path.parent.iterdir() if item.suffix == ".py" or item.is_dir()]
    close = [last] if last in known else get_close_matches(last, known, 1)
    return f"{head}.{close[0]}" if close else ""


def classes_near(module: str, locate: Locate) -> tuple[set[str], str]:
    """All classes in the folder of a module, and the text of all its files together.

    Reads a whole package: for what cannot be found otherwise, before it is called missing.
    """
    path = locate(module)
    files = sorted(path.parent.rglob("*.py")) if path else []
    text = "\n".join(_text(file) for file in files)
    return set(re.findall(r"^class (\w+)", text, re.MULTILINE)), text


def installed_file(module: str, root: str = "") -> Path | None:
    """Source file of an installed module, or of one in a project, found without importing it."""
    top, *rest = module.split(".")
    folder = installed_folder(top, root)
    if folder is None:
        return None
    return source_below(folder, rest)


def source_below(folder: Path, parts: Sequence[str]) -> Path | None:
    """The file of a module or package below a package's folder."""
    place = folder.joinpath(*parts)
    options = (place / "__init__.py", place.with_name(f"{place.name}.py") if parts else place)
    return next((path for path in options if path.is_file()), None)


def installed_folder(package: str, root: str = "") -> Path | None:
    """Folder of an installed package, or of one at the ``root`` of a project.

    It is found without being imported, and wherever the command is run.
    """
    if root and os.path.isfile(os.path.join(root, package, "__init__.py")):
        return Path(root, package)
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


def _follow(
    module: str, name: str, locate: Locate, via: tuple[str, ...], seen: set[str]
) -> Home | None:
    path = locate(module)
    if path is None or module in seen or len(via) > _DEEPEST:
        # What is generated may not stand there yet.
        return Home(module, name, via) if path is None and via and _NAMED.search(module) else None
    seen.add(module)
    via = (*via, str(path))
    table = _table(path, _package(module, path))
    if name in table.defined:
        return Home(module, name, via)
    if name in table.given:
        source, original = table.given[name]
        seen.discard(source)
        return _follow(source, original, locate, via, seen)
    for source in sorted(table.stars, key=lambda item: _affinity(item, name)):
        if _hands_on(source, name, locate):
            found = _follow(source, name, locate, via, seen)
            if found is not None:
                return found
    return None


def _hands_on(module: str, name: str, locate: Locate) -> bool:
    """Whether a star import of a module may bring a name."""
    path = locate(module)
    if path is None:
        return False
    if path.name != "__init__.py" and name not in _text(path):
        return False
    exports = _table(path, _package(module, path)).exports
    return name in exports if exports is not None else not name.startswith("_")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _affinity(module: str, name: str) -> int:
    """Star imports of modules that are called like the name come first: it saves reading the rest."""
    words = re.split(r"[._]", module.rpartition(".")[2])
    joined = "".join(words)
    lower = name.lower()
    if joined and lower.startswith(joined):
        return -len(joined)
    return 0 if any(word and word in lower for word in words) else 1


def _package(module: str, path: Path) -> str:
    """What relative imports of a module start from."""
    return module if path.name == "__init__.py" else module.rpartition(".")[0]


def _table(path: Path, package: str) -> _Table:
    state = path.stat()
    return _read_table(path, package, (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=4096)
def _read_table(path: Path, package: str, state: tuple[int, int]) -> _Table:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8-sig", errors="replace"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return _Table(frozenset())
    defined: set[str] = set()
    given: dict[str, tuple[str, str]] = {}
    stars: list[str] = []
    exports: set[str] | None = None
    for node in _statements(tree.body):
        if isinstance(node, ast.ImportFrom):
            source = _absolute(node, package)
            for item in node.names:
                if item.name == "*":
                    stars.append(source)
                else:
                    given[item.asname or item.name] = (source, item.name)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined.add(node.name)
            given.pop(node.name, None)
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            names = [item.id for item in ast.walk(node) if _stored(item)]  # type: ignore[attr-defined]
            if "__all__" in names and node.value is not None:
                exports = (exports or set()) | set(_strings(node.value))
            elif _LATE in ast.unparse(node)[: len(_LATE) + 2] and node.value is not None:
                given = {**_late(node, package), **given}
            defined.update(names)
    return _Table(frozenset(defined), given, tuple(stars), frozenset(exports) if exports else None)


def _stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of the module level, those in ``if`` and ``try`` blocks included."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            for key in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, key, []))
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    parts = package.split(".")
    start = parts[: len(parts) - node.level + 1] if node.level else []
    return ".".join([*start, *([node.module] if node.module else [])])


def _strings(node: ast.expr) -> Iterator[str]:
    for item in ast.walk(node):
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            yield item.value


def _late(
    node: ast.Assign | ast.AugAssign | ast.AnnAssign, package: str
) -> dict[str, tuple[str, str]]:
    """Names of a table ``{"module": ["Name", ...]}``, or of one of its entries."""
    found: dict[str, tuple[str, str]] = {}
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        pairs = [(target.slice, node.value)]
    elif isinstance(node.value, ast.Dict):
        pairs = [*zip(node.value.keys, node.value.values)]  # type: ignore[list-item]
    else:
        return found
    for key, value in pairs:
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and value is not None:
            for name in _strings(value):
                found[name] = (f"{package}.{key.value}", name)
    return found
