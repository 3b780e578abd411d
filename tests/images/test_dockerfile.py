"""Dockerfiles: rendered strictly, and made from nothing that is not declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen.core.chain import ImageSpec
from bluegreen.errors import UsageError
from bluegreen.images import dockerfile
from bluegreen.images.manifest import Blob, Manifest
from bluegreen.images.weight import weigh

SPEC = ImageSpec("app", "r/app", "deps", "linux/amd64", "docker/app.j2", args=(("PORT", "80"),), templates="shared")
HEAD = "ARG BASE\nFROM ${BASE}\n"


def text(root: Path, content: str, spec: ImageSpec = SPEC, **shared: str) -> str:
    for name, found in {spec.dockerfile: content, **{f"shared/{k}": v for k, v in shared.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(found)
    return dockerfile.text(spec, root)


def test_templates_share_includes_and_macros(tmp_path: Path) -> None:
    content = HEAD + "{% from 'macros' import user %}{% include 'labels' %}{{ user(7) }}\nEXPOSE {{ args.PORT }}\n"
    found = text(
        tmp_path, content, macros="{% macro user(id) %}USER {{ id }}{% endmacro %}", labels="LABEL of={{ name }}\n"
    )
    assert found == HEAD + "LABEL of=app\nUSER 7\nEXPOSE 80\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + "EXPOSE {{ args.PROT }}\n", "has no attribute 'PROT'"),
        (HEAD + "\n{{ nothing }}\n", "app.j2:4"),
        (HEAD + "{% include '../docker/app.j2' %}", "is not in"),
        (HEAD + "{% include '/etc/passwd' %}", "is not in"),
        (HEAD + "{% if %}", "is no template"),
        (HEAD + "{{ ''.__class__.__mro__ }}", "unsafe"),
        (HEAD + "{{ 1 / 0 }}", "cannot be rendered"),
        ("FROM python:3.12\n" + HEAD, "app.j2:1"),
        (HEAD + "COPY --from=nginx:1 /a /b\n", "made from nginx:1"),
        (HEAD + "RUN --mount=type=bind,from=tools,target=/x ls\n", "made from tools"),
        ("FROM scratch\n", "does not say FROM"),
        ("", "has no FROM"),
        ("# syntax=docker/dockerfile:1\n" + HEAD, "# syntax= in a Dockerfile"),
        (HEAD + "RUN a \\", "middle of an instruction"),
    ],
)
def test_a_mistake_is_told_with_its_place(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        text(tmp_path, content)
    assert message in str(caught.value)


def test_stages_of_the_same_file_may_be_used(tmp_path: Path) -> None:
    stages = "ARG BASE\nFROM --platform=linux/amd64 $BASE AS one\n# FROM x\nFROM one\n"
    content = stages + "COPY --from=one \\\n  /a /b\nCOPY --from=0 /a /c\n"
    assert text(tmp_path, content) == content
    with pytest.raises(UsageError, match="is declared from scratch"):
        text(tmp_path, content, SPEC._replace(base="scratch"))


def test_a_missing_dockerfile_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        dockerfile.text(SPEC, tmp_path)


def test_labels_are_one_instruction_and_say_nothing_else() -> None:
    found = dockerfile.with_labels("FROM scratch", {"a": '1"$X\\\nRUN evil', "b": "2"})
    assert found == 'FROM scratch\nLABEL a="1\\"\\$X\\\\ RUN evil" b="2"\n'


def test_a_bare_machine_pulls_each_layer_once() -> None:
    mib = 1 << 20

    def image(*layers: tuple[str, int]) -> Manifest:
        return Manifest("c", 0, tuple(Blob(name, size) for name, size in layers))

    app, web = image(("os", 40 * mib), ("deps", 9), ("app", 5)), image(("os", 40 * mib), ("nginx", 3))
    report = weigh({"app": app, "web": web}, {"app": image(("os", 40 * mib), ("deps", 9))})
    assert (report.pull, report.shared, report.new) == (40 * mib + 17, 40 * mib, 8) and not report.twice
    apart = weigh({"app": app, "web": image(("alpine", 6 * mib))}, {})
    assert apart.new is None and "app and web each bring a base" in apart.twice[0]
