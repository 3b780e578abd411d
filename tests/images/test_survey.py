"""The chain against a registry: one HEAD an image, and a clear error for whatever a registry may do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from asking import Naps
from fake_registry import PASSWORD, FakeRegistry, answer, hang_up

from bluegreen.core.chain import ImageSpec
from bluegreen.errors import BuildFailed, CloudError, NotFound, Throttled
from bluegreen.images.build import Builder, Limit, Origin
from bluegreen.images.chain import Planned, survey
from bluegreen.images.registry import Credentials, RegistryImages

DIGEST = "sha256:" + "a" * 64
STACK = """\
stack: shop
region: eu-west-1
account: "123456789012"
fleet: {{count: 1, ami: ubuntu-24.04, instance_types: [m7i.large], subnets: [subnet-0a11ce0000000000a],
  security_groups: [sg-0a11ce00000000001]}}
traffic: [{{load_balancer: a, listener: 80, port: 80}}]
registry: {{host: "{host}"}}
services: {{app: {{image: app, ports: ["80:80"]}}}}
images:
  base: {{from: "{host}/os/debian@{digest}", dockerfile: base}}
  deps: {{from: base, dockerfile: deps}}
  app: {{from: deps, dockerfile: app}}
"""


@pytest.fixture
def specs(tmp_path: Path, registry: FakeRegistry) -> list[ImageSpec]:
    for name in ("base", "deps", "app"):
        (tmp_path / name).write_text("ARG BASE\nFROM ${BASE}\n")
    return [
        ImageSpec(name, f"{registry.host}/shop/{name}", base, "linux/amd64", name)
        for name, base in (("base", f"{registry.host}/os/debian@{DIGEST}"), ("deps", "base"), ("app", "deps"))
    ]


def fill(registry: FakeRegistry, chain: tuple[Planned, ...]) -> None:
    for planned in chain:
        registry.put_image(f"shop/{planned.name}", planned.tag)


def test_a_chain_that_is_there_costs_one_head_an_image(
    registry: FakeRegistry, specs: list[ImageSpec], tmp_path: Path, naps: Naps
) -> None:
    registry.auth = "basic"
    images = RegistryImages({registry.host: Credentials("deploy", lambda: PASSWORD, at_hand=True)}, sleep=naps)
    fill(registry, survey(specs, tmp_path, images))
    registry.log.clear()
    chain = survey(specs, tmp_path, images)
    assert all(planned.digest for planned in chain)
    assert [(method, path) for method, path, _ in registry.log] == [
        ("HEAD", f"/v2/shop/{planned.name}/manifests/{planned.tag}") for planned in chain
    ]
    images.close()


def test_a_build_with_nothing_to_do_imports_nothing_heavy(
    registry: FakeRegistry, specs: list[ImageSpec], tmp_path: Path, images: RegistryImages
) -> None:
    fill(registry, survey(specs, tmp_path, images))
    (tmp_path / "stack.yml").write_text(STACK.format(host=registry.host, digest=DIGEST))
    code = (
        "import sys; from bluegreen.cli.main import main; code = main(['build', sys.argv[1]]);"
        "heavy = 'boto3 docker requests urllib3 tenacity jinja2 rich structlog subprocess tempfile shutil difflib logging';"
        "heavy += ' dataclasses inspect';"  # fifty definitions of dataclasses take as long as all three requests
        "sys.exit(code or str(set(heavy.split()) & set(sys.modules) or '') or 0)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "stack.yml")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" reused ") == 3


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (answer(401), CloudError, "login"),
        (answer(429), Throttled, "no more requests"),
        (answer(500), CloudError, "HTTP 500"),
        (answer(404), None, ""),
        (answer(418), CloudError, "does not give"),
    ],
)
def test_what_a_registry_may_answer(
    registry: FakeRegistry,
    images: RegistryImages,
    specs: list[ImageSpec],
    tmp_path: Path,
    reply: object,
    kind: type[CloudError] | None,
    words: str,
) -> None:
    registry.faults["HEAD", "/shop/deps/"] = [reply] * 9  # type: ignore[list-item]
    registry.faults["GET", "/shop/deps/"] = [reply] * 9  # type: ignore[list-item]
    if kind is None:
        assert {planned.name: planned.digest for planned in survey(specs, tmp_path, images)}["deps"] == ""
        return
    with pytest.raises(kind) as caught:
        survey(specs, tmp_path, images)
    assert words in str(caught.value) and registry.host in str(caught.value) and PASSWORD not in str(caught.value)


def test_a_manifest_that_is_cut_off_or_another_one_is_refused(
    registry: FakeRegistry, images: RegistryImages, naps: Naps
) -> None:
    registry.put_image("shop/app", "x")
    reference = f"{registry.host}/shop/app:x"
    registry.faults["GET", "/manifests/"] = [hang_up] * 9
    with pytest.raises(CloudError, match="does not answer as it should"):
        images.manifest(reference, "amd64")
    registry.faults["GET", "/manifests/"] = [answer(200, b"{}", {"Docker-Content-Digest": DIGEST})]
    with pytest.raises(CloudError, match="is not what its digest says"):
        images.manifest(reference, "amd64")
    assert images.find(reference).startswith("sha256:") and naps.taken


def test_a_base_that_does_not_exist_is_told(
    registry: FakeRegistry, images: RegistryImages, specs: list[ImageSpec], tmp_path: Path
) -> None:
    gone = ImageSpec("base", f"{registry.host}/shop/base", f"{registry.host}/os/none:1", "linux/amd64", "base")
    with pytest.raises(NotFound, match="os/none:1 does not exist"):
        survey([gone], tmp_path, images)


class Pushes:
    """An engine that says what it pushed, whatever the registry has."""

    def __init__(self) -> None:
        self.pushed: list[str] = []

    def push(self, reference: str, told: object) -> str:
        self.pushed.append(reference)
        return DIGEST

    def tag(self, reference: str, other: str) -> None:
        raise AssertionError("newest moved, though not all images are there")


def test_a_push_that_did_not_arrive_leaves_newest_where_it_was(
    registry: FakeRegistry, images: RegistryImages, specs: list[ImageSpec], tmp_path: Path
) -> None:
    chain = survey(specs, tmp_path, images)
    registry.put_image("shop/base", chain[0].tag)
    engine = Pushes()
    builder = Builder(engine, Origin("2026-01-01T00:00:00+00:00"), lambda image, line: None)  # type: ignore[arg-type]
    with pytest.raises(CloudError, match=r"has another .* than was pushed"):
        builder.push(chain, images)
    assert engine.pushed == [chain[0].reference]


class Hangs(Pushes):
    """An engine whose work never ends by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.over = Event()

    def has(self, reference: str, labels: object) -> bool:
        return False

    def pull(self, reference: str, platform: str, told: Callable[[str], None]) -> None:
        told("Step 1/2 : sleep")
        self.over.wait(60)

    def push(self, reference: str, told: object) -> str:
        self.over.wait(60)
        return super().push(reference, told)


def test_what_does_not_end_is_left_at_the_limit(
    registry: FakeRegistry, images: RegistryImages, specs: list[ImageSpec], tmp_path: Path
) -> None:
    chain = survey(specs, tmp_path, images)
    engine = Hangs()
    ticks = iter((0.0, 99.5, 100.5, 101.0))
    limit = Limit(100.0, lambda: next(ticks))
    origin = Origin("2026-01-01T00:00:00+00:00")
    builder = Builder(engine, origin, lambda image, line: None, limit)  # type: ignore[arg-type]
    try:
        with pytest.raises(BuildFailed) as late:
            builder.build(chain)
        assert late.value.exit_code == 1 and late.value.where == "Step 1/2 : sleep"
        assert late.value.what == "base cannot be built" and late.value.why.startswith("after 100 s")
        with pytest.raises(CloudError, match=r"base:\w+ is not pushed"):
            builder.push(chain, images)
        assert engine.pushed == []
    finally:
        engine.over.set()
