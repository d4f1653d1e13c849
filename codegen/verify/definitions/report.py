"""The results of :mod:`codegen.verify.definitions.processes` as a table, and as data for tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codegen.verify.definitions.compare import Finding
from codegen.verify.definitions.processes import DefinitionResult

#: The closed list of the README, by number.
ENTRIES = {1: "names and roles", 2: "markers, decorators, parameters", 3: "replaced assignment"}
_MOST = 5


def format_definitions(results: Sequence[DefinitionResult], verbose: bool = False) -> str:
    """One line per definition; differences below, then what the closed list explains."""
    width = max([len("definition"), *(len(item.model) for item in results)])
    lines = [f"{'definition':{width}}  state     names  members  runs  listed"]
    for item in results:
        counts = [item.compared.get(key, 0) for key in ("names", "members", "runs")]
        listed = sum(bool(finding.listed) for finding in item.findings)
        cells = f"{counts[0]:5}  {counts[1]:7}  {counts[2]:4}  {listed:6}"
        lines.append(f"{item.model:{width}}  {item.state:8}  {cells}")
    for item in results:
        lines += _details(item, verbose)
    good = sum(item.ok for item in results)
    lines.append(f"{good} of {len(results)} definitions mean what is generated from them")
    return "\n".join(lines)


def _details(item: DefinitionResult, verbose: bool) -> list[str]:
    lines = [f"{item.state}: {item.path}: {item.reason}"] if item.reason else []
    different = [finding for finding in item.findings if not finding.listed]
    lines += [f"differs: {item.model}: {finding}" for finding in different[:_MOST]]
    if len(different) > _MOST:
        lines.append(f"differs: {item.model}: and {len(different) - _MOST} more")
    for number, words in ENTRIES.items():
        found = [finding for finding in item.findings if finding.listed == number]
        if found and (verbose or number == 3):
            lines += [f"listed ({words}): {item.model}: {finding}" for finding in found]
    lines += [f"noted: {note}" for note in item.notes]
    return lines


def as_data(results: Sequence[DefinitionResult]) -> list[dict[str, Any]]:
    """The results for ``--format json``."""
    return [
        {
            "model": item.model,
            "definition": item.path,
            "state": item.state,
            "reason": item.reason or None,
            "compared": dict(item.compared),
            "differences": [_finding(f) for f in item.findings if not f.listed],
            "listed": [_finding(f) for f in item.findings if f.listed],
            "notes": list(item.notes),
        }
        for item in results
    ]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "place": finding.place,
        "defined": finding.plain,
        "generated": finding.generated,
        "entry": finding.listed or None,
    }
