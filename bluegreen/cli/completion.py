"""bluegreen completion: a completion script for bash, zsh or tcsh, made by shtab from the parser itself."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

EXAMPLE = "bluegreen completion bash > /etc/bash_completion.d/bluegreen"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def run(options: Namespace) -> int:
    import shtab

    from bluegreen.cli.main import build_parser
    from bluegreen.cli.text import say

    say(shtab.complete(build_parser(), options.shell))
    return 0
