"""bluegreen sandbox: an AWS on this machine, with instances as containers or processes, a registry and a load balancer."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from bluegreen.cli import options as shared

if TYPE_CHECKING:
    from bluegreen.sandbox.state import SandboxState

EXAMPLE = "bluegreen sandbox up && bluegreen deploy stacks/demo.yml --version A --sandbox"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("up", "down", "status"))
    parser.add_argument("--port", type=int, default=None, help="port of the AWS endpoint (default 5600; 0: any)")
    parser.add_argument("--registry-port", type=int, default=None, help="port of the registry (default 5601; 0: any)")
    parser.add_argument(
        "--mode",
        choices=("docker", "process"),
        default=None,
        help="up: instances as containers of their own or as processes (default: docker where an engine answers)",
    )
    parser.add_argument("--bare", action="store_true", help="up, docker mode: hosts that have no Docker yet")
    parser.add_argument("--all", action="store_true", help="down: every sandbox of this user")
    shared.output(parser)


def run(options: Namespace) -> int:
    from bluegreen.local.signals import as_ctrl_c
    from bluegreen.sandbox import control
    from bluegreen.sandbox.state import SandboxState

    as_ctrl_c()  # a sandbox that is not ready yet is taken down again
    if options.action == "down":
        return _down(options)
    if options.action == "status":
        return _status(options)
    if isinstance(running := control.status(), SandboxState):
        return _show(options, running)
    ports = {"port": options.port, "registry_port": options.registry_port}
    given = {key: value for key, value in ports.items() if value is not None}
    return _show(options, control.up(**given, images=_images(options)))


def _images(options: Namespace) -> dict[str, str] | None:
    """Of docker mode; None for process mode."""
    from bluegreen.sandbox import control

    control.require_extra()
    if options.mode == "process":
        return None
    from bluegreen.sandbox import docker_mode

    if options.mode is None and docker_mode.trouble():
        return None
    return docker_mode.images(lambda text: print(text, file=sys.stderr, flush=True), bare=options.bare)  # noqa: T201


def _down(options: Namespace) -> int:
    from pathlib import Path

    from bluegreen.cli.text import as_json, say, say_json
    from bluegreen.local.book import forget_endpoint
    from bluegreen.sandbox import control
    from bluegreen.sandbox.state import SandboxState

    homes = control.running_folders() if options.all else set()
    running = [control.status(), *(control.status(Path(home)) for home in homes)]
    ended = control.down(all=options.all)
    for was in running:
        if isinstance(was, SandboxState):
            forget_endpoint(was.endpoint)
    if as_json(options):
        say_json(
            {"exit_code": 0, "ended": [{"folder": e.folder, "was": e.was, "leftovers": e.leftovers} for e in ended]}
        )
    for one in [] if as_json(options) else ended:
        words = {"running": "the sandbox is down", "crashed": "what a crashed sandbox left is cleaned up"}
        say(words.get(one.was, "no sandbox was running"))
    return 0


def _status(options: Namespace) -> int:
    from bluegreen.cli.text import as_json, say, say_json
    from bluegreen.sandbox import control
    from bluegreen.sandbox.state import SandboxState

    found = control.status()
    if isinstance(found, SandboxState):
        return _show(options, found)
    sentence = found.sentence() if found else "no sandbox is running"
    code = 7 if found else 0
    if as_json(options):
        say_json({"exit_code": code, "running": False, "crashed": found is not None, "sentence": sentence})
    else:
        say(f"the sandbox {sentence}" if found else sentence)
    return code


def _show(options: Namespace, state: SandboxState) -> int:
    from bluegreen.cli.text import as_json, say, say_json

    if as_json(options):
        known = {
            key: getattr(state, key) for key in ("pid", "endpoint", "registry", "region", "account", "mode", "folder")
        }
        say_json(
            {
                "exit_code": 0,
                "running": True,
                **known,
                "listeners": dict(state.listeners),
                "instances": list(state.instances),
            }
        )
        return 0
    say(f"sandbox running (pid {state.pid}, {state.mode} mode): AWS at {state.endpoint}, registry at {state.registry}")
    for name, port in sorted(state.listeners.items()):
        say(f"  {name} answers at http://127.0.0.1:{port}")
    for one in sorted(state.instances, key=lambda one: (one["name"], one["id"])):
        say(f"  {one['id']}  {one['state']:<13}  {one['address']:<15}  {one['name']}".rstrip())
    say("use it with --sandbox, or with any AWS tool:")
    say(f"  export AWS_ENDPOINT_URL={state.endpoint} AWS_REGION={state.region}")
    say("  export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox")
    return 0
