"""Cases beside each other in one tree: each is rewritten and reported as it is alone, whatever stands around it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codegen.rewrite import Settings, rewrite_library
from tests.rewrite.test_rules import CASES, DEFAULT, Case, DictLibrary, passes_of, read_case, told

#: Cases about the whole tree that they stand in.
OF_A_TREE = {"spelled_as_the_file_does", "described_in_one_place"}
FOLDERS = [
    ("all", False),
    ("capture", False),
    pytest.param("capture", True, marks=pytest.mark.slow),
    ("extract", True),
    *(("lift", False), ("lift", True)),
]


def place(stem: str) -> str:
    return f"models/{stem}/modeling_{stem}.py"


def alone(folder: str) -> dict[str, Case]:
    """The cases of a folder that are one file each."""
    chosen = [p for p in CASES if p.parent.name == folder and p.stem not in OF_A_TREE]
    return {p.stem: case for p in chosen if list((case := read_case(p)).files) == [DEFAULT]}


@pytest.mark.parametrize(("folder", "is_reversed"), FOLDERS)
def test_cases_do_not_touch_each_other(folder: str, is_reversed: bool) -> None:
    cases = alone(folder)
    order = sorted(cases, reverse=is_reversed)
    library = DictLibrary({place(stem): cases[stem].files[DEFAULT] for stem in order})
    result = rewrite_library(library, Settings(passes=passes_of(folder)))
    for stem, case in cases.items():
        after = result.edits.get(place(stem), case.files[DEFAULT])
        assert after == (case.files[DEFAULT] if case.expected is None else case.expected), stem
        here = [r for r in result.report if r.location.startswith(place(stem))]
        said = [replace(r, location=r.location.replace(place(stem), DEFAULT)) for r in here]
        assert "".join(map(told, said)) == case.report, stem
