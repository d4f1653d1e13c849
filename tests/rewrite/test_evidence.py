"""What is left although it agrees with a helper on small grids: the reason and the place of each form."""

from __future__ import annotations

import re

import numpy as np
import pytest

from codegen.rewrite import Settings, rewrite_library
from codegen.rewrite.probe.probes import (
    DISTINCT,
    LARGEST_NUMBER,
    MERGES,
    MOST_PATCHES,
    large_probes,
    probes_around,
    relevant,
)
from tests.rewrite.test_rules import GOLDEN, MARKER, DictLibrary, split_files

LARGE = "it gives something else on 12 images"
AROUND = r"it gives something else on (1?\d|\[\[)"

#: By case and method: the reason (a pattern) and a line of the method that it is reported at.
LEFT = {
    "bounds_above_small_grids": {
        "least": (LARGE, "torch.cat(pieces)"),
        "lowest_bits": (LARGE, "torch.cat(pieces)"),
        "in_place": (LARGE, "torch.cat(pieces)"),
        "through_a_view": (LARGE, "torch.cat(pieces)"),
        "by_condition": (LARGE, "torch.cat(pieces)"),
        "small_numbers_only": (r"\(a dtype that holds small numbers only\)", "for t, h, w"),
        "frames": (LARGE, "torch.cat(pieces)"),
        "images": ("it gives something else on 18 images", "torch.cat(pieces)"),
        "boundaries": (r"something else on \[\[100, 2, 2\], \[101, 2, 2\]", "[:101]"),
        "patches": (LARGE, "% 1000"),
        "many_patches": ("no probe reaches the number 150000", "150_000"),
    },
    "branches_above_small_grids": {
        "one_height": (AROUND, "torch.cat(pieces)"),
        "known_widths": (AROUND, "torch.cat(pieces)"),
        "both_sides": (AROUND, "torch.cat(pieces)"),
        "in_an_expression": (LARGE, "torch.cat(pieces)"),
        "in_a_function": (LARGE, "torch.cat(pieces)"),
        "skipped_images": ("it gives something else on 17 images", "torch.cat(pieces)"),
        "of_the_configuration": ("no probe makes its condition true", "if self.merge > 4"),
        "while_tracing": ("while tracing", "torch.cat(pieces)"),
        "filtered": (LARGE, "torch.cat(pieces)"),
        "by_total": ("a condition decides what it holds", "if cu_seqlens[-1]"),
    },
    "values_that_need_not_hold": {
        "by_default": ("it depends on a parameter with a default", "torch.cat(pieces)"),
        "moved_by_a_method": ("arithmetic that matches no helper", "for t, h, w"),
        "limited_by_a_condition": ("arithmetic that matches no helper", "for t, h, w"),
        "with_two_sizes": ("on several fields that probes give one value", "torch.cat(pieces)"),
    },
    "effects_that_would_vanish": {
        "asserted": ("an assert would vanish: it reads h, which goes", "assert"),
        "raised": ("a raise would vanish: it reads h, w, which go", "raise ValueError"),
        "raised_in_a_function": ("a raise would vanish in refuse_thin", "for t, h, w"),
        "warned": ("a call of warnings.warn would vanish", "warnings.warn"),
        "logged": ("a call of logger.debug would vanish", "logger.debug"),
        "printed": ("a call of print would vanish", "print"),
        "counted": ("the loop writes to self, too", "for t, h, w"),
        "collected": ("the loop writes to self, too", "for t, h, w"),
        "collected_under_a_name": ("a call of seen.append would vanish", "seen.append"),
        "remembered": ("the loop writes to self, too", "for t, h, w"),
        "given_container": ("not understood: it changes sizes, too", "for t, h, w"),
        "given_grid_changed": ("a call of t.clamp_ would vanish", "t.clamp_"),
        "counted_and_read": ("needed for what it leaves in images$", "for t, h, w"),
        "in_a_context": ("the context of self.timer would vanish", "with self.timer"),
    },
}


@pytest.mark.parametrize("case", LEFT)
def test_what_does_not_hold_is_left_with_its_reason_and_place(case: str) -> None:
    text = (GOLDEN / "extract" / f"{case}.txt").read_text().partition(MARKER)[0]
    lines = text.splitlines()
    result = rewrite_library(DictLibrary(split_files(text)), Settings(passes=("extract",)))
    methods = re.findall(r"    def (?!__init__|set_shift)(\w+)\(self", text)
    assert sorted(methods) == sorted(LEFT[case])
    assert result.edits == {}
    for method, (reason, line) in LEFT[case].items():
        found = [r for r in result.report if r.method == method and re.search(reason, r.reason)]
        assert len(found) == 1, (method, [r.reason for r in result.report if r.method == method])
        assert line in lines[int(found[0].location.rpartition(":")[2]) - 1], method


