"""Parameter Store's answers: the text of a SecureString is shown only to who asks for its decryption."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from bluegreen.sandbox.calls import Call, Operations, Wire, ok

READS = ("GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory")


def operations() -> Operations:
    return {("ssm", name): _read for name in READS}


def _read(call: Call) -> Wire:
    status, headers, body = wire = call.proceed()
    if not ok(wire) or call.params.get("WithDecryption"):
        return wire
    answer = json.loads(body)
    for parameter in [answer.get("Parameter"), *(answer.get("Parameters") or ())]:
        _hide(parameter or {})
    return status, headers, json.dumps(answer)


def _hide(parameter: dict[str, Any]) -> None:
    """What looks like a ciphertext, and is the same for the same text, as long as nobody changes the parameter."""
    if parameter.get("Type") == "SecureString":
        told = f"{parameter.get('Name')}:{parameter.get('Version')}:{parameter.get('Value')}"
        parameter["Value"] = base64.b64encode(hashlib.sha512(told.encode()).digest()).decode()
