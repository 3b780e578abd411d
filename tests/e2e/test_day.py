"""What a day of the Django shop on four, then eight real machines shows: deploy, deploy, rollback."""

from __future__ import annotations

import json

import pytest
from day import REQUESTS, Day
from machines import STACK, Site

from tests.parts.shop import receipt
from tests.parts.wait import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_no_request_of_ten_thousand_fails(day: Day) -> None:
    print(day.load)
    assert day.load.requests >= REQUESTS
    assert (day.load.failed, day.load.reasons) == (0, {})
    assert set(day.load.requests_by_version) == {"A", "B"}


def test_the_rollback_needs_no_registry_and_no_machine(day: Day, site: Site) -> None:
    assert day.back.code == 0, day.back.err
    assert not [call for call in day.calls_of_rollback if call.startswith(("ec2:", "ssm:"))], day.calls_of_rollback
    assert [call for call in day.calls_of_rollback if ":Modify" in call] == ["elbv2:ModifyRule"]
    assert site.box.run("history", STACK, "--output", "json").json["deployments"]


def test_the_log_server_has_the_lines_of_every_service_under_its_tag(day: Day, site: Site) -> None:
    assert len(day.log_tags) == 16
    until(lambda: day.log_tags <= {line.tag for line in site.logs.lines()}, 20)


def test_a_log_server_that_is_away_for_a_minute_costs_no_request(day: Day, site: Site) -> None:
    assert day.requests_unlogged > 1000 and day.load.failed == 0, day.load
    until(lambda: sum(1 for _ in site.logs.lines()) > day.lines_back, 60)


def test_nginx_answers_from_django_with_the_secret_that_the_machine_fetched(day: Day, site: Site) -> None:
    status, text = site.get("/receipts/7")
    assert status == 200
    assert json.loads(text)["receipt"] == receipt(site.planted["/shop/secret-key"], 7)
