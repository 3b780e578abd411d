"""bluegreen schema: the JSON Schema of the stack file, for editors and reviews."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

EXAMPLE = "bluegreen schema > bluegreen.schema.json"


def arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(output="json")


def run(options: Namespace) -> int:
    from bluegreen.cli.text import say_json
    from bluegreen.stackfile.reference import json_schema

    say_json(json_schema())
    return 0
