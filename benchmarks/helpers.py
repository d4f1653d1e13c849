"""Time every helper in `utils` against a per-entry loop: `python -m benchmarks.helpers`.

Both are timed in turns on one thread in one run, and the shortest of many runs counts, so that the
ratios do not depend on what else the machine does. Results are compared before timing. `--check`
exits with 1 if a ratio misses its bar: never slower on any workload, 3× on the 64 mixed 20× on the
1024 small entries, 10× on 64 prompts with 16 images each.
"""

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks import loops
from utils import modeling_audio_utils as audio
from utils import modeling_vision_utils as vision
from utils.few_sounds import count_prompt_by_prompt
from utils.sound_positions import SoundTokens, get_positions_with_sound
from utils.text_positions import get_text_positions

BARS = {
    **{"one large": 1.0, "64 mixed": 3.0, "1024 small": 20.0, "video": 1.0, "one long": 1.0},
    **{"one prompt": 1.0, "16 images": 1.0, "16 prompts": 1.0, "64 prompts": 10.0},
}
# This one moves the features themselves, which takes the loop's time too.
MOVES_FEATURES = "chunk_and_pad_features"


@dataclass(frozen=True)
class Case:
    """A helper and its loop, both without arguments left to give."""

    helper: str
    workload: str
    run: Callable[[], Any]
    loop: Callable[[], Any]


