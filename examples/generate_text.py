"""Answer prompts with images of different sizes: processor, whole model and generation, each graph compiled once.

The processor returns, beside patches and token ids, everything that the encoder would compute from the
sizes of the images. The whole model, compiled as one graph, takes prompts of any length with any number of
images; generation with a cache of fixed length runs on two more graphs, one for a prompt and one for a
token. Times and numbers of graphs are printed beside those of the plain model, whose answers are the same.

    python -m examples.generate_text
    python -m examples.generate_text --hidden-size 320 --layers 8 --tokens 64
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch._dynamo.utils import counters
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    StaticCache,
)

from generated.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLForConditionalGeneration
from generated.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
PLACEHOLDERS = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
DELIMITERS = {
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
LONGEST = 512
"""Tokens of a prompt with its answer that the cache has room for."""
# Each batch: prompts, and the heights and widths in pixels of the images in them. While a graph is made,
# sizes that happen to be equal are taken for the same: the first batch has another number of everything.
BATCHES = (
    (
        (f"{IMAGE}{IMAGE}{IMAGE}Which one is larger?", f"Compare {IMAGE} and {IMAGE}."),
        ((56, 84), (112, 84), (84, 84), (168, 112), (56, 140)),
    ),
    (
        (f"{IMAGE}What is this?", f"Describe {IMAGE}{IMAGE} in a few words."),
        ((84, 56), (112, 140), (56, 168)),
    ),
)


def make_processor() -> Qwen2_5_VLProcessor:
    """A processor made of code alone: every byte is a token."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(
        models.BPE(vocab={letter: n for n, letter in enumerate(letters)}, merges=[])
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = (*SPECIAL.values(), *PLACEHOLDERS.values(), *DELIMITERS.values())
    backend.add_special_tokens([AddedToken(n, normalized=False, special=True) for n in names])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        padding_side="left",
        extra_special_tokens=PLACEHOLDERS,
        **SPECIAL,
    )
    size = {"shortest_edge": 56 * 56, "longest_edge": 1024 * 1024}
    return Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(size=size), tokenizer, Qwen2VLVideoProcessor(size=size)
    )


def make_model(tokenizer: Any, hidden_size: int, layers: int) -> Qwen2_5_VLForConditionalGeneration:
    """A small model of the published shape, with random weights."""
    named = {f"{name}_id": token for name, token in PLACEHOLDERS.items()} | DELIMITERS
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": layers,
            "hidden_size": hidden_size,
            "intermediate_size": 2 * hidden_size,
            "num_heads": hidden_size // 40,
            "out_hidden_size": hidden_size,
            "fullatt_block_indexes": [layers - 1],
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": hidden_size,
            "intermediate_size": 2 * hidden_size,
            "num_hidden_layers": layers,
            "num_attention_heads": hidden_size // 40,
            "num_key_value_heads": hidden_size // 80,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [4, 8, 8],
                "rope_theta": 10000.0,
            },
        },
        **{name: tokenizer.convert_tokens_to_ids(token) for name, token in named.items()},
    )
    torch.manual_seed(0)
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def load_batch(
    processor: Any, config: Any, prompts: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> dict[str, torch.Tensor]:
    """What the model takes for prompts with random images, and what follows from their sizes."""
    draw = np.random.default_rng(len(sizes))
    images = [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    found = processor(
        images=images,
        text=list(prompts),
        padding=True,
        return_tensors="pt",
        return_extra_tensors=config,
    )
    return dict(found)


def timed(run: Callable[[], Any]) -> tuple[Any, float, int]:
    """Result of a call, its time in milliseconds the second time, and how many graphs both made."""
    before = counters["stats"]["unique_graphs"]
    run()
    start = time.perf_counter()
    result = run()
    spent = (time.perf_counter() - start) * 1000
    return result, spent, counters["stats"]["unique_graphs"] - before


def answer(model: Any, batch: dict[str, Any], cache: StaticCache, settings: dict[str, Any]) -> Any:
    """Tokens of prompts with their answers; one cache for all batches lets the graphs be used again."""
    cache.reset()
    return model.generate(**batch, **settings, past_key_values=cache)


def compare(what: str, plain: Callable[[], Any], compiled: Callable[[], Any]) -> None:
    """Run both ways, and print times, graphs and the largest difference."""
    expected, eager_ms, _ = timed(plain)
    found, compiled_ms, graphs = timed(compiled)
    difference = (expected.float() - found.float()).abs().max().item()
    print(
        f"  {what:10} eager {eager_ms:8.1f} ms   compiled {compiled_ms:8.1f} ms"
        f"   new graphs {graphs}   largest difference {difference:.1e}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer two batches of prompts with the same graphs."""
    parser = argparse.ArgumentParser(description="Answer prompts with images of different sizes.")
    parser.add_argument("--backend", default="inductor", help="backend of torch.compile")
    parser.add_argument("--hidden-size", type=int, default=160, help="a multiple of 80")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=16, help="how many each answer has")
    options = parser.parse_args(arguments)
    processor = make_processor()
    model = make_model(processor.tokenizer, options.hidden_size, options.layers)
    twin = make_model(processor.tokenizer, options.hidden_size, options.layers)
    twin.load_state_dict(model.state_dict())
    compile_options = {"fullgraph": True, "dynamic": True, "backend": options.backend}
    forward = torch.compile(model, **compile_options)
    # What `generate` calls for every step, the prompt included.
    twin.forward = torch.compile(twin.forward, **compile_options)
    cache = StaticCache(config=model.config.get_text_config(), max_cache_len=LONGEST)
    settings = {"max_new_tokens": options.tokens, "do_sample": False, "eos_token_id": None}
    with torch.no_grad():
        for prompts, sizes in BATCHES:
            batch = load_batch(processor, model.config, prompts, sizes)
            tokens = tuple(batch["input_ids"].shape)
            print(f"{len(prompts)} prompts, {len(sizes)} images, tokens {tokens}")
            compare(
                "logits",
                lambda batch=batch: model(**batch).logits,
                lambda batch=batch: forward(**batch).logits,
            )
            compare(
                "generate",
                lambda batch=batch: model.generate(**batch, **settings),
                lambda batch=batch: answer(twin, batch, cache, settings),
            )


if __name__ == "__main__":
    main()
