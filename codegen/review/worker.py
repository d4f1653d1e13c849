"""State dicts of models that are built without memory; runs in a process of its own.

``python -m codegen.review.worker FOLDER MODULE...`` imports modules of a tree, builds each of their
models with its default configuration on the meta device, and prints keys and shapes as JSON, a line a module.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from codegen.verify.torchvision_operators import declare_torchvision_operators

#: How a line begins that is an answer.
MARK = "codegen built: "


def main(arguments: Sequence[str]) -> None:
    """Print ``{module: {class: {key: shape}}}`` for each; what cannot be built has a text instead."""
    folder, *modules = arguments
    sys.path.insert(0, folder)
    declare_torchvision_operators()
    for module in modules:
        print(f"\n{MARK}{json.dumps({module: _of_module(module)})}", flush=True)


def _of_module(name: str) -> Any:
    try:
        module = importlib.import_module(name)
    except Exception as error:  # whatever importing somebody's code can raise
        return f"{type(error).__name__}: {error}"
    return dict(_of_classes(module))


def _of_classes(module: Any) -> Iterator[tuple[str, Any]]:
    import torch
    from transformers import PreTrainedModel

    for name, value in sorted(vars(module).items()):
        own = isinstance(value, type) and value.__module__ == module.__name__
        config = _config(value) if own and issubclass(value, PreTrainedModel) else None
        if config is None:
            continue
        try:
            with torch.device("meta"):
                model = value(config())
            yield name, {key: list(item.shape) for key, item in model.state_dict().items()}
        except Exception as error:  # an abstract class, or one that needs more than its defaults
            yield name, f"{type(error).__name__}: {error}"


def _config(value: Any) -> Any:
    """The configuration of a model: its own, or what it says of the part that it is."""
    found = value.__dict__.get("config") or value.__annotations__.get("config")
    if isinstance(found, str):
        found = getattr(sys.modules[value.__module__], found, None)
    return found if isinstance(found, type) else getattr(value, "config_class", None)


if __name__ == "__main__":
    main(sys.argv[1:])
