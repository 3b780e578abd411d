"""The commands as they are, up to the write by which they take the stack: what they refuse, and with which goal they begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from bluegreen.controller import commands, heal
from bluegreen.controller.resolve import Facts, Rendered
from bluegreen.core.image_ref import PinnedImage
from bluegreen.core.outcome import Outcome
from bluegreen.core.record import Owner, Record
from bluegreen.core.stack import FleetShape, Health, Port, Registry, Rollout, Rule, Service, Stack, Traffic
from bluegreen.errors import BluegreenError
from tests.explore.eyes import Taken, world
from tests.explore.values import RELEASE, State

OWNER = Owner("", "")
COMMANDS = ("rollback", "rollback --to standby", "rollback --to live", "resume", "abort", "heal", "gc", "deploy")


@dataclass(frozen=True)
class Bug:
    """What no command may end with: exit 1."""

    what: str


Answer = Record | Outcome | BluegreenError | Bug


def ask(state: State, command: str, size: int, bake_s: int) -> Answer:
    """The record that the command writes to take the stack (or, with the epoch that stands, to acknowledge a rollback), or
    how it ends without."""
    seen = state._replace(crew=(), troubles=0, late=(), late_record=None, outside=0, ills=0, edits=0)
    return _ask(seen, command, size, bake_s)


@cache
def _ask(state: State, command: str, size: int, bake_s: int) -> Answer:
    ports, record = world(state), state.record.value
    try:
        match command:
            case "rollback":
                return commands.rollback(ports, "shop", OWNER)
            case "rollback --to standby" | "rollback --to live":
                fleet = record.standby if command.endswith("standby") else record.live
                if fleet is None:
                    return Outcome("unchanged", "there is no such fleet to name")
                return commands.rollback(ports, "shop", OWNER, fleet.deployment)
            case "resume":
                return commands.resume(ports, "shop", OWNER)
            case "abort":
                return commands.abort(ports, "shop", OWNER)
            case "heal":
                return heal.heal(ports, "shop", OWNER, unhealthy=True)
            case "gc":
                return commands.gc(ports, "shop", OWNER)
            case "deploy":
                return commands.deploy(ports, _job(record.epoch + 1, size, bake_s))
        raise AssertionError(command)
    except Taken as taken:
        return _plain(taken.record)
    except BluegreenError as error:
        return error
    except Exception as error:  # noqa: BLE001 - any that is not ours is told as a broken promise
        return Bug(f"{type(error).__name__}: {error}")


def forget_answers() -> None:
    """Before and after a planted mistake: what the commands answered is not to be remembered."""
    _ask.cache_clear()


def _plain(record: Record) -> Record:
    """Without what no rule asks for and what is another at each write."""
    return replace(record, rvn="", op_id="", beat_at=0.0)


@cache
def _job(epoch: int, size: int, bake_s: int) -> commands.Deploy:
    version = f"r{epoch}"  # one that was never deployed
    stack = Stack(
        name="shop",
        region="",
        account="",
        fleet=FleetShape(size, "ami", ("m7i.large",), ("subnet-a",), ()),
        traffic=(Traffic("shop-alb", 443, 80, Rule(host="shop"), Health("/", 5, 4, 2, 2), drain_s=5),),
        registry=Registry("registry"),
        services=(Service("web", f"registry/web:{version}", ports=(Port(80, 80),)),),
        rollout=Rollout(boot_timeout_s=200, bake_s=bake_s),
        source="shop.yml",
    )
    return commands.Deploy(stack, version, OWNER, _facts, _Digests(), _render)


def _facts(vpc: str) -> Facts:
    return Facts("", {"subnet-a": "a"}, "ami")


def _render(stack: Stack, images: Mapping[str, str]) -> Rendered:
    return Rendered(RELEASE.encode(), "")


class _Digests:
    def digest(self, reference: str, architecture: str) -> PinnedImage:
        return PinnedImage(f"{reference}@sha256:{'0' * 64}", reference, architecture, 0)
