"""The Docker engine, by its SDK: builds, pulls, pushes. Imported by what builds, and by nothing else.

What the engine tells as it works goes to `told`, line by line; the last lines of a step that fails go into the error.
"""

from __future__ import annotations

import collections
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from bluegreen.core.image_ref import parse
from bluegreen.errors import BuildFailed, CloudError, Unreachable
from bluegreen.images.context import DOCKERFILE
from bluegreen.images.transport import Credentials

SILENCE_S = 900  # the longest that a step may say nothing
LAST_LINES = 30
Told = Callable[[str], None]
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")  # colours: no program moves our cursor
_STEP = re.compile(r"Step \d+/\d+ : ")
_NOISE = re.compile(r" ?---> |Removing intermediate container |Step \d+/\d+ : LABEL bluegreen\.")


class Engine:
    """Safe for several threads. `login` gives who pulls from and pushes to a registry's host."""

    def __init__(self, login: Callable[[str], Credentials | None]) -> None:
        self._login = login
        with _reached():
            self.api = docker.from_env(timeout=SILENCE_S, version="auto", max_pool_size=32).api

    def close(self) -> None:
        self.api.close()

    def has(self, reference: str, labels: Mapping[str, str] | None = None) -> bool:
        """Whether the engine keeps `reference`, with these labels."""
        with _reached():
            try:
                found = self.api.inspect_image(reference)["Config"].get("Labels") or {}
            except ImageNotFound:
                return False
        return all(found.get(name) == value for name, value in (labels or {}).items())

    def pull(self, reference: str, platform: str, told: Told) -> None:
        """By digest; what is there already is not asked for."""
        if self.has(reference):
            return
        ref = parse(reference)
        told(f"pulling {reference}")
        with _reached():
            for answer in self.api.pull(
                ref.name, tag=ref.version, stream=True, decode=True, platform=platform, auth_config=self._auth(ref.host)
            ):
                _raise_error(answer, f"{reference} cannot be pulled", reference)

    def build(
        self,
        tag: str,
        context: IO[bytes],
        arguments: Mapping[str, str],
        platform: str,
        told: Told,
        secrets: Mapping[str, bytes],
    ) -> None:
        """The image `tag`, from a tar. Raises BuildFailed with the step and its last lines."""
        if secrets:
            from bluegreen.images import buildkit

            with _reached():
                buildkit.build(self.api, tag, context, arguments, platform, secrets, told)
            return
        log = StepLog(told)
        with _reached():
            answers = self.api.build(
                fileobj=context,
                custom_context=True,
                dockerfile=DOCKERFILE,
                tag=tag,
                buildargs=dict(arguments),
                platform=platform,
                rm=True,
                forcerm=True,
                decode=True,
            )
            for answer in answers:
                log.add(str(answer.get("stream", "")))
                if "error" in answer:
                    raise log.failed(tag, str(answer["error"]))

    def push(self, reference: str, told: Told) -> str:
        """The digest under which the registry has it now. Layers that are there already are not sent."""
        ref = parse(reference)
        digest = ""
        with _reached():
            answers = self.api.push(ref.name, tag=ref.tag, stream=True, decode=True, auth_config=self._auth(ref.host))
            for answer in answers:
                _raise_error(answer, f"{reference} cannot be pushed", reference)
                digest = (answer.get("aux") or {}).get("Digest") or digest
                if answer.get("status") in ("Pushed", "Layer already exists") or "Mounted" in str(answer.get("status")):
                    told(f"layer {answer.get('id')}: {str(answer['status']).lower()}")
        if not digest:
            raise CloudError(f"the push of {reference} ended without a digest", action="registry:push", where=reference)
        return digest

    def tag(self, reference: str, other: str) -> None:
        ref = parse(other)
        with _reached():
            self.api.tag(reference, ref.name, ref.tag)

    def _auth(self, host: str) -> dict[str, str] | None:
        login = self._login(host)
        return {"username": login.username, "password": login.password()} if login else None


class StepLog:
    """Chunks of text to lines; which step runs, and its last lines."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._rest = ""
        self.step = ""
        self.lines: collections.deque[str] = collections.deque(maxlen=LAST_LINES)

    def add(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._line(_ESCAPES.sub("", line.rstrip().rpartition("\r")[2]).rstrip())

    def _line(self, line: str) -> None:
        if not line or _NOISE.match(line):
            return
        if _STEP.match(line):
            self.step = line
            self.lines.clear()
        self.lines.append(line)
        self._told(line)

    def failed(self, tag: str, why: str) -> BuildFailed:
        self.add("\n")
        return BuildFailed(tag, self.step, why.strip(), tuple(self.lines))


def _raise_error(answer: Mapping[str, Any], what: str, where: str) -> None:
    if "error" not in answer:
        return
    why = str(answer["error"]).strip()
    next = "look at the registry, and build again: what arrived whole is used, and no tag leads to what did not"
    if re.search("denied|unauthor", why):
        next = "look at docker login, and at the rights of that login"
    elif re.search("429|toomanyrequests", why):
        next = "the registry allows no more requests for now: wait, and build again"
    elif "x509" in why or "certificate" in why:
        next = f"let the engine trust the registry: /etc/docker/certs.d/{parse(where).host}/ca.crt"
    raise CloudError(what, action="registry:engine", where=where, why=why, next=next)


@contextmanager
def _reached() -> Iterator[None]:
    """What the SDK raises, as ours."""
    try:
        yield
    except APIError as error:
        why = str(error.explanation or error)
        raise CloudError("the Docker engine refuses", action="docker", why=why, where=_url()) from None
    except (requests.ConnectionError, requests.Timeout) as error:
        raise Unreachable(
            "the Docker engine does not answer, or no longer", action="docker", where=_url(), why=type(error).__name__
        ) from None
    except DockerException as error:
        raise Unreachable(
            "there is no Docker engine",
            action="docker",
            where=_url(),
            why=str(error),
            next="start one, or set DOCKER_HOST; an engine is needed only when an image has to be built",
        ) from None


def _url() -> str:
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
