"""Start-up text of the server: the address of /docs, and with demo data a key and a request to try."""

from pathlib import Path
from typing import Any


def facts(url: str, metrics_url: str | None) -> dict[str, Any]:
    """The addresses of the server."""
    return {"url": url, "docs_url": f"{url}/docs", "metrics_url": metrics_url}


def demo_facts(key_file: Path, pepper: bytes) -> dict[str, Any] | None:
    """Loads the demo into an empty database and returns its keys; None for a database with other data."""
    from ops import demo, demo_keys  # of no use to a server without it

    if demo.contents() == "nothing":
        demo.load(pepper)
    return demo_keys.current(key_file, pepper) if demo.contents() == "demo" else None


def startup_lines(facts: dict[str, Any]) -> list[str]:
    """The start-up text for people."""
    docs = f"Docs:      {facts['docs_url']}"
    if facts["demo"] is None:
        return [docs]
    from ops.demo import PAGE

    key = facts["demo"]["users"]["alice"]["api_key"]
    return [docs, f"Demo key:  {key}", f'Try:       curl -H "X-API-Key: {key}" {facts["url"]}{PAGE}']
