"""Answers of AWS that do not pass by themselves, and the moment from which it gives them."""

from __future__ import annotations

from bluegreen.sandbox.faults import Fault
from tests.controller.stage import Stage


class Answering:
    """In place of the engine's faults: every call of these operations is answered with this code, until it is over."""

    def __init__(self, code: str, *operations: str, status: int = 400, message: str = "so says the test") -> None:
        self.code, self.operations, self.status, self.message = code, operations, status, message
        self.over = False

    def meet(self, operation: str) -> Fault | None:
        if self.over or (self.operations and operation not in self.operations):
            return None
        return Fault(operation, 1, "before", self.code, self.message, self.status)


def answer(
    stage: Stage, code: str, *operations: str, status: int = 400, message: str = "so says the test"
) -> Answering:
    stage.engine.faults = found = Answering(code, *operations, status=status, message=message)  # type: ignore[assignment]
    return found


def nothing_of_b(stage: Stage) -> None:
    assert stage.weights() == {"A": 100} and stage.running() == {"A": 4}
    assert len(stage.boto.client("elbv2").describe_target_groups()["TargetGroups"]) == 1
