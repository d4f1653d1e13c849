"""What prompts of the checks of graphs hold: image, video, both, a padded batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Sequence[int]]
Sample = Mapping[str, Rows]
"""What one prompt holds: grids by modality."""

GIVEN = ("computed", "given")
"""Whether the model computes what follows from sizes, or gets it."""
GRAPH_CHECKS = "gx"

#: Batches to capture a graph with, each with another one that the graph has to be right for.
SCENARIOS: Mapping[str, tuple[Sequence[Sample], Sequence[Sample]]] = {
    "image": (
        [{"image": [[1, 4, 6], [1, 8, 4], [1, 4, 4]]}],
        [{"image": [[1, 4, 4], [1, 4, 8]]}],
    ),
    "video": (
        [{"video": [[2, 4, 6], [4, 2, 4]]}],
        [{"video": [[2, 4, 4], [2, 4, 8], [4, 4, 4]]}],
    ),
    "both": (
        [{"image": [[1, 4, 6], [1, 8, 4]], "video": [[2, 4, 6], [4, 2, 4]]}],
        [{"image": [[1, 4, 4], [1, 4, 8], [1, 6, 4]], "video": [[2, 4, 4], [2, 4, 8], [4, 4, 4]]}],
    ),
    "batch": (
        [{"image": [[1, 4, 6], [1, 8, 4]]}, {"image": [[1, 4, 4]]}],
        [{"image": [[1, 4, 4]]}, {"image": [[1, 4, 8], [1, 2, 4], [1, 6, 4]]}],
    ),
}


def kinds_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Modalities that a whole model takes, by its record."""
    return tuple(entry.get("kinds", ("image", "video")))


def scenarios_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the scenarios that a model has inputs for.

    Where videos have the placeholder of images, a prompt with both has to tell them by other tokens:
    the library's own forward takes one for the other.
    """
    kinds = kinds_of(entry)
    both = {"image", "video"} <= set(kinds) and not entry.get("video_uses_image_id")
    return tuple(n for n in SCENARIOS if (both if n == "both" else n in kinds or n == "batch"))


def count_graph_checks(entry: Mapping[str, Any], letters: str) -> int:
    """How many results the checks of graphs of a model have."""
    return len(scenarios_of(entry)) * len(GIVEN) * len(set(letters) & set(GRAPH_CHECKS))
