"""Run the library's own model tests on a tree and on its rewritten copy, and compare.

    pip download --no-deps --no-binary transformers transformers==5.8.1    # then unpack it
    python -m benchmarks.model_tests path/to/transformers-5.8.1 --release 5.8.1
    python -m benchmarks.model_tests path/to/checkout --root path/to/checkout --models qwen2_vl mlcd

The first argument is a folder with ``tests/``. A checkout has tests of every model, and those are run;
a source distribution has only the tests that all models share, which then get the small models of
:mod:`benchmarks.model_suite`. Needs parameterized and accelerate. Exit code 0 if every test that
passes on the original passes on the rewritten tree, 1 otherwise, 2 if they could not be run. Tests that
fail on both sides for different reasons are listed, too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trees import fetch_release
from codegen.errors import CodegenError
from codegen.run.sync import Options, sync
from codegen.trees.tree import Tree, open_tree

REPOSITORY = Path(__file__).resolve().parent.parent
SIDES = ("original", "rewritten")
_STUB = "from benchmarks.model_generation import GenerationTests as GenerationTesterMixin\n"
_SUITE = 'from benchmarks.model_suite import suite\n\nglobals().update(suite("{model}"))\n'
# The same weights and data on both sides, and no doubt about which package is tested.
_CONFTEST = """\
import os, pytest, torch, transformers

def pytest_configure():
    assert transformers.__file__.startswith(os.environ["TESTED_PACKAGE"]), transformers.__file__

@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
"""


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of one test: passed, failed or skipped, and the first line of the reason."""

    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Tests of one model on both sides. ``worse`` passed on the original only, ``other`` fail on
    both for different reasons or are skipped on one."""

    model: str
    tests: int
    passed: tuple[int, int]
    skipped: tuple[int, int]
    worse: tuple[str, ...]
    other: tuple[str, ...]

    @property
    def row(self) -> str:
        """A line of the table."""
        (left, right), (_, skipped) = self.passed, self.skipped
        differing = len(self.worse) + len(self.other)
        return f"{self.model:18}{self.tests:7}{left:10}{right:11}{skipped:9}{differing:11}"


HEADER = f"{'model':18}{'tests':>7}{'original':>10}{'rewritten':>11}{'skipped':>9}{'differing':>11}"
Results = Mapping[str, Result]


def rewritten_copy(tree: Tree, folder: Path) -> Path:
    """A copy of the tree's package with the output of ``sync --rewrite`` laid over it."""
    package = tree.root / tree.package_dir
    copied = folder / "rewritten/transformers"
    shutil.copytree(package, copied, ignore=shutil.ignore_patterns("__pycache__"))
    output = folder / "overlay"
    rewritten = open_tree(tree.root, output)
    run = sync(rewritten, [], Options(cache=False, rewrite=True))
    if run.problems:
        raise CodegenError(*run.problems)
    shutil.copytree(output / tree.package_dir, copied, dirs_exist_ok=True)
    return copied.parent


def lay_out(source: Path, models: list[str], folder: Path) -> None:
    """Lay out the tests: those of the source, ours where it has none for a model."""
    tests = folder / "tests"
    shutil.copytree(source / "tests", tests, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    for path, text in (("generation/test_utils.py", _STUB), *_suites(models)):
        place = tests / path
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    for parent in {path.parent for path in tests.rglob("*.py")} | {tests / "models"}:
        (parent / "__init__.py").touch()


def _suites(models: list[str]) -> list[tuple[str, str]]:
    return [(f"models/{m}/test_modeling_{m}.py", _SUITE.format(model=m)) for m in models]


def run_tests(model: str, package: Path, folder: Path, python: str, limit: int) -> Results:
    """Run one model's tests with the package in ``package``; no result if the run had no time."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    path = os.pathsep.join(
        filter(None, map(str, (package, folder, REPOSITORY, os.environ.get("PYTHONPATH", ""))))
    )
    settings = {"HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    settings |= {"PYTHONPATH": path, "TESTED_PACKAGE": str(package)}
    command = [python, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]
    command += [
        "-p",
        "no:warnings",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        f"--junitxml={report}",
    ]
    done = subprocess.run(
        [*command, f"tests/models/{model}"],
        cwd=folder,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
    )
    if not report.is_file():
        raise RuntimeError(f"the tests of {model} did not run:\n{done.stdout[-2000:]}")
    # pytest's code 2 is a collection that failed: equal on both sides, it would count as agreement.
    if done.returncode not in (0, 1):
        reasons = ElementTree.parse(report).iterfind(".//testcase/error")
        told = "\n".join(reason.text or "" for reason in reasons)
        raise RuntimeError(f"the tests of {model} were not collected:\n{told[-2000:]}")
    return read_report(report)


def read_report(report: Path) -> Results:
    """Outcomes by test name from a JUnit report; a test with a failed part has failed."""
    found: dict[str, Result] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name', '')}"
        problems = [child for child in case if child.tag in ("failure", "error")]
        skips = [child for child in case if child.tag == "skipped"]
        state = "failed" if problems else "skipped" if skips else "passed"
        reason = next((c.get("message", "").split("\n")[0] for c in (*problems, *skips)), "")
        if name not in found or found[name].outcome != "failed":
            found[name] = Result(state, reason)
    return found


def compare(model: str, original: Results, rewritten: Results) -> Comparison:
    """Counts and differences of one model."""
    worse, other = [], []
    for name in sorted({*original, *rewritten}):
        left, right = (side.get(name, Result("missing")) for side in (original, rewritten))
        line = f"{name}: {left.outcome}, now {right.outcome} {right.reason}".rstrip()
        if left.outcome == "passed" != right.outcome:
            worse.append(line)
        elif left != right:
            other.append(f"{line} (was: {left.reason})")
    sides = (original, rewritten)
    passed, skipped = (
        tuple(sum(r.outcome == state for r in side.values()) for side in sides)
        for state in ("passed", "skipped")
    )
    return Comparison(
        model,
        len(original),
        (passed[0], passed[1]),
        (skipped[0], skipped[1]),
        tuple(worse),
        tuple(other),
    )


def main() -> int:
    """Compare from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.model_tests", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("source", type=Path, help="a folder with tests/")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--release", metavar="VERSION", help="release to fetch and rewrite")
    where.add_argument("--root", type=Path, metavar="DIR", help="a tree that is already there")
    parser.add_argument("--models", nargs="+", default=[], metavar="MODEL")
    parser.add_argument("--python", default=sys.executable, help="interpreter that runs the tests")
    parser.add_argument("--limit", type=int, default=1800, metavar="SECONDS", help="per model")
    options = parser.parse_args()
    try:
        return _compare_models(options)
    except (CodegenError, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 2


def _compare_models(options: argparse.Namespace) -> int:
    from benchmarks.model_suite import suite_models

    tree = open_tree(fetch_release(options.release) if options.release else options.root, None)
    models = options.models or suite_models()
    regressed = False
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lay_out(options.source, models, folder)
        packages = ((tree.root / tree.package_dir).parent, rewritten_copy(tree, folder))
        print(HEADER, flush=True)
        for model in models:
            results = [
                run_tests(model, package, folder, options.python, options.limit)
                for package in packages
            ]
            found = compare(model, *results)
            print(found.row, flush=True)
            for line in (*found.worse, *found.other):
                print(f"    {line[:300]}", flush=True)
            regressed = regressed or bool(found.worse)
    return int(regressed)


if __name__ == "__main__":
    sys.exit(main())
