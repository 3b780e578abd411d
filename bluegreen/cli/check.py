"""bluegreen check: is the stack file right? No AWS call, no network."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from bluegreen.cli import options as shared

EXAMPLE = "bluegreen check stacks/demo.yml"


def arguments(parser: ArgumentParser) -> None:
    shared.stack_file(parser)
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.cli.text import as_json, say, say_json

    stack = shared.load_stack(options, placeholders=True)
    if as_json(options):
        say_json({"exit_code": 0, "stack": stack.name, "file": options.file})
    else:
        services = ", ".join(service.name for service in stack.services)
        say(f"{options.file}: ok: stack {stack.name}, {stack.fleet.count} instances, services {services}")
    return 0
