"""Planted arbitrage is found where it is and only there; clean surfaces and prices pass."""

import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import DataError, ParameterError
from xcoll.margin.options import arbitrage
from xcoll.margin.options.surface import Smile, Surface, ssvi

N = NormalDist().cdf
YEARS = np.array([7 / 365, 0.25, 1.0])
CLEAN = Surface.from_ssvi("BTC", YEARS, [0.8, 0.7, 0.65], -0.4, 1.3, 0.4)


def plain_price(F, K, sigma, T, call, D=1.0):
    total = sigma * math.sqrt(T)
    d1 = math.log(F / K) / total + total / 2.0
    side = 1.0 if call else -1.0
    return D * side * (F * N(side * d1) - K * N(side * (d1 - total)))


def replaced(place, smile):
    smiles = list(CLEAN.smiles)
    smiles[place] = smile
    return Surface("BTC", tuple(smiles))


def failures(report):
    assert list(report.columns) == arbitrage.COLUMNS
    assert report["passed"].dtype == bool
    assert not report.isna().any(axis=None)
    return report[~report["passed"]]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    rho=st.floats(-0.9, 0.9),
    share=st.floats(0.1, 1.0),
    gamma=st.floats(0.05, 0.5),
    sigma=st.floats(0.2, 1.5),
    growth=st.lists(st.floats(1.0, 6.0), min_size=3, max_size=3),
)
def test_ssvi_passes_every_check(rho, share, gamma, sigma, growth):
    years = np.cumprod([7 / 365, *growth])
    years += np.arange(4) * 1e-6
    eta = share * 2.0 / (1.0 + abs(rho))
    report = arbitrage.checks(Surface.from_ssvi("BTC", years, sigma, rho, eta, gamma))
    assert failures(report).empty
    assert set(report["check"]) == {"butterfly", "calendar", "convexity", "vertical", "wing"}


def test_a_flat_surface_of_single_quotes_passes():
    surface = Surface("BTC", (Smile(0.1, [0.0], [0.7]), Smile(0.5, [0.1], [0.7])))
    report = arbitrage.checks(surface)
    assert failures(report).empty
    np.testing.assert_allclose(report.loc[report["check"] == "butterfly", "value"], 1.0)
    np.testing.assert_allclose(report.loc[report["check"] == "wing", "value"], 0.0)


def test_a_calendar_crossing_is_found_where_the_variances_cross():
    sigma, T = np.array([0.6, 0.62]), np.array([0.25, 0.26])
    theta = sigma**2 * T
    parameters = ((-0.5, 1.3, 0.4), (0.5, 1.3, 0.4))
    smiles = [
        Surface.from_ssvi("BTC", [t], [s], *p).smiles[0]
        for t, s, p in zip(T, sigma, parameters, strict=True)
    ]
    k = np.linspace(-1.0, 1.0, 201)
    report = arbitrage.checks(Surface("BTC", tuple(smiles)), k=k)
    found = failures(report)
    one, two = (ssvi(k, v, *p) for v, p in zip(theta, parameters, strict=True))
    crossed = k[two < one]
    assert 0 < len(crossed) < 101
    assert (crossed < 0.0).all()
    assert set(found["check"]) == {"calendar"}
    assert set(found["years"]) == {0.26}
    np.testing.assert_array_equal(found["k"], crossed)
    np.testing.assert_allclose(found["value"], (two - one)[two < one], rtol=1e-2, atol=1e-6)


def test_a_butterfly_is_found_at_its_quote():
    smile = CLEAN.smiles[1]
    place = 36  # half a deviation above the forward
    sigma = smile.sigma.copy()
    sigma[place] *= 1.04
    found = failures(arbitrage.checks(replaced(1, Smile(smile.years, smile.k, sigma))))
    assert set(found["check"]) == {"butterfly", "convexity"}
    assert set(found["years"]) == {smile.years}
    quotes = found.loc[found["check"] == "convexity", "k"]
    np.testing.assert_array_equal(quotes, smile.k[[place]])
    assert found["k"].between(smile.k[place - 1], smile.k[place + 1]).all()


