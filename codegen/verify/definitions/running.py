"""Build the classes of a model small, with the same weights on both sides, and run them.

What a class needs is told from its signature and from the configuration it names. A class that
cannot be built that way is left to inspection; both sides are then silent about it.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from codegen.verify.definitions.values import Describer

_MOST_WEIGHTS = 4_000_000
#: Small values for the settings of a configuration, by a part of their name; the first that fits.
_SMALL: tuple[tuple[str, int], ...] = (
    ("num_key_value_heads", 2),
    ("num_attention_heads", 4),
    ("num_heads", 4),
    ("attention_heads", 4),
    ("head_dim", 8),
    ("intermediate_size", 48),
    ("ffn_dim", 48),
    ("vocab_size", 96),
    ("num_hidden_layers", 2),
    ("num_layers", 2),
    ("layers", 2),
    ("depth", 2),
    ("hidden_size", 32),
    ("hidden_dim", 32),
    ("embed_dim", 32),
    ("d_model", 32),
    ("dim", 32),
    ("max_position_embeddings", 64),
    ("image_size", 32),
    ("patch_size", 8),
    ("num_experts_per_tok", 2),
    ("num_local_experts", 4),
    ("num_experts", 4),
    ("n_routed_experts", 4),
    ("window_size", 4),
)
#: Settings that give a size for each stage.
_SIZES = ("depths", "hidden_sizes", "embed_dims", "num_heads")
#: What parameters of a constructor are given, by name.
_GIVEN: Mapping[str, Any] = {
    **dict.fromkeys(("layer_idx", "layer_id", "block_idx"), 0),
    **dict.fromkeys(("dim", "hidden_size", "embed_dim", "in_features", "d_model", "width"), 32),
    **dict.fromkeys(("out_features", "intermediate_size"), 48),
    **dict.fromkeys(("num_heads", "num_attention_heads"), 4),
    **dict.fromkeys(("head_dim",), 8),
    **dict.fromkeys(("eps",), 1e-6),
}


def run_class(cls: type, describer: Describer) -> dict[str, Any]:
    """What an object of a class gives, by what was done with it; empty if it cannot be built."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if _is_configuration(cls):
            return {f"{cls.__name__}()": _guarded(lambda: describer.value(cls().to_dict()))}
        if _is_network(cls):
            return _run_network(cls, describer)
    return {}


def _is_configuration(cls: type) -> bool:
    return hasattr(cls, "to_dict") and hasattr(cls, "model_type") and not _is_network(cls)


def _is_network(cls: type) -> bool:
    return any(base.__module__.startswith("torch.nn") for base in cls.__mro__)


def _run_network(cls: type, describer: Describer) -> dict[str, Any]:
    import torch

    arguments = _arguments(cls)
    if arguments is None:
        return {}
    try:
        with torch.device("meta"):
            count = sum(part.numel() for part in cls(**arguments).parameters())
    except Exception:  # some cannot be made without memory; they are small enough, or fail below
        count = 0
    if count > _MOST_WEIGHTS:
        return {}
    torch.manual_seed(0)
    try:
        network = cls(**arguments)
    except Exception as error:
        return {f"{cls.__name__}(...)": ["not built", type(error).__name__]}
    found = {f"{cls.__name__}(...)": describer.value(network)}
    _fill(network)
    network.eval()
    inputs = _inputs(network, arguments)
    if inputs is not None:
        result = _guarded(lambda: describer.value(_outputs(network(**inputs))))
        found[f"{cls.__name__}(...)({', '.join(inputs)})"] = result
    return found


def _guarded(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        return ["raised", type(error).__name__]


def _arguments(cls: type) -> dict[str, Any] | None:
    """Arguments for a constructor; None if one that it requires is not known."""
    given: dict[str, Any] = {}
    try:
        parameters = list(inspect.signature(cls).parameters.values())
    except (TypeError, ValueError):
        return None
    for item in parameters:
        if item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD):
            continue
        if "config" in item.name:
            config = small_configuration(cls, item)
            if config is None:
                return None
            given[item.name] = config
        elif item.default is item.empty:
            if item.name not in _GIVEN:
                return None
            given[item.name] = _GIVEN[item.name]
    return given


