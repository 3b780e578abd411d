"""boot.json as types, for whoever reads or checks the programs; machines do without this file."""

from __future__ import annotations

from typing import Any, TypedDict


class Port(TypedDict):
    host: int
    container: int
    protocol: str


class DependsOn(TypedDict):
    service: str
    condition: str


class Health(TypedDict):
    test: list[str]
    interval_s: float
    timeout_s: float
    retries: int
    start_period_s: float


class Service(TypedDict):
    """`ulimits` is name → [soft, hard]; `workers` has match and count."""

    name: str
    image: str
    command: list[str] | None
    entrypoint: list[str] | None
    environment: dict[str, str]
    ports: list[Port]
    depends_on: list[DependsOn]
    healthcheck: Health | None
    restart: str
    user: str | None
    working_dir: str | None
    init: bool
    read_only: bool
    stop_grace_period_s: float
    ulimits: dict[str, list[int]]
    workers: dict[str, Any] | None


class Document(TypedDict):
    schema: int
    stack: str
    region: str
    docker: str
    registry: dict[str, Any]
    logging: dict[str, Any] | None
    agent: dict[str, int]
    services: list[Service]
