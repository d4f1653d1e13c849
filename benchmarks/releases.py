"""Rewrite whole releases and look at what comes out: every changed file imports, every known encoder agrees.

    python -m benchmarks.releases 4.57.1 5.0.0 5.5.4 5.10.4 5.24.0
    python -m benchmarks.releases 4.57.1 --path folder/with/its/requirements

A release is downloaded, rewritten beside the original, and both sides are imported in processes of their
own. What a release needs and this environment does not have (an older ``huggingface_hub``, ``tokenizers``)
can be installed into a folder (``pip install --target``) that ``--path`` puts in front. A file that the
original cannot import either is listed, but is nobody's fault. Then the encoders of
``python -m codegen verify`` that the release has are compared, on their default path and with everything
precomputed. Exit code 1 if a changed file does not import or an encoder differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trees import fetch_release
from codegen.errors import CodegenError
from codegen.run.outcome import Run
from codegen.run.sync import Options, sync
from codegen.store.cache import cache_folder
from codegen.trees.tree import open_tree
from codegen.verify import CheckResult, VerifyOptions, absent_models, verify

REPOSITORY = Path(__file__).resolve().parent.parent
_IMPORTS = """\
import importlib, json, sys
from pathlib import Path
from codegen.verify.overlay import install
from codegen.verify.torchvision_operators import declare_torchvision_operators

declare_torchvision_operators()
search, overlay, *names = json.loads(sys.argv[1])
install(Path(search), "transformers", Path(overlay) if overlay else None)
problems = {}
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        problems[name] = f"{type(error).__name__}: {error}"
print("\\n" + json.dumps(problems))
"""


@dataclass(frozen=True, slots=True)
class Imports:
    """Changed modules of a release, and those that do not import: rewritten only, or on both sides."""

    changed: tuple[str, ...]
    broken: dict[str, str]
    known: dict[str, str]


def rewrite(release: Path) -> tuple[Path, Run]:
    """Rewrite a release beside the original: the folder that stands for its package, and how it went.

    Raises:
        CodegenError: a model could not be rewritten.
    """
    overlay = cache_folder(open_tree(release, None)) / "rewritten"
    tree = open_tree(release, overlay)
    run = sync(tree, [], Options(force=True, rewrite=True))
    if run.problems:
        raise CodegenError(*run.problems)
    return overlay / tree.package_dir, run


def rewritten(release: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder of the rewritten files of a release, and the modules that differ from the original.

    Raises:
        CodegenError: a model could not be rewritten.
    """
    package, _ = rewrite(release)
    tree = open_tree(release, None)
    changed = []
    for path in sorted(package.rglob("*.py")):
        inside = Path(tree.package_dir, path.relative_to(package))
        original = tree.root / inside
        is_definition = path.name.startswith("modular_")
        if not is_definition and (
            not original.is_file() or original.read_bytes() != path.read_bytes()
        ):
            module = (*Path("transformers", path.relative_to(package)).parts,)
            changed.append(".".join(module).removesuffix(".py").removesuffix(".__init__"))
    return package, tuple(changed)


def imports(release: Path, overlay: Path, modules: Sequence[str], path: str) -> Imports:
    """Import the changed modules on both sides."""
    problems = []
    for folder in ("", str(overlay)):
        job = json.dumps([str(release), folder, *modules])
        places = [str(REPOSITORY), path, os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
        command = [sys.executable, "-c", _IMPORTS, job]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        problems.append(json.loads(done.stdout.strip().rpartition("\n")[2]))
    original, new = problems
    # A module that only the rewritten tree has cannot be compared, and has to import.
    added = {
        name
        for name in original
        if not (release / name.replace(".", "/")).with_suffix(".py").is_file()
    }
    broken = {name: why for name, why in new.items() if name not in original or name in added}
    known = {name: why for name, why in new.items() if name not in broken}
    return Imports(tuple(modules), broken, known)


def check_release(version: str, path: str, checks: str, models: Sequence[str]) -> bool:
    """Print what holds for a release; True if all of it does."""
    release = fetch_release(version)
    overlay, modules = rewritten(release)
    found = imports(release, overlay, modules, path)
    good = len(found.changed) - len(found.broken) - len(found.known)
    print(f"{version}: {len(found.changed)} files changed, {good} import")
    for name, why in found.broken.items():
        print(f"  does not import: {name}: {why}")
    for name, why in found.known.items():
        print(f"  neither does the original: {name}: {why}")
    if not checks:
        return not found.broken
    results = _verified(release, overlay, path, checks, models)
    misses = [result for result in results if not result.ok]
    encoders = {result.case for result in results}
    print(f"  {len(results) - len(misses)} of {len(results)} checks hold, {len(encoders)} encoders")
    for miss in misses:
        note = miss.note or f"difference {miss.difference:.1e}"
        print(f"  miss: {miss.case} {miss.attention} ({miss.check}) {note}")
    return not found.broken and not misses


def _verified(
    release: Path, overlay: Path, path: str, checks: str, models: Sequence[str]
) -> tuple[CheckResult, ...]:
    if path:
        os.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, (path, os.environ.get("PYTHONPATH", "")))
        )
    options = VerifyOptions(
        release / "transformers", overlay, tuple(models), attention=("eager",), checks=checks
    )
    gone = absent_models(options)
    if gone:
        print(f"  not in this release: {', '.join(gone)}")
    return verify(options)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.releases", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("releases", nargs="+")
    parser.add_argument("--path", default="", help="folder with packages that a release needs")
    parser.add_argument("--checks", default="ab", help="of codegen verify; empty for imports only")
    parser.add_argument("--models", nargs="*", default=[])
    arguments = parser.parse_args()
    results = [
        check_release(version, arguments.path, arguments.checks, arguments.models)
        for version in arguments.releases
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