def test_convexity_of_the_quotes_is_a_butterfly_priced_plainly():
    smile = CLEAN.smiles[2]
    report = arbitrage.checks(CLEAN)
    rows = report[(report["check"] == "convexity") & (report["years"] == smile.years)]
    vertical = report[(report["check"] == "vertical") & (report["years"] == smile.years)]
    K = np.exp(smile.k)
    C = [plain_price(1.0, x, s, 1.0, True) for x, s in zip(K, smile.sigma, strict=True)]
    i = 30
    before, after = (C[i] - C[i - 1]) / (K[i] - K[i - 1]), (C[i + 1] - C[i]) / (K[i + 1] - K[i])
    assert rows["k"].iloc[i] == smile.k[i]
    assert rows["value"].iloc[i] == pytest.approx(after - before, abs=1e-12)
    assert vertical["value"].iloc[i] == pytest.approx(before, abs=1e-12)
    assert rows["value"].iloc[0] == pytest.approx((C[1] - C[0]) / (K[1] - K[0]) - (C[0] - 1) / K[0])


def test_a_steep_wing_is_found_at_its_end():
    k = np.linspace(-2.0, 2.0, 41)
    w = 20.0 + 0.5125 * np.maximum(k, 0.0) ** 2  # slope 2.05 at k = 2
    report = arbitrage.checks(Surface("BTC", (Smile(5.0, k, np.sqrt(w / 5.0)),)))
    found = failures(report)
    assert list(found["check"]) == ["wing"]
    assert found["k"].item() == 2.0
    assert found["limit"].item() == 2.0
    assert found["value"].item() == pytest.approx(2.05, abs=0.05)


def test_calls_that_cost_more_at_the_higher_strike_fail_the_vertical():
    smile = Smile(0.25, np.log([0.9, 1.0, 1.1, 1.2]), [0.6, 0.6, 0.6, 0.9])
    found = failures(arbitrage.checks(Surface("BTC", (smile,))))
    vertical = found[found["check"] == "vertical"]
    dear, cheap = (plain_price(1.0, K, s, 0.25, True) for K, s in ((1.2, 0.9), (1.1, 0.6)))
    assert dear > cheap
    assert vertical["k"].tolist() == [smile.k[3]]
    assert vertical["value"].item() == pytest.approx((dear - cheap) / 0.1, rel=1e-9)
    assert vertical["limit"].item() == 0.0


def vogt(k):
    """Raw SVI of Axel Vogt's example in Gatheral and Jacquier (2014), with its derivatives."""
    a, b, m, rho, sigma = -0.0410, 0.1331, 0.3586, 0.3060, 0.4153
    root = np.sqrt((k - m) ** 2 + sigma**2)
    return (
        a + b * (rho * (k - m) + root),
        b * (rho + (k - m) / root),
        b * sigma**2 / root**3,
    )


def test_vogts_smile_has_a_butterfly_as_published():
    k = np.linspace(-1.5, 1.5, 3001)
    g = arbitrage.durrleman(k, *vogt(k))
    negative = k[g < 0.0]
    assert negative.min() == pytest.approx(0.64, abs=0.02)
    assert negative.max() == pytest.approx(1.25, abs=0.02)
    assert (np.diff(negative) < 0.0015).all()
    assert g.min() == pytest.approx(-0.033, abs=0.002)


def test_the_surface_through_vogts_smile_has_it_too():
    k = np.linspace(-1.5, 1.5, 61)
    surface = Surface("vogt", (Smile(1.0, k, np.sqrt(vogt(k)[0])),))
    fine = np.linspace(-1.2, 1.3, 501)
    report = arbitrage.checks(surface, k=fine)
    g = report[report["check"] == "butterfly"]
    np.testing.assert_allclose(g["value"], arbitrage.durrleman(fine, *vogt(fine)), atol=2e-3)
    found = failures(report).set_index("check")["k"]
    assert set(found.index) == {"butterfly", "convexity", "vertical"}
    assert found[["butterfly", "convexity"]].between(0.64, 1.26).all()
    assert found["vertical"].max() < 1.0  # more than all mass lies below, and is taken back above


