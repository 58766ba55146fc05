"""How near each modelled excursion comes to the truth, on the one asset whose lows are known."""

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.tail.excursion import MATCHED_REACH, Donor, excursions
from xcoll.estimators.tail.shortfall import block_bootstrap_ratio, historical, reliable_confidence

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
    donor: Donor, method: str, rng: np.random.Generator, neighbours: int = 20
) -> pd.DataFrame:
    """The donor's own losses by a method that knows the other half of its lows only.

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
        learnt = Donor(
            donor.name,
            *(
                part.loc[fitted].set_axis(before)
                for part in (donor.log_returns, donor.volatility, donor.low)
            ),
        )
        returns, volatility = (
            part.loc[judged].to_frame(donor.name) for part in (donor.log_returns, donor.volatility)
        )
        found = excursions(returns, volatility, None, learnt, method, rng, (), neighbours).low
        pair = {"estimate": found[donor.name], "truth": donor.low.loc[judged]}
        tables.append(-np.expm1(pd.DataFrame(pair).iloc[1:].dropna()))
        tables[-1].insert(0, "half", half)
    return pd.concat(tables)


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
    replications, block : of the paired bootstrap.

    Returns
    -------
    Table: half, choice, confidence (used), bars, es, truth, ratio, low, high (90 % interval of the
    ratio); means over the draws.  It has no rows where fewer than `LEAST` lows are known: there is
    no truth to compare with.
    """
    rows = []
    names = ["half", "choice", "confidence", "bars", "es", "truth", "ratio", "low", "high"]
    if donor.low.count() < LEAST:
        kinds = {"half": "str", "choice": "str", "bars": int}
        return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, float)) for name in names})
    for label, (method, reach) in CHOICES.items():
        for _ in range(checks.whole("draws", draws)):
            for half, pair in cross_validated(donor, method, rng).groupby("half"):
                level = reliable_confidence(len(pair), confidence)
                # Dividing the log excursion by the reach, as `excursion.corrected` does.
                estimate = 1.0 - (1.0 - pair["estimate"]) ** (1.0 / reach)
                es, truth = (historical(x, level).es for x in (estimate, pair["truth"]))
                low, high = block_bootstrap_ratio(
                    estimate, pair["truth"], level, rng, replications, block
                )
                rows.append((half, label, level, len(pair), es, truth, es / truth, low, high))
    table = pd.DataFrame(rows, columns=names).groupby(["half", "choice"], as_index=False).mean()
    names_of_halves = {1: "first half judged", 2: "second half judged"}
    return table.assign(half=table["half"].map(names_of_halves), bars=table["bars"].astype(int))
