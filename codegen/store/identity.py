"""The identity of the tool: a digest of everything but the sources that decides the output."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from codegen import __version__
from codegen.output.helper_bundle import helper_folder
from codegen.output.render import template_folder
from codegen.trees.tree import Tree

#: Parts of the package that read, word or check the output and never decide it; and templates of pages.
#: `tests/test_layers.py` holds this against what the commands that write can import.
APART = (
    "__main__.py",
    "arguments.py",
    "cli.py",
    "console",
    "explain",
    "graph",
    "review",
    "verify",
    "rewrite/input_types.py",
    "run/definition_checks.py",
    "run/init.py",
    "run/verification.py",
    "trees/schema.py",
)
_PAGES = ("*.html.j2", "init_*.j2")


def deciding_files() -> set[Path]:
    """The modules and templates that can decide what is written, passes included."""
    package, templates = Path(__file__).parents[1], template_folder()
    files = {*package.rglob("*.py"), *templates.glob("*.j2")}
    for name in APART:
        files.discard(package / name)
        files.difference_update((package / name).rglob("*.py"))
    return files.difference(*(templates.glob(pattern) for pattern in _PAGES))


def tool_identity(tree: Tree, rewrite: bool) -> str:
    """Digest of everything but the sources that decides the output."""
    parts = [__version__, sys.version, str(tree.root), str(tree.output), tree.kind, tree.version]
    parts += [repr(tree.config), tree.formatting.identity(), str(rewrite)]
    digest = hashlib.sha256("\n".join(parts).encode())
    package = Path(__file__).parents[1]
    files = deciding_files()
    if rewrite:
        files.update(helper_folder().glob("*.py"))
    else:
        files.difference_update((package / "rewrite").rglob("*.py"))
    if rewrite and tree.kind == "project":
        files.update(pass_files(tree.config.passes, tree.root))
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def pass_files(references: tuple[str, ...], root: Path) -> tuple[Path, ...]:
    """The files that decide what own passes do, as far as can be told without loading them."""
    files: set[Path] = set()
    for reference in references:
        place = reference.rpartition(":")[0]
        if place.endswith(".py"):
            files.update((root / place).parent.glob("*.py"))
        elif place:
            files.update(_module_files(place))
    return tuple(sorted(files))


def _module_files(name: str) -> list[Path]:
    top, *rest = name.split(".")
    try:
        spec: Any = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if not spec.submodule_search_locations:
        return [Path(spec.origin)] if spec.has_location else []  # not of one that is built in
    place = Path(next(iter(spec.submodule_search_locations)), *rest)
    return [found for found in (place.with_suffix(".py"), place / "__init__.py") if found.is_file()]
