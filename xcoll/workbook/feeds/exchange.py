"""An exchange as ccxt knows it: opened by name, asked for its clock and for pages of bars.

Everything that can go wrong on the way is either a `TransientError`, worth another try, or an error
that names the exchange and the fix.  ccxt keeps the exchange's rate limit by waiting between
questions, and is imported only here: it is an extra of this project.
"""

import difflib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any, TypeVar

from xcoll.errors import DataError, ParameterError
from xcoll.workbook.feeds.patience import TransientError

__all__ = ["Exchange", "client"]

T = TypeVar("T")
LIMIT = 500  # bars asked for at once where the exchange says nothing
REFUSED = {401, 403, 404, 410, 451}  # answers that another try does not change
# What ccxt raises where an answer is not of the shape that it takes apart without looking.
SHAPELESS = (TypeError, KeyError, IndexError, AttributeError, ValueError, ArithmeticError)


def client(name: str) -> Any:
    """Ccxt's object for the exchange called `name`, its rate limit kept.

    Raises
    ------
    DataError
        ccxt is not installed.
    ParameterError
        ccxt knows no such exchange; the nearest names are given.
    """
    known = _ccxt().exchanges
    if name not in known:
        raise ParameterError(f"no exchange {name!r}{_near(name, known)}")
    # The usual variables of the environment (HTTPS_PROXY, NO_PROXY) are followed.
    return getattr(_ccxt(), name)(
        {"enableRateLimit": True, "timeout": 30_000, "requests_trust_env": True}
    )


