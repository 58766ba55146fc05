import io

import pandas as pd
import pytest

from tests.workbook.feeds import loopback
from xcoll.workbook.feeds import store
from xcoll.workbook.feeds.exchange import Exchange
from xcoll.workbook.feeds.fetch import fetch
from xcoll.workbook.feeds.patience import Patience
from xcoll.workbook.progress import Progress


@pytest.fixture(scope="session")
def serving():
    made = loopback.Exchange()
    yield made
    made.close()


@pytest.fixture
def server(serving):
    """The exchange on this machine, as new."""
    serving.renew()
    return serving


@pytest.fixture
def own(tmp_path):
    return store.own(tmp_path, "mine")


@pytest.fixture
def fetched(server, own):
    """A fetch from the loopback exchange; it waits for nothing, and notes how long it would."""

    def call(*symbols, name="binance", bar="1d", since="2023-01-01", until=None, ahead=0.0, **more):
        client = loopback.client(server.url, name)
        client.throttle = lambda cost=None: call.throttled.append(cost)
        exchange = Exchange(client, lambda: loopback.NOW / 1000 - ahead)
        return fetch(
            exchange,
            own,
            symbols or ("BTC/USDT",),
            bar=bar,
            since=pd.Timestamp(since),
            until=None if until is None else pd.Timestamp(until),
            patience=Patience(wait=call.waits.append, draw=lambda: 1.0),
            progress=Progress(call.stream),
            **more,
        )

    call.waits, call.throttled, call.stream = [], [], io.StringIO()
    return call
