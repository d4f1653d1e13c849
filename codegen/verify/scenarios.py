"""What prompts of the checks of graphs hold: image, video, both, a padded batch, sounds, videos with their sound."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Rows = Sequence[Sequence[int]]
Sample = Mapping[str, Rows]
"""What one prompt holds: grids by modality; of sounds the number of frames, of videos with sound the grid
and the number of frames."""

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
    "sound": (
        [{"audio": [[37], [20]], "image": [[1, 4, 4], [1, 6, 4]]}],
        [{"audio": [[33], [12], [41]], "image": [[1, 4, 8], [1, 2, 4], [1, 4, 4]]}],
    ),
    "film": (
        [{"film": [[2, 4, 6, 37], [4, 2, 4, 20]]}],
        [{"film": [[2, 4, 4, 33], [2, 4, 8, 12], [4, 4, 4, 41]]}],
    ),
}
"""Names of scenarios; a film is a video with its sound."""


def kinds_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Modalities that a whole model takes, by its record."""
    return tuple(entry.get("kinds", ("image", "video")))


def scenarios_of(entry: Mapping[str, Any], wanted: Collection[str] = SCENARIOS) -> tuple[str, ...]:
    """Names of those scenarios that a model has inputs for.

    Where videos have the placeholder of images, a prompt with both has to tell them by other tokens:
    the library's own forward takes one for the other.
    """
    kinds = kinds_of(entry)
    both = {"image", "video"} <= set(kinds) and not entry.get("video_uses_image_id")
    needs = {"both": both, "batch": True, "sound": "audio" in kinds, "film": "audio" in kinds}
    return tuple(n for n in SCENARIOS if n in wanted and needs.get(n, n in kinds))


def count_graph_checks(
    entry: Mapping[str, Any], letters: str, wanted: Collection[str] = SCENARIOS
) -> int:
    """How many results the checks of graphs of a model have."""
    return len(scenarios_of(entry, wanted)) * len(GIVEN) * len(set(letters) & set(GRAPH_CHECKS))
