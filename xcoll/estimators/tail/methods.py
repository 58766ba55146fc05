"""The methods of VaR and ES: one small function each, from a task to figures by date and asset.

    historical           h-bar losses of the window, each with the same weight
    age_weighted         the same, a loss of age k weighing λ^k (Boudoukh, Richardson and Whitelaw
                         1998; λ 0.98)
    fhs                  bars of the window at today's forecast σ instead of their own
                         (Barone-Adesi, Giannopoulos and Vosper 1999)
    volatility_weighted  the same with exponentially weighted σ (Hull and White 1998; decay 0.94)
    normal, t, skewed_t, cornish_fisher, evt
                         a law of the standardised loss, fitted in every window (`laws`)
    dcc_t                a t copula on the correlation of the date, margins as they were in the
                         window (Monte Carlo; `copula`)

What is standardised for the laws is the adverse move over its forecast σ.  For the end's loss that
is `-r_t / σ_{t-1}`.  For the close-out loss it is `-x_t / σ_{t-1}` where the bar fell under its
opening and `-r_t / σ_{t-1}` where it did not: the excursion without its pile of zeros, the same
above zero, where every quantile of use lies.

Over several bars each law is simulated: returns drawn from the law of `-r/σ`, each with the excess
of the low that came with the return of the same rank in the window.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from xcoll._jit import own
from xcoll.errors import ParameterError
from xcoll.estimators.tail import _kernels, shortfall
from xcoll.estimators.tail.copula import Draws
from xcoll.estimators.tail.laws import LAWS, LEAST, NONE, Law
from xcoll.estimators.tail.simulation import drawn_losses
from xcoll.estimators.tail.task import Figures, Task

__all__ = ["AGE_DECAY", "METHODS", "Figures", "Method", "Task", "age_weights", "aged_beyond"]

AGE_DECAY = 0.98  # Boudoukh, Richardson and Whitelaw (1998) use 0.97 and 0.99

# Standard normal scores at which a law's quantile is computed, and those at which it is drawn.
_KNOTS = np.linspace(-5.5, 5.5, 257)
_FINE = np.linspace(-5.5, 5.5, 2049)


@dataclass(frozen=True)
class Method:
    """How one method works.

    Attributes
    ----------
    simulates : whether it draws at random over several bars.
    univariate : whether it knows one series only, the portfolio's own among them.
    beyond : window, level → losses that lie beyond it.
    least : bars of the shortest window that it takes.
    """

    run: Callable[[Task], Figures]
    simulates: bool = True
    univariate: bool = False
    beyond: Callable[[int, float], float] = shortfall.beyond
    least: int = 2


def age_weights(window: int) -> np.ndarray:
    """Weights of losses aged 0 to window - 1 bars, `λ^k`, summing to one."""
    weights = AGE_DECAY ** np.arange(window)
    return weights / weights.sum()


def aged_beyond(window: int, level: float) -> float:
    """How many losses lie beyond the level, of the effective number `1 / Σ w²` (Kish 1965)."""
    return float(np.round((1.0 - level) / (age_weights(window) ** 2).sum(), 9))


def _rolling(values: np.ndarray, task: Task) -> np.ndarray:
    """The worst of the last `window` values of each column, time × column × depth."""
    depth = shortfall.depth(task.window, min(task.levels))
    worst = np.full((values.shape[1], len(values), depth), np.nan)
    for column, found in zip(values.T, worst, strict=True):
        _kernels.rolling_worst(own(column), task.window, found)
    return worst.transpose(1, 0, 2)


def _measured(worst: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray]:
    pairs = [shortfall.measure(worst, task.window, level) for level in task.levels]
    return tuple(np.stack(values) for values in zip(*pairs, strict=True))


def _historical(task: Task) -> Figures:
    blank = task.blank(task.realised.shape[1])
    var, es = _measured(_rolling(task.realised, task), task)
    return Figures(var, es, blank.error, blank.note)


def _age_weighted(task: Task) -> Figures:
    found = task.blank(task.realised.shape[1])
    weights, levels = age_weights(task.window), np.array(task.levels)
    for c, column in enumerate(task.realised.T):
        var, es = (np.full(found.var.shape[:2], np.nan) for _ in range(2))
        _kernels.aged(own(column), task.window, weights, levels, var, es)
        found.var[..., c], found.es[..., c] = var, es
    return found


def _filtered(sigma: str) -> Callable[[Task], Figures]:
    def run(task: Task) -> Figures:
        volatility = getattr(task, sigma)
        score, low = task.standardised(volatility)
        if task.bars > 1:
            return _filtered_paths(task, score, low, volatility)
        scores = -(low if task.loss == "close_out" else score)
        worst = -np.expm1(-_rolling(scores, task) * volatility[..., None])
        var, es = _measured(worst, task)
        if task.weights is None:
            blank = task.blank(scores.shape[1])
            return Figures(var, es, blank.error, blank.note)
        found = task.blank(scores.shape[1] + 1)
        found.var[..., :-1], found.es[..., :-1] = var, es
        _filtered_portfolio(task, score, low, volatility, found)
        return found

    return run


def _filtered_portfolio(
    task: Task, score: np.ndarray, low: np.ndarray, sigma: np.ndarray, found: Figures
) -> None:
    """The portfolio's losses in every bar of the window: no draw, each bar once."""
    held = np.flatnonzero(task.weights)
    score, low = (np.ascontiguousarray(table[:, held].T) for table in (score, low))
    flat, sigma = task.recursion.constant().table(len(held)), sigma[:, held]
    known = np.isfinite(low).all(axis=0)
    full = known & (np.convolve(known, np.ones(task.window), "full")[: len(known)] == task.window)
    for t in np.flatnonzero(full & np.isfinite(sigma).all(axis=1)):
        picks = np.arange(t - task.window + 1, t + 1)[None]
        losses = drawn_losses(score, low, picks, sigma[t], flat, task.loss, task.weights[held])
        found.put((t, [-1]), losses[-1:], task.levels)
    found.error[..., -1] = np.nan


