"""Every kind of mistake in a stack file is told with file, line and key, all at once; what is right becomes a Stack."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistakes import FILES, GOOD, MISTAKES

from bluegreen.core.stack import ContainerHealth, DependsOn, Health, Port, Rule, Stack
from bluegreen.errors import StackFileError
from bluegreen.stackfile.kinds import parse_duration
from bluegreen.stackfile.load import load
from bluegreen.stackfile.mistake import StackFileMistakes
from bluegreen.stackfile.reference import json_schema
from bluegreen.stackfile.schema import FILE


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


def test_a_secret_of_the_environment_is_a_reference(tmp_path: Path) -> None:
    stack = read(tmp_path, GOOD.replace('MODE: "on"', "SECRET_KEY: ssm:/shop/key"))
    assert stack.services[0].environment[1] == ("SECRET_KEY", "ssm:/shop/key")
