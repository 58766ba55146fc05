"""VaR and ES of a sample of losses, their sampling error, and how they change after a fall.

`VaR_α` is the smallest loss x with `F(x) >= α`.  `ES_α` is the mean of the worst 1-α share of the
losses, the boundary loss entering with the fraction that fills the share (Acerbi and Tasche 2002):
the coherent reading, subadditive in any sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.resampling import circular_blocks, interval

__all__ = [
    "FALLBACK",
    "FEW",
    "Trigger",
    "VarEs",
    "beyond",
    "block_bootstrap_es",
    "block_bootstrap_ratio",
    "bootstrap_ratios",
    "depth",
    "drawn",
    "historical",
    "measure",
    "reliable_confidence",
    "table",
    "trigger_conditional",
    "triggers",
    "worst",
]

FEW = 10  # an ES that rests on fewer losses than this beyond its level says so
FALLBACK = 0.975  # what takes its place: the level of Basel's market risk standard, 2019


@dataclass(frozen=True)
class VarEs:
    """VaR and ES of one sample.

    Attributes
    ----------
    var, es : positive fractions lost.
    confidence : the level, a fraction.
    beyond : `n (1 - α)`, the number of losses that carry the ES; under `FEW` it rests on too few.
    error : standard error of the ES where the sample is drawn independently (a simulation).
    """

    var: float
    es: float
    confidence: float
    beyond: float
    error: float


@dataclass(frozen=True)
class Trigger:
    """ES after a fall against the ES of all bars, in units of σ, pooled over assets.

    Attributes
    ----------
    multiplier : conditional over unconditional ES.
    es_after, es_all : the two, in units of σ.
    confidence : the level at which both were taken (97.5 % where the bars are few).
    bars, dates, beyond : triggered asset-bars, distinct times among them, asset-bars beyond the
        level.  Assets fall together, so the times are nearer to the number of independent points.
    """

    multiplier: float
    es_after: float
    es_all: float
    confidence: float
    bars: int
    dates: int
    beyond: float


def historical(losses: np.ndarray | pd.Series, confidence: float = 0.99) -> VarEs:
    """VaR and ES of a sample of losses, each with the same weight.

    Parameters
    ----------
    losses : one-dimensional, positive fractions, no NaN.
    confidence : level α, a fraction.

    Raises
    ------
    EstimationError : no losses, or NaN or infinite ones.
    """
    confidence = checks.fraction("confidence", confidence)
    sample = _clean(losses)
    n = len(sample)
    var, es = measure(worst(sample, depth(n, confidence)), n, confidence)
    error = np.std(np.maximum(sample - var, 0.0)) / ((1.0 - confidence) * np.sqrt(n))
    return VarEs(float(var), float(es), confidence, beyond(n, confidence), float(error))


def reliable_confidence(observations: int, confidence: float) -> float:
    """`confidence`, or 97.5 % where fewer than `FEW` of the observations lie beyond it."""
    confidence = checks.fraction("confidence", confidence)
    if beyond(observations, confidence) >= FEW:
        return confidence
    return min(confidence, FALLBACK)


def block_bootstrap_es(
    losses: np.ndarray | pd.Series,
    confidence: float,
    rng: np.random.Generator,
    replications: int = 1000,
    block: int = 20,
    coverage: float = 0.90,
) -> tuple[float, float]:
    """Percentile interval of the ES by the circular block bootstrap (Politis and Romano 1992).

    Blocks of `block` successive losses keep volatility clusters together.  Returns (low, high),
    which hold `coverage` of `replications` resampled ES.
    """
    sample = _clean(losses)
    drawn = _drawn(len(sample), rng, replications, block)
    return _ends(_es(sample[drawn], confidence), coverage)


def block_bootstrap_ratio(
    losses: np.ndarray | pd.Series,
    truth: np.ndarray | pd.Series,
    confidence: float,
    rng: np.random.Generator,
    replications: int = 1000,
    block: int = 20,
    coverage: float = 0.90,
) -> tuple[float, float]:
    """Interval of `ES(losses) / ES(truth)`, the same blocks drawn from both.

    Two estimates of the same bars are compared as pairs: their ratio is known much better than
    either ES.
    """
    return _ends(bootstrap_ratios(losses, truth, confidence, rng, replications, block), coverage)


def bootstrap_ratios(
    losses: np.ndarray | pd.Series,
    truth: np.ndarray | pd.Series,
    confidence: float,
    rng: np.random.Generator,
    replications: int = 1000,
    block: int = 20,
) -> np.ndarray:
    """The resampled ratios that `block_bootstrap_ratio` takes its interval from."""
    pair = _clean(losses), _clean(truth)
    if len(pair[0]) != len(pair[1]):
        raise EstimationError(f"{len(pair[0])} losses stand against {len(pair[1])}; pair them")
    drawn = _drawn(len(pair[0]), rng, replications, block)
    return np.divide(*(_es(sample[drawn], confidence) for sample in pair))


def table(
    losses: pd.DataFrame,
    confidence: float | Sequence[float],
    rng: np.random.Generator,
    replications: int = 1000,
    block: int = 20,
    coverage: float = 0.90,
) -> pd.DataFrame:
    """VaR and ES of each asset's losses, with the bootstrap interval of the ES.

    Parameters
    ----------
    losses : time × asset; bars without a loss (before listing, at the end) are left out.
    confidence : one level or several; 97.5 % takes a level's place where fewer than `FEW` losses
        lie beyond it.

    Returns
    -------
    Table: asset, confidence (asked), confidence_used, observations, beyond, var, es, es_low,
    es_high.
    """
    rows = []
    for asset, column in losses.items():
        sample = column.dropna()
        for level in np.atleast_1d(confidence).tolist():
            used = reliable_confidence(len(sample), level)
            found = historical(sample, used)
            low, high = block_bootstrap_es(sample, used, rng, replications, block, coverage)
            rows.append(
                {
                    "asset": asset,
                    "confidence": level,
                    "confidence_used": used,
                    "observations": len(sample),
                    "beyond": found.beyond,
                    "var": found.var,
                    "es": found.es,
                    "es_low": low,
                    "es_high": high,
                }
            )
    return pd.DataFrame(rows)


def trigger_conditional(
    losses: pd.DataFrame,
    log_returns: pd.DataFrame,
    volatility: pd.DataFrame,
    confidence: float = 0.99,
    threshold: float = 2.0,
    scale: pd.Series | pd.DataFrame | None = None,
) -> Trigger:
    """How much larger the ES is on the bars after a fall of more than `threshold` forecast σ.

    Parameters
    ----------
    losses : time × asset, stamped at the decision (`losses.realised_losses`).
    log_returns, volatility : time × asset; bar t triggers where `r_t < -threshold σ_{t-1}`.
    confidence : level of the ES; 97.5 % takes its place where the triggered bars are too few.
    scale : the σ that losses are divided by before assets are pooled, one an asset or one a bar
        and asset; by default the standard deviation of each asset's returns.

    Raises
    ------
    EstimationError : no bar was triggered.
    """
    scale = log_returns.std() if scale is None else scale
    scaled = losses.div(scale, axis="columns") if isinstance(scale, pd.Series) else losses / scale
    previous = volatility.shift(1)
    pooled = scaled.where(log_returns.notna() & previous.notna()).to_numpy()
    fell = (log_returns < -checks.positive("threshold", threshold) * previous).to_numpy()
    known = np.isfinite(pooled)
    after = fell & known
    if not after.any():
        raise EstimationError(
            f"no bar fell by more than {threshold:g} σ; lower the threshold or lengthen the history"
        )
    bars = int(after.sum())
    level = reliable_confidence(bars, confidence)
    conditional, every = historical(pooled[after], level), historical(pooled[known], level)
    return Trigger(
        multiplier=conditional.es / every.es,
        es_after=conditional.es,
        es_all=every.es,
        confidence=level,
        bars=bars,
        dates=int(after.any(axis=1).sum()),
        beyond=conditional.beyond,
    )


def triggers(
    losses: pd.DataFrame,
    log_returns: pd.DataFrame,
    volatility: pd.DataFrame,
    confidence: float = 0.99,
    threshold: float = 2.0,
) -> pd.DataFrame:
    """`trigger_conditional` in units of the long-run σ and of the forecast σ, one row each.

    The first says how much more is lost after a fall than the long run promises, the second how
    much more than a forecast does that has seen the fall.  Columns scale, then those of `Trigger`.
    """
    given = (losses, log_returns, volatility, confidence, threshold)
    scales = {"long run": None, "forecast": volatility}
    return pd.DataFrame(
        [{"scale": name, **vars(trigger_conditional(*given, s))} for name, s in scales.items()]
    )


def beyond(n: int, confidence: float) -> float:
    """How many of n losses lie beyond the level, `n (1 - α)`."""
    # The product carries rounding: 1000 · 0.01 is ten losses, not 10.000000000000009.
    return round(n * (1.0 - confidence), 9)


def depth(n: int, confidence: float) -> int:
    """How many of the worst of n losses VaR and ES need."""
    return min(int(beyond(n, confidence)) + 1, n)


def worst(samples: np.ndarray, count: int) -> np.ndarray:
    """The `count` largest values along the last axis, largest first; a row with NaN is all NaN."""
    cut = samples.shape[-1] - count
    largest = np.sort(np.partition(samples, cut, axis=-1)[..., cut:], axis=-1)[..., ::-1]
    # NaN sorts as the largest, so it is seen at the front.
    return np.where(np.isnan(largest[..., :1]), np.nan, largest)


def measure(largest: np.ndarray, n: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """VaR and ES from the worst of n losses (`worst`), along the last axis."""
    k = beyond(n, confidence)
    whole = min(int(k), n - 1)
    var = largest[..., whole]
    return var, (largest[..., :whole].sum(axis=-1) + (k - whole) * var) / k


def drawn(
    losses: np.ndarray, levels: Sequence[float]
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """VaR, ES and the ES's Monte Carlo standard error by level, of losses drawn independently.

    Along the last axis; the error is that of `historical`, from the losses beyond the VaR alone.
    """
    n = losses.shape[-1]
    largest = worst(losses, depth(n, min(levels)))
    found = []
    for level in levels:
        var, es = measure(largest, n, level)
        over = np.maximum(largest - var[..., None], 0.0)
        variance = (over**2).sum(axis=-1) / n - (over.sum(axis=-1) / n) ** 2
        found.append((var, es, np.sqrt(variance / n) / (1.0 - level)))
    return found


def _es(samples: np.ndarray, confidence: float) -> np.ndarray:
    n = samples.shape[-1]
    confidence = checks.fraction("confidence", confidence)
    return measure(worst(samples, depth(n, confidence)), n, confidence)[1]


def _drawn(n: int, rng: np.random.Generator, replications: int, block: int) -> np.ndarray:
    if checks.whole("block", block) > n:
        raise ParameterError(f"block is {block}, the sample has {n} losses; give a shorter block")
    return circular_blocks(n, rng, replications, block)


def _ends(values: np.ndarray, coverage: float) -> tuple[float, float]:
    low, high = interval(values, coverage)
    return float(low), float(high)


def _clean(losses: np.ndarray | pd.Series) -> np.ndarray:
    sample = np.asarray(losses, float)
    if sample.ndim != 1 or sample.size == 0 or not np.isfinite(sample).all():
        name = getattr(losses, "name", None) or "the sample"
        raise EstimationError(
            f"losses of {name} must be one row of finite numbers, at least one; "
            "drop the bars that are missing"
        )
    return sample
