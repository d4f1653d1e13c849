"""Long texts on a terminal go through a pager, as git's do; everything else is printed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys


def show(text: str) -> None:
    """Print a text, with ``$PAGER`` (or ``less``) where it is longer than the terminal is high."""
    command = os.environ.get("PAGER", "less -FRX")
    long = text.count("\n") >= shutil.get_terminal_size().lines
    found = shutil.which(shlex.split(command)[0]) if command.strip() else None
    if not (sys.stdout.isatty() and long and found):
        print(text, end="")
        return
    # A reader that leaves early is no failure.
    subprocess.run(shlex.split(command), input=text, encoding="utf-8", check=False)
