"""Model risk: the haircut under every model of its market part, the other parts unchanged.

A model is a forecast method, the long run or the worst year; a measure, ES or VaR; and a loss, to
the worst print on the way or at the end.  All are carried to a horizon by the same factor, which
was measured on the ES of the close-out loss.  The band from the smallest to the largest haircut is
no interval: it says how much hangs on the choice, not how likely each model is.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts import market
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.haircuts.waterfall import haircut
from xcoll.collateral.history import History
from xcoll.errors import ParameterError
from xcoll.estimators import tail
from xcoll.estimators.tail.losses import LOSSES

__all__ = ["METHODS", "PAST", "ends", "models"]

METHODS = tuple(method for method in tail.METHODS if method != "dcc_t")
PAST = ("long_run", "stressed")  # models that do not ask today's volatility


def models(
    history: History,
    parts: pd.DataFrame,
    of: Tail,
    factors: Mapping[str, pd.Series],
    followed: pd.Series,
    *,
    method: str = "fhs",
    window: str = "400D",
    look_back: str | None = None,
    methods: Sequence[str] = METHODS,
    dependence: tail.Dependence | None = None,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Haircut of every asset under every model of its market part.

    Parameters
    ----------
    history : History
        What is known; pegged assets have no such models (`pegged`).
    parts : DataFrame
        By asset, columns `PARTS`; the market's is not read.
    of : Tail
        The confidence of all models; with `method` the one in use.
    factors : mapping
        ``"forecast"``, ``"long_run"``, ``"stressed"`` → by asset of `parts`: the loss over its
        horizon as a multiple of a day's (share of the day × multiple after a fall).
    followed : Series
        By asset of `parts`: the asset whose losses it has, itself or its underlying; those that
        follow none of `history` are left out.
    method, window : str
        As in `market.forecast`.
    look_back : str, optional
        Bars that the models of `PAST` rest on, a duration; all where not given.
    methods : sequence of str
        Of `tail.METHODS`; ``dcc_t`` needs `dependence` and `rng`, and is left out unless named.
    dependence, rng
        As in `market.forecast`.

    Returns
    -------
    DataFrame
        asset, model (a method or one of `PAST`), measure, loss, market, haircut (unrounded), used
        (whether it is the one in use).  NaN where a method found no fit.
    """
    if method not in methods:
        raise ParameterError(f"the method in use, {method}, is not among methods; name it there")
    assets = [asset for asset in parts.index if followed[asset] in history.log_returns]
    source = followed[assets].to_numpy()
    past = history
    if look_back is not None:
        past = history.since(history.now - checks.duration("look-back", look_back))
    tables = []
    for measure, loss in itertools.product(("es", "var"), LOSSES):
        wanted = Tail(of.confidence, measure, loss)
        days = {
            name: market.forecast(history, wanted, name, window, dependence=dependence, rng=rng)
            for name in methods
        }
        days["long_run"] = market.long_run(past, wanted)
        days["stressed"] = market.stressed(past, wanted)
        for model, day in days.items():
            factor = factors[model if model in PAST else "forecast"]
            lost = (day[source].to_numpy() * factor[assets]).clip(lower=0.0, upper=1.0)
            made = pd.DataFrame({"asset": assets, "model": model, "measure": measure, "loss": loss})
            made["market"] = lost.to_numpy()
            made["haircut"] = _with_market(parts.loc[assets], lost).to_numpy()
            made["used"] = (model == method) and wanted == of
            tables.append(made)
    return pd.concat(tables, ignore_index=True)


def _with_market(parts: pd.DataFrame, lost: pd.Series) -> pd.Series:
    other = haircut(parts.assign(market=0.0))
    return 1.0 - (1.0 - other) * (1.0 - lost)


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """The band of each asset.

    Parameters
    ----------
    table : DataFrame
        From `models`.

    Returns
    -------
    DataFrame, index asset
        low, high (smallest and largest haircut), lowest, highest (the models they come from, in
        words), used, models (how many found a figure).
    """
    known = table.dropna(subset="haircut").reset_index(drop=True)
    words = known["model"] + " " + known["measure"] + ", " + known["loss"]
    groups = known.groupby("asset", sort=False)["haircut"]
    low, high = groups.idxmin(), groups.idxmax()
    return pd.DataFrame(
        {
            "low": groups.min(),
            "high": groups.max(),
            "lowest": low.map(words),
            "highest": high.map(words),
            "used": known[known["used"]].set_index("asset")["haircut"],
            "models": groups.size(),
        }
    ).loc[low.index]
