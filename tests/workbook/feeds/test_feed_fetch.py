"""Fetching from a server that answers as exchanges do, faults included; nothing is waited for."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.workbook.feeds import loopback as lb
from xcoll.errors import DataError, ParameterError
from xcoll.market.prices import layout
from xcoll.workbook import files
from xcoll.workbook.feeds import bring, store

ROOT = Path(__file__).parents[3]


def served(rows, end=lb.NOW):
    """Closes of served bars that are over, by time."""
    over = [row for row in rows if row[0] + lb.DAY <= end]
    return pd.Series([row[4] for row in over], pd.to_datetime([row[0] for row in over], unit="ms"))


def close(own, asset="BTC"):
    return own.prices().close[asset]


def same(found, wanted):
    assert found.index.equals(wanted.index)
    np.testing.assert_array_equal(found.to_numpy(), wanted.to_numpy())


def kept(own):
    """Every file of this name and its content."""
    return {p.name: p.read_bytes() for p in own.folder.iterdir() if not p.name.endswith(".lock")}


@pytest.mark.parametrize("name", ["binance", "kraken"])
def test_two_exchanges_of_different_manners_give_the_same_bytes(name, fetched, server, own):
    came = fetched("BTC/USDT", "ETH/USDT", name=name)
    same(close(own), served(server.bars["BTCUSDT"]))
    assert came.made.card["sha256"].startswith("45f1274a")  # of either
    assert came.made.card["assets"] == ["BTC", "ETH"]
    assert came.made.gaps.empty
    assert came.counts == {"unfinished": 2}  # the bars in progress
    table = files.read_table(own.data)
    assert list(table) == ["time", "asset", "close", "low", "high", "volume"]
    assert not own.part.exists()
    assert len(fetched.throttled) == len(server.asked)  # the rate limit is asked each time
    assert "400 bars" in fetched.stream.getvalue()


MINUTE_LATER = lb.status(
    429, Retry_After="Thu, 01 Feb 2024 00:01:00 GMT", Date="Thu, 01 Feb 2024 00:00:00 GMT"
)
PASSING = {  # what happens, and the waits that it costs
    "429": (lb.status(429), [1.0]),
    "429 and a number": (lb.status(429, Retry_After="7"), [8.0]),
    "429 and a date": (MINUTE_LATER, [61.0]),
    "500": (lb.status(500), [1.0]),
    "503": (lb.status(503), [1.0]),
    "connection reset": (lb.reset, [1.0]),
    "half an answer": (lb.torn, [1.0]),
    "HTML": (lb.html, [1.0]),
    "a short page": (lb.short, []),
    "unsorted and doubled": (lb.doubled, []),
    "bars left out": (lb.without(3, 4, 200), []),
    "no bar": (lb.empty, []),
    "a bar of nothing": (lb.content([[]]), []),
}
ON_KRAKEN = ("429 and a number", "500", "half an answer", "a short page", "bars left out")


@pytest.mark.parametrize(
    ("what", "name"),
    [(what, "binance") for what in PASSING] + [(what, "kraken") for what in ON_KRAKEN],
)
def test_a_fault_that_passes_leaves_no_trace(what, name, fetched, server, own):
    fault, waits = PASSING[what]
    server.faults.append(fault)
    came = fetched(name=name)
    same(close(own), served(server.bars["BTCUSDT"]))
    assert fetched.waits == waits
    assert came.made.gaps.empty


def test_a_fault_that_stays_stops_after_so_many_tries(fetched, server, own):
    server.faults.extend([lb.status(500)] * 9)
    with pytest.raises(DataError, match=r"asked for bars of BTC/USDT: HTTP 500 .* 7 times"):
        fetched()
    assert fetched.waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    server.faults.clear()
    server.faults.append(lb.status(418, Retry_After="7200"))
    with pytest.raises(DataError, match="left alone for 120 minutes"):
        fetched()


@pytest.mark.parametrize("code", [403, 451])
def test_a_refusal_is_not_repeated(code, fetched, server):
    server.faults.append(lb.status(code))
    with pytest.raises(DataError, match=f"HTTP {code} .*not from where you ask"):
        fetched()
    assert not fetched.waits


# Places count from the page's first bar, 2023-01-31: the last that is held.
NONSENSE = [
    (lb.changed(5, 4, "-3"), "2023-02-05 has a price that is not above zero"),
    (lb.changed(5, 2, "1"), "2023-02-05 has its high under its low"),
    (lb.changed(5, 4, "NaN"), "close is nan"),
    (lb.changed(5, 4, None), "close is None"),
    (lb.changed(5, 0, lb.START + 35 * lb.DAY + 1), "begins where no bar"),
    (lb.contradiction, "two bars of 2023-02-01 that differ"),
    (lb.content({"surprise": 1}), "not of the shape"),
]


def test_nonsense_stops_by_name_and_keeps_what_was_good(fetched, server, own):
    fetched(until="2023-02-01")
    before = kept(own)
    for fault, said in NONSENSE:
        server.faults.append(fault)
        with pytest.raises(DataError, match=said) as caught:
            fetched()
        assert str(caught.value).startswith("binance")
        assert kept(own) == before
    fetched()  # when the exchange has come to its senses
    same(close(own), served(server.bars["BTCUSDT"]))


def test_short_pages_overlap_and_are_never_believed(fetched, server, own):
    server.most = 90
    came = fetched()
    same(close(own), served(server.bars["BTCUSDT"]))
    asked = [int(query["startTime"]) for query in server.questions]
    assert asked[:3] == [lb.START + place * lb.DAY for place in (0, 89, 178)]
    assert came.pages == 5


def test_a_finished_fetch_asks_only_for_what_is_new(fetched, server, own):
    fetched(until="2023-06-01")
    server.asked.clear()
    before = kept(own)
    came = fetched(until="2023-06-01")
    assert not server.questions
    assert came.made.news == []
    assert kept(own) == before
    came = fetched()
    assert int(server.questions[0]["startTime"]) == lb.START + 150 * lb.DAY
    same(close(own), served(server.bars["BTCUSDT"]))
    assert came.made.news == ["249 bars added, the first of BTC at 2023-06-01: close 101"]
    whole = own.data.read_bytes()
    fetched(replace=True)
    assert own.data.read_bytes() == whole  # the same bytes as in one go


def test_more_markets_and_earlier_bars_are_added(fetched, server, own):
    fetched(since="2023-06-01")
    fetched("ETH/USDT", since="2023-01-01", until="2023-03-01")
    assert close(own, "ETH").count() == 59
    fetched("ETH/USDT", "BTC/USDT")
    same(close(own), served(server.bars["BTCUSDT"]))
    same(close(own, "ETH"), served(server.bars["ETHUSDT"]))
    (window,) = own.described()["fetch"]["symbols"]["BTC/USDT"]["covered"]
    assert window == [lb.START, lb.START + 400 * lb.DAY]


def test_missing_bars_are_reported_by_market(fetched, server, own):
    server.bars["BTCUSDT"] = lb.made(skip={10, 11, 50})
    server.bars["ETHUSDT"] = lb.made(start=lb.START + 20 * lb.DAY, count=300, price=50.0)
    came = fetched("BTC/USDT", "ETH/USDT")
    stamps = [pd.Timestamp(text) for text in (
        "2023-01-11", "2023-01-12", "2023-02-20", "2023-02-20", "2023-01-01", "2023-01-20",
        "2023-11-17", "2024-02-04")]  # fmt: skip
    assert came.made.gaps.to_numpy().tolist() == [
        ["BTC", "inside", *stamps[:2], 2], ["BTC", "inside", *stamps[2:4], 1],
        ["ETH", "before the first", *stamps[4:6], 20], ["ETH", "after the last", *stamps[6:], 80],
    ]  # fmt: skip
    written = pd.read_csv(own.gaps, parse_dates=["first", "last"])
    assert written.to_numpy().tolist() == came.made.gaps.to_numpy().tolist()
    assert came.made.card["missing_bars"] == 103


@pytest.mark.parametrize("ahead", [37.0, -3 * 86_400.0, 30 * 86_400.0])
def test_the_clock_of_the_exchange_decides_which_bar_is_over(ahead, fetched, server, own):
    came = fetched(ahead=ahead)
    assert came.skew == pytest.approx(ahead, abs=1e-3)
    assert came.measured == "its clock"
    assert close(own).index[-1] == pd.Timestamp("2024-02-04")
    server.now += lb.DAY
    assert fetched(ahead=ahead).made.prices.end == pd.Timestamp("2024-02-05")


def test_history_that_was_rewritten_is_found_out(fetched, server, own):
    fetched(until="2023-06-01")
    before = kept(own)
    server.bars["BTCUSDT"][150][4] = 101.5
    with pytest.raises(DataError, match="BTC/USDT: two bars of 2023-05-31 that differ, close 105"):
        fetched()
    assert kept(own) == before
    fetched(replace=True)
    assert close(own)["2023-05-31"] == 101.5


def test_other_data_of_that_name_are_left_alone(fetched, server, own, tmp_path):
    fetched(until="2023-02-01")
    with pytest.raises(DataError, match="bars of 1d of binance stand under this name"):
        fetched(name="kraken")
    with pytest.raises(DataError, match="bars of 1d of binance"):
        fetched(bar="1h")
    own.data.write_bytes(own.data.read_bytes() + b" ")
    with pytest.raises(DataError, match=r"mine.parquet changed under the same name"):
        fetched()
    csv = tmp_path / "a.csv"
    csv.write_text("time,BTC,ETH\n2023-01-01,1,2\n2023-01-02,1,2\n")
    bring.bring([csv], own, replace=True)
    with pytest.raises(DataError, match="prices that were not fetched stand under this name"):
        fetched()
    fetched(replace=True)
    assert close(own).count() == 400


def test_a_market_without_a_bar_is_named_and_the_others_kept(fetched, server, own):
    server.bars["ETHUSDT"] = []
    with pytest.raises(DataError, match="no bar of ETH/USDT from 2023-01-01"):
        fetched("BTC/USDT", "ETH/USDT")
    server.asked.clear()
    fetched("BTC/USDT")
    assert not server.questions
    same(close(own), served(server.bars["BTCUSDT"]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"symbols": ("BTC/USTD",)}, "no market 'BTC/USTD'; did you mean BTC/USDT"),
        ({"bar": "7h"}, "no bars of '7h'; 1s, 1m"),
        ({"bar": "1M"}, "differ in length"),
        ({"since": "2024-02-05T01:00"}, "no bar of 1d was over"),
    ],
)
def test_a_wrong_question_is_answered_with_what_there_is(changes, said, fetched, own):
    with pytest.raises(ParameterError, match=said):
        fetched(*changes.pop("symbols", ()), **changes)
    assert kept(own) == {}


def test_two_markets_of_one_asset_and_a_second_fetch_at_once_are_refused(fetched, server, own):
    server.bars["BTCUSDC"] = lb.made()
    with pytest.raises(ParameterError, match=r"BTC/USDT and BTC/USDC are both prices of BTC"):
        fetched("BTC/USDT", "BTC/USDC")
    with own.held(), pytest.raises(DataError, match="another import or fetch of this name"):
        fetched()


KILLED = """
import sys
import pandas as pd
from pathlib import Path
from tests.workbook.feeds import loopback as lb
from xcoll.workbook.feeds import store
from xcoll.workbook.feeds.exchange import Exchange
from xcoll.workbook.feeds.fetch import fetch
from xcoll.workbook.feeds.patience import Patience
from xcoll.workbook.progress import Progress