def test_g_is_the_convexity_of_call_prices():
    T, h = 0.25, 1e-3
    for k in np.linspace(-0.6, 0.6, 7):
        K = np.exp(k) * np.array([1.0 - h, 1.0, 1.0 + h])
        sigma = CLEAN.sigma(T, np.log(K))
        low, middle, high = (plain_price(1.0, x, s, T, True) for x, s in zip(K, sigma, strict=True))
        bend = (low - 2.0 * middle + high) / (h * K[1]) ** 2
        # The density of S is d²C/dK²; that of ln(S/F) is K times it.
        assert arbitrage.density(CLEAN, T, k) == pytest.approx(bend * K[1], rel=1e-4)


@pytest.mark.parametrize("T", [7 / 365, 0.1, 1.0])
def test_the_density_is_one_in_all_and_its_mean_is_the_forward(T):
    k = np.linspace(-25.0, 25.0, 200_001) * 0.7 * math.sqrt(T)
    p = arbitrage.density(CLEAN, T, k)
    assert (p >= 0.0).all()
    assert np.trapezoid(p, k) == pytest.approx(1.0, abs=1e-6)
    assert np.trapezoid(p * np.exp(k), k) == pytest.approx(1.0, abs=1e-4)


def test_before_the_first_expiry_g_only_gains():
    first = CLEAN.smiles[0].years
    x = np.linspace(-0.8, 0.8, 161)
    g = []
    for T in (first / 16.0, first / 4.0, first):
        k = x * math.sqrt(T / first)
        g.append(arbitrage.durrleman(k, *(CLEAN.variance(T, k, order) for order in range(3))))
    assert (g[0] >= g[1]).all()
    assert (g[1] >= g[2]).all()


def test_years_between_and_beyond_the_expiries_can_be_judged():
    years = [0.001, 0.01, 0.1, 0.5, 0.9, 2.0]
    report = arbitrage.checks(CLEAN, years=years)
    butterfly = report[report["check"] == "butterfly"]
    assert butterfly["years"].unique().tolist() == years
    assert failures(report).empty
    steep = replaced(2, Smile.by_delta(1.0, [0.9, 0.5, 0.1], [0.95, 0.65, 0.85]))
    far = failures(arbitrage.checks(steep, years=[1.0, 400.0]))
    assert set(far["check"]) == {"butterfly"}
    assert set(far["years"]) == {400.0}


STRIKES = np.array([20_000.0, 24_000.0, 28_000.0, 30_000.0, 33_000.0, 40_000.0])
F, T, D = 30_000.0, 0.25, 0.98


def priced(call, strikes=STRIKES):
    sigma = CLEAN.sigma(T, np.log(strikes / F))
    return np.array([plain_price(F, K, s, T, call, D) for K, s in zip(strikes, sigma, strict=True)])


def book():
    strikes = np.concatenate([STRIKES, STRIKES])
    return strikes, np.concatenate([priced(True), priced(False)]), np.repeat([True, False], 6)


def test_clean_prices_pass():
    strikes, prices, call = book()
    report = arbitrage.quotes(F, strikes, prices, T, call, D)
    assert failures(report).empty
    expected = [f"{side} {what}" for side in ("call", "put") for what in ("bounds", "vertical")]
    assert set(report["check"]) > set(expected)
    assert (report["check"] == "parity").sum() == 6


def test_order_of_the_quotes_does_not_matter():
    strikes, prices, call = book()
    mixed = np.random.default_rng(3).permutation(12)
    report = arbitrage.quotes(F, strikes[mixed], prices[mixed], T, call[mixed], D)
    pd.testing.assert_frame_equal(report, arbitrage.quotes(F, strikes, prices, T, call, D))


def test_puts_are_judged_as_the_calls_that_parity_makes_of_them():
    report = arbitrage.quotes(F, *book()[:2], T, book()[2], D).set_index("check")["value"]
    np.testing.assert_allclose(report["put convexity"], report["call convexity"], atol=1e-12)
    np.testing.assert_allclose(report["put vertical"], 1.0 + report["call vertical"], atol=1e-12)


