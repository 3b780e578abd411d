"""A door to AWS with scripted answers: the calls that the adapters make, and what they make of the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bluegreen.aws.client import Aws


class Door(Aws):
    """`answers` is operation → an answer, an error to raise, a function of the arguments, or a list of these, one a call."""

    def __init__(self, **answers: Any) -> None:
        super().__init__("eu-west-1")
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def _once(self, service: str, operation: str, arguments: Any) -> dict[str, Any]:
        self.asked.append((operation, dict(arguments)))
        answer = self.answers.get(operation, {})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer(**arguments) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]
        return found

    def called(self, operation: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.asked if name == operation]
