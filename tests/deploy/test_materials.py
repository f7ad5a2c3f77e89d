"""The SBOM lists exactly the packages of the runtime lock, and is reproducible."""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_sbom_matches_the_lock_and_is_reproducible(tmp_path: Path) -> None:
    first, second = (_sbom(tmp_path / name) for name in ("first.json", "second.json"))
    assert first == second
    listed = {f"{part['name']}=={part['version']}" for part in json.loads(first)["components"]}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert listed == set(re.findall(r"^[a-z0-9][^ ]*==[^ ]+", lock, re.MULTILINE))


def _sbom(file: Path) -> str:
    """The SBOM that `make sbom` writes."""
    recipe = re.search(
        r"^sbom:.*\n\t.*(\.venv-sbom/bin/cyclonedx-py .*) -o \S+$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert recipe, "the recipe of `make sbom` is not found"
    subprocess.run([*recipe[1].split(), "-o", str(file)], cwd=ROOT, check=True, capture_output=True)
    return file.read_text(encoding="utf-8")
