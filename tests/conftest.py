"""Options that several test suites share."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from codegen.verify.torchvision_operators import declare_torchvision_operators


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


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden cases are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))
