"""Every rule has near misses: three at least, each left for another reason or by another condition.

The golden cases count by what they report; what they lack stands here, as one change of a case that the rule
takes. A rule that is added has to bring its own.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from codegen.rewrite import helpers
from codegen.rewrite.capture.capture import RULES
from codegen.rewrite.helper_entry import Helper
from tests.rewrite.test_rules import CASES, DEFAULT, GOLDEN, read_case, run

WANTED = 3
#: Rules of which nothing can be near, and why.
EXEMPT = {"sampling": "one function stands for another, with its arguments as they are"}
#: Helpers that come with another, so that what is near to them is near to that.
TOGETHER = {
    "get_valid_indices": "chunk_and_pad_features",
    "get_audio_cu_seqlens": "chunk_and_pad_features",
    "get_pool_indices": "pooling",
    "get_half_pixel_indices": "half_pixel",
    "get_sound_prompt_positions": "sounds",
    "get_max_window_seqlen": "get_max_seqlen",
    "get_unshuffle_indices": "unshuffle",
}
REPEATED, SCALED = "capture/values_repeated_per_token", "capture/down_scale_of_merge_blocks"
CHECKED, RESIZED = "capture/check_with_values_in_its_message", "capture/table_resized_per_image"
PAIRS, TABLE = "extract/pairs_of_frames", "extract/interpolated_table"
WINDOWS, BLOCKS = "extract/window_order", "extract/order_of_blocks"
FRAMES, ONE_IMAGE = "extract/flattened_frames", "extract/lookup_in_a_table_without_name"
COUNTED, MORE = "capture/refusal_of_what_is_counted", '"more placeholders than frames"'
SAMPLED = "all/points_of_a_sampled_table_of_videos"
LOOP = "a loop over sizes whose results no helper gives in this form"
ELSEWHERE = "something else on 12 images"
TWICE = "(number := count)"
NEAR = [
    ("lengths", REPEATED, "if isinstance(lengths, list):", "if lengths is None:", "as a list, and no"),
    ("lengths", REPEATED, "rows, sizes, grid_thw)", "rows, sizes, grid_thw) + len(sizes)", "reads numbers"),
    ("lengths", REPEATED, "(cu_seqlens[1:] - cu_seqlens[:-1])", "cu_seqlens[1:]", "cu_seqlens[1:].tolist() reads"),
    ("unshuffle", SCALED, "(0, 1, 3, 2, 4, 5)", "(0, 3, 1, 2, 4, 5)", "no rule knows"),
    ("unshuffle", SCALED, 'mode="bilinear"', 'mode="nearest"', "no rule knows"),
    ("unshuffle", SCALED, "            width =", "            assert t < 3\n            width =", "assert would vanish"),
    ("unshuffle", SCALED, "            width =", "            self.last = t\n            width =", "write to self"),
    ("half_pixel", RESIZED, "mode=", "other=", "no rule knows"),
    ("half_pixel", RESIZED, "for t, h, w in grid_thw:\n", "for t, h, w in grid_thw:\n            assert t < 3\n", "assert would vanish"),
    ("half_pixel", RESIZED, "for t, h, w in grid_thw:\n", "for t, h, w in grid_thw:\n            self.last = t\n", "write to self"),
    ("checks", CHECKED, "{count}", f"{{{TWICE}}}", "it assigns a name"),
    ("checks", CHECKED, "== features.numel(),", "== (number := features.numel()),", "it assigns a name"),
    ("checks", CHECKED, "ValueError,\n        )", "(kind := ValueError),\n        )", "it assigns a name"),
    ("refusals", COUNTED, "mask.sum() >", "(count := mask.sum()) >", "it assigns a name"),
    ("refusals", COUNTED, "if mask.sum() >", "if 9 > mask.sum() >", "compares more than two numbers"),
    ("refusals", COUNTED, "            raise Run", "            self.last = ids\n            raise Run", "more than raise"),
    ("refusals", COUNTED, f"{MORE})\n", f"{MORE})\n        else:\n            self.last = ids\n", "it has an else"),
    ("refusals", COUNTED, MORE, f"{MORE}, ids", "an exception with a message alone"),
    ("refusals", COUNTED, "RuntimeError(", "self.error(", "self.error is no exception of Python itself"),
    ("refusals", COUNTED, MORE, "self.words", "its message self.words is no literal"),
    ("get_temporal_pair_indices", PAIRS, "frames[1::2]", "frames[::2]", LOOP),
    ("get_temporal_pair_indices", PAIRS, "begin += t", "assert t < 9\n            begin += t", "assert would vanish"),
    ("get_temporal_pair_indices", PAIRS, "max(t - 1, 1)", "min(max(t - 1, 1), 20)", ELSEWHERE),
    ("get_pos_embed_indices", TABLE, "y = torch", "assert h < 90\n            y = torch", "assert would vanish"),
    ("get_pos_embed_indices", TABLE, "y = torch", "self.last = h\n            y = torch", "writes to self"),
    ("get_pos_embed_indices", TABLE, "frame.repeat(t, 1)", "frame.repeat(min(t, 20), 1)", ELSEWHERE),
    ("get_window_index", WINDOWS, "seen += t", "self.last = t\n            seen += t", "write to self.last"),
    ("get_window_index", WINDOWS, "h, w = h //", "assert h < 99\n            h, w = h //", "assert would vanish"),
    ("get_window_index", WINDOWS, "-h % side", "-min(h, 100) % side", ELSEWHERE),
    ("get_block_permutation", BLOCKS, "inside = ", "self.last = h\n            inside = ", "writes to self"),
    ("get_block_permutation", BLOCKS, "inside = ", "assert h < 99\n            inside = ", "assert would vanish"),
    ("get_block_permutation", BLOCKS, "inside = ", "h = min(h, 150)\n            inside = ", ELSEWHERE),
    ("flatten_video_grid", FRAMES, "w]]", "w + 1]]", LOOP),
    ("flatten_video_grid", FRAMES, "repeat(t, 1)", "repeat(h, 1)", LOOP),
    ("flatten_video_grid", FRAMES, "rows.append", "self.last = t\n            rows.append", "writes to self"),
    ("get_image_pos_ids", ONE_IMAGE, "ids = torch", "self.last = rows_count\n        ids = torch", "self"),
    ("get_image_pos_ids", ONE_IMAGE, "[rows, cols]", "[rows, cols % 300]", "something else"),
    ("get_image_pos_ids", ONE_IMAGE, "[rows, cols]", "[rows, cols.clamp(max=300)]", "something else"),
    ("get_sampling_grid", SAMPLED, "        return self.embeddings(", "        if grid_thw.shape[0] > 1:\n            return self.embeddings(", "something else"),
]  # fmt: skip
IDS = [f"{rule}-{number}" for number, (rule, *_) in enumerate(NEAR)]


@pytest.mark.parametrize(("rule", "case", "old", "new", "words"), NEAR, ids=IDS)
def test_one_change_makes_a_near_miss(rule: str, case: str, old: str, new: str, words: str) -> None:
    (text,) = read_case(GOLDEN / f"{case}.txt").files.values()
    assert old in text
    folder = case.partition("/")[0]
    before, after = (run({DEFAULT: t}, folder).report for t in (text, text.replace(old, new, 1)))
    known = {(r.method, r.reason) for r in before}
    said = [r.reason for r in after if r.kind == "left" and (r.method, r.reason) not in known]
    assert any(words in reason for reason in said), said


def rules() -> set[str]:
    """All rules of capture, and all helpers that take the place of code: the registries say which."""
    captured = {rule.__name__.removesuffix("_edits") for rule, _ in RULES}
    made = {value.name for value in vars(helpers).values() if isinstance(value, Helper)}
    return {TOGETHER.get(rule, rule) for rule in captured | made} - EXEMPT.keys()


def test_every_rule_has_near_misses() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path in CASES:
        for line in read_case(path).report.split("\n"):
            match = re.fullmatch(r"# left at \S+(?: in \S+)?: (\w+): (.*)", line)
            if match is not None:
                found[match[1]].add(f"{path.stem}: {match[2]}")
    for rule, case, _, new, _ in NEAR:
        found[rule].add(f"{case}: {new}")
    few = {rule: sorted(found[rule]) for rule in rules() if len(found[rule]) < WANTED}
    assert not few
