"""A pass of this project's own: norms call torch's fused ``rms_norm`` in the generated files."""

import libcst as cst
from libcst.codemod import CodemodContext, VisitorBasedCodemodCommand

_FUSED = "return nn.functional.rms_norm(hidden_states, self.weight.shape, self.weight, self.variance_epsilon)"


class UseFusedNorm(VisitorBasedCodemodCommand):
    """Give ``forward`` of every class called ``...RMSNorm`` one line."""

    DESCRIPTION = "Use torch's fused RMS norm."
    RUNS_ON = "generated"  # the default is "sources": definitions, and what they inherit from

    def __init__(self, context: CodemodContext) -> None:
        super().__init__(context)
        self._classes: list[str] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._classes.append(node.name.value)

    def leave_ClassDef(self, original: cst.ClassDef, updated: cst.ClassDef) -> cst.ClassDef:
        self._classes.pop()
        return updated

    def leave_FunctionDef(
        self, original: cst.FunctionDef, updated: cst.FunctionDef
    ) -> cst.FunctionDef:
        inside = self._classes and self._classes[-1].endswith("RMSNorm")
        if not inside or original.name.value != "forward":
            return updated
        return updated.with_changes(body=cst.IndentedBlock([cst.parse_statement(_FUSED)]))
