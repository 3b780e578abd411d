"""What an instance hears of itself at 169.254.169.254, as IMDSv2 answers it (EC2 user guide, "Instance metadata"). Pure.

A tree of texts: a folder's listing is its names, one a line, with a slash behind those of folders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bluegreen.sandbox.model import Boot

VERSIONS = ("latest", "2021-03-23", "2016-09-02", "2009-04-04")  # cloud-init asks for the newest that it finds
TOKEN_LIMIT_S = 21_600
CREDENTIALS_S = 6 * 3600


def tree(known: Boot, now: datetime) -> dict[str, bytes]:
    """Path below the version → content."""
    name = "ip-" + known.address.replace(".", "-") + f".{known.region}.compute.internal"
    mac = mac_of(known.address)
    interface = f"meta-data/network/interfaces/macs/{mac}"
    texts = {
        "meta-data/ami-id": known.image_id,
        "meta-data/hostname": name,
        "meta-data/instance-id": known.instance_id,
        "meta-data/instance-type": known.instance_type,
        "meta-data/local-hostname": name,
        "meta-data/local-ipv4": known.address,
        "meta-data/mac": mac,
        f"{interface}/device-number": "0",
        f"{interface}/local-ipv4s": known.address,
        f"{interface}/mac": mac,
        "meta-data/placement/availability-zone": known.zone,
        "meta-data/placement/region": known.region,
        "meta-data/services/domain": "amazonaws.com",
        "meta-data/services/partition": "aws",
        "dynamic/instance-identity/document": json.dumps(_document(known), indent=2),
    }
    for key, value in known.tags if known.tags_in_metadata else ():
        texts[f"meta-data/tags/instance/{key}"] = value
    if known.role:
        texts[f"meta-data/iam/security-credentials/{known.role}"] = json.dumps(_credentials(known, now), indent=2)
    tellable = {path: text.encode() for path, text in texts.items()}
    return {**tellable, "user-data": known.user_data} if known.user_data else tellable


def answer(known: Boot, path: str, now: datetime) -> bytes | None:
    """The content at `path` ("/latest/meta-data/"), or None where there is nothing."""
    version, _, below = path.strip("/").partition("/")
    if not version:
        return "\n".join(VERSIONS).encode()
    if version not in VERSIONS:
        return None
    contents = tree(known, now)
    if below in contents and not path.endswith("/"):
        return contents[below]
    return _listing(contents, below)


def mac_of(address: str) -> str:
    """Of the instance's one network card."""
    return "02:42:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def token_seconds(header: str | None) -> int | None:
    """The life that a PUT asks for; None if AWS would refuse it."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return int(header) if 1 <= int(header) <= TOKEN_LIMIT_S else None


def _listing(contents: Mapping[str, bytes], folder: str) -> bytes | None:
    start = f"{folder}/" if folder else ""
    names = set()
    for path in contents:
        if path.startswith(start):
            name, slash, _ = path.removeprefix(start).partition("/")
            names.add(name + slash)
    return "\n".join(sorted(names)).encode() if names else None


def _document(known: Boot) -> dict[str, object]:
    return {
        "accountId": known.account,
        "architecture": "x86_64",
        "availabilityZone": known.zone,
        "imageId": known.image_id,
        "instanceId": known.instance_id,
        "instanceType": known.instance_type,
        "privateIp": known.address,
        "region": known.region,
        "version": "2017-09-30",
    }


def _credentials(known: Boot, now: datetime) -> dict[str, str]:
    """The sandbox checks no signature: they are of the right form, and open nothing."""
    return {
        "Code": "Success",
        "LastUpdated": _stamp(now),
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIASANDBOX" + known.instance_id[-5:].upper(),
        "SecretAccessKey": "sandbox",
        "Token": f"sandbox-{known.instance_id}",
        "Expiration": _stamp(now + timedelta(seconds=CREDENTIALS_S)),
    }


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
