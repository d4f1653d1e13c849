"""What the registry of helpers says of one of them: where it is, what it takes, gives and checks."""

from __future__ import annotations

from dataclasses import dataclass

VISION = "modeling_vision_utils"
AUDIO = "modeling_audio_utils"
PROMPTS = "prompt_positions"
SOUNDS = "sound_prompts"
SEGMENTS = "segment_lengths"
"""What says nothing of a modality: segments of images, videos and audios."""


@dataclass(frozen=True, slots=True)
class Result:
    """A tensor that a helper returns: its name, its shape and its dtype, and what it holds.

    ``shape`` is written as in docstrings, ``dtype`` is the name of one, or of the argument that has it.
    ``text`` documents the optional input; it is empty where none is made of the result.
    """

    name: str
    shape: str
    dtype: str
    text: str = ""

    @property
    def kind(self) -> str:
        """Type and shape as docstrings write them."""
        return f"`torch.Tensor` of shape `{self.shape}`"


@dataclass(frozen=True, slots=True)
class Helper:
    """A function of tensors.

    ``takes`` are its parameters, ``bounds`` those that can only be given by name, most of them sizes
    that would otherwise be read from values. The names of ``results`` are the optional parameters that a lift adds.
    ``total`` is the bound that makes the call capturable once the number of rows is known; ``checks``
    are the calls that refuse a given result which does not fit, as templates: ``{rows}`` stands for
    the number of rows, ``{args[0]}`` for the first argument of the helper. ``rounds`` is true if what is
    done with the results adds the same numbers in another order than the original: equal within rounding.
    """

    name: str
    module: str
    takes: tuple[str, ...]
    bounds: tuple[str, ...]
    results: tuple[Result, ...]
    total: str = ""
    checks: tuple[str, ...] = ()
    rounds: bool = False

    @property
    def needs_rows(self) -> bool:
        """Whether the number of rows says something about the results."""
        return bool(self.total) or any("{rows}" in check for check in self.checks)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the results."""
        return tuple(result.name for result in self.results)


BOUNDARIES = Result(
    "cu_seqlens",
    "(num_segments + 1,)",
    "int32",
    "Boundaries of the attention segments. Computed from the grid or the lengths if not given.",
)
