"""Every kind of mistake in a stack file is told with file, line and key, all at once; what is right becomes a Stack."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistakes import FILES, GOOD, LOGGING_MISTAKES, MISTAKES

from bluegreen.core.stack import ContainerHealth, DependsOn, Health, Logging, Port, Rule, Stack, Ulimit, Workers
from bluegreen.errors import StackFileError
from bluegreen.stackfile.kinds import parse_duration
from bluegreen.stackfile.load import load
from bluegreen.stackfile.mistake import StackFileMistakes
from bluegreen.stackfile.reference import json_schema
from bluegreen.stackfile.schema import FILE

ECR_HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def read(tmp_path: Path, text: str | bytes, **variables: str) -> Stack:
    path = tmp_path / "shop.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, variables or {"VERSION": "1.4.2"})


def test_what_is_declared_is_what_is_read(tmp_path: Path) -> None:
    stack = read(tmp_path, GOOD)
    assert (stack.name, stack.fleet.count, stack.fleet.disk.size_gib) == ("shop", 4, 20)
    assert stack.traffic[0].rule == Rule("shop.example.com") and stack.traffic[0].health == Health(
        "/health", 5, 3, 2, 2
    )
    web, app = stack.services
    assert web.image == "registry.example.com/shop/web:1.4.2" and web.ports == (Port(80, 8000),)
    assert web.depends_on == (DependsOn("app", "service_healthy"),)
    assert web.environment == (("WORKERS", "8"), ("MODE", "on"))
    assert app.healthcheck == ContainerHealth(("CMD", "curl", "-f", "http://localhost/"), 2.0)
    assert (stack.rollout.boot_timeout_s, stack.rollout.bake_s) == (300, 600)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    old, new, line, message = MISTAKES[name]
    assert old in GOOD
    with pytest.raises(StackFileMistakes) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.exit_code == 2
    assert any(m.line == line and message in str(m) for m in caught.value.mistakes), str(caught.value)
    assert str(caught.value.mistakes[0]).startswith(str(tmp_path / "shop.yml:"))


@pytest.mark.parametrize("name", LOGGING_MISTAKES)
def test_a_mistake_about_logging_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    logging, line, message = LOGGING_MISTAKES[name]
    with pytest.raises(StackFileMistakes) as caught:
        read(tmp_path, GOOD.replace("rollout:", f"logging:\n  {logging}\nrollout:"))
    assert any(m.line == line and message in str(m) for m in caught.value.mistakes), str(caught.value)


@pytest.mark.parametrize(
    ("change", "rights"),
    [
        ({}, ["read ssm:/shop/registry"]),
        ({'{username: deploy, password: "ssm:/shop/registry"}': "ecr"}, ["pull from ECR"]),
        (
            {'MODE: "on"': "KEY: secretsmanager:shop/key#a"},
            ["read ssm:/shop/registry", "read secretsmanager:shop/key#a"],
        ),
        (
            {"rollout:": "logging: {driver: awslogs, options: {awslogs-group: shop}}\nrollout:"},
            ["read ssm:/shop/registry", "write to CloudWatch Logs"],
        ),
    ],
)
def test_what_instances_ask_aws_for_needs_a_role(tmp_path: Path, change: dict[str, str], rights: list[str]) -> None:
    text = GOOD.replace("registry.example.com", ECR_HOST) if "pull from ECR" in rights else GOOD
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    read(tmp_path, text)
    with pytest.raises(StackFileMistakes) as caught:
        read(tmp_path, text.replace("  instance_profile: shop-web\n", ""))
    wanted = [f"missing: the instances need a role that may {right}" for right in rights]
    assert sorted(m.message for m in caught.value.mistakes) == sorted(wanted)
    assert {(m.key, m.line) for m in caught.value.mistakes} == {("fleet.instance_profile", 5)}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none_is_told(name: str, tmp_path: Path) -> None:
    content, message = FILES[name]
    with pytest.raises(StackFileError, match=message):
        read(tmp_path, content)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match="no such file"):
        load(tmp_path / "none.yml", {})
    with pytest.raises(StackFileError, match="a folder"):
        load(tmp_path, {})


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StackFileMistakes) as caught:
        read(tmp_path, GOOD.replace("count: 4", "count: 0").replace("listener: 443", "listener: no"))
    assert [m.line for m in caught.value.mistakes] == [5, 14]
    assert "2 mistakes" in caught.value.what


def test_variables_have_defaults_and_dollars_can_be_written(tmp_path: Path) -> None:
    text = GOOD.replace("web:${VERSION}", "web:${TAG:-7}").replace('MODE: "on"', 'MODE: "$$5"')
    stack = read(tmp_path, text)
    assert stack.services[0].image.endswith("web:7") and stack.services[0].environment[1] == ("MODE", "$5")


def test_a_variable_cannot_change_the_structure(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match="expected host/repository:tag"):
        read(tmp_path, GOOD, VERSION="1\n  evil: {image: x}")


@given(st.binary(max_size=300))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_raise_anything_else(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(StackFileError):
        read(tmp_path, content)


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_damaged_file_raises_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD) - 1))
    text = GOOD[:start] + data.draw(st.text(max_size=8)) + GOOD[start + data.draw(st.integers(0, 12)) :]
    try:
        read(tmp_path, text.encode(errors="replace"))
    except StackFileError as error:
        assert error.exit_code == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("2m", 120), ("1h30m", 5400), ("500ms", 0.5), ("24h", 86400), ("", None), ("5", None), ("1m1h", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


def test_the_json_schema_agrees_on_good_and_bad() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = yaml.safe_load(GOOD)
    jsonschema.validate(good, schema)
    for key, value in (("cuont", 1), ("stack", 7), ("fleet", {"count": 0})):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**good, key: value}, schema)
    assert json.dumps(schema)


def test_every_key_is_described() -> None:
    def walk(schema: object) -> None:
        if isinstance(schema, dict):
            for value in schema.get("properties", {}).values():
                assert value["description"]
            for value in schema.values():
                walk(value)
        elif isinstance(schema, list):
            for value in schema:
                walk(value)

    walk(FILE.schema())


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def with_ca(tmp_path: Path, text: str) -> Stack:
    (tmp_path / "ca.pem").write_text(text)
    return read(tmp_path, GOOD.replace("  host: registry", "  ca: ca.pem\n  host: registry"))


def test_of_the_authority_only_the_certificates_are_taken(tmp_path: Path) -> None:
    assert with_ca(tmp_path, f"Acme root\n{PEM}{PEM}").registry.ca == PEM + PEM


@pytest.mark.parametrize(("text", "message"), [("nothing", "PEM certificates"), (f"PRIVATE KEY {PEM}", "private key")])
def test_an_authority_that_is_none_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(StackFileMistakes, match=message):
        with_ca(tmp_path, text)


@pytest.mark.parametrize("value", ["ssm:/shop/key", "secretsmanager:shop/key", "secretsmanager:shop/key#a.b"])
def test_a_secret_is_a_reference(tmp_path: Path, value: str) -> None:
    stack = read(tmp_path, GOOD.replace('MODE: "on"', f"SECRET_KEY: {value}").replace("ssm:/shop/registry", value))
    assert stack.services[0].environment[1] == ("SECRET_KEY", value)
    assert stack.registry.login is not None and stack.registry.login.password == value


@pytest.mark.parametrize("host", [ECR_HOST, "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"])
def test_ecr_is_a_login_without_words(tmp_path: Path, host: str) -> None:
    text = GOOD.replace("registry.example.com", host)
    stack = read(tmp_path, text.replace('{username: deploy, password: "ssm:/shop/registry"}', "ecr"))
    assert (stack.registry.ecr, stack.registry.login, stack.registry.host) == (True, None, host)


def test_the_agent_is_asked_on_its_own_port(tmp_path: Path) -> None:
    (binding,) = read(tmp_path, GOOD.replace("path: /health", "path: agent")).traffic
    assert (binding.port, binding.health) == (80, Health("/health", 5, 3, 2, 2, port=8717))


def test_limits_workers_and_where_docker_comes_from(tmp_path: Path) -> None:
    more = """\
    ulimits: {nofile: 65535, nproc: {soft: 64, hard: -1}, memlock: -1}
    x-workers: {match: "gunicorn: worker", count: 8}
