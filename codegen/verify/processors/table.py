"""The table of compared processors."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.verify.processors.compare import ProcessorResult


def format_processors(results: Sequence[ProcessorResult]) -> str:
    """One line per processor; those that were not built are listed below."""
    built = [result for result in results if result.built]
    width = max([len("processor"), *(len(result.model) for result in built)])
    lines = [f"{'processor':{width}}  equal    mended  predicted  texts    by helper"]
    for r in built:
        mark = "" if r.ok else "  MISS"
        notes = [
            f"  {text}" for text in (r.note, r.exempt if r.routed < r.expanded else "") if text
        ]
        counts = f"{r.same:3} of {r.prompts:3}  {r.mended:4}  {r.predicted:3} of {r.predictable:3}"
        texts = "kept" if r.kept else "as was" if r.as_before else "changed"
        contract = f"{texts:7}  {r.routed:3} of {r.expanded:3}"
        lines.append(f"{r.model:{width}}  {counts}  {contract}{mark}{';'.join(notes)}")
    lines += [f"not built: {r.model}: {r.note}" for r in results if not r.built]
    missed = sum(not r.ok for r in built)
    lines.append(
        f"{len(built) - missed} of {len(built)} processors hold, {len(results) - len(built)} not built"
    )
    return "\n".join(lines)
