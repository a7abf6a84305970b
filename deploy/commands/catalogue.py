"""``admitone catalogue``: every type of event, with its schema and an example."""

import sys

import click

from deploy.failing import WRONG_SETTINGS, Failed


@click.command(short_help="describe every type of event")
@click.argument("type_", metavar="[TYPE]", required=False)
@click.option(
    "--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True
)
def catalogue(type_: str | None, *, form: str) -> None:
    """Print the catalogue of events, or one TYPE of it: meaning, fields, an example, how older versions are
    read; as JSON with JSON schemas. docs/events.md is this page."""
    from gateways.analysis.catalogue import as_json, as_page

    if type_ is not None:
        _one(type_)
    elif form == "json":
        sys.stdout.buffer.write(as_json())
    else:
        click.echo(as_page(), nl=False)


def _one(type_: str) -> None:
    from difflib import get_close_matches

    from msgspec import json

    from gateways.analysis.catalogue import entries

    known = {entry.type: entry for entry in entries()}
    if type_ not in known:
        near = get_close_matches(type_, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "`admitone catalogue` names them all"
        raise Failed(f"there is no event type '{type_}': {hint}", WRONG_SETTINGS)
    sys.stdout.buffer.write(json.format(json.encode(known[type_]), indent=2) + b"\n")
