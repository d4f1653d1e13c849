"""Let processors return precomputed tensors: ``processor(..., return_extra_tensors=True)``.

Runs behind the passes, because it reads from the encoders as they left them what these take.

    return BatchFeature(data={...}, tensor_type=...)
        ->  return add_extra_tensors(
                BatchFeature(data={...}, tensor_type=...),
                self,
                return_extra_tensors,
                vision={
                    "get_vision_cu_seqlens": ("grid_thw",),
                    "get_rotary_pos_ids": ("grid_thw", "spatial_merge_size"),
                },
            )
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.emit.edits import Change, Edit, Enclose, Site, at_top
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import children, glance, of_kind, target_of, walk
from codegen.rewrite.place.demands import Demand, find_demands
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of

OPTION = "return_extra_tensors"
#: What a record of some kind is about.
_HELPERS = {"lifted": "add_extra_tensors"}


def extend_processors(state: RewriteState) -> None:
    """Edit the processors of all packages whose encoders take precomputed tensors."""
    if state.shared:
        return
    packages = {info.source.module.rpartition(".")[0] for info in state.candidates()}
    for info in processor_modules(state, packages):
        for name, node in info.classes.items():
            if not _is_processor(info, name):
                continue
            cls = ClassInfo(info, node)
            call = cls.methods.get("__call__")
            with state.attempt("processors", cls, call):
                if call is None:
                    _compare_with_parent(state, cls)
                elif OPTION not in info.segment(call) and _takes_grids(state, cls, call):
                    _extend(state, cls, call)
    state.settle()


def processor_modules(state: RewriteState, packages: set[str]) -> Iterator[ModuleInfo]:
    """Definitions that hold a processor, and hand-written processor files."""
    generated = set()
    for info in state.candidates():
        package = info.source.module.rpartition(".")[0]
        if any(_is_processor(info, name) for name in info.classes):
            generated.add(package)
            yield info
    for package in sorted(packages - generated):
        found = state.index.get(f"{package}.processing_{package.rpartition('.')[2]}")
        if found is not None:
            yield found


def _is_processor(info: ModuleInfo, name: str) -> bool:
    """Tell a processor from the image and video processors it holds: by the bases of its class."""
    bases = info.classes[name].bases
    return any(
        name == "ProcessorMixin" or _holds_processor(m, name) for m, name in _origins(info, bases)
    )


def _origins(info: ModuleInfo, bases: list[ast.expr]) -> list[tuple[str, str]]:
    """Module and name of imported bases."""
    names = [getattr(base, "id", "") for base in bases]
    return [info.imports[name] for name in names if name in info.imports]


def _holds_processor(module: str, name: str) -> bool:
    return module.rpartition(".")[2].startswith("processing_") and name.endswith("Processor")


def _takes_grids(state: RewriteState, cls: ClassInfo, call: Function) -> bool:
    """Whether the result holds grids: by its words, or by those of the processor that it inherits from."""
    if "grid_thw" in cls.module.segment(call):
        return True
    if not any(_holds_processor(*origin) for origin in _origins(cls.module, cls.node.bases)):
        return False
    return bool(find_demands(state, cls.module.source.module.rpartition(".")[0])[0])


def _extend(state: RewriteState, cls: ClassInfo, call: Function) -> None:
    """Take the option out of the keywords and use it wherever the method returns."""
    package = cls.module.source.module.rpartition(".")[0]
    demands, reasons = find_demands(state, package)
    for reason in reasons:
        state.note(_record(cls, "left", (), reason))
    replaced = replaced_grid(call)
    returns = list(own_returns(call))
    if not demands:
        reason = "no encoder of the model takes precomputed tensors"
    elif selects_rows(state, package) and not replaced:
        reason = "the model encodes only some rows of the grid"
    elif call.args.kwarg is None:
        reason = "the method takes no further keywords"
    elif not isinstance(call.body[-1], ast.Return) or not all(node.value for node in returns):
        reason = "the method does not return its result at the end"
    else:
        names = tuple(dict.fromkeys(name for d in demands for name in d.helper.outputs))
        record = _record(cls, "lifted", names, f"{OPTION}=True or =config adds them")
        site = Site(cls, call, tuple(_edits(call, returns, demands, replaced)))
        helpers = ((cls.module, "add_extra_tensors"),)
        state.propose(Change("processors", (site,), helpers, (record,)))
        return
    state.note(_record(cls, "left", (), reason))


def selects_rows(state: RewriteState, package: str) -> bool:
    """Tell whether a model of the package hands its features method another grid than it was given."""
    for info in state.candidates():
        if info.source.module.rpartition(".")[0] != package:
            continue
        for cls in state.classes(info):
            forward = cls.methods.get("forward")
            if forward is not None and _passes_local_grid(glance(forward)):
                return True
    return False


def _passes_local_grid(forward: Function) -> bool:
    names = set(parameters(forward))
    for call in walk(forward):
        if isinstance(call, ast.Call) and self_attribute(call.func) == "get_image_features":
            second = call.args[1] if len(call.args) > 1 else None
            if isinstance(second, ast.Name) and second.id not in names:
                return True
    return False


def replaced_grid(call: Function) -> str:
    """The variable with the grid that belongs to the pixels, where the batch gets another one instead.

    That is ``grid`` of ``grid = inputs["image_grid_thw"]``, where ``inputs`` comes from the image processor,
    if ``inputs["image_grid_thw"]`` is assigned to later; the encoder can only see the former, whose rows
    are those of the pixels.
    """
    key = "image_grid_thw"
    values: dict[str, list[ast.expr]] = {}
    replaced = set()
    for node in of_kind(glance(call), ast.Assign):
        target = target_of(node)
        if target is None:
            continue
        if isinstance(target, ast.Name):
            values.setdefault(target.id, []).append(node.value)
        elif _entry(target, key):
            replaced.add(_entry(target, key))
    for name, given in values.items():
        entries = [value for value in given if ast.unparse(value) != "None"]
        owners = {_entry(value, key) for value in entries}
        if len(owners) == 1 and owners <= replaced:
            return name
    return ""


def _entry(node: ast.expr, key: str) -> str:
    """``name`` of ``name["key"]``."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return node.value.id if getattr(node.slice, "value", None) == key else ""
    return ""


