"""Entries for new parameters in docstrings, and which docstrings stay."""

from __future__ import annotations

import pytest

from codegen.rewrite.emit.docstring import with_entries
from codegen.rewrite.helpers import INPUTS


def entry(name: str, margin: str, prefix: str = "") -> str:
    known = INPUTS[name]
    return f"{margin}{prefix}{name} ({known.kind}, *optional*):\n{margin}    {known.text}\n"


def described(source: str, *names: str, prefix: str = "", completed: bool = False) -> str:
    return with_entries(source, names, prefix, "        ", completed)


def test_entries_stand_behind_the_last_one_in_its_indentation() -> None:
    source = '"""Does it.\n\n        Args:\n            rows (`Tensor`):\n                Rows.\n\n                More.\n            grid (`Tensor`):\n                Sizes.\n        """'
    head, end = source.rsplit("        ", 1)
    new = entry("cu_seqlens", " " * 12) + entry("rotary_pos_ids", " " * 12)
    assert described(source, "cu_seqlens", "rotary_pos_ids") == f"{head}{new}        {end}"


def test_entries_of_several_lines_are_kept_whole() -> None:
    source = '"""\n        rows (`Tensor`):\n            Rows,\n            and more.\n\n        Returns: x\n        """'
    place = source.index("\n\n        Returns") + 1
    expected = source[:place] + entry("cu_seqlens", " " * 8) + source[place:]
    assert described(source, "cu_seqlens") == expected


def test_what_has_an_entry_gets_none() -> None:
    source = '"""\n        cu_seqlens (`Tensor`):\n            Given.\n        """'
    assert described(source, "cu_seqlens") == source
    assert described(source, "cu_seqlens", prefix="image_").count("cu_seqlens (") == 2
    both = described(source, "cu_seqlens", "rotary_pos_ids")
    assert both.count("cu_seqlens (") == 1 and "rotary_pos_ids (" in both


def test_a_prefix_is_part_of_the_name() -> None:
    source = '"""\n        rows (`Tensor`):\n            Rows.\n        """'
    found = described(source, "cu_seqlens", prefix="image_")
    assert entry("cu_seqlens", " " * 8, "image_") in found


@pytest.mark.parametrize("opening", ['"""', 'r"""'])
def test_a_docstring_that_is_completed_may_have_no_entry_yet(opening: str) -> None:
    source = f'{opening}\n        Does it.\n        """'
    expected = f'{opening}\n{entry("cu_seqlens", " " * 8)}\n        Does it.\n        """'
    assert described(source, "cu_seqlens", completed=True) == expected
    assert described(source, "cu_seqlens") == source


@pytest.mark.parametrize(
    "source",
    [
        '"""Does it."""',
        '"""Does it.\n        """',
        "'''\n        Does it.\n        '''",
        '"""\n        rows (`Tensor`): Rows."""',
    ],
)
def test_others_stay(source: str) -> None:
    assert described(source, "cu_seqlens", completed=True) == source
