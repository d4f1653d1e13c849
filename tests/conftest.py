"""Options that several test suites share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from codegen.verify.torchvision_operators import declare_torchvision_operators

HEIRS = {"qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "glm4v_moe"}
"""Models whose definitions only name the encoders, features and processors of another."""
OF_MODELS = {Path(__file__).parent / name for name in ("models", "processors")}
ALWAYS = {"test_encoders", "test_as_written", "test_contract"}
"""What is tested of heirs too, in whichever run: their encoders and what is written of them."""
ALL_ROUND = {"qwen2_vl", "qwen2_5_omni", "glm4v"}
"""Models that are tested with either attention in whichever run, as it is one function for all, and of those in
``OF_FEW`` the only ones: `python -m codegen verify` shows of the others that what is given is used."""
OF_FEW = {"test_precomputed", "test_precomputed_generation", "test_longest_segment"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected parts of golden cases with what the code gives now",
    )


def pytest_configure(config: pytest.Config) -> None:
    # No test asserts a time, and a machine under load is no fault.
    settings.register_profile("shared", settings.default, deadline=None)
    settings.load_profile("shared")
    # The tests import the processors of transformers, and torch may be another build than torchvision.
    declare_torchvision_operators()
    # In CI a wrong expectation must fail; rewriting it there would hide the difference.
    if config.getoption("--update-golden") and os.environ.get("CI"):
        raise pytest.UsageError("--update-golden is refused when CI is set: update locally")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the tests of another model show as well: only the long runs repeat it."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        model = getattr(parameters.get("case"), "model", None)
        if model is None or item.path.parent not in OF_MODELS:
            continue
        is_heir = model in HEIRS and item.path.stem not in ALWAYS
        of_few = parameters.get("attention") == "eager" or item.path.stem in OF_FEW
        if is_heir or (of_few and model not in ALL_ROUND):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden cases are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))
