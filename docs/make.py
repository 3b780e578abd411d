"""Writes the pages that are made from the code: `make docs`. With --check it only says which are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from bluegreen.core.decide import deploy, heal, rollback, upkeep
from bluegreen.core.decide.case import Rule
from bluegreen.stackfile.reference import reference_markdown

HERE = Path(__file__).parent

LIFECYCLE = """# The lifecycle

Generated from the rules in `bluegreen/core/decide/`; `make docs` writes it anew.

The controller is one loop: look at AWS, the record and the journal; ask the rules; write down what the first rule that
applies asks for; do it; look again. There is no other state: a controller that takes over after a crash looks at the
same things and is given the same answer. Every wait has a deadline.

## deploy

{deploy}

To retire a fleet is always the same: out of the action (weights of the rest as they are), deregister, wait until the
load balancer has drained it, terminate, delete its target groups. What carries weight is never touched by it.

## rollback and abort

`rollback` takes the next epoch first, so that whatever else runs stops at its next write. A deployment that has moved
traffic and ended is undone by weights alone: no EC2 call is made.

{rollback}

## heal

`heal` replaces what the live and the standby fleet have lost, one fleet after the other, with the launch and the user data that
the fleet's own deployment wrote down. Dead is an instance that was terminated or stopped, has vanished, or is not registered in
each of the fleet's target groups. One that runs, is registered and fails its health check may get well again: it is dead only for
`--unhealthy`. The new ones are launched in the subnets where the dead ones were.

{heal}

A rollback goes past a heal: it takes the next epoch and switches. What the heal launched until then is of its fleet: the next
`heal` counts what is healthy and ends the rest. `resume` finishes a heal, and `abort` gives it up by the second rule.

## gc

{gc}
"""


def rules(given: tuple[Rule, ...]) -> str:
    lines = []
    for number, rule in enumerate(given, 1):
        text = " ".join((rule.__doc__ or "").split()).removesuffix(".")
        condition, colon, act = text.partition(": ")
        name = rule.__name__.replace("_", " ")
        lines.append(f"{number}. **{name}**: {condition}{colon and ' → '}{act}.")
    return "\n".join(lines)


def pages() -> dict[str, str]:
    return {
        "stack-file.md": reference_markdown(),
        "lifecycle.md": LIFECYCLE.format(
            deploy=rules(deploy.RULES), rollback=rules(rollback.RULES), heal=rules(heal.RULES), gc=rules(upkeep.RULES)
        ),
    }


def main() -> int:
    old = [n for n, text in pages().items() if not (HERE / n).exists() or (HERE / n).read_text("utf-8") != text]
    if "--check" not in sys.argv:
        for name in old:
            (HERE / name).write_text(pages()[name], "utf-8")
    print(f"docs: {', '.join(old) or 'nothing'} {'out of date' if '--check' in sys.argv else 'written'}")
    return 1 if old and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
