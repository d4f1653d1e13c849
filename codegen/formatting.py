"""Format generated text: black with sorted imports, or ruff with the settings of the tree.

Formatters work in bulk on copies outside the tree and are only imported or started when there is
something to format.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from codegen.errors import CodegenError, Diagnostic, Location, fail

#: Settings of the transformers repository, for trees that do not carry them (ruff 0.14.10).
_TRANSFORMERS_RUFF = """\
line-length = 119
target-version = "py310"
[lint]
select = [
    "E", "F", "I", "W", "UP", "FURB", "SIM", "S110", "C4", "C901", "RUF013", "PERF102",
    "PLC1802", "PLC0208", "PIE794",
]
ignore = ["E501", "E741", "SIM1", "SIM905", "UP015", "UP031"]
extend-safe-fixes = ["UP006"]
[lint.mccabe]
max-complexity = 75
[lint.isort]
lines-after-imports = 2
known-first-party = ["transformers"]
"""
_PROJECT_RUFF = """\
line-length = {line_length}
[lint]
select = ["F401", "F811", "I"]
"""


@dataclass(frozen=True, slots=True)
class FormatSettings:
    """Which formatter, and everything that decides what it does.

    ``ruff_config`` is the text of a ruff configuration, or the path of one when it begins with
    ``/``.
    """

    formatter: str
    line_length: int = 100
    ruff_config: str = ""

    def identity(self) -> str:
        """Text that changes whenever the formatter could give other bytes."""
        parts = [self.formatter, str(self.line_length), self.ruff_config]
        if self.ruff_config.startswith("/"):
            parts.append(Path(self.ruff_config).read_text(encoding="utf-8"))
        tools = {"black": ("black", "isort"), "ruff": ("ruff",)}.get(self.formatter, ())
        return "\n".join([*parts, *(f"{tool} {_installed(tool)}" for tool in tools)])


def transformers_settings(pyproject: Path | None) -> FormatSettings:
    """Ruff with the settings of a checkout's own ``pyproject.toml``, else those known to us."""
    own = pyproject is not None and "[tool.ruff" in pyproject.read_text(encoding="utf-8")
    return FormatSettings("ruff", 119, str(pyproject) if own else _TRANSFORMERS_RUFF)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def format_texts(texts: Mapping[str, str], settings: FormatSettings) -> dict[str, str]:
    """Format many texts at once; keys are paths, used in messages.

    Raises CodegenError when the formatter is missing or refuses a text.
    """
    if settings.formatter == "ruff":
        return _run_ruff(texts, settings)
    if settings.formatter == "black":
        return {path: _black(path, text, settings) for path, text in texts.items()}
    return dict(texts)


def _black(path: str, text: str, settings: FormatSettings) -> str:
    try:
        import black
        import black.parsing
        import isort
    except ImportError as error:
        raise _missing(error.name or "black") from None
    mode = black.Mode(line_length=settings.line_length)
    try:
        ordered = isort.code(text, profile="black", line_length=settings.line_length)
        return black.format_str(ordered, mode=mode)
    except (black.parsing.InvalidInput, isort.exceptions.ISortError) as error:
        raise _refused("black", path, str(error)) from None


def _run_ruff(texts: Mapping[str, str], settings: FormatSettings) -> dict[str, str]:
    executable = _ruff_executable()
    with tempfile.TemporaryDirectory(prefix="codegen-format-") as folder:
        config = Path(folder) / "ruff.toml"
        text = settings.ruff_config or _PROJECT_RUFF.format(line_length=settings.line_length)
        if text.startswith("/"):
            config = Path(text)
        else:
            config.write_text(text, encoding="utf-8")
        places = {}
        for index, (path, content) in enumerate(texts.items()):
            # One folder each: files of equal name must not meet, nor import one another.
            place = Path(folder) / f"{index:05d}" / Path(path).name
            place.parent.mkdir()
            place.write_text(content, encoding="utf-8", newline="\n")
            places[path] = place
        common = ["--config", str(config), "--no-cache", "--quiet", folder]
        _call_ruff([executable, "check", "--fix", "--exit-zero", *common], places)
        _call_ruff([executable, "format", *common], places)
        return {path: place.read_text(encoding="utf-8") for path, place in places.items()}


def _call_ruff(command: list[str], places: Mapping[str, Path]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise fail("formatter", f"cannot run ruff: {error}") from None
    if done.returncode:
        output = (done.stderr or done.stdout).strip()
        shown = next((path for path, place in places.items() if str(place) in output), "")
        raise _refused("ruff", shown, output.split("\n")[0])


def _ruff_executable() -> str:
    beside = Path(sys.executable).with_name("ruff")
    found = str(beside) if beside.is_file() else shutil.which("ruff")
    if not found:
        raise _missing("ruff")
    return found


def _missing(tool: str) -> CodegenError:
    return fail(
        "formatter",
        f"the formatter {tool} is not installed",
        "",
        0,
        f"install it (`pip install {tool}`), or choose another `formatter` in [tool.codegen]",
    )


def _refused(tool: str, path: str, reason: str) -> CodegenError:
    place = Location(path) if path else None
    return CodegenError(Diagnostic("formatter", f"{tool} failed: {reason}", place))
