"""An audio encoder that is not told how long its audios are: refused by name, where the original fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.rewrite.execution import load, packages
from tests.rewrite.test_rules import GOLDEN, read_case, run
from utils.audio_chunks import chunk_and_pad_features
from utils.modeling_audio_utils import get_pool_indices, get_valid_indices
from utils.packed import MissingGrid

__all__ = ["packages"]


def test_rewritten_encoders_name_what_is_missing(packages: Path) -> None:
    case = read_case(GOLDEN / "capture" / "chunks_of_convolutions.txt")
    edits = run(case.files, "capture").edits
    before = load(case.files, packages, "before_no_lengths", case.run)
    after = load({**case.files, **edits}, packages, "after_no_lengths", case.run)
    features, _ = before.inputs[0]
    with pytest.raises((TypeError, AttributeError)):
        before.run(features, None)
    with pytest.raises(MissingGrid, match="feature_lens not given"):
        after.run(features, None)
    with pytest.raises(Exception, match="feature_lens not given"):
        torch.compile(after.run, fullgraph=True, backend="eager")(features, None)


def test_helpers_name_what_is_missing() -> None:
    with pytest.raises(TypeError, match="feature_lens not given"):
        chunk_and_pad_features(torch.ones(2, 3), None, 2)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="chunk_lengths not given"):
        get_valid_indices(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not given"):
        get_pool_indices(None)  # type: ignore[arg-type]
