"""Options that several commands share: one group of them is one function here. And the stack file they name."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bluegreen.core.stack import Stack

UNITS = {"s": 1, "m": 60, "h": 3600}


def output(parser: ArgumentParser) -> None:
    parser.add_argument("--output", choices=("text", "json"), default="text", help="json: one object on stdout")
    parser.add_argument("--log-file", metavar="FILE", help="append a JSON log line for each step and event to FILE")


def aws(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("AWS")
    group.add_argument("--region", help="AWS region (default: the stack file's, then AWS_REGION)")
    group.add_argument("--profile", help="named AWS profile")
    group.add_argument("--endpoint-url", metavar="URL", help="AWS endpoint (default: AWS_ENDPOINT_URL)")
    group.add_argument("--sandbox", action="store_true", help="use the sandbox on this machine")


def stack_file(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the stack file, for example stacks/demo.yml")
    values(parser)


def values(parser: ArgumentParser) -> None:
    parser.add_argument("--version", metavar="V", help="the version to use: the value of ${VERSION} in the stack file")
    parser.add_argument("--set", action="append", metavar="K=V", help="the value of ${K} in the stack file; repeatable")


def wait_lock(parser: ArgumentParser) -> None:
    words = "how long to wait for somebody else who holds the stack: 30s, 10m (default: not at all)"
    parser.add_argument("--wait-lock", metavar="T", type=seconds, default=0.0, help=words)


def seconds(text: str) -> float:
    """Seconds of 30s, 10m or 2h."""
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in UNITS:
        raise ArgumentTypeError(f"{text}: expected a duration such as 30s, 10m or 2h")
    return float(int(number) * UNITS[unit])


def load_stack(options: Namespace, file: str = "", *, placeholders: bool = False) -> Stack:
    """The stack of `file`, else of FILE, with --version and --set put in."""
    from pathlib import Path

    from bluegreen.stackfile.load import load

    return load(Path(file or options.file), variables(options), placeholders=placeholders)


def variables(options: Namespace) -> dict[str, str]:
    """Those of --set and --version. Raises UsageError."""
    found: dict[str, str] = {}
    for pair in options.set or []:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            from bluegreen.errors import UsageError

            raise UsageError(f"--set {pair}: expected KEY=VALUE", next="for example --set VERSION=1.4.2")
        found[key] = value
    if options.version:
        found["VERSION"] = options.version
    return found
