"""Time placeholder expansion: ours, the helper that a release ships, and the loop it replaced.

    python -m benchmarks.placeholders [--release 5.14.1]

Prints, per input, how many times as long the others take as ours, with and without offsets (CPU time, best
of several rounds, taken in turn in one process). The shipped helper is read from the release's source.
"""

from __future__ import annotations

import argparse
import ast
import re
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from benchmarks.trees import fetch_release
from utils.processing_utils import get_text_with_replacements

TOKEN = "<image>"
UNIT = "<unit>"
_ROUNDS = 7


def inputs() -> dict[str, tuple[list[str], list[str]]]:
    """Texts and replacements by name."""

    def words(count: int) -> str:
        return "a prompt of words " * (count // 18 + 1)

    def case(count: int, units: int, characters: int = 18) -> tuple[list[str], list[str]]:
        part = words(characters // max(count, 1))
        return [part.join([TOKEN] * count) + part], [UNIT * units] * count

    return {
        "1 x 256": case(1, 256),
        "64 x 256": case(64, 256),
        "1024 x 256": case(1024, 256),
        "1024 x 16": case(1024, 16),
        "1 x 256 in 100,000 characters": case(1, 256, 100_000),
        "64 x 256 in 1,000,000 characters": case(64, 256, 1_000_000),
        "64 texts, 1 x 256 each": ([f"see {TOKEN} there"] * 64, [UNIT * 256] * 64),
        "1024 texts without": (["a prompt of words"] * 1024, [UNIT]),
        "200, different counts": (case(200, 1)[0], [UNIT * (7 * n % 300 + 1) for n in range(200)]),
    }


def shipped_helper(release: str) -> Callable[[list[str], list[str]], Any]:
    """The helper method of a release, taken out of its class."""
    path = fetch_release(release) / "transformers/processing_utils.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    owner = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "ProcessorMixin")
    wanted = {"get_text_with_replacements", "all_special_multimodal_tokens"}
    methods = [n for n in owner.body if isinstance(n, ast.FunctionDef) and n.name in wanted]
    names: dict[str, Any] = {"re": re, "Any": Any}
    for method in methods:
        method.decorator_list = []
        exec(compile(ast.Module([method], []), str(path), "exec"), names)
    holder = SimpleNamespace(image_token=TOKEN, video_token=None, audio_token=None)
    special = names.get("all_special_multimodal_tokens")
    if special is not None:
        holder.all_special_multimodal_tokens = special(holder)
    return lambda text, values: names["get_text_with_replacements"](holder, list(text), values)


def sentinel_loop(text: Sequence[str], values: Sequence[str]) -> list[str]:
    """What processors did before: one replacement at a time, over a sentinel."""
    result, index = [], 0
    for content in text:
        while TOKEN in content:
            sentinel = "<|placeholder|>" * (len(values[index]) // len(UNIT))
            content = content.replace(TOKEN, sentinel, 1)
            index += 1
        result.append(content.replace("<|placeholder|>", UNIT))
    return result


def best(call: Callable[[], Any], budget: float) -> float:
    """CPU seconds of one call, the least of several rounds within a budget."""
    started = time.process_time()
    call()
    once = time.process_time() - started
    repeats = max(1, min(2000, int(budget / max(once, 1e-6) / _ROUNDS)))
    found = []
    for _ in range(_ROUNDS if once < budget else 1):
        started = time.process_time()
        for _ in range(repeats):
            call()
        found.append((time.process_time() - started) / repeats)
    return min(found)


def measure(text: list[str], values: list[str], shipped: Callable[..., Any]) -> dict[str, float]:
    """Seconds of every way on one input; the results are compared first."""

    def ours(wanted: bool) -> Any:
        return get_text_with_replacements(
            text, TOKEN, values, return_replacement_offsets=wanted, allow_surplus=True
        )

    expected = ours(True)
    assert shipped(text, values)[0] == expected[0] == sentinel_loop(text, values)
    return {
        "ours": best(lambda: ours(False), 0.3),
        "ours, offsets": best(lambda: ours(True), 0.3),
        "shipped": best(lambda: shipped(text, values), 0.3),
        "sentinel loop": best(lambda: sentinel_loop(text, values), 0.3),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--release", default="5.14.1")
    shipped = shipped_helper(parser.parse_args().release)
    print(f"{'input':34}{'shipped':>10}{'shipped/ours+offsets':>22}{'sentinel loop':>15}")
    for name, (text, values) in inputs().items():
        times = measure(text, values, shipped)
        ours, offsets = times["ours"], times["ours, offsets"]
        loop = times["sentinel loop"] / ours
        print(
            f"{name:34}{times['shipped'] / ours:10.1f}{times['shipped'] / offsets:22.1f}{loop:15.1f}"
        )


if __name__ == "__main__":
    main()
