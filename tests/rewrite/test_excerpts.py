"""Lines of a file as libcst is given them: form feeds, hidden ranges and headers, there and back again."""

from __future__ import annotations

import pytest

from codegen.rewrite.emit.hidden import Hidden
from codegen.rewrite.emit.places import Excerpt, excerpt
from codegen.text.lines import LineMap

LINES = (
    "class A:\n",
    "    def f(self, x):\n",
    "\f        y = x\n",
    "        z = '''\n",
    "\f   in a string'''\n",
    " \f        return y\n",
    "\f\n",
    "\f        # a comment\n",
    "    w = 1\n",
)
TEXT = "".join(LINES)


def made(
    first: int, last: int, header: str = "", ranges: tuple[tuple[int, int], ...] = ()
) -> Excerpt:
    return excerpt(LineMap(TEXT), (first, last), header, Hidden(ranges, None, {}))


INSIDE, DEEPER = "class A:\n", "if a:\n  class A:\n"


@pytest.mark.parametrize(
    ("first", "last", "header", "cut"),
    [
        (1, 9, "", {3: 1, 6: 2}),
        (1, 6, "", {3: 1, 6: 2}),
        (1, 3, "", {3: 1}),
        (2, 9, INSIDE, {3: 1, 6: 2}),
        (2, 8, INSIDE, {3: 1, 6: 2}),
        (2, 6, INSIDE, {3: 1, 6: 2}),
        (2, 3, INSIDE, {3: 1}),
        (2, 6, DEEPER, {3: 1, 6: 2}),
        (2, 3, DEEPER, {3: 1}),
        (9, 9, INSIDE, {}),
    ],
)
def test_what_follows_a_form_feed_is_given_its_margin_alone(
    first: int, last: int, header: str, cut: dict[int, int]
) -> None:
    found = made(first, last, header)
    assert dict(found.cut) == cut
    assert found.added == header.count("\n")
    assert found.text.count("\n") == last - first + 1 + found.added + len(cut)
    feeds = [n for n in (3, 6) if first <= n <= last]
    given = found.text.split("\n")
    for number in range(first, last + 1):
        line, _ = found.place(number, 0)
        whole = LINES[number - 1].rstrip("\n")
        assert given[line - 1] == (whole[cut[number] :] if number in feeds else whole)
    assert found.restored(found.text) == "".join(LINES[first - 1 : last])


@pytest.mark.parametrize(
    ("first", "last", "ranges"),
    [
        (1, 9, ((3, 3),)),
        (1, 9, ((1, 1), (3, 6))),
        (1, 6, ((3, 5),)),
        (1, 9, ((9, 9),)),
        (1, 9, ((1, 9),)),
    ],
)
def test_a_hidden_range_is_one_line(
    first: int, last: int, ranges: tuple[tuple[int, int], ...]
) -> None:
    found = made(first, last, "", ranges)
    hidden = {n for start, end in ranges for n in range(start, end + 1)}
    assert set(found.cut) == {3, 6} - hidden
    lines = found.text.count("\n")
    assert lines == last - first + 1 - len(hidden) + len(ranges) + len(found.cut)
    for start, end in ranges:
        line, _ = found.place(start, 0)
        assert found.text.split("\n")[line - 1].strip() == f"_codegen_lines_{start}_{end}"
    for number in {*range(first, last + 1)} - hidden:
        line, _ = found.place(number, 0)
        assert LINES[number - 1].strip() == found.text.split("\n")[line - 1].strip()
    assert found.restored(found.text) == "".join(LINES[first - 1 : last])
