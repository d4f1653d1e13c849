"""What can go wrong, as values: a place, a reason, a hint. Only the command line prints them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file; ``line`` is 1-based, 0 when the whole file is meant."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding for the user: a stable ``code``, what is wrong, where, and what to do."""

    code: str
    message: str
    location: Location | None = None
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}error[{self.code}]: {self.message}{hint}"


class CodegenError(Exception):
    """A user-facing failure that carries one or more diagnostics."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("\n".join(str(diagnostic) for diagnostic in diagnostics))
        self.diagnostics = diagnostics


class RunStopped(BaseException):
    """Ends a run from wherever it is: no part of it may take this for a failure of its own."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(str(diagnostic))
        self.diagnostics = (diagnostic,)


def fail(code: str, message: str, path: str = "", line: int = 0, hint: str = "") -> CodegenError:
    """Build the usual one-diagnostic error; the caller raises it."""
    return CodegenError(Diagnostic(code, message, Location(path, line) if path else None, hint))
