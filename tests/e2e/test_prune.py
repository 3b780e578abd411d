"""images prune on a real registry, by a ledger in the sandbox: what goes, what stays, and when nothing is touched at all."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from chains import Chain
from program import Sandbox

from bluegreen.aws.client import Aws
from bluegreen.aws.record import DynamoRecords
from bluegreen.aws.table import Table
from bluegreen.boot.userdata import render
from bluegreen.core.chain import Lineage, Link
from bluegreen.core.event import Started
from bluegreen.core.fleet import BindingRef, Colour, Fleet
from bluegreen.core.goal import Goal
from bluegreen.core.record import Owner, Record
from bluegreen.errors import Refused
from bluegreen.images.registry import Credentials, RegistryImages
from bluegreen.stackfile.load import load
from tests.parts.authority import Authority
from tests.parts.images import Images
from tests.parts.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

OWNER = Owner("arn:aws:iam::123456789012:user/ann", "here pid 1")
Built = dict[str, Any]


def ledger(sandbox: Sandbox) -> DynamoRecords:
    return DynamoRecords(Aws("eu-west-1", endpoint=sandbox.known["endpoint"]))


ELB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
RULE = BindingRef(
    "chain-alb",
    f"{ELB}:listener/app/chain-alb/50dc6c495c0c9188/0000000000000001",
    f"{ELB}:listener-rule/app/chain-alb/50dc6c495c0c9188/0000000000000001/0000000000000001",
    False,
    "chain-alb:80",
)


def deployed(records: DynamoRecords, chain: Chain, epoch: int, built: Built) -> Fleet:
    """The journal's first line of a deployment of what was built."""
    stack = load(chain.folder / "stack.yml", {})
    references = {name: f"{one['reference'].rpartition(':')[0]}@{one['digest']}" for name, one in built.items()}
    links = tuple(Link(name, built[name]["key"], reference) for name, reference in references.items())
    fleet = Fleet(
        f"{chain.name}-{epoch}",
        Colour.BLUE,
        f"release{epoch}",
        f"v{epoch}",
        1,
        (f"{ELB}:targetgroup/chain/{epoch:016x}",),
    )
    goal = Goal(
        "deploy", chain.name, fleet.deployment, 0.0, fleet, None, None, (), lineage=Lineage(links, "c" * 40, dirty=True)
    )
    data = base64.b64encode(render(stack, {"app": references["app"]})).decode()
    records.append(fleet.deployment, 0, Started(0.0, epoch, OWNER, goal, data))
    return fleet


def test_a_registry_that_keeps_everything_says_so(
    outside: str, small_images: Images, authority: Authority, gateway: str, tmp_path: Path
) -> None:
    registry = Registry(tmp_path, authority, gateway, deletes=False)
    registry.start()
    login = {registry.host: Credentials(registry.username, lambda: registry.password)}
    images = RegistryImages(login, ca_file=str(registry.ca))
    try:
        reference = small_images.push("bluegreen-tests/os", registry, "shop/app", "1")
        with pytest.raises(Refused, match="does not let images be deleted"):
            images.delete(reference)
        assert images.find(reference)
    finally:
        images.close()
        registry.stop()


def test_what_no_release_needs_goes_and_the_rest_stays(
    chain: Chain, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "sandbox")):
        monkeypatch.setenv(name, value)
    aws = {name: value for name, value in sandbox.env.items() if name.startswith("AWS_")}
    records = ledger(sandbox)
    stack = str(chain.folder / "stack.yml")

    def prune(*words: str) -> Any:
        done = chain.run("images", "prune", stack, "--younger", "0s", "--output", "json", *words, **aws)
        return done.returncode, json.loads(done.stdout)

    builds = []
    for number in range(5):
        chain.write("app/src/main", f"{number}\n")
        if number in (0, 2):
            chain.write("deps/lock", f"{number}\n")
        builds.append(chain.build())
    everything = {one["reference"] for built in builds for one in built.values()}

    def there() -> set[str]:
        return {reference for reference in everything if chain.images.find(reference)}

    code, told = prune("--yes")
    assert code == 5 and "no DynamoDB table" in told["error"] and there() == everything
    Table(records.aws).make()
    code, told = prune("--yes")
    assert code == 5 and "no record" in told["error"] and there() == everything

    fleets = [deployed(records, chain, epoch, builds[epoch]) for epoch in (1, 2, 3)]
    records.write(Record(chain.name, 3, op_id="x", live=fleets[2], standby=fleets[1], bindings=(RULE,)), 0, "")
    shown = chain.run("show", fleets[0].deployment, **aws).stdout
    for name, one in builds[1].items():
        pinned = f"{one['reference'].rpartition(':')[0]}@{one['digest']}"
        assert f"  image {name} {one['key'][:12]}  {pinned}" in shown
    assert f"  commit {'c' * 40}, and files that were not committed" in shown
    weight = chain.run("deploy", stack, **aws).stderr
    size = r"[\d.]+ [kM]B"
    assert re.search(rf"a bare machine pulls {size}, {size} .* shared; {size} of it new since the live release", weight)

    code, told = prune("--keep", "2")
    would = {tag for image in told["images"] if image["action"] == "would go" for tag in image["tags"]}
    oldest = {builds[number][name]["reference"] for number in (0, 1) for name in ("deps", "app")}
    assert code == 0 and not told["deleted"] and there() == everything
    assert would == {reference.rpartition(":")[2] for reference in oldest}
    (only,) = [image for image in prune("--keep", "3")[1]["images"] if image["action"] != "stays"]
    assert only["tags"] == [builds[0]["app"]["reference"].rpartition(":")[2]]

    code, told = prune("--keep", "2", "--yes")
    because = {tag: image["because"] for image in told["images"] for tag in image["tags"]}
    assert code == 0 and there() == everything - oldest
    assert because[builds[3]["app"]["reference"].rpartition(":")[2]] == f"live {fleets[2].label} needs it"
    assert chain.images.find(builds[4]["app"]["reference"]), "what was pushed last, and never deployed"
    assert prune("--keep", "2", "--yes")[0] == 0 and there() == everything - oldest
    chain.write("app/src/main", "3\n")
    assert {one["action"] for one in chain.build().values()} == {"reused"}, "a release that is kept can be deployed"
