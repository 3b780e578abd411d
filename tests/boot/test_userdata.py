"""User data: the same bytes for the same stack, every value byte for byte, within EC2's limit, good cloud-config."""

from __future__ import annotations

import ast
import base64
import bz2
import gzip
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from machine import APP, CLOUDINIT, WEB, a_stack, pins, with_environment

from bluegreen.boot import templates, userdata
from bluegreen.boot.document import boot_document
from bluegreen.boot.shrink import shrink
from bluegreen.boot.userdata import LIMIT, fingerprint, render
from bluegreen.core.stack import Stack
from bluegreen.errors import UsageError
from bluegreen.sandbox.userdata import boot_document as read_as_the_sandbox_does


def _config(data: bytes) -> dict[str, Any]:
    text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    assert text.startswith(b"#cloud-config\n")
    config: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return config


def _files(data: bytes) -> dict[str, bytes]:
    """path → content, as cloud-init's write_files would write it."""
    files = {}
    for entry in _config(data)["write_files"]:
        content = entry["content"].encode()
        if "b64" in entry.get("encoding", ""):
            content = base64.b64decode(content, validate=True)
        files[entry["path"]] = gzip.decompress(content) if "gz" in entry.get("encoding", "") else content
    return files


def _programs(data: bytes) -> dict[str, str]:
    parts = bz2.decompress(_files(data)["/usr/local/lib/bluegreen/programs.bz2"]).decode().split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _document(data: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_files(data)["/etc/bluegreen/boot.json"])
    return document


def _render(stack: Stack) -> bytes:
    return render(stack, pins(stack))


def test_the_same_stack_gives_the_same_bytes_in_any_process() -> None:
    program = "import sys, machine; from bluegreen.boot.userdata import render; s = machine.a_stack()"
    program += "; sys.stdout.buffer.write(render(s, machine.pins(s)))"
    here = str(Path(__file__).parent)
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{here}:{CLOUDINIT.parent}", "PATH": ""}
        words = [sys.executable, "-B", "-c", program]
        assert subprocess.run(words, env=environment, capture_output=True, check=True).stdout == _render(a_stack())


def test_nothing_but_the_document_differs_between_stacks() -> None:
    one, other = _files(_render(a_stack())), _files(_render(a_stack(with_environment(A="$(reboot)"))))
    assert {path for path in one if one[path] != other[path]} == {"/etc/bluegreen/boot.json"}
    assert set(_config(_render(a_stack()))) == {"write_files"}


def test_no_header_of_any_gzip_holds_a_time_or_a_name() -> None:
    assert _render(a_stack())[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


def test_what_runs_at_each_boot_unpacks_the_programs_and_runs_the_first(tmp_path: Path) -> None:
    """The very script, in a root of its own."""
    files = _files(_render(a_stack()))
    script = files["/var/lib/cloud/scripts/per-boot/bluegreen"].decode()
    assert script == templates.text(templates.UNPACK)
    (tmp_path / "programs.bz2").write_bytes(files["/usr/local/lib/bluegreen/programs.bz2"])
    before, _, end = script.partition("os.execv(")
    assert end.startswith(
        '"/usr/bin/python3", ["python3", "-B", "-X", "utf8", str(here / "containers.py"), "/etc/bluegreen/boot.json"])'
    )
    here = before.replace("/usr/local/lib/bluegreen", str(tmp_path))
    subprocess.run([sys.executable, "-c", here], check=True)
    assert {path.name: path.read_text() for path in tmp_path.glob("*.py")} == _programs(_render(a_stack()))


def test_every_program_of_the_folder_is_sent() -> None:
    assert {path.name for path in CLOUDINIT.iterdir() if path.is_file()} == {
        *(templates.TEMPLATE, templates.UNPACK, templates.TYPES),
        *templates.MODULES,
    }
    assert set(_programs(_render(a_stack()))) == set(templates.MODULES)


class _Plain(ast.NodeTransformer):
    """A program without what shrink may leave out, made another way."""

    def visit(self, node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return None
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.ClassDef):
            fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
            node.body = [part if part in fields else self.visit(part) for part in node.body]
            return node
        if isinstance(node, ast.AnnAssign):
            return ast.Assign([node.target], node.value) if node.value else None
        return self.generic_visit(node)


def _imported(tree: ast.Module) -> set[str]:
    return {one.asname or one.name for node in tree.body if isinstance(node, ast.ImportFrom) for one in node.names}


def _without_imports(tree: ast.Module) -> ast.Module:
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom)]
    return tree


