"""The benchmark times calls that compute the same."""

import pytest

from benchmarks.helpers import Case, check_equal, make_audio_cases, make_vision_cases

CASES = make_vision_cases() + make_audio_cases()


@pytest.mark.parametrize("case", CASES, ids=[f"{case.helper}-{case.workload}" for case in CASES])
def test_helper_and_loop_agree(case: Case) -> None:
    check_equal(case)
