"""Runs nginx with the example's configuration, with ports, paths and timeouts for a test."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote

import httpx

FOLDER = Path(__file__).parents[2] / "deploy" / "nginx"
NAME = "api.example.com"
MAIN = """
daemon off;
user root;
pid {0}/nginx.pid;
error_log {0}/error.log;
events {{}}
http {{
    access_log {0}/access.log;
    client_body_temp_path {0}/body;
    proxy_temp_path {0}/proxy;
    fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi;
    scgi_temp_path {0}/scgi;
    include {0}/music-studio.conf;
}}
"""


class Proxy:
    """A running nginx, and methods that send raw bytes to it."""

    def __init__(self, port: int, certificate: Path, folder: Path) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self._folder = folder
        self._address = ("127.0.0.1", port)
        self._context = ssl.create_default_context(cafile=certificate)

    def send(self, raw: bytes) -> httpx.Response:
        """The response to raw bytes over TLS."""
        with (
            socket.create_connection(self._address, timeout=60) as plain,
            self._context.wrap_socket(plain, server_hostname=NAME) as opened,
        ):
            with suppress(OSError):  # nginx may respond and close before it has read everything
                opened.sendall(raw)
            method, target = [*raw.decode("latin-1").split(maxsplit=2), "/"][:2]
            with closing(HTTPResponse(opened, method=method)) as response:
                response.begin()
                request = httpx.Request(method, f"https://{NAME}{quote(target[:4000])}")
                return httpx.Response(
                    response.status, headers=response.getheaders(), content=response.read(), request=request
                )

    def logs(self) -> str:
        """The access logs and the error log."""
        return "".join(file.read_text(encoding="utf-8") for file in sorted(self._folder.glob("*.log")))

    def send_without_tls(self, raw: bytes) -> bytes:
        with socket.create_connection(self._address, timeout=30) as opened:
            opened.sendall(raw)
            return b"".join(iter(lambda: opened.recv(65536), b""))


@contextmanager
def running(folder: Path, upstream: int, audio: Path = Path("/nowhere")) -> Iterator[Proxy]:
    """Runs a proxy in front of the service on the port `upstream`, whose audio is in the folder `audio`."""
    port, home = free_port(), folder / "music-studio"
    _prepare(folder, home, upstream, port, audio)
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    # Another time zone than UTC, which must not appear in any response.
    process = subprocess.Popen(command, env=os.environ | {"TZ": "Asia/Tokyo"})
    try:
        _await(port, folder)
        yield Proxy(port, home / "certificate.pem", folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def free_port() -> int:
    """A free TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _prepare(folder: Path, home: Path, upstream: int, port: int, audio: Path) -> None:
    home.mkdir(parents=True)
    for parent in (home, folder, *folder.parents[:2]):
        parent.chmod(0o755)  # nginx's workers run as another user
    shutil.copy(FOLDER / "errors.conf", home)
    text = (FOLDER / "music-studio.conf").read_text(encoding="utf-8")
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{upstream}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/nginx/music-studio", str(home)),
        ("proxy_read_timeout 30s", "proxy_read_timeout 1s"),
        ("/var/log/nginx", str(folder)),
        ("/var/lib/music-studio/audio", str(audio)),
    ):
        if old not in text:
            raise ValueError(f"The example configuration does not contain {old!r} any more.")
        text = text.replace(old, new)
    (folder / "music-studio.conf").write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder), encoding="utf-8")
    _certify(home)


def _certify(home: Path) -> None:
    pair = ("-keyout", str(home / "certificate.key"), "-out", str(home / "certificate.pem"))
    names = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *pair]
    subprocess.run(command, check=True, capture_output=True)


def _await(port: int, folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError((folder / "error.log").read_text(encoding="utf-8"))