@pytest.mark.parametrize("name", templates.MODULES)
def test_a_program_without_its_comments_is_the_same_program(name: str) -> None:
    source = templates.text(name)
    found, plain = ast.parse(shrink(source)), _Plain().visit(ast.parse(source))
    used = {node.id for node in ast.walk(plain) if isinstance(node, ast.Name)}
    assert _imported(found) - {"annotations"} == _imported(plain) & used
    assert ast.dump(_without_imports(found)) == ast.dump(_without_imports(plain))
    assert len(shrink(source)) < len(source)
    compile(shrink(source), name, "exec")


def test_only_root_reads_the_document() -> None:
    modes = {entry["path"]: entry["permissions"] for entry in _config(_render(a_stack()))["write_files"]}
    assert modes["/etc/bluegreen/boot.json"] == "0600"
    assert modes["/var/lib/cloud/scripts/per-boot/bluegreen"] == modes["/usr/local/bin/bluegreen-check"] == "0755"


def test_a_template_that_names_what_is_not_there_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    real = templates.text
    monkeypatch.setattr(templates, "text", lambda name: real(name).replace("{{ programs }}", "{{ progams }}"))
    with pytest.raises(UndefinedError):
        _render(a_stack())


def test_the_sandbox_reads_it() -> None:
    stack = a_stack(APP, WEB)
    document = read_as_the_sandbox_does(_render(stack))
    assert document.stack == "shop"
    pinned = pins(stack)
    app = APP._replace(image=pinned["app"], environment=tuple(sorted(APP.environment)))
    assert set(document.services) == {app, WEB._replace(image=pinned["web"])}


