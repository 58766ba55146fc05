"""The haircut of an account: less than that of its parts, as far as diversification is sure.

    recognised   min(0.8 · benefit, benefit in stress)       benefit: fhs; stress: the worse one
    θ            recognised / benefit
    charge_i     level_i · (ES_i - θ (ES_i - allocation_i))  level_i = market part_i / ES of the
                 price's fall, which carries the calibrated horizon and floor to the scenarios
    H            Σ c_i (1 - (1 - charge_i / c_i) Π (1 - other parts_i))    over what is held, c_i
                 + Σ (charge_j + d_j oracle_j)                             over what is owed, d_j

Without a recognised benefit or a volatile debt it is the weighted sum of the single haircuts; a
debt that moves adds what its rise can cost.  What a leg adds over its weight is its marginal
haircut.
"""

import pandas as pd

from xcoll import checks
from xcoll.collateral.baskets.basket import Basket
from xcoll.collateral.haircuts.waterfall import check_parts
from xcoll.errors import EstimationError, ParameterError

__all__ = ["OFFSET", "STRESS", "haircuts", "recognised"]

# EMIR RTS 153/2013, article 27(4): a margin reduction is no greater than 80 % of the difference
# between the sum of single margins and the margin of the combined portfolio.
OFFSET = 0.8
STRESS = ("stress high", "stress low")


def recognised(basket: Basket, offset: float = OFFSET) -> float:
    """Benefit of diversification that counts: ``min(offset · benefit, benefit in stress)``.

    Parameters
    ----------
    basket : Basket
        Its ``fhs`` benefit, and the smaller one of the two stressed correlations.
    offset : float
        Share of the benefit that may count, in [0, 1].
    """
    benefit = basket.risk["benefit"]
    offset = checks.fraction("offset", offset, closed=True)
    return float(min(offset * benefit["fhs"], benefit[list(STRESS)].min()))


def haircuts(basket: Basket, parts: pd.DataFrame, offset: float = OFFSET) -> pd.DataFrame:
    """Marginal haircuts of an account's legs; the last column sums to the account's haircut.

    Parameters
    ----------
    basket : Basket
        Of the loss and confidence that the parts rest on.
    parts : DataFrame
        By symbol, columns as `haircuts.PARTS`, at the horizon that covers every leg's close-out;
        of what is owed the market and oracle parts are used.
    offset : float
        As in `recognised`.

    Returns
    -------
    DataFrame
        By leg: weight, alone (haircut of the leg by itself; of a debt, what its rise can cost a
        dollar owed), market (its marginal market part), haircut (marginal; negative for a leg that
        pays where the account loses), contribution (|weight| · haircut).

    Raises
    ------
    ParameterError
        A leg without parts.
    EstimationError
        A leg whose price does not fall in any scenario.
    """
    legs = basket.account
    symbols, size = legs.weights.index, legs.weights.abs()
    missing = symbols.difference(parts.index)
    if len(missing):
        raise ParameterError(f"no parts of {', '.join(missing)}; give the parts of every leg")
    if not (basket.falls > 0.0).all():
        still = basket.falls.index[~(basket.falls > 0.0)][0]
        raise EstimationError(f"{still} falls in no scenario; leave it out of the account")
    known = check_parts(parts.loc[symbols])
    level = known["market"] / basket.falls
    alone, allocated = basket.alone["fhs"], basket.allocation["fhs"]
    benefit = basket.risk.loc["fhs", "benefit"]
    theta = recognised(basket, offset) / benefit if benefit > 0.0 else 0.0
    market = level * (alone - theta * (alone - allocated)) / size
    kept = (1.0 - known[["liquidity", "oracle", "basis", "contract"]]).prod(axis=1)

    def whole(part: pd.Series) -> pd.Series:
        return (1.0 - (1.0 - part) * kept).where(legs.held, part + known["oracle"])

    marginal = whole(market)
    return pd.DataFrame(
        {
            "weight": legs.weights,
            "alone": whole(level * alone / size),
            "market": market,
            "haircut": marginal,
            "contribution": size * marginal,
        }
    )
