"""The edge to ccxt: what is opened, how the clock is read, what is said when it fails."""

import sys

import pytest

from tests.workbook.feeds import loopback as lb
from xcoll.errors import DataError, ParameterError
from xcoll.workbook.feeds import exchange as edge
from xcoll.workbook.feeds.exchange import Exchange
from xcoll.workbook.feeds.patience import TransientError


@pytest.fixture
def opened(server):
    client = lb.client(server.url)
    client.throttle = lambda cost=None: None
    made = Exchange(client, lambda: lb.NOW / 1000)
    made.open()
    return made


def test_an_exchange_is_opened_with_its_rate_limit_kept():
    client = edge.client("kraken")
    assert client.enableRateLimit is True
    assert client.rateLimit > 0
    with pytest.raises(ParameterError, match=r"no exchange 'karken'; did you mean kraken"):
        edge.client("karken")
    with pytest.raises(ParameterError, match="none like it"):
        edge.client("")


def test_without_ccxt_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(DataError, match=r"make data-extra.*pip install -e \.\[data\]"):
        edge.client("kraken")


def test_without_a_clock_the_date_of_an_answer_is_taken(opened, server):
    opened.client.has["fetchTime"] = None
    skew, measured = opened.skew()
    assert (skew, measured) == (0.0, "this machine's clock: the exchange tells no time")
    server.faults.append(lb.status(200, Date="Thu, 01 Feb 2024 00:00:00 GMT"))
    opened.page("BTC/USDT", "1d", lb.START, 500)
    skew, measured = opened.skew()
    first_of_february = lb.START + 396 * lb.DAY
    assert skew == pytest.approx((first_of_february - lb.NOW) / 1000 + 0.5)
    assert measured == "the date of its answers"


@pytest.mark.parametrize("told", [None, 0, -5, "soon", True])
def test_a_clock_that_answers_nonsense_is_named(told, opened, monkeypatch):
    monkeypatch.setattr(opened.client, "fetch_time", lambda: told)
    with pytest.raises(DataError, match="its clock says"):
        opened.skew()


def test_a_failed_answer_leaves_nothing_for_the_next(opened, server):
    server.faults.append(lb.status(429, Retry_After="55"))
    server.faults.append(lb.reset)
    with pytest.raises(TransientError) as first:
        opened.page("BTC/USDT", "1d", lb.START, 500)
    with pytest.raises(TransientError) as second:
        opened.page("BTC/USDT", "1d", lb.START, 500)
    assert (first.value.after, second.value.after) == (55.0, 0.0)


def test_a_market_that_went_away_is_named(opened):
    del opened.client.markets["BTC/USDT"]
    with pytest.raises(DataError, match=r"asked for bars of BTC/USDT: BadSymbol"):
        opened.page("BTC/USDT", "1d", lb.START, 500)


def test_an_exchange_without_bars_is_named(opened):
    opened.client.has["fetchOHLCV"] = "emulated"
    with pytest.raises(ParameterError, match="binance serves no bars"):
        opened.bar("1d")


def test_what_is_known_is_not_asked_for_and_an_odd_market_is_named(opened):
    known = {"GONE/USD": "GONE"}
    assert opened.assets(["BTC/USDT", "GONE/USD"], known) == {**known, "BTC/USDT": "BTC"}
    opened.client.markets["ETH/USDT"]["base"] = None
    with pytest.raises(DataError, match="market ETH/USDT has no base"):
        opened.assets(["ETH/USDT"], {})


def test_the_length_of_a_page_is_what_ccxt_knows_of_it(opened):
    assert opened.limit("BTC/USDT") == 1000
    opened.client.features = None
    assert opened.limit("BTC/USDT") == edge.LIMIT
