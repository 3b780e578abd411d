"""Where a container's log goes: Docker's LogConfig. A log server that is away stops neither start nor service."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

LOCAL = ("json-file", "local")
BOUNDED = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
ADDRESSES = ("syslog-address", "gelf-address", "fluentd-address")
PORTS = {"syslog-address": 514, "gelf-address": 12201, "fluentd-address": 24224}
TAGS = {"awslogs": "awslogs-stream"}
CONNECT_S = 3.0


def config(logging: Mapping[str, Any], tag: str, ca: str) -> dict[str, Any]:
    """The options as boot.json has them, with what only the instance knows; `ca` is the file that holds the log server's
    authority, or ""."""
    driver, options = logging["driver"], dict(logging["options"])
    if driver not in LOCAL:
        options[TAGS.get(driver, "tag")] = tag
    if ca:
        options["syslog-tls-ca-cert"] = ca
    return {"Type": driver, "Config": options}


def away(options: Mapping[str, str]) -> str:
    """Why its server cannot be reached now, or "". Docker starts no container whose log server refuses it."""
    for key in ADDRESSES:
        address = options.get(key, "")
        where = urlsplit(address if "://" in address else f"tcp://{address}")
        if not where.hostname:
            continue
        try:
            there = (where.hostname, where.port or PORTS[key])
            if where.scheme == "udp":
                socket.getaddrinfo(*there)
            else:
                socket.create_connection(there, CONNECT_S).close()
        except OSError as error:
            return f"{address} does not answer ({error.strerror or error})"
    return ""
