"""Copied by the Makefile into an environment whose torchvision was built for another torch.

Run by a ``.pth`` file whenever Python starts there, so it imports nothing until torchvision is asked for.
"""

from __future__ import annotations

import sys


class _OnImport:
    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """Have the operators declared before torchvision is loaded."""
        if name != "torchvision":
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        from codegen.verify.torchvision_operators import declare_torchvision_operators

        declare_torchvision_operators()
        return sys.meta_path[0].find_spec(name, path, target)  # type: ignore[arg-type]


sys.meta_path.insert(0, _OnImport())  # type: ignore[arg-type]
