"""Time and memory of compiled encoders beside eager ones: `python -m benchmarks.capture`.

Both run in turns in one process, on one thread, on images of 32 × 32 patches each; the tensors that
depend on sizes are given. Memory is what one call allocates at its peak beyond what is there before
it, after warm-up, the compiler excluded: on the CPU as the allocations of torch add up, on CUDA as
its allocator counts. `--check` exits with 1 if a compiled encoder takes longer than the eager one or
more than 1.2 times its memory, if its memory grows faster than the number of images, or if their
results differ by more than the precision of the dtype allows.
"""

import argparse
import importlib
import inspect
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from utils.modeling_vision_utils import (
    get_rotary_pos_ids,
    get_sampling_grid,
    get_vision_cu_seqlens,
    get_window_index,
)

SIDE = 32
WIDTH, DEPTH, HEADS, PATCH = 320, 4, 5, 14
TIME_BAR, MEMORY_BAR, GROWTH_BAR = 1.0, 1.2, 1.1
TOLERANCE = {"float32": 1e-5, "bfloat16": 3e-2, "float16": 4e-3}
"""Of the largest value of the result."""
COMMON = {"depth": DEPTH, "num_heads": HEADS, "patch_size": PATCH}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2_vl": (
        "Qwen2VisionTransformerPretrainedModel",
        {"embed_dim": WIDTH, "hidden_size": WIDTH, "mlp_ratio": 4},
    ),
    "qwen2_5_vl": (
        "Qwen2_5_VisionTransformerPretrainedModel",
        {
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "out_hidden_size": WIDTH,
            "window_size": 8 * PATCH,
            "fullatt_block_indexes": [DEPTH - 1],
        },
    ),
    "glm4v": (
        "Glm4vVisionModel",
        {
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "out_hidden_size": WIDTH,
            "image_size": 24 * PATCH,
        },
    ),
}

Call = Callable[[], Any]


@dataclass(frozen=True)
class Measured:
    """One encoder at one number of patches: seconds and bytes, eager and compiled."""

    model: str
    patches: int
    seconds: tuple[float, float]
    memory: tuple[int, int]
    difference: float

    @property
    def time_ratio(self) -> float:
        return self.seconds[1] / self.seconds[0]

    @property
    def memory_ratio(self) -> float:
        return self.memory[1] / self.memory[0]


def build_encoder(name: str, device: str, dtype: torch.dtype) -> Any:
    """A generated encoder with sdpa and random weights."""
    module = importlib.import_module(f"generated.{name}.modeling_{name}")
    class_name, fields = MODELS[name]
    cls = getattr(module, class_name)
    config = cls.config_class(**COMMON, **fields)
    torch.manual_seed(0)
    return cls._from_config(config, attn_implementation="sdpa").eval().to(device, dtype)


def make_inputs(encoder: Any, patches: int, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Images of `SIDE` × `SIDE` patches, `patches` in all, and what follows from their sizes."""
    config = encoder.config
    grid = torch.tensor([[1, SIDE, SIDE]] * (patches // SIDE**2))
    inputs = {
        "hidden_states": torch.randn(patches, 3 * config.temporal_patch_size * PATCH**2).to(dtype),
        "grid_thw": grid,
        "cu_seqlens": get_vision_cu_seqlens(grid),
        "rotary_pos_ids": get_rotary_pos_ids(grid, config.spatial_merge_size),
    }
    if hasattr(config, "window_size"):
        inputs["window_index"], inputs["cu_window_seqlens"] = get_window_index(
            grid, config.spatial_merge_size, config.window_size, PATCH
        )
    if "sampling_grid" in inspect.signature(encoder.forward).parameters:
        inputs["sampling_grid"] = get_sampling_grid(grid, config.spatial_merge_size)
    return {key: value.to(device) for key, value in inputs.items()}


def measure(
    name: str,
    encoder: Any,
    compiled: Any,
    patches: int,
    device: str,
    dtype: torch.dtype,
    turns: int,
) -> Measured:
    """Run both sides in turns."""
    inputs = make_inputs(encoder, patches, device, dtype)
    calls: tuple[Call, Call] = (lambda: encoder(**inputs), lambda: compiled(**inputs))
    expected, found = (call().last_hidden_state.float() for call in calls)
    difference = ((expected - found).abs().max() / expected.abs().max()).item()
    del expected, found
    memory = tuple(peak_bytes(call, device) for call in calls)
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for call, times in zip(calls, seconds):
            times.append(time_call(call, device))
    medians = tuple(statistics.median(times) for times in seconds)
    return Measured(
        name, patches, (medians[0], medians[1]), (memory[0], memory[1]), float(difference)
    )


def time_call(call: Call, device: str) -> float:
    """Seconds of one call; on the CPU those of this process, which others do not lengthen."""
    if device == "cuda":
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        return time.perf_counter() - start
    start = time.process_time()
    call()
    return time.process_time() - start


def peak_bytes(call: Call, device: str) -> int:
    """The most that a call holds at one time beyond what was there before."""
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profiled:
        result = call()
    del result
    results: Any = profiled.profiler
    events = [e for e in results.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def failures(results: list[Measured], dtype: str) -> list[str]:
    """What misses its bar."""
    found = []
    first: dict[str, Measured] = {}
    for item in results:
        place = f"{item.model} at {item.patches} patches"
        base = first.setdefault(item.model, item)
        growth = item.memory[1] / base.memory[1] / (item.patches / base.patches)
        if item.time_ratio > TIME_BAR:
            found.append(f"{place}: {item.time_ratio:.2f} times the time of eager")
        if item.memory_ratio > MEMORY_BAR:
            found.append(f"{place}: {item.memory_ratio:.2f} times the memory of eager")
        if growth > GROWTH_BAR:
            found.append(f"{place}: memory grew {growth:.2f} times as fast as the images")
        if item.difference > TOLERANCE[dtype]:
            found.append(f"{place}: differs from eager by {item.difference:.1e} of the largest")
    return found


def main() -> int:
    """Print a table; see the description of the module."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.capture", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=tuple(TOLERANCE), default="float32")
    parser.add_argument("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    parser.add_argument("--patches", nargs="+", type=int, default=[2048, 8192, 32768])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dtype: torch.dtype = getattr(torch, options.dtype)
    card = torch.cuda.get_device_name() if options.device == "cuda" else "one thread"
    print(f"torch {torch.__version__}, {options.device} ({card}), {options.dtype}")
    print(f"{'encoder':12} {'patches':>7}  {'eager':>9} {'compiled':>9}  ratio  "
          f"{'eager':>8} {'compiled':>8}  ratio  difference")  # fmt: skip
    results = []
    with torch.inference_mode():
        for name in options.models:
            torch.compiler.reset()
            encoder = build_encoder(name, options.device, dtype)
            compiled = torch.compile(encoder, fullgraph=True, dynamic=True)
            for patches in options.patches:
                item = measure(
                    name, encoder, compiled, patches, options.device, dtype, options.turns
                )
                results.append(item)
                (eager, graph), (held, kept) = item.seconds, item.memory
                print(f"{name:12} {patches:7}  {eager:7.3f} s {graph:7.3f} s  {item.time_ratio:5.2f}  "
                      f"{held / 2**20:5.0f} MB {kept / 2**20:5.0f} MB  {item.memory_ratio:5.2f}  "
                      f"{item.difference:.0e}", flush=True)  # fmt: skip
    missed = failures(results, options.dtype)
    for line in missed:
        print(line)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