class Exchange:
    """One exchange; `client` is ccxt's object, `now` this machine's clock in seconds."""

    def __init__(self, client: Any, now: Callable[[], float] = time.time) -> None:
        self.client = client
        self.name: str = client.id
        self.now = now
        self._response: Any = None
        self._answered = 0.0  # when, by this machine's clock
        client.session.hooks["response"].append(self._seen)

    def open(self) -> None:
        """Read what is traded; a `TransientError` where that fails for now."""
        self._ask("what is traded", self.client.load_markets)

    def bar(self, length: str) -> int:
        """Milliseconds of a bar that the exchange serves.

        Raises
        ------
        ParameterError
            It serves no bars, or none of this length; with those it has.
        """
        if self.client.has.get("fetchOHLCV") is not True:
            raise ParameterError(f"{self.name} serves no bars; take another exchange")
        lengths = list(self.client.timeframes or {})
        if length not in lengths:
            raise ParameterError(f"{self.name} has no bars of {length!r}; {', '.join(lengths)}")
        if length[-1] in "My":
            raise ParameterError(
                f"--bar {length}: months and years differ in length; take 1w or 1d"
            )
        return int(self.client.parse_timeframe(length)) * 1000

    def assets(self, symbols: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
        """Symbol → asset, the base of its market; those that are `known` come first, unasked.

        Raises
        ------
        ParameterError
            A symbol that is not traded, with near ones; two symbols of one asset.
        """
        named = dict(known)
        for symbol in symbols:
            market = self.client.markets.get(symbol)
            if symbol in named:
                continue
            if market is None:
                near = _near(symbol, self.client.markets)
                raise ParameterError(f"{self.name} has no market {symbol!r}{near}")
            if not isinstance(market.get("base"), str) or not market["base"]:
                raise DataError(f"{self.name}: market {symbol} has no base; leave it out")
            named[symbol] = market["base"]
        for asset in named.values():
            several = [symbol for symbol, base in named.items() if base == asset]
            if len(several) > 1:
                raise ParameterError(
                    f"{' and '.join(several)} are both prices of {asset}; fetch them under two "
                    "names"
                )
        return named

    def skew(self) -> tuple[float, str]:
        """Seconds that its clock is ahead of this machine's, and how that was measured."""
        before = self.now()
        if self.client.has.get("fetchTime"):
            told = self._ask("its time", self.client.fetch_time)
            if isinstance(told, bool) or not isinstance(told, int | float) or not told > 0:
                raise DataError(f"{self.name}: its clock says {told!r}; ask again later")
            return told / 1000 - (before + self.now()) / 2, "its clock"
        told = None if self._response is None else _date(self._response.headers.get("Date"))
        if told is None:
            return 0.0, "this machine's clock: the exchange tells no time"
        # Whole seconds: the middle of the second that was told.
        return told + 0.5 - self._answered, "the date of its answers"

    def limit(self, symbol: str) -> int:
        """Bars that one page may have."""
        limit = self.client.feature_value(symbol, "fetchOHLCV", "limit", LIMIT)
        return int(limit) if isinstance(limit, int | float) and limit > 1 else LIMIT

    def page(self, symbol: str, bar: str, since: int, limit: int) -> object:
        """What the exchange answers when asked for bars from `since` on, not judged."""
        what = f"bars of {symbol}"
        answer = self._ask(what, lambda: self.client.fetch_ohlcv(symbol, bar, since, limit))
        if fault := _no_json(self.client.last_http_response):
            raise TransientError(f"{self.name}: {fault} when asked for {what}")
        return answer

    def _seen(self, response: Any, *_: Any, **__: Any) -> None:
        self._response, self._answered = response, self.now()

    def _ask(self, what: str, question: Callable[[], T]) -> T:
        ccxt = _ccxt()
        self._response = self.client.last_http_response = None
        asked = f"{self.name}, asked for {what}"
        try:
            return question()
        except ccxt.BaseError as error:
            status = 0 if self._response is None else self._response.status_code
            text = f"{asked}: {_words(error, status)}"
            fault = _no_json(self.client.last_http_response) if 200 <= status < 300 else None
            if status in REFUSED:
                raise DataError(
                    f"{text}; it does not serve this, or not from where you ask: check the symbol"
                ) from error
            passing = isinstance(error, ccxt.OperationFailed) or status == 429 or status >= 500
            if passing or fault:
                raise TransientError(
                    f"{asked}: {fault}" if fault else text, self._after()
                ) from error
            raise DataError(f"{asked}: {_words(error, 0)}; check the symbol and the bar") from error
        except SHAPELESS as error:
            if fault := _no_json(self.client.last_http_response):
                raise TransientError(f"{asked}: {fault}") from error
            raise DataError(
                f"{asked}: its answer is not of the shape that ccxt takes apart "
                f"({type(error).__name__}: {error}), it begins "
                f"{(self.client.last_http_response or '')[:80]!r}; ask again later, or try a "
                "newer ccxt"
            ) from error

    def _after(self) -> float:
        """Seconds that the last answer asks to wait: a number, or a date by its own clock."""
        headers = {} if self._response is None else self._response.headers
        text = headers.get("Retry-After", "").strip()
        if text.replace(".", "", 1).isdigit():
            return float(text)
        until, told = _date(text), _date(headers.get("Date"))
        return 0.0 if until is None else max(0.0, until - (self.now() if told is None else told))


def _ccxt() -> ModuleType:
    try:
        import ccxt
    except ModuleNotFoundError as error:
        raise DataError(
            "ccxt is not installed, and fetching needs it; from the project's folder: "
            "`make data-extra`, or `pip install -e .[data]`"
        ) from error
    return ccxt


def _near(name: str, known: Iterable[str]) -> str:
    spelled = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), spelled, n=6, cutoff=0.5)
    near = ", ".join(spelled[other] for other in close)
    return f"; did you mean {near}?" if near else f"; there are {len(spelled)}, none like it"


def _no_json(text: str | None) -> str | None:
    """What is wrong with an answer that is no JSON; None where nothing is, or nothing came."""
    try:
        json.loads(text or "null")
    except ValueError:
        if text.lstrip().startswith("<"):
            return "HTML where JSON belongs (a gateway's page, or a wall)"
        return f"no whole JSON ({len(text)} characters, ending {text[-20:]!r})"
    return None


def _date(text: str | None) -> float | None:
    """Seconds since 1970 of a date in a header; None where it is none."""
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (TypeError, ValueError):
        return None


def _words(error: Exception, status: int) -> str:
    if status >= 400:
        return f"HTTP {status} ({type(error).__name__})"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