def test_refusals_that_cannot_be_moved_say_why() -> None:
    text = (GOLDEN / "extract" / "refusals_in_rounds.txt").read_text().partition(MARKER)[0]
    result = rewrite_library(DictLibrary(split_files(text)), Settings(passes=("extract",)))
    reasons = {(r.method, r.reason) for r in result.report if r.kind == "left" and r.helper}
    start = "not replaced by get_rotary_pos_ids: an assert would vanish: "
    assert reasons == {
        ("of_one_row", f"{start}it reads area, which goes with the loop"),
        ("of_later_frames", f"{start}not every grid leads to it"),
    }


def test_large_probes_reach_what_they_are_to_reach() -> None:
    """A side of several hundred patches, thirty frames, a dozen images; with every configuration."""
    for variant in (0, 1):
        grids = [probe.grid for probe in large_probes() if probe.variant == variant]
        rows = np.concatenate(grids)
        assert rows[:, 0].max() >= 30
        assert rows[:, 1].max() >= 200 and rows[:, 2].max() >= 200
        assert max(len(grid) for grid in grids) >= 12
    assert max(probe.rows for probe in large_probes()) <= MOST_PATCHES


@pytest.mark.parametrize("number", [5, 32, 63, 65, 448, LARGEST_NUMBER])
def test_probes_lie_on_both_sides_of_a_number(number: int) -> None:
    for variant, merge in enumerate(MERGES):
        grids = [probe.grid for probe in probes_around([number], variant)]
        rows = np.concatenate(grids)
        for values in rows[:, 1:].T:
            below, above = values[values <= number], values[values > number]
            assert below.max() > number - merge and above.min() <= number + merge
        assert max(int(grid.prod(1).sum()) for grid in grids) <= MOST_PATCHES
    grids = [probe.grid for probe in probes_around([number], 0)]
    frames = np.concatenate(grids)[:, 0]
    assert {number - 1, number, number + 1} <= set(frames.tolist())
    assert max(len(grid) for grid in grids) > number


def test_the_probe_for_fields_that_differ_fits_all_of_them() -> None:
    """Fields that usually have one value get its doubles: merge blocks of each have to fit."""
    assert DISTINCT.distinct and len(DISTINCT.grid) > 1
    for times in range(4):
        assert (DISTINCT.grid[:, 1:] % (MERGES[DISTINCT.variant] << times) == 0).all()


def test_numbers_that_no_probe_reaches_get_none() -> None:
    assert relevant([3, 7, 7, LARGEST_NUMBER + 1]) == [7]
    assert not list(probes_around([LARGEST_NUMBER + 1], 0))


AUDIO_FORMS = {
    "a longest length": (
        "for frames in clip_lens.tolist():\n            remaining",
        "for frames in clip_lens.clamp(max=1_500).tolist():\n            remaining",
        "it gives something else on 14 lengths up to 3100",
    ),
    "a number of audios": (
        "for frames in clip_lens.tolist():\n            count",
        "for frames in clip_lens.tolist()[:60]:\n            count",
        "it gives something else on 62 lengths",
    ),
    "one length": (
        "count = (frames + 1) // 2",
        "count = (frames + 1) // 2 if frames != 480 else 200",
        "it gives something else on",
    ),
    "an assertion": (
        "remaining = range",
        "assert frames > 2\n            remaining = range",
        "an assert would vanish",
    ),
    "a warning": (
        "            start += count\n",
        "            start += count\n            if start > 9_000:\n                warn(start)\n",
        "a call of warn would vanish",
    ),
    "a line of output": (
        "remaining = range",
        "print(frames)\n            remaining = range",
        "a call of print would vanish",
    ),
    "too large a number": (
        "after = torch.div(sizes - 1, 2,",
        "after = torch.div(sizes.clamp(max=100_000) - 1, 2,",
        "no probe reaches the number 100000",
    ),
}


@pytest.mark.parametrize("form", AUDIO_FORMS)
def test_audio_that_only_looks_like_chunks_is_left(form: str) -> None:
    old, new, reason = AUDIO_FORMS[form]
    text = (GOLDEN / "extract/audio_chunks_by_loop.txt").read_text().partition(MARKER)[0]
    assert text.count(old) == 1
    files = split_files(text.replace(old, new))
    result = rewrite_library(DictLibrary(files), Settings(passes=("extract",)))
    assert result.edits == {}
    assert any(re.search(reason, record.reason) for record in result.report), result.report


def test_a_loop_of_audio_that_also_counts_stays_beside_the_helper() -> None:
    text = (GOLDEN / "extract/audio_chunks_by_loop.txt").read_text().partition(MARKER)[0]
    text = text.replace(
        "remaining = range", "self.clips.append(frames)\n            remaining = range"
    )
    result = rewrite_library(DictLibrary(split_files(text)), Settings(passes=("extract",)))
    (changed,) = result.edits.values()
    assert "            self.clips.append(frames)\n" in changed


