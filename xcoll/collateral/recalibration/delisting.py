"""When a rule would have said that an asset must go, and whether that was in time.

The signs: the haircut that a calibration asks for passes a limit (target); the loss of a bar passes
the haircut that was in force over it (loss); the haircut in force passes the limit (in force).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.recalibration.guard import immediate
from xcoll.errors import DataError, ParameterError

__all__ = ["SIGNS", "fallen", "signs"]

SIGNS = ("target", "loss", "in force")


def fallen(
    closes: pd.DataFrame, asset: str, since: str | pd.Timestamp, span: str = "60D"
) -> tuple[str, pd.Timestamp]:
    """`asset` and `since`, or the one that fell furthest, and its top.

    The latter where the asset has no closes, or where they end before `since`.

    Parameters
    ----------
    closes : DataFrame, time × asset
        Prices; the furthest fall is that from the highest close within `span`.
    asset, since : str, str or Timestamp
        What is wanted.
    span : str
        A duration.
    """
    if asset in closes and pd.Timestamp(since) <= closes.index[-1]:
        return asset, pd.Timestamp(since)
    down = closes / closes.rolling(span).max()
    found = down.min().idxmin()
    end = down[found].idxmin()
    return found, closes.loc[end - pd.Timedelta(span) : end, found].idxmax()


def signs(
    asset: str,
    targets: Mapping[str, pd.DataFrame],
    in_force: Mapping[str, pd.DataFrame],
    losses: pd.DataFrame,
    closes: pd.DataFrame,
    limit: float,
    since: str | pd.Timestamp,
) -> pd.DataFrame:
    """First date of each sign that an asset must go, by tool, and what was left of it then.

    Parameters
    ----------
    asset : str
        Whose column is read.
    targets, in_force : mapping
        Tool → haircuts, time × asset: posted by calibrations, and in force at each bar's close for
        the bar after.  Both have the same tools.
    losses : DataFrame, time × asset
        Loss of the bar after each stamp to its worst print, from `tail.realised_losses`.
    closes : DataFrame, time × asset
        Closes of the same bars.
    limit : float
        Haircut beyond which an asset is no collateral, in (0, 1).
    since : str or Timestamp
        Signs count from here on, and prices are set against this close.

    Returns
    -------
    DataFrame
        asset, tool, what (one of `SIGNS`), said (NaT: never), price_left (close then over the
        close of `since`), fell_after (further fall to the lowest close, 0 where it only rose),
        lost_after (share of a loan of ``1 − H`` in force then that is lost when it is closed at the
        worst print of the next bar); NaN where nothing was said or nothing came after.

    Raises
    ------
    DataError
        The asset has no column in a frame, or no close at `since`.
    ParameterError
        Targets and haircuts in force of different tools, or a limit outside (0, 1).
    """
    checks.fraction("limit", limit)
    if set(targets) != set(in_force):
        odd = sorted(set(targets) ^ set(in_force))
        raise ParameterError(f"targets and haircuts in force differ in {odd}; give both of each")
    named = {"losses": losses, "closes": closes}
    named |= {f"targets of {tool}": frame for tool, frame in targets.items()}
    named |= {f"haircuts in force of {tool}": frame for tool, frame in in_force.items()}
    for name, frame in named.items():
        if asset not in frame:
            raise DataError(f"the {name} have no column {asset}; choose one that has a history")
    close, reference = closes[asset], pd.Timestamp(since)
    if reference not in close.index or np.isnan(close[reference]):
        raise DataError(f"{asset} has no close at {reference}; choose a day on which it traded")
    loss = losses[asset].reindex(close.index)
    rows = []
    for tool, posted in targets.items():
        held = in_force[tool][asset].reindex(close.index)
        seen = {
            "target": immediate(posted[[asset]], close.index)[asset] > limit,
            # a loss stamped t is seen at the close of the bar after t
            "loss": (loss > held).shift(1, fill_value=False),
            "in force": held > limit,
        }
        for what, sign in seen.items():
            said = sign.index[sign & (sign.index >= reference)].min()
            row = {"asset": asset, "tool": tool, "what": what, "said": said}
            if not pd.isna(said):
                lent = 1.0 - held[said]
                back = 1.0 if lent == 0.0 else (1.0 - loss[said]) / lent
                row |= {
                    "price_left": close[said] / close[reference],
                    "fell_after": np.maximum(
                        1.0 - close[close.index > said].min() / close[said], 0.0
                    ),
                    "lost_after": np.maximum(1.0 - back, 0.0),
                }
            rows.append(row)
    columns = ["asset", "tool", "what", "said", "price_left", "fell_after", "lost_after"]
    table = pd.DataFrame(rows).reindex(columns=columns)
    return table.astype({"said": close.index.dtype} | dict.fromkeys(columns[4:], float))
