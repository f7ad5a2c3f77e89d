"""What the first start prints: where the documentation is, and a request that works."""

from pathlib import Path

from ops import demo, demo_keys


def startup_lines(url: str, key_file: Path, pepper: bytes) -> list[str]:
    """Loads the demo into an empty database; a database with other data is served as it is, without a demo key."""
    if demo.contents() == "nothing":
        demo.load()
    docs = f"Docs:      {url}/docs"
    if demo.contents() != "demo":
        return [docs]
    key = demo_keys.current(key_file, pepper)["users"]["alice"]["api_key"]
    return [docs, f"Demo key:  {key}", f'Try:       curl -H "X-API-Key: {key}" {url}{demo.PAGE}']
