"""Black's prices against 500 digits, the textbook and published numbers; greeks by differences."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from xcoll.errors import ParameterError
from xcoll.margin.options import _kernels, black

BOTH = np.array([True, False])


def arctan_of_one_over(n):
    power = total = Decimal(1) / n
    k = 1
    while abs(power) > Decimal("1e-498"):
        power /= -n * n
        k += 2
        total += power / k
    return total


def normal(y, root):
    """N(y) = 1/2 + φ(y)·(y + y³/3 + y⁵/(3·5) + …); enough digits are left in the tail."""
    term = total = y
    n = 1
    while abs(term) > abs(total) * Decimal("1e-480"):
        n += 2
        term *= y * y / n
        total += term
    return Decimal("0.5") + (-y * y / 2).exp() * total / root


def root_of_two_pi():
    return (8 * (4 * arctan_of_one_over(5) - arctan_of_one_over(239))).sqrt()  # π by Machin's


def exact(k, s):
    """B of the kernels by the textbook's formula with 500 digits."""
    with localcontext(prec=500):
        root, k, s = root_of_two_pi(), Decimal(k), Decimal(s)
        return float(normal(s / 2 - k / s, root) - k.exp() * normal(-s / 2 - k / s, root))


def exact_excess(y):
    with localcontext(prec=500):
        root, y = root_of_two_pi(), Decimal(y)
        return float((-y * y / 2).exp() / root / normal(-y, root) - y)


def textbook(F, K, sigma, T, call, D=1.0):
    d1 = np.log(F / K) / (sigma * np.sqrt(T)) + 0.5 * sigma * np.sqrt(T)
    d2, sign = d1 - sigma * np.sqrt(T), np.where(call, 1.0, -1.0)
    return D * sign * (F * ndtr(sign * d1) - K * ndtr(sign * d2))


def test_excess_is_the_hazard_rate_less_its_argument():
    y = np.concatenate([np.linspace(0.0, 2.0, 41), np.geomspace(2.1, 36.0, 20)])
    found = [_kernels.excess(value) for value in y]
    np.testing.assert_allclose(found, [exact_excess(value) for value in y], rtol=3e-15)
    assert _kernels.excess(1e9) == pytest.approx(1e-9, rel=1e-15)


@pytest.mark.parametrize("s", [1e-4, 3e-3, 0.0499, 0.0501, 0.2, 1.0, 3.0, 8.0])
def test_normalised_price_to_the_last_digits(s):
    d = np.array([-36.0, -20.0, -6.0, -2.0, -0.5, -1e-3, 0.0, 0.01, 0.4, 1.5, 4.0])
    k = np.unique(np.maximum((0.5 * s - d) * s, 0.0))
    found = np.empty(len(k))
    _kernels.normalised(k, np.full(len(k), s), found)
    np.testing.assert_allclose(found, [exact(at, s) for at in k], rtol=5e-13, atol=0.0)


def test_normalised_price_is_continuous_where_its_form_changes():
    rng = np.random.default_rng(0)
    for s in (_kernels.FLAT, 0.3, 2.0):
        k = 0.5 * s * s  # d = 0
        beside = np.array([np.nextafter(s, 0.0), s, np.nextafter(s, 9.0)])
        for at in (k, 0.2 * k, 3.0 * k, k * rng.random()):
            low, here, high = (_kernels.black(at, value) for value in beside)
            assert low == pytest.approx(here, rel=2e-14)
            assert high == pytest.approx(here, rel=2e-14)


