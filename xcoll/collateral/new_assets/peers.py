"""What assets with a long history teach about one without: factors, residuals, differences.

    r_j = β_j'f + ε_j            every peer on the factors, over all its bars
    level   ln √mean r²          how volatile a peer is
    shape   ln(figure) − level   how heavy its tail is, in units of that

How far peers lie apart in both is the prior of a new asset; how far a few bars of a peer lie from
all its bars, against the other peers in the same bars, says how fast one learns (`sampling`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll.collateral.haircuts.market import Tail, figures, long_run, losses
from xcoll.collateral.history import History
from xcoll.errors import DataError, EstimationError
from xcoll.market.returns import bars_in

__all__ = ["FACTORS", "FEW", "LONG", "Peers", "log_rms", "peers"]

FACTORS = ("BTC", "ETH")  # what moves the others, and has the longest history of all
LONG = "365D"  # a history that can lend: one with all seasons of a year
FEW = 3  # a spread between fewer assets than this says nothing

# Stretches of a peer's history that play a new asset; each must fit in twice.
STRETCHES = ("30D", "90D", "180D")


@dataclass(frozen=True)
class Peers:
    """What is learned of assets with a long history.

    Attributes
    ----------
    history : History
        Of the peers alone.
    factors : DataFrame, time × factor
        Log returns.
    betas : DataFrame, peer × factor
        Least squares without a constant.
    residuals : DataFrame, time × peer
        ``r − β'f``.
    level, shape : Series, by peer
        ``ln √mean r²`` and ``ln(figure) − level`` over all bars of the peer.
    stretches : dict, bars → (level, shape)
        The same of stretches of so many bars, each stretch × peer; NaN where one is not whole.
    of : Tail
        Which figure.
    bars : int
        Horizon of its loss.
    """

    history: History
    factors: pd.DataFrame
    betas: pd.DataFrame
    residuals: pd.DataFrame
    level: pd.Series
    shape: pd.Series
    stretches: dict[int, tuple[pd.DataFrame, pd.DataFrame]]
    of: Tail
    bars: int

    def circle(self, like: Sequence[str]) -> list[str]:
        """Whose differences count: `like`, or all peers where those are fewer than `FEW`."""
        return list(like) if len(like) >= FEW else self.level.index.tolist()

    def spread(self, like: Sequence[str]) -> tuple[float, float]:
        """Variance of level and of shape between the assets of the circle."""
        circle = self.circle(like)
        return float(self.level[circle].var()), float(self.shape[circle].var())

    def sampling(self, like: Sequence[str]) -> tuple[float, float]:
        """Variance per bar, c in ``c/n``, of what n bars say of level and of shape.

        A stretch of n of N bars misses the whole by ``c(1/n − 1/N)``.  Each peer is read against
        the mean of the others in the same bars, which takes out what all have in common: a calm
        month tells nothing of the asset.
        """
        circle = self.circle(like)
        found = []
        for place, whole in enumerate((self.level, self.shape)):
            usual = _from_the_others(whole[circle].to_numpy())
            rates = []
            for n, pair in self.stretches.items():
                missed = _from_the_others(pair[place][circle].to_numpy()) - usual
                missed = missed[np.isfinite(missed)]
                if missed.size:
                    rates.append(np.mean(missed**2) / (1.0 / n - 1.0 / len(self.residuals)))
            if not rates:
                raise EstimationError(
                    f"{', '.join(circle)} share no whole {STRETCHES[0]}; give longer histories"
                )
            found.append(float(np.mean(rates)))
        return found[0], found[1]


def peers(
    history: History,
    assets: Sequence[str],
    of: Tail,
    factors: Sequence[str] = FACTORS,
    bars: int | None = None,
) -> Peers:
    """What the `assets` of `history` teach; all of its bars are looked at.

    Parameters
    ----------
    history : History
        Of the assets and the factors; NaN before a listing.
    assets : sequence of str
        At least `FEW`, each with `LONG` of returns.  Pegged assets have no place here.
    of : Tail
        Which figure of the close-out loss.
    factors : sequence of str
        Assets whose returns explain the others; known wherever a peer is.
    bars : int, optional
        Horizon of the loss; a day's where it is not given.

    Raises
    ------
    DataError
        Too few assets; one that is missing or too short; a factor that has holes.
    """
    bars = history.day if bars is None else bars
    if len(assets) < FEW:
        raise DataError(f"peers are {list(assets)}; {FEW} at least show how far assets differ")
    known = history.of([*dict.fromkeys([*assets, *factors])])
    f = known.log_returns[list(factors)]
    own = known.of(assets)
    least = bars_in(LONG, history.bar)
    short = own.log_returns.columns[own.log_returns.notna().sum() < least].tolist()
    if short:
        raise DataError(f"{', '.join(short)} has less than {LONG} of returns and cannot lend")
    holes = own.log_returns.notna().any(axis=1) & f.isna().any(axis=1)
    if holes.any():
        raise DataError(
            f"a factor of {list(factors)} has no return at {holes.idxmax()}; "
            "take factors that are as old as the peers"
        )
    betas = {}
    for asset, r in own.log_returns.items():
        rows = r.notna()
        betas[asset] = np.linalg.lstsq(f[rows].to_numpy(), r[rows].to_numpy(), rcond=None)[0]
    table = pd.DataFrame.from_dict(betas, orient="index", columns=f.columns)
    level = log_rms(own.log_returns)
    shape = np.log(long_run(own, of, bars)) - level
    residuals = own.log_returns - f.to_numpy() @ table.T.to_numpy()
    return Peers(own, f, table, residuals, level, shape, _stretches(own, of, bars), of, bars)


def log_rms(returns: pd.DataFrame) -> pd.Series:
    """``ln √mean r²`` of each column, NaN left out; NaN for a column that has not moved."""
    square = (returns**2).mean()
    return 0.5 * np.log(square.where(square > 0.0))


def _from_the_others(values: np.ndarray) -> np.ndarray:
    # each less the mean of the others of its row: M/(M − 1) times itself less the mean of all
    known = np.isfinite(values)
    count = known.sum(axis=-1, keepdims=True)
    mean = np.where(known, values, 0.0).sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    return np.where(known & (count > 1), (values - mean) * count / np.maximum(count - 1, 1), np.nan)


def _stretches(own: History, of: Tail, bars: int) -> dict[int, tuple[pd.DataFrame, pd.DataFrame]]:
    found = {}
    total, names = len(own.log_returns), own.log_returns.columns
    lost = [frame.to_numpy() for frame in losses(own, of, bars)]
    for stretch in STRETCHES:
        n = bars_in(stretch, own.bar)
        count = total // n
        if count < 2:
            continue
        first = total - count * n
        returns = own.log_returns.to_numpy()[first:].reshape(count, n, len(names))
        whole = np.isfinite(returns).all(axis=1)
        square = np.where(whole, (returns**2).mean(axis=1), np.nan)
        level = 0.5 * np.log(np.where(square > 0.0, square, np.nan))
        # all columns of all stretches at once: bars × (stretch, peer)
        cut = [x[first:].reshape(count, n, -1).swapaxes(0, 1).reshape(n, -1) for x in lost]
        figure = np.mean([figures(x, of) for x in cut], axis=0).reshape(count, -1)
        shape = np.log(np.where(figure > 0.0, figure, np.nan)) - level
        found[n] = (pd.DataFrame(level, columns=names), pd.DataFrame(shape, columns=names))
    return found
