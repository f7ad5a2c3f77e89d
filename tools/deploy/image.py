"""Builds the Containerfile without a registry, on a base of Debian packages, and runs the image read-only.

buildah and mmdebstrap are packages of Debian. The base replaces the Python image of a registry.
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
# The configuration of this machine's package registry, mounted at the same paths during a build.
REGISTRY = ("/etc/pip.conf", "/etc/ssl/certs")
STATE = "/var/lib/music-studio"
# As a container runtime does: read-only image, a volume, an empty /tmp, a user without capabilities.
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
    """buildah with its own image store."""

    def __init__(self, folder: Path) -> None:
        stores = ("--root", str(folder / "store"), "--runroot", str(folder / "run"))
        self._command = ("buildah", "--storage-driver", "vfs", *stores)  # vfs needs no kernel support
        self._folder = folder

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*self._command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done

    def base(self) -> str:
        """Builds a base image with minimal Debian and Python; returns its name with the digest."""
        archive = self._folder / "base.tar"
        command = ["mmdebstrap", "--variant=minbase", "--mode=root", "--include=python3,python3-venv,ca-certificates"]
        subprocess.run([*command, "bookworm", str(archive)], check=True, capture_output=True)
        container = self.run("from", "scratch").stdout.strip()
        root = self.run("mount", container).stdout.strip()
        subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "-xf", str(archive)], check=True)
        archive.unlink()
        self.run("umount", container)
        self.run("commit", "--quiet", "--rm", container, BASE)
        return f"{BASE}@{json.loads(self.run('inspect', '--type', 'image', BASE).stdout)['FromImageDigest']}"

    def build(self, base: str | None) -> subprocess.CompletedProcess[str]:
        """Builds the Containerfile as `podman build` does."""
        build_args = [] if base is None else ["--build-arg", f"BASE={base}"]
        volumes = [word for path in REGISTRY if Path(path).exists() for word in ("--volume", f"{path}:{path}:ro")]
        command = ("build", "--isolation", "chroot", "--format", "docker", "--pull-never", "--tag", BUILT)
        return self.run(*command, *volumes, *build_args, "--file", str(CONTAINERFILE), ".", check=False)

    def image(self) -> "Image":
        container = self.run("from", BUILT).stdout.strip()
        details = json.loads(self.run("inspect", "--type", "image", BUILT).stdout)
        return Image(Path(self.run("mount", container).stdout.strip()), details["Docker"]["config"])


class Image:
    """A built image: its files and its configuration."""

    def __init__(self, root: Path, config: dict[str, Any]) -> None:
        self.root = root
        self.config = config

    def start(self, command: Sequence[str], volume: Path, **variables: str) -> subprocess.Popen[str]:
        """Starts a process in the image, with the image's user, its environment, and `variables`."""
        user, group = self.config["User"].split(":")
        environment = [*self.config["Env"], *(f"{name}={value}" for name, value in variables.items())]
        mounts: Mapping[str, str] = {
            "IMAGE": str(self.root), "VOLUME": str(volume), "USER_ID": user, "GROUP_ID": group,
            "HOME_DIR": self.config["WorkingDir"],
        }  # fmt: skip
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", ENTER, "enter", *environment, *command],
            env={**os.environ, **mounts},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: Sequence[str], volume: Path, **variables: str) -> tuple[int, str]:
        """The exit status and output of a command in the image."""
        process = self.start(command, volume, **variables)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output
