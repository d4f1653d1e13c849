"""What moving from one release of a library to another does to the generated files of a project.

The definitions are those of the project at hand; they are expanded once with each release in front
of everything else that is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from codegen.errors import fail
from codegen.review.build import Question
from codegen.review.sides import make_side, read_folder
from codegen.run.sync import Options
from codegen.trees.sources import glance
from codegen.trees.tree import Tree, open_tree


def is_library(folder: Path) -> bool:
    """Whether a folder holds an unpacked release or a checkout of a library."""
    return any(
        (folder / place / "models").is_dir() for place in ("transformers", "src/transformers")
    )


def drift_question(tree: Tree, old: Path, new: Path, options: Options) -> Question:
    """The generated files of a project under two releases, and the sources they come from."""
    sides = []
    for folder in (old, new):
        texts = dict(read_folder(tree, "").texts)
        library = open_tree(folder, None)
        package = library.root / library.package_dir
        with tempfile.TemporaryDirectory(prefix="codegen-drift-") as output:
            _expand(tree, package.parent, Path(output), options)
            for old_path in [path for path in texts if path.startswith(f"{tree.config.output}/")]:
                del texts[old_path]
            for path in Path(output).rglob("*.py"):
                texts[path.relative_to(output).as_posix()] = glance(path)
        models = package / "models"
        for path in models.rglob("*.py"):
            inside = path.relative_to(package.parent).as_posix()
            texts[_installed(inside, tree)] = glance(path)
        made = make_side(str(folder), tree, texts)
        own = {p: d for p, d in made.generated.items() if p.startswith(f"{tree.config.output}/")}
        definitions = {
            p: m for p, m in made.definitions.items() if p.startswith(f"{tree.config.definitions}/")
        }
        sides.append(replace(made, generated=own, definitions=definitions))
    return Question(tree, sides[0], sides[1], parents_only=True)


def _installed(inside: str, tree: Tree) -> str:
    """The path under which the project finds a module of the installed library."""
    found = tree.source_path(".".join(inside.removesuffix(".py").split("/")))
    return found or inside


def _expand(tree: Tree, library: Path, output: Path, options: Options) -> None:
    ours = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": f"{library}{os.pathsep}{ours}"}
    command = [sys.executable, "-P", "-m", "codegen", "sync", "--quiet", "--no-cache"]
    if sys.version_info < (3, 11):
        command.remove("-P")
    command += ["--root", str(tree.root), "--output", str(output)]
    command += ["--rewrite"] if options.rewrite else []
    done = subprocess.run(
        command, env=environment, cwd=output, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = done.stderr.strip().split("\n")[0]
        hint = "every definition has to expand under both releases"
        raise fail("drift", f"cannot expand with {library}: {last}", "", 0, hint)