client = lb.client(sys.argv[1])
client.throttle = lambda cost=None: None
fetch(Exchange(client), store.own(Path(sys.argv[2]), "mine"), ["BTC/USDT", "ETH/USDT"], bar="1d",
      since=pd.Timestamp("2023-01-01"), patience=Patience(), progress=Progress())
"""


def test_a_fetch_that_was_killed_between_pages_goes_on(fetched, server, own):
    fetched(until="2023-02-01")
    before = kept(own)
    server.most = 100
    met, go = threading.Event(), threading.Event()
    server.faults.extend([None, None, lb.held_up(met, go)])
    child = subprocess.Popen([sys.executable, "-c", KILLED, server.url, str(own.folder)], cwd=ROOT)
    try:
        assert met.wait(60)
        child.send_signal(signal.SIGKILL)
        assert child.wait(60) == -signal.SIGKILL
    finally:
        child.kill()
        go.set()
    assert {n: c for n, c in kept(own).items() if n != own.part.name} == before
    assert len(own.part.read_text().splitlines()) == 3  # the head and two pages
    server.asked.clear()
    fetched("BTC/USDT", "ETH/USDT")
    first = int(server.questions[0]["startTime"])
    assert first == lb.START + (30 + 99 + 99) * lb.DAY
    same(close(own), served(server.bars["BTCUSDT"]))
    same(close(own, "ETH"), served(server.bars["ETHUSDT"]))
    assert not own.part.exists()


def test_a_card_that_lost_what_was_fetched_says_so(fetched, own):
    fetched(until="2023-02-01")
    card = json.loads(own.card.read_text())
    del card["fetch"]["symbols"]["BTC/USDT"]["covered"]
    own.card.write_text(json.dumps(card))
    with pytest.raises(DataError, match=r"mine.json: it does not say which symbols"):
        fetched()


def test_what_comes_is_what_the_first_notebook_reads(fetched, own):
    fetched("BTC/USDT", "ETH/USDT", "USDC/USDT")
    prices, found = files.read_prices(own.data)
    assert prices.assets == ["BTC", "ETH", "USDC"]
    assert (prices.low <= prices.close).all(axis=None)
    assert found.empty
    assert layout(files.read_table(own.data)).volume is not None
    assert store.changed(own.data) is None
