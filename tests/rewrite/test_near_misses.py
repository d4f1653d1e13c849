"""What is near a rule and does not meet it is reported, with the condition that fails and its place."""

from __future__ import annotations

import pytest

from tests.rewrite.test_rules import GOLDEN, read_case, run

REASONS = {
    # attention over segments
    "capture/attention_split_along_heads": ("the states are split along dim=1", "torch.split"),
    "capture/attention_states_of_another_layout": (
        "the states are split along dim=1",
        "torch.split",
    ),
    "capture/attention_scaled_by_length": ("depends on a, a variable of the loop", "a.shape[2]"),
    "capture/attention_scaled_by_number": ("does not go through the pieces with zip", "enumerate("),
    "capture/attention_results_scaled": ("the loop does more than the call", "out / out.shape[1]"),
    "capture/attention_masked_per_segment": ("depends on a, a variable of the loop", ".tril()"),
    "capture/attention_joined_along_heads": ("outs is used otherwise than joined", "dim=2)"),
    "capture/attention_lengths_used_behind": ("lengths is used behind the split", "lengths.max()"),
    "capture/attention_split_by_other_sizes": ("not seen to be the differences", "torch.split"),
    "capture/attention_checked_per_segment": ("stands between the split and", "assert lengths"),
    "capture/attention_causal": ("may be causal inside a segment", "is_causal=True"),
    "capture/attention_of_another_mask": ("not known what attend does with a mask", "attend(self"),
    # parts of a fixed size
    "capture/parts_means": ("part.mean(0, keepdim=True) is not known to keep rows", "for part"),
    "capture/parts_normalised_over_parts": ("part.mean(dim=0) is not known to keep", "for part"),
    "capture/parts_softmax_along_rows": ("F.softmax(part, dim=0) is not known to", "for part"),
    "capture/parts_with_attention": ("@ part is not known to keep rows apart", "for part"),
    "capture/parts_in_a_batch_norm": ("self.norm is not known to keep rows apart", "for part"),
    "capture/parts_along_columns": ("it splits along dim=1", "for part"),
    "capture/parts_counted": ("done is used otherwise than joined", "for part"),
    "capture/parts_joined_along_columns": ("done is joined along dim=1", "for part"),
    "capture/parts_last_used_behind": ("part of the last part is used behind it", "for part"),
    "capture/parts_with_state": ("state is not made of the rows", "for part"),
    # rows of each image
    "capture/blocks_in_a_batch_norm": ("self.norm is not known to treat each row", "return torch"),
    "capture/blocks_of_several_turned": ("something else on other small", "return torch"),
    "capture/down_scale_of_several_turned": ("something else on other small", "return torch"),
    "capture/table_resized_of_several_turned": ("something else on other small", "rows = torch"),
    "capture/features_split_and_counted": ("does more than join them", "split("),
    "capture/features_split_by_used_sizes": ("split_sizes has other uses", "split("),
    # chunks of packed audio
    "capture/chunks_of_other_convolutions": ("divide by 2, their length law by 8", "self.conv1("),
    # points of a sampled table
    "all/points_in_another_order_of_arithmetic": ("samples at other points", "self.embeddings("),
    "all/points_of_another_dtype": ("its points of another kind: rows.dtype", "self.embeddings("),
    # the longest segment
    "all/longest_segment_used_otherwise": ("is used for something else, too", "longest = "),
    "all/longest_segment_of_changed_boundaries": ("cu_seqlens is made in the method", "longest = "),
    "all/longest_segment_of_other_boundaries": ("which is no input", "cu_seqlens[[0, -1]]"),
    "all/longest_segment_with_a_name_taken": ("max_seqlen is something else", "def forward"),
    # values per token
    "capture/values_repeated_for_other_rows": ("not seen to call it with as many", "torch.cat("),
    "capture/values_repeated_of_other_columns": ("not the same column of every", "i % 3"),
    "capture/values_repeated_for_nobody": ("no caller tells that rows has as many", "torch.cat("),
    # pooling and masks
    "capture/pooling_with_softmax": ("is no module of the rows alone", "for piece"),
    "capture/pooling_of_centred_rows": ("is no module of the rows alone", "for piece"),
    "capture/pooling_last_piece_used_behind": (
        "piece is made by what a graph would",
        "return tokens",
    ),
    "capture/mask_filled_with_ones": ("is no diagonal block of zeros", "for i in"),
    "capture/mask_filled_beside_the_diagonal": ("is no diagonal block of zeros", "for i in"),
    "capture/mask_filled_and_changed": ("more is done with it before it is returned", "for i in"),
    "capture/mask_of_another_dtype": ("does not begin with the lowest value", "torch.full("),
    "extract/audio_chunks_refused_by_length": (
        "an assert would vanish: it reads frames",
        "assert frames",
    ),
    # index arithmetic on sizes
    "all/boundaries_per_image": ("gives boundaries: no helper gives it", "boundaries = grid_thw"),
    "all/boundaries_under_a_condition": ("a condition decides it", "boundaries = torch.repeat"),
    # what no rule is about
    "all/host_reads_that_no_rule_knows": ("after.tolist() reads numbers", "enumerate(after"),
    # positions of prompts
    "extract/positions_ahead_elsewhere": ("not made on the device of input_ids", "def positions"),
    "extract/positions_ahead_of_all_tokens": ("gives something else on 2 x", "def positions"),
    "extract/positions_behind_the_last_frame": ("gives something else on 2 x", "def positions"),
    "extract/positions_of_an_unknown_field": ("vision_config.gap, in no voc", "def positions"),
    "extract/positions_of_another_dtype": ("the dtype and the device of its", "def positions"),
    "extract/positions_of_prompts_above_small_ones": ("something else on 1 x", "def positions"),
    "extract/positions_of_prompts_checked": ("an assert would vanish", "assert count"),
    "extract/positions_of_prompts_kept": ("a write to self.last would vanish", "self.last ="),
    "extract/positions_of_prompts_that_change_the_mask": ("it changes what", "def positions"),
    "extract/positions_with_another_padding": ("gives something else on 2 x", "def positions"),
    "extract/positions_with_seconds_rounded": ("gives something else on 2 x", "def positions"),
    "capture/positions_with_sounds_checked": ("a raise would vanish in a graph", "raise "),
    "capture/positions_with_sounds_never_run": ("no probe runs it", "place += 2"),
    "capture/positions_with_sounds_kept": ("a write to self.counted would", "self.counted ="),
    "extract/positions_without_token_types": ("not told the types of the", "def positions"),
    # results that cannot be carried to a caller
    "all/child_with_another_encoder": ("its self.visual does not take cu_seqlens", "TinyChild("),
    "all/encoder_called_in_a_loop": ("is called for different inputs", "append(self.visual"),
    "all/encoder_called_in_a_try": ("is called with grid_thw if wanted else", "= self.visual"),
}


