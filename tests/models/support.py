"""What the model tests share: loading both sides of a comparison, random weights and random inputs."""

import importlib
import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
import transformers
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import utils.modeling_audio_utils as audio
import utils.modeling_vision_utils as vision
from tests.models.configurations import AudioCase, FullCase, Grid, VisionCase
from utils.segment_lengths import get_max_seqlen, get_max_window_seqlen

PREFIX = "generated"


def generated_module(model: str) -> ModuleType:
    """The generated modeling file of one model."""
    return importlib.import_module(f"{PREFIX}.{model}.modeling_{model}")


def reference_module(model: str) -> ModuleType:
    """The modeling file of the same model in the installed transformers."""
    return importlib.import_module(f"transformers.models.{model}.modeling_{model}")


def build_config(class_name: str, values: dict[str, Any], attention: str) -> Any:
    """A configuration of transformers with the given attention implementation."""
    config = getattr(transformers, class_name)(**values)
    config._attn_implementation = attention
    return config


def randomize(model: nn.Module, seed: int = 0) -> None:
    """Draws every parameter from a normal distribution wide enough for mistakes of order to show."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)


def build_encoder(
    case: VisionCase | AudioCase, attention: str = "sdpa", seed: int = 0
) -> nn.Module:
    """The generated encoder of a case with random weights."""
    config = build_config(case.config_class, case.config, attention)
    encoder = getattr(generated_module(case.model), case.encoder)(config)
    randomize(encoder, seed)
    return encoder.eval()


def build_reference(case: VisionCase | AudioCase, attention: str = "sdpa") -> nn.Module:
    """The encoder of transformers that a case is compared with, weights as initialised."""
    config = build_config(case.config_class, case.config, attention)
    return getattr(reference_module(case.model), case.encoder)(config).eval()


def build_full_model(case: FullCase, module: ModuleType, attention: str = "sdpa") -> nn.Module:
    """The whole model of a case from the generated or from the reference module."""
    config = build_config(case.config_class, case.config, attention)
    return getattr(module, case.model_class)(config).eval()


def patch_count(grid: Grid) -> int:
    return sum(t * h * w for t, h, w in grid)


def random_patches(shape: tuple[int, ...], grid: Grid, seed: int) -> torch.Tensor:
    """One row of pixel values per patch of the grid."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((patch_count(grid), *shape), generator=generator)


def vision_inputs(
    case: VisionCase, grid: Grid, seed: int = 1, merges: str = "both"
) -> dict[str, Any]:
    """Keyword arguments for the forward of a vision encoder."""
    if case.kind == "images":
        generator = torch.Generator().manual_seed(seed)
        patch = case.config["patch_size"]
        _, rows, columns = grid[0]
        shape = (len(grid), case.config["num_channels"], rows * patch, columns * patch)
        return {"pixel_values": torch.randn(shape, generator=generator)}
    pixels = random_patches(case.patch_shape, grid, seed)
    grid_thw = torch.tensor(grid)
    if case.kind == "raster":
        return {"pixel_values": pixels.unsqueeze(0), "grid_thw": grid_thw}
    if case.kind == "merge_sizes":
        sizes = {"ones": (1, 1), "twos": (2, 2), "both": (2, 1)}[merges]
        merge_sizes = torch.tensor([sizes[row % 2] for row in range(len(grid))])
        return {"pixel_values": pixels, "grid_thw": grid_thw, "merge_sizes": merge_sizes}
    first = "pixel_values" if case.model == "glm_image" else "hidden_states"
    return {first: pixels, "grid_thw": grid_thw}


def reference_vision_inputs(case: VisionCase, inputs: dict[str, Any]) -> dict[str, Any]:
    """The same arguments under the names that the reference encoder of the installed release takes."""
    forward = getattr(reference_module(case.model), case.encoder).forward
    if "image_grid_thw" not in inspect.signature(forward).parameters:
        return inputs
    grid = inputs["grid_thw"]
    lengths = torch.repeat_interleave(grid[:, 1] * grid[:, 2], grid[:, 0]).cumsum(
        0, dtype=torch.int32
    )
    return {
        "pixel_values": inputs["pixel_values"],
        "cu_seqlens": nn.functional.pad(lengths, (1, 0)),
        "image_grid_thw": grid,
    }


def audio_inputs(case: AudioCase, lengths: tuple[int, ...], seed: int = 1) -> dict[str, Any]:
    """Keyword arguments for the forward of an audio encoder: all mel frames in one row of time."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn((case.config["num_mel_bins"], sum(lengths)), generator=generator)
    return {"input_features": features, "feature_lens": torch.tensor(lengths)}


def reference_audio_inputs(case: AudioCase, inputs: dict[str, Any]) -> dict[str, Any]:
    """The same arguments, with the lengths behind the convolutions where the reference asks for them."""
    forward = getattr(reference_module(case.model), case.encoder).forward
    if "aftercnn_lens" not in inspect.signature(forward).parameters:
        return inputs
    return {**inputs, "aftercnn_lens": (inputs["feature_lens"] - 1) // 2 + 1}


TOLD: list[tuple[Any, Any]] = []
"""What `segmented_attention` was told of the longest queries and keys, call by call."""


def segmented_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    cu_seq_lens_q: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention inside the segments that a model names to the kernels of flash attention."""
    states = (query, key, value)
    if cu_seq_lens_q is not None:
        TOLD.append((kwargs["max_length_q"], kwargs["max_length_k"]))
        lengths = cu_seq_lens_q.diff().tolist()
        pieces = [
            nn.functional.scaled_dot_product_attention(q, k, v, scale=scaling)
            for q, k, v in zip(*(tensor.split(lengths, dim=2) for tensor in states))
        ]
        return torch.cat(pieces, dim=2).transpose(1, 2), None
    return nn.functional.scaled_dot_product_attention(*states, scale=scaling).transpose(1, 2), None


