"""The table deleted under a stack that serves: status, rollback, recover and the notes, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from program import Sandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_a_table_that_is_deleted_is_gone_around_and_rebuilt(sandbox: Sandbox, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    sandbox.env["BLUEGREEN_STATE_DIR"] = str(notes)
    assert sandbox.deploy("A").code == 0 and sandbox.deploy("B").code == 0
    table = sandbox.client("dynamodb")
    damaged = {"stack": {"S": "demo"}, "item": {"S": "journal#00000002#000003"}, "body": {"S": "{"}}
    table.put_item(TableName="bluegreen", Item=damaged)
    for command in (("status", "demo"), ("history", "demo"), ("show", "demo-2"), ("show", "demo-2", "--timeline")):
        ended = sandbox.run(*command)
        assert ended.code == 0, (command, ended)
    assert "journal#00000002#000003" in sandbox.run("history", "demo").out + sandbox.run("history", "demo").err

    table.update_table(TableName="bluegreen", DeletionProtectionEnabled=False)
    table.delete_table(TableName="bluegreen")
    for words in (("status", "demo"), ("status",)):
        seen = sandbox.run(*words)
        assert seen.code == 0 and seen.out.startswith("demo: B serves: green demo-2, 4/4 healthy"), seen
        assert "DEGRADED" in seen.out and "rollback ready: yes, 4/4 healthy" in seen.out

    back = sandbox.run("rollback", "demo")
    assert back.code == 0 and "DEGRADED: blue demo-1 (A) serves" in back.out, back
    again = sandbox.run("rollback", "demo", "--output", "json")
    assert (again.code, again.json["result"]) == (0, "unchanged") and sandbox.answers() == {"A"}
    (note,) = notes.glob("*.json")
    assert json.loads(note.read_text("utf-8"))["endpoint"] == sandbox.known["endpoint"]

    refused = sandbox.deploy("C")
    assert refused.code in (5, 7) and "bluegreen recover demo" in refused.err and sandbox.answers() == {"A"}
    found = sandbox.run("recover", "demo", "--output", "json")
    assert (found.code, found.json["result"]) == (0, "recovered"), found
    assert sandbox.answers() == {"A"} and list(notes.glob("*.json")) == []
    again = sandbox.run("recover", "demo", "--output", "json")
    assert (again.code, again.json["result"]) == (0, "unchanged"), "the record is fine"
    told = sandbox.status()
    assert told["well"] and told["serving"]["version"] == "A" and told["degraded"] == ""
    assert sandbox.run("rollback", "demo", "--to", "demo-2").code == 0 and sandbox.answers() == {"B"}


def test_a_sandbox_that_ends_takes_its_notes_along(sandbox: Sandbox, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    sandbox.env["BLUEGREEN_STATE_DIR"] = str(notes)
    for name, endpoint in (("mine", sandbox.known["endpoint"]), ("other", "http://127.0.0.1:1")):
        (notes / f"demo@{name}.json").write_text(json.dumps({"endpoint": endpoint}), "utf-8")
    assert sandbox.run("sandbox", "down").code == 0
    assert [path.name for path in notes.glob("*.json")] == ["demo@other.json"]