def make_grids() -> dict[str, torch.Tensor]:
    """Return the four grids: sizes as processors with patches of 14 pixels produce them."""
    draw = random.Random(0)

    def side(low: int, high: int) -> int:
        return 2 * draw.randint(low // 2, high // 2)

    return {
        "one large": torch.tensor([[1, 128, 96]]),
        "64 mixed": torch.tensor([[1, side(16, 48), side(16, 48)] for _ in range(64)]),
        "1024 small": torch.tensor([[1, side(4, 12), side(4, 12)] for _ in range(1024)]),
        "video": torch.tensor([[128, 24, 40]]),
    }


def make_lengths() -> dict[str, torch.Tensor]:
    """Return feature lengths of one long, 64 mixed and 1024 small audios (100 frames a second)."""
    draw = random.Random(0)
    return {
        "one long": torch.tensor([30000]),
        "64 mixed": torch.tensor([draw.randint(100, 1500) for _ in range(64)]),
        "1024 small": torch.tensor([draw.randint(5, 40) for _ in range(1024)]),
    }


def make_vision_cases() -> list[Case]:
    """Pair every vision helper with its loop on every grid."""
    pairs: list[tuple[Callable[..., Any], Callable[..., Any], tuple[int, ...]]] = [
        (vision.get_vision_cu_seqlens, loops.cu_seqlens, ()),
        (vision.get_rotary_pos_ids, loops.rotary_pos_ids, (2,)),
        (vision.get_window_index, loops.window_index, (2, 112, 14)),
        (vision.get_pos_embed_indices, loops.pos_embed_indices, (48, 2)),
        (vision.get_half_pixel_indices, loops.half_pixel_indices, (27,)),
        (vision.get_sampling_grid, loops.sampling_grid, (2,)),
        (vision.get_block_permutation, loops.block_permutation, (2,)),
        (vision.get_temporal_pair_indices, loops.temporal_pair_indices, (2,)),
        (vision.get_unshuffle_indices, loops.unshuffle_indices, (2,)),
        (vision.get_vision_segment_ids, loops.segment_ids, ()),
        (vision.flatten_video_grid, loops.video_grid, ()),
    ]
    return [
        Case(helper.__name__, workload, partial(helper, grid, *rest), partial(loop, grid, *rest))
        for helper, loop, rest in pairs
        for workload, grid in make_grids().items()
    ]


def make_audio_cases() -> list[Case]:
    """Pair every audio helper with its loop on every list of lengths."""
    cases = []
    for workload, lens in make_lengths().items():
        features = torch.randn(128, int(lens.sum()))
        chunks = audio.get_chunk_lengths(lens, 50)
        windows = (chunks, lens, 400, 50)
        calls: list[tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = [
            (audio.get_chunk_lengths, loops.chunk_lengths, (lens, 50)),
            (audio.chunk_and_pad_features, loops.chunk_and_pad, (features, lens, 50)),
            (audio.get_valid_indices, loops.valid_indices, (chunks,)),
            (audio.get_audio_cu_seqlens, loops.audio_cu_seqlens, (chunks,)),
            (audio.get_audio_cu_seqlens, loops.audio_window_cu_seqlens, windows),
            (audio.get_pool_indices, loops.pool_indices, (lens,)),
        ]
        for helper, loop, rest in calls:
            name = helper.__name__ + (" (windows)" if rest is windows else "")
            cases.append(Case(name, workload, partial(helper, *rest), partial(loop, *rest)))
    return cases


def make_prompts() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return token types and grids, in tokens, of prompts with images of 8 × 8 patches, one larger."""

    def prompts(number: int, images: int) -> tuple[torch.Tensor, torch.Tensor]:
        types = [0] * 5 + ([1] * 16 + [0] * 3) * images
        return torch.tensor([types] * number), torch.tensor([[1, 4, 4]] * (number * images))

    large = torch.tensor([[0] * 5 + [1] * 3072 + [0] * 9]), torch.tensor([[1, 64, 48]])
    return {
        **{"one prompt": prompts(1, 1), "16 images": prompts(1, 16), "64 prompts": prompts(64, 16)},
        **{"16 prompts": prompts(16, 1), "one large": large},
    }


def make_text_cases() -> list[Case]:
    """Pair the positions of prompts with their loop."""
    cases = []
    for workload, (types, grid) in make_prompts().items():
        for name, mask in (("", None), (" (mask)", torch.ones_like(types))):
            run = partial(get_text_positions, types, grid, attention_mask=mask)
            loop = partial(loops.text_positions, types, grid, attention_mask=mask)
            cases.append(Case("get_text_positions" + name, workload, run, loop))
    return [*cases, make_sound_case()]


def make_sound_case() -> Case:
    """Pair positions of prompts that hold a video with sound and images with counting token by token."""
    image, video, sound = [5, *[7] * 16, 6], [5, 10, *[8] * 16, *[9] * 25, 11, 6], [20] * 3
    row = [20] * 5 + ([*video, *sound] + [*image, *sound] * 3) * 4
    images, videos = torch.tensor([[1, 4, 4]] * (12 * 64)), torch.tensor([[1, 4, 4]] * (4 * 64))
    ids, tokens = torch.tensor([row] * 64), SoundTokens(7, 8, 9, 5, 10)
    mask, dtype = torch.ones_like(ids), torch.int64

    def times(frame: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
        return frame * 25

    run = partial(
        get_positions_with_sound,
        *(ids, tokens, images, videos),
        attention_mask=mask,
        frame_times=times,
        delimiters_share_position=True,
        dtype=dtype,
    )
    loop = partial(count_prompt_by_prompt, ids, tokens, images, videos, mask, times, True, dtype)
    return Case("get_positions_with_sound", "64 prompts", run, loop)


def check_equal(case: Case) -> None:
    """Raise AssertionError unless helper and loop give the same tensors, bit for bit."""
    torch.testing.assert_close(
        case.run(), case.loop(), rtol=0, atol=1e-6 if "half_pixel" in case.helper else 0
    )


def time_pair(case: Case, seconds: float) -> tuple[float, float]:
    """Return the shortest times of helper and loop in microseconds, run in turns for `seconds`."""
    best = [float("inf"), float("inf")]
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 5 or time.perf_counter() < end:
        for index, call in enumerate((case.run, case.loop)):
            start = time.perf_counter()
            call()
            best[index] = min(best[index], time.perf_counter() - start)
        rounds += 1
    return best[0] * 1e6, best[1] * 1e6


def main() -> int:
    """Print the table of times and ratios; return 1 if `--check` finds a missed bar."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.helpers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default="", help="run helpers whose name contains this")
    parser.add_argument("--seconds", type=float, default=0.4, help="time per row")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    missed = 0
    print(
        f"{'helper':32} {'workload':11} {'helper µs':>10} {'loop µs':>10} {'ratio':>7} {'bar':>5}"
    )
    for case in make_vision_cases() + make_audio_cases() + make_text_cases():
        if options.only not in case.helper:
            continue
        check_equal(case)
        ours, theirs = time_pair(case, options.seconds)
        bar = 1.0 if case.helper == MOVES_FEATURES else BARS[case.workload]
        short = theirs / ours < bar
        missed += short
        print(
            f"{case.helper:32} {case.workload:11} {ours:10.1f} {theirs:10.1f} {theirs / ours:6.1f}x"
            f" {bar:4.0f}x{'  missed' if short else ''}"
        )
    print(f"{missed} bars missed" if missed else "all bars met")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
