"""Mutation testing: how many small faults the fast tests of a folder notice.

    python -m benchmarks.mutation [--folder rewrite store utils] [--sample 200] [--seed 1] [--jobs 2]

The mutants are those of cosmic-ray. A seeded sample is drawn over all places that its operators can change,
one variant a place; each mutant is put into a copy of the repository, and the tests that run through its
line are run there. Left out are what cannot change behaviour: annotations (they are never evaluated here),
``is`` for ``==`` on interned values, ``@cache``. Mutants that were found to be equivalent by reading stand in
``mutation_equivalents.toml``, with the reason. Exit 1 where less than 85 % of a folder's sample are killed.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENTS = Path(__file__).with_name("mutation_equivalents.toml")
WANTED = 0.85
#: Folder: the sources that are mutated, and its fast tests.
FOLDERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "rewrite": ("codegen/rewrite", ("tests/rewrite",)),
    "store": ("codegen/store", ("tests/store", "tests/cli")),
    "utils": ("utils", ("tests/utils",)),
}
_PYTEST = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed line: where it is, and the whole file with the change."""

    path: str
    line: int
    old: str
    new: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.old.strip()}  ->  {self.new.strip()}"


def find_mutants(folder: str, count: int, seed: int) -> list[Mutant]:
    """A seeded sample of the mutants of a folder's sources."""
    places: dict[tuple[str, tuple[int, int], str], list[tuple[str, int]]] = defaultdict(list)
    for path in sorted((ROOT / folder).rglob("*.py")):
        kept_out = _annotations(path)
        for name, occurrence, start in _occurrences(path):
            if start not in kept_out:
                family = name.split("_")[0]
                places[str(path.relative_to(ROOT)), start, family].append((name, occurrence))
    generator = random.Random(seed)
    keys = sorted(places)
    generator.shuffle(keys)
    found: list[Mutant] = []
    for key in keys:
        mutant = _mutant(key[0], *generator.choice(places[key]))
        if mutant is not None and not _changes_nothing(mutant):
            found.append(mutant)
        if len(found) == count:
            break
    return found


def _occurrences(path: Path) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """Operator, number and position of all that cosmic-ray would change in a file."""
    import cosmic_ray.plugins
    from cosmic_ray.ast import ast_nodes, get_ast_from_path

    nodes = list(ast_nodes(get_ast_from_path(path)))
    for name in cosmic_ray.plugins.operator_names():
        kind = cosmic_ray.plugins.get_operator(name)
        if kind.arguments() or name.endswith(("_Is", "_IsNot")):
            continue
        operator = kind()
        positions = (start for node in nodes for start, _ in operator.mutation_positions(node))
        yield from ((name, number, start) for number, start in enumerate(positions))


def _mutant(path: str, name: str, occurrence: int) -> Mutant | None:
    import cosmic_ray.plugins
    from cosmic_ray.mutating import mutate_code

    old = (ROOT / path).read_text(encoding="utf-8")
    new = mutate_code(old.encode(), cosmic_ray.plugins.get_operator(name)(), occurrence)
    if new is None:
        return None
    text = new.decode() if isinstance(new, bytes) else new
    before, after = old.split("\n"), text.split("\n")
    at = next((n for n, pair in enumerate(zip(before, after)) if pair[0] != pair[1]), None)
    return None if at is None else Mutant(path, at + 1, before[at], after[at], text)