def test_textbook_formula():
    rng = np.random.default_rng(1)
    F = rng.uniform(50.0, 150.0, 500)
    K, call = F * np.exp(rng.normal(0.0, 0.4, 500)), rng.random(500) < 0.5
    sigma, T, D = (rng.uniform(low, high, 500) for low, high in ((0.1, 2), (0.01, 2), (0.8, 1.1)))
    found = black.price(F, K, sigma, T, call, D)
    np.testing.assert_allclose(found, textbook(F, K, sigma, T, call, D), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("F", "K", "sigma", "T", "call", "r", "expected", "digits"),
    [
        # Hull, Options, Futures, and Other Derivatives: European futures put by Black's model
        (20.0, 20.0, 0.25, 4 / 12, False, 0.09, 1.12, 2),
        # the same, stock options at S = 42: call and put
        (42.0 * np.exp(0.05), 40.0, 0.2, 0.5, True, 0.1, 4.76, 2),
        (42.0 * np.exp(0.05), 40.0, 0.2, 0.5, False, 0.1, 0.81, 2),
        # Haug, The Complete Guide to Option Pricing Formulas: Brent futures
        (19.0, 19.0, 0.28, 0.75, True, 0.1, 1.7011, 4),
        (19.0, 19.0, 0.28, 0.75, False, 0.1, 1.7011, 4),
        # Derive's margin example: undiscounted mark of a call with 500,400 seconds to go
        (1500.8333, 1500.0, 1.047884494, 500_400 / 31_536_000, True, 0.0, 79.3716, 4),
    ],
)
def test_published_prices(F, K, sigma, T, call, r, expected, digits):
    found = black.price(F, K, sigma, T, call, np.exp(-r * T))
    assert found == pytest.approx(expected, abs=0.5 * 10.0**-digits)


def test_published_greeks():
    """Hull's option on S = 49: delta 0.522, gamma 0.066, vega 12.1, rho 8.91, theta −4.31."""
    S, K, r, sigma, T = 49.0, 50.0, 0.05, 0.2, 0.3846
    growth = np.exp(r * T)
    found = black.greeks(S * growth, K, sigma, T, True, 1.0 / growth)
    delta = found.delta * growth
    assert delta == pytest.approx(0.522, abs=5e-4)
    assert found.gamma * growth**2 == pytest.approx(0.066, abs=5e-4)
    assert found.vega == pytest.approx(12.1, abs=0.05)
    # his rate also moves the forward, and his time the forward and the discount
    assert found.rho + delta * S * T == pytest.approx(8.91, abs=5e-3)
    value = -found.rho / T
    assert found.theta + r * value - r * delta * S == pytest.approx(-4.31, abs=5e-3)


TERMS = (
    st.floats(1.0, 1e5),
    st.floats(-3.0, 3.0),
    st.floats(0.01, 4.0),
    st.floats(1e-3, 3.0),
    st.floats(0.5, 1.2),
)


@given(*TERMS)
@settings(derandomize=True, deadline=None)
def test_parity_and_bounds(F, x, sigma, T, D):
    K = F * np.exp(x)
    call, put = black.price(F, K, sigma, T, BOTH, D)
    assert call - put == pytest.approx(D * (F - K), rel=1e-15, abs=4e-16 * D * max(F, K))
    assert D * max(F - K, 0.0) <= call <= D * F * (1 + 4e-16)
    assert D * max(K - F, 0.0) <= put <= D * K * (1 + 4e-16)


@given(*TERMS)
@settings(derandomize=True, deadline=None)
def test_price_rises_with_volatility_and_time_and_is_convex_in_strike(F, x, sigma, T, D):
    K = F * np.exp(x)
    for call in BOTH:
        at = black.price(F, K, sigma, T, call, D)
        floor = at - 1e-13 * at
        assert black.price(F, K, 1.01 * sigma, T, call, D) >= floor
        assert black.price(F, K, sigma, 1.01 * T, call, D) >= floor
        left, middle, right = black.price(F, K * np.array([0.9, 1.0, 1.1]), sigma, T, call, D)
        assert (right - middle) * (1 if call else -1) <= 1e-13 * max(left, right)
        assert left + right - 2 * middle >= -1e-13 * max(left, right)


@given(*TERMS)
@settings(derandomize=True, deadline=None)
def test_price_has_degree_one_and_the_symmetry_of_call_and_put(F, x, sigma, T, D):
    K = F * np.exp(x)
    at = black.price(F, K, sigma, T, BOTH, D)
    np.testing.assert_array_equal(black.price(4 * F, 4 * K, sigma, T, BOTH, D), 4 * at)
    np.testing.assert_array_equal(black.price(K, F, sigma, T, ~BOTH, D), at)


