"""The instance metadata service (IMDSv2), SSM, Secrets Manager and ECR on one loopback port. Signatures are held against the
ones that botocore itself makes."""

from __future__ import annotations

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.parts.serving import Serving

KEY = Credentials("ASIAEXAMPLE", "secret/key+of=role", "session-token==")
ROLE = "/latest/meta-data/iam/security-credentials/"
TOLD = {
    "instance-id": "i-0abc",
    "tags/instance/": "Name\nbluegreen:colour\nbluegreen:release",
    "tags/instance/bluegreen:colour": "blue",
    "tags/instance/bluegreen:release": "0123456789ab",
}
TARGETS = {
    "AmazonSSM.GetParameter": ("ssm", "get_parameter"),
    "secretsmanager.GetSecretValue": ("secretsmanager", "get_secret_value"),
    "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken": ("ecr", "get_authorization_token"),
}


class Handler(BaseHTTPRequestHandler):
    server: FakeAws
    wbufsize = -1

    def log_message(self, *_: object) -> None:
        pass

    def do_PUT(self) -> None:
        timed = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self._reply(*((200, "imds-token") if timed else (400, "")))

    def do_GET(self) -> None:
        self.server.log.append(self.path)
        if self.server.moods.get("imds"):
            return self._reply(self.server.moods["imds"].pop(0), "")
        if self.headers["X-aws-ec2-metadata-token"] != "imds-token":
            return self._reply(401, "")
        if self.path == ROLE:
            return self._reply(200 if self.server.role else 404, self.server.role)
        if not self.path.startswith(ROLE):
            found = TOLD.get(self.path.removeprefix("/latest/meta-data/"))
            return self._reply(200 if found else 404, found or "")
        answer = {"AccessKeyId": KEY.access_key, "SecretAccessKey": KEY.secret_key, "Token": KEY.token}
        return self._reply(200, json.dumps({"Code": "Success", **answer}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        service, action = TARGETS[self.headers["X-Amz-Target"]]
        self.server.log.append(asked.get("Name") or asked.get("SecretId") or action)
        if self.server.moods.get("ssm"):
            return self._reply(*self.server.moods["ssm"].pop(0))
        if not self._signed(body, service):
            return self._reply(400, '{"__type": "InvalidSignatureException"}')
        return self._reply(*getattr(self, action)(asked))

    def get_parameter(self, asked: dict[str, Any]) -> tuple[int, str]:
        if asked["Name"] not in self.server.parameters or asked["WithDecryption"] is not True:
            return 400, '{"__type": "com.amazonaws.ssm#ParameterNotFound", "message": "none"}'
        return 200, json.dumps({"Parameter": {"Value": self.server.parameters[asked["Name"]]}})

    def get_secret_value(self, asked: dict[str, Any]) -> tuple[int, str]:
        if asked["SecretId"] not in self.server.secrets:
            return 400, '{"__type": "ResourceNotFoundException", "Message": "no such secret"}'
        return 200, json.dumps({"SecretString": self.server.secrets[asked["SecretId"]]})

    def get_authorization_token(self, asked: dict[str, Any]) -> tuple[int, str]:
        token = base64.b64encode(b"AWS:ecr-password").decode()
        return 200, json.dumps({"authorizationData": [{"authorizationToken": token}]})

    def _signed(self, body: bytes, service: str) -> bool:
        """botocore signs the same request at the same time, and must arrive at the same signature."""
        signer = SigV4Auth(KEY, service, self.server.region)
        names = self.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        wanted = {"content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"}
        headers = {name: self.headers[name] for name in names}
        request = AWSRequest("POST", f"{self.server.endpoint}/", headers, body)
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        request.context["payload_signing_enabled"] = True
        to_sign = signer.string_to_sign(request, signer.canonical_request(request))
        scope = f"{KEY.access_key}/{signer.credential_scope(request)}"
        expected = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={';'.join(names)}, Signature="
        return set(names) == wanted and self.headers["Authorization"] == expected + signer.signature(to_sign, request)

    def _reply(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class FakeAws(Serving, ThreadingHTTPServer):
    """`moods["imds"]` are statuses, `moods["ssm"]` (status, body) that come before any real answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.region = "eu-west-1"
        self.role = "shop-web"
        self.parameters: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.moods: dict[str, list[Any]] = {}
        self.log: list[str] = []
        self.begin()
