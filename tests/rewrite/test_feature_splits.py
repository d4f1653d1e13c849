"""Which splits of features have one piece while tracing: of rows, by a list of a tensor that nothing else reads."""

from __future__ import annotations

import pytest

from tests.rewrite.test_rules import GOLDEN, read_case, run

(TEXT,) = read_case(GOLDEN / "capture/features_split_per_image.txt").files.values()
IMAGES = "(image_grid_thw.prod(-1) // 2**2).tolist()"
VIDEOS = ".split(sizes.tolist())"
FORMS = {
    (VIDEOS, ".split(sizes.tolist(len(sizes.tolist())))"): "is no list of a tensor",
    (VIDEOS, ".split(sizes.tolist(up_to=len(sizes.tolist())))"): "is no list of a tensor",
    (VIDEOS, ".split(sizes.tolist(), dim=1)"): "it does not part rows",
    (VIDEOS, ".split([*sizes.tolist()])"): "the sizes are more than sizes.tolist()",
    (f"split_sizes = {IMAGES}", f"split_sizes = kept = {IMAGES}"): "split_sizes is more than (ima",
    (f"split_sizes = {IMAGES}", f"split_sizes = {IMAGES}[:2]"): "split_sizes is more than (image",
    ("return features\n", "return features, split_sizes\n"): "split_sizes has other uses",
}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[1].strip())
def test_a_split_of_another_kind_keeps_its_pieces(form: tuple[str, str]) -> None:
    old, new = form
    assert TEXT.count(old) == 1
    result = run({"models/tiny/modeling_tiny.py": TEXT.replace(old, new)}, "capture")
    left = [r.reason for r in result.report if r.kind == "left"]
    assert any(FORMS[form] in reason for reason in left), result.report
    # The other method is none the worse for it.
    assert [r.kind for r in result.report].count("captured") == 1


def test_both_splits_have_one_piece() -> None:
    result = run({"models/tiny/modeling_tiny.py": TEXT}, "capture")
    assert [r.kind for r in result.report] == ["captured", "captured"]
