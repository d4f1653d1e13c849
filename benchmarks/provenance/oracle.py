"""Expand again what depends on edited sources, and score what was said about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codegen.errors import CodegenError
from codegen.explain.atlas import Atlas
from codegen.output.formatting import format_texts
from codegen.run.job import Job, JobResult, Runner
from codegen.run.rewriting import generated_pass

Line = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of a source and what stands in its place afterwards."""

    path: str
    start: int
    old: str
    new: str


@dataclass
class Score:
    """What was said to change (lines or models), what changed, and both."""

    said: int = 0
    changed: int = 0
    both: int = 0
    edits: int = 0
    apart: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Share of what was said to change that did."""
        return self.both / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        """Share of what changed that was said to change."""
        return self.both / self.changed if self.changed else 1.0

    def count(self, said: set[Line] | set[str], really: set[Line] | set[str], place: str) -> None:
        """Enter the outcome of one edit."""
        self.edits += 1
        self.said += len(said)
        self.changed += len(really)
        self.both += len({*said} & {*really})
        missed, wrong = sorted({*really} - {*said}), sorted({*said} - {*really})
        if missed or wrong:
            self.faults.append(
                f"{place}: missed {len(missed)} {_shown(missed)}, wrong {len(wrong)} {_shown(wrong)}"
            )

    def add(self, other: Score) -> None:
        """Enter what another process counted."""
        self.said, self.changed = self.said + other.said, self.changed + other.changed
        self.both, self.edits = self.both + other.both, self.edits + other.edits
        self.apart += other.apart
        self.faults += other.faults


def _shown(items: Sequence[Line | str]) -> str:
    return " ".join(
        item if isinstance(item, str) else f"{item[0].rpartition('/')[2]}:{item[1]}"
        for item in items[:3]
    )


def show(score: Score, what: str = "lines") -> Iterator[str]:
    """The result in lines."""
    yield from score.faults
    yield (
        f"{score.edits} edits: {score.changed} {what} changed, {score.said} said to, "
        f"precision {score.precision:.2%}, recall {score.recall:.2%}"
    )
    yield from (f"{count} apart: {why}" for why, count in score.apart.most_common())


class Oracle:
    """Expands again what depends on edited sources, and nothing else.

    What the expansion gives without an edit is kept: drafts that an edit leaves as they are need not be
    formatted to know that their files do not change.
    """

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self._runner = Runner(atlas.tree, atlas.names)
        self._plain: dict[str, Mapping[str, str]] = {}
        self._finish = generated_pass(atlas.tree) if atlas.settings.rewrite else None

    def changed(self, edits: Iterable[Edit]) -> dict[str, str]:
        """The generated files that are others after the edits, as they are then.

        Raises:
            CodegenError: something cannot be expanded any more.
        """
        atlas = self.atlas
        overlay = {**atlas.sources.rewriting.edits, **edited(atlas, edits)}
        changed: dict[str, str] = {}
        pending = {edit.path for edit in edits}
        for model in atlas.plan.order:
            if not atlas.plan.sources[model] & pending:
                continue
            drafts = self._drafts(model, overlay)
            known = self._known(model)
            different = {path: text for path, text in drafts.items() if known.get(path) != text}
            formatted = format_texts(different, atlas.tree.formatting)
            if formatted.refused:
                raise CodegenError(*formatted.refused.values())
            for path, text in formatted.texts.items():
                if text != atlas.text(path):
                    changed[path] = overlay[path] = text
                    pending.add(path)
        return changed

    def _known(self, model: str) -> Mapping[str, str]:
        if model not in self._plain:
            self._plain[model] = self._drafts(model, self.atlas.sources.rewriting.edits)
        return self._plain[model]

    def _drafts(self, model: str, overlay: Mapping[str, str]) -> Mapping[str, str]:
        result = self._runner.run(Job(self.atlas.tree.definition(model), overlay))
        if result.problems:
            raise CodegenError(*result.problems)
        if self._finish is None:
            return result.texts
        return dict(self._finish(JobResult(model, result.texts)).texts)


def as_read(atlas: Atlas, path: str) -> str:
    """A source as the expansion reads it: passes may have changed it."""
    return atlas.sources.rewriting.edits.get(path) or atlas.text(path)


def edited(atlas: Atlas, edits: Iterable[Edit]) -> dict[str, str]:
    """The texts of edited sources; edits of one file do not overlap."""
    texts: dict[str, str] = {}
    for edit in sorted(edits, key=lambda each: (each.path, -each.start)):
        text = texts.get(edit.path) or as_read(atlas, edit.path)
        assert text.startswith(edit.old, edit.start)
        texts[edit.path] = text[: edit.start] + edit.new + text[edit.start + len(edit.old) :]
    return texts
