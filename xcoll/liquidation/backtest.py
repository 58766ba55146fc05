"""The backtest as a notebook asks for it: a default study, its world, engines on the same book.

The default study pledges the universe's collateral set in the mix of `accounts.mix_of`, owes its
stablecoins, and lets some accounts owe one of its volatile debts; assets that have prices and are
not in the set (LUNA) get no weight.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral import accounts, liquidity
from xcoll.collateral.thresholds import RiskParameters
from xcoll.collateral.universe import Universe
from xcoll.errors import ParameterError
from xcoll.estimators.tail import excursion
from xcoll.liquidation.cohorts import (
    Cohorts,
    Study,
    calendar,
    compare,
    fresh,
    listed,
    mapped,
    run,
)
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.frontier import points
from xcoll.liquidation.replay import Conduct, low_prices
from xcoll.liquidation.rulebooks import RULEBOOKS, Rulebook
from xcoll.liquidation.world import Borrowers, Keepers, Oracle, World
from xcoll.market.returns import log_returns

__all__ = [
    "PIECES",
    "Setting",
    "assumptions",
    "by_low",
    "default",
    "engines",
    "lows",
    "portrait",
    "serve",
    "services",
    "stressed_depth",
    "surroundings",
    "unmapped",
    "without",
]


def services(world: World, recovery: str) -> dict[str, Conduct]:
    """Four ways of serving a breach.

    ``world`` with all that surrounds an engine; ``prompt`` at once on the path inside the bar; the
    bounds ``breach`` and ``low``.
    """
    return {
        "world": Conduct(world=world, within=recovery),
        "prompt": Conduct(within=recovery),
        "breach": Conduct(fill="breach", within=recovery),
        "low": Conduct(fill="low", within=recovery),
    }


def default(
    universe: Universe,
    close: pd.DataFrame,
    low: pd.DataFrame,
    parameters: pd.DataFrame,
    every: str | pd.Timedelta,
    window: str | pd.Timedelta,
    health_median: float,
    health_spread: float,
    volatile_debt: float,
    size: int,
    rng: np.random.Generator,
    venue_usd: float | None = None,
) -> Study:
    """The study of the head of the module, frictionless on the path inside the bar.

    Parameters
    ----------
    close, low : time × asset prices and lowest prices.
    parameters : index asset with the columns of `RiskParameters`, for the collateral set at least.
    every, window : a cohort opens, and lives.
    health_median, health_spread, volatile_debt : as in `accounts.Shape`; assumed.
    size : accounts in a cohort.
    venue_usd : dollars of collateral of a cohort; None for the sizes of the shape.
    """
    stable = universe.stablecoins
    shape = accounts.Shape(
        list(close),
        accounts.mix_of(universe.collateral),
        stable,
        [asset for asset in universe.debts if asset not in stable],
        health_median=health_median,
        health_spread=health_spread,
        volatile_debt=volatile_debt,
    )
    return Study(
        close,
        low,
        calendar(close.index, every, window),
        accounts.draw(shape, size, rng),
        shape,
        RiskParameters(parameters.loc[universe.collateral]),
        listed(close),
        window=window,
        venue_usd=venue_usd,
    )


def stressed_depth(universe: Universe, sigma_day: pd.Series, depth: float = 1.0) -> Depth:
    """Order books of a bad day, that fill up again as the universe's stress facts say.

    Volumes are those of the facts' own date: earlier years had other volumes, so what this says of
    them is what today's market would have made of their prices.

    Parameters
    ----------
    sigma_day : volatility of a bad day by asset; see `liquidity.markets`.
    depth : multiplies the depth of every market.
    """
    day = max(asset.liquidity.date for asset in universe.assets.values() if asset.liquidity)
    markets = liquidity.markets(universe, sigma_day, day, depth)
    stress = universe.stress
    return Depth.of(
        markets,
        replenish=stress.replenishment,
        every=pd.Timedelta(stress.replenishment_time),
    )


def _world(**changes: object) -> Callable[[Study], Study]:
    def changed(study: Study) -> Study:
        conduct = study.conduct
        return replace(study, conduct=replace(conduct, world=replace(conduct.world, **changes)))

    return changed


def _oracle(**changes: object) -> Callable[[Study], Study]:
    def changed(study: Study) -> Study:
        return _world(oracle=replace(study.conduct.world.oracle, **changes))(study)

    return changed


def _keepers(**changes: object) -> Callable[[Study], Study]:
    def changed(study: Study) -> Study:
        return _world(keepers=replace(study.conduct.world.keepers, **changes))(study)

    return changed


def _straight(study: Study) -> Study:
    reached = np.minimum(study.close, study.close.shift(1).fillna(study.close))
    return replace(study, low=reached.where(study.low.notna()))


# A part of the world → the study without it.
PIECES: dict[str, Callable[[Study], Study]] = {
    "oracle: lag": _oracle(lag=None),
    "oracle: deviation, heartbeat": _oracle(deviation=0.0, heartbeat=None),
    "keepers: margin and gas": _keepers(margin=0.0, gas=0.0),
    "keepers: capital of a day": _keepers(capital=float("inf")),
    "depth": _world(depth=None),
    "borrowers' answers": _world(borrowers=None),
    "interest": _world(interest={}),
    "low inside the bar": _straight,
}


def without(study: Study, pieces: Sequence[str] = tuple(PIECES)) -> dict[str, Study]:
    """`study` as "all of it", then without each of `pieces`, then "nothing around"."""
    bare = study
    for piece in pieces:
        checks.one_of("piece", piece, PIECES)
        bare = PIECES[piece](bare)
    each = {piece: PIECES[piece](study) for piece in pieces}
    return {"all of it": study, **each, "nothing around": bare}


def engines(study: Study, rulebooks: Mapping[str, Rulebook] | None = None) -> dict[str, Cohorts]:
    """The same accounts under the rules of each engine, with the same thresholds.

    `rulebooks`, name → rules, are all engines with their defaults where not given.
    """
    books = {name: book() for name, book in RULEBOOKS.items()} if rulebooks is None else rulebooks
    if not books:
        raise ParameterError("no rulebooks; name at least one engine")
    return {
        name: run(replace(study, conduct=replace(study.conduct, engine=book)))
        for name, book in books.items()
    }


def unmapped(study: Study, rulebooks: Mapping[str, Rulebook] | None = None) -> pd.DataFrame:
    """What the engines cannot hold of the book that opens with all of its assets.

    Returns
    -------
    DataFrame
        ``engine``, ``held`` (accounts of its own; one may be split into several), ``reason``,
        ``collateral`` and ``debt`` (left out, shares of the whole); one row for an engine that
        holds everything, with an empty reason.
    """
    books = {name: book() for name, book in RULEBOOKS.items()} if rulebooks is None else rulebooks
    rows = []
    for name, book in books.items():
        held = mapped(replace(study, conduct=replace(study.conduct, engine=book)))
        out = held.summary[["collateral", "debt"]]
        whole = out.sum() + [held.book.collateral.sum(), held.book.debt.sum()]
        for reason, shares in (out / whole).iterrows():
            rows.append((name, len(held.book), reason, *shares))
        if out.empty:
            rows.append((name, len(held.book), "", 0.0, 0.0))
    return pd.DataFrame(rows, columns=["engine", "held", "reason", "collateral", "debt"])


def surroundings(
    depth: Depth | None,
    oracle_delay: str,
    deviation: float,
    heartbeat: str,
    keeper_margin: float,
    gas: float,
    capital: float,
    attentive: float,
    answer: str,
    interest: Mapping[str, float],
) -> World:
    """The world as a notebook's parameters state it; see `world` for what each means."""
    return World(
        Oracle(oracle_delay, deviation, heartbeat),
        Keepers(margin=keeper_margin, gas=gas, capital=capital),
        depth,
        Borrowers(attentive=attentive, delay=answer) if attentive > 0.0 else None,
        dict(interest),
    )


