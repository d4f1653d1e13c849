"""Loaded once, before the processes of a verification are forked: the libraries that all of them need.

Which these are stands in the environment, as the process that loads them is started without arguments.
"""

from __future__ import annotations

import contextlib
import importlib
import os

from codegen.verify.torchvision_operators import declare_torchvision_operators

VARIABLE = "CODEGEN_VERIFY_PRELOAD"

declare_torchvision_operators()
for _name in filter(None, os.environ.get(VARIABLE, "").split(",")):
    with contextlib.suppress(Exception):  # whoever needs it says what is wrong
        importlib.import_module(_name)
