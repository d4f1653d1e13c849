"""Format generated text: black with sorted imports, or ruff with the settings of the tree.

Formatters work in bulk on copies outside the tree and are only imported or started when there is
something to format.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from codegen.errors import CodegenError, Diagnostic, Location, fail
from codegen.output.scratch import scratch_folder

#: Settings of the transformers repository, for trees that do not carry them (ruff 0.14.10).
_TRANSFORMERS_RUFF = """\
line-length = 119
target-version = "{target}"
[lint]
select = {select}
ignore = {ignore}
extend-safe-fixes = ["UP006"]
[lint.mccabe]
max-complexity = 75
[lint.isort]
lines-after-imports = 2
known-first-party = ["transformers"]
"""
#: What differs between releases: the first release, its target version, rules taken, rules left.
_RUFF_RULES = (
    (
        (5, 0),
        "py310",
        "E F I W UP FURB SIM S110 C4 C901 RUF013 PERF102 PLC1802 PLC0208 PIE794",
        "E501 E741 SIM1 SIM905 UP015 UP031",
    ),
    (
        (4, 57),
        "py310",
        "C E F I W RUF013 PERF102 PLC1802 PLC0208 SIM UP",
        "C901 E501 E741 F402 F823 SIM1 SIM300 SIM212 SIM905 UP004 UP007 UP009 UP015 UP028 UP031"
        " UP035 UP045",
    ),
    (
        (4, 56),
        "py39",
        "C E F I W RUF013 UP006 PERF102 PLC1802 PLC0208 SIM",
        "C901 E501 E741 F402 F823 SIM1 SIM300 SIM212 SIM905",
    ),
    (
        (0, 0),
        "py39",
        "C E F I W RUF013 UP006 PERF102 PLC1802 PLC0208",
        "C901 E501 E741 F402 F823",
    ),
)
_PROJECT_RUFF = """\
line-length = {line_length}
src = [{root}]
[lint]
select = ["F811", "I"]
"""


#: What ruff says of a file that it could not write, and cuts off.
_UNWRITTEN = re.compile(
    r"^(?:warning|error): Failed to (?:lint|write) .+?: ([A-Z].*)$", re.MULTILINE
)
_UNPARSED = re.compile(r"^error: Failed to parse (.+?):(\d+:\d+: .*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Formatted:
    """Formatted texts by path, and what the formatter said of those that it refused."""

    texts: Mapping[str, str]
    refused: Mapping[str, Diagnostic] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FormatSettings:
    """Which formatter, and everything that decides what it does.

    ``ruff_config`` is the text of a ruff configuration, or the path of one when it begins with
    ``/``. ``root`` is the folder whose modules are first party when imports are sorted.
    """

    formatter: str
    line_length: int = 100
    ruff_config: str = ""
    root: str = ""

    def identity(self) -> str:
        """Text that changes whenever the formatter could give other bytes."""
        parts = [self.formatter, str(self.line_length), self.ruff_config]
        if self.ruff_config.startswith("/"):
            parts.append(Path(self.ruff_config).read_text(encoding="utf-8"))
        tools = {"black": ("black", "isort"), "ruff": ("ruff",)}.get(self.formatter, ())
        return "\n".join([*parts, *(f"{tool} {_installed(tool)}" for tool in tools)])


def transformers_settings(pyproject: Path | None, release: tuple[int, ...]) -> FormatSettings:
    """Ruff with the settings of a checkout's own ``pyproject.toml``, else those of the release."""
    if pyproject is not None and "[tool.ruff" in pyproject.read_text(encoding="utf-8"):
        return FormatSettings("ruff", 119, str(pyproject))
    _, target, select, ignore = next(rules for rules in _RUFF_RULES if release >= rules[0])
    text = _TRANSFORMERS_RUFF.format(target=target, select=select.split(), ignore=ignore.split())
    return FormatSettings("ruff", 119, text)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def format_texts(texts: Mapping[str, str], settings: FormatSettings) -> Formatted:
    """Format many texts at once; keys are paths, used in messages.

    Raises CodegenError when the formatter is missing or fails for another reason than one text.
    """
    if settings.formatter == "ruff":
        return _run_ruff(texts, settings)
    if settings.formatter == "black":
        return _run_black(texts, settings)
    return Formatted(texts)


