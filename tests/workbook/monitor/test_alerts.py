"""Alerts: each fires on what it names, and is silent without."""

import inspect
import math
from dataclasses import replace

import pandas as pd
import pytest

from tests.workbook.monitor.states import CASE, DAYS, POLICY, ROOT, VENUE, frame, state
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.governance import Governance
from xcoll.collateral.recalibration.proposal import propose
from xcoll.systemic.fragility.toxicity import toxicity
from xcoll.workbook.files import read_venues
from xcoll.workbook.monitor import alerts, rules, targets

RULES = rules.read(ROOT / "data" / "monitor.yaml")
POLICY_ = Policy.of(POLICY)
DAY = pd.Timestamp(DAYS[0])


def names(found):
    return [one.name for one in found]


def test_every_alert_is_of_a_known_kind_and_a_quiet_run_has_none():
    read = state()
    assert alerts.correlation(read["correlation_alerts"], DAY) == []
    assert alerts.toxic(read["toxic_pairs"]) == []
    assert alerts.data(read["quality"], DAY, RULES) == []
    tests = (read["tail_ranking"], read["coverage"], read["coverage_rates"])
    assert alerts.coverage(*tests, POLICY_, 1, RULES) == []


def test_correlation_counts_what_came_after_the_entry_before():
    rows = [
        {"time": day, "kind": kind, "name": name, "value": 0.86, "threshold": 0.84}
        for day, kind, name in (
            ("2023-06-02", "pair", "BTC~ETH"),
            ("2023-06-03", "pair", "BTC~ETH"),
            ("2023-06-05", "factor", "first_eigenvalue_share"),
        )
    ]
    found = alerts.correlation(frame("correlation_alerts", *rows), DAY)
    assert names(found) == ["BTC~ETH on 2023-06-03", "first eigenvalue share on 2023-06-05"]
    assert (found[0].kind, found[0].value, found[0].threshold) == ("correlation", 0.86, 0.84)
    assert "0.86, above 0.84" in found[0].said
    assert "rose by 86.0 points" in found[1].said


def covered(rejected=0, rejected_es=0, lights=("green",) * 12, rates=(), **case):
    ranked = {"assets": 12, "allowed": 2, "rejected": rejected, "rejected_es": rejected_es}
    tested = [
        {"sample": "all bars", "asset": f"A{n}", "traffic_light": light, "exceedances": 20,
         "expected": 7.0, **CASE, **case}
        for n, light in enumerate(lights)
    ]  # fmt: skip
    tested.append({"sample": "after a fall", "asset": "A0", "traffic_light": "red", **CASE, **case})
    other = {"assets": 12, "rejected": 12, **CASE, "method": "normal"}
    tables = (
        frame("tail_ranking", ranked | CASE | case, other),
        frame("coverage", *tested),
        frame("coverage_rates", *({**CASE, **case, **row} for row in rates)),
    )
    return alerts.coverage(*tables, POLICY_, 1, RULES)


def test_coverage_counts_rejections_against_what_chance_allows():
    assert covered(rejected=2, rejected_es=2) == []
    found = covered(rejected=3, rejected_es=4)
    assert names(found) == ["conditional coverage of fhs", "ES (Z2) of fhs"]
    assert [(one.value, one.threshold) for one in found] == [(3.0, 2.0), (4.0, 2.0)]
    assert "3 of 12 series" in found[0].said


def test_yellow_lights_are_counted_and_a_red_one_is_enough():
    assert covered(lights=("yellow",) * 2 + ("green",) * 10) == []  # chance allows two of twelve
    assert names(covered(lights=("yellow",) * 3 + ("green",) * 9)) == ["traffic lights of fhs"]
    found = covered(lights=("red", *("green",) * 11))
    assert names(found) == ["red light of A0"]
    assert (found[0].value, found[0].threshold) == (20.0, 7.0)


def rate(sample, rate, rate_p, es_p):
    return {"sample": sample, "rate": rate, "rate_p": rate_p, "es_ratio": 2.0, "es_p": es_p}


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        # one test in four has to pass 1.25 %
        ([rate("all bars", 0.02, 0.013, 0.5), rate("after a fall", 0.02, 0.5, 0.5)], []),
        (
            [rate("all bars", 0.02, 0.012, 0.5), rate("after a fall", 0.02, 0.5, 0.5)],
            ["rate of exceedances, all bars"],
        ),
        # Holm's second step is at 5/3 %
        (
            [rate("all bars", 0.02, 0.012, 0.016), rate("after a fall", 0.02, 0.5, 0.5)],
            ["rate of exceedances, all bars", "pooled ES, all bars"],
        ),
        # too few exceedances are no alert, and what is not known is not counted
        ([rate("all bars", 0.001, 0.0001, math.nan)], []),
        ([rate("all bars", 0.02, 0.04, math.nan)], ["rate of exceedances, all bars"]),
    ],
)
def test_the_pooled_tests_are_taken_together(rates, expected):
    assert names(covered(rates=rates)) == expected


