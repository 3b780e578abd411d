"""HTTP with registries: time-outs, retries, TLS, redirects and login. Knows nothing of images.

TLS everywhere but on loopback, as Docker does it. A login goes to the registry that asked and to the token service it
names, never along a redirect to another host, and never into an error's text.
"""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from bluegreen.core.image_ref import is_loopback
from bluegreen.errors import CloudError
from bluegreen.images import challenge, failures
from bluegreen.images.connections import Connections, NotConnectedError, Reply

if TYPE_CHECKING:
    from tenacity import RetryCallState

TRIES = 4
LONGEST_RETRY_AFTER_S = 10.0
REDIRECTS = 3
BUSY = (500, 502, 503, 504)
CA_VARIABLES = (failures.CA_VARIABLE, "AWS_CA_BUNDLE")
DOCKER_HUB = {"docker.io": "registry-1.docker.io"}  # distribution/reference names one host, the API has another


class Credentials(NamedTuple):
    """`password` is called when a registry first asks for it; where it is `at_hand`, with the first request, unasked."""

    username: str
    password: Callable[[], str]
    at_hand: bool = False


class _AgainError(Exception):
    """Worth another try after `after_s`; `error` is what to raise when there is none left."""

    def __init__(self, error: CloudError, after_s: float | None = None) -> None:
        super().__init__(error.what)
        self.error = error
        self.after_s = after_s