def _filtered_paths(task: Task, score: np.ndarray, low: np.ndarray, sigma: np.ndarray) -> Figures:
    # The same draws at every date: forecasts differ by their windows, not by their luck.
    picks = task.generator.integers(0, task.window, (task.bars, task.paths))
    found = task.blank(score.shape[1] + (task.weights is not None))
    recursion = task.recursion.table(score.shape[1])
    for t in task.dates:
        past = slice(t - task.window + 1, t + 1)
        known = np.flatnonzero(np.isfinite(low[past]).all(axis=0) & np.isfinite(sigma[t]))
        table = score[past, known].T, low[past, known].T
        _simulated(task, t, known, table, picks, sigma[t], recursion, found)
    return found


def _simulated(
    task: Task,
    t: int,
    known: np.ndarray,
    table: tuple[np.ndarray, np.ndarray],
    picks: np.ndarray,
    sigma: np.ndarray,
    recursion: np.ndarray,
    found: Figures,
) -> None:
    """Losses of drawn bars at one date, the portfolio's where all its assets are known."""
    if not known.size:
        return
    place, weights = known, None
    if task.weights is not None and set(np.flatnonzero(task.weights)) <= set(known):
        place, weights = [*known, -1], task.weights[known]
    losses = drawn_losses(*table, picks, sigma[known], recursion[:, known], task.loss, weights)
    found.put((t, place), losses, task.levels)


def _law(law: Law) -> Callable[[Task], Figures]:
    def run(task: Task) -> Figures:
        whole = task.alone()
        score, low = whole.standardised(whole.volatility)
        return (_law_paths if task.bars > 1 else _law_bar)(whole, law, score, low)

    return run


def _adverse(task: Task, score: np.ndarray, low: np.ndarray) -> np.ndarray:
    """The standardised move that a loss of one bar is read from: low where it fell, else return."""
    return np.where(low < 0.0, low, score) if task.loss == "close_out" else score


def _law_bar(task: Task, law: Law, score: np.ndarray, low: np.ndarray) -> Figures:
    found, levels = task.blank(score.shape[1]), np.array(task.levels)
    adverse = _adverse(task, score, low)
    for c in range(score.shape[1]):
        params, notes, rows = _fitted(law, -adverse[:, c], task.volatility[:, c], task.window)
        found.note[rows, c] = notes[rows]
        rows = rows[notes[rows] != NONE]
        if not rows.size:
            continue
        params, sigma = params[rows], task.volatility[rows, c]
        quantiles = law.quantile(params, levels)
        if np.isnan(quantiles).any():
            least = 1.0 - np.nanmax(params[:, -1])
            raise ParameterError(
                f"evt describes what lies over its threshold, the {least:g} quantile, and "
                f"confidence is {min(task.levels):g}; raise it, or take fhs, t or historical"
            )
        found.var[:, rows, c] = -np.expm1(-quantiles * sigma[:, None]).T
        found.es[:, rows, c] = 1.0 - law.shrunk(params, levels, quantiles, sigma).T
    return found


