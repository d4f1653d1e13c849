"""Definitions over whole installed libraries, compared with what they mean to Python.

    python -m benchmarks.meaning                          every kind, every file
    python -m benchmarks.meaning --sample 6               of each kind so many files
    python -m benchmarks.meaning --kinds models overridden
    python -m benchmarks.meaning --library diffusers      modules of another library

For every file of a kind one definition is made, ``class ZulaModel(<largest class of the file>): pass``,
or one with a method that calls ``super()``; `verify --definitions` compares what comes out. Exit
code 1 if a file is written that cannot be imported or means something else.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegen.console.progress import show_progress
from codegen.run.definition_checks import check_definitions
from codegen.trees.names import module_file_type
from codegen.verify.definitions.processes import DefinitionResult

#: Kinds of transformers' files, by the file type of their module.
KINDS = {
    "models": "modeling",
    "overridden": "modeling",
    "configurations": "configuration",
    "processors": "processing",
    "image processors": "image_processing",
    "pil processors": "image_processing_pil",
    "video processors": "video_processing",
    "feature extractors": "feature_extraction",
    "tokenizers": "tokenization",
}
#: Folders of other libraries that hold classes of models, and not what runs them.
FOLDERS = {"diffusers": ("models", "schedulers")}
#: Suffixes that say to which file a class goes.
_ROLES = (
    *("Config", "ImageProcessor", "ImageProcessorPil", "VideoProcessor", "FeatureExtractor"),
    *("Processor", "Tokenizer"),
)
#: So many definitions are one project.
_PART = 48
_SETTINGS = '[tool.codegen]\nformatter = "none"\nexpand = {expand}\n'
_BODIES = (
    "    def {name}(self, *args, **kwargs):\n        return super().{name}(*args, **kwargs)\n",
    "    def {name}(self, *args, **kwargs):\n        outputs = super().{name}(*args, **kwargs)\n"
    "        self.seen = True\n        return outputs\n",
    "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
    "        self.is_causal = False\n",
)


@dataclass(frozen=True)
class Subject:
    """A file of a library and its largest class; ``methods`` are those that it defines."""

    module: str
    name: str
    methods: tuple[str, ...]


def largest_classes(library: str, kind: str) -> list[Subject]:
    """One subject for every file of a kind, in the order of the files."""
    spec = importlib.util.find_spec(library)
    assert spec and spec.submodule_search_locations, f"{library} is not installed"
    root = Path(next(iter(spec.submodule_search_locations)))
    if library == "transformers":
        files = sorted(root.glob(f"models/*/{KINDS[kind]}_*.py"))
    else:
        folders = FOLDERS.get(library, ("",))
        files = sorted(file for folder in folders for file in (root / folder).rglob("*.py"))
    found = []
    for file in files:
        module = ".".join((library, *file.relative_to(root).with_suffix("").parts))
        if library == "transformers" and module_file_type(module) != KINDS[kind]:
            continue
        if "flax" in file.name or "_tf_" in file.name or file.name == "__init__.py":
            continue
        if ".auto." not in module and (subject := _largest(module, file)):
            found.append(subject)
    return found


def _largest(module: str, file: Path) -> Subject | None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    if not classes:
        return None
    node = max(classes, key=lambda item: (item.end_lineno or 0) - item.lineno)
    methods = [
        item.name
        for item in node.body
        if isinstance(item, ast.FunctionDef) and not item.decorator_list
    ]
    return Subject(module, node.name, tuple(methods))


def definition(subject: Subject, model: str, overriding: int | None) -> str:
    """A definition over a subject; ``overriding`` chooses the method that calls ``super()``."""
    role = next((suffix for suffix in _ROLES if subject.name.endswith(suffix)), "Model")
    if role == "VideoProcessor" and module_file_type(subject.module) == "processing":
        role = "Processor"  # of a model whose name ends in Video
    head = f"from {subject.module} import {subject.name}\n\n\n"
    head += f"class {model.title()}{role}({subject.name}):\n"
    if overriding is None:
        return f"{head}    pass\n"
    method = "forward" if "forward" in subject.methods else next(iter(subject.methods), "__init__")
    return head + _BODIES[overriding % len(_BODIES)].format(name=method)


def write_project(
    root: Path, subjects: Sequence[Subject], overriding: int | None, library: str
) -> None:
    """A project with one definition for each subject; ``overriding`` as in :func:`definition`."""
    expand = ["transformers.models.*"] if library == "transformers" else [f"{library}.*"]
    (root / "pyproject.toml").write_text(_SETTINGS.format(expand=json.dumps(expand)))
    for index, (model, subject) in enumerate(zip(_models(), subjects)):
        place = root / "definitions" / model / f"modular_{model}.py"
        place.parent.mkdir(parents=True)
        place.write_text(
            definition(subject, model, None if overriding is None else index + overriding)
        )


def _models() -> Iterator[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    yield from (f"z{a}{b}{c}" for a in letters for b in letters for c in letters)


def sweep(
    subjects: Sequence[Subject], overriding: int | None, library: str, running: bool, jobs: int
) -> Iterator[list[tuple[Subject, DefinitionResult]]]:
    """Make and compare the definitions of some subjects, a part of them at a time."""
    for start in range(0, len(subjects), _PART):
        part = subjects[start : start + _PART]
        with (
            tempfile.TemporaryDirectory(prefix="meaning-") as folder,
            show_progress(False) as progress,
        ):
            root = Path(folder)
            turn = None if overriding is None else overriding + start
            write_project(root, part, turn, library)
            results = {r.model: r for r in check_definitions(root, (), jobs, running, progress)}
        yield [(subject, results[model]) for model, subject in zip(_models(), part)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.meaning", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--library", default="transformers")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="files of each kind")
    parser.add_argument("--seed", type=int, default=0, help="which files, and which overrides")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--inspect", action="store_true", help="do not build and run anything")
    parser.add_argument("--verbose", action="store_true", help="say what differs")
    options = parser.parse_args(arguments)
    kinds = options.kinds if options.library == "transformers" else ["plain", "overridden"]
    good = True
    print(f"{'kind':18} files  written  imported  equal  refused  differs  broken  invalid")
    for kind in kinds:
        subjects = largest_classes(options.library, kind)
        if options.sample:
            chosen = random.Random(options.seed).sample(
                subjects, min(options.sample, len(subjects))
            )
            subjects = sorted(chosen, key=lambda item: item.module)
        found = []
        overriding = options.seed if kind == "overridden" else None
        for part in sweep(subjects, overriding, options.library, not options.inspect, options.jobs):
            found += part
            for subject, result in part if options.verbose else ():
                if not result.ok:
                    print(f"  {result.state}: {subject.module}.{subject.name}: {_why(result)}")
            # A run that is cut short tells what it has seen.
            states = dict(Counter(result.state for _, result in found))
            print(f"  {kind}: {len(found)} of {len(subjects)}, {states}", file=sys.stderr)
        states = Counter(result.state for _, result in found)
        good = good and not states["differs"] and not states["broken"]
        written = len(found) - states["refused"]
        cells = (len(found), written, written - states["broken"], states["equal"])
        rest = (states["refused"], states["differs"], states["broken"], states["invalid"])
        print(f"{kind:18} {cells[0]:5}  {cells[1]:7}  {cells[2]:8}  {cells[3]:5}", end="")
        print(f"  {rest[0]:7}  {rest[1]:7}  {rest[2]:6}  {rest[3]:7}", flush=True)
    return 0 if good else 1


def _why(result: DefinitionResult) -> str:
    different = [str(finding) for finding in result.findings if not finding.listed]
    return result.reason or f"{len(different)}: {' | '.join(different[:3])}"


if __name__ == "__main__":
    sys.exit(main())
