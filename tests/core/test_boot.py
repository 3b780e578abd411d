"""A console as a boot: what it was doing, why it failed, how long each phase took. Any text can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.core.boot import GROUPS, excerpt, phases, read

IMAGE = "registry.example.com/shop/web@sha256:" + "0123456789abcdef" * 4
WHOLE = f"""\
[    0.000000] Linux version 6.8.0-1010-aws
[bluegreen] 0.0 start, 9.5 s after the machine
[bluegreen] 0.1 install docker.io from the distribution, try 1 of 5
[bluegreen] 20.0 docker starts
[bluegreen] 21.0 engine 24.0.7
[bluegreen] 21.2 secret ssm:/shop/registry
[bluegreen] 21.9 login registry.example.com as deploy
[bluegreen] 22.4 pull {IMAGE}
[bluegreen] 31.4 pulled {IMAGE}
[bluegreen] 31.5 network bluegreen
[bluegreen] 31.6 secret ssm:/shop/secret-key
[bluegreen] 31.9 run web
[bluegreen] 34.0 ready web
"""


def upto(last: str) -> str:
    lines = WHOLE.splitlines(keepends=True)
    (place,) = [i for i, line in enumerate(lines) if f" {last} " in line]
    return "".join(lines[: place + 1])


def test_a_whole_boot() -> None:
    boot = read(WHOLE)
    assert boot.ready and not boot.failed and boot.began_s == 9.5
    assert phases(boot) == (
        ("cloud-init", 0.0, 9.5),
        ("docker", 9.5, 21.2),
        ("login", 30.7, 1.2),
        ("pull", 31.9, 9.1),
        ("start", 41.0, 2.5),
    )


def test_what_the_agent_says_later_is_no_part_of_the_boot_and_its_last_word_counts() -> None:
    sick = read(WHOLE + "[bluegreen] 40.1 unhealthy app: is starting\n")
    assert sick.unhealthy == "app: is starting" and phases(sick) == phases(read(WHOLE))
    well = read(WHOLE + "[bluegreen] 40.1 unhealthy app: is starting\n[bluegreen] 45.1 recovered\n")
    assert well == read(WHOLE)


def test_what_cloud_init_repeats_on_the_console_counts_once() -> None:
    twice = "".join(f"{line}\r\n[   12.1] cloud-init[812]: {line}\r\n" for line in WHOLE.splitlines())
    assert read(twice) == read(WHOLE)


@pytest.mark.parametrize(
    ("last", "doing"),
    [
        ("install", "installing docker.io from the distribution, try 1 of 5"),
        ("docker", "waiting for Docker: it starts"),
        ("login", "logging in at registry.example.com as deploy"),
        ("pull", "pulling registry.example.com/shop/web@sha256:0123456789ab"),
        ("run", "starting web"),
    ],
)
def test_what_a_boot_is_doing(last: str, doing: str) -> None:
    boot = read(upto(last))
    assert not boot.ready and boot.doing == doing


def test_of_parallel_pulls_those_that_are_not_over_are_told() -> None:
    text = "[bluegreen] 1.0 pull a/web\n[bluegreen] 1.0 pull a/app\n[bluegreen] 4.0 pulled a/web 3 layers\n"
    assert read(text).doing == "pulling a/app"


def test_a_failure_and_its_evidence() -> None:
    boot = read(upto("login") + "[bluegreen] failed: wrong password\n[bluegreen]   | line one\n[bluegreen]   | two\n")
    assert boot.failed == "wrong password" and boot.evidence == ("line one", "two") and not boot.ready


def test_evidence_that_quotes_our_own_words_is_no_failure() -> None:
    boot = read("[bluegreen] failed: the cause\n[bluegreen]   | [bluegreen] failed: forged\nweb: [bluegr")
    assert boot.failed == "the cause"


def test_a_boot_after_a_failed_one_is_the_one_that_counts() -> None:
    again = WHOLE.replace("9.5 s after", "8.1 s after")
    boot = read(upto("login") + "[bluegreen] failed: wrong password\n" + again)
    assert boot.ready and boot.began_s == 8.1 and not boot.failed


def test_a_console_of_somebody_else() -> None:
    boot = read("[    1.2] systemd[1]: started\nUbuntu 24.04 ip-10-0-1-7 ttyS0\nlogin:")
    assert not boot.begun and not boot.ready and phases(boot) == ()


PIECES = st.sampled_from(
    [
        "[bluegreen] ",
        "failed: ",
        "  | ",
        "1.0 ",
        "99999999999 ",
        "pull",
        "pulled",
        "ready",
        "start, 4 s after the machine",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8), st.just("\n")), max_size=60).map("".join)


@given(TEXTS, st.integers(1, 400))
def test_any_text_is_read_and_cut(text: str, limit: int) -> None:
    boot = read(text)
    names = [name for name, _, _ in phases(boot)]
    assert len(names) == len(set(names)) and set(names) <= {"cloud-init", *(name for name, _ in GROUPS)}
    assert all(seconds >= 0 for _, _, seconds in phases(boot))
    assert not boot.lines or boot.doing
    cut = excerpt(text, limit)
    assert len(cut) <= limit and cut.replace("\n", "").isprintable()


def test_an_excerpt_keeps_the_boots_own_lines_and_the_last_ones() -> None:
    noise = "".join(f"kernel says {i}\n" for i in range(500))
    cut = excerpt(WHOLE + noise, 4_000)
    assert "9.5 s after the machine" in cut and "kernel says 499" in cut and "kernel says 100\n" not in cut


# boundaries


def lines(*said: str) -> str:
    return "".join(f"[bluegreen] {line}\n" for line in said)


def test_an_empty_console_has_no_boot_and_a_failure_is_one() -> None:
    assert not read("").begun and not read("").ready
    assert read(lines("failed: no disk")).begun and read(lines("0.0 start")).begun


def test_a_boot_that_failed_and_then_got_ready_is_ready_and_the_other_way_round_it_is_not() -> None:
    failed = lines("0.0 start", "failed: no disk", "  | why")
    assert not read(failed).ready and read(failed).evidence == ("why",)
    again = read(failed + lines("9.0 ready web"))
    assert again.ready and (again.failed, again.evidence) == ("", ())
    assert not read(lines("0.0 start", "9.0 ready web", "failed: it ended")).ready


def test_what_the_agent_said_last_is_kept_until_it_is_ready_again() -> None:
    ill = lines("0.0 start", "9.0 ready web", "12.0 unhealthy port 80 is silent")
    assert read(ill).unhealthy == "port 80 is silent" and read(ill + lines("20.0 ready web")).unhealthy == ""
    assert read(ill + lines("13.0 recovered")).unhealthy == "" and len(read(ill).lines) == 2


def test_a_line_that_came_twice_counts_once_and_so_does_evidence() -> None:
    twice = lines("0.0 start", "1.0 docker starts") * 2 + lines("failed: x", "  | one", "  | one", "  | two")
    assert len(read(twice).lines) == 2 and read(twice).evidence == ("one", "two")


def test_only_a_start_begins_a_boot_anew() -> None:
    two = lines("0.0 start, 9.5 s after the machine", "5.0 docker starts", "0.0 start, 3.5 s after the machine")
    assert len(read(two).lines) == 1 and read(two).began_s == 3.5
    other = lines("0.0 start, 9.5 s after the machine", "5.0 wait 7.0 s after the machine")
    assert len(read(other).lines) == 2 and read(other).began_s == 9.5


@pytest.mark.parametrize(
    ("said", "doing"),
    [
        (("0.0 start",), "beginning its boot"),
        (("0.0 start", "1.0 pull a", "2.0 pull b", "3.0 pulled a"), "pulling b"),
        (("0.0 start", "1.0 pull a", "2.0 pull b"), "pulling a, b"),
        (("0.0 start", "1.0 pull a", "2.0 pull a"), "pulling a"),
        (("0.0 start", "1.0 pull a", "2.0 pulled a"), "past the pull of a"),
        (("0.0 start", "1.0 pull a", "2.0 secret x"), "fetching x"),
        (("0.0 start", "1.0 trust r"), "trust r"),
    ],
)
def test_what_it_is_doing(said: tuple[str, ...], doing: str) -> None:
    assert read(lines(*said)).doing == doing


def test_phases_of_a_boot_that_does_not_say_when_the_machine_started() -> None:
    boot = read(lines("0.0 start", "2.0 docker starts", "3.5 login r", "9.123 run web"))
    assert phases(boot) == (("docker", 0.0, 3.5), ("login", 3.5, 5.623))
    assert phases(read("")) == () and phases(read(lines("0.0 start"))) == ()


def test_times_are_told_in_thousandths() -> None:
    boot = read(lines("0.001 start, 1.1 s after the machine", "0.102 docker starts", "0.303 login r", "0.404 run x"))
    assert phases(boot)[1:] == (("docker", 1.101, 0.302), ("login", 1.403, 0.101))


def test_an_excerpt_has_the_last_thirty_lines_of_anybody_and_all_of_ours() -> None:
    console = lines("0.0 start") + "".join(f"kernel {i}\n\n" for i in range(40))
    kept = excerpt(console, 10_000).splitlines()
    assert kept[0] == "[bluegreen] 0.0 start" and kept[1:] == [f"kernel {i}" for i in range(10, 40)]
    assert excerpt("abcdef", 3) == "def" and excerpt("a\tb\x1b", 9) == "a b?"
