"""The ledger of entries: appended whole, and no byte of its history changes unseen."""

import json
import multiprocessing
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import DataError
from xcoll.workbook import cli
from xcoll.workbook.monitor import ledger

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
CONTENTS = st.lists(st.fixed_dictionaries({"as_of": st.dates().map(str), "π": VALUES}), max_size=6)


def sealed(contents):
    entries = []
    for content in contents:
        entries.append(ledger.sealed(content, entries))
    return entries


def bytes_of(contents):
    return b"".join(ledger._text(entry) + b"\n" for entry in sealed(contents))


THREE = [{"as_of": f"2023-06-{day}", "value": day / 7} for day in (10, 20, 30)]
FIVE = [*THREE, {"as_of": "2023-07-10", "value": 1.0}, {"as_of": "2023-07-20", "value": 2.0}]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "here" / "ledger.jsonl"
    for entry in sealed(THREE):
        with ledger.locked(path):
            ledger.append(path, entry)
    return path


@settings(max_examples=60, deadline=None)
@given(CONTENTS)
def test_any_sequence_of_entries_verifies_and_comes_back(contents):
    entries = ledger.checked(bytes_of(contents), "ledger")
    assert entries == sealed(contents)
    assert [entry["number"] for entry in entries] == list(range(1, len(contents) + 1))


@settings(max_examples=200, deadline=None)
@given(st.data(), CONTENTS.filter(bool), st.integers(0, 255))
def test_any_changed_byte_is_seen(data, contents, byte):
    content = bytearray(bytes_of(contents))
    place = data.draw(st.integers(0, len(content) - 1))
    line = content[:place].count(b"\n") + 1
    if content[place] == byte:
        byte = (byte + 1) % 256
    content[place] = byte
    with pytest.raises(DataError, match=rf"line {line}\b"):
        ledger.checked(bytes(content), "ledger")


def test_an_entry_in_other_words_is_changed_though_it_says_the_same():
    first, *rest = bytes_of(THREE).splitlines(keepends=True)
    for spoilt in (
        first.replace(b":", b": ", 1),
        first.replace(b'"number":1', b'"number":1.0'),
        first.replace(b'"number":1', b'"number":1,"number":1'),
        first.replace(b"2023", b"\\u0032023"),
        first.replace(b"\n", b"\r\n"),
        json.dumps(dict(reversed(json.loads(first).items())), separators=(",", ":")).encode()
        + b"\n",
    ):
        assert spoilt != first
        with pytest.raises(DataError, match="line 1 was changed"):
            ledger.checked(b"".join([spoilt, *rest]), "ledger")


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ((0, 1, 3, 4), "entry 3 was removed before line 3"),
        ((1, 2, 3, 4), "entry 1 was removed before line 1"),
        ((0, 3, 4), "entries 2 to 3 were removed before line 2"),
        ((0, 2, 1, 3, 4), "reordered: line 2 holds entry 3"),
        ((1, 0, 2, 3, 4), "reordered: line 1 holds entry 2"),
        ((0, 1, 2, 1, 3, 4), "line 4 was inserted: entry 2 stands above it already"),
        ((4, 0, 1, 2, 3), "reordered: line 1 holds entry 5"),
    ],
)
def test_what_was_removed_inserted_or_moved_is_named(order, words):
    lines = bytes_of(FIVE).splitlines(keepends=True)
    with pytest.raises(DataError, match=words):
        ledger.checked(b"".join(lines[place] for place in order), "ledger")


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(5)), st.integers(1, 5))
def test_any_other_order_and_any_gap_is_seen(order, many):
    lines = bytes_of(FIVE).splitlines(keepends=True)
    kept = [*order][:many]
    content = b"".join(lines[place] for place in kept)
    if kept == list(range(many)):
        assert len(ledger.checked(content, "ledger")) == many  # cut off at its end: see the head
    else:
        with pytest.raises(DataError, match=r"removed|reordered|inserted"):
            ledger.checked(content, "ledger")


def test_a_forged_entry_with_a_hash_of_its_own_breaks_the_next():
    entries = sealed(THREE)
    forged = ledger.sealed({"as_of": "2023-06-20", "value": 9.0}, entries[:1])
    lines = [ledger._text(entry) + b"\n" for entry in (entries[0], forged, entries[2])]
    with pytest.raises(
        DataError, match="line 3 does not follow: the entry before it was exchanged"
    ):
        ledger.checked(b"".join(lines), "ledger")
    lines = [ledger._text(entry) + b"\n" for entry in (entries[0], forged, *entries[1:])]
    with pytest.raises(DataError, match="line 2 was inserted"):
        ledger.checked(b"".join(lines), "ledger")


