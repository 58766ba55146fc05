"""The model band: every model by its own function, carried by hand, and the ends of the band."""

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.haircuts import PARTS, band, haircut, market
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.errors import ParameterError
from xcoll.estimators import tail, volatility

FOLLOWED = pd.Series({"A": "A", "B": "B", "wA": "A", "S": "S"})


@pytest.fixture(scope="module")
def known():
    rng = np.random.default_rng(0)
    index = pd.date_range("2020-01-01", periods=500, freq="D")
    returns = pd.DataFrame(0.03 * rng.standard_t(4, (500, 2)), index, ["A", "B"])
    low = returns.clip(upper=0.0) - 0.01 * rng.exponential(size=returns.shape)
    return History(returns, (low,), volatility.ewma(returns))


@pytest.fixture(scope="module")
def parts():
    columns = dict.fromkeys(PARTS, 0.0) | {"liquidity": 0.02, "market": 0.9}
    return pd.DataFrame(columns, index=pd.Index(FOLLOWED.index, name="asset")).assign(
        basis=[0.0, 0.0, 0.01, 0.0]
    )


@pytest.fixture(scope="module")
def factors(parts):
    columns = {"forecast": [0.5, 1.5, 0.5, 1.0], "long_run": 2.0, "stressed": 1.0}
    return pd.DataFrame(columns, index=parts.index)


@pytest.fixture(scope="module")
def table(known, parts, factors):
    return band.models(known, parts, Tail(0.95), factors, FOLLOWED, window="300D")


def test_every_model_is_carried_to_the_haircut(known, parts, factors, table):
    assert set(table["model"]) == {*tail.METHODS, *band.PAST} - {"dcc_t"}
    assert set(table["asset"]) == {"A", "B", "wA"}
    assert len(table) == 3 * 11 * 4
    for name in ("evt", "fhs", "historical", "volatility_weighted", *band.PAST):
        for measure, loss in (("es", "close_out"), ("var", "end")):
            of = Tail(0.95, measure, loss)
            day = (
                getattr(market, name)(known, of)
                if name in band.PAST
                else market.forecast(known, of, name, "300D")
            )
            rows = table.query("model == @name and measure == @measure and loss == @loss")
            rows = rows.set_index("asset")
            factor = factors[name if name in band.PAST else "forecast"]
            for asset in ("A", "B", "wA"):
                lost = min(day[FOLLOWED[asset]] * factor[asset], 1.0)
                assert rows.loc[asset, "market"] == pytest.approx(lost, rel=1e-12)
                whole = haircut(parts.loc[[asset]].assign(market=lost)).iloc[0]
                assert rows.loc[asset, "haircut"] == pytest.approx(whole, rel=1e-12)


def test_the_past_may_be_cut_short(known, parts, factors, table):
    short = (
        band.models(
            known,
            parts,
            Tail(0.95),
            factors,
            FOLLOWED,
            window="300D",
            look_back="200D",
            methods=["fhs"],
        )
        .query("asset == 'B' and measure == 'es' and loss == 'end'")
        .set_index("model")["market"]
    )
    cut = known.since(known.now - pd.Timedelta("200D"))
    expected = 2 * market.long_run(cut, Tail(0.95, "es", "end"))["B"]
    assert short["long_run"] == pytest.approx(expected, rel=1e-12)
    same = table.query("asset == 'B' and model == 'fhs' and measure == 'es' and loss == 'end'")
    assert short["fhs"] == pytest.approx(same["market"].item(), rel=1e-12)


def test_order_of_the_models(table):
    wide = table.pivot_table(
        index=["asset", "model"], columns=["measure", "loss"], values="haircut"
    )
    assert (wide["es"] >= wide["var"] - 1e-12).all(axis=None)
    past = wide.loc[(slice(None), ["historical", "long_run", "stressed", "fhs"]), :]
    for measure in ("es", "var"):
        assert (past[measure, "close_out"] >= past[measure, "end"] - 1e-12).all()


def test_one_row_an_asset_is_in_use(table, known, parts, factors):
    used = table[table["used"]]
    assert used["asset"].tolist() == ["A", "B", "wA"]
    assert (used["model"] == "fhs").all()
    assert (used["measure"] == "es").all()
    assert (used["loss"] == "close_out").all()
    other = band.models(
        known, parts, Tail(0.95, "var", "end"), factors, FOLLOWED, method="historical",
        methods=["fhs", "historical"],
    ).query("used")  # fmt: skip
    assert other[["model", "measure", "loss"]].drop_duplicates().to_numpy().tolist() == [
        ["historical", "var", "end"]
    ]


def test_the_ends_and_where_they_come_from():
    rows = [
        ("B", "evt", "es", "end", 0.3, False), ("B", "fhs", "es", "close_out", 0.2, True),
        ("A", "fhs", "es", "close_out", 0.4, True), ("A", "normal", "var", "end", 0.1, False),
        ("A", "t", "var", "end", np.nan, False),
    ]  # fmt: skip
    columns = ["asset", "model", "measure", "loss", "haircut", "used"]
    found = band.ends(pd.DataFrame(rows, columns=columns))
    assert found.index.tolist() == ["B", "A"]
    assert found.loc["A"].tolist() == [
        0.1, 0.4, "normal var, end", "fhs es, close_out", 0.4, 2,
    ]  # fmt: skip
    assert found.loc["B", ["low", "high", "used"]].tolist() == [0.2, 0.3, 0.2]


def test_the_copula_takes_part_when_named(known, parts, factors):
    path = pd.DataFrame({"A~B": 0.0}, index=known.log_returns.index)
    target = pd.DataFrame(np.eye(2), ["A", "B"], ["A", "B"])
    dependence = tail.Dependence(path, target, a=0.02, b=0.95, nu=8.0)
    made = band.models(
        known, parts, Tail(0.95), factors, FOLLOWED, methods=["dcc_t", "fhs"], window="300D",
        dependence=dependence, rng=np.random.default_rng(0),
    )  # fmt: skip
    made = made.query("measure == 'es' and loss == 'close_out'")
    made = made.set_index(["model", "asset"])["haircut"]
    # one bar of one asset: filtered simulation with Monte Carlo error
    np.testing.assert_allclose(made["dcc_t"], made["fhs"], rtol=0.1)


def test_bad_input(known, parts, factors):
    with pytest.raises(ParameterError, match="the method in use, evt, is not among methods"):
        band.models(
            known, parts, Tail(), factors, FOLLOWED, method="evt", methods=["fhs"]
        )  # fmt: skip
    with pytest.raises(ParameterError, match="dcc_t needs dependence"):
        band.models(known, parts, Tail(), factors, FOLLOWED, methods=["fhs", "dcc_t"])
    with pytest.raises(ParameterError, match="basis part of A"):
        band.models(known, parts.assign(basis=2.0), Tail(), factors, FOLLOWED, methods=["fhs"])
