"""PURE: how a registry asks for a login, and how one answers. RFC 9110 section 11; distribution's token spec."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

_PART = re.compile(r'\s*,?\s*([A-Za-z][\w-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?')


class Challenge(NamedTuple):
    """`scheme` in lower case ("basic", "bearer"), and its parameters ("realm", "service", "scope")."""

    scheme: str
    parameters: Mapping[str, str]


def challenges(header: str) -> tuple[Challenge, ...]:
    """Those in a WWW-Authenticate header: a name alone begins one, name=value belongs to the one before."""
    found: list[tuple[str, dict[str, str]]] = []
    for match in _PART.finditer(header):
        name, quoted, bare = match.groups()
        if quoted is None and bare is None:
            found.append((name.lower(), {}))
        elif found:
            found[-1][1][name.lower()] = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def token_url(challenge: Challenge, scope: str, username: str) -> str:
    """Where the bearer token for `scope` (repository:shop/web:pull) is to be had."""
    realm = challenge.parameters.get("realm", "")
    asked = {"service": challenge.parameters.get("service", ""), "account": username}
    query = urlencode({key: value for key, value in asked.items() if value} | {"scope": scope})
    return f"{realm}{'&' if '?' in realm else '?'}{query}"


def token(body: bytes) -> str:
    """The token in the answer; empty if there is none."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    found = (answer.get("token") or answer.get("access_token") or "") if isinstance(answer, dict) else ""
    return found if isinstance(found, str) else ""
