"""The faults that the sandbox makes: by operation and by the how-manieth call of it. An empty table makes none.

"before": refused, nothing happened. "throttle": the same, in the words of the service. "after": the call has its effect
and the connection breaks before the answer, so that the caller cannot know.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from bluegreen.sandbox.calls import AwsError

THROTTLES = {
    "ec2": ("RequestLimitExceeded", 503),
    "elbv2": ("Throttling", 400),
    "elb": ("Throttling", 400),
    "dynamodb": ("ThrottlingException", 400),
}
THROTTLE = ("ThrottlingException", 400)


@dataclass(frozen=True, slots=True)
class Fault:
    """At the `nth` call of `operation`, counted from 1 since the table was last cleared. `code` is for "before"."""

    operation: str
    nth: int
    kind: Literal["before", "after", "throttle"]
    code: str = "InternalError"
    message: str = "An internal error has occurred"
    status: int = 500


class FaultTable:
    def __init__(self) -> None:
        self._faults: dict[tuple[str, int], Fault] = {}
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._faults |= {(fault.operation, fault.nth): fault for fault in faults}

    def clear(self) -> None:
        """Forgets the faults, and counts calls from 1 again."""
        with self._lock:
            self._faults.clear()
            self._seen.clear()

    def meet(self, operation: str) -> Fault | None:
        """Counts this call; the fault that it meets."""
        with self._lock:
            self._seen[operation] += 1
            return self._faults.get((operation, self._seen[operation]))


def refuse(fault: Fault, service: str) -> None:
    """Raises AwsError unless the fault lets the call happen."""
    if fault.kind == "before":
        raise AwsError(fault.code, fault.message, status=fault.status)
    if fault.kind == "throttle":
        code, status = THROTTLES.get(service, THROTTLE)
        raise AwsError(code, "Rate exceeded", status=status)
