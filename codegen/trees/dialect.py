"""Which variant of the modular rules a tree follows.

The rules grew over the releases of transformers. Each field below is one addition; the table of
:func:`dialect_of` says since which release it holds. Projects use all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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


@dataclass(frozen=True)
class Dialect:
    """The rules that differ between releases.

    ``suffix_types``: class name suffixes and the kind of file such a class belongs to.
    ``file_names``: kinds of files whose name is not ``<kind>_<model>``, with a pattern of the name.
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

    suffix_types: Mapping[str, str] = field(default_factory=lambda: _SUFFIX_TYPES)
    file_names: Mapping[str, str] = field(default_factory=dict)
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


def dialect_of(version: tuple[int, ...]) -> Dialect:
    """The dialect of a transformers release."""
    suffixes, file_names = dict(_SUFFIX_TYPES), {}
    if version < (5, 4):
        suffixes |= _FAST_SUFFIX_TYPES
        file_names = {"image_processing_fast": "image_processing_{model}_fast"}
    if version >= (5, 18):
        suffixes["VideoProcessorKwargs"] = "video_processing"
    guarded = ("image_processing_pil", *(("feature_extraction",) if version >= (5, 15) else ()))
    shared: tuple[str, ...] = ("image_processing_backends", "image_processing_utils")
    if version >= (5, 13):
        shared = (*shared, "image_processing_outputs")
    pil_kwargs = (
        "copied" if version >= (5, 6) else "dependency" if version >= (5, 5) else "imported"
    )
    return Dialect(
        suffix_types=MappingProxyType(suffixes),
        file_names=MappingProxyType(file_names),
        protected_names=_MAMBA_NAMES if version >= (5, 15) else frozenset(),
        decorator_marker=version >= (5, 11),
        appends_bases=version >= (5, 1),
        keeps_late_init=version >= (5, 0),
        calls_listed_bases=version < (4, 56),
        expands_own_classes=version < (4, 56),
        three_dot_parents=version >= (5, 0),
        keeps_del=version >= (4, 56),
        guarded_types=guarded,
        shared_image_modules=shared,
        attribute_displaces_method=version >= (5, 21),
        annotated_targets=version >= (5, 22),
        keeps_getattr=version >= (5, 23),
        pil_kwargs=pil_kwargs,
        specialised_base_replaces=version >= (5, 23),
        deprecations_join=version >= (5, 24),
    )
