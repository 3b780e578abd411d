"""What happens to one machine of the shop, and what the load balancer and the rest of the fleet make of it."""

from __future__ import annotations

import os
import signal
import time

import pytest
from day import Day
from machines import STACK, Site

from tests.parts.wait import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WORKER, MASTER = "gunicorn: worker", "gunicorn: master"
WORKERS = 8
CHECK_S, SLACK_S = 5, 5  # the load balancer's interval; what a look at the target takes on a busy machine


def test_a_worker_that_dies_is_replaced_and_its_machine_serves_on(day: Day, site: Site) -> None:
    machine = site.machines("live")[0]
    before = machine.processes(WORKER)
    assert len(before) == WORKERS
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(set(machine.processes(WORKER)) - {before[0]}) == WORKERS, 20, lambda: machine.processes(WORKER))
    assert site.target(machine)[0] == "healthy"


def test_a_machine_tells_what_runs_on_it(day: Day, site: Site) -> None:
    machine = site.machines("live")[0]
    status = machine.status()
    fleet = site.fleet("live")
    assert status["healthy"] and status["reasons"] == []
    assert [status[key] for key in ("stack", "colour", "release", "version", "instance")] == [
        *(STACK, fleet["colour"], fleet["release"], fleet["version"], machine.instance)
    ]
    assert status["services"]["app"]["workers"]["alive"] == WORKERS and "@sha256:" in status["services"]["web"]["image"]
    assert machine.run("bluegreen-check").startswith(f"BLUEGREEN OK - {STACK} {fleet['colour']} {fleet['version']}: ")


def test_a_worker_that_is_held_down_takes_its_machine_out_of_the_traffic_until_it_is_back(day: Day, site: Site) -> None:
    machine = site.machines("standby")[0]
    until(machine.well, 60)  # another test may just have started it, or its container
    held = machine.processes(WORKER)[0]
    os.kill(held, signal.SIGSTOP)
    try:
        site.await_state(machine, "unhealthy", 2 * CHECK_S + SLACK_S)
        missing = [f"app: {WORKERS - 1} of {WORKERS} workers"]
        until(lambda: machine.status()["reasons"] == missing, CHECK_S + SLACK_S, machine.status)
    finally:
        os.kill(held, signal.SIGCONT)
    site.await_state(machine, "healthy", 60)


def test_a_container_that_dies_is_started_again(day: Day, site: Site) -> None:
    machine = site.machines("standby")[0]
    (master,) = machine.processes(MASTER)
    os.kill(master, signal.SIGKILL)
    until(lambda: len(set(machine.processes(MASTER)) - {master}) == 1, 30, lambda: machine.processes(MASTER))
    assert machine.run("docker", "inspect", "--format={{.RestartCount}}", "app").strip() == "1"
    site.await_state(machine, "healthy", 60)


def test_a_machine_that_was_stopped_comes_back_by_itself_and_needs_no_registry(day: Day, site: Site) -> None:
    machine = site.machines("standby")[0]
    ec2 = site.box.client("ec2")
    ec2.stop_instances(InstanceIds=[machine.instance])
    site.await_state(machine, "unused", 60)
    until(lambda: site.state(machine) == "stopped", 60, lambda: site.state(machine))
    until(lambda: not machine.answers(), 60)
    site.registry.stop()
    try:
        ec2.start_instances(InstanceIds=[machine.instance])
        until(machine.answers, 120, lambda: site.console(machine.instance))
        site.await_state(machine, "healthy", 60)
    finally:
        site.registry.start()


def test_a_machine_that_is_terminated_takes_no_traffic_and_leaves_nothing(day: Day, site: Site) -> None:
    machine = site.machines("live")[0]
    site.box.client("ec2").terminate_instances(InstanceIds=[machine.instance])
    until(lambda: site.target(machine)[0] not in ("healthy", "initial"), 60, lambda: site.target(machine))
    load = site.load(40)
    load.start()
    time.sleep(5)
    load.stop()
    assert load.report().failed == 0, load.report()
    until(lambda: not site.engine.containers.list(all=True, filters={"id": machine.container.id}), 60)
    assert not site.engine.volumes.list(filters={"name": machine.container.name})
