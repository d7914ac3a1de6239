"""Start-up probe of an engine: exits 0 once the model answered a real completion.

Runs inside the engine's container, so it uses nothing but the standard library.
Arguments: the engine's port and the served name of the model.
"""

import json
import sys
from http.client import HTTPConnection, HTTPException


def main(port: int, model: str) -> int:
    body = json.dumps({"model": model, "prompt": "Hello", "max_tokens": 1, "temperature": 0})
    connection = HTTPConnection("127.0.0.1", port, timeout=25)
    try:
        connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        print(f"no answer yet: {error}")
        return 1
    if answer.status != 200 or not json.loads(text).get("choices"):
        print(f"{answer.status}: {text[:300]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