@dataclass(frozen=True)
class Setting:
    """What a backtest assumes, as one notebook states it and the others read it.

    Attributes
    ----------
    every, window, recovery : a cohort opens, lives; a closed account would have recovered by then.
    health_median, health_spread, volatile_debt : as in `accounts.Shape`; assumed.
    venue_usd : dollars of collateral of a cohort.
    oracle_lag, deviation, heartbeat : see `world.Oracle`.
    keeper_margin, gas, capital : see `world.Keepers`.
    attentive, answer : share of borrowers who answer a margin call, and how fast.
    interest : a year, on every stablecoin that is owed.
    """

    every: str
    window: str
    recovery: str
    health_median: float
    health_spread: float
    volatile_debt: float
    venue_usd: float
    oracle_lag: str
    deviation: float
    heartbeat: str
    keeper_margin: float
    gas: float
    capital: float
    attentive: float
    answer: str
    interest: float

    def world(self, depth: Depth | None, stable: Sequence[str]) -> World:
        """What surrounds an engine."""
        return surroundings(
            depth,
            self.oracle_lag,
            self.deviation,
            self.heartbeat,
            self.keeper_margin,
            self.gas,
            self.capital,
            self.attentive,
            self.answer,
            dict.fromkeys(stable, self.interest),
        )

    def study(
        self,
        universe: Universe,
        close: pd.DataFrame,
        low: pd.DataFrame,
        parameters: pd.DataFrame,
        sigma_day: pd.Series,
        size: int,
        rng: np.random.Generator,
        spread: float | None = None,
    ) -> Study:
        """The study of `default` in this world, on the path inside the bar.

        Parameters
        ----------
        sigma_day : volatility of a bad day by asset, for the depth.
        spread : of log sizes; None for that of the shape.  Where few accounts stand for many, a
            smaller one keeps the largest of them from deciding everything.
        """
        made = default(
            universe,
            close,
            low,
            parameters,
            self.every,
            self.window,
            self.health_median,
            self.health_spread,
            self.volatile_debt,
            size,
            rng,
            self.venue_usd,
        )
        if spread is not None:
            made = replace(made, shape=replace(made.shape, size_spread=spread))
        world = self.world(stressed_depth(universe, sigma_day), universe.stablecoins)
        return replace(made, conduct=services(world, self.recovery)["world"])


