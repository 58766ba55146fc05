"""The print of a page by Chromium, with the clock taken out of it."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from bs4 import BeautifulSoup

from xcoll.errors import RunError
from xcoll.workbook import dress

__all__ = ["find_chromium", "write"]

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
OPTIONS = (
    "--headless",
    "--no-sandbox",  # containers have no user namespaces; the page is our own and loads nothing
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
)
TIMEOUT = 120  # seconds
DATE = re.compile(rb"D:\d{14}")
EPOCH = b"D:19700101000000"
# A node of the tree of sheets, and the place of a link, as Chromium writes them.
PAGES = re.compile(rb"(\d+) 0 obj\s*<<\s*/Type /Pages\b[^>]*?/Kids \[([^\]]*)\]")
PLACE = re.compile(rb"/(\S+) \[(\d+) 0 R /XYZ")


def find_chromium() -> Path | None:
    """The browser that prints, or None where none is installed."""
    found = (shutil.which(name) for name in NAMES)
    return next((Path(name) for name in found if name), None)


def write(
    html: Path,
    pdf: Path,
    *,
    chromium: Path,
    log: Path | None = None,
    timeout: float = TIMEOUT,
) -> None:
    """Print the page `html` to `pdf`; equal pages give equal bytes with the same Chromium.

    The page is printed from a scratch folder beside `pdf`, under a name of its own: a browser
    from a snap sees no temporary folder, and no path of this machine may end up in the
    document.  The two dates that Chromium stamps are set to 1970.

    Parameters
    ----------
    html, pdf : Path
        The page, and the document to be written.
    chromium : Path
        The browser, as `find_chromium` gives it.
    log : Path, optional
        Where the browser's words are kept when it fails; beside `pdf` by default.
    timeout : float
        Seconds that it may take.

    Raises
    ------
    RunError
        Where Chromium cannot be started, takes longer than `timeout` seconds, or leaves no
        document; it names the log.  An older `pdf` stays as it was.
    """
    log = log or pdf.with_suffix(".pdf.log")
    with (
        tempfile.TemporaryDirectory(prefix="print-", dir=pdf.parent) as scratch,
        tempfile.TemporaryDirectory(prefix="xcoll-", ignore_cleanup_errors=True) as profile,
    ):
        page, printed = Path(scratch, "page.html"), Path(scratch, "page.pdf")
        tree = _without_links(html.read_text(encoding="utf-8"))
        command = [
            str(chromium),
            *OPTIONS,
            f"--user-data-dir={profile}",
            f"--print-to-pdf={printed}",
            page.as_uri(),
        ]
        for again in (False, True):
            if again and not _number(tree, printed.read_bytes()):
                break
            page.write_text(str(tree), encoding="utf-8")
            fault, output = _call(command, timeout)
            if fault or not printed.is_file() or not printed.read_bytes().startswith(b"%PDF"):
                log.write_text(f"{' '.join(command)}\n\n{output}", encoding="utf-8")
                raise RunError(
                    f"{chromium} did not print {html.name}: {fault or 'it left no document'}; "
                    f"the log is {log}, and the HTML page is complete without the PDF"
                )
        printed.write_bytes(DATE.sub(EPOCH, printed.read_bytes()))
        printed.replace(pdf)
    log.unlink(missing_ok=True)


def _without_links(text: str) -> BeautifulSoup:
    """The page as paper takes it.

    Links to its neighbours would stand in a document as whole paths of this machine, and links
    to what is folded away would lead nowhere.
    """
    page = dress.parse(text)
    for link in page.select('a:not([href^="#"]), a.traced'):
        link.attrs.pop("href", None)
    return page


def _number(page: BeautifulSoup, printed: bytes) -> bool:
    """Write into the contents of `page` on which sheet of `printed` each entry stands.

    Chromium cannot count the sheet that a link leads to, but its document names the place of
    every link.  False, and nothing is written, where `page` has no contents or `printed` does
    not name them all.
    """
    entries = page.select("nav.paper a")
    inner = {int(node[1]): _references(node[2]) for node in PAGES.finditer(printed)}
    within = {kid for kids in inner.values() for kid in kids}

    def sheets(node: int) -> list[int]:
        return [sheet for kid in inner[node] for sheet in sheets(kid)] if node in inner else [node]

    ordered = [sheet for node in inner if node not in within for sheet in sheets(node)]
    places = {name.decode(): int(sheet) for name, sheet in PLACE.findall(printed)}
    found = [places.get(quote(str(entry["href"])[1:]).replace("%", "#25")) for entry in entries]
    if not entries or not all(sheet in ordered for sheet in found):
        return False
    for entry, sheet in zip(entries, found, strict=True):
        entry.parent.select_one(".sheet").string = str(ordered.index(sheet) + 1)
    return True


def _references(kids: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"(\d+) 0 R", kids)]


def _call(command: list[str], timeout: float) -> tuple[str, str]:
    """Run `command`; what went wrong (or "") and what it wrote.  No process is left behind."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env=os.environ | {"TZ": "UTC"},  # the zone stands behind both dates
        )
    except OSError as error:
        return f"it cannot be started ({error.strerror})", ""
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        output, _ = process.communicate()
        return f"it took longer than {timeout:g} s", output
    finally:
        _end(process)
    return (f"it ended with status {process.returncode}" if process.returncode else ""), output


def _end(process: subprocess.Popen[str]) -> None:
    """Kill `process` and its children; they are a group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
