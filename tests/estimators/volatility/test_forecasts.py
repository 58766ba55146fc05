"""Forecasts side by side: which stands where, how the fits ended, what is current."""

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import EstimationError
from xcoll.estimators import volatility
from xcoll.estimators.volatility import forecasts


def dates(n):
    return pd.date_range("2020-01-01", periods=n, freq="D")


@pytest.fixture(scope="module")
def returns():
    rng = np.random.default_rng(0)
    level = np.exp(np.sin(np.arange(300) / 15))[:, None]  # clusters, so that α and β are inside
    frame = 0.02 * level * pd.DataFrame(rng.standard_normal((300, 2)), dates(300), ["A", "B"])
    frame.loc[frame.index[:50], "B"] = np.nan
    frame.loc[frame.index[-10:], "B"] = np.nan
    return frame


@pytest.fixture(scope="module")
def walks(returns):
    kinds = {"garch-normal": ("garch", "normal"), "garch-t": ("garch", "t")}
    return forecasts.walked(returns, 200, 60, 100, kinds)


@pytest.fixture(scope="module")
def models(returns, walks):
    sigmas = {name: walk.volatility for name, walk in walks.items()}
    return {"ewma": volatility.ewma(returns)} | sigmas


def test_splice_takes_the_default_where_there_is_one(returns, models):
    sigma, sources = forecasts.spliced(models, "garch-t", "ewma")
    late, early = returns.index[99:], returns.index[29:99]
    pd.testing.assert_series_equal(sigma.loc[late, "A"], models["garch-t"].loc[late, "A"])
    pd.testing.assert_series_equal(sigma.loc[early, "A"], models["ewma"].loc[early, "A"])
    assert sigma["A"].first_valid_index() == returns.index[29]
    assert sigma["B"].last_valid_index() == returns.index[289]
    rows = sources.set_index(["asset", "source"])
    assert rows.loc[("A", "ewma"), "end"] == returns.index[98]
    assert rows.loc[("A", "garch-t"), "start"] == returns.index[99]
    assert rows.loc[("B", "ewma"), "start"] == returns.index[79]
    assert rows.loc[("B", "garch-t"), "end"] == returns.index[289]


def test_means_belong_to_the_splice(returns, walks, models):
    sigma, _ = forecasts.spliced(models, "garch-t", "ewma")
    mean = forecasts.means(walks, "garch-t", sigma)
    assert (mean.notna() == sigma.notna()).all(axis=None)
    assert mean["A"].iloc[98] == 0.0
    assert mean["A"].iloc[99] == walks["garch-t"].mean["A"].iloc[99] != 0.0
    assert (forecasts.means(walks, "ewma", sigma).fillna(0.0) == 0.0).all(axis=None)


def test_splice_of_the_fallback_with_itself(models):
    sigma, sources = forecasts.spliced(models, "ewma", "ewma")
    pd.testing.assert_frame_equal(sigma, models["ewma"])
    assert sources["source"].tolist() == ["ewma", "ewma"]


def test_long_holds_every_forecast_once(models):
    rows = forecasts.long(models)
    assert len(rows) == sum(frame.notna().sum().sum() for frame in models.values())
    row = rows.iloc[123]
    assert row["volatility"] == models[row["model"]].loc[row["time"], row["asset"]]


def test_record_and_parameters_name_their_model(walks):
    record, parameters = forecasts.record(walks), forecasts.parameters(walks)
    assert len(record) == sum(len(walk.record) for walk in walks.values())
    assert record.columns[:3].tolist() == parameters.columns[:3].tolist()
    nu = parameters[parameters["parameter"] == "nu"]
    assert nu["model"].unique().tolist() == ["garch-t"]
    assert set(record["model"]) == set(walks)


def test_walked_is_each_model_by_itself(returns, walks):
    assert set(forecasts.DAILY) == {"garch-normal", "garch-t", "gjr-t"}
    alone = volatility.walk_forward(returns, 200, 60, model="garch", errors="t", minimum=100)
    pd.testing.assert_frame_equal(walks["garch-t"].volatility, alone.volatility)


def test_convergence_counts(walks):
    record = forecasts.record(walks).assign(engine="xcoll")
    spoiled = record.copy()
    spoiled.loc[record["asset"] == "B", ["on_bound", "converged"]] = [True, False]
    spoiled.loc[spoiled.index[spoiled["asset"] == "B"][0], "engine"] = "arch"
    table = forecasts.convergence(spoiled).set_index("asset")
    assert table.index[0] == "B"
    assert table.loc["B", "on_bound"] == 1.0
    assert table.loc["B", "converged"] == 0.0
    assert table.loc["B", "by_arch"] == pytest.approx(1 / (record["asset"] == "B").sum())
    assert table.loc["A", "by_arch"] == 0.0
    assert table["fits"].sum() == len(record)


def test_likelihoods_are_those_of_the_fits(returns):
    kinds = {"garch-t": ("garch", "t"), "egarch-skewt": ("egarch", "skewt")}
    table = forecasts.likelihoods(returns, 150, kinds)
    assert table["asset"].tolist() == ["A", "A"]  # B is delisted
    row = table.set_index("model").loc["egarch-skewt"]
    fit = volatility.fit(returns["A"].tail(150), model="egarch", errors="skewt")
    assert row["loglikelihood"] == fit.loglikelihood
    assert (row["bars"], row["parameters"]) == (150, 7)
    assert row["aic"] == pytest.approx(14 - 2 * fit.loglikelihood)
    gains = forecasts.against(table, "garch-t")
    assert gains.columns.tolist() == ["asset", "egarch-skewt"]
    assert gains["egarch-skewt"].iloc[0] == table["aic"].diff().iloc[1]
    with pytest.raises(EstimationError, match="last bar"):
        forecasts.likelihoods(returns[["B"]], 150, kinds)


def test_current_is_the_fit_of_the_last_window(returns):
    table = forecasts.current(returns, 150, 0.8)
    assert table["asset"].tolist() == ["A"]  # B is delisted
    fit = volatility.fit(returns["A"].tail(150))
    row = table.iloc[0]
    assert row["volatility"] == fit.volatility.iloc[-1]
    assert (row["low"], row["high"]) == fit.interval(0.8)
    assert row["persistence"] == pytest.approx(fit.params["alpha"] + fit.params["beta"])
    errors = fit.std_errors()
    assert row["persistence_error"] <= errors["alpha"] + errors["beta"] + 1e-12
    with pytest.raises(EstimationError, match="last bar"):
        forecasts.current(returns[["B"]], 150)