def _run_black(texts: Mapping[str, str], settings: FormatSettings) -> Formatted:
    try:
        import black
        import black.parsing
        import isort
    except ImportError as error:
        raise _missing(error.name or "black") from None
    mode = black.Mode(line_length=settings.line_length)
    # Told explicitly: by default the working directory decides what is first party.
    config = isort.Config(
        profile="black",
        line_length=settings.line_length,
        src_paths=(Path(settings.root),) if settings.root else (),
    )
    formatted: dict[str, str] = {}
    refused: dict[str, Diagnostic] = {}
    for path, text in texts.items():
        try:
            ordered = isort.code(text, config=config)
            formatted[path] = black.format_str(ordered, mode=mode)
        except (black.parsing.InvalidInput, isort.exceptions.ISortError) as error:
            refused[path] = _refused("black", path, str(error).partition("\n")[0])
    return Formatted(formatted, refused)


def _project_ruff(settings: FormatSettings) -> str:
    # A JSON string is a TOML string, too.
    root = json.dumps(settings.root) if settings.root else ""
    return _PROJECT_RUFF.format(line_length=settings.line_length, root=root)


def _run_ruff(texts: Mapping[str, str], settings: FormatSettings) -> Formatted:
    executable = _ruff_executable()
    with scratch_folder() as folder:
        config = folder / "ruff.toml"
        text = settings.ruff_config or _project_ruff(settings)
        if text.startswith("/"):
            config = Path(text)
        else:
            config.write_text(text, encoding="utf-8")
        places = {}
        for index, (path, content) in enumerate(texts.items()):
            # One folder each: files of equal name must not meet, nor import one another.
            place = folder / f"{index:05d}" / Path(path).name
            place.parent.mkdir()
            place.write_text(content, encoding="utf-8", newline="\n")
            places[path] = place
        common = ["--config", str(config), "--no-cache", str(folder)]
        # Not `--quiet`: a file that could not be written would be cut off without a word.
        _call_ruff([executable, "check", "--fix-only", *common], places)
        refused = _call_ruff([executable, "format", *common], places)
        formatted = {
            path: place.read_text(encoding="utf-8")
            for path, place in places.items()
            if path not in refused
        }
        return Formatted(formatted, refused)


def _call_ruff(command: list[str], places: Mapping[str, Path]) -> dict[str, Diagnostic]:
    """Run ruff on the files at ``places``; return what it says of those that it cannot parse."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        raise fail("formatter", f"cannot run ruff: {error.strerror}", command[0]) from None
    if failure := _UNWRITTEN.search(done.stderr):
        message = f"cannot use the temporary folder: {failure.group(1)}"
        hint = "free some space, or set TMPDIR to another folder"
        raise fail("temporary-folder", message, "", 0, hint)
    if not done.returncode:
        return {}
    paths = {str(place): path for path, place in places.items()}
    refused = {}
    for place, reason in _UNPARSED.findall(done.stderr):
        if place in paths:
            refused[paths[place]] = _refused("ruff", paths[place], reason)
    if not refused:
        reason = f"it was killed by signal {-done.returncode}"
        if done.returncode > 0:
            output = (done.stderr or done.stdout).strip()
            reason = output.partition("\n")[0] or f"exit code {done.returncode}"
        raise fail("formatter", f"ruff failed: {reason}")
    return refused


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


def _refused(tool: str, path: str, reason: str) -> Diagnostic:
    hint = "the definition expands to text that the formatter does not accept"
    return Diagnostic("formatter", f"{tool} failed: {reason}", Location(path), hint)
