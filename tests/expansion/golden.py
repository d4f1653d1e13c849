"""Golden cases: one text file per rule with inputs and expected outputs.

A case begins with ``# key: value`` lines and free comments, then has sections::

    # dialect: 5.8.1
    # names: clip=CLIPConfig
    # What the case shows, in one or two sentences.
    === modeling_orion.py
    ...
    === modular_beta.py
    ...
    === output modeling_beta.py
    ...

Keys: ``dialect`` (release of the tree), or ``project`` (a repository with ``[tool.codegen]``; the
value is put into the table, ``yes`` adds nothing), ``names`` (entries of the table of model names),
``exact`` (``yes`` compares outputs with the blank lines in front, ``banner`` with the banner too).
``modeling_orion.py`` stands for ``models/orion/modeling_orion.py``; a name with a slash is a path
below the package. In a project the definitions are below ``definitions/``, everything else without
a slash stands by hand below ``generated/``. ``output`` sections hold every generated file; ``warnings`` what each warning
must contain, one per line (without the section warnings are not compared); ``error`` the code and
place of every problem (``missing-class modular_beta.py:4``). In a project, the expressions of a
``probe`` section are evaluated on the generated modules and on the definitions, which plain Python
runs, and have to be equal; ``m`` is the module, and what stands behind ``# not`` is what Python alone
says where the convention decides otherwise. A section ends with exactly one line
break, whatever blank lines separate it from the next one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from codegen.run.outcome import ModelOutcome
from codegen.run.sync import Options, check
from codegen.trees.names import FILE_TYPES
from codegen.trees.tree import Tree, open_tree

GOLDEN = Path(__file__).parent.parent / "golden" / "expansion"
_SECTION = re.compile(r"^=== (.+)\n", re.MULTILINE)
_KEY = re.compile(r"^# (dialect|project|names|exact): (.*)$", re.MULTILINE)
#: Expressions that the generated module and the definition itself answer alike, one per line.
_PROBE = "probe"
_RESULTS = ("output ", "warnings", "error")
_BANNER_LINES = 6


@dataclass(frozen=True)
class Case:
    """One golden case: its head lines as written, its settings, its inputs and expectations."""

    path: Path
    head: str
    settings: dict[str, str]
    inputs: dict[str, str]
    expected: dict[str, str]

    @property
    def title(self) -> str:
        """Chapter and name, as shown by pytest."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def text_with(self, results: dict[str, str]) -> str:
        """The case file with other expectations."""
        sections = {**self.inputs, **results}
        return self.head + "\n".join(f"=== {name}\n{text}" for name, text in sections.items())


def all_cases() -> list[Path]:
    """Every case file, by chapter and name."""
    return sorted(GOLDEN.rglob("*.txt"))


def load_case(path: Path) -> Case:
    """Read a case file."""
    head, *parts = _SECTION.split(path.read_text(encoding="utf-8"))
    sections: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2]):
        assert name not in sections, f"{path}: section {name!r} stands twice"
        sections[name] = text.rstrip("\n") + "\n" if text.strip("\n") else ""
    settings = dict(_KEY.findall(head))
    assert {"dialect", "project"} & settings.keys(), f"{path}: no '# dialect:' or '# project:' line"
    expected = {name: text for name, text in sections.items() if name.startswith(_RESULTS)}
    inputs = {name: text for name, text in sections.items() if name not in expected}
    return Case(path, head, settings, inputs, expected)


