import re
import stat

import pytest

from xcoll.errors import RunError
from xcoll.workbook import html, pdf

CHROMIUM = pdf.find_chromium()
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "09_report.html"
    text = html.shell(
        "<h1>Report</h1><p><a href='05.html'>haircuts</a></p>",
        title="Report",
        links=[("Haircuts", "05.html")],
        footer="run base",
    )
    path.write_text(text, encoding="utf-8")
    return path


def browser(tmp_path, script):
    path = tmp_path / "browser"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_no_browser_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pdf, "NAMES", ("chromium", "chrome"))
    assert pdf.find_chromium() is None


def test_browser_is_found_on_the_path(monkeypatch, tmp_path):
    path = browser(tmp_path, "exit 0").rename(tmp_path / "google-chrome")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pdf.find_chromium() == path


@needs_chromium
def test_print_repeats_byte_for_byte_and_holds_no_path(page, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    first, second = tmp_path / "09.pdf", elsewhere / "other.pdf"
    pdf.write(page, first, chromium=CHROMIUM)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    pdf.write(page, second, chromium=CHROMIUM)
    content = first.read_bytes()
    assert content.startswith(b"%PDF")
    assert content == second.read_bytes()
    assert set(re.findall(rb"D:\d{14}", content)) == {pdf.EPOCH}
    assert b"file:" not in content
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "09.pdf",
        "09_report.html",
        "elsewhere",
    ]


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("echo broken pipe to heaven; exit 3", "status 3"),
        ("exit 0", "left no document"),
        ("sleep 30", "longer than 0.5 s"),
    ],
)
def test_failure_keeps_the_old_document_and_names_the_log(page, tmp_path, script, fault):
    old = tmp_path / "09.pdf"
    old.write_bytes(b"%PDF old")
    with pytest.raises(RunError, match=rf"09_report.html: .*{fault}.*09\.pdf\.log"):
        pdf.write(page, old, chromium=browser(tmp_path, script), timeout=0.5)
    assert old.read_bytes() == b"%PDF old"
    log = (tmp_path / "09.pdf.log").read_text(encoding="utf-8")
    assert "--print-to-pdf=" in log
    assert ("broken pipe to heaven" in log) == ("broken" in script)
    assert not list(tmp_path.glob("print-*"))


def test_log_goes_where_it_is_wanted(page, tmp_path):
    log = tmp_path / "logs" / "print.log"
    log.parent.mkdir()
    with pytest.raises(RunError, match=r"logs/print\.log"):
        pdf.write(page, tmp_path / "09.pdf", chromium=browser(tmp_path, "exit 1"), log=log)
    assert log.is_file()
    assert not (tmp_path / "09.pdf.log").exists()


def test_browser_that_cannot_be_started(page, tmp_path):
    with pytest.raises(RunError, match="cannot be started"):
        pdf.write(page, tmp_path / "09.pdf", chromium=tmp_path / "missing")
    assert not (tmp_path / "09.pdf").exists()
