"""One AWS call as the sandbox sees it, the refusal of one, and the log of all. Plain values: moto is not known here."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Wire = tuple[int, Mapping[str, Any], Any]  # status, headers, body

LOG_LENGTH = 100_000
SUMMARY_LENGTH = 200
# What a call is about; nothing that may hold a secret is ever looked at.
SUBJECTS = (
    *("InstanceIds", "InstanceId", "Resources", "TargetGroupArn", "TargetGroupArns", "RuleArn", "RuleArns"),
    *("ListenerArn", "ListenerArns", "LoadBalancerArn", "LoadBalancerArns", "LoadBalancerName", "LoadBalancerNames"),
    *("ResourceArns", "TableName", "AlarmNames", "ImageIds", "SubnetIds", "GroupIds", "ClientToken", "Name", "Names"),
)  # fmt: skip


class AwsError(Exception):
    """AWS says no. `status` only where it is not the one that the service's model gives for the code."""

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def not_implemented(service: str, operation: str, detail: str = "") -> AwsError:
    what = f"not implemented in the sandbox: {service} {operation}"
    return AwsError("NotImplemented", f"{what} ({detail})" if detail else what, status=501)


@dataclass(slots=True)
class Call:
    """`params` may be changed before `proceed`, which is moto's answer; `answer` puts a result of ours on the wire."""

    service: str
    operation: str
    region: str
    at: float
    params: dict[str, Any]
    proceed: Callable[[], Wire]
    answer: Callable[[object], Wire]


Handler = Callable[[Call], Wire]
Operations = dict[tuple[str, str], Handler]  # (service, operation)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """`error` is AWS's code, empty if there was none. `resource` is what the call was about, shortened."""

    at: float
    service: str
    operation: str
    status: int
    error: str
    resource: str


class CallLog:
    """The newest calls, oldest first. Safe to read while calls go on."""

    def __init__(self, length: int = LOG_LENGTH) -> None:
        self._records: deque[CallRecord] = deque(maxlen=length)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[CallRecord]:
        with self._lock:
            return iter(tuple(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: CallRecord) -> None:
        with self._lock:
            self._records.append(record)

    def clear(self) -> None:
        with self._lock:
            self._records.clear()

    def operations(self, service: str = "") -> list[str]:
        return [record.operation for record in self if not service or record.service == service]


def ok(wire: Wire) -> bool:
    return wire[0] < 400


def subject(params: Mapping[str, Any]) -> str:
    for key in SUBJECTS:
        value = params.get(key)
        if isinstance(value, str) and value:
            return _short(value)[:SUMMARY_LENGTH]
        if isinstance(value, list) and value:
            return ",".join(_short(str(part)) for part in value)[:SUMMARY_LENGTH]
    return ""


def error_code(wire: Wire) -> str:
    """The AWS code in an answer, whichever service's. Empty if it is no error."""
    if ok(wire):
        return ""
    headers = {name.lower(): str(value) for name, value in wire[1].items()}
    body = wire[2].decode("utf-8", "replace") if isinstance(wire[2], bytes) else str(wire[2])
    found = re.search(r"<Code>([^<]*)</Code>", body) or re.search(r'"__type": ?"([^"]*)"', body)
    named = found.group(1) if found else headers.get("x-amzn-errortype", "")
    return named.rpartition("#")[2] or "Unknown"


def _short(name: str) -> str:
    """An ARN without what is the same in all of them."""
    return name.split(":", 5)[-1] if name.startswith("arn:") else name