def own_returns(node: ast.AST) -> Iterator[ast.Return]:
    """Return statements of a function, without those of functions inside it."""
    for child in children(node):
        if isinstance(child, ast.Return):
            yield child
        elif not isinstance(child, (ast.expr, ast.FunctionDef, ast.ClassDef)):
            yield from own_returns(child)


def _edits(
    call: Function, returns: list[ast.Return], demands: list[Demand], replaced: str
) -> Iterator[Edit]:
    assert call.args.kwarg is not None
    option = (
        "# True or the configuration of the model: add what its encoders take precomputed",
        f'{OPTION} = {call.args.kwarg.arg}.pop("{OPTION}", False)',
    )
    yield at_top(call, option)
    keywords = [
        *demand_lines("vision", [d for d in demands if d.is_vision]),
        *demand_lines("audio", [d for d in demands if not d.is_vision]),
        *([f'grids={{"image": {replaced}}},'] if replaced else []),
    ]
    for node in returns:
        assert node.value is not None
        yield Enclose(node.value, "add_extra_tensors", ("self,", f"{OPTION},", *keywords))


def demand_lines(modality: str, demands: list[Demand]) -> list[str]:
    """The keyword that tells ``add_extra_tensors`` what the encoder of a modality takes."""
    if not demands:
        return []
    lines = []
    for demand in demands:
        arguments = ", ".join(f'"{a}"' if isinstance(a, str) else str(a) for a in demand.arguments)
        comma = "," if len(demand.arguments) == 1 else ""
        lines.append(f'    "{demand.helper.name}": ({arguments}{comma}),')
    return [f"{modality}={{", *lines, "},"]


def _compare_with_parent(state: RewriteState, cls: ClassInfo) -> None:
    """Report a processor that inherits from another package's, whose encoder takes other tensors."""
    own = find_demands(state, cls.module.source.module.rpartition(".")[0])[0]
    for module, name in _origins(cls.module, cls.node.bases) if own else ():
        if not _holds_processor(module, name):
            continue
        if {*own} != {*find_demands(state, module.rpartition(".")[0])[0]}:
            reason = f"the encoder takes other tensors than the one of {name}, its parent"
            state.note(_record(cls, "left", (), reason))


def _record(cls: ClassInfo, kind: str, names: tuple[str, ...], reason: str) -> Record:
    info = cls.module
    return Record(
        model_of(info.source.module),
        cls.name,
        "__call__",
        kind,
        info.place(cls.methods.get("__call__", cls.node)),
        helper=_HELPERS.get(kind, ""),
        parameters=names,
        reason=reason,
    )
