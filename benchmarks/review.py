"""What a review saves on whole releases: seeded edits of root classes, and pairs of releases.

``python -m benchmarks.review`` edits copies of a release (a method of a root, an argument threaded
through the models that have it, a decorator), syncs them, and prints for each edit: files reached,
changes, hunks and lines of a plain difference and of the review, the share of lines with an edit,
and the time beside that of the sync. ``--pairs 5.22.2:5.23.0`` reviews the way between releases.
"""

from __future__ import annotations

import argparse
import gc
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trees import fetch_release
from codegen.review.ask import Asked, make_question
from codegen.review.build import Question, build_report
from codegen.review.model import Report
from codegen.review.sides import read_folder
from codegen.run.sync import Options, sync
from codegen.trees.tree import open_tree


@dataclass(frozen=True)
class Seed:
    """A named edit of hand-written files: it takes path and text and gives the new text."""

    name: str
    edit: Callable[[str, str], str]


def _in(file: str, old: str, new: str) -> Callable[[str, str], str]:
    def edit(path: str, text: str) -> str:
        return text.replace(old, new, 1) if path.endswith(file) else text

    return edit


_FORWARD = re.compile(
    r"(class (\w+)(?:Attention|Attn)\(nn\.Module\):.*?def forward\(\n\s+self,\n\s+hidden_states[^\n]*\n)",
    re.DOTALL,
)


def _thread_argument(path: str, text: str) -> str:
    """Give the attention of every hand-written model a further argument."""
    if not path.rpartition("/")[2].startswith("modeling_"):
        return text
    return _FORWARD.sub(r"\1        attention_temperature: float | None = None,\n", text, count=1)


SEEDS = (
    Seed(
        "root method changed",
        _in(
            "modeling_llama.py",
            "down_proj = self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))",
            "gate = self.act_fn(self.gate_proj(x))\n"
            "        down_proj = self.down_proj(gate * self.up_proj(x))",
        ),
    ),
    Seed(
        "decorator added",
        _in(
            "modeling_llama.py",
            "def apply_rotary_pos_emb(",
            "@torch.compiler.disable\ndef apply_rotary_pos_emb(",
        ),
    ),
    Seed(
        "root attribute renamed",
        lambda path, text: (
            text.replace("self.variance_epsilon", "self.epsilon")
            if path.endswith("modeling_llama.py")
            else text
        ),
    ),
    Seed("argument threaded", _thread_argument),
)


def copy_release(release: Path, target: Path) -> Path:
    """The part of a release that generated files are made of."""
    package = release / "transformers"
    shutil.copytree(package / "models", target / "transformers/models")
    shutil.copy(package / "__init__.py", target / "transformers/__init__.py")
    return target


def seeded(base: Path, target: Path, seed: Seed) -> Iterator[str]:
    """Make an edit on a copy; gives the files that it changes."""
    shutil.copytree(base, target)
    for path in sorted(target.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "automatically generated" in text[:900]:
            continue
        new = seed.edit(path.as_posix(), text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            yield path.name


def measure(base: Path, head: Path, fresh: bool) -> tuple[Report, float]:
    """The review of two folders and the CPU seconds that it takes, freshness aside."""
    if fresh:
        question = make_question(Asked((str(base), str(head))), Options())
        started = time.process_time()
    else:
        started = time.process_time()
        tree, other = open_tree(head, None), open_tree(base, None)
        question = Question(tree, read_folder(other, str(base), tree), read_folder(tree, str(head)))
    report = build_report(question)
    return report, time.process_time() - started


def show(name: str, report: Report, seconds: float, beside: float | None) -> None:
    """One line of results."""
    numbers = report.summary
    by_hunks = numbers.hunks / max(numbers.read_hunks, 1)
    by_lines = numbers.lines / max(numbers.read_lines, 1)
    alone = sum(len(change.variants) for change in report.changes if change.edit is None)
    time_beside = f" (sync {beside:.1f} s)" if beside is not None else ""
    print(
        f"{name}: {len(numbers.sources)} sources, {numbers.files} files, "
        f"{len(report.changes)} changes; hunks {numbers.hunks} -> {numbers.read_hunks} "
        f"({by_hunks:.1f} x), lines {numbers.lines} -> {numbers.read_lines} ({by_lines:.1f} x, "
        f"{100 * numbers.read_lines / max(numbers.lines, 1):.0f} % to read); "
        f"{numbers.attributed} % attributed, {alone + len(report.unexplained)} hunks without an edit; "
        f"{len(report.risks)} risks; {seconds:.1f} s CPU{time_beside}",
        flush=True,
    )


def main() -> None:
    """Measure seeded edits of a release, then pairs of releases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="5.8.1")
    parser.add_argument("--seeds", nargs="*", default=[seed.name for seed in SEEDS])
    parser.add_argument("--pairs", nargs="*", default=[], metavar="OLD:NEW")
    arguments = parser.parse_args()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        base = None
        for index, seed in enumerate(SEEDS):
            if seed.name not in arguments.seeds:
                continue
            if base is None:
                base = copy_release(fetch_release(arguments.release), Path(folder, "base"))
                sync(open_tree(base, None), [], Options())
            head = Path(folder, f"head{index}")
            changed = list(seeded(base, head, seed))
            assert changed, f"{seed.name}: nothing to edit in {arguments.release}"
            started = time.process_time()
            run = sync(open_tree(head, None), [], Options(1, cache=False))
            beside = time.process_time() - started
            assert not run.problems, run.problems
            report, seconds = measure(base, head, False)
            show(seed.name, report, seconds, beside)
    for pair in arguments.pairs:
        old, new = (fetch_release(version) for version in pair.split(":"))
        report, seconds = measure(old, new, False)
        show(pair, report, seconds, None)


if __name__ == "__main__":
    main()
