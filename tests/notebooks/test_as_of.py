"""Nothing after the date: the first notebook leaves the same bytes whatever happens later."""

import json
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest

from xcoll.workbook import fingerprint, project
from xcoll.workbook.parameters import read

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "01_market_data.ipynb"
DAY = "2021-06-30"  # the bars with lows go on after it, and LUNA has not fallen yet


def left_by(folder, monkeypatch, **values):
    """Hashes of what the cells of the notebook save, run here without a kernel or figures."""
    output = folder / "artifacts"
    output.mkdir(parents=True)
    step = {"notebook": NOTEBOOK.stem, "root": str(ROOT), "reports": str(folder), "inputs": {}}
    (folder / "run.json").write_text(json.dumps({**step, "output": str(output), "facts": {}}))
    monkeypatch.setenv(project.STEP_VARIABLE, str(folder / "run.json"))
    names = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            exec(compile(source, cell["id"], "exec"), names)
            names["plots"] = MagicMock()  # figures are no artifacts
        if "parameters" in cell["metadata"].get("tags", ()):
            names |= {one.name: one.default for one in read(NOTEBOOK)} | values
    return fingerprint.tree(output)


def spoilt(folder):
    """The bundled prices and bars with a crash, a hole, a zero and more rows after the day."""
    folder.mkdir()
    prices = pd.read_csv(ROOT / "data" / "crypto_prices.csv", sep=";", dtype={"Date": str})
    later = prices["Date"] > DAY
    numbers = prices.columns.drop("Date")
    prices.loc[later, numbers] *= np.random.default_rng(7).uniform(0.2, 5.0, (later.sum(), 1))
    prices.loc[prices.index[later][10], "ETH-USD"] = 0.0
    prices.loc[prices.index[later][20:40], "BTC-USD"] = np.nan
    prices = pd.concat([prices, prices.tail(1)])  # and a date that is there twice
    prices.to_csv(folder / "crypto_prices.csv", sep=";", index=False)
    bars = pd.read_csv(ROOT / "data" / "btc_bars.csv", dtype=str)
    time = bars.columns[0]
    kept = bars[bars[time].str[:10] <= DAY]
    assert 0 < len(kept) < len(bars)
    kept.to_csv(folder / "btc_bars.csv", index=False)
    return {name: str(folder / f"{file}.csv") for name, file in
            {"prices_file": "crypto_prices", "bars_file": "btc_bars"}.items()}  # fmt: skip


def test_what_comes_later_changes_no_byte(tmp_path, monkeypatch):
    before = left_by(tmp_path / "one", monkeypatch, as_of=DAY)
    files = spoilt(tmp_path / "spoilt")
    assert left_by(tmp_path / "two", monkeypatch, as_of=DAY, **files) == before
    assert len(before) == 7
    earlier = left_by(tmp_path / "three", monkeypatch, as_of="2021-06-29")
    assert {name for name in before if before[name] != earlier[name]} >= {
        "prices.parquet", "returns.parquet", "data_card.json"
    }  # fmt: skip
    saved = pd.read_parquet(tmp_path / "two" / "artifacts" / "prices.parquet")
    assert saved.index[-1] == pd.Timestamp(DAY)


def test_a_date_beyond_the_data_names_the_last_bar(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="the last bar is 2023-12-31 00:00:00, before 2024-01-01"):
        left_by(tmp_path / "late", monkeypatch, as_of="2024-01-01")
    with pytest.raises(ValueError, match="no bar up to 2019-12-31, the first one is 2020-01-01"):
        left_by(tmp_path / "early", monkeypatch, as_of="2019-12-31")
    with pytest.raises(ValueError, match="AVAX has fewer than two prices; add them or leave it"):
        left_by(tmp_path / "young", monkeypatch, as_of="2020-06-30")
