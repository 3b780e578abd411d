"""The command line: finds the one module of the command that was typed, runs it, and turns its end into an exit code.

Nothing heavy is imported before the command is known: --help and --version cost an interpreter and argparse.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from bluegreen import __version__

if TYPE_CHECKING:
    from types import ModuleType

COMMANDS = {
    "deploy": "launch a new fleet, switch the traffic to it, keep the old one as standby",
    "rollback": "traffic back to the standby fleet, now",
    "status": "colours, fleets, health, weights, and whether a rollback is ready",
    "history": "the deployments of a stack, newest first",
    "show": "one deployment: what happened, when, and how long each phase took",
    "resume": "finish a deployment that was interrupted",
    "abort": "undo a deployment that was interrupted",
    "heal": "replace dead instances of the live or the standby fleet by the same release",
    "recover": "rebuild the record of a stack from tags and the load balancer, when it was lost",
    "gc": "end what was left behind: instances and target groups that no record keeps",
    "build": "the image chain: base, dependencies, application; only what changed",
    "images": "the image chain in the registry: prune what no release needs",
    "check": "check a stack file; no AWS call",
    "schema": "print the JSON Schema of the stack file, for editors",
    "sandbox": "an AWS on this machine: up, down, status",
    "demo": "a guided blue/green deployment on the sandbox, under real HTTP load",
    "completion": "print a completion script for your shell",
}

EPILOG = """\
examples:
  bluegreen demo                                  see it work, without AWS
  bluegreen deploy stacks/shop.yml --version 1.4.2
  bluegreen rollback shop

exit codes: 0 done · 1 bug · 2 usage or stack file · 3 failed and undone · 4 held by somebody else ·
            5 refused, nothing changed · 6 superseded · 7 needs a human · 130 interrupted
"""


WIDTH = 80  # where there is no terminal


class Help(RawDescriptionHelpFormatter):
    """argparse makes one for each option that it is told of, and asks shutil how wide the terminal is: with all that shutil
    imports, half of the time that --help takes."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width() - 2)


def _width() -> int:
    if columns := os.environ.get("COLUMNS", ""):
        return int(columns) if columns.isdecimal() and int(columns) else WIDTH
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or WIDTH  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return WIDTH


class Parser(ArgumentParser):
    """argparse, with our exit code and a suggestion where there is one."""

    def error(self, message: str) -> NoReturn:
        from difflib import get_close_matches

        hint = ""
        if "invalid choice" in message:
            word = message.partition("invalid choice: '")[2].partition("'")[0]
            near = get_close_matches(word, COMMANDS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
        sys.stderr.write(f"bluegreen: {message}{hint}\nnext: {self.prog} --help\n")
        raise SystemExit(2)


def module_of(command: str) -> ModuleType:
    return importlib.import_module(f"bluegreen.cli.{command}")


def build_parser(only: str | None = None, *, others: bool = True) -> ArgumentParser:
    """The parser; with `only`, the other commands are names and help lines without their options, or left out."""
    parser = Parser(
        prog="bluegreen",
        description="Blue/green deployments of immutable AWS fleets, with instant rollback.",
        epilog=EPILOG,
        formatter_class=Help,
    )
    parser.add_argument("--version", action="version", version=f"bluegreen {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        if not others and name != only:
            continue
        child = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            formatter_class=Help,
            argument_default=None,
        )
        if only in (None, name):
            module = module_of(name)
            child.epilog = f"example:\n  {module.EXAMPLE}"
            module.arguments(child)
    parser.set_defaults(sandbox=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), None)
    known = command if command in COMMANDS else ""
    options = build_parser(known, others=words[:1] != [known]).parse_args(words)
    return run(options)


def run(options: Namespace) -> int:
    """The command's exit code. Errors of our tree are shown as what, where, why, next; anything else is a bug."""
    from bluegreen.cli.text import show_bug, show_error
    from bluegreen.errors import BluegreenError, OutcomeUnknown, Throttled, Unreachable

    try:
        code: int = module_of(options.command).run(options)
        return code
    except BluegreenError as error:
        _stop_spinning()
        if isinstance(error, Throttled | Unreachable | OutcomeUnknown):
            error.next = error.next or "run the same command again in a minute"
        show_error(error, options)
        return error.exit_code
    except KeyboardInterrupt:
        _stop_spinning()
        sys.stderr.write("bluegreen: interrupted; nothing was under way\n")
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort: a report instead of a traceback
        _stop_spinning()
        return show_bug(error, options)


def _stop_spinning() -> None:
    if progress := sys.modules.get("bluegreen.cli.progress"):
        progress.stop_spinning()


def _open_streams() -> None:
    """A parent may start us with closed streams (2>&-): Python has none then, and the next socket would get their number."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for good


def entry() -> NoReturn:
    """Ends without the interpreter's teardown, which costs a rollback a tenth of a second; and begins without collections of
    garbage among what is imported, where there is none."""
    gc.set_threshold(50_000)
    _open_streams()
    try:
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    _stop_spinning()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 0
    os._exit(code)


__all__ = ["COMMANDS", "SUPPRESS", "build_parser", "entry", "main"]
