"""What is convention and not meaning: names that sources give to grids, lengths, fields and functions.

The passes recognise by value and structure; names only tell where to look, and which values to try. All
of them stand here. A project adds its own in ``[tool.codegen.vocabulary]``:

    [tool.codegen.vocabulary]
    grids = ["patch_layout"]          # parameters of rows (frames, rows, columns)
    merge-fields = ["downsample"]     # configuration fields with the side of a merge block
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from codegen.rewrite.signs import shows_sizes


@dataclass(frozen=True)
class Vocabulary:
    """Names by role. Those of parameters are names or endings, those of fields parts of names.

    ``grids``, ``lengths`` and ``merge_sizes`` are parameters: rows of sizes in patches, lengths of
    packed audios, the side of a merge block per entry. ``merge_fields``, ``patch_fields``,
    ``window_fields`` and ``table_fields`` are fields of configurations: the side of a merge block, of a
    patch, of a window, and the number of rows of a learned position table. ``frequencies`` are buffers
    of inverse frequencies.
    """

    grids: tuple[str, ...] = ("grid_thw", "grids_thw")
    lengths: tuple[str, ...] = ("_lens",)
    merge_sizes: tuple[str, ...] = ("merge_sizes",)
    merge_fields: tuple[str, ...] = ("merge",)
    patch_fields: tuple[str, ...] = ("patch_size",)
    window_fields: tuple[str, ...] = ("window",)
    table_fields: tuple[str, ...] = ("num_position",)
    frequencies: tuple[str, ...] = ("inv_freq",)

    def grid_of(self, names: Sequence[str]) -> str:
        """The first of some parameters that holds a grid, empty where none does."""
        return next((n for n in names if n.endswith(self.grids) or n == "grid"), "")

    def merges_of(self, names: Sequence[str]) -> str:
        """The first of some parameters with merge sizes per entry, empty where none has them."""
        return next((n for n in names if n.endswith(self.merge_sizes)), "")

    def lengths_of(self, names: Sequence[str]) -> str:
        """The first of some parameters that holds lengths, empty where none does."""
        return next((n for n in names if n.endswith(self.lengths)), "")

    def is_sizes(self, name: str) -> bool:
        """Tell whether a parameter holds sizes of any kind, one row or number for each entry."""
        known = (*self.grids, "grids", "lengths")
        endings = (*self.lengths, "sizes", "shapes")
        return any(word in name for word in known) or name.endswith(endings)

    def is_frequencies(self, name: str) -> bool:
        """Tell whether an attribute holds inverse frequencies."""
        return name in self.frequencies

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words one of which a file contains if it has parameters of the vocabulary.

        The ending of lengths alone is too common; packed audios come with a word in front of it.
        """
        known = ("cu_seqlens", "feature_lens")
        added = tuple(name for name in self.lengths if name not in Vocabulary.lengths)
        return (*self.grids, *known, *self.merge_sizes, *added)

    def may_matter(self, text: str) -> bool:
        """Cheap test whether a file may hold something to rewrite: plain words, no matter who imports what.

        A file without them is looked at, too, if it uses a parameter as sizes (:mod:`codegen.rewrite.signs`).
        """
        if any(word in text for word in self.words):
            return True
        if "outer(" in text and any(f", self.{name}" in text for name in self.frequencies):
            return True
        # A split by differences of boundaries, whatever the boundaries are called.
        split = "tolist()" in text and "split(" in text
        if split and any(word in text for word in ("[1:] - ", "[1:]-", "diff(")):
            return True
        return shows_sizes(text)


DEFAULT = Vocabulary()


def extended(added: Mapping[str, Sequence[str]]) -> Vocabulary:
    """The vocabulary with the names that a project adds, by role as the configuration spells it."""
    names = {key.replace("-", "_"): tuple(value) for key, value in added.items()}
    known = {key: (*getattr(DEFAULT, key), *value) for key, value in names.items()}
    return replace(DEFAULT, **known)