@pytest.mark.parametrize("case", REASONS)
def test_the_condition_that_fails_is_reported_at_its_place(case: str) -> None:
    reason, place = REASONS[case]
    files = read_case(GOLDEN / f"{case}.txt").files
    (text,) = files.values()
    left = [r for r in run(files, case.partition("/")[0]).report if r.kind == "left"]
    found = [record for record in left if reason in record.reason]
    assert found, [record.reason for record in left]
    line = int(found[0].location.rpartition(":")[2])
    assert place in text.split("\n")[line - 1]


READS = """
from torch import nn
import torch


class Encoder(nn.Module):
    def forward(self, rows, feature_lens, image_sizes: list[int], mask=None):
        first = rows.reshape(len(feature_lens), -1)[: feature_lens.shape[0]]
        for number in range(feature_lens.size(1)):
            first = first + number
        for size in image_sizes:
            first = first + size
        if mask is not None and is_tracing():
            widths = feature_lens.max()
        elif not torch.jit.is_tracing():
            widths = feature_lens.max().item()
        if is_tracing() and self.config.kind == "plain":
            widths = feature_lens.max()
        else:
            widths = feature_lens.max().item()
        wide = first.shape[1] if is_tracing() else int(feature_lens.max())
        assert feature_lens.max().item() < 5
        READ
        return first

    def host_only(self, feature_lens):
        return feature_lens.tolist()

    def plain(self, rows):
        return rows + 1
"""


