"""EC2's calls on instances that exist: what is refused, what is answered. States and their time are lifetimes.py's."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from bluegreen.sandbox.calls import AwsError, Call, Operations, Wire, ok
from bluegreen.sandbox.lifetimes import Life, Lifetimes
from bluegreen.sandbox.moto_seams import STATE_CODES
from bluegreen.sandbox.tagging import check_instance_tags

CONSOLE_LIMIT = 65_536
ENDED = ("shutting-down", "terminated")


class Instances:
    def __init__(self, lifetimes: Lifetimes, console: Callable[[str], str]) -> None:
        self._lifetimes = lifetimes
        self._console = console

    def operations(self) -> Operations:
        return {
            ("ec2", "DescribeInstances"): self._describe,
            ("ec2", "DescribeInstanceStatus"): self._describe,
            ("ec2", "TerminateInstances"): self._terminate,
            ("ec2", "StopInstances"): self._stop,
            ("ec2", "StartInstances"): self._start,
            ("ec2", "RebootInstances"): self._reboot,
            ("ec2", "GetConsoleOutput"): self._console_output,
            ("ec2", "CreateTags"): self._create_tags,
        }

    def _describe(self, call: Call) -> Wire:
        if ids := call.params.get("InstanceIds"):
            call.params["InstanceIds"] = [life.instance.id for life in self._find(ids)]
        return call.proceed()

    def _terminate(self, call: Call) -> Wire:
        lives = self._find(call.params.get("InstanceIds") or ())
        before = {life.instance.id: life.state for life in lives}
        call.params["InstanceIds"] = [life.instance.id for life in lives if life.state not in ENDED]
        if call.params["InstanceIds"] or call.params.get("DryRun") or not lives:
            wire = call.proceed()
            if not ok(wire):
                return wire
        return call.answer(
            {
                "TerminatingInstances": [
                    {
                        "InstanceId": instance_id,
                        "CurrentState": _state("terminated" if state == "terminated" else "shutting-down"),
                        "PreviousState": _state(state),
                    }
                    for instance_id, state in before.items()
                ]
            }
        )

    def _stop(self, call: Call) -> Wire:
        return self._only_from(call, "stopped", ("running", "stopping", "stopped"))

    def _start(self, call: Call) -> Wire:
        return self._only_from(call, "started", ("stopped", "pending", "running"))

    def _reboot(self, call: Call) -> Wire:
        return self._only_from(call, "rebooted", ("running", "pending"))

    def _only_from(self, call: Call, what: str, states: tuple[str, ...]) -> Wire:
        for life in self._find(call.params.get("InstanceIds") or ()):
            if life.state not in states:
                raise AwsError(
                    "IncorrectInstanceState",
                    f"The instance '{life.instance.id}' is not in a state from which it can be {what}.",
                )
        return call.proceed()

    def _console_output(self, call: Call) -> Wire:
        (life,) = self._find([str(call.params.get("InstanceId") or "")])
        text = self._console(life.instance.id).encode()[-CONSOLE_LIMIT:]
        return call.answer(
            {
                "InstanceId": life.instance.id,
                "Output": base64.b64encode(text).decode(),
                "Timestamp": datetime.fromtimestamp(call.at, UTC).replace(tzinfo=None),
            }
        )

    def _create_tags(self, call: Call) -> Wire:
        tags = call.params.get("Tags") or ()
        for resource in call.params.get("Resources") or ():
            if str(resource).startswith("i-"):
                (life,) = self._find([resource])
                shown = life.instance.metadata_options.instance_metadata_tags == "enabled"
                check_instance_tags(tags, in_metadata=shown)
            else:
                check_instance_tags(tags, in_metadata=False)
        return call.proceed()

    def _find(self, ids: Iterable[str]) -> list[Life]:
        """Each once. One bad id fails them all."""
        wanted = list(dict.fromkeys(ids))
        for name in wanted:
            if not re.fullmatch(r"i-[0-9a-f]{8}([0-9a-f]{9})?", name):
                raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{name}"')
        lives = {name: self._lifetimes.seen(name) for name in wanted}
        missing = [name for name, life in lives.items() if life is None]
        if missing:
            plural = "s" if len(missing) > 1 else ""
            exist = "do not exist" if plural else "does not exist"
            raise AwsError("InvalidInstanceID.NotFound", f"The instance ID{plural} '{', '.join(missing)}' {exist}")
        return [life for life in lives.values() if life is not None]


def _state(name: str) -> dict[str, object]:
    return {"Name": name, "Code": STATE_CODES[name]}