ALL_ATTENTION_FUNCTIONS.register("segmented", segmented_attention)


def precomputed(case: VisionCase | AudioCase, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Every optional input of a generated encoder, computed by the helpers from sizes and settings."""
    if isinstance(case, AudioCase):
        found = _audio_tensors(case, inputs)
    else:
        found = _vision_tensors(case, inputs)
    if "max_seqlen" in case.tensors:
        found["max_seqlen"] = get_max_seqlen(found["cu_seqlens"])
    if "max_window_seqlen" in case.tensors:
        found["max_window_seqlen"] = get_max_window_seqlen(found["cu_window_seqlens"])
    assert set(found) == set(case.tensors)
    return found


def _vision_tensors(case: VisionCase, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
    config = build_config(case.config_class, case.config, "sdpa")
    if case.kind == "images":
        rows, columns = (side // config.patch_size for side in inputs["pixel_values"].shape[-2:])
        return {"rotary_pos_ids": vision.get_image_pos_ids(rows, columns)}
    grid = inputs["grid_thw"]
    merge = inputs.get("merge_sizes", getattr(config, "spatial_merge_size", 1))
    if case.kind == "raster":
        merge = 1
    found = {
        "cu_seqlens": vision.get_vision_cu_seqlens(grid),
        "rotary_pos_ids": vision.get_rotary_pos_ids(grid, merge),
    }
    if "window_index" in case.tensors:
        windows = vision.get_window_index(grid, merge, config.window_size, config.patch_size)
        found["window_index"], found["cu_window_seqlens"] = windows
    if "block_centres" in case.tensors:
        found["block_centres"] = vision.get_unshuffle_indices(grid, merge)
    if "sampling_grid" in case.tensors:
        found["sampling_grid"] = vision.get_sampling_grid(grid, merge)
    if "embed_indices" in case.tensors and case.kind == "raster":
        side = config.image_size // config.patch_size
        corners = vision.get_half_pixel_indices(grid, side)
        found["embed_indices"], found["bilinear_weights"] = corners
    elif "embed_indices" in case.tensors:
        side = int(config.num_position_embeddings**0.5)
        corners = vision.get_pos_embed_indices(grid, side, merge)
        found["embed_indices"], found["bilinear_weights"] = corners
    return found


def _audio_tensors(case: AudioCase, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
    config = build_config(case.config_class, case.config, "sdpa")
    lengths = inputs["feature_lens"]
    padded, chunks = audio.chunk_and_pad_features(
        inputs["input_features"], lengths, config.n_window
    )
    found = {"padded_feature": padded, "chunk_lengths": chunks}
    if "pool_indices" in case.tensors:
        found["valid_indices"] = audio.get_valid_indices(chunks)
        found["cu_seqlens"] = audio.get_audio_cu_seqlens(chunks)
        found["pool_indices"] = audio.get_pool_indices(lengths)
    else:
        found["valid_indices"] = audio.get_valid_indices(chunks, audio.chunked_eighth_lengths)
        found["cu_seqlens"] = audio.get_audio_cu_seqlens(
            chunks, lengths, config.n_window_infer, config.n_window
        )
    return found


OUTPUTS = ("last_hidden_state", "pooler_output", "deepstack_features")


def tensors_of(output: Any, names: Sequence[str] = OUTPUTS) -> list[torch.Tensor]:
    """Every tensor of a model output: hidden states, pooled and deep features."""
    found = []
    for name in names:
        value = getattr(output, name, None)
        if value is not None:
            found.extend(value if isinstance(value, (list, tuple)) else [value])
    return found


def shared_tensors(left: Any, right: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs of the tensors that both outputs have; releases differ in naming one tensor twice."""
    names = [
        name
        for name in OUTPUTS
        if None not in (getattr(left, name, None), getattr(right, name, None))
    ]
    assert "last_hidden_state" in names
    return list(zip(tensors_of(left, names), tensors_of(right, names), strict=True))


def load_into_reference(reference: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load the weights of a generated model, whose names are those of the published checkpoints.

    Later releases hold the parts of some models one level deeper and rename checkpoints as they load.
    """
    names = set(reference.state_dict())
    if not names >= set(state):
        parts = ("visual.", "audio_tower.")
        deeper = {f"model.{name}" if name.startswith(parts) else name: name for name in state}
        state = {
            new.replace("model.", "model.language_model.", 1) if new == old else new: state[old]
            for new, old in deeper.items()
        }
    reference.load_state_dict(state, strict=True)
