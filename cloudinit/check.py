"""bluegreen-check, a plugin for Nagios, Icinga and NRPE: one line and an exit code from the agent of this host.

0 OK; 2 CRITICAL, with the agent's reasons; 3 UNKNOWN, when the agent does not answer. After the bar: performance data.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping
from typing import Any

PORT = 8717


def main(arguments: list[str]) -> int:
    port = int(arguments[0]) if arguments else PORT
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=8)
    try:
        connection.request("GET", "/status")
        status = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stdout.write(f"BLUEGREEN UNKNOWN - the agent at port {port} does not answer: {error}\n")
        return 3
    finally:
        connection.close()
    sys.stdout.write(line(status) + "\n")
    return 0 if status["healthy"] else 2


def line(status: Mapping[str, Any]) -> str:
    """`BLUEGREEN OK - shop blue 1.4: app 8/8 workers, web | app_workers=8;;8: ...`; a bar ends the text, so none is in it."""
    about = " ".join(status[key] for key in ("stack", "colour", "version") if status.get(key))
    told, data = [], []
    for name, service in status["services"].items():
        workers = service["workers"]
        told.append(f"{name} {workers['alive']}/{workers['count']} workers" if workers else name)
        data.append(f"{name}_restarts={service['restarts']}c")
        if workers:
            data.append(f"{name}_workers={workers['alive']};;{workers['count']}:")
    data += [f"'{folder}_free'={disk['free_bytes']}B" for folder, disk in status["disk"].items()]
    word, text = ("OK", ", ".join(told)) if status["healthy"] else ("CRITICAL", "; ".join(status["reasons"]))
    return f"BLUEGREEN {word} - {about}: {text}".replace("|", "/") + " | " + " ".join(data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
