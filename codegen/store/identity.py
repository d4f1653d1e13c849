"""The identity of the tool: a digest of everything but the sources that decides the output."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from codegen import __version__
from codegen.output.helper_bundle import helper_folder
from codegen.output.render import template_folder
from codegen.trees.tree import Tree


def tool_identity(tree: Tree, rewrite: bool) -> str:
    """Digest of everything but the sources that decides the output."""
    parts = [__version__, sys.version, str(tree.root), str(tree.output), tree.kind, tree.version]
    parts += [repr(tree.config), tree.formatting.identity(), str(rewrite)]
    digest = hashlib.sha256("\n".join(parts).encode())
    package = Path(__file__).parents[1]
    files = {*package.rglob("*.py"), *template_folder().glob("*.j2")}
    if rewrite:
        files.update(helper_folder().glob("*.py"))
    else:
        files.difference_update((package / "rewrite").rglob("*.py"))
    for path in sorted(files.difference((package / "verify").rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
