"""Research workbook for cross-collateralisation."""

import importlib
from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__", "start"]

try:
    __version__ = version("xcoll-workbook")
except PackageNotFoundError:  # imported from a source tree that was not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> object:
    # `import xcoll` must cost nothing: the command line answers --help before pandas is imported.
    if name == "start":
        return importlib.import_module("xcoll.workbook.run").start
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