@pytest.mark.parametrize(
    "read",
    [
        "",
        "first = [row for row in rows[feature_lens]]",
        "first = first[: feature_lens.max()]",
        "if is_tracing():\n            return first\n        first = feature_lens.tolist()",
        "first = rows.tolist()",
        "for number in range(feature_lens.size(0)):\n            first = first + number",
        "count, _ = feature_lens.shape\n        first = [rows[n] for n in range(count)]",
        "for end in feature_lens[1:] - 1:\n            first += end",
        "first = self.host_only(feature_lens)",
        "first = self.host_only(feature_lens)\n        first = self.plain(first)",
        "both = self.tables(rows, feature_lens)\n        first = tuple(part for part in both)",
        "first = [n + 1 for n in feature_lens]",
        "ends = feature_lens.cumsum(0)\n        for end in reversed(ends):\n            first += end",
        "first = first[: int(feature_lens[0])]",
        "while feature_lens.max().item() > 3:\n            feature_lens = feature_lens - 1",
        "with torch.no_grad():\n            first = (feature_lens + 1).numpy()",
    ],
)
def test_what_an_encoder_reads_on_the_host_is_reported(read: str) -> None:
    files = {"models/tiny/modeling_tiny.py": READS.replace("READ", read or "pass")}
    found = [r for r in run(files, "capture").report if r.helper == "reads"]
    silent = (
        not read
        or "[feature_lens]" in read
        or "self.tables" in read
        or ": feature_lens.max" in read
    )
    assert len(found) == (not silent and "return first" not in read)
    text = files["models/tiny/modeling_tiny.py"].split("\n")
    for record in found:
        words = text[int(record.location.rpartition(":")[2]) - 1]
        assert record.reason.partition(" reads ")[0] in words or "for " in words


def test_branches_on_values_are_reported_at_the_class_that_has_them() -> None:
    files = read_case(GOLDEN / "capture/branches_on_values.txt").files
    found = {
        (r.model, r.cls, r.method): (r.location.rpartition("/")[2], r.reason.partition(" is a ")[0])
        for r in run(files, "capture").report
    }
    assert found == {
        ("tiny", "TinyExperts", "forward"): ("modular_tiny.py:9", "kinds.any()"),
        ("tiny", "TinyDecoder", "drop"): ("modeling_plain.py:7", "torch.all(mask == 1)"),
    }


CHUNKS = """
import torch
from torch import nn
from torch.nn import functional as F

from utils.modeling_audio_utils import chunk_and_pad_features, get_valid_indices


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_window = config.n_window
        self.conv1 = nn.Conv1d(config.mel, config.width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.width, config.width, kernel_size=3, stride=2, padding=1)
        self.norm = nn.GroupNorm(1, config.width)

    def forward(self, input_features, feature_lens):
        padded_feature, chunk_lengths = chunk_and_pad_features(input_features, feature_lens, self.n_window)
        embed = F.gelu(self.conv1(padded_feature))
        embed = F.gelu(self.conv2(embed)).transpose(1, 2)
        valid_indices = get_valid_indices(chunk_lengths)
        return embed.flatten(0, 1)[valid_indices]
"""
ONE_CHANGE = {
    ("F.gelu(self.conv1(padded_feature))", "self.norm(self.conv1(padded_feature))"): (
        "self.norm(self.conv1(padded_feature)) does more than convolve and activate"
    ),
    ("kernel_size=3, padding=1", "kernel_size=5, padding=2"): "kernel 3 and padding 1",
    ("kernel_size=3, padding=1", "kernel_size=5, padding=1"): "kernel 3 and padding 1",
    ("kernel_size=3, padding=1", "kernel_size=3, padding=2"): "kernel 3 and padding 1",
    ("kernel_size=3, padding=1", "kernel_size=3"): "kernel 3 and padding 1",
    ("kernel_size=3, padding=1", "kernel_size=3, padding=1, dilation=2"): "kernel 3 and padding 1",
    ("kernel_size=3, padding=1", "kernel_size=(3,), padding=1"): "kernel 3 and padding 1",
    ("self.conv1(padded_feature)", "self.conv1(input_features)"): (
        "input_features is not the padded chunks"
    ),
    ("self.conv1(padded_feature)", "self.conv1(padded_feature.flip(-1))"): "that has no name",
    (
        "        embed = F.gelu(self.conv2",
        "        embed = embed * 2\n        embed = F.gelu(self.conv2",
    ): ("something stands between the convolutions"),
    (
        "self.conv2(embed)",
        "self.conv2(padded_feature)",
    ): "padded_feature is not what the convolution",
    ("stride=2, padding=1", "stride=4, padding=1"): "divide by 4, their length law by 2",
    ("get_valid_indices(chunk_lengths)", "get_valid_indices(chunk_lengths, self.law)"): (
        "no length law that is known"
    ),
    (
        "        embed = F.gelu(self.conv1",
        "        padded_feature = padded_feature.transpose(0, 1)\n        embed = F.gelu(self.conv1",
    ): ("padded_feature gets another layout"),
    (
        "        valid_indices =",
        "        extra = chunk_and_pad_features(input_features, feature_lens, 3)\n        valid_indices =",
    ): ("chunks are made in several places"),
}


