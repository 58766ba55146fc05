"""How near each modelled excursion comes to the truth, on the one asset whose lows are known.

Bitcoin's two halves (2020, 2021) are unlike: its mean excess is 0.29 σ in the first and 0.44 σ in
the second, the largest 1.6 σ and 3.5 σ.  What is learnt from either therefore misses the other, one
high, one low, and no reach can mend both.  Some forty ways to learn were tried (5 to 298
neighbours, the excess in units of several σ and mean absolute returns, of the bar's own move, as
the pivot of a bridge, as a regression with resampled residuals): the ratios of the two halves stay
a factor of 1.2 to 1.8 apart, 1.2 at which they would just fit into 0.90 to 1.10, and those nearest
to it are not the ones that the fitted halves prefer.
"""

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.resampling import circular_blocks, interval
from xcoll.estimators.tail.excursion import MATCHED_REACH, Donor, excursions
from xcoll.estimators.tail.shortfall import bootstrap_ratios, historical, reliable_confidence

__all__ = ["CHOICES", "LEAST", "against_truth", "cross_validated"]

LEAST = 100  # known lows, so that each half has some losses beyond 97.5 %

# Label → method, and the share of the true ES that its loss is divided by.
CHOICES = {
    "close": ("close", 1.0),
    "bridge": ("bridge", 1.0),
    "matched": ("matched", 1.0),
    "matched, corrected": ("matched", MATCHED_REACH),
}


def cross_validated(
    donor: Donor,
    method: str,
    rng: np.random.Generator,
    neighbours: int = 20,
    block: int | None = None,
) -> pd.DataFrame:
    """The donor's own losses by a method that knows the other half of its lows only.

    Parameters
    ----------
    block : where given, the half that teaches is resampled in blocks of so many bars: how the
        estimate varies because that half is short.

    Returns
    -------
    One row a bar whose low is known: half (1 or 2, by time), estimate and truth, both the loss
    `1 - L_t / P_{t-1}` as a positive fraction.

    Raises
    ------
    EstimationError : fewer than `LEAST` known lows.
    """
    if donor.low.count() < LEAST:
        raise EstimationError(
            f"{donor.name} has {donor.low.count()} known lows, {LEAST} are needed to judge a choice"
        )
    bars = donor.low.loc[donor.low.first_valid_index() : donor.low.last_valid_index()].index
    middle = len(bars) // 2
    halves = bars[:middle], bars[middle:]
    tables = []
    for half, (judged, fitted) in enumerate((halves, halves[::-1]), start=1):
        # The fitted half is moved before the judged one: a matched draw takes earlier bars only.
        before = fitted - (bars[-1] - bars[0]) - (bars[1] - bars[0])
        learnt = _lesson(donor, fitted, before, rng, block)
        returns, volatility = (
            part.loc[judged].to_frame(donor.name) for part in (donor.log_returns, donor.volatility)
        )
        found = excursions(returns, volatility, None, learnt, method, rng, (), neighbours).low
        pair = {"estimate": found[donor.name], "truth": donor.low.loc[judged]}
        tables.append(-np.expm1(pd.DataFrame(pair).iloc[1:].dropna()))
        tables[-1].insert(0, "half", half)
    return pd.concat(tables)


def _lesson(
    donor: Donor,
    fitted: pd.Index,
    dates: pd.Index,
    rng: np.random.Generator,
    block: int | None,
) -> Donor:
    """The donor's bars `fitted` under other dates, resampled in blocks where asked for."""
    parts = [part.loc[fitted] for part in (donor.log_returns, donor.volatility, donor.low)]
    if block is not None:
        rows = circular_blocks(len(fitted), rng, 1, block)[0]
        log_returns, volatility, low = (part.to_numpy() for part in parts)
        # A bar keeps the σ before it, wherever it is put.
        previous = np.append(np.nan, volatility[:-1])[rows]
        parts = [
            pd.Series(values)
            for values in (log_returns[rows], np.append(previous[1:], np.nan), low[rows])
        ]
    return Donor(donor.name, *(part.set_axis(dates) for part in parts))


def against_truth(
    donor: Donor,
    confidence: float,
    rng: np.random.Generator,
    draws: int = 10,
    replications: int = 500,
    block: int = 20,
) -> pd.DataFrame:
    """ES by each of `CHOICES` over the true ES, on each half, learnt from the other half.

    Parameters
    ----------
    confidence : level; 97.5 % takes its place where fewer than ten losses lie beyond it.
    draws : repetitions over which a drawn excursion is averaged.
    replications, block : of the bootstrap behind the interval; both halves are resampled in
        blocks, the one that is judged and the one that teaches.

    Returns
    -------
    Table: half, choice, confidence (used), bars, es, truth, ratio, low, high (90 % interval of the
    ratio); es and ratio are means over the draws.  It has no rows where fewer than `LEAST` lows are
    known: there is no truth to compare with.
    """
    names = ["half", "choice", "confidence", "bars", "es", "truth", "ratio", "low", "high"]
    if donor.low.count() < LEAST:
        kinds = {"half": "str", "choice": "str", "bars": int}
        return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, float)) for name in names})
    share = -(-checks.whole("replications", replications) // checks.whole("draws", draws))
    rows = []
    for method in dict.fromkeys(method for method, _ in CHOICES.values()):
        made = [
            (cross_validated(donor, method, rng), cross_validated(donor, method, rng, block=block))
            for _ in range(draws)
        ]
        for half, words in ((1, "first half judged"), (2, "second half judged")):
            pairs = [[table[table["half"] == half] for table in both] for both in made]
            truth = pairs[0][0]["truth"]
            level = reliable_confidence(len(truth), confidence)
            true = historical(truth, level).es
            for label, (used, reach) in CHOICES.items():
                if used != method:
                    continue
                # Dividing the log excursion by the reach, as `excursion.corrected` does.
                lost = [
                    [1.0 - (1.0 - pair["estimate"]) ** (1.0 / reach) for pair in both]
                    for both in pairs
                ]
                es = float(np.mean([historical(plain, level).es for plain, _ in lost]))
                spread = [
                    bootstrap_ratios(other, pair["truth"], level, rng, share, block)
                    for (_, other), (_, pair) in zip(lost, pairs, strict=True)
                ]
                low, high = interval(np.concatenate(spread), 0.90)
                rows.append((words, label, level, len(truth), es, true, es / true, low, high))
    table = pd.DataFrame(rows, columns=names)
    return table.sort_values(["half", "choice"], ignore_index=True)
