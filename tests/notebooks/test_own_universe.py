"""The whole chain on a universe and a stress scenario of one's own."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.notebooks import quick
from xcoll.workbook import cli

pytestmark = pytest.mark.chain
ROOT = Path(__file__).parents[2]


def test_a_small_universe_of_ones_own_goes_the_whole_way(tmp_path):
    universe = yaml.safe_load((ROOT / "data" / "universe.yaml").read_text(encoding="utf-8"))
    kept = ("BTC", "ETH", "USDC", "wstETH")
    universe["assets"] = {symbol: universe["assets"][symbol] for symbol in kept}
    universe["ignored"] = {}
    wide = pd.read_csv(ROOT / "data" / "crypto_prices.csv", sep=";").set_index("Date")
    wide = wide[[f"{symbol}-USD" for symbol in kept[:3]]]
    wide.stack().rename_axis(["time", "asset"]).rename("close").to_csv(tmp_path / "own.csv")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(universe), encoding="utf-8")
    given = {"prices_file": tmp_path / "own.csv", "universe_file": tmp_path / "own.yaml"}
    given |= {"bars_file": "null", "choice": "bridge", "donor": "ETH"}  # no lows
    given |= {"delisted": "ETH", "delisted_from": "2023-06-01"}  # which never had to go
    given |= {"06b_thresholds.budget": 0.01}  # two coins cannot do with less
    winter = "my winter: {shock: {ETH: -0.5, rest: -0.4}, over: 48h, depth: 0.3, gas: 5}"
    (tmp_path / "winter.yaml").write_text(winter, encoding="utf-8")
    given |= {"scenarios_file": tmp_path / "winter.yaml", "severity": "as given"}
    given |= {"scenario": "my winter"}
    # 0.975 is also the level that 04 falls back on: both levels are one then.
    given |= {"confidence": 0.975}
    words = [word for name, value in given.items() for word in ("-p", f"{name}={value}")]
    words += quick.arguments()
    assert cli.main(["run", "--reports", str(tmp_path / "reports"), *words]) == 0
    made = tmp_path / "reports" / "default" / "artifacts"
    table = pd.read_parquet(made / "05_haircuts" / "parameters.parquet")
    assert set(table["asset"]) == {*kept}
    forecasts = pd.read_parquet(made / "04_tail_risk" / "tail_forecasts.parquet")
    assert forecasts["confidence"].unique().tolist() == [0.975]
    signs = pd.read_parquet(made / "05c_recalibration" / "delisting.parquet")
    assert signs["said"].isna().all()
    losses = pd.read_parquet(made / "07b_scenarios" / "scenario_losses.parquet")
    assert losses[["scenario", "severity"]].to_numpy().tolist() == [["my winter", "as given"]]
    assert losses["bad_debt"].item() > 0
    cases = pd.read_parquet(made / "07c_breakers" / "measure_cases.parquet")
    assert set(cases["scenario"]) == {"my winter"}
