"""`xcoll recalibrate` and `xcoll ledger` from the first entry on: what they say, and the codes."""

import json
import shutil

import pytest

from tests.workbook.monitor import states
from tests.workbook.monitor.states import DAYS, TARGETS, VENUE, frame, pair_row, state
from xcoll.errors import RunError
from xcoll.workbook import cli, manifest, pdf
from xcoll.workbook.monitor import entry, ledger, recalibrate
from xcoll.workbook.update import update

FALL = TARGETS | {"BTC": (0.77, 0.615, 0.02, 5_848_278.0)}  # 2.5 points under those of TARGETS
QUIET = {day: state(day) for day in DAYS}


@pytest.fixture
def paged(tmp_path, monkeypatch):
    """A project, with a run that costs nothing; give it other states with `states.give`."""
    made = states.build(tmp_path / "tiny", QUIET)
    monkeypatch.setenv("XCOLL_ROOT", str(made.root))
    monkeypatch.setattr(recalibrate, "update", states.update)
    return made


@pytest.fixture
def given(paged, monkeypatch):
    """The same without the figures of the page."""
    monkeypatch.setattr(recalibrate.page, "page", lambda entries, *_: entries[-1]["hash"])
    return paged


def call(day, *more):
    return cli.main(["recalibrate", "--as-of", day, *more])


def entries(project):
    return ledger.read(project.root / "ledger" / "ledger.jsonl")


def value(made, asset, parameter):
    return made["parameters"][asset][parameter]["value"]


def verdict(made, asset, parameter):
    return made["parameters"][asset][parameter]["verdict"]


def test_the_first_entry_starts_from_what_is_published_and_else_from_our_own(given, capsys):
    assert call(DAYS[0]) == entry.ALERTED  # ETH's LTV of 80.5 % lags behind 56 %
    (first,) = entries(given)
    assert (first["number"], first["as_of"], first["before"]) == (1, DAYS[0], ledger.FIRST)
    assert (first["venue"], first["published"]) == (VENUE, "2025-03-31")
    # published: 83 % and 80.5 % with a bonus of 5 %; ours: 74.5 %, 56 % and 2 %
    assert [value(first, "ETH", name) for name in ("threshold", "ltv", "bonus")] == [
        0.825, 0.80, 0.045
    ]  # fmt: skip
    assert verdict(first, "ETH", "cap") == verdict(first, "BTC", "threshold") == "start"
    assert value(first, "BTC", "threshold") == 0.795
    assert value(first, "ETH", "cap") == 7_100_000.0  # three digits of a cap
    assert verdict(first, "LINK", "threshold") == "inside"  # published 71 %, ours 68 to 72 %
    assert {one["name"] for one in first["alerts"]} == {"ETH threshold", "ETH ltv"}
    said = capsys.readouterr().out
    assert "published on 2025-03-31, and from our own where it publishes nothing" in said
    assert "ETH    threshold  83.0 %  82.5 %  74.5 %" in said
    assert "starts at its target: threshold, ltv, bonus, cap of BTC; cap of ETH, LINK" in said
    assert f"head    {first['hash']}" in said
    assert "exit code 4: an alert fired" in said


def test_the_second_entry_moves_on_says_why_and_tells_new_from_standing(paged, capsys):
    call(DAYS[0])
    fallen = state(DAYS[1], FALL, market=0.14)
    states.give(paged.root, QUIET | {DAYS[1]: fallen})
    capsys.readouterr()
    assert call(DAYS[1]) == entry.CHANGED  # the lag stands, and nothing else fired
    first, second = entries(paged)
    assert second["before"] == first["hash"]
    assert value(second, "ETH", "threshold") == 0.82
    assert verdict(second, "BTC", "threshold") == "moved"  # 79.5 % is no longer inside
    why = second["parameters"]["BTC"]["threshold"]["why"]
    assert why == f"its target was 79.5 % on {DAYS[0]}: market +4.0 points of the haircut"
    assert verdict(second, "LINK", "cap") == "met"
    said = capsys.readouterr().out
    assert "market +4.0 points" in said
    assert "standing  lag" in said
    assert "exit code 3: parameters changed" in said
    page = (paged.reports / "ledger.html").read_text(encoding="utf-8")
    assert second["hash"] in page
    assert page.count("data:image/png;base64,") == 5


def test_the_delay_is_kept_from_entry_to_entry(given, capsys):
    call("2023-06-02")
    assert call("2023-06-03") == entry.SAME  # all that is under way waits
    made = entries(given)[-1]
    assert verdict(made, "ETH", "threshold") == "waits"
    assert made["parameters"]["ETH"]["threshold"]["moved"] == "2023-06-02"
    assert "nothing changed" in capsys.readouterr().out
    assert call("2023-06-05") == entry.CHANGED
    assert value(entries(given)[-1], "ETH", "threshold") == 0.82


