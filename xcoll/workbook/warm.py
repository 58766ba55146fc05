"""Compile every kernel and build the font cache once, while the environment is made."""

import importlib
import multiprocessing
import pkgutil
import time
from concurrent.futures import ProcessPoolExecutor

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
    modules = [
        module
        for module in pkgutil.walk_packages(xcoll.__path__, "xcoll.")
        if module.name.endswith("._kernels")
    ]
    modules.sort(key=lambda module: not module.ispkg)  # a package takes longest: it goes first
    kernel_cache().mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_warm, [module.name for module in modules]))
    from matplotlib import font_manager

    font_manager.findfont("DejaVu Sans")
    return len(modules), time.perf_counter() - began


def _warm(name: str) -> None:
    importlib.import_module(name).warm_up()
