"""boot.json: the shape that machines read, and what no machine could take."""

from __future__ import annotations

import json

import pytest
from machine import APP, WEB, a_stack, pins, with_environment

from bluegreen.boot.document import boot_document
from bluegreen.core.stack import Login, Service
from bluegreen.errors import BluegreenError, UsageError

SHAPE = """
{"schema": 2, "stack": "shop", "region": "eu-west-1", "docker": "distribution", "logging": null, "agent": {"port": 8717},
 "registry": {"host": "registry.example.com", "login": {"username": "deploy", "password": "ssm:/shop/registry"}, "ca": ""},
 "services": [{"name": "app", "image": "registry.example.com/shop/app@sha256:…", "command": null, "entrypoint": null,
   "environment": {"WORKERS": "8", "SECRET_KEY": "ssm:/shop/secret-key"}, "ports": [], "depends_on": [],
   "healthcheck": {"test": ["CMD", "curl", "-f", "http://localhost:8000/health"],
                   "interval_s": 2.0, "timeout_s": 1.5, "retries": 3, "start_period_s": 0.25},
   "restart": "unless-stopped", "user": null, "working_dir": null, "init": false, "read_only": false,
   "stop_grace_period_s": 10.0, "ulimits": {}, "workers": null},
  {"name": "web", "image": "registry.example.com/shop/web@sha256:…", "command": ["-p", "80"], "entrypoint": ["/web"],
   "environment": {}, "ports": [{"host": 80, "container": 8000, "protocol": "tcp"}],
   "depends_on": [{"service": "app", "condition": "service_started"}], "healthcheck": null,
   "restart": "unless-stopped", "user": null, "working_dir": null, "init": false, "read_only": false,
   "stop_grace_period_s": 10.0, "ulimits": {}, "workers": null}]}
"""


def test_the_shape_is_the_one_agreed_upon() -> None:
    stack = a_stack(APP, WEB._replace(command=("-p", "80"), entrypoint=("/web",)))
    document = boot_document(stack, pins(stack))
    for service in document["services"]:
        service["image"] = service["image"].partition("sha256:")[0] + "sha256:…"
    assert json.loads(json.dumps(document)) == json.loads(SHAPE)


def test_without_a_login_there_is_null() -> None:
    stack = a_stack(login=None)
    assert boot_document(stack, pins(stack))["registry"] == {"host": "registry.example.com", "login": None, "ca": ""}


@pytest.mark.parametrize("password", ["hunter2", "", "ssm:", "ssm:/", "ssm:relative", "ssm:/a b", "arn:aws:x"])
def test_a_password_that_is_no_reference_is_refused_and_not_repeated(password: str) -> None:
    stack = a_stack(login=Login("deploy", password))
    with pytest.raises(UsageError) as caught:
        boot_document(stack, pins(stack))
    assert "registry.auth.password is not a reference" in str(caught.value)
    assert len(password) < 7 or password not in str(caught.value)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (with_environment(A="x\0y"), "services.app.environment.A holds a NUL"),
        (with_environment(A="\ud800"), "services.app.environment.A holds a NUL or half a character"),
        (APP._replace(command=("a", "b\0")), "services.app.command.1 holds a NUL"),
        (APP._replace(user="\0"), "services.app.user holds a NUL"),
        (with_environment(**{"A B": ""}), "services.app.environment.A B cannot name a variable"),
        (with_environment(**{"": ""}), "cannot name a variable"),
        (with_environment(**{"A=B": ""}), "cannot name a variable"),
        (with_environment(**{"#A": ""}), "cannot name a variable"),
        (with_environment(**{"A\nB": ""}), "cannot name a variable"),
        (with_environment(A="ssm:/a b"), "services.app.environment.A is no proper reference"),
        (with_environment(A="secretsmanager:a b"), "services.app.environment.A is no proper reference"),
    ],
)
def test_what_no_machine_could_take_is_refused_with_its_place(service: Service, words: str) -> None:
    stack = a_stack(service)
    with pytest.raises(UsageError) as caught:
        boot_document(stack, pins(stack))
    assert words in str(caught.value)
    assert "where: stacks/a.yml" in str(caught.value)


@pytest.mark.parametrize("name", ["a", "-web", "we b", "web/1", "łeb"])
def test_a_name_that_docker_refuses_is_refused_here(name: str) -> None:
    stack = a_stack(APP._replace(name=name))
    with pytest.raises(UsageError, match="cannot name a container"):
        boot_document(stack, {name: next(iter(pins(a_stack(APP)).values()))})


@pytest.mark.parametrize("image", [None, "r.example/web:1", "r.example/web@sha256:abc", "web@sha256:" + "a" * 64])
def test_an_image_that_is_not_pinned_is_a_bug(image: str | None) -> None:
    with pytest.raises(BluegreenError, match="has no pinned image") as caught:
        boot_document(a_stack(APP), {"app": image} if image else {})
    assert caught.value.exit_code == 1
