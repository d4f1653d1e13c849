"""Join what a processor returned for single samples into what it returns for all of them at once.

Batches are often made of samples that were processed one by one. To concatenate their tensors is right
for pixels and grids, and silently wrong for boundaries and indices, which count from the start of
their own sample. The joined values are the same, to the last bit, as those of one call with all prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from utils.audio_chunks import LengthLaw, chunked_eighth_lengths, halved_lengths
from utils.modeling_audio_utils import get_valid_indices
from utils.precomputed_inputs import PREFIXED

#: Rows of tokens, with what stands where a prompt has none; the id for `input_ids` is the caller's.
_TOKENS = {
    "input_ids": None,
    "attention_mask": 0,
    "token_type_ids": 0,
    "mm_token_type_ids": 0,
    "moe_mm_token_type_ids": 0,
}
#: Tensors whose first dimension counts patches, items or samples.
_ROWS = {
    *("pixel_values", "pixel_values_videos"),
    *("image_grid_thw", "video_grid_thw", "image_merge_sizes", "video_merge_sizes"),
    *("video_compression_mask", "second_per_grid_ts", "video_second_per_grid", "rope_deltas"),
}
_LISTS = {"text_replacement_offsets", "video_metadata"}
#: By which tensor of a sample it can be told that it has items of a modality.
_PRESENT = {"image": "image_grid_thw", "video": "video_grid_thw", "audio": "input_features"}


@dataclass(frozen=True)
class _Samples:
    """The samples that hold a modality, or all of them, and how texts are padded."""

    samples: tuple[Mapping[str, Any], ...]
    pad_token_id: int | None
    padding_side: str

    def filler(self, name: str) -> int | None:
        """What stands where a prompt has no tokens."""
        if name == "position_ids":
            # Prompts for images to be generated, which are told by this name, count padding as position 1.
            return int("images_per_sample" in self.samples[0])
        return self.pad_token_id if _TOKENS[name] is None else _TOKENS[name]

    def tensors(self, name: str) -> list[torch.Tensor]:
        """The tensors of this name, of one dtype; refuses what is none."""
        found = [sample[name] for sample in self.samples]
        for value in found:
            if not isinstance(value, torch.Tensor):
                raise _not_joined(
                    name, "is no tensor", 'call the processor with return_tensors="pt"'
                )
            if value.dtype != found[0].dtype or value.ndim != found[0].ndim:
                kinds = " and ".join(f"{v.dtype} {tuple(v.shape)}" for v in (found[0], value))
                raise _not_joined(name, f"differs between samples: {kinds}", "")
        return found


def merge_extra_tensors(
    samples: Sequence[Mapping[str, Any]],
    *,
    pad_token_id: int | None = None,
    padding_side: str = "left",
) -> dict[str, Any]:
    """Join the results of a processor for single samples.

    Args:
        samples: what the processor returned with `return_tensors="pt"`, with or without
            `return_extra_tensors`, in the order of the batch. Each may hold any number of items, or none.
        pad_token_id: id of the token that fills shorter prompts up; needed where they differ in length.
        padding_side: "left" or "right", as the tokenizer pads.

    Returns:
        The values of one call with all prompts: boundaries and indices moved behind those of earlier samples,
        chunks of audio padded to the longest, tokens padded, all else concatenated.

    Raises:
        ValueError: there is no sample; a value is no tensor, or not known here; samples with the same
            modality do not hold the same tensors; or the values of a batch do not follow from those of
            its samples (features of audio padded to different lengths, different numbers of images for
            each sample where the model needs equal ones).
    """
    if not samples:
        raise ValueError("merge_extra_tensors needs at least one sample")
    if padding_side not in ("left", "right"):
        raise ValueError(f'padding_side is "left" or "right", not {padding_side!r}')
    names = dict.fromkeys(name for sample in samples for name in sample)
    merged = {}
    for name in names:
        holders = _holders(samples, name)
        missing = [number for number, sample in holders if name not in sample]
        if missing:
            raise _not_joined(
                name, f"is missing in sample {missing[0]}", "process all with the same options"
            )
        group = _Samples(tuple(sample for _, sample in holders), pad_token_id, padding_side)
        merged[name] = _join(name)(group, name)
    return merged


def _holders(
    samples: Sequence[Mapping[str, Any]], name: str
) -> list[tuple[int, Mapping[str, Any]]]:
    """The samples that should hold a value: those with its modality, or all, with their numbers."""
    modality = _modality_of(name)
    numbered = list(enumerate(samples))
    if not modality or name == _PRESENT[modality]:
        # What tells of a modality is missing where the modality is.
        return [(n, s) for n, s in numbered if not modality or name in s]
    return [(n, s) for n, s in numbered if _PRESENT[modality] in s]


def _modality_of(name: str) -> str:
    """The modality whose items a value describes; "" for values of texts."""
    if name in ("pixel_values", "images_per_sample"):
        return "image"
    if name in ("second_per_grid_ts", "pixel_values_videos"):
        return "video"
    if name in ("input_features", "feature_attention_mask"):
        return "audio"
    return next((modality for modality in _PRESENT if name.startswith(f"{modality}_")), "")


def _join(name: str) -> Callable[[_Samples, str], Any]:
    """The rule for a value, by its name."""
    if name in _TOKENS or name == "position_ids":
        return _pad_tokens
    if name in _ROWS:
        return _concatenate
    if name in _LISTS:
        return lambda group, key: [entry for sample in group.samples for entry in sample[key]]
    if name in _EQUAL:
        return _EQUAL[name]
    if name in PREFIXED and PREFIXED[name][1] in _PRECOMPUTED:
        return _PRECOMPUTED[PREFIXED[name][1]]
    raise _not_joined(
        name, "is not known here", "join it by its own rule, and leave it out of the samples"
    )


def _concatenate(group: _Samples, name: str) -> torch.Tensor:
    values = group.tensors(name)
    if len({value.shape[1:] for value in values}) > 1:
        shapes = ", ".join(str(tuple(value.shape)) for value in values)
        raise _not_joined(name, f"has rows of other sizes in other samples: {shapes}", "")
    return torch.cat(values)


def _concatenate_columns(group: _Samples, name: str) -> torch.Tensor:
    """Tables with one column for each patch; what they name lies in a table of the model."""
    return torch.cat(group.tensors(name), dim=1)


def _pad_tokens(group: _Samples, name: str) -> torch.Tensor:
    rows = group.tensors(name)
    longest = max(row.shape[-1] for row in rows)
    filler = group.filler(name)
    if filler is None and any(row.shape[-1] < longest for row in rows):
        raise _not_joined(name, "has another length in every sample", "give pad_token_id")
    padded = []
    for row in rows:
        missing = longest - row.shape[-1]
        sides = (missing, 0) if group.padding_side == "left" else (0, missing)
        padded.append(torch.nn.functional.pad(row, sides, value=filler) if missing else row)
    # Prompts are the last dimension but one, also of positions `(axes, prompts, tokens)`.
    return torch.cat(padded, dim=-2)


def _shift(
    group: _Samples, name: str, count: Callable[[Mapping[str, Any], torch.Tensor], int]
) -> list[torch.Tensor]:
    """The tensors, each moved on by what the samples before it count."""
    shifted, start = [], 0
    for sample, value in zip(group.samples, group.tensors(name), strict=True):
        shifted.append(value + start)
        start += count(sample, value)
    return shifted


def _continue_boundaries(group: _Samples, name: str) -> torch.Tensor:
    """Boundaries go on where those of the sample before have ended."""
    first, *others = _shift(group, name, lambda sample, value: int(value[-1]))
    return torch.cat([first, *(value[1:] for value in others)])


def _longest(group: _Samples, name: str) -> torch.Tensor:
    """The longest segment of all samples, of which none goes on in the next."""
    return torch.stack(group.tensors(name)).max()


def _continue_order(group: _Samples, name: str) -> torch.Tensor:
    """Orders of merged blocks: each sample names all of its own once, and keeps to them."""
    return torch.cat(_shift(group, name, lambda sample, value: value.shape[0]))


def _continue_units(group: _Samples, name: str) -> torch.Tensor:
    """Merged patches of pairs of frames: the grid tells how many patches are one, and how many there are."""
    grid_name = _PRESENT[_modality_of(name)]
    return torch.cat(
        _shift(group, name, lambda sample, value: _count_units(sample[grid_name], value.shape[0]))
    )


def _continue_centres(group: _Samples, name: str) -> torch.Tensor:
    """Patches in columns, one column for each merge block; the grid tells how many patches there are."""
    grid_name = _PRESENT[_modality_of(name)]
    return torch.cat(
        _shift(group, name, lambda sample, value: int(sample[grid_name].prod(1).sum())), dim=1
    )


def _count_units(grid: torch.Tensor, num_pair_units: int) -> int:
    """Merged patches of a sample, given how many of them are first of a pair."""
    frames, areas = grid[:, 0], grid[:, 1] * grid[:, 2]
    paired = (torch.where(frames == 1, 1, frames // 2) * areas).sum()
    return int((frames * areas).sum() * num_pair_units // paired)


def _continue_pairs(group: _Samples, name: str) -> torch.Tensor:
    """Rows that are pooled: each sample counts its rows in the boundaries that it needs as well."""
    boundaries = name.replace("pool_indices", "cu_seqlens")
    _require(group, name, boundaries)
    return torch.cat(_shift(group, name, lambda sample, value: int(sample[boundaries][-1])))


def _pad_chunks(group: _Samples, name: str) -> torch.Tensor:
    """Chunks `(chunks, mel, frames)` as long as the longest of all."""
    chunks = group.tensors(name)
    longest = max(chunk.shape[-1] for chunk in chunks)
    return torch.cat([torch.nn.functional.pad(c, (0, longest - c.shape[-1])) for c in chunks])


def _find_valid(group: _Samples, name: str) -> torch.Tensor:
    """Positions in the padded layout of all chunks, by the law that explains those of every sample."""
    lengths_name = name.replace("valid_indices", "chunk_lengths")
    _require(group, name, lengths_name)
    lengths = group.tensors(lengths_name)
    laws = [law for law in (halved_lengths, chunked_eighth_lengths) if _explains(law, group, name)]
    found = [get_valid_indices(torch.cat(lengths), law) for law in laws]
    if not found:
        raise _not_joined(
            name, "follows no length law that is known here", "compute it for the batch"
        )
    if any(not torch.equal(found[0], other) for other in found[1:]):
        raise _not_joined(name, "follows several length laws", "compute it for the batch")
    return found[0].to(group.tensors(name)[0].dtype)


def _explains(law: LengthLaw, group: _Samples, name: str) -> bool:
    lengths_name = name.replace("valid_indices", "chunk_lengths")
    return all(
        torch.equal(get_valid_indices(sample[lengths_name], law), sample[name])
        for sample in group.samples
    )


def _require(group: _Samples, name: str, needed: str) -> None:
    if any(needed not in sample for sample in group.samples):
        raise _not_joined(name, f"cannot be joined without {needed}", "")


def _same_frames(group: _Samples, name: str) -> torch.Tensor:
    """Features of audio, which depend at their end on what they are padded with."""
    values = group.tensors(name)
    if len({value.shape[1:] for value in values}) > 1:
        hint = 'call the processor with audio_kwargs={"padding": "max_length"}'
        problem = "is padded to another length in every sample, which its last frames depend on"
        raise _not_joined(name, problem, hint)
    return torch.cat(values)


def _same_numbers(group: _Samples, name: str) -> torch.Tensor:
    """Numbers of images, of which the processor takes equal ones only."""
    joined = torch.cat(group.tensors(name))
    if not bool((joined == joined[0]).all()):
        raise _not_joined(
            name, f"differs between samples: {joined.tolist()}", "batch those with equal ones"
        )
    return joined


_EQUAL: dict[str, Callable[[_Samples, str], torch.Tensor]] = {
    "input_features": _same_frames,
    "feature_attention_mask": _same_frames,
    "images_per_sample": _same_numbers,
}
#: How each of the tensors that an encoder takes precomputed goes on in the next sample.
_PRECOMPUTED: dict[str, Callable[[_Samples, str], torch.Tensor]] = {
    "cu_seqlens": _continue_boundaries,
    "cu_window_seqlens": _continue_boundaries,
    "rotary_pos_ids": _concatenate,
    "window_index": _continue_order,
    "block_order": _continue_order,
    "block_centres": _continue_centres,
    "first_units": _continue_units,
    "second_units": _continue_units,
    "embed_indices": _concatenate_columns,
    "bilinear_weights": _concatenate_columns,
    "sampling_grid": _concatenate_columns,
    "padded_feature": _pad_chunks,
    "chunk_lengths": _concatenate,
    "valid_indices": _find_valid,
    "pool_indices": _continue_pairs,
    "max_seqlen": _longest,
    "max_window_seqlen": _longest,
}


def _not_joined(name: str, problem: str, hint: str) -> ValueError:
    return ValueError(f"{name} {problem}" + (f": {hint}" if hint else ""))