def test_its_images_can_be_read_from_it() -> None:
    stack = a_stack(APP, WEB)
    data = _render(stack)
    assert set(userdata.images(gzip.decompress(data))) == set(pins(stack).values())
    assert set(userdata.images(data)) == set(pins(stack).values())
    for broken in (b"", b"#cloud-config\n", data[: len(data) // 2], data.replace(b"content", b"context")[:-40]):
        with pytest.raises(ValueError, match=r"in it|damaged|decode|codec"):
            userdata.images(broken)


def test_its_images_can_be_read_from_what_older_versions_sent() -> None:
    """The journal of a fleet that still runs has it."""
    document = json.dumps(boot_document(a_stack(APP, WEB), pins(a_stack(APP, WEB)))).encode()
    sent = gzip.decompress(_render(a_stack(APP, WEB)))
    before, _, _ = sent.partition(b"encoding: gz+b64")
    older = before + b"encoding: b64\n    content: " + base64.b64encode(document) + b"\n"
    assert set(userdata.images(older)) == set(pins(a_stack(APP, WEB)).values())


values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(
    lambda text: not text.startswith("ssm:/")
)
names = st.from_regex(r"[A-Za-z_ł-][A-Za-z0-9_.-]{0,20}", fullmatch=True).map(lambda name: f"X{name}")


@settings(deadline=None)
@given(st.dictionaries(names, values, max_size=5), st.lists(values, max_size=4))
@example({"A": "'\"\\`$(x)${y}{{ z }}{% w %}%s\n--- \n...\n# no comment\n- a: b\n\t\r\n\x85\u2028\ufeff🚀"}, ["--", ""])
@example({"A": "x'\"\n" * 2048, "B": "no", "C": "1e3", "D": "null", "E": "~", "F": "!!python/object:os"}, ["-e", "*a"])
@example({"A": "#cloud-config\nruncmd: [reboot]", "B": "|", "C": ">-", "D": "&a *b", "E": "\ud7ff\ue000"}, ["\n", " "])
def test_any_value_survives_byte_for_byte(environment: dict[str, str], words: list[str]) -> None:
    service = APP._replace(environment=tuple(environment.items()), command=tuple(words), working_dir="".join(words))
    data = _render(a_stack(service))
    assert len(data) <= LIMIT
    (found,) = _document(data)["services"]
    assert found["environment"] == environment
    assert found["command"] == words
    assert found["working_dir"] == "".join(words)
    assert _document(data) == json.loads(json.dumps(boot_document(a_stack(service), pins(a_stack(service)))))


def _noise(size: int) -> str:
    return base64.b85encode(random.Random(size).randbytes(size)).decode()[:size]


def test_there_is_room_for_more_than_usual() -> None:
    """Ten services, thirty variables and a certificate. If this fails, the programs have grown too fat."""
    variables = {f"SETTING_NUMBER_{number}": _noise(10 + number) for number in range(30)}
    services = [APP._replace(name=f"app{number}", ports=WEB.ports) for number in range(10)]
    stack = a_stack(*services, with_environment(**variables)._replace(name="settings"))
    pem = f"-----BEGIN CERTIFICATE-----\n{_noise(700)}\n-----END CERTIFICATE-----\n"
    assert len(_render(stack._replace(registry=stack.registry._replace(ca=pem)))) <= LIMIT


def test_the_limit_is_ec2s_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(_render(a_stack()))
    monkeypatch.setattr(userdata, "LIMIT", size)
    assert len(_render(a_stack())) == size
    monkeypatch.setattr(userdata, "LIMIT", size - 1)
    with pytest.raises(UsageError, match=f"{size:,} bytes after compression, and EC2 takes {size - 1:,}"):
        _render(a_stack())


def test_too_much_is_refused_with_the_largest_values_but_not_their_text() -> None:
    text = _noise(30_000)
    with pytest.raises(UsageError) as caught:
        _render(a_stack(with_environment(SMALL="x", LARGE=text, MIDDLE=text[:500])))
    message = str(caught.value)
    assert "services.app.environment.LARGE 30,000 bytes, services.app.environment.MIDDLE 500 bytes" in message
    assert "EC2 takes 16,384" in message
    assert text[:20] not in message


def test_the_fingerprint_is_over_the_text_and_so_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = a_stack()
    before = fingerprint(stack, pins(stack))
    assert fingerprint(a_stack(with_environment(A="2")), pins(a_stack(APP))) != before
    monkeypatch.setattr(userdata, "_gzip", lambda data: pytest.fail("compression is not the same everywhere"))
    assert fingerprint(stack, pins(stack)) == before


def test_rendering_starts_without_jinja() -> None:
    program = "import sys, bluegreen.boot.userdata; sys.exit('jinja2' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "must",
    [
        pytest.param(False, id="if-installed", marks=pytest.mark.skipif(not shutil.which("cloud-init"), reason="none")),
        pytest.param(True, id="e2e", marks=pytest.mark.e2e),
    ],
)
def test_cloud_init_accepts_it(must: bool, tmp_path: Path) -> None:
    hostile = _render(a_stack(with_environment(A="'\"\n{{ x }} $(reboot) 🚀" * 50)))
    for number, text in enumerate(map(gzip.decompress, (_render(a_stack()), hostile))):
        path = tmp_path / f"{number}.yaml"
        path.write_bytes(text)
        done = subprocess.run(
            ["cloud-init", "schema", "--config-file", str(path)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, "Valid" in done.stdout) == (0, True), done.stdout + done.stderr
