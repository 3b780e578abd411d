"""What can go wrong between here and a registry, in words. No text here ever sees a password or a token."""

from __future__ import annotations

from urllib.parse import urlsplit

from bluegreen.core.image_ref import is_loopback
from bluegreen.errors import CloudError, Throttled, Unreachable

CA_VARIABLE = "BLUEGREEN_REGISTRY_CA"


def denied(host: str, repository: str, username: str, status: int, deletes: bool = False) -> CloudError:
    """401 is about who asks, 403 about what that one may do."""
    if not username:
        what, then = f"{host} asks for a login, and there is none for it", "set registry.auth in the stack file"
    elif status == 401:
        what, then = f"{host} refuses the login of {username}", "compare user name and password with the registry"
    elif deletes:
        what, then = f"{username} may not delete in {repository}", f"give {username} that right, in the registry"
    else:
        what, then = f"{username} may not pull {repository}", f"let {username} read it, in the registry"
    return CloudError(
        what,
        action="registry:pull",
        code="UNAUTHORIZED" if status == 401 else "DENIED",
        where=f"{host}/{repository}",
        why=f"HTTP {status}",
        next=then,
    )


def check_scheme(url: str, host: str) -> None:
    """A registry on loopback may send to loopback in plain HTTP; nobody else may."""
    target = urlsplit(url)
    if target.scheme == "https" or (target.scheme == "http" and is_loopback(target.netloc) and is_loopback(host)):
        return
    raise CloudError(
        f"{host} sends to an address without TLS",
        action="registry:redirect",
        where=f"{target.scheme}://{target.netloc}",
        why="a login or an image would travel in the open",
        next="put TLS in front of that address",
    )


def throttled(where: str, seconds: float | None) -> Throttled:
    return Throttled(
        f"{where} allows no more requests for now",
        action="registry:pull",
        code="429",
        where=where,
        why=f"it asks to wait {seconds:.0f} s" if seconds else "",
        next="wait, or log in for a higher limit",
    )


def unreachable(where: str, why: str) -> Unreachable:
    return Unreachable(
        f"the registry {where} cannot be reached",
        action="registry:connect",
        where=where,
        why=why,
        next="check registry.host and the network between here and there",
    )


def broken(where: str, why: str, code: str) -> CloudError:
    return CloudError(
        f"the registry {where} does not answer as it should", action="registry:pull", code=code, where=where, why=why
    )


def no_tls(where: str, why: str) -> Unreachable:
    return Unreachable(
        f"no TLS connection to the registry {where}",
        action="registry:connect",
        code="TLS",
        where=where,
        why=why,
        next=f"for a certificate of your own authority set {CA_VARIABLE}; plain HTTP is for loopback only",
    )
