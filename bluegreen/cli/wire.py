"""The only file that joins ports and adapters: from options and environment to a World, and to a job for the controller."""

from __future__ import annotations

import base64
import getpass
import os
import socket
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bluegreen.aws import credentials
from bluegreen.aws.client import PATIENT_ATTEMPTS, Aws, endpoint_from_environment
from bluegreen.aws.instances import Ec2Fleets
from bluegreen.aws.record import DynamoRecords
from bluegreen.aws.table import TABLE, Table
from bluegreen.aws.weighted import WeightedTraffic
from bluegreen.cli.options import variables
from bluegreen.controller.world import World
from bluegreen.core.record import Owner
from bluegreen.errors import CloudError, NotYet, Refused, UsageError
from bluegreen.local.agents import HttpAgents
from bluegreen.local.book import LocalBook
from bluegreen.local.clock import SystemClock
from bluegreen.local.heart import beating
from bluegreen.ports import Here, Watcher

if TYPE_CHECKING:
    from bluegreen.controller.commands import Deploy
    from bluegreen.controller.resolve import Rendered
    from bluegreen.core.chain import Lineage
    from bluegreen.core.outcome import Outcome
    from bluegreen.core.stack import Stack
    from bluegreen.images.registry import RegistryImages

TABLE_READY_S = 60


@dataclass(frozen=True, slots=True)
class Wired:
    """A world, and the adapters behind it for what no port offers (history, the table itself)."""

    world: World
    aws: Aws
    records: DynamoRecords
    clock: SystemClock
    book: LocalBook


def wire(options: Namespace, watcher: Watcher, region: str = "") -> Wired:
    """`region` is the stack file's; an option or the environment may not contradict it."""
    endpoint = options.endpoint_url or endpoint_from_environment()
    if options.sandbox:
        endpoint = _enter_sandbox(options)
    clock = SystemClock()
    aws = Aws(_region(options, region), options.profile, endpoint, clock.sleep, told=clock.follow)
    records = DynamoRecords(aws, os.environ.get("BLUEGREEN_TABLE") or TABLE)
    here = Here(aws.region, aws.endpoint or "", records.table)
    world = World(
        Ec2Fleets(aws), WeightedTraffic(aws), records, clock, watcher, beating=beating, agents=HttpAgents(), here=here
    )
    return Wired(world, aws, records, clock, LocalBook(here))


def _region(options: Namespace, region: str) -> str:
    given = options.region or region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if options.region and region and options.region != region:
        raise UsageError(f"--region {options.region}, but the stack file says {region}", next="leave --region out")
    if not given:
        raise UsageError("no region is given", next="add --region eu-west-1, or set AWS_REGION")
    return str(given)


def pretend() -> None:
    """The sandbox's credentials, for this process only; nothing of other ones beside them, such as when those end."""
    os.environ.update(AWS_ACCESS_KEY_ID="sandbox", AWS_SECRET_ACCESS_KEY="sandbox")  # noqa: S106 - public, and no secret
    for name in ("AWS_SESSION_TOKEN", credentials.EXPIRES):
        os.environ.pop(name, None)


def _enter_sandbox(options: Namespace) -> str:
    """The sandbox's endpoint, and its public pretence of credentials."""
    from bluegreen.sandbox.control import Crashed, status

    running = status()
    if running is None or isinstance(running, Crashed):
        why = running.sentence() if running else ""
        raise Refused("no sandbox is running", why=why, next="bluegreen sandbox up")
    pretend()
    options.region = options.region or running.region
    return running.endpoint


def _refuse_agent(stack: Stack, endpoint: str) -> None:
    """The sandbox's processes have no agent: its checks would fail until the deadline."""
    from bluegreen.sandbox.control import status
    from bluegreen.sandbox.state import SandboxState

    running = status()
    if isinstance(running, SandboxState) and running.mode == "process" and running.endpoint == endpoint:
        raise Refused(
            "health.path agent needs hosts with an agent, and this sandbox runs processes",
            where=f"{stack.source}: traffic",
            next="bluegreen sandbox down, then bluegreen sandbox up --mode docker",
        )


def owner(wired: Wired) -> Owner:
    """Who we are, for the record and the history: the ARN, the host, the CI build if one is running us."""
    from bluegreen.aws.facts import identity

    _, arn = identity(wired.aws)
    return local_owner(arn)


def local_owner(identity: str = "") -> Owner:
    """Without a call to AWS: the rollback path does not wait for STS."""
    host = f"{socket.gethostname()} pid {os.getpid()}"
    return Owner(identity or _user(), host, os.environ.get("BUILD_URL", ""))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def tell_notes(wired: Wired, stack: str) -> None:
    """A rollback that was made from this machine without the ledger, and that the record may not have."""
    if wired.book.notes(stack):
        from bluegreen.controller.notes import tell

        tell(wired.world, stack, wired.book)