def small_configuration(cls: type, parameter: inspect.Parameter) -> Any:
    """A configuration for a class with the settings that make it large replaced by small ones."""
    options = [parameter.annotation, getattr(cls, "config_class", None)]
    module = inspect.getmodule(cls)
    named = [name for name in dir(module) if name.endswith("Config") and module]
    options += [getattr(module, name) for name in sorted(named, key=len)]
    for option in options:
        if isinstance(option, str):
            option = getattr(module, option, None)
        if (
            isinstance(option, type)
            and hasattr(option, "to_dict")
            and hasattr(option, "model_type")
        ):
            with contextlib.suppress(Exception):
                return _shrink(option())
    return None


def _shrink(config: Any) -> Any:
    for name, value in list(vars(config).items()):
        if hasattr(value, "to_dict") and hasattr(value, "model_type"):
            _shrink(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            small = next((size for part, size in _SMALL if name.endswith(part)), None)
            if small is not None and value > small:
                with contextlib.suppress(Exception):
                    setattr(config, name, small)
        elif name == "layer_types" and isinstance(value, (list, tuple)):
            with contextlib.suppress(Exception):
                setattr(config, name, list(value[:2]))
        elif name in _SIZES and isinstance(value, (list, tuple)):
            with contextlib.suppress(Exception):
                setattr(config, name, type(value)(min(item, 32) for item in value))
    with contextlib.suppress(Exception):
        config._attn_implementation = "eager"
    return config


def _fill(network: Any) -> None:
    """Weights that depend on nothing but their name and shape."""
    import torch

    with torch.no_grad():
        for name, weight in network.named_parameters():
            source = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            if weight.is_floating_point():
                weight.copy_(torch.randn(weight.shape, generator=source) * 0.1)


def _inputs(network: Any, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Inputs for ``forward``; None if one that it requires is not known."""
    import torch

    config = arguments.get("config")
    source = torch.Generator().manual_seed(1)
    width = getattr(config, "hidden_size", None) or getattr(config, "embed_dim", None) or 32
    first = next(iter(network.parameters()), None)
    if config is None and first is not None:
        width = first.shape[-1]
    head = getattr(config, "head_dim", None) or width // (
        getattr(config, "num_attention_heads", None) or 4
    )

    def states() -> Any:
        return torch.randn(1, 6, width, generator=source)

    angles = torch.linspace(0, 1, 6 * head).reshape(1, 6, head)
    size = getattr(config, "image_size", 32)
    size = size if isinstance(size, int) else 32
    made: dict[str, Callable[[], Any]] = {
        **dict.fromkeys(("hidden_states", "x", "inputs_embeds", "hidden_state", "input"), states),
        "input_ids": lambda: torch.arange(6)[None] % 90,
        "position_ids": lambda: torch.arange(6)[None],
        "position_embeddings": lambda: (angles.cos(), angles.sin()),
        "attention_mask": lambda: None,
        "pixel_values": lambda: torch.randn(1, 3, size, size, generator=source),
    }
    found: dict[str, Any] = {}
    for item in inspect.signature(network.forward).parameters.values():
        if item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD):
            continue
        wanted = item.default is item.empty or (item.name == "input_ids" and not found)
        wanted = wanted or (item.name == "pixel_values" and not found)
        if wanted and item.name not in made:
            return None
        if wanted:
            found[item.name] = made[item.name]()
    return found or None


def _outputs(result: Any) -> Any:
    """Tensors of an output, with a digest of their content: equal means bit by bit."""
    import torch

    if isinstance(result, torch.Tensor):
        return list(_digested(result))
    if isinstance(result, Mapping):
        return {name: _outputs(value) for name, value in result.items() if value is not None}
    if isinstance(result, (list, tuple)):
        return [_outputs(item) for item in result]
    return result if isinstance(result, (int, float, str, bool, type(None))) else type(result)


def _digested(tensor: Any) -> Iterator[Any]:
    yield list(tensor.shape)
    content = tensor.detach().contiguous().cpu()
    yield str(content.dtype)
    if content.dtype.is_floating_point:
        content = content.float()
    yield hashlib.sha256(content.numpy().tobytes()).hexdigest()[:16]
    yield [round(float(item), 4) for item in content.flatten()[:4]]
