"""A server on this machine that answers as Binance and as Kraken do, faults included.

Binance serves bars from a time on, up to a number; Kraken its last 720, whatever the time.  The
bars are synthetic.  `faults` holds what befalls the next questions for bars, one each; `None` is
none.
"""

import json
import socket
import struct
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import ccxt

DAY = 86_400_000
HOUR = 3_600_000
START = 1_672_531_200_000  # 2023-01-01
NOW = START + 400 * DAY + 5 * HOUR  # the exchange's clock: five hours into a bar


def made(start=START, count=401, step=DAY, price=100.0, skip=()):
    """Synthetic bars: time, open, high, low, close, volume."""
    rows = []
    for place in range(count):
        close = price + (7 * place) % 11
        if place not in skip:
            rows.append(
                [start + place * step, close - 1, close + 2, close - 3, close, 10.0 + place]
            )
    return rows


class Exchange:
    """The server, its bars by pair ("BTCUSDT"), its clock and what goes wrong next."""

    def __init__(self):
        self.renew()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def renew(self):
        self.bars = {"BTCUSDT": made(), "ETHUSDT": made(price=50.0), "USDCUSDT": made(price=5.0)}
        self.now = NOW
        self.most = 1000  # bars of a page
        self.faults = deque()
        self.asked = []  # path and query of every question

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def questions(self):
        """Queries for bars."""
        return [query for path, query in self.asked if path.endswith(("klines", "OHLC"))]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path, query):
        name = path.rpartition("/")[2]
        if path.startswith("/0/"):
            return {"error": [], "result": getattr(self, f"_kraken_{name.lower()}")(query)}
        return getattr(self, f"_binance_{name.lower()}")(query)

    def _binance_exchangeinfo(self, query):
        pairs = [
            {"symbol": pair, "baseAsset": pair[:-4], "quoteAsset": pair[-4:], "status": "TRADING"}
            for pair in self.bars
        ]
        return {"symbols": pairs if query["spot"] else []}

    def _binance_time(self, query):
        return {"serverTime": self.now}

    def _binance_klines(self, query):
        begin, limit = int(query["startTime"]), min(int(query["limit"]), self.most)
        rows = [row for row in self.bars[query["symbol"]] if row[0] >= begin]
        return [[row[0], *map(str, row[1:]), row[0] + DAY - 1] for row in rows[:limit]]

    def _kraken_assetpairs(self, query):
        return {
            pair: {"altname": pair, "wsname": f"{pair[:-4]}/{pair[-4:]}", "base": pair[:-4],
                   "quote": pair[-4:], "pair_decimals": 2, "lot_decimals": 8, "status": "online"}
            for pair in self.bars
        }  # fmt: skip

    def _kraken_assets(self, query):
        return {}

    def _kraken_time(self, query):
        return {"unixtime": self.now // 1000}

    def _kraken_ohlc(self, query):
        rows = self.bars[query["pair"]]
        last = [row for row in rows if row[0] > int(query["since"]) * 1000][-720:]
        shown = [[row[0] // 1000, *map(str, row[1:5]), "0", str(row[5]), 1] for row in last]
        return {query["pair"]: shown, "last": shown[-2][0] if len(shown) > 1 else 0}

    def _handler(exchange):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlparse(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                exchange.asked.append((parts.path, query))
                bars = parts.path.endswith(("klines", "OHLC"))
                fault = exchange.faults.popleft() if bars and exchange.faults else None
                query["spot"] = parts.path.startswith("/api/")
                reply = Reply(exchange.answer(parts.path, query))
                if fault is not None:
                    fault(reply)
                self.reply(reply)

            def reply(self, reply):
                if reply.reset:
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                    return
                self.send_response_only(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *told):
                pass

        return Handler


class Reply:
    """What is about to be sent; a fault is a function that changes it."""

    def __init__(self, content):
        self.content = content
        self.status, self.headers, self.reset = 200, {"Content-Type": "application/json"}, False
        self.raw = None

    @property
    def body(self):
        return json.dumps(self.content).encode() if self.raw is None else self.raw

    @property
    def rows(self):
        """The list of bars in an answer of either exchange."""
        if isinstance(self.content, list):
            return self.content
        return next(iter(self.content["result"].values()))


def status(code, **headers):
    def fault(reply):
        reply.status = code
        if code != 200:
            reply.content = {"code": -1, "msg": "no"}
        reply.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def reset(reply):
    reply.reset = True


def html(reply):
    reply.raw = b"<html><body>Checking your browser</body></html>"


def torn(reply):
    reply.raw = reply.body[: len(reply.body) // 2]


def short(reply):
    """A page with its end cut off."""
    del reply.rows[max(1, len(reply.rows) // 3) :]


def without(*places):
    """A page with bars left out."""

    def fault(reply):
        for place in sorted(places, reverse=True):
            del reply.rows[place]

    return fault


def empty(reply):
    reply.rows.clear()


def doubled(reply):
    """Unsorted, the first three bars twice."""
    reply.rows[:] = [*reply.rows[::-1], *reply.rows[:3]]


def changed(place, field, value):
    """One field of one bar is another."""

    def fault(reply):
        reply.rows[place][field] = value

    return fault


def contradiction(reply):
    """The second bar twice, the second time with another close."""
    row = list(reply.rows[1])
    row[4] = "77"
    reply.rows.insert(2, row)


def held_up(met, go):
    """The answer waits: `met` is set when it is asked for, and it goes out after `go`."""

    def fault(reply):
        met.set()
        go.wait(30)

    return fault


def content(value):
    def fault(reply):
        reply.content = value

    return fault


def client(url, name="binance"):
    """ccxt's object for the exchange, sent to `url`."""
    one = getattr(ccxt, name)({"timeout": 5_000})
    one.session.trust_env = False
    if name == "kraken":
        one.urls["api"] = dict.fromkeys(one.urls["api"], url)
        return one
    hosts = {"public": "/api/v3", "fapiPublic": "/fapi/v1", "dapiPublic": "/dapi/v1"}
    one.urls["api"] = {kind: url + path for kind, path in hosts.items()}
    return one
