"""Logins of the person or job that builds, from where `docker login` keeps them: config.json and credential helpers."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from bluegreen.errors import UsageError
from bluegreen.images.transport import Credentials

HUB = "https://index.docker.io/v1/"
HELPER_S = 15


def login(host: str) -> Credentials | None:
    """For a registry's host as it stands in image names; None when there was no docker login. Raises UsageError for a file
    that cannot be read, or a helper that fails."""
    found = _config()
    name = HUB if host == "docker.io" else host
    helper = _table(found, "credHelpers").get(name) or found.get("credsStore")
    if isinstance(helper, str) and helper:
        return _ask(helper, name)
    entry = _table(found, "auths").get(name)
    packed = entry.get("auth") if isinstance(entry, dict) else None
    if not isinstance(packed, str) or not packed:
        return None
    try:
        username, _, password = base64.b64decode(packed).decode().partition(":")
    except ValueError:
        raise UsageError(f"the login of {host} in {_path()} is damaged", next=f"docker login {host}") from None
    return Credentials(username, lambda: password, at_hand=True)


def _path() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path("~/.docker").expanduser()) / "config.json"


def _config() -> dict[str, Any]:
    try:
        found = json.loads(_path().read_bytes())
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{_path()} cannot be read", why=str(error)) from None
    return found if isinstance(found, dict) else {}


def _table(found: dict[str, Any], name: str) -> dict[str, Any]:
    table = found.get(name)
    return table if isinstance(table, dict) else {}


def _ask(helper: str, name: str) -> Credentials | None:
    """docker-credential-NAME get: the registry on stdin, the login as JSON on stdout."""
    import subprocess

    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, "get"], input=name, capture_output=True, text=True, timeout=HELPER_S)
        if done.returncode:
            return None  # it has no login for this registry
        answer = json.loads(done.stdout)
        return Credentials(str(answer["Username"]), lambda: str(answer["Secret"]), at_hand=True)
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError) as error:
        why = type(error).__name__  # never what it said: that may be the password
        raise UsageError(f"{program} does not answer as it should", where=str(_path()), why=why) from None
