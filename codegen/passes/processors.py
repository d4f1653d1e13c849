"""Let processors return precomputed tensors: ``processor(..., return_extra_tensors=True)``.

A step of lift, behind the encoders, whose arguments it needs: where position ids are taken without
merging, the processor's merge size must not be used.

    return BatchFeature(data={...}, tensor_type=...)
        ->  batch = BatchFeature(data={...}, tensor_type=...)
            return add_extra_tensors(batch, self) if return_extra_tensors else batch
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.passes.base import Record, model_of
from codegen.passes.edits import Edit, block
from codegen.passes.modules import ClassInfo, Function, ModuleInfo, parameters, self_attribute
from codegen.passes.workspace import Workspace

OPTION = "return_extra_tensors"


def extend_processors(workspace: Workspace, unmerged: set[str]) -> None:
    """Edit the processors of all models whose encoders were lifted.

    ``unmerged`` are the packages whose encoder takes position ids in raster order.
    """
    if workspace.shared:
        return
    packages = {info.source.module.rpartition(".")[0] for info in workspace.candidates()}
    for info in processor_modules(workspace, packages):
        package = info.source.module.rpartition(".")[0]
        for name, node in info.classes.items():
            cls = ClassInfo(info, node)
            call = cls.methods.get("__call__")
            if call is None or not _is_processor(name) or OPTION in info.segment(call):
                continue
            if "grid_thw" not in info.segment(call) or call.args.kwarg is None:
                continue
            if selects_rows(workspace, package):
                _note(workspace, cls, call, "left", "the model encodes only some rows of the grid")
            elif _edit(workspace, cls, call, package in unmerged):
                _note(
                    workspace,
                    cls,
                    call,
                    "lifted",
                    f"{OPTION}=True adds tensors that follow from the grids",
                )


def processor_modules(workspace: Workspace, packages: set[str]) -> Iterator[ModuleInfo]:
    """Definitions that hold a processor, and hand-written processor files."""
    generated = set()
    for info in workspace.candidates():
        package = info.source.module.rpartition(".")[0]
        if any(map(_is_processor, info.classes)):
            generated.add(package)
            yield info
    for package in sorted(packages - generated):
        found = workspace.index.get(f"{package}.processing_{package.rpartition('.')[2]}")
        if found is not None:
            yield found


def _is_processor(name: str) -> bool:
    """Tell a processor from the image and video processors it holds."""
    return name.endswith("Processor") and not name.endswith(("ImageProcessor", "VideoProcessor"))


def selects_rows(workspace: Workspace, package: str) -> bool:
    """Tell whether a model of the package hands its features method another grid than it was given."""
    for info in workspace.candidates():
        if info.source.module.rpartition(".")[0] != package:
            continue
        for cls in workspace.classes(info):
            forward = cls.methods.get("forward")
            if forward is not None and _passes_local_grid(forward):
                return True
    return False


def _passes_local_grid(forward: Function) -> bool:
    names = set(parameters(forward))
    for call in ast.walk(forward):
        if isinstance(call, ast.Call) and self_attribute(call.func) == "get_image_features":
            second = call.args[1] if len(call.args) > 1 else None
            if isinstance(second, ast.Name) and second.id not in names:
                return True
    return False


def _edit(workspace: Workspace, cls: ClassInfo, call: Function, unmerged: bool) -> bool:
    """Take the option out of the keywords and use it in the last statement."""
    text, last = cls.module.text, call.body[-1]
    value = getattr(last, "value", None)
    if (
        not isinstance(last, ast.Return)
        or not isinstance(value, ast.Call)
        or call.args.kwarg is None
    ):
        return False
    if ast.unparse(value.func) != "BatchFeature":
        return False
    first = call.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(call.body) > 1:
        first = call.body[1]
    place = text.statement_lines(first)[0]
    option = f'{OPTION} = {call.args.kwarg.arg}.pop("{OPTION}", False)'
    merge = ", merge_size=1" if unmerged else ""
    lines = [
        f"batch = {text.source(value)}",
        f"return add_extra_tensors(batch, self{merge}) if {OPTION} else batch",
    ]
    edits = [
        Edit(place, place, block([option], text.indent(first))),
        Edit(*text.statement_lines(last), block(lines, text.indent(last))),
    ]
    workspace.edit(cls.module, edits)
    workspace.need(cls.module, "add_extra_tensors")
    return True


def _note(workspace: Workspace, cls: ClassInfo, call: Function, kind: str, reason: str) -> None:
    info = cls.module
    workspace.note(
        Record(
            model_of(info.source.module),
            cls.name,
            call.name,
            kind,
            info.place(call),
            helper="add_extra_tensors" if kind == "lifted" else "",
            reason=reason,
        )
    )
