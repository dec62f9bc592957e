# SPDX-License-Identifier: Apache-2.0
"""An OpenAI-compatible endpoint that says what a script tells it to, one entry for each request.

`python scripted_endpoint.py SCRIPT LOG` prints its port. The last entry is repeated. Every request
is logged as a line of JSON. An entry is one of

    {"calls": [[NAME, ARGUMENTS], ...], "text": ...}    ARGUMENTS as the model would write them
    {"text": ...}, {"refusal": ...}
    {"status": ..., "message": ..., "headers": {...}}   an error of the API
    {"hang_s": ...}                                      no answer for so long
    {"drop": true}                                       the connection is closed
    {"body": ...}                                        any answer
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SCRIPT = json.loads(Path(sys.argv[1]).read_text())
LOG = Path(sys.argv[2])
TOKENS_IN, TOKENS_OUT = 100, 10


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    done = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        entry = SCRIPT[min(Handler.done, len(SCRIPT) - 1)]
        Handler.done += 1
        seen = {"path": self.path, "key": self.headers.get("Authorization"), "body": body}
        with LOG.open("a") as log:
            log.write(json.dumps(seen) + "\n")
        if entry.get("drop"):
            self.close_connection = True
            self.connection.close()
            return
        if "hang_s" in entry:
            time.sleep(entry["hang_s"])
        status = entry.get("status", 200)
        if status != 200:
            content: Any = {"error": {"message": entry.get("message", "no"), "type": "error"}}
        else:
            content = entry.get("body", completion(entry, Handler.done))
        self.send(status, content, entry.get("headers", {}))

    def send(self, status: int, content: Any, headers: dict[str, str]) -> None:
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        try:
            self.send_response(status)
            headers = {"Content-Type": "application/json", "retry-after-ms": "10"} | headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def completion(entry: dict[str, Any], number: int) -> dict[str, Any]:
    calls = [
        {
            "id": f"call_{number}_{i}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for i, (name, arguments) in enumerate(entry.get("calls", ()))
    ]
    message: dict[str, Any] = {"role": "assistant", "content": entry.get("text")}
    if calls:
        message["tool_calls"] = calls
    if "refusal" in entry:
        message["refusal"] = entry["refusal"]
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
        ],
        "usage": {
            "prompt_tokens": TOKENS_IN,
            "completion_tokens": TOKENS_OUT,
            "total_tokens": TOKENS_IN + TOKENS_OUT,
        },
    }


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
