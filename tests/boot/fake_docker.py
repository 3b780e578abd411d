"""Stands on PATH as `docker`: keeps images, networks and containers in one JSON file, writes down every call, and fails
on demand. What a real engine would do is left out; what the boot must not do (secrets in arguments) is written down."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

World = dict[str, Any]


def main(words: list[str]) -> int:
    folder = Path(os.environ["FAKE_DOCKER"])
    stdin = "" if sys.stdin.isatty() else sys.stdin.read()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        world = json.loads((folder / "world.json").read_text("utf-8"))
        world["calls"].append({"argv": words, "stdin": stdin, "config": _login_folder()})
        try:
            return _answer(world, words, stdin)
        finally:
            (folder / "world.json").write_text(json.dumps(world), "utf-8")


def _login_folder() -> dict[str, Any]:
    path = Path(os.environ.get("DOCKER_CONFIG", "/nowhere"))
    return {"path": str(path), "mode": path.stat().st_mode & 0o777 if path.exists() else None}


def _answer(world: World, words: list[str], stdin: str) -> int:
    line = " ".join(words)
    for start, answers in world["fail"].items():
        if line.startswith(start) and answers:
            sys.stderr.write(answers.pop(0) + "\n")
            return 1
    command = words[1] if words[0] in ("container", "image", "network") else words[0]
    match words[0], command:
        case "version" | "info", _:
            print(world[words[0]])
        case "login", _:
            print("Login Succeeded")
        case "pull", _:
            world["images"].append(words[-1])
        case "image" | "network" as kind, "inspect":
            return 0 if words[-1] in world[kind + "s"] else _gone(words[-1])
        case "network", "create":
            world["networks"].append(words[-1])
        case "run", _:
            return _run(world, words[1:])
        case "container", _:
            return _container(world, command, words)
        case _:
            raise SystemExit(f"the fake does not know: {line}")
    return 0


def _run(world: World, words: list[str]) -> int:
    options = words[: next(index for index, word in enumerate(words) if not word.startswith("--"))]
    image, *command = words[len(options) :]
    given = [option.partition("=")[::2] for option in options]
    values = dict(given)
    world["containers"][values["--name"]] = {
        "image": image,
        "command": command,
        "options": options,
        "environment": _environment(given),
        "env_file_mode": Path(values["--env-file"]).stat().st_mode & 0o777,
        "config": next(value.partition("=")[2] for _, value in given if value.startswith("bluegreen.config=")),
        "state": {"Status": "running", "ExitCode": 0},
        "restarts": 0,
        **world["born"].get(values["--name"], {}),
    }
    return 0


def _environment(given: list[tuple[str, str]]) -> dict[str, str]:
    """As docker/cli opts.ParseEnvFile and --env NAME have it."""
    found = {}
    for option, value in given:
        if option == "--env-file":
            text = Path(value).read_bytes().decode()
            found.update(line.split("=", 1) for line in text.split("\n") if line and not line.startswith("#"))
        if option == "--env":
            found[value] = os.environ[value]
    return found


def _container(world: World, command: str, words: list[str]) -> int:
    if command == "ls":
        for name, container in world["containers"].items():
            print(f"{name}\t{container['state']['Status']}\t{container['config']}")
        return 0
    container = world["containers"].get(words[-1])
    if container is None:
        return _gone(words[-1])
    if command == "inspect":
        if container.get("later"):
            container["state"] = container["later"].pop(0)
        print(container["restarts"], json.dumps(container["state"]))
    elif command == "logs":
        print(container.get("stdout", ""))
        sys.stderr.write(container.get("stderr", ""))
    elif command == "rm":
        del world["containers"][words[-1]]
    else:
        container["state"]["Status"] = {"start": "running", "stop": "exited"}[command]
    return 0


def _gone(name: str) -> int:
    sys.stderr.write(f"Error response from daemon: no such thing: {name}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
