"""Joint scenarios of an account: five laws of dependence, the same margins under each.

    fhs           whole bars are drawn: what fell together falls together
    dcc_t         t copula with the correlation of today, which DCC carries on within the horizon
    stress high   t copula, every pair at a high quantile of its own correlation
    stress low    t copula, every pair at a low one: what is owed parts from what is held
    one           every leg at the same rank of its own loss: all reach their worst together, what
                  is owed rising as what is held falls, for that is its loss

Each bar is drawn equally often by each asset under every law (Latin hypercube sampling with
dependence, Packham and Schmidt 2010), so over one bar the laws differ in nothing but how ranks are
paired.  A copula pairs ranks of the low that was reached, as `dcc_t` among the tail methods does.

Inside a bar all assets run together from the last close to their lows, to their highs where these
are given, and to their closes: a hedge counts, for no leg meets its worst while another one is
elsewhere.  What a ratio of two prices does between those points is not seen: `thresholds.pairs`
models it, and asks for more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.baskets.account import Account
from xcoll.collateral.baskets.margins import Margins
from xcoll.errors import DataError, EstimationError
from xcoll.estimators import correlation, tail
from xcoll.estimators.tail.copula import Draws

__all__ = ["LAWS", "Correlations", "draws", "moves"]

LAWS = ("fhs", "dcc_t", "stress high", "stress low", "one")


@dataclass(frozen=True)
class Correlations:
    """How assets move together, today and in stress.

    Attributes
    ----------
    today : tail.Dependence
        Correlation path with its DCC parameters and the degrees of freedom of the copula.
    high, low : DataFrame, asset × asset
        Stressed correlation matrices; more assets than an account has are welcome.

    Raises
    ------
    DataError
        A stressed matrix that is no correlation matrix.
    """

    today: tail.Dependence
    high: pd.DataFrame
    low: pd.DataFrame

    def __post_init__(self) -> None:
        for name, matrix in (("high", self.high), ("low", self.low)):
            R = matrix.to_numpy(float)
            fault = (
                "is not square with the same assets in rows and columns"
                if not matrix.index.equals(matrix.columns)
                else "holds values that are missing or outside [-1, 1]"
                if not (np.abs(R) <= 1.0 + 1e-9).all()
                else "is not symmetric with ones on its diagonal"
                if not np.allclose(R, R.T, 0.0, 1e-9) or not np.allclose(np.diag(R), 1.0, 0.0, 1e-9)
                else "has a negative eigenvalue"
                if np.linalg.eigvalsh(R)[0] < -1e-9
                else None
            )
            if fault:
                raise DataError(
                    f"the {name} stressed correlation {fault}; repair it with correlation.nearest"
                )

    def at(self, time: pd.Timestamp, assets: list[str]) -> dict[str, tail.Dependence]:
        """Dependence of the bars after `time` under each law that has a correlation matrix.

        Raises
        ------
        DataError
            The path does not reach `time`, or a matrix lacks an asset.
        EstimationError
            A pair has no correlation at `time`.
        """
        path = self.today.correlation
        if time not in path.index:
            raise DataError(f"the correlation path has no {time}; give one that reaches it")
        today = tail.Dependence(**vars(self.today) | {"correlation": path.loc[[time]]})
        found = {"dcc_t": today}
        for law, matrix in (("stress high", self.high), ("stress low", self.low)):
            for asset in assets:
                if asset not in matrix:
                    raise DataError(f"the {law} matrix lacks {asset}; leave the asset out")
            R = matrix.loc[assets, assets]
            pairs = R.to_numpy()[np.triu_indices(len(assets), 1)][None]
            row = pd.DataFrame(pairs, [time], correlation.pairs(assets))
            found[law] = tail.Dependence(row, R, nu=today.nu)
        return found


def draws(
    of: Account,
    given: Margins,
    correlations: Correlations,
    bars: int,
    loss: str,
    paths: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Rows of `Margins.score` by law, each paths × bars × assets.

    `paths` is rounded up to a whole number of times that each row is drawn.
    """
    n, shape = len(given.score), (checks.whole("bars", bars), len(given.assets))
    often = -(-checks.whole("paths", paths) // n)
    equally = np.repeat(np.arange(n), often)
    fallen, risen = _reached(given, loss)
    order = np.argsort(fallen, axis=0, kind="stable")

    def shuffled() -> np.ndarray:
        return np.stack([rng.permutation(equally) for _ in range(bars)], axis=1)

    found = {"fhs": np.broadcast_to(shuffled()[..., None], (len(equally), *shape))}
    known = correlations.at(given.now, given.assets)
    numbers = Draws.of(rng, len(equally), *shape, known["dcc_t"].nu)
    scores = np.ascontiguousarray(np.take_along_axis(given.score, order, axis=0).T)
    stamp = pd.DataFrame(0.0, [given.now], given.assets)
    for law, dependence in known.items():
        path = dependence.on(stamp)
        if not np.isfinite(path.matrices).all():
            row = np.argwhere(~np.isfinite(path.matrices[0]))[0]
            one, two = (given.assets[place] for place in row)
            raise EstimationError(
                f"no correlation of {one} and {two} at {given.now}; leave one out"
            )
        picks = numbers.picks(path, 0, np.arange(shape[1]), scores, path.edges(n))
        ranks = _equally_often(picks, equally).transpose(2, 1, 0)
        found[law] = np.take_along_axis(order[:, None], ranks, axis=0)
    worst = np.where(of.net < 0.0, np.argsort(-risen, axis=0, kind="stable"), order)
    found["one"] = np.take_along_axis(worst[:, None], shuffled()[..., None], axis=0)
    return found


def _equally_often(picks: np.ndarray, equally: np.ndarray) -> np.ndarray:
    # The lowest draws of a bar become rank 0, the next ones rank 1: order, and with it the
    # copula, stays, and the margin becomes exact.
    ranks = np.empty_like(picks)
    np.put_along_axis(ranks, picks.argsort(axis=-1, kind="stable"), equally, axis=-1)
    return ranks


def _reached(given: Margins, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """The moves that bars are ranked by: down to the low, up to the high; returns where neither."""
    if loss == "end" or given.high is None:
        high = given.score
    else:
        high = np.where(given.high > 0.0, given.high, given.score)
    low = np.where((given.low < 0.0) & (loss != "end"), given.low, given.score)
    return low, high


def moves(
    drawn: Mapping[str, np.ndarray],
    of: Account,
    given: Margins,
    loss: str,
    recursion: tail.Recursion,
) -> dict[str, np.ndarray]:
    """Log moves since the decision by law, each paths × points × assets.

    The points are the lows of the bars, their highs where known, and last their closes; the end of
    the horizon alone for the ``end`` loss.  Under ``one`` each leg is at its own worst of a bar.
    """
    found = {}
    for law, rows in drawn.items():
        setting = given.sigma, rows, recursion
        returns, low = tail.simulate(given.score, given.low, *setting)
        close = returns.cumsum(axis=1)
        if loss == "end":
            found[law] = close[:, -1:]
            continue
        before, points = close - returns, [close]
        if given.high is not None:
            points.append(before + tail.simulate(given.score, given.high, *setting)[1])
        if law == "one":
            found[law] = np.where(of.net < 0.0, points[-1], before + low)
        else:
            found[law] = np.concatenate([before + low, *points[::-1]], axis=1)
    return found