CAPTURE_FORMS = {
    ("down_scale_of_merge_blocks", "at most so many rows"): (
        "smaller.append(image.permute(0, 2, 3, 1).reshape(-1, width))",
        "smaller.append(image.permute(0, 2, 3, 1).reshape(-1, width)[:1_200])",
        "it gives something else on",
    ),
    ("down_scale_of_merge_blocks", "another merge size for long videos"): (
        "width = image.shape[-1]\n",
        "width = image.shape[-1]\n            m = m if t < 28 else 1\n",
        "it gives something else on",
    ),
    ("down_scale_of_merge_blocks", "a refusal"): (
        "width = image.shape[-1]\n",
        "width = image.shape[-1]\n            assert h >= m\n",
        "an assert would vanish",
    ),
    ("blocks_joined_per_image", "only so many images"): (
        "in zip(rows.split(grid_thw.prod(dim=1).tolist()), grid_thw.tolist())",
        "in zip(rows.split(grid_thw.prod(dim=1).tolist())[:30], grid_thw.tolist())",
        "it gives something else on",
    ),
    ("blocks_joined_per_image", "turned where it is high"): (
        "            a, b = self.sides\n",
        "            a, b = self.sides\n            h, w = (w, h) if h > 70 else (h, w)\n",
        "it gives something else on",
    ),
    ("blocks_joined_per_image", "a log"): (
        "            a, b = self.sides\n",
        "            a, b = self.sides\n            logger.info(t)\n",
        "a call of logger.info would vanish",
    ),
    ("table_resized_per_image", "a table of a largest size"): (
        "image = rows[begin:end] + self.resized(h, w).repeat(t, 1)",
        "image = rows[begin:end] + self.resized(h, min(int(w), 224)).repeat(t, 1)",
        "it gives something else on",
    ),
    ("table_resized_per_image", "a table for small images only"): (
        "table = nn.functional.interpolate(",
        "height = 90 if height == 91 else height\n        table = nn.functional.interpolate(",
        "no probe makes its condition true|it gives something else on|it refuses",
    ),
    ("table_resized_per_image", "a counter"): (
        "            begin = end\n",
        "            begin = end\n            self.images += 1\n",
        "a write to self.images would vanish",
    ),
}


@pytest.mark.parametrize("form", CAPTURE_FORMS, ids=lambda form: "-".join(form).replace(" ", "_"))
def test_a_second_form_is_not_written_where_it_differs(form: tuple[str, str]) -> None:
    old, new, reason = CAPTURE_FORMS[form]
    text = (GOLDEN / "capture" / f"{form[0]}.txt").read_text().partition(MARKER)[0]
    assert text.count(old) == 1
    files = split_files(text.replace(old, new))
    result = rewrite_library(DictLibrary(files), Settings(passes=("capture",)))
    assert result.edits == {}
    # Other reads on the host that the method keeps are told beside it, each at its place.
    reasons = [r.reason for r in result.report if "no second form while tracing" in r.reason]
    left = [
        reason for reason in reasons if "on the host, in a form that no rule knows" not in reason
    ]
    assert len(left) == 1 and re.search(reason, left[0]), result.report


STEPS = "steps = torch.arange(length, dtype=self.inv_freq.dtype)"
TABLE_FORMS = {
    "a largest position": (STEPS, f"{STEPS}.clamp(max=200)", "it gives something else on"),
    "long tables": (
        STEPS,
        f"{STEPS}\n        if length > 400:\n            steps = steps / 2",
        "it gives something else on",
    ),
    "a longest table": (STEPS, STEPS.replace("length,", "min(int(length), 9_000),"), "number 9000"),
    "a refusal": (
        STEPS,
        f"assert length < 512\n        {STEPS}",
        "an assert would vanish in forward",
    ),
    "a cache": (STEPS, f"{STEPS}\n        self.seen = steps", "a write to self.seen would vanish"),
}
TABLE = f"""import torch
from torch import nn


class TinyRotary(nn.Module):
    def forward(self, length):
        {STEPS}
        return torch.outer(steps, self.inv_freq)


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.rotary = TinyRotary()

    def angles(self, grid_thw):
        pieces = []
        for t, h, w in grid_thw.tolist():
            rows = torch.arange(h)[:, None].expand(-1, w).flatten()
            cols = torch.arange(w).repeat(h)
            pieces.append(torch.stack([rows, cols], dim=-1).repeat(t, 1))
        ids = torch.cat(pieces)
        table = self.rotary(grid_thw[:, 1:].max())
        return table[ids].flatten(1)
"""


@pytest.mark.parametrize("form", TABLE_FORMS)
def test_a_table_that_is_not_what_it_looks_like_is_still_looked_up(form: str) -> None:
    old, new, reason = TABLE_FORMS[form]
    library = DictLibrary({"models/tiny/modeling_tiny.py": TABLE.replace(old, new)})
    result = rewrite_library(library, Settings(passes=("extract",)))
    assert result.edits == {}
    assert any(reason in record.reason for record in result.report), result.report
    unchanged = DictLibrary({"models/tiny/modeling_tiny.py": TABLE})
    assert rewrite_library(unchanged, Settings(passes=("extract",))).edits