class Transport:
    """Safe for several threads. `credentials` goes by registry host as it stands in image names; `authorities` are PEM
    certificates that are trusted beside the system's and those in `ca_file`."""

    def __init__(
        self,
        credentials: Mapping[str, Credentials],
        *,
        ca_file: str | None = None,
        authorities: str = "",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credentials = dict(credentials)
        ca_file = ca_file or next((os.environ[name] for name in CA_VARIABLES if os.environ.get(name)), None)
        self._connections = Connections(ca_file, authorities, clock)
        self._sleep = sleep
        self._lock = threading.Lock()
        self._schemes: dict[str, str] = {}
        self._basics: dict[str, str] = {}
        self._authorizations: dict[tuple[str, str], str] = {}  # by host and scope of the token; "" for a login

    def close(self) -> None:
        self._connections.close()

    def ask(
        self, method: str, host: str, repository: str, path: str, accept: str = "*/*", actions: str = "pull"
    ) -> Reply:
        """One question about `repository`, for which a token needs `actions` ("pull,delete"). Any status but 401, 403, 429 and
        5xx is the caller's to judge."""
        url = f"{self._scheme(host)}://{DOCKER_HUB.get(host, host)}/v2/{repository}/{path}"
        headers = {"Accept": accept}
        scope = f"repository:{repository}:{actions}"
        known = self._known(host, scope)
        reply = self._follow(method, url, headers, known)
        if reply.status == 401:
            known = self._authorize(host, scope, reply.headers.get("WWW-Authenticate", ""))
            reply = self._follow(method, url, headers, known)
        if reply.status in (401, 403):
            # With a token in hand, 401 means that the login is good and not enough.
            status = 403 if (known or "").startswith("Bearer") else reply.status
            raise failures.denied(host, repository, self._username(host), status, method == "DELETE")
        return reply

    def _known(self, host: str, scope: str) -> str | None:
        """What to send unasked: what this registry took before, or a password that is at hand."""
        with self._lock:
            found = self._authorizations.get((host, scope)) or self._authorizations.get((host, ""))
        login = self._credentials.get(host)
        return found or (self._basic(host) if login and login.at_hand else None)

    def _follow(self, method: str, url: str, headers: Mapping[str, str], authorization: str | None) -> Reply:
        """Blobs often live elsewhere. The login is for the first host alone."""
        first = urlsplit(url).netloc
        for _ in range(REDIRECTS + 1):
            mine = {"Authorization": authorization} if authorization and urlsplit(url).netloc == first else {}
            reply = self._persist(method, url, {**headers, **mine})
            if reply.status not in (301, 302, 303, 307, 308) or "Location" not in reply.headers:
                return reply
            url = urljoin(url, reply.headers["Location"])
            failures.check_scheme(url, first)
        raise CloudError(f"{first} sends from one address to the next without end", action="registry:GET", where=first)

    def _authorize(self, host: str, scope: str, header: str) -> str | None:
        """The Authorization header that answers the registry's challenge; None if there is nothing to answer with."""
        asked = {one.scheme: one for one in challenge.challenges(header)}
        if "bearer" in asked:
            answer: str | None = f"Bearer {self._token(host, scope, asked['bearer'])}"
        else:
            answer, scope = self._basic(host) if "basic" in asked else None, ""
        if answer:
            with self._lock:
                self._authorizations[host, scope] = answer
        return answer

    def _token(self, host: str, scope: str, asked: challenge.Challenge) -> str:
        url = challenge.token_url(asked, scope, self._username(host))
        failures.check_scheme(url, host)
        basic = self._basic(host)
        reply = self._persist("GET", url, {"Authorization": basic} if basic else {})
        if reply.status in (401, 403):
            raise failures.denied(host, scope.split(":")[1], self._username(host), reply.status)
        token = challenge.token(reply.body) if reply.status == 200 else ""
        if not token:
            raise failures.broken(urlsplit(url).netloc, f"HTTP {reply.status} without a token", "token")
        return token

    def _basic(self, host: str) -> str | None:
        """Asks for the password once."""
        login = self._credentials.get(host)
        with self._lock:
            if login and host not in self._basics:
                self._basics[host] = challenge.basic(login.username, login.password())
            return self._basics.get(host)

    def _username(self, host: str) -> str:
        login = self._credentials.get(host)
        return login.username if login else ""

    def _scheme(self, host: str) -> str:
        """TLS, but on loopback plain HTTP goes first. While nobody answers there, the question itself will say so."""
        if not is_loopback(host):
            return "https"
        if host not in self._schemes:
            spoken = next((scheme for scheme in ("http", "https") if self._speaks(scheme, host)), None)
            if spoken is None:
                return "http"
            self._schemes[host] = spoken
        return self._schemes[host]

    def _speaks(self, scheme: str, host: str) -> bool:
        """Servers for TLS answer 400 to plain HTTP, or hang up."""
        try:
            return self._connections.exchange("GET", f"{scheme}://{host}/v2/", {}).status != 400
        except ssl.SSLError as error:
            return isinstance(error, ssl.SSLCertVerificationError)
        except (http.client.HTTPException, OSError):
            return False

    def _persist(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        try:
            return self._once(method, url, headers)
        except _AgainError as again:
            return self._try_again(again, method, url, headers)

    def _try_again(self, first: _AgainError, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        """Apart from the first try, so that tenacity is imported when it is needed."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        made = [first]

        def once() -> Reply:
            if made:
                raise made.pop()
            return self._once(method, url, headers)

        retrying = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=_pause,
            retry=retry_if_exception_type(_AgainError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(once)
        except _AgainError as again:
            raise again.error from None

    def _once(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        where = urlsplit(url).netloc
        try:
            reply = self._connections.exchange(method, url, headers)
        except ssl.SSLError as error:
            raise failures.no_tls(where, str(error)) from None
        except NotConnectedError as error:
            raise _AgainError(failures.unreachable(where, str(error))) from None
        except (http.client.HTTPException, OSError) as error:
            why = type(error).__name__
            raise _AgainError(failures.broken(where, f"the answer did not come, or not whole: {why}", why)) from None
        if reply.status == 429:
            raise _too_many(where, reply.headers.get("Retry-After", ""))
        if reply.status in BUSY:
            raise _AgainError(failures.broken(where, f"HTTP {reply.status}", str(reply.status)))
        return reply


def _pause(state: RetryCallState) -> float:
    """What the registry asked for, else 0.5, 1, 2 s."""
    again = state.outcome.exception() if state.outcome else None
    asked = again.after_s if isinstance(again, _AgainError) else None
    return asked if asked is not None else 0.5 * 2.0 ** (state.attempt_number - 1)


def _too_many(where: str, retry_after: str) -> Exception:
    """RFC 9110 section 10.2.3. A long wait is not ours to decide on."""
    seconds = float(retry_after) if retry_after.isdecimal() else None
    error = failures.throttled(where, seconds)
    return error if seconds and seconds > LONGEST_RETRY_AFTER_S else _AgainError(error, seconds)