def test_the_same_date_on_the_same_inputs_appends_nothing_and_gives_the_same_code(given, capsys):
    assert call(DAYS[0]) == entry.ALERTED
    before = (given.root / "ledger" / "ledger.jsonl").read_bytes()
    page = (given.reports / "ledger.html").read_bytes()
    capsys.readouterr()
    assert call(DAYS[0], "--name", "again") == entry.ALERTED
    assert (given.root / "ledger" / "ledger.jsonl").read_bytes() == before
    assert "nothing was appended" in capsys.readouterr().out
    (given.reports / "ledger.html").unlink()
    assert call(DAYS[0]) == entry.ALERTED
    assert (given.reports / "ledger.html").read_bytes() == page


def test_the_same_date_on_other_inputs_is_an_entry_of_its_own(given):
    call(DAYS[0])
    states.give(given.root, QUIET | {DAYS[0]: state(DAYS[0], FALL)})
    assert call(DAYS[0]) == entry.CHANGED  # what moved waits; Bitcoin starts to move
    first, second = entries(given)
    assert second["as_of"] == first["as_of"]
    assert first["run"]["manifest"] != second["run"]["manifest"]
    assert second["parameters"]["BTC"]["threshold"]["target"] == 0.77
    assert verdict(second, "ETH", "threshold") == "waits"


def test_a_date_before_the_last_entry_is_refused_before_anything_runs(given, capsys, monkeypatch):
    call(DAYS[1])
    before = entries(given)
    monkeypatch.setattr(recalibrate, "update", None)
    capsys.readouterr()
    assert call(DAYS[0]) == 2
    said = capsys.readouterr().err
    assert "the last entry of" in said
    assert f"is of {DAYS[1]}" in said
    assert "--ledger ANOTHER_FILE" in said
    assert entries(given) == before


def test_history_is_replayed_into_another_ledger(given, tmp_path):
    call(DAYS[2])
    other = tmp_path / "replay.jsonl"
    for day in DAYS:
        assert call(day, "--ledger", str(other)) in (entry.CHANGED, entry.ALERTED)
    assert [one["as_of"] for one in ledger.read(other)] == list(DAYS)
    assert len(entries(given)) == 1
    assert (given.reports / "replay.html").is_file()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace(DAYS[0].encode(), b"2023-06-01"), "line 1 was changed"),
        (lambda text: text[:-40], "line 1, the last one, is torn"),
        (lambda text: text.replace(b'"schema":1', b'"schema":9'), "has schema 9"),
    ],
)
def test_a_broken_ledger_stops_before_anything_runs(given, capsys, monkeypatch, spoil, words):
    call(DAYS[0])
    path = given.root / "ledger" / "ledger.jsonl"
    path.write_bytes(spoil(path.read_bytes()))
    before = path.read_bytes()
    monkeypatch.setattr(recalibrate, "update", None)
    assert call(DAYS[1]) == 1
    assert words in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_run_that_fails_leaves_the_ledger_as_it_was(given, capsys, monkeypatch):
    call(DAYS[0])
    before = entries(given)

    def failing(*_, **__):
        raise RunError("01_all failed in cell 5")

    monkeypatch.setattr(recalibrate, "update", failing)
    assert call(DAYS[1]) == 1
    assert "01_all failed" in capsys.readouterr().err
    assert entries(given) == before


