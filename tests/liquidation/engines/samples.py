"""Accounts drawn at random, and the engines of keepers that fit them."""

from dataclasses import replace

import numpy as np

from xcoll.liquidation.engines import Aave, Account, Euler, Morpho, PreLiquidation


def single(worth, owed, threshold, price=1.0):
    """One collateral of `worth` dollars against one stable debt."""
    return Account(
        np.array([worth / price, 0.0]),
        np.array([0.0, owed]),
        np.array([price, 1.0]),
        np.array([price, 1.0]),
        np.array([threshold, 0.0]),
    )


def draw(seed, assets=4):
    """A liquidatable account of several collaterals and debts, with bonuses and fees."""
    rng = np.random.default_rng(seed)
    prices = rng.lognormal(3, 3, assets)
    debt_prices = prices * rng.uniform(0.8, 1.2, assets)
    held = np.where(rng.random(assets) < 0.7, rng.lognormal(9, 2, assets), 0.0)
    held[rng.integers(assets)] += rng.lognormal(9, 2)
    owed = np.where(rng.random(assets) < 0.5, rng.random(assets), 0.0)
    owed[rng.integers(assets)] += 0.1
    thresholds, bonuses = rng.uniform(0.3, 0.9, assets), rng.uniform(0.01, 0.15, assets)
    health = rng.choice([rng.uniform(0.3, 0.95), rng.uniform(0.951, 0.999)])
    debt = owed / debt_prices
    debt *= held @ thresholds / health / owed.sum()
    account = Account(held / prices, debt, prices, debt_prices, thresholds)
    return account, bonuses, rng.uniform(0, 0.3, assets)


def at_health(account, health):
    """The same account with its debts scaled to a health factor."""
    return replace(account, debt=account.debt * (account.health / health))


ENGINES = {
    "aave": lambda lt, lb, fees: Aave(lt, lb, fees),
    "morpho": lambda lt, lb, fees: Morpho.by_formula(lt),
    "calibrated morpho": lambda lt, lb, fees: Morpho(lt, 1 + lb),
    "pre-liquidation": lambda lt, lb, fees: Morpho(
        lt + 0.05, 1 + lb, PreLiquidation(lt, 0.1, 0.6, 1.01, 1.05)
    ),
    "euler": lambda lt, lb, fees: Euler(lt, lb / (1 + lb)),
}
