"""Recognition of audio tensors by value: chunks, masks, segments and pairs on packed frames.

As for grids, a method is run on probes; here these are lengths of audios. The two known length laws are
tried for what the convolutions leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.probe import reference
from codegen.rewrite.probe.budget import Meter
from codegen.rewrite.probe.interp import Interpreter
from codegen.rewrite.probe.probes import length_probes
from codegen.rewrite.probe.trace import Trace, iter_statements
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise.evidence import Run
from codegen.rewrite.recognise.study import Study, given_to

LAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": reference.halved,
    "chunked_eighth_lengths": reference.chunked_eighth,
}

Test = Callable[[int, np.ndarray], bool]


@dataclass(frozen=True)
class Found:
    """A name, the statement that completes it, and the length law it was recognised with."""

    name: str
    statement: int
    law: str = ""


@dataclass(frozen=True)
class AudioStudy:
    """Traces of a method on the length probes with what the references need.

    ``found`` holds the chunk lengths, ``window`` is the text of half their size.
    """

    study: Study
    lens: str
    window: str
    chunks: tuple[np.ndarray, ...]
    found: Found

    def find(self, test: Test, law: str = "", *, late: bool = False) -> Found | None:
        """The first name whose value passes a test on every probe."""
        return find(self.study, test, law, late=late)


@dataclass(frozen=True)
class AudioMatch:
    """The tensors of an encoder that helpers give.

    ``padded`` are the chunks of the packed ``features``, ``masks`` the frames of each that exist,
    ``valid`` the rows of each that exist, ``segments`` the boundaries with the further ``arguments``
    of their helper, ``pairs`` the rows that pooling joins. Masks and pairs may be absent.
    """

    padded: Found
    features: str
    masks: Found | None
    valid: Found
    segments: Found
    arguments: tuple[str, ...]
    pairs: Found | None


def find(study: Study, test: Test, law: str = "", *, late: bool = False) -> Found | None:
    """The first name of a method whose value passes a test on every probe."""
    for number, _ in iter_statements(study.function):
        for name in sorted(study.traces[0].snapshots.get(number, {})):
            values = [t.snapshots.get(number, {}).get(name) for t in study.traces]
            arrays = [v.data for v in values if isinstance(v, Arr) and v.late == late]
            if len(arrays) == len(values) and all(test(i, a) for i, a in enumerate(arrays)):
                return Found(name, number, law)
    return None


def run_on_lengths(index: Index, cls: ClassInfo, function: Function) -> Study:
    """Run a method on length probes."""
    lens = index.vocabulary.lengths_of(parameters(function))
    traces: list[Trace] = []
    hidden = []
    meter, probes = Meter(), length_probes()
    for probe in probes:
        interpreter = Interpreter(index, probe.variant, probe.rows, meter)
        traces.append(interpreter.run(cls, function, cls, given_to(probe, lens, "")))
        hidden.append(interpreter.hidden)
    return Study(cls, cls, function, lens, "", probes, tuple(traces), tuple(hidden), meter)


def study_lengths(index: Index, cls: ClassInfo, function: Function) -> AudioStudy | Study | None:
    """Run a method on length probes; None unless it computes chunk lengths from a window scalar.

    A method that costs too much to be looked at gives the bare study, which says so.
    """
    study = run_on_lengths(index, cls, function)
    traces = study.traces
    if study.cost is not None:
        return study
    for text in sorted(traces[0].scalars, key=len):
        windows = [t.scalars.get(text, 0) for t in traces]
        if min(windows) < 1:
            continue
        chunks = tuple(reference.chunk_lengths(n, w) for n, w in zip(_lengths_of(study), windows))
        found = find(study, _is_one_of(chunks))
        if found is not None:
            return AudioStudy(study, study.grid, text, chunks, found)
    return None


def _lengths_of(study: Study) -> list[np.ndarray]:
    """Lengths of the audios on each probe."""
    return [probe.grid[:, 0] for probe in study.probes]


def agrees_on_audio(studied: AudioStudy, match: AudioMatch, run: Run) -> bool:
    """Tell whether the names of a match hold what the helpers give on the probe of another run."""
    lengths, scalars = run.probe.grid[:, 0], run.trace.scalars
    window, rows = scalars.get(studied.window, 0), run.hidden.get(match.features)
    if window < 1 or rows is None:
        return False
    chunks = reference.chunk_lengths(lengths, window)
    law = LAWS[match.segments.law]
    if match.arguments:
        ratio = scalars.get(match.arguments[1], 0) // (2 * window)
        if ratio < 1:
            return False
        ends = reference.window_boundaries(law(lengths), int(law(chunks).max()) * ratio)
    else:
        ends = reference.chunk_boundaries(law(chunks))
    expected = [
        (studied.found, chunks),
        (match.padded, reference.padded_chunks(rows, chunks)),
        (match.masks, reference.frame_mask(chunks)[:, None]),
        (match.valid, reference.frame_mask(LAWS[match.valid.law](chunks))),
        (match.segments, ends),
    ]
    if match.pairs is not None:
        expected.append((match.pairs, reference.pair_starts(LAWS[match.pairs.law](lengths))))
    return all(_holds(run, found, value) for found, value in expected if found is not None)


def _holds(run: Run, found: Found, expected: np.ndarray) -> bool:
    value = run.trace.snapshots.get(found.statement, {}).get(found.name)
    return isinstance(value, Arr) and _equal(value.data, expected)


def match_audio(studied: AudioStudy) -> tuple[AudioMatch | None, str]:
    """All tensors of an encoder, or None and what is missing."""
    padded, valid, segments = _padded(studied), _valid(studied), _boundaries(studied)
    if padded is None:
        return None, "the padded chunks"
    if valid is None:
        return None, "the mask of the rows behind the convolutions"
    # The two forms of the boundaries helper have their own length laws.
    if segments is None or bool(segments[1]) != bool(segments[0].law):
        return None, "the boundaries of the attention segments"
    masks = studied.find(_is_one_of([reference.frame_mask(c)[:, None] for c in studied.chunks]))
    return AudioMatch(*padded, masks, valid, *segments, _pairs(studied)), ""


def _is_one_of(expected: Sequence[np.ndarray], boolean: bool = False) -> Test:
    """Test that a value on probe ``i`` is ``expected[i]``."""

    def test(i: int, value: np.ndarray) -> bool:
        if i >= len(expected) or (boolean and value.dtype != bool):
            return False
        return _equal(value, expected[i])

    return test


def _equal(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and bool((left == right).all())


def _padded(studied: AudioStudy) -> tuple[Found, str] | None:
    """The padded chunks and the packed features they come from."""
    for features in studied.study.hidden[0]:

        def is_padded(i: int, value: np.ndarray, features: str = features) -> bool:
            rows = studied.study.hidden[i].get(features)
            return rows is not None and _equal(
                value, reference.padded_chunks(rows, studied.chunks[i])
            )

        found = studied.find(is_padded, late=True)
        if found is not None:
            return found, features
    return None


def _valid(studied: AudioStudy) -> Found | None:
    """The boolean mask of rows that exist after the convolutions."""
    for law, function in LAWS.items():
        masks = [reference.frame_mask(function(c)) for c in studied.chunks]
        found = studied.find(_is_one_of(masks, boolean=True), law)
        if found is not None:
            return found
    return None


def _boundaries(studied: AudioStudy) -> tuple[Found, tuple[str, ...]] | None:
    """The segment boundaries and the further arguments of the helper that gives them."""
    for law, function in LAWS.items():
        ends = [reference.chunk_boundaries(function(c)) for c in studied.chunks]
        found = studied.find(_is_one_of(ends), law)
        if found is not None:
            return found, ()
        for text in studied.study.traces[0].scalars:
            arguments = (studied.lens, text, studied.window)
            bounds = list(_windows(studied, function, text))
            found = studied.find(_is_one_of(bounds), law)
            if text != studied.window and found is not None:
                return found, arguments
    return None


def _windows(
    studied: AudioStudy, law: Callable[[np.ndarray], np.ndarray], text: str
) -> Iterator[np.ndarray]:
    measured = zip(_lengths_of(studied.study), studied.chunks, studied.study.traces)
    for lengths, chunks, trace in measured:
        ratio = trace.scalars.get(text, 0) // (2 * trace.scalars[studied.window])
        if ratio > 0:
            yield reference.window_boundaries(law(lengths), int(law(chunks).max()) * ratio)


def _pairs(studied: AudioStudy) -> Found | None:
    """The first row of every pair of rows of one audio."""
    for law, function in LAWS.items():
        starts = [
            reference.pair_starts(function(lengths)) for lengths in _lengths_of(studied.study)
        ]
        found = studied.find(_is_one_of(starts), law)
        if found is not None:
            return found
    return None
