"""The stack's record: one item, read whole and changed by conditional writes on `epoch` only."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.core.fleet import BindingRef, Fleet
from bluegreen.core.goal import Goal, RolledBack
from bluegreen.core.times import LEASE_S

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds the stack: the caller's ARN, the host and process, and the CI build if there is one."""

    identity: str
    host: str
    build_url: str = ""

    def __str__(self) -> str:
        return f"{self.identity} on {self.host}" + (f" ({self.build_url})" if self.build_url else "")


@dataclass(frozen=True, slots=True)
class Record:
    """`goal` is the operation in force, or None; `owner` is who follows it, or None when it was let go.

    `rvn` changes with every write of the holder: whoever sees it unchanged for `lease_s` on its own clock may take over.
    `account` and `region` are where its fleets are; "" in a record of an older bluegreen.
    `doomed` are fleets that have left the traffic and wait for their end.
    `rolled_back` is what the newest rollback took the traffic from: it is not deployed again until somebody says so.
    `live_since` and `live_by`: when and by whom the live fleet was given the traffic; 0 and "" when an older bluegreen wrote it.
    """

    stack: str
    epoch: int
    rvn: str = ""
    op_id: str = ""
    lease_s: int = LEASE_S
    beat_at: float = 0.0
    owner: Owner | None = None
    goal: Goal | None = None
    live: Fleet | None = None
    standby: Fleet | None = None
    doomed: tuple[Fleet, ...] = ()
    bindings: tuple[BindingRef, ...] = ()
    schema: int = SCHEMA
    account: str = ""
    region: str = ""
    rolled_back: RolledBack | None = None
    live_since: float = 0.0
    live_by: str = ""

    @property
    def fleets(self) -> tuple[Fleet, ...]:
        """Live, standby and doomed, as far as they exist."""
        return tuple(fleet for fleet in (self.live, self.standby, *self.doomed) if fleet)

    @property
    def kept_groups(self) -> tuple[str, ...]:
        """The target groups of live and standby."""
        return tuple(arn for fleet in (self.live, self.standby) if fleet for arn in fleet.groups)
