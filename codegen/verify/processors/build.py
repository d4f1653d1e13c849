"""Build the processor of a model from code alone: a tokenizer over bytes, and parts with their defaults."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

_PLACES = {
    "image_processor": ("image_processing", "IMAGE_PROCESSOR_MAPPING_NAMES"),
    "video_processor": ("video_processing", "VIDEO_PROCESSOR_MAPPING_NAMES"),
    "feature_extractor": ("feature_extraction", "FEATURE_EXTRACTOR_MAPPING_NAMES"),
    "audio_processor": ("feature_extraction", "FEATURE_EXTRACTOR_MAPPING_NAMES"),
}
"""Parts of processors: the kind of file that defines them, and the table of the library that names them."""
_ENDINGS = {
    "image_processing": "ImageProcessor",
    "video_processing": "VideoProcessor",
    "feature_extraction": "FeatureExtractor",
}
_NUMBERS = {"patch_size": 14, "num_image_tokens": 4, "image_seq_length": 4, "image_seq_len": 4}
_TOKEN = re.compile(r"tokenizer\.(?!add_)(\w+_token)\b|tokenizer, \"(?!add_)(\w+_token)\"")
_READ = re.compile(r"image_processor(?:\.|, \")(image_seq_length)\b")
#: Settings that parts have to have another value of: what would need a file that is not there.
_SETTINGS = {"draw_on_frames": False}
#: Tokens that stand around an item, by modality: their attributes.
_AROUND = {
    "image": (("image_start_token", "image_end_token"), ("vision_start_token", "vision_end_token")),
    "video": (("video_start_token", "video_end_token"), ("vision_start_token", "vision_end_token")),
    "audio": (("audio_bos_token", "audio_eos_token"),),
}
_WRITTEN = re.compile(r"[\"'](<[^\s\"'<>{}]{1,30}>|\[[A-Z_]{2,20}\])[\"']")


class NotBuilt(Exception):
    """Why a processor cannot be built."""


@dataclass(frozen=True)
class Built:
    """A processor and the placeholders that its prompts may have, by modality."""

    processor: Any
    placeholders: dict[str, list[str]]


def build(package: str, model: str, original: Path) -> Built:
    """Build the processor of a model.

    Args:
        package: that it is imported from.
        model: its name.
        original: the folder of the package as it was: the tokenizer knows the tokens that are written there,
            on both sides.

    Raises:
        NotBuilt: a part or an argument is missing, or something in it fails.
    """
    try:
        module = importlib.import_module(f"{package}.models.{model}.processing_{model}")
        cls = _processor_class(module)
        sources = [_source(original, c.__module__) for c in _line(cls)]
        tokenizer = _tokenizer(package, "\n".join(sources))
        given = _arguments(package, model, cls, tokenizer, "\n".join(sources), original)
        arguments = dict(given)
        _agree_on_rate(module, arguments)
        processor = cls(**arguments)
    except NotBuilt:
        raise
    except Exception as error:
        raise NotBuilt(f"{type(error).__name__}: {str(error)[:120]}") from None
    return Built(processor, _placeholders(processor, "\n".join(sources)))


def _source(original: Path, module: str) -> str:
    return original.joinpath(*module.split(".")[1:]).with_suffix(".py").read_text(encoding="utf-8")


def _line(cls: type) -> Iterator[type]:
    yield from (c for c in cls.__mro__ if ".models." in c.__module__)


def _processor_class(module: ModuleType) -> type:
    for name, found in vars(module).items():
        own = inspect.isclass(found) and found.__module__ == module.__name__
        if own and name.endswith("Processor") and hasattr(found, "apply_chat_template"):
            return found  # type: ignore[no-any-return]
    raise NotBuilt("no processor in its file")


def _tokenizer(package: str, source: str) -> Any:
    """A tokenizer of bytes without merges, whose added tokens are all that the source speaks of."""
    from tokenizers import (  # type: ignore[import-untyped]
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
    )

    fast = importlib.import_module(package).PreTrainedTokenizerFast
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    names = {first or second for first, second in _TOKEN.findall(source)}
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    # Some take tokens for patterns: letters mean themselves there.
    extra = {name: f"<{name}>" for name in sorted(names - special.keys())}
    made = fast(tokenizer_object=plain, **special, extra_special_tokens=extra)
    made.add_tokens(sorted({*_WRITTEN.findall(source), *extra.values()}), special_tokens=True)
    return made


def _arguments(
    package: str, model: str, cls: type, tokenizer: Any, source: str, original: Path
) -> Iterator[tuple[str, Any]]:
    for name, parameter in inspect.signature(cls.__init__).parameters.items():  # type: ignore[misc]
        if name == "tokenizer":
            yield name, tokenizer
        elif name in _PLACES:
            yield name, _part(package, model, name, source, original)
        elif name == "audio_tokenizer":
            yield name, stand_in_codec(package)
        elif name in _NUMBERS and parameter.default in (None, parameter.empty):
            yield name, _NUMBERS[name]
        elif name == "vision_feature_select_strategy" and not parameter.default:
            yield name, "default"
        elif parameter.default is parameter.empty and name not in ("self", "kwargs", "args"):
            raise NotBuilt(f"nothing is known to give for {name}")


def parent_model(original: Path, model: str) -> str:
    """The model whose processor this one inherits from in its definition, or empty."""
    definition = original / "models" / model / f"modular_{model}.py"
    text = definition.read_text(encoding="utf-8") if definition.is_file() else ""
    found = re.search(r"^from \.\.(?!auto)(\w+)\.processing_\w+ import", text, re.MULTILINE)
    return found[1] if found else ""


def _part(package: str, model: str, name: str, source: str, original: Path) -> Any:
    """An image, video or audio processor with the settings it has by itself."""
    kind, table = _PLACES[name]
    try:
        module = importlib.import_module(f"{package}.models.{model}.{kind}_{model}")
        ending = _ENDINGS[kind]
        names = [n for n, c in vars(module).items() if inspect.isclass(c) and n.endswith(ending)]
        own = [n for n in names if getattr(module, n).__module__ == module.__name__]
        found = getattr(module, own[0]) if own else None
    except ImportError:
        found = None
    if found is None:
        auto = f"{package}.models.auto.{kind}_auto"
        known = getattr(importlib.import_module(auto), table)
        given = next((known[key] for key in known if _plain(key) == _plain(model)), None)
        values = list(given.values()) if isinstance(given, dict) else list(_flat(given))
        spoken_of = re.findall(rf"\b(?!Auto|Base)[A-Z]\w+{_ENDINGS[kind]}\b", source)
        library = importlib.import_module(package)
        named = [value for value in (*values, *spoken_of) if isinstance(value, str)]
        found = next((getattr(library, n) for n in named if hasattr(library, n)), None)
        if found is None and (parent := parent_model(original, model)):
            return _part(package, parent, name, source, original)
        if found is None:
            raise NotBuilt(f"no {name} is known for it")
    part = found()
    for setting, value in _SETTINGS.items():
        if hasattr(part, setting):
            setattr(part, setting, value)
    for number in _READ.findall(source) if name == "image_processor" else ():
        if getattr(part, number, None) is None:
            setattr(part, number, _NUMBERS[number])
    return part


def _agree_on_rate(module: ModuleType, parts: dict[str, Any]) -> None:
    """Give the part for sounds the sampling rate that the processor has for its default."""
    for kinds in vars(module).values():
        defaults = getattr(kinds, "_defaults", None)
        rate = defaults.get("audio_kwargs", {}).get("sampling_rate") if defaults else None
        for part in parts.values():
            if rate is not None and hasattr(part, "sampling_rate"):
                part.sampling_rate = rate


def _plain(model: str) -> str:
    """The name of a model without what joins its parts: tables and folders differ in that."""
    return re.sub("[-_]", "", model)


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(item)
    elif value is not None:
        yield value


def _token(processor: Any, name: str) -> str | None:
    """A token that the processor or its tokenizer has under a name."""
    value = getattr(processor, name, None) or getattr(processor.tokenizer, name, None)
    return value if isinstance(value, str) else None


def stand_in_codec(package: str) -> Any:
    """In the place of a model that codes audio: eight books, one step for each 960 samples."""
    import types

    import torch

    utils = importlib.import_module(f"{package}.modeling_utils")
    mixin = importlib.import_module(f"{package}.processing_utils").ProcessorMixin
    original = mixin.check_argument_for_proper_class

    def lenient(self: Any, name: str, argument: Any) -> Any:
        """Take the stand-in for what it stands for."""
        return type(argument) if isinstance(argument, StandIn) else original(self, name, argument)

    class StandIn(utils.PreTrainedAudioTokenizerBase):  # type: ignore[misc, name-defined]
        device = "cpu"
        config = types.SimpleNamespace(num_quantizers=8)

        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

        def encode(self, input_values: Any = None, **kwargs: Any) -> Any:
            steps = input_values.shape[-1] // 960 + 1
            codes = torch.arange(8 * steps).reshape(1, 8, steps) % 1000
            return types.SimpleNamespace(audio_codes=codes)

        def decode(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

    mixin.check_argument_for_proper_class = lenient
    return StandIn()


def _placeholders(processor: Any, source: str) -> dict[str, list[str]]:
    """What may stand for an item in a prompt: attributes that are named so, and what the source writes."""
    found: dict[str, list[str]] = {}
    for modality in ("image", "video", "audio"):
        names = [f"{modality}_placeholder_token", f"{modality}_token"]
        names[1:1] = ["boi_token", "fake_image_token"] if modality == "image" else []
        values = [getattr(processor, name, None) for name in names]
        values += [getattr(getattr(processor, "tokenizer", None), names[-1], None)]
        values += [text for text in _WRITTEN.findall(source) if text == f"<{modality}>"]
        known = [value for value in dict.fromkeys(values) if isinstance(value, str)]
        for first, last in _AROUND[modality] if known else ():
            start, end = (_token(processor, attribute) for attribute in (first, last))
            if start and end:
                known += [f"{start}{value}{end}" for value in known]
        if known:
            found[modality] = known
    return found