def test_a_kept_head_is_found_or_missed(file):
    entries = ledger.read(file)
    assert ledger.find(entries, entries[-1]["hash"]) == 3
    assert ledger.find(entries, entries[1]["hash"][:12].upper()) == 2
    anew = sealed([{"as_of": "2023-06-10", "value": 9.0}, *THREE[1:]])  # a whole new chain
    for head, those in ((entries[2]["hash"], entries[:2]), (entries[0]["hash"], anew)):
        with pytest.raises(DataError, match="cut off, or the ledger was written anew"):
            ledger.find(those, head)
    with pytest.raises(DataError, match="at least eight signs"):
        ledger.find(entries, entries[0]["hash"][:7])


def test_a_torn_last_line_is_named_with_the_way_out(file):
    whole = file.read_bytes()
    for cut in (1, 9, 60):
        file.write_bytes(whole[:-cut])
        torn = "lacks its end of line" if cut == 1 else "is torn"
        with pytest.raises(DataError, match=f"line 3, the last one, {torn}"):
            ledger.read(file)
    *above, _ = whole.splitlines(keepends=True)
    file.write_bytes(b"".join(above))
    assert len(ledger.read(file)) == 2


def test_a_newer_schema_is_not_guessed_at(file):
    newer = dict(ledger.sealed({"as_of": "2024-01-01"}, ledger.read(file)), schema=2)
    file.write_bytes(file.read_bytes() + ledger._text(newer) + b"\n")
    with pytest.raises(DataError, match="line 4 has schema 2, this xcoll knows 1; update xcoll"):
        ledger.read(file)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[1]", b"nonsense", b'{"schema":"1"}', b"\xff", b"NaN"]
)
def test_a_line_that_is_no_entry(line):
    with pytest.raises(DataError, match="line 1 was changed"):
        ledger.checked(line + b"\n", "ledger")


def test_no_file_and_an_empty_one_hold_nothing(tmp_path):
    assert ledger.read(tmp_path / "none.jsonl") == []
    (tmp_path / "empty.jsonl").touch()
    assert ledger.read(tmp_path / "empty.jsonl") == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_nan(value):
    with pytest.raises(ValueError, match="JSON"):
        ledger.sealed({"value": value}, [])


def test_a_kill_before_the_rename_leaves_the_old_ledger(file, monkeypatch):
    before = file.read_bytes()
    entry = ledger.sealed({"as_of": "2023-07-10"}, ledger.read(file))

    def killed(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt), ledger.locked(file):
        ledger.append(file, entry)
    assert file.read_bytes() == before
    monkeypatch.undo()
    with ledger.locked(file):
        ledger.append(file, entry)
    assert len(ledger.read(file)) == 4


def test_a_link_stays_a_link_and_its_mode_is_kept(file, tmp_path):
    link = tmp_path / "link.jsonl"
    link.symlink_to(file)
    file.chmod(0o640)
    with ledger.locked(link) as entries:
        ledger.append(link, ledger.sealed({"as_of": "2023-07-10"}, entries))
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert len(ledger.read(file)) == 4


def _write(path, value, inside, go_on):
    with ledger.locked(path) as entries:
        inside.set()
        go_on.wait(20)
        ledger.append(path, ledger.sealed({"value": value}, entries))


def test_the_second_of_two_writers_waits(file):
    several = multiprocessing.get_context("fork")
    events = [[several.Event(), several.Event()] for _ in range(2)]
    writers = [
        several.Process(target=_write, args=(file, value, *events[value])) for value in range(2)
    ]
    writers[0].start()
    assert events[0][0].wait(20)
    writers[1].start()
    time.sleep(0.1)
    assert not events[1][0].is_set()  # it waits for the first
    events[0][1].set()
    assert events[1][0].wait(20)
    events[1][1].set()
    for writer in writers:
        writer.join(20)
    assert [entry.get("value") for entry in ledger.read(file)][-2:] == [0, 1]


def test_verify_says_what_it_found(file, capsys):
    head = ledger.read(file)[-1]["hash"]
    assert cli.main(["ledger", "verify", str(file)]) == 0
    assert f"3 entries, each as it was written, head {head}" in capsys.readouterr().out
    second = ledger.read(file)[1]["hash"]
    assert cli.main(["ledger", "verify", str(file), "--head", second[:10]]) == 0
    assert "entry 2 has that hash, and 1 came after it" in capsys.readouterr().out
    file.write_bytes(file.read_bytes().replace(b"2023-06-20", b"2023-06-21"))
    assert cli.main(["ledger", "verify", str(file)]) == 1
    said = capsys.readouterr().err
    assert "line 2 was changed" in said
    assert "git checkout" in said
    assert cli.main(["ledger", "verify", str(file.with_name("none.jsonl"))]) == 2
    assert "`xcoll recalibrate` begins one" in capsys.readouterr().err
