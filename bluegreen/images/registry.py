"""Tags to digests, by the registry's HTTP API v2 (OCI distribution specification 1.1).

An image is pinned to the manifest of one platform, whose bytes were read here and have the digest they are named by.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from bluegreen.core.image_ref import ImageRef, PinnedImage, parse
from bluegreen.errors import CloudError, NotFound, Refused
from bluegreen.images import manifest
from bluegreen.images.connections import Reply
from bluegreen.images.manifest import Index, Manifest, Platform
from bluegreen.images.transport import Credentials, Transport

__all__ = ["Credentials", "RegistryImages"]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAMED_TAGS = 8
UNUSABLE = "MANIFEST_INVALID"
TAG_PAGES = 100  # of 1000 tags, where a registry gives as many as it is asked for
_NEXT_PAGE = re.compile(r"<([^>]*)>[^,]*rel=\"?next")


class Described(NamedTuple):
    """An image of one platform with its labels, or an index with the digests of its parts."""

    digest: str
    labels: Mapping[str, str] = MappingProxyType({})
    children: tuple[str, ...] = ()


class RegistryImages:
    """`credentials` goes by registry host as it stands in image names. Safe for several threads."""

    def __init__(
        self,
        credentials: Mapping[str, Credentials] | None = None,
        *,
        ca_file: str | None = None,
        authorities: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = Transport(credentials or {}, ca_file=ca_file, authorities=authorities, sleep=sleep)

    def digest(self, reference: str, architecture: str) -> PinnedImage:
        """`reference` pinned for linux/`architecture` (amd64, arm64). Refused when the image is not made for it."""
        ref = parse(reference)
        digest, document = self._document(ref, self._digest_of(ref) or ref.version)
        if isinstance(document, Index):
            digest, document = self._choose(ref, document, architecture)
        else:
            self._check_platform(ref, document, architecture)
        return PinnedImage(f"{ref.name}@{digest}", reference, architecture, document.size_bytes)

    def find(self, reference: str) -> str:
        """The digest behind `reference`, by one HEAD; "" when there is no such image."""
        ref = parse(reference)
        reply = self._ask("HEAD", ref, f"manifests/{ref.version}", manifest.ACCEPT)
        if reply.status == 404:
            return ""
        digest = reply.headers.get("Docker-Content-Digest", "")
        if reply.status == 200 and _DIGEST.fullmatch(digest):
            return digest
        return self._document(ref, ref.version)[0]

    def manifest(self, reference: str, architecture: str) -> Manifest:
        """What `reference` consists of on linux/`architecture`. Raises NotFound."""
        ref = parse(reference)
        _, document = self._document(ref, ref.version)
        return self._choose(ref, document, architecture)[1] if isinstance(document, Index) else document

    def describe(self, reference: str) -> Described:
        """Raises NotFound."""
        ref = parse(reference)
        digest, document = self._document(ref, ref.version)
        if isinstance(document, Index):
            return Described(digest, children=tuple(part for _, part in document.entries))
        try:
            return Described(digest, manifest.config_labels(self._config(ref, document).body))
        except ValueError as error:
            raise _unusable(ref, f"of its config: {error}") from None

    def labels(self, reference: str) -> Mapping[str, str]:
        """The labels of an image of one platform; none when it does not exist."""
        try:
            return self.describe(reference).labels
        except NotFound:
            return {}

    def tags(self, repository: str) -> tuple[str, ...]:
        """All tags of host/repository, none when the registry does not have it."""
        ref, found, query = parse(repository), list[str](), "n=1000"
        for _ in range(TAG_PAGES):
            reply = self._ask("GET", ref, f"tags/list?{query}", "application/json")
            if reply.status == 404:
                return tuple(found)
            if reply.status != 200:
                raise _refusal(ref, f"list the tags of {ref.name}", reply)
            found += manifest.tags(reply.body)
            more = _NEXT_PAGE.search(reply.headers.get("Link", ""))
            if not more:
                return tuple(found)
            query = urlsplit(more[1]).query
        raise CloudError(f"the list of {repository}'s tags has no end", action="registry:list", where=repository)

    def delete(self, reference: str) -> None:
        """The manifest `reference` (host/repository@sha256:…) with all its tags; one that is gone already is no error."""
        ref = parse(reference)
        reply = self._transport.ask(
            "DELETE", ref.host, ref.repository, f"manifests/{ref.digest}", actions="pull,delete"
        )
        if reply.status == 405:
            raise Refused(
                f"{ref.host} does not let images be deleted",
                where=reference,
                why=f"HTTP 405 {manifest.error_code(reply.body)}".strip(),
                next="enable it: storage.delete.enabled in the settings of the distribution registry",
            )
        if reply.status not in (200, 202, 404):
            raise _refusal(ref, f"delete {ref}", reply)

    def close(self) -> None:
        self._transport.close()

    def _digest_of(self, ref: ImageRef) -> str:
        """The digest by HEAD, which costs no quota; empty where a registry does not answer that way."""
        if ref.digest:
            return ref.digest
        reply = self._ask("HEAD", ref, f"manifests/{ref.tag}", manifest.ACCEPT)
        digest = reply.headers.get("Docker-Content-Digest", "") if reply.status == 200 else ""
        return digest if _DIGEST.fullmatch(digest) else ""

    def _document(self, ref: ImageRef, version: str) -> tuple[str, Index | Manifest]:
        """The manifest or index named `version` (a tag or a digest), with the digest of its bytes."""
        reply = self._ask("GET", ref, f"manifests/{version}", manifest.ACCEPT)
        if reply.status == 404:
            raise self._unknown(ref, version, manifest.error_code(reply.body))
        digest = self._verified(ref, reply, version if _DIGEST.fullmatch(version) else "")
        try:
            return digest, manifest.read(reply.headers.get("Content-Type", ""), reply.body)
        except ValueError as error:
            raise _unusable(ref, str(error)) from None

    def _choose(self, ref: ImageRef, index: Index, architecture: str) -> tuple[str, Manifest]:
        digest = index.digest_for(architecture)
        if digest is None:
            raise _other_platform(ref, architecture, ", ".join(index.platforms()) or "no platform at all")
        digest, document = self._document(ref, digest)
        if isinstance(document, Index):
            raise _unusable(ref, "its index leads to another index")
        return digest, document

    def _check_platform(self, ref: ImageRef, image: Manifest, architecture: str) -> None:
        """A manifest does not say what it is made for; the config that it names does."""
        reply = self._config(ref, image)
        try:
            platform = manifest.config_platform(reply.body)
        except ValueError as error:
            raise _unusable(ref, f"of its config: {error}") from None
        if (platform.os, platform.architecture) != ("linux", architecture):
            raise _other_platform(ref, architecture, str(Platform(platform.os, platform.architecture)))

    def _config(self, ref: ImageRef, image: Manifest) -> Reply:
        reply = self._ask("GET", ref, f"blobs/{image.config}", "*/*")
        if reply.status == 404:
            raise _unusable(ref, f"its config {image.config} is not in the registry")
        self._verified(ref, reply, image.config)
        return reply

    def _verified(self, ref: ImageRef, reply: Reply, expected: str) -> str:
        """The digest of the bytes that came; it must be the one asked for, and the one the registry claims."""
        if reply.status != 200:
            raise _refusal(ref, f"give {ref}", reply)
        actual = "sha256:" + hashlib.sha256(reply.body).hexdigest()
        for claimed in (expected, reply.headers.get("Docker-Content-Digest", "")):
            if claimed and claimed != actual:
                raise CloudError(
                    f"what {ref.host} sends for {ref} is not what its digest says",
                    action="registry:pull",
                    code="DIGEST_INVALID",
                    where=ref.name,
                    why=f"named {claimed}, came {actual}",
                    next="look for a cache or proxy in front of the registry, and for damage in its storage",
                )
        return actual

    def _unknown(self, ref: ImageRef, version: str, code: str) -> NotFound:
        code, tags = (code, ()) if code == "NAME_UNKNOWN" or version != ref.tag else self._tags(ref, code)
        if code == "NAME_UNKNOWN":
            what = f"{ref.host} has no repository {ref.repository}"
        elif version != ref.tag:
            what = f"{ref.repository} has no image {version}"
        else:
            what = f"{ref.repository} has no tag {version}" + (f"; it has {_some(tags, version)}" if tags else "")
        return NotFound(
            what,
            action="registry:pull",
            code=code or "MANIFEST_UNKNOWN",
            where=str(ref),
            next="push it, or name a version that is there",
        )

    def _tags(self, ref: ImageRef, code: str) -> tuple[str, tuple[str, ...]]:
        """For the message only: a registry that does not list its tags makes it shorter. Distribution's own says
        MANIFEST_UNKNOWN of a repository that it does not have, and NAME_UNKNOWN only here; `code` becomes that."""
        try:
            reply = self._ask("GET", ref, "tags/list?n=1000", "application/json")
        except CloudError:
            return code, ()
        if reply.status != 200:
            return manifest.error_code(reply.body) or code, ()
        return code, manifest.tags(reply.body)

    def _ask(self, method: str, ref: ImageRef, path: str, accept: str) -> Reply:
        return self._transport.ask(method, ref.host, ref.repository, path, accept)


def _some(tags: tuple[str, ...], wanted: str) -> str:
    """All of a few; of many, those that look most like the one wanted."""
    if len(tags) <= NAMED_TAGS:
        return ", ".join(tags)
    import difflib

    close = difflib.get_close_matches(wanted, tags, n=NAMED_TAGS, cutoff=0.0)
    return f"{', '.join(close)} and {len(tags) - len(close)} more"


def _refusal(ref: ImageRef, what: str, reply: Reply) -> CloudError:
    why = f"HTTP {reply.status} {manifest.error_code(reply.body)}".strip()
    return CloudError(f"{ref.host} does not {what}", action="registry", where=ref.name, why=why)


def _other_platform(ref: ImageRef, architecture: str, has: str) -> Refused:
    return Refused(
        f"{ref} is not made for linux/{architecture}",
        where=ref.name,
        why=f"the fleet's instance types need linux/{architecture}, and the image has {has}",
        next=f"build it for linux/{architecture} too, or choose other fleet.instance_types",
    )


def _unusable(ref: ImageRef, why: str) -> CloudError:
    return CloudError(f"{ref} cannot be used", action="registry:pull", code=UNUSABLE, where=ref.name, why=why)
