"""A running nginx with the example's configuration, its addresses and times made those of a test."""

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
    """Where nginx listens, and a way to say anything to it."""

    def __init__(self, port: int, certificate: Path) -> None:
        self._address = ("127.0.0.1", port)
        self._context = ssl.create_default_context(cafile=certificate)

    def say(self, sent: bytes) -> httpx.Response:
        """The answer to bytes that no HTTP client would send."""
        with (
            socket.create_connection(self._address, timeout=60) as plain,
            self._context.wrap_socket(plain, server_hostname=NAME) as opened,
        ):
            with suppress(OSError):  # it may answer and hang up before it has everything
                opened.sendall(sent)
            method, target = [*sent.decode("latin-1").split(maxsplit=2), "/"][:2]
            with closing(HTTPResponse(opened, method=method)) as answer:
                answer.begin()
                asked = httpx.Request(method, f"https://{NAME}{quote(target[:4000])}")
                return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read(), request=asked)

    def say_without_tls(self, sent: bytes) -> bytes:
        with socket.create_connection(self._address, timeout=30) as opened:
            opened.sendall(sent)
            return b"".join(iter(lambda: opened.recv(65536), b""))


@contextmanager
def running(folder: Path, upstream: int) -> Iterator[Proxy]:
    """A proxy before the service on the port `upstream`."""
    port, home = free_port(), folder / "music-studio"
    _prepare(folder, home, upstream, port)
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    # Another zone than UTC, which no answer must show.
    process = subprocess.Popen(command, env=os.environ | {"TZ": "Asia/Tokyo"})
    try:
        _await(port, folder)
        yield Proxy(port, home / "certificate.pem")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _prepare(folder: Path, home: Path, upstream: int, port: int) -> None:
    home.mkdir(parents=True)
    for room in (home, folder, *folder.parents[:2]):
        room.chmod(0o755)  # the workers of nginx have another account
    shutil.copy(FOLDER / "errors.conf", home)
    text = (FOLDER / "music-studio.conf").read_text(encoding="utf-8")
    for there, here in (
        ("127.0.0.1:8080", f"127.0.0.1:{upstream}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/nginx/music-studio", str(home)),
        ("proxy_read_timeout 30s", "proxy_read_timeout 1s"),
    ):
        if there not in text:
            raise ValueError(f"The example has no {there!r} any more.")
        text = text.replace(there, here)
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