"""
    stack = read(
        tmp_path, GOOD.replace("  app:\n", f"  app:\n{more}").replace("  count:", "  docker: present\n  count:")
    )
    app = stack.services[1]
    assert app.ulimits == (Ulimit("nofile", 65535, 65535), Ulimit("nproc", 64, -1), Ulimit("memlock", -1, -1))
    assert app.workers == Workers("gunicorn: worker", 8)
    assert stack.fleet.docker == "present"
    plain = read(tmp_path, GOOD)
    assert (plain.services[1].ulimits, plain.services[1].workers) == ((), None)
    assert (plain.fleet.docker, plain.logging, plain.registry.ecr) == ("distribution", None, False)


AWAY = {"mode": "non-blocking", "max-buffer-size": "4m"}


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ("{driver: json-file}", {"max-size": "10m", "max-file": "3"}),
        ("{driver: local, options: {max-file: 5}}", {"max-size": "10m", "max-file": "5"}),
        ("{driver: journald, options: {labels: a}}", {**AWAY, "labels": "a"}),
        (
            '{driver: syslog, address: "tcp://logs.example.com:514"}',
            {**AWAY, "syslog-address": "tcp://logs.example.com:514"},
        ),
        ('{driver: syslog, address: "udp://[::1]:514"}', {**AWAY, "syslog-address": "udp://[::1]:514"}),
        (
            '{driver: syslog, address: "tcp://logs:514", options: {mode: blocking}}',
            {"mode": "blocking", "syslog-address": "tcp://logs:514"},
        ),
        (
            '{driver: gelf, address: "udp://logs:12201", options: {max-buffer-size: 1m, gelf-compression-type: none}}',
            {**AWAY, "max-buffer-size": "1m", "gelf-address": "udp://logs:12201", "gelf-compression-type": "none"},
        ),
        (
            '{driver: fluentd, address: "tcp://logs:24224"}',
            {**AWAY, "fluentd-address": "tcp://logs:24224", "fluentd-async": "true"},
        ),
        (
            "{driver: awslogs, options: {awslogs-group: /shop/app}}",
            {**AWAY, "awslogs-group": "/shop/app", "awslogs-region": "eu-west-1"},
        ),
        (
            "{driver: awslogs, options: {awslogs-group: g, awslogs-region: us-east-1}}",
            {**AWAY, "awslogs-group": "g", "awslogs-region": "us-east-1"},
        ),
    ],
)
def test_logging_becomes_what_docker_takes(tmp_path: Path, written: str, options: dict[str, str]) -> None:
    logging = read(tmp_path, GOOD.replace("rollout:", f"logging: {written}\nrollout:")).logging
    assert logging is not None and dict(logging.options) == options
    assert logging.options == tuple(sorted(logging.options)) and written.startswith(f"{{driver: {logging.driver}")


def test_the_authority_of_a_log_server_is_read(tmp_path: Path) -> None:
    (tmp_path / "logs-ca.pem").write_text(f"issued by us\n{PEM}")
    tls = 'logging: {driver: syslog, address: "tcp+tls://logs:6514", ca: logs-ca.pem}'
    stack = read(tmp_path, GOOD.replace("rollout:", f"{tls}\nrollout:"))
    assert stack.logging == Logging("syslog", (*sorted(AWAY.items()), ("syslog-address", "tcp+tls://logs:6514")), PEM)
    assert stack.registry.ca == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("timeout: 3s", "timeout: 4s"),
        ('["80:8000"]', '["80:8000", "65535:65535"]'),
        ('["80:8000"]', '["80:8000", "1:1"]'),
        ('["80:8000"]', '["80:8000", "80:1/udp"]'),
        ('MODE: "on"', "MONKEY: abc"),
        ('MODE: "on"', "TOKENS_PER_MINUTE: 5"),
        ('MODE: "on"', 'AUTH_TOKEN: ""'),
        ('MODE: "on"', "AUTH_TOKEN: ssm:/shop/token"),
    ],
    ids=[
        "a timeout one second shorter than the interval",
        "the highest port",
        "the lowest port",
        "the same port of another protocol",
        "a name that only ends like a key",
        "a name that only begins like a token",
        "an empty value is no secret",
        "a reference is no secret",
    ],
)
def test_what_is_just_right_is_no_mistake(old: str, new: str, tmp_path: Path) -> None:
    assert old in GOOD
    read(tmp_path, GOOD.replace(old, new))
