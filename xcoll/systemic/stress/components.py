"""What a scenario is made of: prices, their timing, and what surrounds them.

A table by asset names assets, groups (a kind like ``bridged``, a chain like ``avalanche``) and
``rest``: all others but stablecoins, which stay where they are unless they are named.  An asset's
own name counts before its groups, these before ``rest``.
"""

from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    NaiveDatetime,
    Strict,
    Tag,
)

from xcoll.collateral.schema import Duration, Model, Positive, Sourced

__all__ = ["COMPONENTS", "Component", "Components", "Evidence", "Oracle", "Shut", "Window", "fault"]

Component = Literal[
    "window", "scale", "shock", "factor", "sigmas", "basis", "over", "after", "recover", "depth",
    "gas", "capital", "attentive", "oracle", "shut", "delay", "lost", "default",
]  # fmt: skip
COMPONENTS: tuple[str, ...] = get_args(Component)
TIMING = ("scale", "over", "after", "recover")  # these alone are no stress


def _change(value: float) -> float:
    if value < -1.0:
        raise ValueError("beyond −100 %: a price cannot fall below nothing; give −1 for all of it")
    return value


def _depth(value: float) -> float:
    if value <= 0.0:
        raise ValueError("depth must stay above 0; take 0.01 for depth that is all but gone")
    return value


def _form(value: object) -> str:
    return "by asset" if isinstance(value, dict) else "for all"


def _shown(value: object) -> str:
    return "word" if isinstance(value, str) else "multiple"


Number = Annotated[float, Strict()]
Change = Annotated[Number, AfterValidator(_change)]
Depth = Annotated[Number, AfterValidator(_depth)]
Share = Annotated[Number, Field(ge=0, le=1)]
Least = Annotated[Number, Field(ge=0)]
Depths = Annotated[
    Annotated[Depth, Tag("for all")] | Annotated[dict[str, Depth], Tag("by asset")],
    Discriminator(_form),
]
Durations = Annotated[
    Annotated[Duration, Tag("for all")] | Annotated[dict[str, Duration], Tag("by asset")],
    Discriminator(_form),
]
Shown = Annotated[
    Annotated[Positive, Tag("multiple")] | Annotated[Literal["par"], Tag("word")],
    Discriminator(_shown),
]


class Evidence(Sourced):
    """Where the numbers of the components `of` come from."""

    of: tuple[Component, ...]


class Window(Model):
    """Prices of the past: closes from `start` (``from``, the opening) to `end` (``to``).

    held: assets whose prints are not believed, kept at the opening.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    start: NaiveDatetime | None = Field(None, alias="from")
    end: NaiveDatetime | None = Field(None, alias="to")
    held: tuple[str, ...] = ()


class Oracle(Model):
    """What the oracles show instead of the market.

    stuck: they show the opening for so long, of `assets` (all if empty) at `venues` (all if empty).
    show: multiple of the market that they show by asset, or ``par``: a stablecoin at its peg, a
    token at what it stands for; for so long (`lasting`, ``for``), or to the end.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    stuck: Duration | None = None
    assets: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    show: dict[str, Shown] = Field(default_factory=dict)
    lasting: Duration | None = Field(None, alias="for")


class Shut(Model):
    """Assets (all if empty) that can be neither seized nor sold at venues (all if empty)."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    assets: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    lasting: Duration | None = Field(None, alias="for")


class Components(Model):
    """What a scenario is made of; all of it is optional and combines freely.

    Prices.  The moves of several components multiply.
        window: a path of the past, its log moves times `scale`.
        shock: change by asset, −0.3 for a fall of 30 %.
        factor: change of the market; an asset's log move is its beta times the market's.
        sigmas: log move of every asset in its own daily standard deviations, −6 for a fall of six.
        basis: change of a derived token against what it stands for.
        over, after: durations in which all but the window unfold at a constant log rate, and that
        follow, a day each where not given; recover: share of the log move that comes back by the
        end of them.
    Surroundings, from the first step on.
        depth: multiplies the market's depth, one number or by asset; gas: the cost of a call;
        capital: that of the keepers; attentive: the share of borrowers who answer.
        oracle, shut: see there.  delay: extra time until an account can be closed, one duration or
        by asset pledged.
        lost: share of the debt that lenders lose to an exploit at the first step, by venue;
        ``largest`` is the first venue, ``rest`` all others.
        default: share of the debt, largest users first, that is closed whatever its health.
    """

    window: Window | None = None
    scale: Positive | None = None
    shock: dict[str, Change] | None = None
    factor: Change | None = None
    sigmas: Number | None = None
    basis: dict[str, Change] | None = None
    over: Duration | None = None
    after: Duration | None = None
    recover: Share | None = None
    depth: Depths | None = None
    gas: Least | None = None
    capital: Least | None = None
    attentive: Share | None = None
    oracle: Oracle | None = None
    shut: Shut | None = None
    delay: Durations | None = None
    lost: dict[str, Share] | None = None
    default: Share | None = None
    sources: tuple[Evidence, ...] = ()

    @property
    def given(self) -> list[str]:
        """The components that are set, in the order of the schema."""
        return [name for name in COMPONENTS if getattr(self, name) not in (None, {})]

    def source(self, component: str) -> Evidence | None:
        """Where a component's numbers come from, if it says so."""
        return next((found for found in self.sources if component in found.of), None)


def fault(parts: Components) -> str | None:
    """What is wrong with complete components as a whole, with the way out; None if nothing."""
    window, oracle = parts.window, parts.oracle
    if all(name in TIMING for name in parts.given):
        return "nothing happens; give it a window, a shock or another component"
    if window and (window.start is None or window.end is None):
        return "the window needs both from and to"
    if window and window.start >= window.end:
        return f"the window ends ({window.end:%Y-%m-%d}) before it begins; exchange from and to"
    if parts.scale is not None and not window:
        return "scale belongs to a window; give one, or change the shock itself"
    if oracle and not oracle.stuck and not oracle.show:
        return "the oracle needs stuck (how long), or show (what)"
    if oracle and oracle.lasting and not oracle.show:
        return "for belongs to what the oracle shows; give show, or how long it is stuck"
    return None