def _annotations(path: Path) -> set[tuple[int, int]]:
    """Positions of binary operators inside annotations, as cosmic-ray tells them."""
    found: set[tuple[int, int]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        annotations = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for annotation in filter(None, annotations):
            last = annotation.end_lineno or annotation.lineno
            for line in range(annotation.lineno, last + 1):
                first = annotation.col_offset if line == annotation.lineno else 0
                end = annotation.end_col_offset if line == last else 1000
                found |= {(line, column) for column in range(first, end or 1000)}
    return found


def _changes_nothing(mutant: Mutant) -> bool:
    try:
        if ast.dump(ast.parse(mutant.text)) == ast.dump(
            ast.parse((ROOT / mutant.path).read_text())
        ):
            return True
    except SyntaxError:
        return True
    removed = mutant.old.strip()
    return (
        removed.startswith(("@cache", "@lru_cache", "@functools.cache")) and removed != mutant.new
    )


def covering_tests(
    sources: str, tests: Sequence[str], copy: Path
) -> dict[str, dict[int, set[str]]]:
    """Tests that run through a line, by file and line; "" stands for what runs on import."""
    from coverage import CoverageData

    command = [sys.executable, *_PYTEST, f"--cov={sources}", "--cov-context=test", "--cov-report="]
    done = subprocess.run([*command, *tests], cwd=copy, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the tests fail without any mutant:\n{done.stdout[-3000:]}")
    data = CoverageData(str(copy / ".coverage"))
    data.read()
    found: dict[str, dict[int, set[str]]] = {}
    for file in data.measured_files():
        lines = data.contexts_by_lineno(file)
        path = Path(file).resolve().relative_to(copy.resolve()).as_posix()
        found[path] = {
            line: {c.split("|")[0] for c in contexts} for line, contexts in lines.items()
        }
    return found


def is_killed(mutant: Mutant, tests: Sequence[str], copy: Path) -> bool:
    """Whether the tests fail, or hang, with the mutant in the copy."""
    place = copy / mutant.path
    before = place.read_text(encoding="utf-8")
    place.write_text(mutant.text, encoding="utf-8")
    try:
        command = [sys.executable, *_PYTEST, *tests]
        done = subprocess.run(command, cwd=copy, capture_output=True, timeout=_LONGEST, check=False)
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        place.write_text(before, encoding="utf-8")


def equivalents() -> set[tuple[str, str, str]]:
    """Mutants that change nothing that can be seen: path, line before, line after."""
    data = tomllib.loads(EQUIVALENTS.read_text(encoding="utf-8"))
    return {(item["path"], item["old"], item["new"]) for item in data.get("mutant", [])}


def copy_repository(target: Path) -> Path:
    """The files that git knows, in a folder of their own."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\n"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def run_folder(folder: str, sample: int, seed: int, jobs: int) -> tuple[int, list[Mutant]]:
    """Number of mutants that count, and those of them that survived."""
    sources, tests = FOLDERS[folder]
    tests = tuple(test for test in tests if (ROOT / test).exists())
    known = equivalents()
    with tempfile.TemporaryDirectory(prefix="mutation-") as temporary:
        copies: Queue[Path] = Queue()
        for number in range(jobs):
            copies.put(copy_repository(Path(temporary) / str(number)))
        first = copies.get()
        lines = covering_tests(sources, tests, first)
        copies.put(first)
        mutants = [
            mutant
            for mutant in find_mutants(sources, sample, seed)
            if (mutant.path, mutant.old.strip(), mutant.new.strip()) not in known
        ]

        def attempt(mutant: Mutant) -> bool:
            covering = lines.get(mutant.path, {}).get(mutant.line, set())
            chosen = tests if "" in covering else sorted(covering)
            if not chosen:
                return False
            copy = copies.get()
            try:
                return is_killed(mutant, chosen, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(jobs) as pool:
            killed = list(pool.map(attempt, mutants))
    return len(mutants), [mutant for mutant, dead in zip(mutants, killed) if not dead]


def main() -> int:
    """Run the folders and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    scores = Counter[str]()
    failed = False
    for folder in options.folder:
        total, alive = run_folder(folder, options.sample, options.seed, options.jobs)
        scores[folder] = total - len(alive)
        share = scores[folder] / max(total, 1)
        failed |= share < WANTED
        print(f"{folder}: {scores[folder]} of {total} killed ({share:.0%})", flush=True)
        for mutant in alive:
            print(f"  alive: {mutant}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