def write_notes(wired: Wired, stack: str) -> Outcome | None:
    """What this machine did without the ledger, and AWS shows, is written into the record."""
    if not wired.book.notes(stack):
        return None
    from bluegreen.controller.notes import write_down

    return write_down(wired.world, stack, local_owner(), wired.book)


def deploy_job(
    wired: Wired,
    options: Namespace,
    stack: Stack,
    confirm: Callable[[str, str], bool],
    lineage: Lineage | None = None,
) -> Deploy:
    from bluegreen.aws import facts as ask
    from bluegreen.controller.commands import Deploy
    from bluegreen.controller.resolve import Facts, stack_architecture

    if wired.aws.endpoint and any(binding.health.port for binding in stack.traffic):
        _refuse_agent(stack, wired.aws.endpoint)
    if wired.aws.profile is None:  # with one, the SDK does not look at the environment
        credentials.require(stack.longest_s, wired.aws.wall())
    attempts, wired.aws.attempts = wired.aws.attempts, PATIENT_ATTEMPTS  # nothing waits for it yet
    account, arn = _identity(wired, stack)

    def prepare() -> None:
        ensure_table(wired, wired.world.watcher.note)
        wired.aws.attempts = attempts  # from here on the loop tries again, and looks before it does

    def facts(vpc: str) -> Facts:
        zones = ask.zones(wired.aws, stack.fleet, vpc)
        ask.check_security_groups(wired.aws, stack.fleet)
        return Facts(account, zones, ask.ami(wired.aws, stack.fleet.ami, stack_architecture(stack)))

    return Deploy(
        stack=stack,
        version=variables(options).get("VERSION", ""),
        owner=local_owner(arn),
        facts=facts,
        images=_images(wired, stack),
        render=_render,
        confirm=confirm,
        wait_s=options.wait_lock,
        lineage=lineage,
        prepare=prepare,
    )


def _identity(wired: Wired, stack: Stack) -> tuple[str, str]:
    """Account and ARN of whoever asks. Raises Refused when that account is not the stack's."""
    from bluegreen.aws.facts import identity

    account, arn = identity(wired.aws)
    if account != stack.account:
        raise Refused(
            f"these credentials are for account {account}, but {stack.name} lives in {stack.account}",
            where=f"{stack.source}: account",
            next="use the right AWS_PROFILE",
        )
    return account, arn


def needed_images(wired: Wired, stack: Stack, releases: int) -> dict[str, str]:
    """Digest → who needs it."""
    from bluegreen.boot import userdata
    from bluegreen.controller.needed import needed

    _identity(wired, stack)
    return needed(wired.records, stack.name, releases, lambda text: userdata.images(base64.b64decode(text)))


def _images(wired: Wired, stack: Stack) -> RegistryImages:
    from bluegreen.cli.wire_images import declared_login
    from bluegreen.images.registry import RegistryImages

    login = declared_login(stack.registry, lambda: wired.aws)
    known = {stack.registry.host: login} if login else {}
    return RegistryImages(known, authorities=stack.registry.ca, sleep=wired.clock.sleep)


def _render(stack: Stack, images: Mapping[str, str]) -> Rendered:
    from bluegreen.boot.userdata import fingerprint, render
    from bluegreen.controller.resolve import Rendered

    return Rendered(render(stack, images), fingerprint(stack, images))


def ensure_table(wired: Wired, note: Callable[[str], None]) -> None:
    """The ledger's table is made at the first deployment of an account and region, and waited for."""
    table = Table(wired.aws, wired.records.table)
    if table.exists():
        return
    note(f"making DynamoDB table {table.name} (on-demand billing): the ledger of all stacks in this region")
    table.make()
    until = time.monotonic() + TABLE_READY_S
    while not table.exists():
        if time.monotonic() > until:
            raise Refused(f"table {table.name} is not ready after {TABLE_READY_S} s", next="try again")
        wired.clock.sleep(1)
    _complete(wired, table, until, note)


def _complete(wired: Wired, table: Table, until: float, note: Callable[[str], None]) -> None:
    """What a new table should have besides, and can do without: each refusal is told, and the deployment goes on."""
    from bluegreen.aws.expiry import DynamoExpiry

    try:
        DynamoExpiry(wired.records).enable()
    except CloudError as error:  # tried again when the first lines shall expire
        note(f"old journals will not expire yet: {error.what}")
    try:
        while True:
            try:
                table.keep_backups()
                return
            except NotYet:
                if time.monotonic() > until:
                    raise
                wired.clock.sleep(1)
    except CloudError as error:
        note(
            f"table {table.name} has no point-in-time recovery: {error.what}. To switch it on: aws dynamodb "
            f"update-continuous-backups --table-name {table.name} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        )


def tidy(wired: Wired, stack: str) -> None:
    """After a deployment: the lines that nobody needs any more get an end."""
    from bluegreen.aws.expiry import DynamoExpiry
    from bluegreen.controller import expiry

    expiry.tidy(wired.world, DynamoExpiry(wired.records), stack)
