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


def endpoint_of(style, service):
    """The endpoint that the client is told to use, or None for AWS's own hosts."""
    return {"gateway": GATEWAY, "service": f"{GATEWAY}/_/as/{service}"}.get(style)


def styles_of(service):
    """Where the client sends to: AWS's own hosts, a gateway's one endpoint and that of the service, and for buckets both ways
    to address them."""
    if service == "s3control":
        # The client puts the account before any host, and nothing stands before the endpoint of a service.
        return ("aws", "gateway")
    return ("aws", "gateway", "service", "path") if service == "s3" else ("aws", "gateway", "service")


class Writer:
    def __init__(self, client, fractions=True):
        self.client = client
        self.fractions = fractions
        self.skipped = collections.Counter()
        self.written = 0
        self.lines = []

    def record(self, service, operation, shape, send, styles, blob=b"\x00\xffblob", variants=None):
        """Drives `send(parameters, style)` with minimal and full parameters, or with those of `variants` only."""
        for kind in KINDS:
            for style in styles:
                if variants is not None and (kind, style) not in variants:
                    continue
                parameters = Values(service, kind, blob, self.fractions).of(shape) if shape else {}
                # Before the client: it changes what it is given.
                params = plain(parameters, shape) if shape else {}
                try:
                    send(parameters, style)
                except Captured as captured:
                    request = captured.request
                except Exception as error:  # What cannot be driven is counted by its reason.
                    reason = " ".join(str(error).split())[:80]
                    self.skipped[f"{service}:{operation}: {type(error).__name__}: {reason}"] += 1
                    continue
                else:
                    self.skipped[f"{service}:{operation}: nothing was sent"] += 1
                    continue
                entry = line(
                    self.client, service, operation, kind, style, params,
                    request.method, request.url, headers_of(request), body_of(request),
                )
                self.lines.append(json.dumps(entry))

    def flush(self, lines=None, skipped=None):
        """Writes what was recorded; `lines` and `skipped` are those of another process."""
        lines = self.lines if lines is None else lines
        self.skipped.update(skipped or {})
        sys.stdout.writelines(line + "\n" for line in lines)
        self.written += len(lines)
        self.lines = []

    def finish(self):
        print(f"{self.written} requests", file=sys.stderr)
        for reason, count in sorted(self.skipped.items()):
            print(f"skipped {count}: {reason}", file=sys.stderr)
