"""The lock files pin everything, agree with each other, and name no host."""

import json
import re
from pathlib import Path

import pytest

from tests.rules.tree import ROOT

RUNTIME = ROOT / "requirements.lock"
TOOLS = ROOT / "requirements-dev.lock"
RENEW = "Run `make lock`; it writes the lock files without the addresses that this machine happens to use."


@pytest.mark.parametrize("lock", [RUNTIME, TOOLS], ids=lambda lock: lock.name)
def test_no_python_lock_names_a_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    found = re.findall(r"^.*(?:://|--index|--find-links|--extra-index|--trusted-host).*$", text, re.MULTILINE)
    assert not found, f"{lock.name} names where packages were fetched from: {found[:3]}\n{RENEW}"


@pytest.mark.parametrize("lock", [RUNTIME, TOOLS], ids=lambda lock: lock.name)
def test_every_python_package_is_pinned_and_hashed(lock: Path) -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    loose = [entry.split()[0] for entry in entries if "==" not in entry.split()[0] or "--hash=sha256:" not in entry]
    assert entries
    assert not loose, f"{lock.name} does not fix {loose}\n{RENEW}"


def test_the_tools_are_tried_on_the_packages_that_run() -> None:
    strays = _pins(RUNTIME) - _pins(TOOLS)
    assert not strays, f"requirements-dev.lock has other versions than requirements.lock of {sorted(strays)}\n{RENEW}"


def test_the_npm_lock_names_no_host() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    found = [name for name, package in packages.items() if "resolved" in package]
    assert not found, f"package-lock.json says where it found {found[:3]}\n{RENEW}"


def test_npm_packages_are_pinned_exactly() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    wanted = package["devDependencies"]
    loose = {name: version for name, version in wanted.items() if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version)}
    assert not loose, f"npm may take an older release in silence: pin {loose} in package.json, then `make lock`."


def _pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[a-z0-9][^ ]*==[^ ]+", lock.read_text(encoding="utf-8"), re.MULTILINE))
