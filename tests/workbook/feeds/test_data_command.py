"""`xcoll data` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workbook.feeds import loopback as lb
from xcoll.workbook import cli
from xcoll.workbook.feeds import exchange

ROOT = Path(__file__).resolve().parents[3]
TABLE = "time,BTC,Feather,USDC\n2023-01-01,10,20,1\n2023-01-02,11,21,1\n2023-01-03,12,22,1\n"


@pytest.fixture(autouse=True)
def root(monkeypatch):
    monkeypatch.setenv("XCOLL_ROOT", str(ROOT))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(TABLE)
    return path


def data(*words):
    return cli.main(["data", *map(str, words)])


def test_help_of_a_task_costs_nothing():
    code = (
        "import sys; from xcoll.workbook import cli\n"
        "try:\n    cli.main(['data', 'fetch', '--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "assert not {'pandas', 'ccxt', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_check_says_what_a_file_is(table, capsys):
    assert data("check", table) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{table}: prices\n  sha256")
    assert f"use it with\n  xcoll run -p prices_file={table}" in said
    table.write_text(TABLE.replace("11,21", "-11,21"))
    assert data("check", table) == 1
    said = capsys.readouterr().out
    assert "would stop a run\n  a.csv: BTC: close of -11 at 2023-01-02" in said
    assert "use it with" not in said


def test_check_of_everything_beside_prices(table, capsys):
    accounts = ROOT / "data" / "accounts_template.csv"
    universe, prices = ROOT / "data" / "universe.yaml", ROOT / "data" / "crypto_prices.csv"
    assert data("check", accounts, "--as", "accounts", "--universe", universe,
                "--prices", prices) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "accounts    3, 2 with debt" in said
    assert "book: data/accounts_template.csv" in said
    assert data("check", prices, "--universe", universe) == 0
    said = capsys.readouterr().out
    assert "findings (46)" in said
    assert "and 26 more" in said
    assert "-p universe_file=data/universe.yaml" in said
    assert data("check", prices, "--universe", universe, "--all") == 0
    assert "more" not in capsys.readouterr().out.split("findings")[1].split("use it")[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "nowhere.csv"], "nowhere.csv: no such file"),
        (["check", "{}", "--as", "spam"], "--as is 'spam'"),
        (["check", "{}", "--prices", "nowhere.csv"], "nowhere.csv: no such file"),
        (["import", "nowhere.csv", "--name", "x"], "nowhere.csv: no such file"),
        (["import", "{}", "--name", "../x"], "--name '../x'"),
        (["import", "{}", "--name", "x", "--into", "{}"], "this is a file"),
        (["fetch", "karken", "BTC/USD", "--since", "2023-01-01", "--name", "x"], "kraken"),
        (["fetch", "kraken", "BTC/USD", "--since", "soon", "--name", "x"], "--since soon: write"),
        (["fetch", "kraken", "A", "A", "--since", "2023-01-01", "--name", "x"], "given twice"),
        (["fetch", "kraken", "A", "--since", "2023-01-02", "--until", "2023-01-01", "--name", "x"],
         "is not after"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_2_and_says_why(words, said, table, capsys):
    assert data(*(table if word == "{}" else word for word in words)) == 2
    assert said in capsys.readouterr().err


def test_import_prints_what_to_do_next(table, tmp_path, capsys):
    words = ["import", table, "--name", "mine", "--into", tmp_path / "own", "--skeleton"]
    assert data(*words) == 0
    said = capsys.readouterr().out
    place = tmp_path / "own" / "mine"
    assert f"{place}.parquet: 3 assets, 3 bars of 24 hours" in said
    assert json.loads((tmp_path / "own" / "mine.json").read_text())["sha256"] in said
    assert (
        f"xcoll run --name mine -p prices_file={place}.parquet "
        f"-p universe_file={place}-universe.yaml -p bars_file=null -p choice=bridge\n" in said
    )
    universe = tmp_path / "own" / "mine-universe.yaml"
    universe.write_text(universe.read_text() + "# mine\n")
    assert data("check", f"{place}.parquet", "--universe", universe) == 0
    assert data(*words) == 0
    assert "left as it is" in capsys.readouterr().out
    assert universe.read_text().endswith("# mine\n")
    table.write_text(TABLE.replace("11,21", "12,21"))
    assert data(*words) == 1
    assert "1 bar changed, the first of BTC at 2023-01-02" in capsys.readouterr().err


def test_fetch_from_the_command_line(server, monkeypatch, tmp_path, capsys):
    def client(name):
        made = lb.client(server.url, name)
        made.throttle = lambda cost=None: None
        return made

    monkeypatch.setattr(exchange, "client", client)
    server.bars["USDCUSDT"] = [[row[0], 1, 1.01, 0.99, 1, 9e6] for row in server.bars["BTCUSDT"]]
    words = ["fetch", "binance", "BTC/USDT", "ETH/USDT", "USDC/USDT", "--since", "2022-12-31",
             "--name", "made", "--into", tmp_path, "--skeleton"]  # fmt: skip
    assert data(*words) == 0
    told = capsys.readouterr()
    assert "binance: 3 pages; its clock is" in told.out
    assert "behind this machine's, by its clock" in told.out  # it stands still in 2024
    assert "3 not over yet, dropped" in told.out
    assert "before the first  2022-12-31  2022-12-31  1" in told.out
    assert f"-p prices_file={tmp_path}/made.parquet" in told.out
    assert told.out.rstrip().endswith("-p bars_file=null")  # the lows are its own
    assert "BTC/USDT" in told.err
    assert data(*words) == 0
    assert "nothing new, left as it was" in capsys.readouterr().out


def test_an_interrupt_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(exchange, "client", interrupted)
    assert data("fetch", "kraken", "A/B", "--since", "2023-01-01", "--name", "x") == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(table, tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert data("import", table, "--name", "x", "--into", blocked / "under") == 1
    said = capsys.readouterr().err
    assert "file" in said
    assert "what was there is as it was" in said
