"""The close-out loss of each asset at each horizon: the table that haircuts start from.

A horizon of whole bars is measured.  One under a bar is the day's loss times a share measured on
shorter bars elsewhere, and is marked as scaled: never a square root of time.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.estimators.tail import depeg, shortfall
from xcoll.estimators.tail.excursion import Excursions, corrected
from xcoll.estimators.tail.losses import close_out_losses
from xcoll.market.returns import bars_in

__all__ = ["COLUMNS", "by_choice", "by_horizon", "of_stablecoins"]

DAY = pd.Timedelta(days=1)
COLUMNS = [
    "asset", "horizon", "confidence", "confidence_used", "method", "observations", "beyond",
    "var", "es", "es_low", "es_high", "es_raw", "es_trigger", "error", "matched_share", "scaled",
]  # fmt: skip


def by_horizon(
    log_returns: pd.DataFrame,
    excursions: Excursions | Sequence[Excursions],
    confidence: float | Sequence[float],
    shares: Mapping[str, float],
    multiples: Mapping[str, float],
    bar: pd.Timedelta,
    rng: np.random.Generator,
    replications: int = 1000,
    block: int = 20,
) -> pd.DataFrame:
    """VaR and ES over the whole history, by asset, horizon and level.

    Parameters
    ----------
    log_returns : time × asset; the assets that have rows.
    excursions : of these assets, at least; or several draws of them, over which every figure is
        averaged.
    shares : horizon ("1h") → share of the day's ES, used where the horizon is under a bar.
    multiples : horizon → ES after a fall over the unconditional ES.
    replications, block : of the bootstrap of the ES.

    Returns
    -------
    Table of `COLUMNS`.  `es` counts matched excursions divided by their reach
    (`excursion.corrected`), `es_raw` as drawn; `matched_share` is the share of the losses from the
    VaR up that end on a matched bar; `es_low`, `es_high` a 90 % interval; `error` the standard
    error of `es` for the lows that were drawn, NaN of one draw.
    """
    draws = [excursions] if isinstance(excursions, Excursions) else list(excursions)
    share = -(-checks.whole("replications", replications) // max(len(draws), 1))
    tables = [
        _of_draw(log_returns, draw, confidence, shares, multiples, bar, rng, share, block)
        for draw in draws
    ]
    if not tables:
        raise ParameterError("excursions hold no draw; give one at least")
    figures = [name for name in tables[0] if tables[0][name].dtype == float]
    figures = [name for name in figures if not name.startswith("confidence")]
    mean = sum(table[figures] for table in tables) / len(tables)
    drawn = pd.concat([table["es"] for table in tables], axis=1)
    error = drawn.std(axis=1) / np.sqrt(len(tables))
    return tables[0].assign(**mean, error=error)[COLUMNS]


def _of_draw(
    log_returns: pd.DataFrame,
    excursions: Excursions,
    confidence: float | Sequence[float],
    shares: Mapping[str, float],
    multiples: Mapping[str, float],
    bar: pd.Timedelta,
    rng: np.random.Generator,
    replications: int,
    block: int,
) -> pd.DataFrame:
    tables = {}
    lows = (corrected(excursions), excursions.low)
    now, raw = (low[log_returns.columns] for low in lows)
    matched = excursions.source[log_returns.columns] == "matched"
    rows = []
    for horizon in shares:
        scaled = checks.duration("horizon", horizon) < bar
        bars = bars_in(DAY if scaled else horizon, bar)
        if bars not in tables:
            losses = close_out_losses(log_returns, now, bars)
            table = shortfall.table(losses, confidence, rng, replications, block)
            before = close_out_losses(log_returns, raw, bars)
            ends = matched.shift(-bars, fill_value=False)
            table["es_raw"] = [
                shortfall.historical(before[a].dropna(), level).es
                for a, level in zip(table["asset"], table["confidence_used"], strict=True)
            ]
            table["matched_share"] = [
                ends[a][losses[a] >= var].mean()
                for a, var in zip(table["asset"], table["var"], strict=True)
            ]
            tables[bars] = table
        found = tables[bars].assign(horizon=horizon, method="historical", scaled=scaled)
        figures = ["var", "es", "es_low", "es_high", "es_raw"]
        found[figures] *= shares[horizon] if scaled else 1.0
        rows.append(found.assign(es_trigger=found["es"] * multiples[horizon]))
    return pd.concat(rows, ignore_index=True)


def by_choice(
    log_returns: pd.DataFrame,
    found: Mapping[str, Excursions],
    confidence: float,
    rng: np.random.Generator,
    replications: int = 1000,
    block: int = 20,
) -> pd.DataFrame:
    """`shortfall.table` of the one-bar close-out loss by each choice of excursion, as `choice`.

    `found` is method → excursions (`excursion.every_choice`); "donor, corrected" is added.
    """
    lows = {choice: excursions.low for choice, excursions in found.items()}
    lows["donor, corrected"] = corrected(found["donor"])
    tables = []
    for choice, low in lows.items():
        losses = close_out_losses(log_returns, low[log_returns.columns])
        table = shortfall.table(losses, confidence, rng, replications, block)
        tables.append(table.assign(choice=choice))
    return pd.concat(tables, ignore_index=True)


def of_stablecoins(
    model: depeg.Depeg,
    losses: pd.DataFrame,
    confidence: float | Sequence[float],
    shares: Mapping[str, float],
) -> pd.DataFrame:
    """The same table for assets that break a peg (`depeg`); the interval is that of the hazard.

    `losses` are ordinary close-out losses of a day, time × asset; `shares` scale them to
    horizons under a day, the hazard is for the horizon itself.  A fall does not set off a break:
    `es_trigger` is the ES.
    """
    rows = []
    for horizon in shares:
        scaled = checks.duration("horizon", horizon) < DAY
        for asset, column in losses.items():
            sample = column.dropna()
            part = (shares[horizon] if scaled else 1.0) * sample
            for level in np.atleast_1d(confidence).tolist():
                used = shortfall.reliable_confidence(len(sample), level)
                var, es = depeg.var_es(model, horizon, used, part)
                low, high = (
                    depeg.var_es(model, horizon, used, part, rate)[1]
                    for rate in (model.low, model.high)
                )
                beyond = shortfall.beyond(len(sample), used)
                rows.append(
                    (asset, horizon, level, used, "depeg jumps", len(sample), beyond)
                    + (var, es, low, high, es, es, np.nan, 0.0, scaled)
                )
    return pd.DataFrame(rows, columns=COLUMNS)
