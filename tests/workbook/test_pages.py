"""The report's readable side where something is missing."""

import io

from xcoll.errors import RunError
from xcoll.workbook import pages, pdf
from xcoll.workbook.progress import Progress


def said(tmp_path) -> tuple[str | None, str]:
    stream = io.StringIO()
    (tmp_path / "09.html").write_text("<html></html>")
    with Progress(stream) as progress:
        name = pages.paper(tmp_path, "09", tmp_path, progress)
    return name, stream.getvalue()


def test_without_chromium_a_plain_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "find_chromium", lambda: None)
    name, line = said(tmp_path)
    assert name is None
    assert line.strip() == "no Chromium on this machine: the HTML pages are the report, no PDF"


def test_a_browser_that_fails_costs_the_pdf_only(tmp_path, monkeypatch):
    def broken(html, paper, *, chromium, log):
        raise RunError(f"Chromium failed, see {log.name}")

    monkeypatch.setattr(pdf, "find_chromium", lambda: tmp_path / "chromium")
    monkeypatch.setattr(pdf, "write", broken)
    name, line = said(tmp_path)
    assert name is None
    assert "see 09.pdf.log" in line
