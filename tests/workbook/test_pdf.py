import re
import stat

import pytest

from xcoll.errors import RunError
from xcoll.workbook import dress, html, pdf

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


CONTENTS = "".join(
    f'<li><a href="#{name}">{name}</a><span class="sheet"></span></li>' for name in ("one", "zwölf")
)
PRINTED = """1 0 obj
<</Type /Pages
/Count 2
/Kids [7 0 R 5 0 R]
/Parent 2 0 R>>
endobj
2 0 obj
<</Type /Pages
/Count 3
/Kids [4 0 R 1 0 R]>>
endobj
3 0 obj
<</one [4 0 R /XYZ 45 688 0]
/zw#25C3#25B6lf [5 0 R /XYZ 45 790.9 0]>>
endobj
"""


def sheets(page):
    return [span.get_text() for span in page.select(".sheet")]


def test_contents_take_their_sheets_from_the_first_print():
    page = dress.parse(f'<nav class="paper"><ol>{CONTENTS}</ol></nav>')
    assert pdf._number(page, PRINTED.encode())
    assert sheets(page) == ["1", "3"]


@pytest.mark.parametrize(
    "printed", [b"", b"%PDF", PRINTED.replace("/one", "/two").encode(), PRINTED[:60].encode()]
)
def test_contents_stay_without_numbers_where_the_print_does_not_tell(printed):
    page = dress.parse(f'<nav class="paper"><ol>{CONTENTS}</ol></nav>')
    assert not pdf._number(page, printed)
    assert sheets(page) == ["", ""]
    assert not pdf._number(dress.parse("<p>no contents</p>"), PRINTED.encode())


@needs_chromium
def test_a_print_numbers_its_contents(tmp_path):
    parts = "".join(
        f'<h2 id="{name}" style="break-before: page">{name}</h2>' for name in ("one", "zwölf")
    )
    body = f'<h1>Report</h1><nav class="paper"><ol>{CONTENTS}</ol></nav>{parts}'
    body += '<p><a class="traced" href="#sources-1">5</a></p>'
    path = tmp_path / "09.html"
    path.write_text(html.shell(body, title="Report", links=[], footer="run"), encoding="utf-8")
    given = []
    number = pdf._number
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            pdf, "_number", lambda page, printed: given.append(page) or number(page, printed)
        )
        pdf.write(path, tmp_path / "09.pdf", chromium=CHROMIUM)
    (page,) = given
    assert sheets(page) == ["2", "3"]
    assert not page.select("a.traced[href]")
