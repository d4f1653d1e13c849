"""Build the processors of one tree and record what they do: a process of its own.

python -m codegen.verify.processors.worker JOB.json
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codegen.verify.overlay import install
from codegen.verify.processors.build import NotBuilt, build
from codegen.verify.processors.calls import Outcome, call, other_methods
from codegen.verify.processors.manner import Manner, Unknown, learn
from codegen.verify.processors.prompts import Prompt, generated, singles
from codegen.verify.torchvision_operators import declare_torchvision_operators


def main(path: str) -> None:
    """Carry out a job and write a line for each processor."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
    warnings.filterwarnings("ignore")
    install(Path(job["search"]), job["package"], None)
    declare_torchvision_operators()
    with Path(job["results"]).open("w", encoding="utf-8") as out:
        for model in job["models"]:
            record = {"model": model, **_record(job, model)}
            print(json.dumps(record), file=out, flush=True)


def _record(job: dict[str, Any], model: str) -> dict[str, Any]:
    """What a processor does with single items and with prompts."""
    try:
        built = build(job["package"], model, Path(job["original"]))
    except NotBuilt as reason:
        return {"why": str(reason)}

    def attempt(
        prompt: Prompt, placeholders: Mapping[str, str | None], options: Mapping[str, Any]
    ) -> Outcome:
        return call(built.processor, prompt, placeholders, options)

    found = job["manners"].get(model)
    manner = Manner(**found) if found else learn(built.placeholders, attempt)
    if isinstance(manner, Unknown):
        seen = f" ({manner.why[:160]})" if manner.why else ""
        return {"why": f"no placeholder of it becomes anything{seen}"}
    names, options = manner.placeholders, manner.options
    known = {
        f"{modality} {n}": attempt(prompt, {modality: names[modality]}, options)
        for modality in names
        for n, prompt in enumerate(singles(modality, bool(manner.nested)))
    }
    habits = (manner.nested, manner.most, manner.equal)
    prompts = list(generated(sorted(names), job["prompts"], job["seed"], *habits))
    return {
        "why": "",
        "placeholders": names,
        "manner": manner.as_data(),
        "singles": known,
        "outcomes": [attempt(prompt, names, options) for prompt in prompts],
        "others": [*other_methods(built.processor)],
    }


if __name__ == "__main__":
    main(sys.argv[1])
