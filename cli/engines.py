"""The commands for engines: list, price, enable and disable."""

from typing import Annotated, Any

import typer

from cli.options import AsJson, Database, named_group, open_database, report
from ops import output

group = named_group("List, price and switch engines.")

Key = Annotated[str, typer.Argument(metavar="KEY", help="Engine, such as studio.")]


@group.command("list")
def list_engines(as_json: AsJson = False, database_url: Database = None) -> None:
    """List the engines with their prices."""
    with open_database(database_url) as chosen:
        from ops import engines

        output.show(engines.COLUMNS, engines.listed(engines.known(chosen.command_engines)), as_json)


@group.command()
def price(
    key: Key,
    chf: Annotated[str, typer.Argument(metavar="CHF", help="Swiss francs for a minute of music, such as 0.25.")],
    as_json: AsJson = False,
    database_url: Database = None,
) -> None:
    """Set what a minute of music costs.

    It holds for what is asked for from now on; a job keeps the price of its request.
    """
    changed = _change(key, database_url, price=chf)
    report(as_json, changed, f"{key} costs {changed['chf_per_minute']} CHF a minute.")


@group.command()
def enable(key: Key, as_json: AsJson = False, database_url: Database = None) -> None:
    """Let an engine be used."""
    report(as_json, _change(key, database_url, enabled=True), f"{key} can be used.")


@group.command()
def disable(key: Key, as_json: AsJson = False, database_url: Database = None) -> None:
    """Take no more requests for an engine. What was asked for before is still made."""
    report(as_json, _change(key, database_url, enabled=False), f"{key} takes no more requests.")


def _change(key: str, database_url: str | None, **changes: Any) -> dict[str, Any]:
    with open_database(database_url) as chosen:
        from ops import engines

        return engines.change(engines.known(chosen.command_engines), key, **changes)
