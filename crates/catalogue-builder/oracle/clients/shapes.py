"""Parameters for an operation by its model, and the form in which `countersign identify` should write them.

Works with any botocore (also an old one, or the AWS CLI's own): it only looks at shapes.
"""

import base64
import datetime
import re

REGION = "eu-central-1"
ACCOUNT = "123456789012"
KINDS = ("minimal", "full")
MOMENT = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
# Members whose value the client reads and acts upon, or refuses: they are not about the wire.
LEFT_OUT = {
    "ContentLength",
    "ContentMD5",
    "CopySourceSSECustomerKey",
    "EndpointId",
    "Expires",
    "PreSignedUrl",
    "SSECustomerKey",
    "SourceRegion",
}


class Values:
    """Makes parameters for a shape: the required members, or nearly all."""

    def __init__(self, service, kind, blob=b"\x00\xffblob", fractions=True):
        self.service = service
        self.fractions = fractions
        self.kind = kind
        self.blob = blob
        self.turn = 0

    def of(self, shape, name="", within=(), location=None):
        if getattr(shape, "is_document_type", False):
            return {"a": [1, "x", True, 1.5], "b": {"c": "y"}}
        if shape.type_name == "structure":
            return self.structure(shape, within + (shape.name,))
        if shape.type_name == "list":
            size = max(int(shape.metadata.get("min", 0)), 1 if self.kind == "minimal" else 2)
            return [self.of(shape.member, name, within + (shape.name,), location) for _ in range(min(size, 20))]
        if shape.type_name == "map":
            keys = list(getattr(shape.key, "enum", []) or [])[:2] or ["key-one", "key-two"]
            return {key: self.of(shape.value, name, within + (shape.name,), location) for key in keys}
        if shape.type_name in ("string", "character"):
            return self.text(shape, name, location)
        if shape.type_name == "timestamp":
            is_whole = location == "header" or shape.serialization.get("timestampFormat") == "rfc822"
            return MOMENT if is_whole or self.kind == "minimal" or not self.fractions else MOMENT.replace(microsecond=250000)
        low = float(shape.metadata.get("min", 0))
        return {
            "integer": max(11, int(low)),
            "short": max(11, int(low)),
            "byte": 11,
            "long": max(2**41 + 1, int(low)),
            "float": max(2.5, low),
            "double": max(0.3, low),
            "boolean": True,
            "blob": self.blob + b"x" * int(low),
        }[shape.type_name]

    def structure(self, shape, within):
        members = list(shape.members.items())
        is_union = getattr(shape, "is_tagged_union", False)
        if is_union:
            members = members[self.turn % len(members) :][:1] if self.kind == "full" else members[:1]
            self.turn += 1
        required = set(shape.required_members)
        given = {}
        for name, member in members:
            depth = within.count(member.name)
            wanted = is_union or name in required or (self.kind == "full" and not depth and len(within) < 6)
            if not wanted or (depth > 1 and name not in required):
                continue
            left_out = name in LEFT_OUT or (self.service == "s3" and name.startswith("Checksum"))
            if (left_out and name not in required) or member.serialization.get("eventstream"):
                continue
            location = member.serialization.get("location")
            if member.serialization.get("jsonvalue") and location == "header":
                given[name] = {"k": ["v", 1]}
            elif member.serialization.get("hostLabel"):
                given[name] = ACCOUNT if name == "AccountId" else "label-1"
            else:
                given[name] = self.of(member, name, within, location)
        return given

    def text(self, shape, name, location):
        low = int(shape.metadata.get("min", 0))
        if shape.enum:
            self.turn += 1
            return shape.enum[self.turn % len(shape.enum)] if self.kind == "full" else shape.enum[0]
        known = {
            "AccountId": ACCOUNT,
            "Bucket": "my-bucket",
            "CopySource": "source-bucket/source-key",
            "KvsARN": f"arn:aws:cloudfront::{ACCOUNT}:key-value-store/01234567-89ab-cdef-0123-456789abcdef",
            "OutpostId": "op-01ac5d28a6a232904",
            "PredictEndpoint": f"https://realtime.machinelearning.{REGION}.amazonaws.com",
            "QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/some-queue",
            "accountId": ACCOUNT,
        }
        if name in known:
            return known[name]
        if re.search(r"(Arn|ARN|arn)$", name) and low < 60:
            resource = "stream/some-name" if self.service == "kinesis" else "thing/some-name"
            return f"arn:aws:{self.service}:{REGION}:{ACCOUNT}:{resource}"
        text = "some-text"
        if self.kind == "full":
            text = {"uri": "a b/ü+c", "header": "header value", "headers": "header value", "querystring": "q & =ü"}.get(
                location, "text <a> & \"b\" 'ü' +/=%"
            )
        return text + "p" * max(0, low - len(text))


def plain(value, shape):
    """The value as `countersign identify` writes it: see docs/cli.md."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, datetime.datetime):
        fraction = f".{value.microsecond // 1000:03}" if value.microsecond else ""
        return value.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, str):
        return base64.b64encode(value.encode()).decode() if shape is not None and shape.type_name == "blob" else value
    known = shape if shape is not None and shape.type_name in ("structure", "list", "map") else None
    if isinstance(value, (list, tuple)):
        return [plain(item, known and known.member) for item in value]
    if known is None or getattr(known, "is_document_type", False):
        return {key: plain(item, None) for key, item in value.items()}
    if known.type_name == "map":
        # Names of headers have no letter case on the wire.
        lower = known.serialization.get("location") == "headers"
        return {key.lower() if lower else key: plain(item, known.value) for key, item in value.items()}
    return {key: plain(item, known.members[key]) for key, item in value.items()}


def line(client, service, operation, kind, style, params, method, url, headers, body):
    """A recorded request: what `countersign identify` reads, with what is expected."""
    return {
        "method": method,
        "url": url,
        "headers": headers,
        "body_b64": base64.b64encode(body).decode(),
        "expect": {
            "client": client,
            "service": service,
            "operation": operation,
            "kind": kind,
            "style": style,
            "params": params,
        },
    }