FIELDS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("num_heads", "num_attention_heads"), (2, 2)),
    **dict.fromkeys(("hidden_size", "embed_dim"), (16, 16)),
    "n_window": (3, 60),
    "n_window_infer": (12, 360),
    "tokens_per_second": (3, 4),
}
"""Values that fields of configurations get on the two kinds of probes, by name."""

MERGE, PATCH, TABLE_SIDE, WINDOW_UNITS = (2, 3), (4, 2), (6, 5), (4, 3)
"""Side of a merge block, of a patch, of a position table, and units along a window, on both."""


def field_value(vocabulary: Vocabulary, name: str, variant: int) -> int | None:
    """A plausible small value of a configuration field, None for one that is not known."""
    merge, patch, side = MERGE[variant], PATCH[variant], TABLE_SIDE[variant]
    if any(part in name for part in vocabulary.merge_fields):
        return 2 if "temporal" in name else merge
    if name.endswith(vocabulary.patch_fields):
        return 2 if "temporal" in name else patch
    if name in FIELDS:
        return FIELDS[name][variant]
    if any(part in name for part in vocabulary.window_fields):
        return merge * patch * WINDOW_UNITS[variant]
    if any(part in name for part in vocabulary.table_fields):
        return side * side
    return side * patch if name == "image_size" else None


FEATURES_METHODS: Mapping[str, str] = {
    f"get_{modality}_features": modality for modality in ("image", "video", "audio")
}
"""Methods of a model that encode one modality."""

TOKEN_TYPES, TOKEN_IDS = ("token_type_ids", "token_types"), ("input_ids",)
"""Endings of parameters with the type of every token of prompts, and names of those with their ids."""

_TOKEN_FIELDS = ("_token_id", "_token_index")
"""Endings of fields of configurations that hold the id of a token."""


def token_role(name: str) -> str:
    """What the token stands for whose id a field holds: ``image``, ``audio_start``; empty for another field."""
    words = name.split("_")
    what = next((word for word in ("image", "video", "vision", "audio") if word in words), "")
    if not name.endswith(_TOKEN_FIELDS) or not what:
        return ""
    ends = {"start": "_start", "bos": "_start", "end": "_end", "eos": "_end"}
    return what + next((ends[word] for word in words if word in ends), "")


HOST_CLASSES = ("Processor", "Tokenizer", "FeatureExtractor", "Config")
"""Parts of the names of classes whose code runs on the host and is never captured."""


def is_host_class(name: str) -> bool:
    """Tell whether a class prepares inputs or holds settings."""
    return any(part in name for part in HOST_CLASSES)


COMPLETING_DECORATOR, CENTRAL_ARGUMENTS = "auto_docstring", "ModelArgs"
"""The decorator that completes docstrings, and the class with an entry for every argument that all models
share, in trees that document arguments in one place."""

PASSING_DECORATORS = frozenset(
    (COMPLETING_DECORATOR, "can_return_tuple", "capture_outputs", "check_model_inputs")
    + ("deprecate_kwarg", "merge_with_config_defaults", "staticmethod", "classmethod", "property")
    + ("add_start_docstrings", "add_start_docstrings_to_model_forward", "replace_return_docstrings")
)
"""Decorators that are known to hand all keywords on."""

PARENTS_PARAMETERS = "super_kwargs"
"""Name that an override in a definition gives to all parameters of the method it overrides."""

LAW_STRIDES = {"halved_lengths": 2, "chunked_eighth_lengths": 8}
"""Length laws with the stride of the convolutions they describe: n columns leave ⌈n / stride⌉."""

# -- torch ----------------------------------------------------------------------------------------

TORCH_MODULES: Mapping[str, str] = {
    "torch": "torch",
    "torch.nn": "nn",
    "torch.nn.functional": "F",
}
"""Modules of torch, with the name that the rules know them by, whatever a file calls them."""


def torch_name(node: ast.AST) -> str:
    """``torch.arange`` or ``torch.nn.functional.pad`` of an expression in the rules' spelling, else empty."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    roots = {short: long for long, short in TORCH_MODULES.items()}
    if not isinstance(node, ast.Name) or node.id not in roots:
        return ""
    return ".".join((roots[node.id], *reversed(parts)))