def test_far_out_of_the_money_no_price_is_negative():
    K = 100.0 * np.exp(np.linspace(-4.0, 4.0, 4001))
    for s in (1e-5, 1e-3, 0.01, 0.1, 0.5):
        assert (black.price(100.0, K, s, 1.0, K > 100.0) >= 0.0).all()


def test_no_volatility_no_time_and_infinite_volatility():
    K = np.array([80.0, 100.0, 125.0])
    for sigma, T in ((0.0, 1.0), (0.5, 0.0), (0.0, 0.0), (np.inf, 0.0)):
        assert black.price(100.0, K, sigma, T, True, 0.5).tolist() == [10.0, 0.0, 0.0]
        assert black.price(100.0, K, sigma, T, False, 0.5).tolist() == [0.0, 0.0, 12.5]
    assert black.price(100.0, K, np.inf, 0.1, True, 0.5).tolist() == [50.0, 50.0, 50.0]
    assert black.price(100.0, K, np.inf, 0.1, False, 0.5).tolist() == [40.0, 50.0, 62.5]


@pytest.mark.parametrize("sigma", [0.5, 0.0])
@pytest.mark.parametrize("place", range(5))
def test_nan_stays_where_it_is(place, sigma):
    terms = [np.array([value, value]) for value in (100.0, 90.0, sigma, 1.0, 0.9)]
    terms[place][0] = np.nan
    *first, D = terms
    found = {"price": black.price(*first, True, D), **vars(black.greeks(*first, True, D))}
    for name, values in found.items():
        assert np.isnan(values).tolist() == [True, False], name


def test_shapes():
    grid = black.price(np.array([[90.0], [110.0]]), [80.0, 100.0, 120.0], 0.5, 1.0, True)
    assert grid.shape == (2, 3)
    assert grid[1, 2] == black.price(110.0, 120.0, 0.5, 1.0, True)
    assert black.price([], 100.0, 0.5, 1.0, True).shape == (0,)
    assert black.price([100], [100], [1], [1], [True]).shape == (1,)
    assert np.ndim(black.price(100, 100, 1, 1, True)) == 0
    assert black.greeks(100.0, [90.0, 110.0], 0.5, 1.0, True).delta.shape == (2,)


CASES = [
    (F, K, sigma, T, call, D)
    for F, K in ((100.0, 100.0), (100.0, 130.0), (100.0, 80.0))
    for sigma, T in ((0.2, 0.25), (0.8, 1.5))
    for call in (True, False)
    for D in (1.0, 0.9)
]


@pytest.mark.parametrize(("F", "K", "sigma", "T", "call", "D"), CASES)
def test_greeks_are_the_differences_of_the_price(F, K, sigma, T, call, D):
    def value(F=F, sigma=sigma, T=T, D=D):
        return float(black.price(F, K, sigma, T, call, D))

    def slope(f, at, h):
        return (8 * (f(at + h) - f(at - h)) - f(at + 2 * h) + f(at - 2 * h)) / (12 * h)

    def greek(name, **changed):
        given = {"forward": F, "sigma": sigma} | changed
        return getattr(black.greeks(given["forward"], K, given["sigma"], T, call, D), name)

    found = black.greeks(F, K, sigma, T, call, D)
    wanted = {
        "delta": slope(lambda F: value(F=F), F, 0.05),
        "gamma": slope(lambda F: greek("delta", forward=F), F, 0.05),
        "vega": slope(lambda sigma: value(sigma=sigma), sigma, 1e-3),
        "theta": -slope(lambda T: value(T=T), T, 1e-3),
        "vanna": slope(lambda sigma: greek("delta", sigma=sigma), sigma, 1e-3),
        "volga": slope(lambda sigma: greek("vega", sigma=sigma), sigma, 1e-3),
        "rho": slope(lambda r: value(D=D * np.exp(-r * T)), 0.0, 1e-3),
    }
    for name, expected in wanted.items():
        assert getattr(found, name) == pytest.approx(expected, rel=1e-7, abs=1e-8), name