@pytest.mark.parametrize(
    ("place", "price", "checks"),
    [
        # The clean calls cost 10841, 7769, 5163, 4084, 2786, 1091; the puts 1041, 1889, … 10891.
        (0, 9_000.0, {"call bounds", "call vertical", "call convexity", "parity"}),  # under 9,800
        (3, 5_300.0, {"call convexity", "call vertical", "parity"}),
        (3, 3_300.0, {"call convexity", "parity"}),
        (6, 20_000.0, {"put bounds", "put convexity", "put vertical", "parity"}),  # above 19,600
        (11, 9_700.0, {"put bounds", "parity"}),  # under 9,800
    ],
)
def test_a_planted_price_is_found(place, price, checks):
    strikes, prices, call = book()
    prices[place] = price
    found = failures(arbitrage.quotes(F, strikes, prices, T, call, D))
    assert set(found["check"]) == checks
    at = strikes[place]
    near = np.log(STRIKES[np.abs(np.arange(6) - np.searchsorted(STRIKES, at)) <= 1] / F)
    assert found["k"].between(near.min(), near.max()).all()
    side = "call" if call[place] else "put"
    assert found["check"].str.startswith((side, "parity")).all()
    exact = found[found["check"].isin(["parity", f"{side} bounds"])]
    np.testing.assert_allclose(exact["k"], np.log(at / F))


def test_the_gap_of_parity_is_what_was_planted():
    strikes, prices, call = book()
    prices[2] += 12.5
    report = arbitrage.quotes(F, strikes, prices, T, call, D)
    parity = report[report["check"] == "parity"]
    np.testing.assert_allclose(parity["value"], [0, 0, 12.5, 0, 0, 0], atol=1e-8)
    assert parity["passed"].tolist() == [True, True, False, True, True, True]


@pytest.mark.parametrize(("error", "passed"), [(6.2, False), (6.3, True)])
def test_the_error_of_both_prices_may_make_the_gap(error, passed):
    strikes, prices, call = book()
    prices[2] += 12.5
    report = arbitrage.quotes(F, strikes, prices, T, call, D, error=error)
    assert report.loc[report["check"] == "parity", "passed"].all() == passed


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    noise=st.lists(st.sampled_from([-1.0, -0.5, 1.0]), min_size=12, max_size=12),
    error=st.floats(0.01, 3_000.0),
)
def test_prices_wrong_by_no_more_than_their_error_pass(noise, error):
    strikes, prices, call = book()
    report = arbitrage.quotes(F, strikes, prices + error * np.array(noise), T, call, D, error=error)
    assert failures(report).empty


def test_limits_give_way_by_what_the_errors_can_do():
    # Calls on 100 at 90, 100, 120: slopes (11 - 12)/10 and (1 - 11)/20, each price wrong by 0.1.
    report = arbitrage.quotes(100.0, [90.0, 100.0, 120.0], [12.0, 11.0, 1.0], 0.1, True, error=0.1)
    convexity = report[report["check"] == "call convexity"].iloc[1]
    assert convexity["value"] == pytest.approx(-0.4, rel=1e-12)
    assert convexity["limit"] == pytest.approx(-(0.2 / 10.0 + 0.2 / 20.0), rel=1e-12)
    vertical = report[report["check"] == "call vertical"].iloc[1]
    assert vertical["value"] == pytest.approx(-0.1, rel=1e-12)
    assert vertical["limit"] == pytest.approx(0.2 / 10.0, rel=1e-12)


def test_the_default_grid_has_all_quotes_and_three_places_between_each_two():
    smiles = (Smile(0.1, [-0.2, 0.0], [0.6, 0.6]), Smile(0.5, [0.0, 0.4], [0.6, 0.6]))
    report = arbitrage.checks(Surface("BTC", smiles))
    places = [-0.2, -0.15, -0.1, -0.05, 0.0, 0.1, 0.2, 0.3, 0.4]
    for (check, _), rows in report.groupby(["check", "years"]):
        if check in ("butterfly", "calendar"):
            np.testing.assert_allclose(rows["k"], places, atol=1e-15)


