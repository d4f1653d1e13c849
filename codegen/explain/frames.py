"""The lines of a log that name a line of a file: frames of tracebacks, however they are printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codegen.explain.lookup import Target

#: What colours a line: Python 3.13, pytest and others write these.
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: What stands in front of the lines of an exception group, or of a box.
_GROUP = re.compile(r"(?:  )*[|│] ?")
_FORMS = (
    # Python, and what is printed on fatal signals.
    re.compile(r'\s*File "(?P<file>[^"]+)", line (?P<line>\d+)'),
    # IPython
    re.compile(r"\s*File (?P<file>\S.*?):(?P<line>\d+), in "),
    # pytest: `file:line: in function` or `file:line: TypeError`; boxes of other libraries
    re.compile(r"\s*(?P<file>(?:[A-Za-z]:)?[^\s:][^:\n]*\.py):(?P<line>\d+)(?:: |:$| in )"),
)
#: A line of code, or marks in it; IPython numbers them and has an arrow at one.
_CODE = re.compile(r" {4}|-+> \d+ ")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log as it is, with the place that it names, if it names one.

    ``lead`` is what stands in front of it and of what belongs to it.
    """

    text: str
    target: Target | None = None
    lead: str = ""

    @property
    def is_code(self) -> bool:
        """Whether it shows code, or marks in it, below a line that names a place."""
        plain = _COLOUR.sub("", self.text)
        return plain.startswith(self.lead) and bool(_CODE.match(plain, len(self.lead)))


def log_lines(text: str) -> Iterator[LogLine]:
    """The lines of a log, in order and as they are."""
    for line in text.split("\n"):
        plain = _COLOUR.sub("", line).rstrip("\r")
        group = _GROUP.match(plain)
        lead = group[0] if group else ""
        found = (form.match(plain, len(lead)) for form in _FORMS)
        match = next(filter(None, found), None)
        place = Target(Path(match["file"]), int(match["line"][:9])) if match else None
        yield LogLine(line, place, lead)