def test_an_interrupt_leaves_the_ledger_whole(given, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(recalibrate, "update", interrupted)
    assert call(DAYS[0]) == 130
    assert "the ledger is whole" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--as-of", "June"], "give a date like 2023-06-30"),
        (["--as-of", "20230630"], "give a date like 2023-06-30"),
        (["--as-of", DAYS[0], "-p", "as_of=2023-01-01"], "the date is that of --as-of"),
        (["--as-of", DAYS[0], "-p", "colour=red"], "no parameter 'colour'"),
        (["--as-of", DAYS[0], "--name", "a/b"], "give the name of one folder"),
        (["--as-of", DAYS[0], "--name", "sweeps"], "take another"),
        (["--as-of", DAYS[0], "--jobs", "0"], "whole numbers from 1 on"),
    ],
)
def test_a_wrong_call(given, capsys, arguments, words):
    assert cli.main(["recalibrate", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not (given.root / "ledger").exists()


def test_another_venue_needs_another_ledger(given, capsys):
    call(DAYS[0])
    other = {"venue": "compound-v3-usdc", "published": "2025-03-31"}
    states.give(given.root, QUIET | {DAYS[1]: state(DAYS[1], summary=other)})
    assert call(DAYS[1]) == 2
    assert "is of aave-v3-ethereum, this run of compound-v3-usdc" in capsys.readouterr().err
    assert len(entries(given)) == 1


def test_what_changed_after_the_run_is_not_taken(given, capsys, monkeypatch):
    def spoilt(plan, name, progress, **options):
        index = states.update(plan, name, progress, **options)
        path = index.parent / "artifacts" / "01_all" / "summary.json"
        path.write_text(path.read_text().replace(VENUE, "compound-v3-usdc"))
        return index

    monkeypatch.setattr(recalibrate, "update", spoilt)
    assert call(DAYS[0]) == 1
    assert "is not what the run wrote" in capsys.readouterr().err
    assert entries(given) == []


def test_every_kind_of_alert_comes_into_the_ledger_once_as_new(given, capsys):
    quiet = {"targets": {"BTC": TARGETS["BTC"]}}
    span = {"start": DAYS[1], "end": DAYS[1]}
    loud = {
        "correlation_alerts": frame(
            "correlation_alerts",
            {"time": DAYS[1], "kind": "pair", "name": "BTC~ETH", "value": 0.9, "threshold": 0.8},
        ),
        "toxic_pairs": frame("toxic_pairs", pair_row("Maker", "LINK")),
        "quality": frame("quality", {"asset": "ETH", "check": "gap"} | span),
        "tail_ranking": frame("tail_ranking", {"assets": 3, "rejected": 3, **states.CASE}),
    }
    states.give(
        given.root,
        {DAYS[0]: state(DAYS[0], **quiet)} | {day: state(day, **quiet, **loud) for day in DAYS[1:]},
    )
    assert call(DAYS[0]) == entry.SAME
    assert call(DAYS[1]) == entry.ALERTED
    fired = entries(given)[-1]["alerts"]
    assert [one["kind"] for one in fired] == ["correlation", "coverage", "toxic frontier", "data"]
    assert all(one["new"] for one in fired)
    capsys.readouterr()
    assert call(DAYS[2]) == entry.SAME  # the correlation is past, the others stand
    fired = entries(given)[-1]["alerts"]
    assert [(one["kind"], one["new"]) for one in fired] == [
        ("coverage", False), ("toxic frontier", False)
    ]  # fmt: skip
    assert "standing  toxic frontier  LINK at Maker" in capsys.readouterr().out


def test_the_table_of_the_history(given, capsys):
    for day in DAYS[:2]:
        call(day)
    capsys.readouterr()
    assert cli.main(["ledger", "show", "--asset", "ETH"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["entry", "as", "of", "asset", "threshold", "LTV", "bonus", "cap"]
    assert first.split()[:3] == ["1", DAYS[0], "ETH"]
    assert "83.0 % → 82.5 %" in first
    assert "82.5 % → 82.0 %" in second
    assert "$7.10M" in second
    assert cli.main(["ledger", "show", "--asset", "DOGE"]) == 2
    assert "the ledger has BTC, ETH, LINK" in capsys.readouterr().err
    (given.reports / "ledger.html").unlink()
    assert cli.main(["ledger", "page"]) == 0
    assert (given.reports / "ledger.html").is_file()


def test_an_asset_that_comes_starts_and_one_that_goes_stays(given):
    call(DAYS[0])
    fewer = {"BTC": TARGETS["BTC"], "AVAX": (0.585, 0.385, 0.10, 2.4e6)}
    states.give(given.root, QUIET | {DAYS[1]: state(DAYS[1], fewer)})
    call(DAYS[1])
    made = entries(given)[-1]
    assert verdict(made, "AVAX", "ltv") == "start"
    assert verdict(made, "LINK", "ltv") == "no target"
    assert value(made, "LINK", "ltv") == value(entries(given)[0], "LINK", "ltv")
    assert call(DAYS[2]) in (entry.CHANGED, entry.ALERTED)  # and it is taken up again
    assert verdict(entries(given)[-1], "LINK", "ltv") != "no target"


def test_the_identity_of_a_run_holds_no_clock_and_no_name(given):
    call(DAYS[0])
    call(DAYS[0], "--name", "other", "--ledger", str(given.root / "other.jsonl"))
    one, two = (manifest.read(given.reports / name) for name in (f"as-of-{DAYS[0]}", "other"))
    assert one["run"] != two["run"]
    assert manifest.identity(one) == manifest.identity(two) == entries(given)[0]["run"]["manifest"]
    for spoil in (
        lambda content: content["steps"]["01_all"].update(key="0"),
        lambda content: content["steps"]["01_all"]["artifacts"].update({"caps.parquet": "0"}),
        lambda content: content["steps"]["01_all"]["changed"].update(as_of="2020-01-01"),
        lambda content: content["facts"]["data"].update({"data/states.json": "0"}),
    ):
        other = json.loads(json.dumps(one))
        spoil(other)
        assert manifest.identity(other) != manifest.identity(one)


@pytest.mark.chain
def test_on_real_notebooks(given, monkeypatch, capsys):
    """Kernel, papermill and pages; a second call runs nothing, and a deleted run comes back."""
    monkeypatch.setattr(recalibrate, "update", update)
    monkeypatch.setattr(pdf, "find_chromium", lambda: None)
    assert call(DAYS[1], "--jobs", "1") == entry.ALERTED
    (first,) = entries(given)
    assert first["changed"] == {"01_all": {"as_of": DAYS[1]}}
    assert "data/monitor.yaml" in first["data"]
    assert (given.reports / f"as-of-{DAYS[1]}" / "index.html").is_file()
    assert call(DAYS[1]) == entry.ALERTED
    assert "kept" in capsys.readouterr().err
    assert len(entries(given)) == 1
    shutil.rmtree(given.reports)  # the ledger is no part of the reports
    assert call("2022-01-01") == 2
    assert entries(given) == [first]