def test_coverage_of_another_method_level_or_horizon_does_not_count():
    for other in ({"method": "normal"}, {"confidence": 0.975}, {"bars": 3}, {"loss": "end"}):
        found = covered(rejected=9, **other)
        assert names(found) == ["fhs is untested"]
    evt = alerts.coverage(*(frame(n) for n in ("tail_ranking", "coverage", "coverage_rates")),
                          replace(POLICY_, method="evt"), 1, RULES)  # fmt: skip
    assert names(evt) == ["evt is untested"]


def pair(venue, collateral, alarm="sales …", **values):
    numbers = {"distance": 0.3, "tipping": math.inf, "gain": 0.0, "shortfall": 0.1}
    return {"venue": venue, "collateral": collateral, "alarm": alarm, **numbers, **values}


def test_toxic_pairs_alarm_once_a_collateral_by_the_nearest():
    found = alerts.toxic(
        frame(
            "toxic_pairs",
            pair("all", "LINK", tipping=0.01),
            pair("Maker", "LINK", tipping=0.09),
            pair("Maker", "LINK", tipping=0.05, debt="USDC"),
            pair("Aave", "LINK", gain=0.8),
            pair("Aave", "ETH", alarm=""),
            pair("Maker", "USDC", distance=-0.08, shortfall=0.002),
        )
    )
    assert names(found) == ["LINK at Aave", "LINK at Maker", "USDC at Maker"]
    assert found[0].value == 0.8
    assert math.isnan(found[0].threshold)
    assert (found[1].value, found[1].threshold) == (0.05, 0.1)
    assert (found[2].value, found[2].threshold) == (-0.08, 0.002)


def test_the_alarms_are_those_of_the_model():
    assert inspect.signature(toxicity).parameters["most_gain"].default == 0.5


def held_of(values):
    index = pd.MultiIndex.from_product([["ETH"], values], names=["asset", "parameter"])
    return pd.DataFrame({"value": values.values()}, index).assign(moved=pd.NaT, under_way=False)


def lagging(**held):
    venues = read_venues(ROOT / "data" / "venues.yaml")
    read = state()
    rails = targets.rails(POLICY_, venues.venue(VENUE))
    before = held_of(held)
    return alerts.lag(propose(before, targets.wanted(read, RULES), DAY, rails), RULES)


def test_a_parameter_lags_where_it_lends_more_for_longer_than_the_patience():
    found = lagging(threshold=0.775)  # 0.745 is six steps away, one of them is made now
    assert names(found) == ["ETH threshold"]
    assert (found[0].value, found[0].threshold) == (15.0, 14.0)
    assert "2.5 points from its target" in found[0].said
    assert lagging(threshold=0.77) == []  # four steps more: twelve days
    assert lagging(threshold=0.60) == []  # what lends less than its target is no danger
    assert names(lagging(bonus=0.0)) == []  # inside patience
    assert names(lagging(threshold=0.83, ltv=0.805, bonus=0.08)) == ["ETH threshold", "ETH ltv"]


def test_a_bonus_lags_on_its_low_side():
    read = state(targets={"ETH": (0.745, 0.56, 0.09, 7e6)})
    made = propose(held_of({"bonus": 0.02}), targets.wanted(read, RULES), DAY, Governance())
    assert names(alerts.lag(made, RULES)) == ["ETH bonus"]


def test_data_findings_alert_by_their_check_and_while_they_are_new():
    rows = [
        {
            "asset": "ETH",
            "check": check,
            "start": start,
            "end": end,
            "value": 25.0,
            "action": "kept",
        }
        for check, start, end in (
            ("outlier", "2023-05-30", "2023-05-30"),
            ("outlier", "2023-06-04", "2023-06-04"),
            ("gap", "2023-05-30", "2023-06-03"),
            ("late listing", "2023-06-04", "2023-06-05"),
        )
    ]
    found = alerts.data(frame("quality", *rows), DAY, RULES)
    assert names(found) == ["ETH: outlier from 2023-06-04", "ETH: gap from 2023-05-30"]
    assert found[0].value == 25.0


def test_the_rules_name_checks_that_exist():
    source = (ROOT / "xcoll" / "market").glob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in source)
    for check in RULES.findings.checks:
        field = check.split()[0]
        assert f'"{check}"' in text or (check.endswith("out of range") and f'"{field}"' in text)