def portrait(study: Study) -> tuple[pd.DataFrame, pd.Series]:
    """The book that opens when all of its assets are listed.

    Returns
    -------
    DataFrame
        ``asset``, largest collateral first; ``collateral`` and ``debt`` as shares of the totals,
        share of the ``accounts`` that hold it, and its risk parameters; assets that nobody holds or
        owes are left out.
    Series
        Dollars of ``collateral`` and ``debt``, the ``median`` account's collateral, the mean number
        of ``assets`` held, the share ``top`` of the largest hundredth of the accounts, and the
        share ``near`` that opens with a health factor under 1.1.
    """
    shape, frame = study.shape, study.parameters.frame
    book = fresh(study, shape.assets, frame["threshold"])
    collateral, debt = book.collateral, book.debt
    lt = frame["threshold"].reindex(shape.assets).fillna(0.0).to_numpy(dtype=float)
    size, held = collateral.sum(axis=1), collateral > 0
    table = pd.DataFrame(
        {
            "collateral": collateral.sum(axis=0) / collateral.sum(),
            "debt": debt.sum(axis=0) / debt.sum(),
            "accounts": held.mean(axis=0),
        },
        index=pd.Index(shape.assets, name="asset"),
    )
    facts = pd.Series(
        {
            "collateral": size.sum(),
            "debt": debt.sum(),
            "median": np.median(size),
            "assets": held.sum(axis=1).mean(),
            "top": np.sort(size)[-max(len(size) // 100, 1) :].sum() / size.sum(),
            "near": (collateral @ lt < 1.1 * debt.sum(axis=1)).mean(),
        }
    )
    used = table[(table["collateral"] > 0) | (table["debt"] > 0)]
    ranked = used.sort_values("collateral", ascending=False, kind="stable")
    return ranked.join(frame).reset_index(), facts


def serve(study: Study, ways: Mapping[str, Conduct]) -> dict[str, Cohorts]:
    """The cohorts of `study` served in each of `ways`."""
    return {name: run(replace(study, conduct=way)) for name, way in ways.items()}


def lows(
    close: pd.DataFrame,
    volatility: pd.DataFrame,
    low: pd.DataFrame,
    donor: str,
    stable: Sequence[str],
    rng: np.random.Generator,
) -> dict[str, pd.DataFrame]:
    """Lowest prices by every choice of the low but "own", which few assets have.

    Parameters
    ----------
    close, volatility, low : time × asset closes, forecast σ, and the lows that are known.
    donor : asset that lends its lows.
    stable : assets that take no donor.
    """
    returns, known = log_returns(close), excursion.log_low(low, close)
    lender = excursion.Donor(donor, returns[donor], volatility[donor], known[donor])
    return {
        choice: low_prices(
            close,
            excursion.excursions(returns, volatility, known, lender, choice, rng, stable).low,
        )
        for choice in excursion.METHODS
        if choice != "own"
    }


def by_low(
    study: Study,
    choices: Mapping[str, pd.DataFrame],
    ways: Mapping[str, Conduct],
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Points (see `frontier.points`) of each choice of the low by each of `ways`.

    Returns
    -------
    DataFrame
        Columns ``choice``, ``service``, then the points; weekly cohorts only.
    """
    parts = []
    for choice, low in choices.items():
        here = replace(study.weekly, low=low)
        cases = {name: replace(here, conduct=way) for name, way in ways.items()}
        table = points(compare(cases, "service"), confidence, by="service")
        table = table.loc[list(cases)].reset_index()
        table.insert(0, "choice", choice)
        parts.append(table.drop(columns="consistent"))
    return pd.concat(parts, ignore_index=True)


def assumptions(study: Study, rng: np.random.Generator, confidence: float = 0.95) -> pd.DataFrame:
    """Points of `study` with one assumption moved at a time, weekly cohorts only.

    Another book of the same shape shows the Monte Carlo error.  In the last case a venue had
    accepted the assets outside the collateral set as well, at the parameters of the member with
    the lowest threshold, until the listing rule removed them.

    Returns
    -------
    DataFrame
        Index case, "as given" first; columns of `frontier.points` but ``consistent``.
    """
    weekly = study.weekly
    shape, frame = weekly.shape, weekly.parameters.frame
    cases = {
        "as given": weekly,
        "another book": replace(weekly, draws=accounts.draw(shape, len(weekly.draws.size), rng)),
        "median health 1.3": replace(weekly, shape=replace(shape, health_median=1.3)),
        "health spread 1.5": replace(weekly, shape=replace(shape, health_spread=1.5)),
        "sizes less uneven": replace(weekly, shape=replace(shape, size_spread=1.0)),
        "no volatile debt": replace(weekly, shape=replace(shape, volatile_debt=0.0)),
        "oracle 3 hours later": _oracle(lag=_lag(weekly) + pd.Timedelta("3h"))(weekly),
        "a venue twice as large": replace(weekly, venue_usd=_size(weekly) * 2.0),
    }
    outside = [asset for asset in shape.assets if asset not in {*frame.index, *shape.stable}]
    if outside:
        weakest = frame.loc[frame["threshold"].idxmin()]
        everything = frame.reindex([*frame.index, *outside]).fillna(weakest)
        cases[f"with {', '.join(outside)}"] = replace(
            weekly,
            shape=replace(shape, mix=accounts.mix_of(list(everything.index))),
            parameters=RiskParameters(everything, recommended=False),
        )
    table = points(compare(cases), confidence, by="case")
    return table.loc[list(cases)].drop(columns="consistent")


def _lag(study: Study) -> pd.Timedelta:
    """Lag of the oracle."""
    return pd.Timedelta(study.conduct.world.oracle.lag or 0)


def _size(study: Study) -> float:
    """Dollars of collateral of a cohort."""
    if study.venue_usd is not None:
        return study.venue_usd
    return float(portrait(study)[1]["collateral"])
