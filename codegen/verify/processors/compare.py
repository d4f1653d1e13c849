"""Compare what the processors of two trees did, and predict batches from single items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codegen.verify.contract import HELPER

_LACK = ("StopIteration", "IndexError", "RuntimeError: generator raised StopIteration")

Recorded = Mapping[str, Any]


@dataclass(frozen=True)
class ProcessorResult:
    """Outcome of one processor.

    ``same`` of ``prompts`` gave the same; ``mended`` ended in the error of an iterator or a list and now in one that
    says what is wrong. ``predicted`` of ``predictable`` batches are what single items say. ``kept`` is
    whether the caller's texts stay as they are, ``as_before`` whether the original changes them as well and
    no pass has moved its loop; ``routed`` of ``expanded`` prompts have become what
    the shared helper returned, and ``exempt`` says why others may not. ``note`` says what went wrong,
    or why nothing was compared.
    """

    model: str
    built: bool
    prompts: int = 0
    same: int = 0
    mended: int = 0
    predicted: int = 0
    predictable: int = 0
    kept: bool = True
    routed: int = 0
    expanded: int = 0
    exempt: str = ""
    note: str = ""
    as_before: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing was missed: of what could not be built nothing is known."""
        agrees = self.same + self.mended == self.prompts and self.predicted == self.predictable
        helped = self.routed == self.expanded or bool(self.exempt)
        return not self.built or (agrees and (self.kept or self.as_before) and helped)


def compare(
    before: Sequence[Recorded], after: Sequence[Recorded], left: Mapping[str, str] | None = None
) -> list[ProcessorResult]:
    """The outcomes of all processors, in order; what was built before has to be built after.

    Args:
        before: what the processors of the original tree did.
        after: those of the rewritten one.
        left: by model why the passes have left an expansion as it is.
    """
    reasons = left or {}
    return [_compare(old, new, reasons.get(old["model"], "")) for old, new in zip(before, after)]


def _compare(old: Recorded, new: Recorded, left: str) -> ProcessorResult:
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
    runs += zip(old["others"], new["others"], strict=True)
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
    exempt = left or _exempt(new)
    if not kept and not note:
        note = "the caller's texts are changed"
    expansions = [outcome for outcome in new["outcomes"] if _expands(outcome)]
    routed = sum(outcome["routed"] for outcome in expansions)
    if routed < len(expansions) and not exempt and not note:
        note = f"expands beside {HELPER}, and no pass says why"
    return ProcessorResult(
        *(model, True, len(runs), same, mended, predicted, predictable, kept),
        *(routed, len(expansions), exempt, note),
        as_before=bool(exempt) and any(outcome["changed"] for outcome in old["outcomes"]),
    )


def _agree(first: Recorded, second: Recorded) -> bool:
    return all(first[key] == second[key] for key in ("texts", "digest", "error"))


def _said(outcome: Recorded) -> str:
    return outcome["error"] or str(outcome["texts"] or outcome["digest"])[:160]


def _expands(outcome: Recorded) -> bool:
    """Whether a call has put something in the place of placeholders."""
    placed = any(not isinstance(piece, str) for text in outcome["pieces"] for piece in text)
    return not outcome["error"] and placed and outcome["items"] > 0


def _exempt(record: Recorded) -> str:
    """Why a processor needs no helper, by the form of what it does."""
    names = record["placeholders"]
    if None in names.values():
        return "takes texts or images, never both: it has no placeholder to expand"
    if "" in names.values():
        return "writes tokens beside the text: its prompts have no placeholder"
    if not any(_grows(record, key) for key in record["singles"]):
        return "a placeholder stays what it is: nothing takes its place"
    return ""


def _grows(record: Recorded, key: str) -> bool:
    single = record["singles"][key]
    placeholder = record["placeholders"][key.split()[0]]
    return bool(single["texts"]) and f"a {placeholder} b" not in single["texts"][0]


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
    """The texts of a batch with what single items became in the place of their placeholders.

    What is written around every single prompt is written around those of a batch as well.
    """
    learned: dict[str, list[str]] = {}
    around: set[tuple[str, str]] = set()
    for name, single in record["singles"].items():
        modality = name.split()[0]
        placeholder = record["placeholders"][modality]
        if single["error"] or len(single["texts"]) != 1 or not placeholder:
            return None
        front, found, rest = single["texts"][0].partition("a ")
        became, closed, behind = rest.rpartition(" b")
        if not found or not closed:
            return None
        around.add((front, behind))
        learned.setdefault(modality, []).append(became)
    if len(around) != 1:
        return None
    ((front, behind),) = around
    return [
        front + "".join(p if isinstance(p, str) else learned[p[0]][p[1]] for p in pieces) + behind
        for pieces in outcome["pieces"]
    ]