@pytest.mark.parametrize("change", ONE_CHANGE, ids=lambda change: change[1][:40])
def test_chunks_that_miss_one_condition_say_which(change: tuple[str, str]) -> None:
    old, new = change
    assert old in CHUNKS
    report = run({"modeling_tiny.py": CHUNKS.replace(old, new, 1)}, "capture").report
    reasons = [record.reason for record in report if record.kind == "left"]
    assert len(reasons) == 1 and ONE_CHANGE[change] in reasons[0], reasons


@pytest.mark.parametrize("axis", ["dim=1", "dim=-1", "1", "-1", "self.axis", "0, dim=0"])
def test_a_split_along_columns_is_no_split_of_rows(axis: str) -> None:
    (text,) = read_case(GOLDEN / "capture/down_scale_of_merge_blocks.txt").files.values()
    edited = text.replace(".tolist(), dim=0)", f".tolist(), {axis})")
    assert edited != text
    report = run({"models/tiny/modeling_tiny.py": edited}, "capture").report
    assert {record.kind for record in report} == {"left"}


def test_a_function_of_another_module_is_another_function() -> None:
    (text,) = read_case(GOLDEN / "extract/cumulative_lengths.txt").files.values()
    for module in ("torch.special", "torch.nested", "torch.linalg"):
        edited = text.replace("torch.repeat_interleave", f"{module}.repeat_interleave")
        assert edited != text
        report = run({"models/tiny/modeling_tiny.py": edited}, "extract").report
        assert all("get_vision_cu_seqlens" not in record.helper for record in report)


def test_chunks_that_meet_all_conditions_leave_nothing() -> None:
    report = run({"modeling_tiny.py": CHUNKS}, "capture").report
    assert [record.kind for record in report] == ["captured"]


@pytest.mark.parametrize(
    "split",
    [
        "torch.split(rows, lengths.tolist(), dim=0)",
        "rows.split(sizes)",
        "rows.split(split_size=sizes)",
    ],
)
def test_a_split_of_unknown_form_is_told(split: str) -> None:
    source = f"""\
class Encoder:
    def forward(self, rows, cu_seqlens):
        lengths = cu_seqlens.diff()
        sizes = lengths.tolist()
        return [part - part.mean(0) for part in {split}]
"""
    report = run({"modeling_tiny.py": source}, "capture").report
    (record,) = (r for r in report if r.helper == "split")
    assert f"{split} reads its sizes on the host" in record.reason


def test_what_stands_behind_an_early_return_is_told() -> None:
    source = """\
import torch
from torch.nn import functional as F


class Encoder:
    def forward(self, rows, grid_thw):
        if rows.shape[0] < 100:
            return rows
        sizes = grid_thw
        lengths = torch.repeat_interleave(sizes[:, 1] * sizes[:, 2], sizes[:, 0])
        cu_seqlens = F.pad(lengths.cumsum(0), (1, 0))
        return rows + cu_seqlens.max()
"""
    reasons = [record.reason for record in run({"modeling_tiny.py": source}, "extract").report]
    assert len(reasons) == 2, reasons
    for reason, name in zip(reasons, ("lengths", "cu_seqlens")):
        assert f"gives {name}: the method may return in front of it" in reason
