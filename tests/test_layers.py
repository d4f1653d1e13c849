"""Imports go downwards only, and the tool never imports what it generates or runs on."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from codegen.store.identity import deciding_files

ROOT = Path(__file__).resolve().parent.parent

#: Layers of the tool from bottom to top; a module imports from its own layer's line or lower ones.
LAYERS = (
    (
        "errors",
        "trees.names",
        "trees.reexports",
        "trees.banners",
        "text",
        "store.system",
        "console.progress",
        "trees.history",
    ),
    ("output.checks",),
    (
        "expansion.model",
        "trees.dialect",
        "trees.definitions",
        "trees.config",
        "trees.sources",
        "output.helper_bundle",
        "output.scratch",
    ),
    (
        "trees.conventions",
        "expansion.parse",
        "trees.nametable",
        "trees.schema",
        "output.formatting",
        "run.outcome",
    ),
    ("expansion", "trees.tree", "rewrite"),
    (
        "output.render",
        "run.plan",
        "verify",
        "store.identity",
        "store.records",
        "store.seal",
        "store.journal",
    ),
    ("run.missing", "run.written", "run.job", "store.cache", "store.workspace", "console"),
    ("run.pool", "run.workers", "run.ahead", "run.edits", "run.copies"),
    ("run.engine", "run.rewriting", "run.evidence"),
    ("run.sync", "run.examine", "run.comparison", "run.rules", "run.orphans")
    + ("run.inherited", "run.helper_files", "run.init"),
    ("explain", "graph", "run.verification", "run.definition_checks", "review"),
    ("arguments",),
    ("cli", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
#: What loading the command line may not import: it is slow, or none of the tool's business.
FORBIDDEN = {"torch", "transformers", "utils", "generated", "definitions", "libcst"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "codegen").rglob("*.py")):
        parts = path.relative_to(ROOT / "codegen").with_suffix("").parts
        if parts[-1] != "__init__":
            yield layer_of(parts), path


def layer_of(parts: Sequence[str]) -> str:
    """The entry of ``LAYERS`` for a module below ``codegen``: itself, or the package it is in."""
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in names if name in LEVEL), ".".join(parts))


def is_for_types(node: ast.AST) -> bool:
    """Whether it is an ``if TYPE_CHECKING`` block, which never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Imported modules with line, and whether the import runs when the module is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(item)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or is_for_types(node)
        for item in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno, id(node) not in inside
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) not in inside


@pytest.mark.parametrize(("layer", "path"), [pytest.param(*m, id=m[1].stem) for m in modules()])
def test_imports_go_downwards(layer: str, path: Path) -> None:
    assert layer in LEVEL, f"{path.name}: put the module into LAYERS"
    for module, line, _ in imports(path):
        parts = module.split(".")
        if parts[0] == "codegen" and len(parts) > 1:
            target = layer_of(parts[1:])
            place = f"{path}:{line}"
            assert LEVEL[target] <= LEVEL[layer], f"{place}: {layer} imports {target}, above it"


@pytest.mark.parametrize(
    ("layer", "path"),
    # Verification runs models, in processes of its own.
    [pytest.param(*m, id=m[1].stem) for m in modules() if m[0] != "verify"],
)
def test_the_tool_does_not_load_what_it_generates(layer: str, path: Path) -> None:
    # What writes with libcst is loaded when there is something to write.
    forbidden = FORBIDDEN - {"libcst"} if path.parent.name == "emit" else FORBIDDEN
    for module, line, at_load in imports(path):
        if at_load:
            assert module.split(".")[0] not in forbidden, f"{path}:{line} loads {module}"


def reachable(module: str) -> set[Path]:
    """The files of the tool that a module can load, at once or later."""
    found: set[Path] = set()
    pending = [ROOT.joinpath(*module.split(".")).with_suffix(".py")]
    while pending:
        path = pending.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        for name in imported(path):
            place = ROOT.joinpath(*name.split("."))
            pending += [place.with_suffix(".py"), place / "__init__.py"]
    return found


def imported(path: Path) -> Iterator[str]:
    """Modules of the tool, and names in them that may be modules, which a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {id(each) for node in ast.walk(tree) if is_for_types(node) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in typing:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_tool_is_identified_by_what_can_reach_the_output() -> None:
    """An edit of anything else does not make caches worthless; what can be reached always does."""
    writing = reachable("codegen.run.sync")
    counted = {path for path in deciding_files() if path.suffix == ".py"}
    counted = {path for path in counted if path.name != "__init__.py"}
    writing = {path for path in writing if path.name != "__init__.py"}
    assert writing - counted == set(), "take it out of APART in codegen/store/identity.py"
    assert counted - writing == set(), "add it to APART in codegen/store/identity.py"


def test_templates_of_the_output_count() -> None:
    named = {
        node.value
        for path in reachable("codegen.run.sync")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and str(node.value).endswith(".j2")
        and "*" not in str(node.value)
    }
    assert named == {path.name for path in deciding_files() if path.suffix == ".j2"}


def test_runtime_helpers_import_only_torch() -> None:
    allowed = {"torch", "utils", "__future__", "collections", "typing", "dataclasses", "functools"}
    allowed |= {"itertools", "math", "platform", "contextlib", "enum", "re", "bisect"}
    for path in sorted((ROOT / "utils").glob("*.py")):
        for module, line, _ in imports(path):
            assert module.split(".")[0] in allowed, f"{path}:{line} imports {module}"
