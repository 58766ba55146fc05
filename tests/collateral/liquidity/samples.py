"""An asset with the blocks that a test asks for, and the depth left in a crisis."""

import datetime

from xcoll.collateral.facts import Stress
from xcoll.collateral.universe import Asset

FACTS = {"source": "made up for a test", "date": datetime.date(2023, 12, 31)}
STRESS = Stress(dex_depth=0.5, cex_depth=0.3, replenishment=0.2, replenishment_time="5min", **FACTS)


def asset(*blocks, **changes):
    known = {
        "liquidity": {
            "venue": "test", "adv_usd": 1e8, "adv_p5_usd": 4e7, "adv_2022_usd": 3e8, **FACTS
        },
        "depth": {
            "token": "T", "size_usd": (1e6, 1e7), "impact": (0.01, 0.05),
            **FACTS, "date": datetime.date(2023, 11, 20),
        },
    }  # fmt: skip
    given = {name: known[name] | changes.pop(name, {}) for name in blocks}
    feed = {"feed": "test", "deviation": 0.005, "heartbeat": "1h", **FACTS}
    return Asset(
        **{
            "symbol": "T", "name": "Test", "kind": "native", "chain": "test", "roles": ("debt",),
            "column": "T-USD", "oracle": feed, **given, **changes,
        }
    )  # fmt: skip
