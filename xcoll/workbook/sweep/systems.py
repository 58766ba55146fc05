"""One point of a grid as a system of today, and many shocks of it, shock by shock."""

import dataclasses

import numpy as np
import pandas as pd

from xcoll.errors import ParameterError
from xcoll.systemic import _kernels
from xcoll.systemic.setting import Ground, Setting
from xcoll.systemic.shocks import Law, Shocks, degrees_of_freedom, run
from xcoll.systemic.system import System
from xcoll.workbook.streams import stream
from xcoll.workbook.sweep.inputs import Read
from xcoll.workbook.sweep.tasks import Task, Values

__all__ = ["ASSUMED", "accounts", "count", "shocks"]

BLOCK = 100  # shocks that share a generator
ASSUMED = tuple(field.name for field in dataclasses.fields(Setting))


def shocks(task: Task, read: Read) -> pd.DataFrame:
    """What each shock does at each venue.

    Returns
    -------
    DataFrame
        One row a shock and venue: ``item`` (number of the shock), ``venue``, ``debt`` (dollars at
        the opening), then dollars ``lost``, ``repaid``, ``seized``, ``covered`` and ``credit``, and
        accounts served in the ``first`` round and ``later``.
    """
    values = task.values
    system, law = _system(values, read), _law(values, read)
    unfolding = Shocks(values["step"], values["over"], values["after"])
    found = run(system, law.assets, _moves(task, law), unfolding)
    items, venues = np.arange(task.first, task.last), list(found.venues)
    rows = pd.DataFrame(found.sums.reshape(-1, len(_kernels.SUMS)), columns=list(_kernels.SUMS))
    rows.insert(0, "item", np.repeat(items, len(venues)))
    rows.insert(1, "venue", np.tile(venues, len(items)))
    rows.insert(2, "debt", np.tile(found.debt, len(items)))
    return rows


def count(values: Values, read: Read) -> int:
    """Number of shocks of a point; raises `ParameterError` for a system that cannot be."""
    _system(values, read)
    return values["draws"]


def accounts(values: Values, read: Read) -> int:
    """Number of accounts at all venues together."""
    return len(_system(values, read).layout.owed)


def _setting(values: Values, read: Read) -> Setting:
    """The assumptions of the run, but for what the point sets."""
    given = {name: values[name] for name in ASSUMED if values[name] is not None}
    return Setting(**{**read["system_setting"], **given})


def _system(values: Values, read: Read) -> System:
    setting, lenders = _setting(values, read), values["lenders"].split(" + ")
    if len(set(lenders)) < len(lenders):
        raise ParameterError(f"lenders are {values['lenders']!r}; name each once")

    def make() -> System:
        return setting.system(_ground(read), stream("system", setting.seed), lenders)

    return read.once(f"system {setting} {lenders}", make)


def _ground(read: Read) -> Ground:
    return read.once("ground", lambda: Ground.of(read.__getitem__))


def _law(values: Values, read: Read) -> Law:
    """T moves with the volatilities of a bad day, of all that has a correlation."""
    weight, horizon = values["calm"], values["horizon"]

    def make() -> Law:
        now, high = read["correlation_now"], read["correlation_stress_high"]
        ground = _ground(read)
        assets = [asset for asset in now.index if asset in _system(values, read).assets]
        moving = [asset for asset in assets if asset not in ground.universe.stablecoins]
        mixed = (1.0 - weight) * high.loc[assets, assets] + weight * now.loc[assets, assets]
        nu = degrees_of_freedom(read["residuals"][moving], horizon)
        return Law.of(ground.sigma_day, mixed, horizon, nu)

    return read.once(f"law {weight} {horizon}", make)


def _moves(task: Task, law: Law) -> np.ndarray:
    """Shocks ``first`` to ``last − 1``; each is the same in whatever task it comes."""
    first = task.first // BLOCK
    blocks = [
        law.draw(BLOCK, np.random.default_rng([task.values["draw_seed"], block]))
        for block in range(first, -(-task.last // BLOCK))
    ]
    return np.concatenate(blocks)[task.first - first * BLOCK : task.last - first * BLOCK]
