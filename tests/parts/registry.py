"""Debian's docker-registry with TLS and a password, as a company runs it."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import yaml

from tests.parts.authority import Authority
from tests.parts.daemon import Daemon, Missing, connects, free_port

PACKAGES = {"docker-registry": "docker-registry", "htpasswd": "apache2-utils"}


class Registry:
    """At `host` (address:port), for `username` with `password`; what was pushed outlives stop and start."""

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        address: str,
        port: int = 0,
        names: tuple[str, ...] = (),
        deletes: bool = True,
        login: tuple[str, str] | None = None,
    ) -> None:
        """`names` are other names of the address, for its certificate; `login` is who may come in, else a new password."""
        for program, package in PACKAGES.items():
            if not shutil.which(program):
                raise Missing(f"there is no {program} (Debian package {package})")
        self.address, self.port = address, port or free_port(address)
        self.host = f"{address}:{self.port}"
        self.ca = authority.ca
        self.username, self.password = login or ("deploy", secrets.token_urlsafe(16))
        self.data = folder / "data"
        users = folder / "htpasswd"
        users.write_bytes(
            subprocess.run(
                ("htpasswd", "-niB", self.username),
                input=self.password.encode(),
                capture_output=True,
                check=True,
                timeout=30,
            ).stdout
        )
        self._authority, self._names, self._served = authority, (address, *names), folder / "served"
        self._served.mkdir()
        self.authorize()
        settings = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": deletes}},
            "auth": {"htpasswd": {"realm": "tests", "path": str(users)}},
            "http": {
                "addr": self.host,
                "secret": secrets.token_hex(16),
                "tls": {"certificate": str(self._served / "chain"), "key": str(self._served / "key")},
            },
        }
        file = folder / "config.yml"
        file.write_text(yaml.safe_dump(settings), "utf-8")
        self._daemon = Daemon(
            ("docker-registry", "serve", str(file)), folder / "registry.log", lambda: connects(address, self.port)
        )

    def start(self) -> None:
        self._daemon.start()

    def authorize(self, authority: Authority | None = None) -> None:
        """From its next start on it shows a certificate of another authority than `ca`; or again of its own."""
        certificate = (authority or self._authority).certificate(*self._names)
        shutil.copyfile(certificate.chain, self._served / "chain")
        shutil.copyfile(certificate.key, self._served / "key")

    def stop(self) -> None:
        """As a crash: nobody is told."""
        self._daemon.stop(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()