def build_tree(case: Case, root: Path) -> Tree:
    """Write the inputs of a case as a small package or project below ``root``."""
    if "project" in case.settings:
        return _build_project(case, root)
    package = root / "transformers"
    (package / "models" / "auto").mkdir(parents=True)
    version = case.settings["dialect"]
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n', encoding="utf-8")
    entries = (entry.split("=") for entry in case.settings.get("names", "").split())
    listed = "".join(f'    ("{key}", "{value}"),\n' for key, value in entries)
    table = f"CONFIG_MAPPING_NAMES = OrderedDict([\n{listed}])\n"
    mapping = package / "models" / "auto" / "configuration_auto.py"
    mapping.write_text(f"from collections import OrderedDict\n\n{table}", encoding="utf-8")
    for name, text in _sources(case).items():
        place = package / _place(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return open_tree(root, None)


def _sources(case: Case) -> dict[str, str]:
    return {name: text for name, text in case.inputs.items() if name != _PROBE}


def probe_case(case: Case, root: Path) -> list[tuple[str, str, str]]:
    """Every probe of a project with what its generated module and plain Python answer."""
    kinds = {"written": case.expected, "plainly": {}}
    for folder, outputs in kinds.items():
        texts = dict(_sources(case))
        texts |= {name.removeprefix("output "): text for name, text in outputs.items()}
        for name, text in texts.items():
            if name == "warnings":
                continue
            place = root / folder / _place(name).relative_to("models")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            if name.startswith("modular_") and not outputs:
                alias = (
                    f"import sys\nfrom . import {place.stem} as own\nsys.modules[__name__] = own\n"
                )
                for kind in FILE_TYPES:
                    place.with_name(f"{place.name.replace('modular', kind)}").write_text(alias)
    probes = [line for line in case.inputs.get(_PROBE, "").splitlines() if line]
    model = next(name for name in case.inputs if name.startswith("modular_"))[8:-3]
    got, want = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", _PROBING, f"{folder}.{model}.{kind}_{model}"],
                input=json.dumps(probes),
                cwd=root,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for folder, kind in (("written", "modeling"), ("plainly", "modular"))
    )
    return [(line, got[index], want[index]) for index, line in enumerate(probes)]


_PROBING = """
import importlib, inspect, json, sys, typing
sys.path.insert(0, "")
m = importlib.import_module(sys.argv[1])
answers = []
for probe in json.load(sys.stdin):
    try:
        answers.append(repr(eval(probe.partition("# not")[0])))
    except Exception as error:
        answers.append(f"{type(error).__name__}: {error}")
print(json.dumps(answers).replace("written.", "").replace("plainly.", ""))
"""


def _build_project(case: Case, root: Path) -> Tree:
    table = case.settings["project"]
    settings = "" if table == "yes" else f"{table}\n"
    (root / "pyproject.toml").write_text(f"[tool.codegen]\n{settings}", encoding="utf-8")
    for name, text in _sources(case).items():
        inside = _place(name).relative_to("models") if "/" not in name else None
        folder = "definitions" if name.startswith("modular_") else "generated"
        place = root / (PurePosixPath(folder, inside) if inside else name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return open_tree(root, None)


def _place(name: str) -> PurePosixPath:
    if "/" in name:
        return PurePosixPath(name)
    kinds = "|".join((*FILE_TYPES, "modular"))
    match = re.fullmatch(rf"(?:{kinds})_(\w+)\.py", name)
    assert match, f"cannot place {name}: give its path below the package"
    return PurePosixPath("models", match.group(1), name)


def expand_case(case: Case, root: Path) -> dict[str, str]:
    """Expand the definitions of a case and return the result sections."""
    tree = build_tree(case, root)
    run = check(tree, (), Options(jobs=1, cache=False))
    results: dict[str, str] = {}
    for outcome in sorted(run.outcomes, key=lambda outcome: outcome.definition):
        results |= _sections(case, outcome)
    wanted = case.expected.get("warnings", "").splitlines()
    found = results.pop("warnings", "").splitlines()
    if "warnings" in case.expected:
        agree = len(found) == len(wanted) and all(map(str.__contains__, found, wanted))
        results["warnings"] = "".join(f"{line}\n" for line in (wanted if agree else found))
    return results


def _sections(case: Case, outcome: ModelOutcome) -> dict[str, str]:
    sections: dict[str, str] = {}
    for file in outcome.files:
        assert file.new is not None
        sections[f"output {file.path.rpartition('/')[2]}"] = _shown(case, file.new)
    if outcome.warnings:
        sections["warnings"] = "".join(f"{warning}\n" for warning in outcome.warnings)
    if outcome.problems:
        lines = []
        for problem in outcome.problems:
            place = str(problem.location or "nowhere")
            lines.append(f"{problem.code} {place.rpartition('/')[2]}\n")
        sections["error"] = "".join(lines)
    return sections


def _shown(case: Case, text: str) -> str:
    exact = case.settings.get("exact", "")
    if exact == "banner":
        return text
    lines = 2 if "project" in case.settings else _BANNER_LINES
    body = "".join(text.splitlines(keepends=True)[lines:])
    return body if exact else body.lstrip("\n")