def _fitted(
    law: Law, scores: np.ndarray, sigma: np.ndarray, window: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters, notes, and the rows whose window is full and whose σ is known."""
    known = np.flatnonzero(np.isfinite(scores))
    if len(known) < window:
        return np.empty((len(scores), 0)), np.full(len(scores), NONE), np.empty(0, int)
    first, last = known[0], known[-1] + 1
    inner, marks = law.fit(scores[first:last], window)
    params, notes = np.full((len(scores), inner.shape[1]), np.nan), np.full(len(scores), NONE)
    params[first:last], notes[first:last] = inner, marks
    full = np.arange(first + window - 1, last)
    return params, notes, full[np.isfinite(sigma[full])]


def _law_paths(task: Task, law: Law, score: np.ndarray, low: np.ndarray) -> Figures:
    uniform = task.generator.normal(size=(task.bars, task.paths)).clip(_FINE[0], _FINE[-1])
    picks = np.rint((uniform - _FINE[0]) / (_FINE[1] - _FINE[0])).astype(np.int64)
    rank = np.minimum((ndtr(_FINE) * task.window).astype(int), task.window - 1)
    knots = ndtr(_KNOTS)
    found = task.blank(score.shape[1])
    recursion = task.recursion.table(score.shape[1])
    for c in range(score.shape[1]):
        params, notes, rows = _fitted(law, -score[:, c], task.volatility[:, c], task.window)
        rows = np.intersect1d(rows, task.dates)
        found.note[rows, c] = notes[rows]
        rows = rows[notes[rows] != NONE]
        if not rows.size:
            continue
        for t, quantiles in zip(rows, law.quantile(params[rows], knots), strict=True):
            past = slice(t - task.window + 1, t + 1)
            order = np.argsort(-score[past, c])
            losses, lows = -score[past, c][order], low[past, c][order]
            # Under the threshold of evt the window speaks for itself.
            body = losses[np.minimum((knots * task.window).astype(int), task.window - 1)]
            drawn = -np.interp(_FINE, _KNOTS, np.where(np.isnan(quantiles), body, quantiles))
            excess = (np.minimum(-losses, 0.0) - lows)[rank]
            table = drawn[None], (np.minimum(drawn, 0.0) - excess)[None]
            step = recursion[:, [c]]
            made = drawn_losses(*table, picks, task.volatility[t, [c]], step, task.loss)
            found.put((t, [c]), made, task.levels)
    return found


def _dcc_t(task: Task) -> Figures:
    if task.dependence is None:
        others = ", ".join(name for name in METHODS if name != "dcc_t")
        raise ParameterError(f"dcc_t needs dependence; give it, or take one of {others}")
    found = task.blank(task.log_returns.shape[1] + (task.weights is not None))
    score, low = task.standardised(task.volatility)
    recursion = task.recursion.table(score.shape[1])
    shape = task.paths, task.bars, score.shape[1]
    draws = Draws.of(task.generator, *shape, task.dependence.nu)
    edges = task.dependence.edges(task.window)
    for t in task.dates:
        past = slice(t - task.window + 1, t + 1)
        known = np.isfinite(low[past]).all(axis=0) & np.isfinite(task.volatility[t])
        known = task.dependence.known(t, np.flatnonzero(known))
        if not known.size:
            continue
        order = np.argsort(_adverse(task, score, low)[past, known], axis=0)
        table = tuple(
            np.ascontiguousarray(np.take_along_axis(values[past, known], order, axis=0).T)
            for values in (score, low)
        )
        picks = draws.picks(task.dependence, t, known, table[0], edges)
        _simulated(task, t, known, table, picks, task.volatility[t], recursion, found)
    return found


METHODS = {
    "age_weighted": Method(_age_weighted, simulates=False, beyond=aged_beyond),
    "cornish_fisher": Method(_law(LAWS["cornish_fisher"]), univariate=True),
    "dcc_t": Method(_dcc_t),
    "evt": Method(_law(LAWS["evt"]), univariate=True, least=LEAST),
    "fhs": Method(_filtered("volatility")),
    "historical": Method(_historical, simulates=False),
    "normal": Method(_law(LAWS["normal"]), univariate=True),
    "skewed_t": Method(_law(LAWS["skewed_t"]), univariate=True),
    "t": Method(_law(LAWS["t"]), univariate=True),
    "volatility_weighted": Method(_filtered("smooth")),
}
