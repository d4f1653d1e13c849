"""Names as a space: common endings, renaming and the two spellings of a model name."""

from __future__ import annotations

import string

from hypothesis import assume, example, given
from hypothesis import strategies as st

from codegen.expansion.rename import Spelling
from codegen.trees.names import NameTable, common_suffix

# Few letters, so that endings and model names meet often.
short = st.text("abAB2_", max_size=8)
lower_names = st.from_regex(r"[ab][ab2]{0,2}(_[ab2]{1,2})?", fullmatch=True)
plain_names = st.from_regex(r"[a-z]{1,4}[0-9]{0,2}(_[a-z]{1,4}[0-9]{0,2}){0,2}", fullmatch=True)


def suffix_by_the_rule(left: str, right: str) -> str:
    """The longest common ending, empty if it equals one of the two wholly."""
    endings = [left[start:] for start in range(len(left) + 1)]
    longest = next(ending for ending in endings if right.endswith(ending))
    return "" if longest in (left, right) else longest


@given(short, short)
@example("BetaTextModel", "OrionModel")
@example("BetaModel", "AlphaModel")
@example("BetaDecoderLayer", "BetaEncoderLayer")
@example("Nova2RMSNorm", "Orion2RMSNorm")
@example("Model", "OrionModel")
def test_common_suffix_follows_the_rule(left: str, right: str) -> None:
    assert common_suffix(left, right) == suffix_by_the_rule(left, right)
    assert common_suffix(left, right) == common_suffix(right, left)


@given(short, short, short)
def test_common_suffix_is_kept_by_longer_names(left: str, right: str, ending: str) -> None:
    suffix = common_suffix(left, right)
    if suffix:
        assert common_suffix(left + ending, right + ending) == suffix + ending


def rename_by_the_rule(old: str, new: str, table: NameTable, text: str) -> str:
    """The text replacement rule, character by character."""
    old_cased, new_cased = table.cased(old), table.cased(new)
    letters = string.ascii_letters + string.digits
    result, position = "", 0
    while position < len(text):
        found = ""
        if position == 0 or text[position - 1] not in letters:
            for spelling in (old, old.upper(), old_cased):
                piece = text[position : position + len(spelling)]
                if piece.lower() == spelling.lower():
                    found = piece
                    break
        if not found:
            result += text[position]
            position += 1
            continue
        following = text[position + len(found) : position + len(found) + 1]
        if found == old:
            result += new
        elif found == old.upper() and old_cased == old.upper():
            result += new_cased if following.isalpha() else new.upper()
        elif found == old.upper():
            result += new.upper()
        else:
            result += new_cased
        position += len(found)
    return result


@st.composite
def renamings(draw: st.DrawFn) -> tuple[str, str, NameTable, str]:
    """An old and a new name, a table that may know them, and a text full of the old name."""
    old, new = draw(lower_names), draw(lower_names)
    cased = draw(st.sampled_from([None, old.upper(), old.replace("_", "").title(), "AB_b"]))
    table = NameTable({} if cased is None else {old: f"{cased}Config"})
    spelled = table.cased(old)
    name = st.sampled_from([old, old.upper(), spelled, spelled.lower(), spelled.swapcase()])
    separator = st.sampled_from(["", "_", "-", " ", ".", "/", '"', "é", "É", "s", "Model", "2"])
    pieces = draw(st.lists(name | separator, max_size=8))
    return old, new, table, "".join(pieces)


@given(renamings())
def test_renaming_follows_the_rule(case: tuple[str, str, NameTable, str]) -> None:
    old, new, table, text = case
    spelling = Spelling(old, new, table, frozenset())
    assert spelling.text(text, 0, len(text)) == rename_by_the_rule(old, new, table, text)
    assert spelling.name(text) == rename_by_the_rule(old, new, table, text)


@given(renamings(), st.data())
def test_renaming_leaves_skipped_regions(
    case: tuple[str, str, NameTable, str], data: st.DataObject
) -> None:
    old, new, table, text = case
    cut = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    start, end = cut
    # A name that reaches over the border of a region is decided by where it begins.
    assume(
        start == end or not any(char.isalnum() or char == "_" for char in text[start - 1 : start])
    )
    assume(not any(char.isalnum() or char == "_" for char in text[end - 1 : end]))
    spelling = Spelling(old, new, table, frozenset())
    renamed = spelling.text(text, 0, len(text), [(start, end)] if start < end else [])
    before, inside = spelling.text(text, 0, start), text[start:end]
    assert renamed == before + inside + spelling.text(text, end, len(text))


@given(st.sampled_from(["mamba_ssm", "use_mambapy"]), st.sampled_from(["", "x"]))
def test_protected_names_are_whole_identifiers(name: str, more: str) -> None:
    spelling = Spelling("mamba", "beta", NameTable(), frozenset({"mamba_ssm", "use_mambapy"}))
    assert (spelling.name(name + more) == name + more) == (not more)


@given(plain_names)
def test_lower_name_comes_back_without_a_table(lower: str) -> None:
    table = NameTable()
    assert table.lower(table.cased(lower)) == lower


@given(st.dictionaries(plain_names, st.from_regex(r"[A-Z][A-Za-z0-9_]{0,6}", fullmatch=True)))
def test_table_decides_in_both_directions(entries: dict[str, str]) -> None:
    assume(not any("Config" in cased for cased in entries.values()))
    table = NameTable({lower: f"{cased}Config" for lower, cased in entries.items()})
    for lower, cased in entries.items():
        assert table.cased(lower) == cased
        # Of several keys with one value the last one is the answer.
        assert table.lower(cased) == [key for key in entries if entries[key] == cased][-1]
