"""How a command is declared: what it is for in a line, in a paragraph, and by examples."""

from __future__ import annotations

import argparse
from textwrap import fill
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_WIDTH = 78


def add_command(
    commands: Commands, name: str, summary: str, description: str, *examples: str
) -> argparse.ArgumentParser:
    """Declare a command; its options are the caller's. The summary stands in the list of commands."""
    return commands.add_parser(
        name,
        help=summary,
        description=fill(description, _WIDTH),
        epilog="\n".join(["examples:", *(f"  {example}" for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
