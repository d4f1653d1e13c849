"""Which variant of the modular rules a tree follows.

The rules grew over the releases of transformers. Each field of :class:`Dialect` is one addition;
:data:`RULES` says which value it has since which release. Projects use all of them. What a tree's
own files say is found out in ``run/evidence.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from codegen.trees.names import FILE_TYPES, module_file_type

#: Identifiers of the mamba kernels that later releases never rename.
_MAMBA_NAMES = frozenset(
    {
        "mamba_ssm",
        "mamba-ssm",
        "use_mambapy",
        "mamba_inner_fn",
        "mamba_selective_state_update",
        "mamba_selective_scan",
        "is_mambapy_available",
        "mamba2_split_conv1d_scan_combined",
        "mamba2_selective_state_update",
        "mamba2_chunk_scan",
    }
)

#: Class name suffixes and the kind of file such a class belongs to.
_SUFFIX_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "Config": "configuration",
        "Tokenizer": "tokenization",
        "Processor": "processing",
        "ProcessorKwargs": "processing",
        "TextKwargs": "processing",
        "ImagesKwargs": "processing",
        "VideosKwargs": "processing",
        "ImageProcessor": "image_processing",
        "ImageProcessorKwargs": "image_processing",
        "ImageProcessorPil": "image_processing_pil",
        "VideoProcessor": "video_processing",
        "VideoProcessorInitKwargs": "video_processing",
        "FeatureExtractor": "feature_extraction",
    }
)

#: The same of the image processors that were replaced by those with a PIL file beside them.
_FAST_SUFFIX_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "ImageProcessorFast": "image_processing_fast",
        "FastImageProcessorKwargs": "image_processing_fast",
    }
)
_FAST_FILE_NAMES: Mapping[str, str] = MappingProxyType(
    {"image_processing_fast": "image_processing_{model}_fast"}
)

#: The first and the last release whose rules are known: all their files come out as published.
OLDEST_RELEASE, NEWEST_RELEASE = (4, 54), (5, 24)


@dataclass(frozen=True)
class Dialect:
    """The rules that differ between releases, and between libraries and projects.

    ``fast_image_files``: fast image processors have files of their own,
    ``image_processing_<model>_fast``.
    ``video_keywords_apart``: ``...VideoProcessorKwargs`` belongs to the file of the video processor.
    ``protected_names``: identifiers and string literals that renaming leaves alone.
    ``decorator_marker``: ``@no_inherit_decorator`` suppresses inherited decorators.
    ``appends_bases``: bases that a definition adds are kept if they replace none of the parent's.
    ``keeps_late_init``: ``super().__init__`` stays behind other statements where the parent, too,
    had some in front of it; otherwise it always moves to the top of the method.
    ``calls_listed_bases``: ``Base.method(self)`` and ``Base().method()`` become ``super()`` calls
    for the bases that the definition lists, instead of ``Base.method(self)`` for those that remain.
    ``expands_own_classes``: a class of the definition that an earlier class needs brings what the
    parent's class of its name needs; otherwise it brings nothing before its turn comes.
    ``three_dot_parents``: ``from ...models.alpha.modeling_alpha import`` imports from a parent, too.
    ``keeps_del``: ``del`` statements of an overriding method without ``super()`` call remain.
    ``guarded_types``: file types whose torch imports move under availability guards.
    ``shared_image_modules``: modules from which image processors import without copying.
    ``attribute_displaces_method``: an attribute removes the parent's method of its name.
    ``annotated_targets``: ``x: T = v`` counts as an assignment when ``super()`` is expanded.
    ``keeps_getattr``: a module-level ``__getattr__`` goes to the files of the classes it names.
    ``pil_kwargs``: how a PIL file gets the keyword class of the image processor: ``copied`` from the
    torchvision file, as a ``dependency`` like classes of its own, or ``imported``.
    ``specialised_base_replaces``: an added base whose name ends with the parent's base takes its
    place (``OmniModalProcessorMixin`` for ``ProcessorMixin``; together they have no valid MRO).
    ``deprecations_join``: an overriding method whose decorators are all ``deprecate_kwarg`` keeps
    the parent's other decorators in front of them; any other decorator replaces the parent's.
    ``python_meaning``: a generated class behaves as its definition does under plain inheritance; so
    in projects. A library has its committed bytes as the reference, quirks included.
    ``replaces_assignments``: with the meaning of Python, an assignment behind ``super().__init__``
    takes the place of the parent's where that is sound (``super-calls`` of a project).
    """

    fast_image_files: bool = False
    video_keywords_apart: bool = False
    protected_names: frozenset[str] = frozenset()
    decorator_marker: bool = True
    appends_bases: bool = True
    keeps_late_init: bool = True
    calls_listed_bases: bool = False
    expands_own_classes: bool = False
    three_dot_parents: bool = True
    keeps_del: bool = True
    guarded_types: tuple[str, ...] = ()
    shared_image_modules: tuple[str, ...] = ()
    attribute_displaces_method: bool = True
    annotated_targets: bool = True
    keeps_getattr: bool = True
    pil_kwargs: str = "copied"
    specialised_base_replaces: bool = True
    deprecations_join: bool = True
    python_meaning: bool = False
    replaces_assignments: bool = True

    @cached_property
    def suffix_types(self) -> Mapping[str, str]:
        """Class name suffixes and the kind of file such a class belongs to."""
        suffixes = dict(_SUFFIX_TYPES)
        if self.fast_image_files:
            suffixes |= _FAST_SUFFIX_TYPES
        if self.video_keywords_apart:
            suffixes["VideoProcessorKwargs"] = "video_processing"
        return suffixes

    @property
    def file_names(self) -> Mapping[str, str]:
        """Kinds of files whose name is not ``<kind>_<model>``, with a pattern of the name."""
        return _FAST_FILE_NAMES if self.fast_image_files else {}

    def file_type(self, class_name: str, model_cased: str) -> str:
        """The generated file that a class belongs to: the longest suffix that fits decides."""
        rest = class_name.replace(model_cased, "")
        for suffix in sorted(self.suffix_types, key=len, reverse=True):
            if rest.endswith(suffix):
                return self.suffix_types[suffix]
        return "modeling"

    @property
    def file_types(self) -> tuple[str, ...]:
        """All kinds of generated files, in the order in which they are written."""
        return (*FILE_TYPES, *self.file_names)

    def module_name(self, file_type: str, model: str) -> str:
        """Name of the module that holds the classes of one kind of a model."""
        return self.file_names.get(file_type, f"{file_type}_{{model}}").format(model=model)

    def neighbour_type(self, module: str, model: str) -> str | None:
        """The kind of files that share what a parent module imports from its neighbours.

        That is the kind of the parent itself, but none if its file has a name of ``file_names``.
        """
        name = module.rsplit(".", 1)[-1]
        special = any(name == self.module_name(kind, model) for kind in self.file_names)
        return None if special else module_file_type(module)

    def adopts(self, file_type: str, class_name: str) -> bool:
        """Whether a file defines a class for itself although it belongs to another file."""
        return (
            self.pil_kwargs == "dependency"
            and file_type == "image_processing_pil"
            and class_name.endswith("ImageProcessorKwargs")
        )


@dataclass(frozen=True)
class Rule:
    """One field of :class:`Dialect` over the releases.

    ``history`` holds the values with the release that each came with, the oldest first. ``mark`` is
    a pattern of what a definition (or, with ``in_parents``, a parent) contains where the rule can
    matter: without it every value gives the same files.
    """

    name: str
    history: tuple[tuple[tuple[int, int], Any], ...]
    mark: str
    in_parents: bool = False

    def value(self, version: tuple[int, ...]) -> Any:
        """What holds in a release."""
        return next(value for since, value in reversed(self.history) if version >= since)

    @property
    def values(self) -> tuple[Any, ...]:
        """All that ever held, the newest first."""
        return tuple(value for _, value in reversed(self.history))


def _since(release: tuple[int, int], old: Any = False, new: Any = True) -> Any:
    return (((0, 0), old), (release, new))


_BASES, _IMAGES, _SUPER = r"^\s*class \w+[^:(]*\([^)]*,", "ImageProcess", r"\bsuper\("
#: ``self.size: int = 3``; a parameter with a default looks the same but ends with a comma.
_ANNOTATED = r"^[ \t]{8,}[\w.\[\]\"']+[ ]*:[^\n]*[^,\n]$"
_BACKENDS = ("image_processing_backends", "image_processing_utils")
RULES: tuple[Rule, ...] = (
    Rule("fast_image_files", _since((5, 4), True, False), "(?i)fast"),
    Rule("video_keywords_apart", _since((5, 18)), "VideoProcessorKwargs"),
    Rule("protected_names", _since((5, 15), frozenset(), _MAMBA_NAMES), "mamba", True),
    Rule("decorator_marker", _since((5, 11)), "no_inherit_decorator"),
    Rule("appends_bases", _since((5, 1)), _BASES),
    Rule("keeps_late_init", _since((5, 0)), _SUPER),
    Rule("calls_listed_bases", _since((4, 56), True, False), r"\b[\w.]+(?:\(\))?\.\w+\("),
    Rule("expands_own_classes", _since((4, 56), True, False), "^class "),
    Rule("three_dot_parents", _since((5, 0)), r"\.\.\.models\."),
    Rule("keeps_del", _since((4, 56)), r"^\s+del\b"),
    Rule(
        "guarded_types",
        _since((5, 15), ("image_processing_pil",), ("image_processing_pil", "feature_extraction")),
        "FeatureExtractor",
    ),
    Rule(
        "shared_image_modules",
        _since((5, 13), _BACKENDS, (*_BACKENDS, "image_processing_outputs")),
        _IMAGES,
    ),
    Rule("attribute_displaces_method", _since((5, 21)), r"^[ \t]+\w+[ ]*[:=]"),
    Rule("annotated_targets", _since((5, 22)), _ANNOTATED, True),
    Rule("keeps_getattr", _since((5, 23)), "__getattr__"),
    Rule(
        "pil_kwargs",
        (((0, 0), "imported"), ((5, 5), "dependency"), ((5, 6), "copied")),
        _IMAGES,
    ),
    Rule("specialised_base_replaces", _since((5, 23)), _BASES),
    Rule("deprecations_join", _since((5, 24)), "deprecate_kwarg"),
)


def dialect_of(version: tuple[int, ...]) -> Dialect:
    """The dialect of a transformers release."""
    return Dialect(**{rule.name: rule.value(version) for rule in RULES})
