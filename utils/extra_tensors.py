"""What a processor adds to its result with ``return_extra_tensors``.

Imports torch only when something is to be added: processors are used without it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Recipes = Mapping[str, tuple[str | int, ...]]
"""Names of helpers, each with the arguments that an encoder gives it: numbers, or names of inputs, of
earlier results and of configuration attributes (``name**0.5`` is the whole square root of one, `name//name` a
quotient)."""


@dataclass(frozen=True)
class _Scope:
    """Where the arguments of one modality are looked up, besides what is known from the batch."""

    modality: str
    processor: Any
    config: Any

    def find(self, name: str) -> Any:
        """A scalar of the configuration, or without one of the processor; None if there is none."""
        if "//" in name:
            values = [self.find(part) for part in name.split("//")]
            return None if None in values else values[0] // values[1]
        name, _, root = name.partition("**")
        value = self._configured(name) if self.config is not None else self._processed(name)
        return int(value**0.5) if root and value is not None else value

    def _configured(self, name: str) -> Any:
        section = "audio_config" if self.modality == "audio" else "vision_config"
        parts = getattr(self.config, "sub_configs", None) or ()
        for owner in (self.config, *(getattr(self.config, part, None) for part in parts)):
            if getattr(owner, section, None) is not None:
                return getattr(getattr(owner, section), name, None)
        return getattr(self.config, name, None)

    def _processed(self, name: str) -> Any:
        owner = getattr(self.processor, f"{self.modality}_processor", None)
        # Encoders speak of the spatial merge size, processors of the merge size.
        return getattr(owner, name, getattr(owner, name.removeprefix("spatial_"), None))


def add_extra_tensors(
    batch: MutableMapping[str, Any],
    processor: Any,
    wanted: Any,
    *,
    vision: Recipes | None = None,
    audio: Recipes | None = None,
    grids: Mapping[str, torch.Tensor | None] | None = None,
) -> Any:
    """Add the tensors that the encoders of the model take precomputed, if wanted.

    The names are those of the encoder's inputs behind `image_`, `video_` or `audio_`, for every modality in
    the batch; the model takes them as keywords of the same names. Shapes and dtypes are those of the
    helpers; everything lies on the device of the batch. A processor with a method `find_positions`, which
    takes the batch and the configuration (or None), has what that returns added as well.

    Args:
        batch: what the processor returns, with tensors of torch: `<modality>_grid_thw`
            `(num_entries, 3)`, or `input_features` `(num_audios, mel, frames)` with
            `feature_attention_mask` `(num_audios, frames)`.
        processor: the processor; its image and video processors know patch and merge size.
        wanted: False or None for nothing; True for what follows from the batch and the processor; the
            configuration of the model, or of the encoder alone, for everything the encoder takes.
        vision: what the encoder of images and videos takes.
        audio: what the encoder of audios takes.
        grids: grids by modality that the encoder sees instead of those in the batch; None for none.

    Returns:
        The batch.

    Raises:
        ValueError: the batch holds no tensors, because no `return_tensors="pt"` was given; or the given
            configuration lacks something that an input is computed from.
    """
    if wanted is None or wanted is False:
        return batch
    config = None if wanted is True else wanted
    for modality in ("image", "video", "audio"):
        recipes = audio if modality == "audio" else vision
        known = _audio_inputs(batch) if modality == "audio" else _grids(batch, modality, grids)
        if recipes and known:
            added = _compute(recipes, known, _Scope(modality, processor, config))
            batch.update({f"{modality}_{name}": value for name, value in added.items()})
    if hasattr(processor, "find_positions") and "input_ids" in batch:
        _check_tensor(batch["input_ids"])
        batch.update(processor.find_positions(batch, config))
    return batch


def _grids(
    batch: Mapping[str, Any], modality: str, grids: Mapping[str, torch.Tensor | None] | None
) -> dict[str, Any]:
    """What the batch says about a modality, its prefix removed; empty without a grid."""
    prefix = f"{modality}_"
    known = {key.removeprefix(prefix): batch[key] for key in batch if key.startswith(prefix)}
    if grids is not None and modality in grids:
        known["grid_thw"] = grids[modality]
    if known.get("grid_thw") is None:
        return {}
    _check_tensor(known["grid_thw"])
    return known


def _audio_inputs(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Features packed in time and their lengths, as models give them to their audio encoder."""
    features, mask = batch.get("input_features"), batch.get("feature_attention_mask")
    if features is None or mask is None:
        return {}
    _check_tensor(features)
    packed = features.permute(0, 2, 1)[mask.bool()].permute(1, 0)
    return {"input_features": packed, "feature_lens": mask.sum(-1)}


def _check_tensor(value: Any) -> None:
    import torch

    if not isinstance(value, torch.Tensor):
        raise ValueError('return_extra_tensors needs return_tensors="pt"')


def _compute(recipes: Recipes, known: dict[str, Any], scope: _Scope) -> dict[str, Any]:
    """Results of the helpers by name; without a configuration only of those whose arguments are known."""
    helpers, laws = _helpers()
    known = {**laws, **known}
    added: dict[str, Any] = {}
    for helper, arguments in recipes.items():
        function, outputs = helpers[helper]
        values = {
            name: name
            if isinstance(name, int)
            else known[name]
            if name in known
            else scope.find(name)
            for name in arguments
        }
        missing = [str(name) for name, value in values.items() if value is None]
        if missing and scope.config is not None:
            raise ValueError(
                f"{scope.modality}_{outputs[0]} needs {', '.join(missing)}, which neither the batch "
                f"nor {type(scope.config).__name__} gives"
            )
        if not missing:
            results = function(*(values[name] for name in arguments))
            results = results if isinstance(results, tuple) else (results,)
            added.update(zip(outputs, results))
            known.update(added)
    return added


def _helpers() -> tuple[dict[str, tuple[Callable[..., Any], tuple[str, ...]]], dict[str, Any]]:
    """Helpers by name with the names of their results, and the length laws that are arguments of some."""
    from utils.modeling_audio_utils import (
        chunk_and_pad_features,
        chunked_eighth_lengths,
        get_audio_cu_seqlens,
        get_pool_indices,
        get_valid_indices,
        halved_lengths,
    )
    from utils.modeling_vision_utils import (
        get_block_permutation,
        get_half_pixel_indices,
        get_pos_embed_indices,
        get_rotary_pos_ids,
        get_sampling_grid,
        get_temporal_pair_indices,
        get_unshuffle_indices,
        get_vision_cu_seqlens,
        get_window_index,
    )
    from utils.precomputed_types import RESULTS
    from utils.segment_lengths import get_max_seqlen, get_max_window_seqlen

    helpers: tuple[Callable[..., Any], ...] = (
        get_vision_cu_seqlens,
        get_rotary_pos_ids,
        get_window_index,
        get_pos_embed_indices,
        get_half_pixel_indices,
        get_sampling_grid,
        get_temporal_pair_indices,
        get_block_permutation,
        get_unshuffle_indices,
        chunk_and_pad_features,
        get_valid_indices,
        get_audio_cu_seqlens,
        get_pool_indices,
        get_max_seqlen,
        get_max_window_seqlen,
    )
    laws = {law.__name__: law for law in (halved_lengths, chunked_eighth_lengths)}
    return {h.__name__: (h, RESULTS[h.__name__]) for h in helpers}, laws
