"""Every error a user can meet. An error owns its exit code and says what happened, where, why, and what to do next.

BluegreenError (1)            unexpected: a bug; state is safe
├── BuildFailed (1)           a step of an image's build failed; the registry is as it was
├── UsageError (2)            the command line or the stack file is wrong; nothing was called
│   └── StackFileError (2)    with file, line, column and key
├── Held (4)                  somebody else holds the stack
├── Refused (5)               a guard or preflight said no; nothing was changed
├── Superseded (6)            a newer epoch took over
├── NeedsHuman (7)            the message says what is where, and the next command
│   ├── Unreadable (7)        the record or a journal entry is damaged, or a newer bluegreen wrote it
│   └── Forbidden (7)         the guard stopped a step
├── Interrupted (130)         Ctrl-C or SIGTERM
└── CloudError (5)            AWS or a registry answered with an error
    ├── NotYet                the world needs a moment: not running yet, still in use
    ├── Throttled             slow down and ask again
    ├── NotFound              the thing does not exist, or cannot be seen yet
    ├── Unreachable           no connection was made: nothing happened
    ├── OutcomeUnknown        the request may or may not have taken effect
    ├── LineTaken             the journal has another line of this number: read it again
    └── NoCapacity            EC2 has no room for this instance type in this zone; another may do

An undone deployment (3) is not an error but an outcome: see core/outcome.py.
"""

from __future__ import annotations


class BluegreenError(Exception):
    """Base of all. `what` is one sentence; `where`, `why` and `next` are empty when there is nothing to say."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next = next

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def details(self) -> dict[str, object]:
        """What --output json adds to the sentences."""
        return {}

    def lines(self) -> list[str]:
        """The message as a person reads it, one thought a line."""
        parts = [("", self.what), ("where: ", self.where), ("why: ", self.why), ("next: ", self.next)]
        return [label + text for label, text in parts if text]


class BuildFailed(BluegreenError):
    """`step` is the step that failed ("Step 3/9 : RUN …"), `log` its last lines."""

    def __init__(self, image: str, step: str, why: str, log: tuple[str, ...]) -> None:
        what = "\n".join((f"{image} cannot be built", *(f"  | {line}" for line in log)))
        super().__init__(what, where=step, why=why, next="nothing was pushed; mend that step and build again")
        self.step = step
        self.log = log

    def details(self) -> dict[str, object]:
        return {"step": self.step, "log": list(self.log)}


class UsageError(BluegreenError):
    exit_code = 2


class StackFileError(UsageError):
    """The stack file cannot be read, or has mistakes."""


class Held(BluegreenError):
    exit_code = 4


class Refused(BluegreenError):
    exit_code = 5


class Superseded(BluegreenError):
    exit_code = 6


class NeedsHuman(BluegreenError):
    exit_code = 7


class Unreadable(NeedsHuman):
    """An item of the ledger cannot be read: `item` is its sort key. `newer`: a newer bluegreen wrote it, so nothing is wrong
    with it."""

    def __init__(
        self, what: str, *, item: str = "", newer: bool = False, where: str = "", why: str = "", next: str = ""
    ) -> None:
        super().__init__(what, where=where, why=why, next=next)
        self.item = item
        self.newer = newer


class Forbidden(NeedsHuman):
    pass


class Interrupted(BluegreenError):
    exit_code = 130


class CloudError(BluegreenError):
    """AWS or a registry refused. `action` is the API call ("elasticloadbalancing:ModifyRule"), `code` its own error code."""

    exit_code = 5

    def __init__(
        self, what: str, *, action: str = "", code: str = "", where: str = "", why: str = "", next: str = ""
    ) -> None:
        super().__init__(what, where=where, why=why, next=next)
        self.action = action
        self.code = code


class Throttled(CloudError):
    pass


class NotFound(CloudError):
    pass


class Unreachable(CloudError):
    pass


class OutcomeUnknown(CloudError):
    pass


class NoCapacity(CloudError):
    pass


class NotYet(CloudError):
    pass


class LineTaken(CloudError):
    pass
