"""The sandbox's AWS: moto with the behaviour that moto lacks. Here is what holds it together: the lock, the clock, the
way of one call, and what the data plane asks (model.Routes).

Every call goes the same way, whichever mount it came by (mounts.py): take the lock, let time pass, meet a fault, be
refused or answered by one of the operations of ours or else by moto, let time pass again, be logged. moto is one state
for the whole process and not atomic under threads, so all engines share one lock; each engine is a world of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from bluegreen.sandbox import faults as fault_table
from bluegreen.sandbox import moto_seams as moto
from bluegreen.sandbox import mounts, parameter_store, routes, selfcheck
from bluegreen.sandbox.calls import (
    AwsError,
    Call,
    CallLog,
    CallRecord,
    Operations,
    Wire,
    error_code,
    not_implemented,
    subject,
)
from bluegreen.sandbox.faults import FaultTable
from bluegreen.sandbox.instances import Instances
from bluegreen.sandbox.lifetimes import Change, Life, Lifetimes
from bluegreen.sandbox.listeners import Listeners
from bluegreen.sandbox.model import Boot, Group, Hosts, Listener
from bluegreen.sandbox.run_instances import RunInstances
from bluegreen.sandbox.target_groups import TargetGroups
from bluegreen.sandbox.targets import Probe, Targets

ACCOUNT = "123456789012"
LOCK = threading.RLock()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """`wire` is None if moto cannot read the request. `lost`: it happened, but the caller is not to hear of it."""

    wire: Wire | None
    lost: bool


class Engine:
    """One AWS account. `clock` tells epoch seconds. Without `hosts` there are no machines: then health comes from
    `report_check`, or from `probe`, which is asked about every target in use at every interval (`targets.Probe`)."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        hosts: Hosts | None = None,
        *,
        account: str = ACCOUNT,
        pending_s: float = 1.0,
        shutting_down_s: float = 1.0,
        visibility_s: float = 0.0,
        probe: Probe | None = None,
        faults: FaultTable | None = None,
    ) -> None:
        selfcheck.check()
        self.account = account
        self.calls = CallLog()
        self.faults = faults if faults is not None else FaultTable()
        self._clock = clock
        self._hosts = hosts
        self._lost = False
        self._backends = moto.Backends()
        self._lifetimes = Lifetimes(
            account, pending_s=pending_s, shutting_down_s=shutting_down_s, visibility_s=visibility_s
        )
        self._listeners = Listeners(account)
        self._targets = Targets(account, self._lifetimes, probe)
        self._operations: Operations = {
            ("ec2", "RunInstances"): RunInstances(account, self._lifetimes),
            **Instances(self._lifetimes, self._console).operations(),
            **self._listeners.operations(),
            **TargetGroups(account).operations(),
            **self._targets.operations(),
            **parameter_store.operations(),
        }

    def session(self, region: str = "eu-west-1") -> boto3.Session:
        """Mount A: whatever this session's clients call is answered here, in this process."""
        return mounts.session(self, region)

    def wsgi(self) -> mounts.Application:
        """Mount B: the same as a web application, for other processes."""
        return mounts.Application(self)

    def settle(self) -> None:
        """Lets the time that has passed have its effect. Every call does so too; a ticker does it in between."""
        with self.entered():
            self._settle()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The lock is held, and moto's state is this world's. The seed works in here."""
        with LOCK, self._backends.installed():
            yield

    def dispatch(self, run: Callable[[], Wire | None]) -> Reply:
        """`run` hands a request to moto, which hands it back to `_answer` once it is parsed."""
        with self.entered(), moto.answering(self._answer):
            self._settle()
            self._lost = False
            try:
                wire = run()
            except Exception:  # not from an operation: those answer for themselves
                log.exception("moto cannot read a request")
                wire = None
            self._settle()
            return Reply(wire, self._lost)

    def listeners(self) -> tuple[Listener, ...]:
        with self.entered():
            self._settle()
            backends = moto.elbv2_regions(self.account).values()
            return tuple(listener for backend in backends for listener in routes.listeners(backend))

    def groups(self) -> tuple[Group, ...]:
        with self.entered():
            self._settle()
            backends = moto.elbv2_regions(self.account).values()
            return tuple(
                group for backend in backends for group in routes.groups(backend, self._targets, self._address)
            )

    def instances(self) -> list[dict[str, str]]:
        """What there is, in the words of `state.SandboxState.instances`."""
        with self.entered():
            self._settle()
            return [
                {
                    "id": life.instance.id,
                    "name": moto.tags_of(life.instance).get("Name", ""),
                    "address": (self._address(life.instance.id, 0) or ("",))[0],
                    "state": life.state,
                }
                for life in self._lifetimes.shown()
            ]

    def report_check(self, group_arn: str, target_id: str, port: int, passed: bool, reason: str) -> None:
        with self.entered():
            for backend in moto.elbv2_regions(self.account).values():
                if (group := backend.target_groups.get(group_arn)) is not None:
                    self._targets.report(group, target_id, port, passed, reason)

    def _settle(self) -> None:
        now = self._clock()
        changes = self._lifetimes.settle(now)
        self._listeners.settle()
        self._targets.settle(now)
        for change in changes:
            self._tell(change)

    def _tell(self, change: Change) -> None:
        """The hosts' trouble is theirs: AWS, too, says "running" of a machine that does not boot."""
        if self._hosts is None:
            return
        instance = change.life.instance
        try:
            match change.what:
                case "start":
                    self._hosts.start(self._boot(change.life))
                case "stop":
                    self._hosts.stop(instance.id)
                case "end":
                    self._hosts.end(instance.id)
        except Exception:
            log.exception("the machine of %s does not %s", instance.id, change.what)

    def _boot(self, life: Life) -> Boot:
        instance = life.instance
        return Boot(
            instance_id=instance.id,
            region=life.region,
            user_data=moto.user_data_of(instance),
            tags=tuple(moto.tags_of(instance).items()),
            account=self.account,
            image_id=str(instance.image_id),
            instance_type=str(instance.instance_type),
            zone=str(instance.availability_zone),
            address=str(instance.private_ip),
            role=moto.role_of(self.account, instance),
            tags_in_metadata=instance.metadata_options.instance_metadata_tags == "enabled",
        )

    def _console(self, instance_id: str) -> str:
        return self._hosts.console(instance_id) if self._hosts is not None else ""

    def _address(self, instance_id: str, port: int) -> tuple[str, int] | None:
        if self._hosts is None or self._lifetimes.state(instance_id) != "running":
            return None
        return self._hosts.address(instance_id, port)

    def _answer(self, response: Any) -> Wire:
        """One call, parsed: the answer, or AWS's refusal of it."""
        call = self._call(response)
        try:
            wire = self._perform(call)
        except AwsError as error:
            wire = _refusal(response, error)
        except moto.ServiceException as error:
            wire = moto.serialise(response, error)
        except NotImplementedError as error:
            wire = _refusal(response, not_implemented(call.service, call.operation, str(error)))
        except Exception as error:
            log.exception("%s %s failed in the sandbox", call.service, call.operation)
            wire = _refusal(response, AwsError("InternalError", f"the sandbox failed: {error!r}", status=500))
        self.record(call.service, call.operation, wire, subject(call.params))
        return wire

    def _call(self, response: Any) -> Call:
        return Call(
            service=str(response.service_name),
            operation=moto.operation(response),
            region=str(response.region),
            at=self._clock(),
            params=moto.parameters(response),
            proceed=response.call_action,
            answer=lambda result: moto.serialise(response, result),
        )

    def _perform(self, call: Call) -> Wire:
        fault = self.faults.meet(call.operation)
        if fault is not None:
            fault_table.refuse(fault, call.service)
            self._lost = True
        return self._operations.get((call.service, call.operation), _let_moto)(call)

    def record(self, service: str, operation: str, wire: Wire, resource: str = "") -> None:
        self.calls.add(CallRecord(self._clock(), service, operation, wire[0], error_code(wire), resource))


def _let_moto(call: Call) -> Wire:
    return call.proceed()


def _refusal(response: Any, error: AwsError) -> Wire:
    status, headers, body = moto.serialise(response, error)
    return error.status or status, headers, body
