"""`logging:` in the stack file: Docker's log drivers, what each takes, and the options that a container gets in the end.

Only what every engine from Docker 20.10 on knows is allowed (docs.docker.com, "Configure logging drivers", held against an
engine by a test): an option that an engine does not know would stop the boot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bluegreen.core.stack import Logging
from bluegreen.stackfile.kinds import Text
from bluegreen.stackfile.maps import Key, Keys, Table

Found = Mapping[str, Any]
Wrong = Callable[..., None]  # message, *path

HOST_PORT = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\]):(?P<port>[1-9]\d{0,4})"
FREE = Text("a string")
FLAG = Text("true or false, quoted", choices=("true", "false"))
SIZE = Text("a size such as 10m", r"[1-9]\d{0,5}[kmg]")
COUNT = Text("a whole number from 1 on", r"[1-9]\d{0,5}")
SECONDS = Text("a time such as 5s", r"[1-9]\d{0,5}(ms|s|m)")
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *(f"local{number}" for number in range(8)),
)
MODE = {"mode": Text(choices=("blocking", "non-blocking")), "max-buffer-size": SIZE}
ATTRIBUTES = {"labels": FREE, "labels-regex": FREE, "env": FREE, "env-regex": FREE}
FILES = {"max-size": SIZE, "max-file": COUNT, "compress": FLAG, **MODE}
BOUNDS = {"max-size": "10m", "max-file": "3"}
APART = {"mode": "non-blocking", "max-buffer-size": "4m"}  # a log server that hangs holds up no container


class Driver(NamedTuple):
    """`schemes` are those of its address, which goes to the option `address`; none without one."""

    options: Mapping[str, Text]
    defaults: Mapping[str, str]
    schemes: tuple[str, ...] = ()
    address: str = ""
    required: tuple[str, ...] = ()


DRIVERS = {
    "json-file": Driver({**FILES, **ATTRIBUTES}, BOUNDS),
    "local": Driver(FILES, BOUNDS),
    "journald": Driver({**MODE, **ATTRIBUTES}, APART),
    "syslog": Driver(
        {
            **MODE,
            **ATTRIBUTES,
            "syslog-facility": Text(choices=FACILITIES),
            "syslog-format": Text(choices=("rfc3164", "rfc5424", "rfc5424micro")),
            "syslog-tls-skip-verify": FLAG,
        },
        APART,
        ("tcp", "udp", "tcp+tls"),
        "syslog-address",
    ),
    "gelf": Driver(
        {
            **MODE,
            **ATTRIBUTES,
            "gelf-compression-type": Text(choices=("gzip", "zlib", "none")),
            "gelf-compression-level": Text("-1 to 9", r"-1|\d"),
            "gelf-tcp-max-reconnect": COUNT,
            "gelf-tcp-reconnect-delay": COUNT,
        },
        APART,
        ("udp", "tcp"),
        "gelf-address",
    ),
    "fluentd": Driver(
        {
            **MODE,
            **ATTRIBUTES,
            "fluentd-async": FLAG,
            "fluentd-buffer-limit": SIZE,
            "fluentd-retry-wait": SECONDS,
            "fluentd-max-retries": COUNT,
            "fluentd-request-ack": FLAG,
            "fluentd-sub-second-precision": FLAG,
        },
        {**APART, "fluentd-async": "true"},
        ("tcp",),
        "fluentd-address",
    ),
    "awslogs": Driver(
        {
            **MODE,
            "awslogs-group": Text("a log group's name", r"[A-Za-z0-9_/.#-]{1,512}"),
            "awslogs-region": Text("an AWS region", r"[a-z]{2}(-[a-z]+)+-\d"),
            "awslogs-endpoint": Text("a URL such as https://logs.example.com", r"https?://[\x21-\x7e]{1,255}"),
            "awslogs-create-group": FLAG,
            "awslogs-datetime-format": FREE,
            "awslogs-multiline-pattern": FREE,
        },
        APART,
        required=("awslogs-group",),
    ),
}
OURS = {
    **dict.fromkeys(("tag", "awslogs-stream"), "the instance writes it: stack, colour, release, service, instance"),
    **dict.fromkeys((each.address for each in DRIVERS.values() if each.address), "write it as logging.address"),
    "syslog-tls-ca-cert": "write it as logging.ca, a file beside the stack file",
}
# (option, what it does not go with, why)
NOT_TOGETHER = (
    ("max-buffer-size", "mode blocking", "a buffer is for mode non-blocking"),
    ("gelf-compression-type", "tcp", "Docker compresses gelf over udp only"),
    ("gelf-compression-level", "tcp", "Docker compresses gelf over udp only"),
    ("gelf-tcp-max-reconnect", "udp", "this is for an address of tcp://"),
    ("gelf-tcp-reconnect-delay", "udp", "this is for an address of tcp://"),
    ("awslogs-multiline-pattern", "awslogs-datetime-format", "Docker takes this or awslogs-datetime-format"),
)

LOGGING = Keys(
    {
        "driver": Key(Text("a driver of Docker's", choices=tuple(DRIVERS)), "Docker's log driver", True),
        "address": Key(
            Text("scheme://host:port"),
            "of syslog (tcp, udp, tcp+tls), gelf (udp, tcp) or fluentd (tcp): where the log server is",
            example='"tcp://logs.example.com:514"',
        ),
        "options": Key(
            Table(Text("an option's name"), Text(numbers=True), "a map of options"),
            "the driver's other options, as Docker names them: docs/logs.md",
        ),
        "ca": Key(
            Text("a file beside the stack file", r"[\x20-\x7e]{1,255}"),
            "the certificate authority of a syslog server with tcp+tls, PEM",
        ),
    }
)


def check_logging(found: Found, wrong: Wrong) -> None:
    """`wrong(message, *path)` for each mistake in `logging:`."""
    logging = found.get("logging")
    if logging is None:
        return
    name, options = logging["driver"], logging.get("options", {})
    driver = DRIVERS[name]
    _check_address(name, driver, logging, wrong)
    for option, value in options.items():
        if fault := _fault(name, option, value):
            wrong(fault, "logging", "options", option)
    for option in driver.required:
        if option not in options:
            wrong(f"missing: {name} needs {option} ({driver.options[option].words})", "logging", "options")
    for one, other, message in NOT_TOGETHER:
        if one in options and other in (*options, f"mode {options.get('mode')}", _scheme(logging)):
            wrong(message, "logging", "options", one)
    if "ca" in logging and _scheme(logging) != "tcp+tls":
        wrong("an authority is for syslog with an address of tcp+tls://", "logging", "ca")


def _scheme(logging: Found) -> str:
    return str(logging.get("address", "")).partition(":")[0]


def _check_address(name: str, driver: Driver, logging: Found, wrong: Wrong) -> None:
    given = logging.get("address")
    shapes = " or ".join(f"{scheme}://host:port" for scheme in driver.schemes)
    if given is None:
        if shapes:
            wrong(f"missing: where the log server is, {shapes}", "logging", "address")
        return
    if not shapes:
        wrong(f"{name} has no address: leave it out", "logging", "address")
        return
    schemes = "|".join(re.escape(scheme) for scheme in driver.schemes)
    match = re.fullmatch(f"(?:{schemes})://{HOST_PORT}", given)
    if not match or int(match["port"]) > 65535:
        wrong(f'expected {shapes}, not "{given[:80]}"', "logging", "address")


def _fault(name: str, option: str, value: str) -> str:
    """What is wrong with an option; "" when nothing is."""
    allowed = DRIVERS[name].options
    if option in allowed:
        return allowed[option].fault(value)
    if option in OURS:
        return OURS[option]
    from difflib import get_close_matches

    near = get_close_matches(option, allowed, 1)
    hint = f', did you mean "{near[0]}"?' if near else ""
    return f"{name} has no such option{hint} (allowed: {', '.join(sorted(allowed))})"


def read_logging(found: Found, ca: str) -> Logging | None:
    """As Docker takes it, with our defaults; `ca` is the text of the file that logging.ca names."""
    logging = found.get("logging")
    if logging is None:
        return None
    driver, given = DRIVERS[logging["driver"]], logging.get("options", {})
    options = {**driver.defaults, **given}
    if options.get("mode") == "blocking":
        options.pop("max-buffer-size", None)
    if driver.address:
        options[driver.address] = logging["address"]
    if logging["driver"] == "awslogs":
        options.setdefault("awslogs-region", found["region"])
    return Logging(logging["driver"], tuple(sorted(options.items())), ca)