@given(*TERMS)
@settings(derandomize=True, deadline=None)
def test_identities_of_the_greeks(F, x, sigma, T, D):
    K = F * np.exp(x)
    found = black.greeks(F, K, sigma, T, BOTH, D)
    s = sigma * np.sqrt(T)
    d1 = (np.log(F) - np.log(K)) / s + 0.5 * s
    assert found.delta[0] - found.delta[1] == pytest.approx(D, rel=1e-14)
    for name in ("gamma", "vega", "theta", "vanna", "volga"):
        assert getattr(found, name)[0] == getattr(found, name)[1]
    near = {"rel": 1e-12, "abs": 1e-300}
    assert found.theta[0] == pytest.approx(-0.5 * sigma**2 * F**2 * found.gamma[0], **near)
    assert found.vega[0] == pytest.approx(F**2 * found.gamma[0] * sigma * T, **near)
    # the price has degree one in F and K: its vega has too, so vanna = (vega − K·∂vega/∂K)/F
    assert found.vanna[0] * F == pytest.approx(found.vega[0] * (1 - d1 / s), rel=1e-9, abs=1e-9)
    assert found.rho == pytest.approx(-T * black.price(F, K, sigma, T, BOTH, D))


def test_greeks_without_volatility_or_time_are_those_of_the_intrinsic_value():
    K = np.array([80.0, 100.0, 125.0])
    for sigma, T in ((0.0, 1.0), (0.5, 0.0), (np.inf, 0.0)):
        call, put = (black.greeks(100.0, K, sigma, T, side, 0.8) for side in (True, False))
        assert call.delta.tolist() == [0.8, 0.4, 0.0]
        assert put.delta.tolist() == [0.0, -0.4, -0.8]
        for name in ("gamma", "vega", "theta", "vanna", "volga"):
            assert getattr(call, name).tolist() == [0.0, 0.0, 0.0]
        np.testing.assert_allclose(call.rho, [-16.0 * T, 0.0, 0.0])
    most = black.greeks(100.0, K, np.inf, 1.0, True, 0.8)
    assert most.delta.tolist() == [0.8, 0.8, 0.8]
    assert most.vega.tolist() == most.gamma.tolist() == most.theta.tolist() == [0.0, 0.0, 0.0]


GOOD = {"forward": 100.0, "strike": 90.0, "sigma": 0.5, "years": 1.0, "call": True, "discount": 0.9}


@pytest.mark.parametrize("function", [black.price, black.greeks])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"forward": 0.0}, "forward is 0; give a finite number above zero"),
        ({"forward": [100.0, -1.0]}, r"forward\[1\] is -1;"),
        ({"forward": np.inf}, "forward is inf;"),
        ({"strike": [[90.0, np.nan, -90.0]]}, r"strike\[0, 2\] is -90; give a finite number above"),
        (
            {"strike": [90.0, 1e-308], "forward": 1e9},
            r"strike\[1\] is 1e-308 at a forward of 1e\+09",
        ),
        ({"discount": 0.0}, "discount is 0;"),
        ({"sigma": [0.1, 0.2, -0.3]}, r"sigma\[2\] is -0.3; give zero or more"),
        ({"years": [0.1, -0.1]}, r"years\[1\] is -0.1; .*expiry in the past"),
        ({"years": np.inf}, "years is inf;"),
        ({"call": 1}, "call is of type int64; give True for calls, False for puts"),
        ({"call": ["call", "put"]}, "call is of type"),
        ({"call": []}, "call is of type float64"),
        ({"forward": "100"}, "forward is of type"),
        ({"sigma": None}, "sigma is of type object; give numbers"),
        ({"sigma": True}, "sigma is of type bool; give numbers"),
        ({"forward": [1.0, 2.0], "strike": [1.0, 2.0, 3.0]}, r"shapes \(2,\), \(3,\), "),
    ],
)
def test_bad_arguments_are_named(function, wrong, message):
    with pytest.raises(ParameterError, match=message):
        function(**(GOOD | wrong))
