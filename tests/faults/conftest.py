"""The invented trees of the command line's tests."""

from tests.cli.conftest import checkout, project, sandbox

__all__ = ["checkout", "project", "sandbox"]