def test_one_price_is_enough():
    report = arbitrage.quotes(100.0, [100.0], [5.0], 0.1, True)
    assert report["check"].tolist() == ["call bounds", "call vertical"]
    assert failures(report).empty
    dear = failures(arbitrage.quotes(100.0, [100.0], [101.0], 0.1, True))
    assert dear[["value", "limit"]].to_numpy().tolist() == [
        [101.0, 100.0],
        [pytest.approx(0.01), 0],
    ]


def test_summary_counts_and_names_the_worst():
    smile = CLEAN.smiles[1]
    sigma = smile.sigma.copy()
    sigma[[28, 36]] *= 1.01, 1.03
    report = arbitrage.checks(replaced(1, Smile(smile.years, smile.k, sigma)))
    table = arbitrage.summary(report)
    assert table.index.tolist() == report["check"].unique().tolist()
    for check, rows in report.groupby("check"):
        assert table.loc[check, "places"] == len(rows)
        assert table.loc[check, "failed"] == (~rows["passed"]).sum()
    worst = report[report["check"] == "butterfly"].sort_values("value").iloc[0]
    columns = ["years", "k", "value", "limit"]
    assert table.loc["butterfly", columns].tolist() == worst[columns].tolist()
    assert abs(worst["k"] - smile.k[36]) <= smile.k[1] - smile.k[0]
    assert table.loc["wing", columns].isna().all()


def test_a_summary_without_failures_has_no_worst_place():
    table = arbitrage.summary(arbitrage.checks(CLEAN))
    assert (table["failed"] == 0).all()
    assert table[["years", "k", "value", "limit"]].isna().all(axis=None)
    assert table["places"].sum() == len(arbitrage.checks(CLEAN))


def quoted(forward=100.0, strikes=(90.0, 110.0), prices=(12.0, 2.0), years=0.1, call=True, **more):
    return arbitrage.quotes(forward, strikes, prices, years, call, **more)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: quoted(forward=0.0), ParameterError, "forward is 0"),
        (lambda: quoted(forward=math.nan), ParameterError, "forward is nan"),
        (lambda: quoted(years=-0.1), ParameterError, "years is -0.1"),
        (lambda: quoted(discount=0.0), ParameterError, "discount is 0"),
        (lambda: quoted(error=-1.0), ParameterError, "error is -1"),
        (lambda: quoted(strikes=(), prices=()), DataError, "give a row of one or more"),
        (lambda: quoted(prices=(1.0,)), DataError, r"shapes \(2,\), \(1,\)"),
        (lambda: quoted(call=(True,)), DataError, r"and \(1,\)"),
        (lambda: quoted(call=(1.0, 0.0)), DataError, "call holds float64"),
        (lambda: quoted(strikes=("90", "110")), DataError, "strikes are of type <U3"),
        (lambda: quoted(prices=(None, 1.0)), DataError, "prices are of type object"),
        (lambda: quoted(strikes=(0.0, 1.0)), DataError, r"strikes\[0\] is 0"),
        (lambda: quoted(strikes=(90.0, math.inf)), DataError, r"strikes\[1\] is inf"),
        (lambda: quoted(prices=(1.0, math.nan)), DataError, r"prices\[1\] is nan"),
        (lambda: quoted(strikes=(90.0, 90.0)), DataError, "the call at strike 90 has two prices"),
        (
            lambda: quoted(strikes=(90.0, 90.0), call=(False, False)),
            DataError,
            "the put at strike 90 has two",
        ),
        (lambda: arbitrage.checks(CLEAN, years=[0.5, 0.5]), ParameterError, "do not ascend"),
        (lambda: arbitrage.checks(CLEAN, years=[0.5, 0.1]), ParameterError, "do not ascend"),
        (lambda: arbitrage.checks(CLEAN, years=[0.0, 0.1]), ParameterError, "element 0 is 0"),
        (lambda: arbitrage.checks(CLEAN, k=[math.nan]), ParameterError, "k: element 0 is nan"),
        (lambda: arbitrage.checks(CLEAN, years=[]), ParameterError, "years are none"),
        (lambda: arbitrage.checks(CLEAN, years=0.5), ParameterError, "years are none"),
        (lambda: arbitrage.checks(CLEAN, k=[]), ParameterError, "k is empty"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
