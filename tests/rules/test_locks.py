"""Lock files: everything is pinned and hashed, the locks agree, and none names a host."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.rules.tree import ROOT

RUNTIME = ROOT / "requirements.lock"
TOOLS = ROOT / "requirements-dev.lock"
THIRD_PARTY = sorted((ROOT / "tests" / "third_party").glob("*/requirements*.lock"))
LOCKS = (RUNTIME, TOOLS, ROOT / "deploy" / "sbom.lock", *THIRD_PARTY)
NPM = (ROOT, *(file.parent for file in sorted((ROOT / "tests" / "third_party").glob("*/package.json"))))
RENEW = "Run `make lock`; it writes the lock files without package index URLs."


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_python_lock_names_a_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    found = re.findall(r"^.*(?:://|--index|--find-links|--extra-index|--trusted-host).*$", text, re.MULTILINE)
    assert not found, f"{lock.name} has package index URLs: {found[:3]}\n{RENEW}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_python_package_is_pinned_and_hashed(lock: Path) -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    loose = [entry.split()[0] for entry in entries if "==" not in entry.split()[0] or "--hash=sha256:" not in entry]
    assert entries
    assert not loose, f"{lock.name} does not pin and hash {loose}\n{RENEW}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_package_is_pinned_twice(lock: Path) -> None:
    """Two versions of a package are allowed only with environment markers."""
    names = re.findall(r"^([a-z0-9][^ ]*)==[^ ;]+ \\$", lock.read_text(encoding="utf-8"), re.MULTILINE)
    twice = sorted({name for name in names if names.count(name) > 1})
    assert names
    assert not twice, f"{lock.name} pins {twice} twice.\n{RENEW}"


def test_dev_lock_has_the_runtime_versions() -> None:
    strays = _pins(RUNTIME) - _pins(TOOLS)
    assert not strays, f"requirements-dev.lock has other versions than requirements.lock of {sorted(strays)}\n{RENEW}"


def test_runtime_lock_satisfies_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["studio"]]
    wanted = {_plain(ask.name): ask for ask in map(Requirement, listed)}
    pins = dict(pin.split("==") for pin in _pins(RUNTIME))
    loose = [str(ask) for name, ask in wanted.items() if name not in pins or pins[name] not in ask.specifier]
    assert not loose, f"requirements.lock does not satisfy pyproject.toml: {loose}\n{RENEW}"
    asked = {name for name, by in _reasons().items() if f"{project['name']} (pyproject.toml)" in by}
    assert asked == {*wanted}, f"requirements.lock was made from other dependencies: {asked ^ {*wanted}}\n{RENEW}"


def test_runtime_lock_has_no_unneeded_packages() -> None:
    reasons = _reasons()
    idle = [name for name, by in reasons.items() if not any("(" in one or one in reasons for one in by)]
    assert not idle, f"requirements.lock pins unneeded packages: {idle}\n{RENEW}"


@pytest.mark.parametrize("folder", NPM, ids=lambda folder: folder.name)
def test_the_npm_lock_names_no_host(folder: Path) -> None:
    packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    found = [name for name, package in packages.items() if "resolved" in package]
    assert not found, f"package-lock.json has URLs of {found[:3]}\n{RENEW}"


@pytest.mark.parametrize("folder", NPM, ids=lambda folder: folder.name)
def test_npm_packages_are_pinned_exactly(folder: Path) -> None:
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    loose = {name: version for name, version in wanted.items() if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version)}
    assert not loose, f"npm packages are not pinned: pin {loose} in package.json, then `make lock`."


def _pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[a-z0-9][^ ]*==[^ ]+", lock.read_text(encoding="utf-8"), re.MULTILINE))


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def _reasons() -> dict[str, set[str]]:
    """For each locked package the packages that need it, from the comments of uv."""
    entries = re.split(r"^(?=[a-z0-9])", RUNTIME.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        entry.partition("==")[0]: set(re.findall(r"^    #(?: via)? +(?!via$)(\S.*)$", entry, re.MULTILINE))
        for entry in entries
    }
