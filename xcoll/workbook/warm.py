"""Compile every kernel and build the font cache once, while the environment is made."""

import importlib
import pkgutil
import time

import xcoll
from xcoll._jit import kernel_cache

__all__ = ["warm"]


def warm() -> tuple[int, float]:
    """Compile all kernels for the types that the engines call them with.

    Each ``_kernels`` module names its own examples in ``warm_up()``, beside the kernels that
    they compile.

    Returns
    -------
    kernels : int
        Modules of kernels that were warmed.
    seconds : float
    """
    began = time.perf_counter()
    names = [
        module.name
        for module in pkgutil.walk_packages(xcoll.__path__, "xcoll.")
        if module.name.endswith("._kernels")
    ]
    kernel_cache().mkdir(parents=True, exist_ok=True)
    for name in names:
        importlib.import_module(name).warm_up()
    from matplotlib import font_manager

    font_manager.findfont("DejaVu Sans")
    return len(names), time.perf_counter() - began
