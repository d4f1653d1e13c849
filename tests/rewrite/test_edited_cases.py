"""What the passes make of golden cases after one small edit each: see :mod:`tests.rewrite.edited`.

``golden/edited.txt`` says by case and edit what is left that is not left of the case, and has a digest of the rest.
Record anew with ``pytest tests/rewrite/test_edited_cases.py --update-golden``.
"""

from __future__ import annotations

import pytest

from tests.rewrite.edited import edited, edits_of, name_of, outcome, read_table, write_table
from tests.rewrite.test_rules import CASES, read_case, run

CASE = {name_of(path): path for path in CASES}
RECORDED = read_table()


def outcomes(name: str) -> dict[str, list[str]]:
    """What comes of the recorded edits of a case; those that it has no more are left out."""
    path = CASE[name]
    case = read_case(path)
    known, base = edits_of(next(iter(case.files.values()))), run(case.files, path.parent.name)
    return {
        edit: outcome(case, base, edited(case, known[edit]), path.parent.name)
        for edit in RECORDED[name]
        if edit in known
    }


@pytest.mark.parametrize("name", sorted(CASE.keys() & RECORDED.keys()))
def test_an_edited_case_is_handled_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    found = outcomes(name)
    if request.config.getoption("--update-golden"):
        write_table({**read_table(), name: found})
    else:
        assert found == RECORDED[name]


def test_every_recorded_case_is_there(request: pytest.FixtureRequest) -> None:
    gone = RECORDED.keys() - CASE.keys()
    if request.config.getoption("--update-golden"):
        write_table({name: said for name, said in read_table().items() if name not in gone})
    else:
        assert not gone
