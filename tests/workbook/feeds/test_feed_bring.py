"""Files brought into one: what comes of them, what is refused, and that nothing is half there."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from xcoll.errors import DataError, ParameterError
from xcoll.workbook import files, fingerprint
from xcoll.workbook.feeds import store
from xcoll.workbook.feeds.bring import bring

WIDE = "time;BTC;ETH;USDC\n2023-01-01;10;20;1\n2023-01-02;11;21;1\n2023-01-04;12;22;0.99\n"
LONG = (
    "time,asset,close,low,high,volume\n"
    "2023-01-05,BTC,13,12,14,5\n2023-01-05,ADA,3,2,4,5\n2023-01-06,BTC,14,13,15,5\n"
    "2023-01-06,ADA,4,3,5,5\n2023-01-07,BTC,15,13,15,5\n2023-01-07,ADA,5,3,5,5\n"
)


@pytest.fixture
def put(tmp_path):
    def written(text, name="a.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def kept(own):
    return {p.name: p.read_bytes() for p in own.folder.iterdir() if p.name.startswith("mine")}


def test_wide_and_long_become_one_with_a_card(put, own):
    first, second = put(WIDE), put(LONG, "b.csv")
    made = bring([first, second], own)
    prices = files.read_prices(own.data)[0]
    assert prices.assets == ["BTC", "ETH", "USDC", "ADA"]
    assert prices.close["BTC"].tolist()[4:] == [13.0, 14.0, 15.0]
    assert prices.close.loc["2023-01-03"].isna().all()
    assert prices.low["BTC"].count() == 3
    card = json.loads(own.card.read_text())
    assert card == made.card
    assert card["sha256"] == fingerprint.file(own.data)
    assert [(one["file"], one["sha256"], one["rows"]) for one in card["sources"]] == [
        ("a.csv", fingerprint.file(first), 3), ("b.csv", fingerprint.file(second), 6)
    ]  # fmt: skip
    assert (card["bars"], card["bar_hours"], card["missing_bars"]) == (6, 24.0, 3)
    assert (card["start"], card["end"]) == ("2023-01-01T00:00:00", "2023-01-07T00:00:00")
    assert {one["check"] for one in card["findings"]} >= {"missing bar", "late listing"}
    assert made.news == ["new"]
    assert made.notes == []
    gaps = pd.read_csv(own.gaps)
    assert gaps[["asset", "where", "bars"]].to_numpy().tolist() == [
        [asset, "inside", 1] for asset in ("BTC", "ETH", "USDC")
    ]


def test_the_same_again_touches_nothing_and_parquet_says_the_same(put, own, tmp_path):
    bring([put(WIDE)], own)
    before = kept(own)
    assert bring([put(WIDE)], own).news == []
    files.read_table(put(WIDE)).to_parquet(tmp_path / "a.parquet")
    assert bring([tmp_path / "a.parquet"], own).news == []
    shuffled = put(WIDE.splitlines()[0] + "\n" + "\n".join(WIDE.splitlines()[:0:-1]), "c.csv")
    assert bring([shuffled], own).news == []
    assert kept(own) == before


def test_other_content_under_the_name_is_told_in_words_and_refused(put, own):
    bring([put(WIDE)], own)
    before = kept(own)
    with pytest.raises(DataError) as caught:
        bring([put(WIDE.replace(";22;", ";23;"))], own)
    assert str(caught.value).splitlines() == [
        "mine: other prices stand under this name; take another --name, or give --replace to "
        "exchange them (nothing was touched)",
        "  1 bar changed, the first of ETH at 2023-01-04: close 22 is now 23",
    ]
    assert kept(own) == before
    assert bring([put(WIDE.replace(";22;", ";23;"))], own, replace=True).news
    assert files.read_prices(own.data)[0].close["ETH"].iloc[-1] == 23.0


def test_a_file_that_changed_under_its_name_is_found_out(put, own):
    bring([put(WIDE)], own)
    assert store.changed(own.data) is None
    table = pq.read_table(own.data)
    pq.write_table(table, own.data, compression="none")  # the same numbers in other bytes
    assert "mine.parquet changed under the same name" in store.changed(own.data)
    with pytest.raises(DataError, match="changed under the same name"):
        bring([put(WIDE)], own)
    own.data.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="no readable parquet"):
        bring([put(WIDE)], own)
    bring([put(WIDE)], own, replace=True)
    assert store.changed(own.data) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WIDE.replace(";22;", ";-22;"), "ETH: close of -22 at 2023-01-04"),
        (WIDE + "2023-01-04;12;23;0.99\n", "ETH has several rows for 2023-01-04 that differ"),
        (WIDE.replace("22", "x"), "column ETH holds 'x' in row 3"),
        (
            WIDE + "2023-01-04T05:00;12;23;0.99\n",
            "a.csv: 2023-01-02 is off the grid of bars of 0 days 05:00:00",
        ),
        ("time;BTC\n", "has no rows"),
        ("time;BTC\n2023-01-01;1\n", "one timestamp only"),
        ("", "is empty"),
        ("a;b\n1;2\n", "no column of times"),
    ],
)
def test_bad_files_are_refused_and_nothing_is_left(text, said, put, own):
    with pytest.raises(DataError, match=said):
        bring([put(text)], own)
    assert not kept(own)


def test_one_asset_comes_in_and_is_told_to_be_too_few(put, own):
    made = bring([put("time,BTC\n2023-01-01,1\n2023-01-02,2\n")], own)
    assert "one asset only" in made.notes[0]
    assert own.data.exists()


def test_a_file_given_twice_and_an_unfinished_fetch_are_refused(put, own):
    path = put(WIDE)
    with pytest.raises(DataError, match=r"a.csv is given twice"):
        bring([path, path], own)
    own.part.write_text("{}\n")
    with pytest.raises(DataError, match="unfinished fetch"):
        bring([path], own)
    bring([path], own, replace=True)
    assert not own.part.exists()


@pytest.mark.parametrize("stop", ["mine.parquet", "mine.json"])
def test_a_stop_half_way_leaves_the_old_or_the_new_whole(stop, put, own, monkeypatch):
    bring([put(WIDE)], own)
    before = kept(own)
    rename = Path.replace

    def stopped(path, target):
        if Path(target).name == stop:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        bring([put(WIDE.replace(";22;", ";23;"))], own, replace=True)
    monkeypatch.undo()
    if stop == "mine.parquet":
        assert kept(own) == before
    # The next writer finds data and card that belong together, and no halves.
    with own.held():
        assert store.changed(own.data) is None
        assert files.read_prices(own.data)[0].close["ETH"].iloc[-1] == (
            22.0 if stop == "mine.parquet" else 23.0
        )
    assert sorted(path.name for path in own.folder.iterdir()) == sorted(
        [".mine.lock", "a.csv", "mine-gaps.csv", "mine.json", "mine.parquet"]
    )


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../a", "a b", "x" * 101])
def test_a_name_is_that_of_a_file(name, tmp_path):
    with pytest.raises(ParameterError, match="--name"):
        store.own(tmp_path, name)


@pytest.mark.parametrize("text", ["nonsense", "[]"])
def test_a_card_that_is_none_is_named(text, own):
    own.card.write_text(text)
    with pytest.raises(DataError, match=r"mine.json: .*remove it"):
        own.described()
