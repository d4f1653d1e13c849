"""The new names of what belongs to a parent model: its own names, word by word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from codegen.trees.names import NameTable


class Naming:
    """How names of one parent module are spelled in the new model.

    Only whole words of a name are replaced: ``StoneNorm`` and ``stone_pad`` begin with the model's
    name, ``Stonehenge`` does not.
    """

    def __init__(self, model: str, new: str, table: NameTable) -> None:
        self.model, self.new = model, new
        self.cased, self.new_cased = table.cased(model), table.cased(new)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        upper, cased = re.escape(self.model.upper()), re.escape(self.cased)
        spelled = (
            rf"(?P<lower>{re.escape(self.model)})(?=_|\d|$)",
            rf"(?P<upper>{upper})(?=_|$)",
            rf"(?P<cased>{cased}|(?=[A-Z])(?i:{cased}))(?=[A-Z0-9_]|$)",
        )
        return re.compile(rf"(?<![a-zA-Z0-9])(?:{'|'.join(spelled)})")

    def name(self, name: str) -> str:
        """The new spelling of a class, function or variable of the parent model."""
        return self._pattern.sub(self._replacement, name)

    def registered(self, value: str) -> str:
        """The new spelling of a registered string, such as the type of a model."""
        pattern = re.escape(self.model).replace("_", "[-_]")
        return re.sub(rf"^{pattern}(?=[-_]|$)", self.new, value)

    def is_spelled(self, name: str) -> bool:
        """Whether a class name begins with the parent model's name."""
        match = self._pattern.match(name)
        return bool(match and match.lastgroup == "cased")

    def _replacement(self, match: re.Match[str]) -> str:
        if match.lastgroup == "lower":
            return self.new
        if match.lastgroup == "upper" and not (
            self.cased == self.model.upper() and self._in_class_name(match)
        ):
            return self.new.upper()
        return self.new_cased

    @staticmethod
    def _in_class_name(match: re.Match[str]) -> bool:
        """Whether ``CLIP`` in ``CLIP_Model`` is the cased spelling: lower-case letters follow."""
        return any(char.islower() for char in match.string[match.end() :])


class PairNaming(Naming):
    """Names of a parent module whose name says no model: only classes that the definition has its
    own of are called otherwise."""

    def __init__(self, module: str, new: str, table: NameTable, pairs: Mapping[str, str]) -> None:
        super().__init__(module.rpartition(".")[2], new, table)
        self._pairs = pairs

    def name(self, name: str) -> str:
        """See :class:`Naming`."""
        return self._pairs.get(name, name)

    def registered(self, value: str) -> str:
        """See :class:`Naming`."""
        return value

    def is_spelled(self, name: str) -> bool:
        """See :class:`Naming`."""
        return False
