"""Compare what the processors of two trees did, and predict batches from single items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LACK = ("StopIteration", "IndexError", "RuntimeError: generator raised StopIteration")

Recorded = Mapping[str, Any]


@dataclass(frozen=True)
class ProcessorResult:
    """Outcome of one processor.

    ``same`` of ``prompts`` gave the same; ``mended`` ended in the error of an iterator or a list and now in one that
    says what is wrong. ``predicted`` of ``predictable`` batches are what single items say. ``kept`` is
    whether the caller's texts stay as they are. ``note`` says what went wrong, or why nothing was compared.
    """

    model: str
    built: bool
    prompts: int = 0
    same: int = 0
    mended: int = 0
    predicted: int = 0
    predictable: int = 0
    kept: bool = True
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing was missed: of what could not be built nothing is known."""
        agrees = self.same + self.mended == self.prompts and self.predicted == self.predictable
        return not self.built or (agrees and self.kept)


def compare(before: Sequence[Recorded], after: Sequence[Recorded]) -> list[ProcessorResult]:
    """The outcomes of all processors, in order; what was built before has to be built after."""
    return [_compare(old, new) for old, new in zip(before, after)]


def _compare(old: Recorded, new: Recorded) -> ProcessorResult:
    model = old["model"]
    if old["why"]:
        return ProcessorResult(model, False, note=old["why"])
    if new["why"]:
        return ProcessorResult(model, True, 1, note=f"rewritten: {new['why']}")
    same = mended = 0
    note = ""
    if old["placeholders"] != new["placeholders"]:
        note = "other placeholders become something"
    runs = [*zip(old["singles"].values(), new["singles"].values())]
    runs += zip(old["outcomes"], new["outcomes"])
    for first, second in runs:
        if _agree(first, second):
            same += 1
        elif first["error"].startswith(_LACK) and second["error"].startswith("ValueError"):
            mended += 1
        elif not note:
            note = f"{first['prompt']!r}: {_said(first)} became {_said(second)}"
    predicted, predictable = _predictions(old, new)
    if predicted < predictable and not note:
        note = "single items do not predict a batch any more"
    kept = not any(outcome["changed"] for outcome in new["outcomes"])
    if not kept and not note:
        note = "the caller's texts are changed"
        kept = any(outcome["changed"] for outcome in old["outcomes"])
    return ProcessorResult(model, True, len(runs), same, mended, predicted, predictable, kept, note)


def _agree(first: Recorded, second: Recorded) -> bool:
    return all(first[key] == second[key] for key in ("texts", "digest", "error"))


def _said(outcome: Recorded) -> str:
    return outcome["error"] or str(outcome["texts"])[:160]


def _predictions(old: Recorded, new: Recorded) -> tuple[int, int]:
    """How many batches the rewritten processor gives as single items say, of those that the original does."""
    right = 0
    total = 0
    for first, second in zip(old["outcomes"], new["outcomes"]):
        if first["error"] or second["error"] or not first["texts"]:
            continue
        expected = _expected(old, first)
        if expected is None or expected != first["texts"]:
            continue  # what a placeholder becomes depends on what stands around it
        total += 1
        right += _expected(new, second) == second["texts"]
    return right, total


def _expected(record: Recorded, outcome: Recorded) -> list[str] | None:
    """The texts of a batch with what single items became in the place of their placeholders."""
    learned: dict[str, list[str]] = {}
    for name, single in record["singles"].items():
        if single["error"] or len(single["texts"]) != 1:
            return None
        before, after = single["prompt"][0].split(record["placeholders"][name.split()[0]])
        text = single["texts"][0]
        if not text.startswith(before) or not text.endswith(after):
            return None
        learned.setdefault(name.split()[0], []).append(text[len(before) : len(text) - len(after)])
    texts = []
    for text, pieces in zip(outcome["prompt"], outcome["pieces"]):
        del text
        texts.append("".join(p if isinstance(p, str) else learned[p[0]][p[1]] for p in pieces))
    return texts


def format_processors(results: Sequence[ProcessorResult]) -> str:
    """One line per processor; those that were not built are listed below."""
    built = [result for result in results if result.built]
    width = max([len("processor"), *(len(result.model) for result in built)])
    lines = [f"{'processor':{width}}  equal    mended  predicted"]
    for r in built:
        mark = "" if r.ok else "  MISS"
        note = f"  {r.note}" if r.note else ""
        counts = f"{r.same:3} of {r.prompts:3}  {r.mended:4}  {r.predicted:3} of {r.predictable:3}"
        lines.append(f"{r.model:{width}}  {counts}{mark}{note}")
    lines += [f"not built: {r.model}: {r.note}" for r in results if not r.built]
    missed = sum(not r.ok for r in built)
    lines.append(
        f"{len(built) - missed} of {len(built)} processors hold, {len(results) - len(built)} not built"
    )
    return "\n".join(lines)
