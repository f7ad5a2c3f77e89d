"""Builds the Containerfile without a registry, on a base of Debian's packages, and runs what came of it, read-only.

buildah and mmdebstrap are Debian's. The base stands in for an image of Python that a registry would give.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
BASE, BUILT = "localhost/python-base", "localhost/music-studio"
# How this machine reaches its package registry; the steps of a build find it in the same places.
REGISTRY = ("/etc/pip.conf", "/etc/ssl/certs")
STATE = "/var/lib/music-studio"
# What a container's runtime would do: the image read-only, a volume, an empty /tmp, a user without any capability.
ENTER = """
set -e
mkdir -p "$IMAGE/proc" "$IMAGE/dev"
mount --bind "$IMAGE" "$IMAGE"
mount -o remount,bind,ro "$IMAGE"
mount --bind "$VOLUME" "$IMAGE/var/lib/music-studio"
mount -t tmpfs tmpfs "$IMAGE/tmp"
mount --rbind /proc "$IMAGE/proc"
mount --bind /dev "$IMAGE/dev"
exec chroot "$IMAGE" setpriv --reuid "$USER_ID" --regid "$GROUP_ID" --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all env -i --chdir="$HOME_DIR" "$@"
"""


class Builder:
    """buildah with a store of its own."""

    def __init__(self, folder: Path) -> None:
        places = ("--root", str(folder / "store"), "--runroot", str(folder / "run"))
        self._words = ("buildah", "--storage-driver", "vfs", *places)  # which needs no help of the kernel
        self._folder = folder

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*self._words, *words], cwd=ROOT, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}:\n{done.stdout}{done.stderr}")
        return done

    def base(self) -> str:
        """The name of a base image, with its digest: the smallest Debian, with Python."""
        archive = self._folder / "base.tar"
        words = ["mmdebstrap", "--variant=minbase", "--mode=root", "--include=python3,python3-venv,ca-certificates"]
        subprocess.run([*words, "bookworm", str(archive)], check=True, capture_output=True)
        made = self.run("from", "scratch").stdout.strip()
        root = self.run("mount", made).stdout.strip()
        subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "-xf", str(archive)], check=True)
        archive.unlink()
        self.run("umount", made)
        self.run("commit", "--quiet", "--rm", made, BASE)
        return f"{BASE}@{json.loads(self.run('inspect', '--type', 'image', BASE).stdout)['FromImageDigest']}"

    def build(self, base: str | None) -> subprocess.CompletedProcess[str]:
        """What `podman build` would do with the Containerfile."""
        given = [] if base is None else ["--build-arg", f"BASE={base}"]
        reach = [word for path in REGISTRY if Path(path).exists() for word in ("--volume", f"{path}:{path}:ro")]
        words = ("build", "--isolation", "chroot", "--format", "docker", "--pull-never", "--tag", BUILT)
        return self.run(*words, *reach, *given, "--file", str(CONTAINERFILE), ".", check=False)

    def image(self) -> "Image":
        made = self.run("from", BUILT).stdout.strip()
        found = json.loads(self.run("inspect", "--type", "image", BUILT).stdout)
        return Image(Path(self.run("mount", made).stdout.strip()), found["Docker"]["config"])


class Image:
    """A built image: its files and its configuration."""

    def __init__(self, root: Path, config: dict[str, Any]) -> None:
        self.root = root
        self.config = config

    def start(self, words: Sequence[str], volume: Path, **variables: str) -> subprocess.Popen[str]:
        """A process in the image, as its user and with its environment and what is given besides."""
        user, group = self.config["User"].split(":")
        given = [*self.config["Env"], *(f"{name}={value}" for name, value in variables.items())]
        entering: Mapping[str, str] = {
            "IMAGE": str(self.root), "VOLUME": str(volume), "USER_ID": user, "GROUP_ID": group,
            "HOME_DIR": self.config["WorkingDir"],
        }  # fmt: skip
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", ENTER, "enter", *given, *words],
            env={**os.environ, **entering},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, words: Sequence[str], volume: Path, **variables: str) -> tuple[int, str]:
        """The exit status of a command in the image, and what it said."""
        process = self.start(words, volume, **variables)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said
