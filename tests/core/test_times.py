"""The times hang together: each relation is a sentence that the protocol rests on."""

from __future__ import annotations

from bluegreen.aws import client
from bluegreen.core import times as t
from bluegreen.core.record import Record


def test_the_client_gives_a_call_up_when_the_protocol_says_so() -> None:
    assert (client.CONNECT_S, client.READ_S) == (t.CONNECT_S, t.READ_S)
    assert t.CALL_S == t.CONNECT_S + t.READ_S


def test_a_call_without_an_answer_may_land_after_it_was_given_up_and_no_later_than_it_is_waited_for() -> None:
    assert t.CALL_S < t.LATE_S
    assert t.WATCH_S >= t.LATE_S, "a rollback watches for as long as a write may still land"


def test_a_write_that_was_not_held_up_ends_before_its_successor_stops_watching() -> None:
    assert t.PAUSED_S == t.FRESH_S + t.CALL_S
    assert t.PAUSED_S <= t.WATCH_S


def test_a_lease_outlives_a_lost_beat_and_a_slow_call() -> None:
    assert t.LEASE_S > 2 * t.BEAT_S + t.CALL_S
    assert t.FRESH_S < t.BEAT_S
    assert Record("shop", 1).lease_s == t.LEASE_S


def test_a_lease_lapses_only_after_the_last_write_of_a_dead_run_has_landed() -> None:
    assert t.LEASE_S > t.PAUSED_S


def test_a_launch_is_waited_for_until_it_must_be_visible() -> None:
    assert t.APPEAR_S == t.LATE_S + t.VISIBILITY_S


def test_a_fleet_that_is_attached_again_is_given_two_checks_of_the_longest_usual_interval() -> None:
    assert t.CHECKED_S >= 2 * 10 and t.STEADY_S < t.CHECKED_S
