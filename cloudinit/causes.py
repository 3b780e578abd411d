"""PURE: what an engine or a registry wrote, as the one line that a person at 3 a.m. can act on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FULL = "the disk is full"
_HEX = re.compile(r"[0-9a-f]{12,}")  # ids and digests: any number can stand in them

PAUSES = (1, 2, 4, 8, 15, 15)  # seconds between tries: registries and networks have bad moments while a machine boots
NEVER, ONCE, OFTEN = 0, 1, len(PAUSES)  # more tries that may help; a silent server costs each of them half a minute

# words of an error, the cause, and how many more tries
_OF_REGISTRIES = (
    (r"no space left", "{full}: {image} does not fit", NEVER),
    (r"x509.*unknown authority", "{host}: its certificate is signed by an unknown authority (registry.ca?)", NEVER),
    (r"x509: (.*)", "{host}: {0}", NEVER),
    (r"unauthorized|\b401\b|no basic auth", "{host}: 401 unauthorized ({login})", NEVER),
    (r"denied|\b403\b", "{host}: 403 denied for {image}", NEVER),
    (r"manifest unknown|name unknown|not found", "{image}: not found in the registry", NEVER),
    (r"no matching manifest", "{image}: made for another architecture", NEVER),
    (r"no such host|server misbehaving|name resolution", "{host}: no such host", OFTEN),
    (r"connection refused", "{host}: connection refused", OFTEN),
    (r"timeout|timed out|deadline exceeded", "{host}: does not answer", ONCE),
)


def of_registry(message: str, host: str, image: str, login: Mapping[str, Any] | None) -> tuple[str, int]:
    """The cause, and how many more tries it deserves: most of these pass by themselves, or never."""
    words = {"host": host, "image": image, "full": FULL, "login": _login(login)}
    for pattern, cause, tries in _OF_REGISTRIES:
        if found := re.search(pattern, _HEX.sub("", message), re.IGNORECASE):
            return cause.format(*found.groups(), **words), tries
    return f"{host}: {message.strip().splitlines()[-1] if message.strip() else 'no answer'}", OFTEN


def of_start(name: str, message: str) -> str:
    """Why a container did not start."""
    text = _HEX.sub("", message)
    if found := re.search(r":(\d+)\b.*(?:port is already allocated|address already in use)", text):
        return f"{name}: port {found[1]} of this machine is taken"
    if found := re.search(r'exec: "([^"]*)".*(?:not found|no such file)', text):
        return f"{name}: {found[1]} is not in the image"
    if found := re.search(r'exec: "([^"]*)".*permission denied', text):
        return f"{name}: {found[1]} may not be executed"
    if "no space left" in text:
        return f"{FULL}: {name} cannot be started"
    return of_end(name, message) or f"{name}: {message.strip().splitlines()[-1] if message.strip() else 'no reason'}"


def of_end(name: str, last_words: str) -> str:
    """Of a container that has ended, where its last words tell more than its exit code."""
    return f"{name}: its program is made for another architecture" if "exec format error" in last_words else ""


def logging_driver(message: str) -> bool:
    return "logging driver" in message


def _login(login: Mapping[str, Any] | None) -> str:
    if not login:
        return "no registry.auth"
    return "may the instance's role pull?" if "ecr" in login else f"wrong password in {login['password']}?"
