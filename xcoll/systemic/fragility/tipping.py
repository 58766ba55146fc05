"""The smallest common fall of prices at which a round of sales brings in as many again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.systemic.fragility.gain import Response, response
from xcoll.systemic.system import System

__all__ = ["Tipping", "tipping"]

GRID = tuple(np.linspace(0.0, 0.4, 9))


@dataclass(frozen=True)
class Tipping:
    """The smallest common fall at which a system's gain is one.

    Attributes
    ----------
    fall : a fraction; inf where the gain stays under one on the whole grid.
    curve : by fall, ascending: ``gain``, at every state that was looked at.
    at : the response there; the last of the grid where there is none.
    """

    fall: float
    curve: pd.DataFrame
    at: Response


def tipping(
    system: System,
    assets: Sequence[str],
    falls: Sequence[float] = GRID,
    tolerance: float = 0.0025,
    **settings: object,
) -> Tipping:
    """The smallest fall of `assets` together at which the gain is one.

    Parameters
    ----------
    assets : those that fall by the same fraction, such as all that are not stable.
    falls : a grid in [0, 1), ascending; the first point at which the gain is one or more is
        refined by bisection from the point before it.
    tolerance : width of the bracket in the end.
    settings : as `response` takes them.

    Raises
    ------
    ParameterError
        As `response`; a grid that does not ascend inside [0, 1).
    """
    grid = np.asarray(falls, dtype=float)
    if not len(grid) or grid[0] < 0.0 or grid[-1] >= 1.0 or (np.diff(grid) <= 0.0).any():
        raise ParameterError("falls of the grid must ascend inside [0, 1); give at least one")
    checks.positive("tolerance", tolerance)
    seen: dict[float, Response] = {}

    def tips(fall: float) -> bool:
        seen[fall] = response(system, pd.Series(-fall, list(assets)), **settings)
        return seen[fall].gain >= 1.0

    first = next((n for n, fall in enumerate(grid) if tips(float(fall))), None)
    crossed = np.inf if first is None else float(grid[first])
    low = crossed if not first else float(grid[first - 1])
    while np.isfinite(crossed) and crossed - low > tolerance:
        middle = 0.5 * (low + crossed)
        low, crossed = (low, middle) if tips(middle) else (middle, crossed)
    curve = pd.Series({fall: seen[fall].gain for fall in sorted(seen)}, name="gain")
    at = seen[min(crossed, max(seen))]
    return Tipping(crossed, curve.rename_axis("fall").to_frame(), at)
