"""The command line without a world: help, exit codes, errors; bad input makes no AWS call."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mistakes import GOOD, MISTAKES

from bluegreen.cli.main import COMMANDS, build_parser, main

ROOT = Path(__file__).parents[2]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real program in a process of its own, with an AWS endpoint where nobody answers."""
    base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, "-m", "bluegreen", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**base, **environment},
        cwd=ROOT,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"bluegreen {command}" in capsys.readouterr().out.split("example:")[1]


def test_a_typing_mistake_is_exit_2_with_a_suggestion() -> None:
    done = run("rolback", "shop")
    assert done.returncode == 2 and "did you mean rollback?" in done.stderr


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from bluegreen.cli.main import build_parser; build_parser('');"
        "heavy = {'botocore', 'boto3', 'rich', 'yaml', 'jinja2', 'structlog', 'tenacity'};"
        "sys.exit(str(heavy & set(sys.modules) or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_rollback_path_leaves_the_stack_file_and_its_libraries_alone() -> None:
    code = (
        "import sys, bluegreen.cli.rollback, bluegreen.cli.wire, bluegreen.controller.commands, bluegreen.cli.progress;"
        "bad = {'yaml', 'jinja2', 'rich', 'structlog', 'pydantic', 'urllib3'} & set(sys.modules); sys.exit(str(bad or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_bad_stack_file_is_exit_2_before_any_aws_call(tmp_path: Path) -> None:
    file = tmp_path / "bad.yml"
    file.write_text((ROOT / "stacks" / "demo.yml").read_text().replace("count: 4", "count: 0"))
    for words in (["check", str(file)], ["deploy", str(file), "--version", "A"]):
        done = run(*words)
        assert done.returncode == 2, done.stderr
        assert "fleet.count" in done.stderr and "bad.yml:7:" in done.stderr and "Traceback" not in done.stderr


def test_errors_come_as_one_json_object_when_asked() -> None:
    done = run("check", "none.yml", "--output", "json")
    found = json.loads(done.stdout)
    assert done.returncode == found["exit_code"] == 2 and "no such file" in found["error"]


def test_mistakes_come_as_json_too(tmp_path: Path) -> None:
    file = tmp_path / "bad.yml"
    file.write_text(GOOD.replace("count: 4", "count: 0"), "utf-8")
    found = json.loads(run("check", str(file), "--output", "json").stdout)
    (mistake,) = found["mistakes"]
    assert (mistake["line"], mistake["key"]) == (5, "fleet.count") and "from 1 to 1000" in mistake["message"]


def test_the_readmes_stack_file_is_right(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "shop.yml"
    file.write_text(text, "utf-8")
    assert text.count("\n") == 10
    assert main(["check", str(file)]) == 0


def test_without_credentials_or_region_it_says_what_to_do() -> None:
    done = run("rollback", "shop")
    assert done.returncode == 2 and "--region" in done.stderr
    done = run("rollback", "shop", AWS_REGION="eu-west-1", AWS_EC2_METADATA_DISABLED="true")
    assert done.returncode == 5 and "credentials" in done.stderr


def test_where_aws_does_not_answer_it_says_what_to_do_next() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}
    done = run("gc", "shop", **keys)
    assert done.returncode == 5 and "next: run the same command again in a minute" in done.stderr, done


def test_a_deploy_that_would_outlive_its_credentials_is_refused() -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CREDENTIAL_EXPIRATION": soon}
    done = run("deploy", "stacks/demo.yml", "--version", "A", AWS_ENDPOINT_URL="http://127.0.0.1:9", **keys)
    assert done.returncode == 5, done
    assert "the AWS credentials end in 2 min, and this may take 4 min" in done.stderr and "sign in again" in done.stderr


def test_the_example_stack_passes_and_the_schema_is_json() -> None:
    assert run("check", "stacks/demo.yml").returncode == 0
    assert json.loads(run("schema").stdout)["title"] == "bluegreen stack file"


def test_completion_knows_the_commands() -> None:
    assert "rollback" in run("completion", "bash").stdout
    assert build_parser("deploy").parse_args(["deploy", "x.yml", "--version", "1"]).version == "1"


class Called(BaseException):
    """Somebody opened a connection."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_stack_file_is_exit_2_with_its_line_and_no_call(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, line, message = MISTAKES[name]
    file = tmp_path / "shop.yml"
    file.write_text(GOOD.replace(old, new, 1), "utf-8")

    def connect(*arguments: object) -> None:
        raise Called

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    assert main(["deploy", str(file), "--version", "1.4.2"]) == 2
    shown = capsys.readouterr()
    told = [text for text in shown.err.splitlines() if text.removeprefix("bluegreen: ").startswith(f"{file}:{line}:")]
    assert any(message in text for text in told), shown.err
    assert shown.out == "" and "Traceback" not in shown.err
