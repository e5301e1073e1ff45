"""What recorders that sit on a botocore share: taking a request before it is sent."""

import collections
import json
import sys

from shapes import KINDS, Values, line, plain

GATEWAY = "https://gateway.test"


class Captured(BaseException):
    """Not an `Exception`: no client may take it for a failure and try again."""

    def __init__(self, request):
        self.request = request


def capture(request, **_):
    raise Captured(request)


def headers_of(request):
    found = {}
    for name, value in request.headers.items():
        value = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
        found.setdefault(name, []).append(value)
    return found


def body_of(request):
    body = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body.read() if hasattr(body, "read") else bytes(body)


def styles_of(service):
    """Where the client sends to: AWS's own hosts, a gateway, and for buckets both ways to address them."""
    return ("aws", "gateway", "path") if service == "s3" else ("aws", "gateway")


class Writer:
    def __init__(self, client, fractions=True):
        self.client = client
        self.fractions = fractions
        self.skipped = collections.Counter()
        self.written = 0

    def record(self, service, operation, shape, send, styles, blob=b"\x00\xffblob", every=True):
        """Drives `send(parameters, style)` with minimal and full parameters.

        Not `every` leaves minimal ones for AWS's own hosts and full ones for the others.
        """
        for kind in KINDS:
            for style in styles:
                if not every and (kind == "minimal") != (style == "aws"):
                    continue
                parameters = Values(service, kind, blob, self.fractions).of(shape) if shape else {}
                # Before the client: it changes what it is given.
                params = plain(parameters, shape) if shape else {}
                try:
                    send(parameters, style)
                except Captured as captured:
                    request = captured.request
                except Exception as error:  # What cannot be driven is counted by its reason.
                    self.skipped[f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"] += 1
                    continue
                else:
                    self.skipped["nothing was sent"] += 1
                    continue
                entry = line(
                    self.client, service, operation, kind, style, params,
                    request.method, request.url, headers_of(request), body_of(request),
                )
                sys.stdout.write(json.dumps(entry) + "\n")
                self.written += 1

    def finish(self):
        print(f"{self.written} requests", file=sys.stderr)
        for reason, count in sorted(self.skipped.items()):
            print(f"skipped {count}: {reason}", file=sys.stderr)
