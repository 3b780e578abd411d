"""What the tests of instances share: user data by hand, hosts with an own token, and patience with a deadline."""

from __future__ import annotations

import base64
import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

from bluegreen.sandbox import pids
from bluegreen.sandbox.hosts import ProcessHosts
from bluegreen.sandbox.model import Boot

SECRETS = {"ssm:/shop/key": "s3cret-value"}


def token_for(tmp_path: Path) -> str:
    return f"test-{os.getpid()}-{tmp_path.name}"


@contextmanager
def running_hosts(tmp_path: Path, *, own_addresses: bool = True) -> Iterator[ProcessHosts]:
    """Hosts in tmp_path/hosts, and afterwards the proof that nothing is left of them."""
    token = token_for(tmp_path)
    folder = tmp_path / "hosts"
    with closing(ProcessHosts(folder, token=token, secret=SECRETS.__getitem__, own_addresses=own_addresses)) as hosts:
        yield hosts
    assert not list(pids.marked(pids.mark(token)))
    assert not folder.exists()


def eventually(look: Callable[[], Any], within_s: float = 10.0) -> Any:
    """The first true answer of `look`."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return seen


def service(image: str, **more: Any) -> dict[str, Any]:
    port = {"host": 8080, "container": 8000, "protocol": "tcp"}
    return {"name": "web", "image": image, "environment": {}, "ports": [port], **more}


def document(*services: dict[str, Any], login: Any = None, **more: Any) -> bytes:
    registry = {"host": services[0]["image"].partition("/")[0], "login": login}
    plain = {"schema": 2, "stack": "shop", "region": "eu-west-1", "registry": registry, "services": list(services)}
    return json.dumps({**plain, **more}).encode()


def cloud_config(content: str, **entry: str) -> bytes:
    files = [{"path": "/usr/local/lib/other", "content": "x"}]
    files.append({"path": "/etc/bluegreen/boot.json", "content": content, **entry})
    return b"#cloud-config\n" + yaml.safe_dump({"write_files": files, "runcmd": [["/bin/false"]]}).encode()


def user_data(*services: dict[str, Any], login: Any = None, **more: Any) -> bytes:
    return cloud_config(base64.b64encode(document(*services, login=login, **more)).decode(), encoding="b64")


def start(hosts: ProcessHosts, data: bytes, instance: str = "i-1") -> None:
    hosts.start(Boot(instance, "eu-west-1", data, ()))


def said(hosts: ProcessHosts, text: str, instance: str = "i-1", within_s: float = 10.0) -> str:
    """The console, once it holds `text`."""
    try:
        eventually(lambda: text in hosts.console(instance), within_s)
    except AssertionError:
        raise AssertionError(f"{text!r} is not on the console:\n{hosts.console(instance)}") from None
    return hosts.console(instance)


def get(hosts: ProcessHosts, path: str = "/", instance: str = "i-1", port: int = 8080) -> Any:
    host, number = hosts.address(instance, port)
    with urllib.request.urlopen(f"http://{host}:{number}{path}", timeout=5) as answer:
        return json.loads(answer.read() or b"null")
