"""What is read back from a cache: exactly what a run writes, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.store.records import (
    CacheEntry,
    Damage,
    FileStat,
    RewriteEntry,
    read_entry,
    read_pair,
    read_rewrite,
    read_rules,
    read_stat,
    read_texts,
)
from codegen.trees.definitions import DefinitionFile

_TEXT = st.text(st.characters(codec="utf-8"))
_TEXTS = st.dictionaries(_TEXT, _TEXT, max_size=3)
_NUMBER = st.integers(-(2**63), 2**63 - 1)
_LINE = st.fixed_dictionaries(
    {
        **dict.fromkeys(("model", "cls", "method", "kind", "location", "helper", "reason"), _TEXT),
        **dict.fromkeys(("parameters", "path_taken"), st.lists(_TEXT, max_size=2).map(tuple)),
    }
)

ENTRY: dict[str, Any] = {
    "inputs": {"a": "1"},
    "lookups": {},
    "outputs": {},
    "lines": [1, 2],
    "warnings": ["w"],
}
LINE: dict[str, Any] = {
    **dict.fromkeys(("model", "cls", "method", "kind", "location", "helper", "reason"), "x"),
    **dict.fromkeys(("parameters", "path_taken"), ["y"]),
}
REWRITE: dict[str, Any] = {"reads": {}, "edits": {"a": "1"}, "files": {}, "report": [LINE]}


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@given(
    st.builds(
        CacheEntry, _TEXTS, _TEXTS, _TEXTS, st.tuples(_NUMBER, _NUMBER), st.lists(_TEXT).map(tuple)
    )
)
def test_a_record_comes_back_as_it_was(entry: CacheEntry) -> None:
    assert read_entry(_as_json(asdict(entry))) == entry


def test_what_is_not_said_is_nothing() -> None:
    entry = CacheEntry({}, {}, {})
    assert (entry.lines, entry.warnings) == ((0, 0), ())
    assert RewriteEntry({}, {}, {}).report == ()


@given(st.builds(RewriteEntry, _TEXTS, _TEXTS, _TEXTS, st.lists(_LINE, max_size=2).map(tuple)))
def test_the_record_of_the_passes_comes_back_as_it_was(entry: RewriteEntry) -> None:
    assert read_rewrite(_as_json(asdict(entry))) == entry


@given(st.builds(FileStat, _NUMBER, _NUMBER, _NUMBER, _TEXT, st.booleans()))
def test_a_stat_comes_back_as_it_was(stat: FileStat) -> None:
    assert read_stat(_as_json(stat)) == stat


@given(st.dictionaries(_TEXT, st.tuples(_NUMBER, _NUMBER)))
def test_rules_and_pairs_come_back_as_they_were(rules: dict[str, tuple[int, int]]) -> None:
    assert read_rules(_as_json(rules)) == rules
    assert read_pair(["a", "b"]) == ("a", "b")
    assert read_rules(None) is None
    assert read_rewrite(None) is None


def _with(base: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**base, **values}


DAMAGED: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "a number one too large": (read_entry, _with(ENTRY, lines=[2**63, 0])),
    "a number one too small": (read_entry, _with(ENTRY, lines=[0, -(2**63) - 1])),
    "a number that is a truth value": (read_entry, _with(ENTRY, lines=[0, True])),
    "a fraction": (read_entry, _with(ENTRY, lines=[0.0, 1])),
    "one number of two": (read_entry, _with(ENTRY, lines=[1])),
    "a table of numbers": (read_entry, _with(ENTRY, lines={"a": 1, "b": 2})),
    "a warning that is no text": (read_entry, _with(ENTRY, warnings=[1])),
    "warnings in one text": (read_entry, _with(ENTRY, warnings="ab")),
    "inputs that are no table": (read_entry, _with(ENTRY, inputs=[["a", "1"]])),
    "an output without a digest": (read_entry, _with(ENTRY, outputs={"a": None})),
    "an answer that cannot be encoded": (read_entry, _with(ENTRY, lookups={"a": "\ud800"})),
    "a name that cannot be encoded": (read_entry, _with(ENTRY, lookups={"\ud800": "a"})),
    "edits that are no table": (read_rewrite, _with(REWRITE, edits=[])),
    "a report that is no list": (read_rewrite, _with(REWRITE, report=LINE)),
    "a line that is no table": (read_rewrite, _with(REWRITE, report=[[]])),
    "parameters that are no list": (
        read_rewrite,
        _with(REWRITE, report=[_with(LINE, parameters="y")]),
    ),
    "a parameter that is no text": (
        read_rewrite,
        _with(REWRITE, report=[_with(LINE, path_taken=[1])]),
    ),
    "a digest that is no text": (read_stat, [1, 2, 3, 4, True]),
    "exact that is no truth value": (read_stat, [1, 2, 3, "d", 1]),
    "six values": (read_stat, [1, 2, 3, "d", True, True]),
    "a count that is a truth value": (read_rules, {"rule": [0, True]}),
    "an index that is a text": (read_rules, {"rule": ["0", 1]}),
    "a rule of three": (read_rules, {"rule": [0, 1, 2]}),
    "rules that are no table": (read_rules, [["rule", [0, 1]]]),
    "a pair that is a text": (read_pair, "ab"),
    "a pair of numbers": (read_pair, [1, 2]),
    "a second that is no text": (read_pair, ["a", 2]),
    "three of a pair": (read_pair, ["a", "b", "c"]),
    "texts that are a list": (read_texts, ["a"]),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_anything_else_is_damage(damage: str) -> None:
    read, data = DAMAGED[damage]
    with pytest.raises(ValueError):
        read(data)


@pytest.mark.parametrize("key", LINE)
def test_each_part_of_a_report_line_has_to_be_there_and_of_its_kind(key: str) -> None:
    assert read_rewrite(_as_json(REWRITE)) is not None
    without = {name: value for name, value in LINE.items() if name != key}
    for line in (without, _with(LINE, **{key: 7})):
        with pytest.raises(Damage):
            read_rewrite(_as_json(_with(REWRITE, report=[line])))


def test_a_report_line_may_say_more_than_is_asked() -> None:
    entry = read_rewrite(_with(REWRITE, report=[_with(LINE, later="z")]))
    assert entry is not None and entry.report[0]["later"] == "z"


@pytest.mark.parametrize(
    "value, name",
    [
        (CacheEntry({}, {}, {}), "inputs"),
        (RewriteEntry({}, {}, {}), "files"),
        (FileStat(1, 1, 1, "", True), "digest"),
    ],
)
def test_what_was_known_cannot_be_changed(value: object, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(value, name, "other")


OUTPUTS = {"generated/alpha/modeling_alpha.py": "1", "generated/alpha/configuration_alpha.py": "2"}


@pytest.mark.parametrize(
    "inputs, outputs, expected",
    [
        ({"d/modular_alpha.py": "1"}, OUTPUTS, True),
        ({"d/modular_alpha.py": ""}, OUTPUTS, False),
        ({"d/modular_beta.py": "1"}, OUTPUTS, False),
        ({}, OUTPUTS, False),
        ({"d/modular_alpha.py": "1"}, {}, False),
        ({"d/modular_alpha.py": "1"}, {**OUTPUTS, "generated/beta/modeling_alpha.py": "3"}, False),
        ({"d/modular_alpha.py": "1"}, {**OUTPUTS, "generated/alpha/notes.py": "3"}, False),
        ({"d/modular_alpha.py": "1"}, {"generated/alpha/sub/modeling_alpha.py": "3"}, False),
    ],
)
def test_a_record_is_about_a_definition_that_it_depends_on_and_whose_files_it_lists(
    inputs: dict[str, str], outputs: dict[str, str], expected: bool
) -> None:
    item = DefinitionFile("alpha", "d/modular_alpha.py", "generated/alpha")
    assert CacheEntry(inputs, {}, outputs).is_about(item) is expected
