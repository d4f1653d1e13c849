"""Masks of ones that are left out: the rule holds only where all that get them multiply by them."""

from __future__ import annotations

import pytest

from tests.rewrite.test_near_misses import run
from tests.rewrite.test_rules import GOLDEN, read_case

FILES = read_case(GOLDEN / "capture/mask_of_ones_left_out.txt").files
PLAIN = "models/plain/modeling_plain.py"
ONE_CHANGE = {
    "added": (
        "(rows * mask[:, :, None]).to(dtype)",
        "(rows + mask[:, :, None]).to(dtype)",
        "clear_padding does more with it than multiply by it",
    ),
    "another dtype": (
        "(rows * mask[:, :, None]).to(dtype)",
        "(rows * mask[:, :, None]).half()",
        "clear_padding does more with it than multiply by it",
    ),
    "something else without it": (
        "    return rows\n\n\nclass PlainScan",
        "    return rows if mask is not None else -rows\n\n\nclass PlainScan",
        "clear_padding does more with it than multiply by it",
    ),
    "asked for in the module": (
        "return rows.cumsum(1)",
        "return rows.cumsum(1) if mask is not None else rows",
        "PlainScan does more with mask than multiply by it",
    ),
    "another in its place": (
        "rows = clear_padding(rows, mask)\n",
        "mask = -mask\n        rows = clear_padding(rows, mask)\n",
        "PlainScan puts something else in the place of mask",
    ),
    "asked for in the layer": (
        "        return rows\n\n\nclass PlainDecoder",
        "        return rows if mask is None else -rows\n\n\nclass PlainDecoder",
        "PlainLayer does more with mask than hand it on",
    ),
    "layers of all kinds": (
        'kept if self.config.kinds[i] == "scan" else weights',
        'kept if self.config.kinds[i] != "none" else weights',
        "is no choice by the kind of a layer",
    ),
    "layers of the other kind": (
        'kept if self.config.kinds[i] == "scan" else weights',
        'kept if self.config.kinds[i] == "full" else weights',
        "PlainAttention does more with mask than multiply by it",
    ),
    "kinds by another field": (
        "self.kind = config.kinds[number]",
        "self.kind = config.others[number]",
        "PlainAttention does more with mask than multiply by it",
    ),
    "kinds of other layers": (
        "self.kind = config.kinds[number]",
        "self.kind = config.kinds[number - 1]",
        "PlainAttention does more with mask than multiply by it",
    ),
    "layers numbered otherwise": (
        "PlainLayer(config, number) for",
        "PlainLayer(config, number + 1) for",
        "PlainAttention does more with mask than multiply by it",
    ),
    "not the first layers": (
        "self.layers[: len(self.config.kinds)]",
        "self.layers[1:]",
        "what layer is, is not known",
    ),
    "used in the decoder": (
        "        return rows\n\n    def drop",
        "        return rows if kept is None else -rows\n\n    def drop",
        "kept is None uses it",
    ),
    "held under two names": (
        "kept = self.drop(mask)\n",
        "kept = self.drop(mask)\n        kept = mask if kept is None else kept\n",
        "kept holds something else, too",
    ),
    "no name": (
        "chosen = kept if",
        "chosen = self.drop(mask) if",
        "self.drop(mask) has no name of its own",
    ),
    "two classes of one name": (
        "class PlainScan(nn.Module):",
        "class PlainScan(nn.Identity):\n    pass\n\n\nclass PlainScan(nn.Module):",
        "the class of self.scan of PlainLayer is not known",
    ),
    "nobody calls": ("kept = self.drop(mask)", "kept = mask", "who gets it is not seen"),
}


@pytest.mark.parametrize("name", ONE_CHANGE)
def test_a_mask_that_may_mean_more_stays(name: str) -> None:
    old, new, reason = ONE_CHANGE[name]
    assert FILES[PLAIN].count(old) == 1
    result = run(FILES | {PLAIN: FILES[PLAIN].replace(old, new)}, "capture")
    assert result.edits == {}
    (record,) = (r for r in result.report if r.helper == "ones")
    assert record.kind == "left" and reason in record.reason


def test_a_mask_that_a_child_uses_otherwise_stays() -> None:
    child = FILES["models/tiny/modular_tiny.py"].replace(
        "return self.run(rows, mask)", "return rows + self.drop(mask)[:, :, None]"
    )
    result = run(FILES | {"models/tiny/modular_tiny.py": child}, "capture")
    assert result.edits == {}
    assert "self.drop(mask) has no name of its own (in TinyDecoder)" in str(result.report)


@pytest.mark.parametrize(
    "old, new",
    [
        ("torch.all(mask == 1)", "torch.all(mask == 0)"),
        ("kept = None\n", "kept = mask * 2\n"),
        ("mask is not None and torch.all", "mask is not None or torch.all"),
    ],
)
def test_other_branches_are_reported_as_such(old: str, new: str) -> None:
    assert FILES[PLAIN].count(old) == 1
    result = run(FILES | {PLAIN: FILES[PLAIN].replace(old, new)}, "capture")
    assert result.edits == {}
    assert [r.helper for r in result.report if r.cls == "TinyDecoder"] == ["branches"]
