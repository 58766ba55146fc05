"""Compilation of kernels: numba with a disk cache that an edited kernel can never read back.

numba checks a cached kernel against its own file only, and returns old numbers after an edit of
a callee elsewhere.  The cache folder therefore carries a hash of all kernel sources.
"""

import hashlib
import os
from pathlib import Path

import numba
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

__all__ = ["bare_kernel", "inlined", "kernel", "kernel_cache", "own"]


def own(values: ArrayLike, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Contiguous numbers that may be written to: the one type that a kernel is compiled for.

    What pandas lends is read-only, which would be another type and another compilation.
    """
    return np.require(values, dtype, ["C", "W"])


def kernel_cache() -> Path:
    """Folder of the compiled kernels, named by their sources and numba's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    package = Path(__file__).parent
    for source in sorted({*package.rglob("_kernels.py"), *package.rglob("_kernels/*.py")}):
        digest.update(source.relative_to(package).as_posix().encode())
        digest.update(source.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "xcoll" / f"kernels-{digest.hexdigest()[:16]}"


numba.config.CACHE_DIR = str(kernel_cache())

kernel = numba.njit(cache=True, error_model="numpy")
# numba counts references wherever an array is sliced or taken out of a tuple, and a call hands
# every array of a tuple over word by word; kernels that run millions of times and make no array
# do without both.  The switch `_nrt` is numba's own but not public: the same numbers, three times
# faster.
bare_kernel = numba.njit(cache=True, error_model="numpy", _nrt=False)
inlined = numba.njit(cache=True, error_model="numpy", _nrt=False, forceinline=True)
