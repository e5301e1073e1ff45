"""Drives the real botocore clients and writes down what they would send, one JSON line each.

Every operation of every service, with minimal, full and hostile parameters, in every protocol
that the service offers, at a gateway's one endpoint, at the service's own endpoint there, and for S3 in both address styles.
Nothing is sent: the request is taken
in `before-send`. Each line holds the request, signed, with every byte as a gateway would get it (a
client with a custom endpoint), and what is expected: service, operation, parameters as given to
the serializer, and the host and credential scope that the same call has without a custom endpoint.

The clock stands still and identifiers are counted, so the same botocore writes the same lines.

usage: python3 generate.py [--services a,b] [--seed N --sample PERCENT] [--jobs N] > requests.jsonl
Progress, and the figures of what could not be driven and why, go to standard error.
"""

import argparse
import base64
import collections
import datetime
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import re
import sys
import uuid
import warnings
from urllib.parse import parse_qsl

import botocore
import botocore.auth
import botocore.httpchecksum
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.tokens import FrozenAuthToken

warnings.filterwarnings("ignore")

GATEWAY = "gateway.test"
REGION = "eu-central-1"
ACCOUNT = "123456789012"
PROTOCOL_NAMES = {"smithy-rpc-v2-cbor": "rpc-v2-cbor"}
WHOLE = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
FRACTION = WHOLE.replace(microsecond=250000)
# What the gateway is given as the agent's key; the checker knows the secret.
KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "cs1.session/token+of=the=oracle=="
KINDS = ("minimal", "full", "hostile")
BLOB = b"\x00\xffblob"
# For labels of paths.
HOSTILE = ["a/b", "a b+c", "zürich", "%2F%41", "..x", "a?b#c", "x;y=z&w", 'q"uo\'te', "tail/", "a:b@c,d", "a//b", "~(*)!"]
# For the query.
HOSTILE_QUERY = ["a&b=c", "a+b %2B", "Action=DeleteTable", "ü?#/", "", "=;,"]
# For headers: what may be in one, and reads like several or like something else.
HOSTILE_HEADERS = ["a, b", "x=y; q=\"z\"", "two  spaces", "a:b/c@d", "%0d%0aX-Amz-Target: x"]
# For bodies: what means something in some format.
HOSTILE_TEXT = [
    '{"__type":"x"}',
    "</Value><Value>&amp;&#x41;]]>",
    "a&Action=DeleteTable&b=%26+",
    "\\u0041\\\"\t\r\n",
    "\u2028\u202e\u200b\ufeff",
    "  edges  ",
    "",
    "\U0001f468\u200d\U0001f469\u0301",
]
# Services that share operations and not the host: only the ARN tells which.
ARNS = {
    "bedrock": ("bedrock", "guardrail/abc"),
    "bedrock-agent": ("bedrock", "knowledge-base/ABC"),
    "bedrock-agent-runtime": ("bedrock", "session/abc"),
    "bedrock-data-automation": ("bedrock", "blueprint/abc"),
    "chime-sdk-identity": ("chime", "app-instance/abc/user/x"),
    "chime-sdk-media-pipelines": ("chime", "media-pipeline/abc"),
    "chime-sdk-meetings": ("chime", "meeting/abc"),
    "chime-sdk-messaging": ("chime", "app-instance/abc/channel/x"),
    "chime-sdk-voice": ("chime", "vc/abc"),
    "ivs": ("ivs", "channel/abc"),
    "ivs-realtime": ("ivs", "stage/abc"),
    "timestream-query": ("timestream", "scheduled-query/abc"),
    "timestream-write": ("timestream", "database/abc"),
    "kinesis": ("kinesis", "stream/Some-Name"),
    "lex-models": ("lex", "bot:Name:1"),
    "lexv2-models": ("lex", "bot/ABC"),
}
# Kinesis tells hosts by the type of the resource.
KINESIS_ARNS = {
    "ChannelARN": ["channel/Some-Name"],
    "ConsumerARN": ["stream/Some-Name/consumer/some:1"],
    "QueueARN": ["queue/0123456789abcdef"],
    "ResourceARN": ["stream/Some-Name", "queue/0123456789abcdef", "channel/Some-Name"],
}
# Members whose text botocore itself reads or that become part of a host.
PLAIN = {"Bucket", "CopySource", "QueueUrl"}
# Members that the clients' own endpoint rules want in a form.
FORMS = {
    "OutpostId": "op-01ac5d28a6a232904",
    "PredictEndpoint": f"https://realtime.machinelearning.{REGION}.amazonaws.com",
}
# The client puts the account before any host, and nothing stands before the endpoint of a service.
NO_OWN_ENDPOINT = {"s3control"}
# Set while clients are made: which protocol the service model should claim to speak.
forced_protocol = None


class Captured(Exception):
    def __init__(self, request):
        super().__init__("captured")
        self.request = request


def capture(request, **_):
    raise Captured(request)


class Values:
    """Makes parameters for a shape."""

    def __init__(self, kind, service, seed):
        self.kind = kind
        self.service = service
        self.turn = seed

    def of(self, shape, name, stack=(), location=None, host_label=False):
        if getattr(shape, "is_document_type", False):
            return {"a": [1, "x", None, True, 1.5], "b": {"__type": "y"}}
        maker = getattr(self, "of_" + shape.type_name, None)
        if shape.type_name in ("structure", "list", "map"):
            if shape.type_name == "list" and location in ("header", "querystring"):
                return [self.of(shape.member, name, stack, location) for _ in range(2)]
            return maker(shape, name, stack + (shape.name,))
        if shape.type_name in ("string", "character"):
            return self.of_string(shape, name, location, host_label)
        if shape.type_name == "timestamp":
            header = location in ("header",) or (shape.serialization.get("timestampFormat") == "rfc822")
            return WHOLE if header or self.kind == "minimal" else FRACTION
        return self.plain(shape)

    def plain(self, shape):
        low = shape.metadata.get("min", 0)
        return {
            "integer": max(7, int(low)),
            "short": max(7, int(low)),
            "byte": 7,
            "long": max(2**40, int(low)),
            "float": 1.5,
            "double": 0.1,
            "boolean": True,
            "blob": BLOB + b"x" * int(low),
        }[shape.type_name]

    def of_structure(self, shape, name, stack):
        given = {}
        members = list(shape.members.items())
        if getattr(shape, "is_tagged_union", False):
            members = members[:1] if self.kind == "minimal" else [members[self.turn % len(members)]]
            self.turn += 1
        required = set(shape.required_members)
        for member, target in members:
            wanted = member in required or getattr(shape, "is_tagged_union", False)
            if self.kind != "minimal":
                wanted = wanted or (stack.count(target.name) < 1 and len(stack) < 7)
            if not wanted or (stack.count(target.name) > 2 and member not in required):
                continue
            location = target.serialization.get("location")
            if self.service == "s3" and member == "Event" and "Events" in shape.members:
                continue  # An old member that is written like the new one.
            if target.serialization.get("jsonvalue") and location == "header":
                given[member] = {"k": ["v", 1], "é": None}
            elif member == "ContentLength" or member == "ContentMD5":
                continue
            elif self.service in ("events", "sesv2") and member == "EndpointId":
                continue  # Needs SigV4a, and with it a native extension of botocore.
            elif self.service == "s3" and member.startswith("Checksum") and member not in ("ChecksumAlgorithm", "ChecksumMode", "ChecksumType"):
                continue
            else:
                given[member] = self.of(target, member, stack, location, target.serialization.get("hostLabel"))
        return given

    def of_list(self, shape, name, stack):
        if len(stack) > 9:
            return []
        size = max(int(shape.metadata.get("min", 0)), 1 if self.kind == "minimal" else 2)
        return [self.of(shape.member, name, stack) for _ in range(min(size, 30))]

    def of_map(self, shape, name, stack):
        if len(stack) > 9:
            return {}
        size = max(int(shape.metadata.get("min", 0)), 1 if self.kind == "minimal" else 2)
        keys = list(getattr(shape.key, "enum", []) or [])[:size] or [f"key{i}" for i in range(size)]
        if shape.serialization.get("location") == "headers":
            return {key: "header value-1" for key in keys}
        return {key: self.of(shape.value, name, stack) for key in keys}

    def hostile(self, texts, low):
        self.turn += 1
        text = texts[self.turn % len(texts)]
        return text + "p" * max(0, low - len(text))

    def of_string(self, shape, name, location, host_label):
        low = int(shape.metadata.get("min", 0))
        if name == "ChecksumAlgorithm":
            # The others need a native extension of botocore.
            return ("CRC32", "SHA256", "SHA1")[self.turn % 3]
        if shape.enum and not host_label:
            return shape.enum[self.turn % len(shape.enum)] if self.kind == "full" else shape.enum[0]
        if name == "AccountId" and host_label:
            return ACCOUNT
        if host_label or name == "spaceId":
            return "label-1"
        if name == "Bucket":
            return "my-bucket"
        if name in ("CopySource",):
            return "src-bucket/src key"
        if name in ("SSECustomerKey", "CopySourceSSECustomerKey"):
            return "k" * 32
        is_arn = re.search(r"(Arn|ARN|arn)$", name) and low < 60
        if self.kind == "hostile" and location == "uri" and not is_arn:
            return self.hostile(HOSTILE, low)
        if name in FORMS:
            return FORMS[name]
        if name == "KvsARN":
            return f"arn:aws:cloudfront::{ACCOUNT}:key-value-store/01234567-89ab-cdef-0123-456789abcdef"
        if name == "assetSHA256":
            # It goes where the hash of the body goes.
            return hashlib.sha256(BLOB).hexdigest()
        if is_arn:
            namespace, resource = ARNS.get(self.service, (self.service, "thing/Some-Name"))
            if self.service == "kinesis" and name in KINESIS_ARNS:
                resource = KINESIS_ARNS[name][KINDS.index(self.kind) % len(KINESIS_ARNS[name])]
            if self.kind == "hostile" and location == "uri":
                resource = f"{resource}/{self.hostile(HOSTILE, 0)}"
            return f"arn:aws:{namespace}:{REGION}:{ACCOUNT}:{resource}"
        if self.service == "kinesis" and name == "StreamId" and self.kind == "full":
            return "abcdefghij0123456789-xyz"
        if self.kind == "hostile" and name not in PLAIN:
            texts = {"header": HOSTILE_HEADERS, "headers": HOSTILE_HEADERS, "querystring": HOSTILE_QUERY}
            return self.hostile(texts.get(location, HOSTILE_TEXT), low)
        if location in ("header", "headers"):
            return "header value-1" + "p" * max(0, low - 14)
        base = "some-text" if self.kind == "minimal" else "some <text> & \"more\" 'é' ~+/=\n\U0001f600"
        if location == "querystring" and self.kind == "minimal":
            base = "some text"
        if location == "uri":
            base = "some-label"
        return base + "p" * max(0, low - len(base))


def tagged(value, shape=None, stream=False):
    """The value in the form that the checker reads: a tag and a content."""
    if value is None:
        return ["n"]
    if isinstance(value, bool):
        return ["b", value]
    if isinstance(value, int):
        return ["f", float(value)] if shape is not None and shape.type_name in ("float", "double") else ["i", value]
    if isinstance(value, float):
        return ["f", value]
    if isinstance(value, str):
        if shape is not None and shape.type_name == "blob":
            return ["blob", base64.b64encode(value.encode()).decode()]
        return ["t", value]
    if isinstance(value, (bytes, bytearray)):
        return ["stream", len(value)] if stream else ["blob", base64.b64encode(value).decode()]
    if isinstance(value, datetime.datetime):
        return ["ts", int(value.timestamp()), value.microsecond * 1000]
    if hasattr(value, "read"):
        value.seek(0)
        return ["stream", len(value.read())]
    plain = shape is None or getattr(shape, "is_document_type", False) or shape.type_name not in ("list", "map", "structure")
    if isinstance(value, (list, tuple)):
        return ["l", [tagged(item, None if plain else shape.member) for item in value]]
    entries = []
    for key, item in value.items():
        if plain:
            entries.append([key, tagged(item)])
        elif shape.type_name == "map":
            lower = shape.serialization.get("location") == "headers"
            entries.append([key.lower() if lower else key, tagged(item, shape.value)])
        else:
            member = shape.members[key]
            payload = shape.serialization.get("payload") == key
            streams = payload and member.type_name == "blob" and bool(
                member.serialization.get("streaming") or member.metadata.get("streaming")
            )
            entries.append([key, tagged(item, member, streams)])
    return ["r", entries]


def trailers(request):
    """The trailers behind an aws-chunked body."""
    if not dict(request["headers"]).get("x-amz-content-sha256", "").startswith("STREAMING-"):
        return []
    last = base64.b64decode(request["body"]).rsplit(b"0\r\n", 1)[1].decode()
    return [tuple(line.split(":", 1)) for line in last.split("\r\n") if line]


def as_read(value):
    """Where the client does not escape carriage returns, XML makes line feeds of them (XML 1.0, section 2.11)."""
    if isinstance(value, list):
        return [as_read(item) for item in value]
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def wire(request):
    """A captured request as it leaves the client."""
    rest = request.url.split("://", 1)[1]
    cut = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    host, rest = rest[:cut], rest[cut:]
    path, _, query = rest.partition("?")
    headers = [["host", host]]
    for name, value in request.headers.items():
        value = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
        headers.append([name.lower(), value])
    body = request.body
    if body is None:
        body = b""
    elif isinstance(body, str):
        body = body.encode()
    elif hasattr(body, "read"):
        body = body.read()
    authorization = dict(headers).get("authorization", "")
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request", authorization)
    return {
        "method": request.method,
        "host": host,
        "path": path or "/",
        "query": query,
        "headers": headers,
        "body": base64.b64encode(bytes(body)).decode(),
        "scope": [scope.group(2), scope.group(1)] if scope else None,
    }


class Driver:
    def __init__(self, session):
        self.session = session
        self.skipped = collections.Counter()

    def client(self, service, endpoint, addressing, host_prefix=True):
        # Account-based hosts are a matter of taste: the regional ones serve the same.
        settings = {"retries": {"max_attempts": 0}, "account_id_endpoint_mode": "disabled", "parameter_validation": False}
        settings["inject_host_prefix"] = host_prefix
        if addressing:
            settings["s3"] = {"addressing_style": addressing}
        client = self.session.create_client(
            service,
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            aws_session_token=TOKEN,
            aws_account_id=None,
            config=Config(**settings),
        )
        client.meta.events.register_last("before-send", capture)
        seen = {}
        serializer = client._serializer
        inner = serializer.serialize_to_request

        def outer(parameters, operation_model):
            seen["parameters"] = dict(parameters)
            return inner(parameters, operation_model)

        serializer.serialize_to_request = outer
        return client, seen

    def call(self, client, operation, parameters):
        try:
            client._make_api_call(operation, parameters)
        except Captured as captured:
            return captured.request
        raise RuntimeError("nothing was sent")

    def near(self, service, style):
        """A client of the gateway, as agents are told to set it up: docs/agents.md."""
        if style == "service":
            # There is no name in front of the endpoint of a service.
            return self.client(service, f"https://{GATEWAY}/_/as/{service}", "path" if service == "s3" else None, False)
        return self.client(service, f"https://{GATEWAY}", style if service == "s3" else None)

    def service(self, service, styles, sample):
        global forced_protocol
        model = self.session.get_service_model(service)
        protocols = model.metadata.get("protocols") or [model.metadata["protocol"]]
        for protocol in protocols:
            forced_protocol = protocol
            for style in styles:
                try:
                    near, seen = self.near(service, style)
                    far, _ = self.client(service, None, "path" if service == "s3" else None)
                except (BotoCoreError, ValueError) as error:
                    self.skipped[f"{service}: client: {type(error).__name__}"] += 1
                    continue
                for operation in near.meta.service_model.operation_names:
                    for number, kind in enumerate(KINDS):
                        if sample(service, operation, kind, protocol, *([style] if style == "service" else [])):
                            yield from self.one(service, operation, kind, protocol, style, number, near, seen, far)
        forced_protocol = None

    def one(self, service, operation, kind, protocol, style, number, near, seen, far):
        model = near.meta.service_model.operation_model(operation)
        shape = model.input_shape
        parameters = Values(kind, service, number).of(shape, "") if shape else {}
        global identifiers
        identifiers = itertools.count(1)
        try:
            request = wire(self.call(near, operation, dict(parameters)))
            given = seen["parameters"]
            expected = wire(self.call(far, operation, dict(parameters)))
        except Exception as error:  # What cannot be driven is counted by its reason.
            self.skipped[f"{type(error).__name__}: {service} {operation} {' '.join(str(error).split())[:160]}"] += 1
            return
        given, body = dict(given), base64.b64decode(request["body"])
        for name, value in request["headers"]:
            # The client adds checksums and `Accept` after the parameters are serialized.
            for member, target in shape.members.items() if shape else ():
                if target.serialization.get("location") == "header" and target.serialization.get("name", "").lower() == name:
                    if name != "content-encoding" and target.type_name in ("string", "character"):
                        given.setdefault(member, value)
        if service == "ec2" and operation == "CopySnapshot":
            # The client's own addition, where it was given none.
            given["DestinationRegion"] = parameters.get("DestinationRegion", REGION)
            given["PresignedUrl"] = dict(parse_qsl(body.decode(), keep_blank_values=True))["PresignedUrl"]
        if service == "s3" and "Expires" in given:
            # Text in AWS's own model.
            given["Expires"] = dict(request["headers"])[shape.members["Expires"].serialization["name"].lower()]
        for name, value in trailers(request):
            for member, target in shape.members.items():
                if target.serialization.get("name", "").lower() == name:
                    given.setdefault(member, value)
        # Only botocore knows this member: it makes a presigned URL of it.
        given.pop("SourceRegion", None) if b"SourceRegion" not in body else None
        read = tagged(given, shape)
        host = request.pop("host")
        prefix = host.removesuffix(GATEWAY)
        scope = request.pop("scope")
        yield {
            **request,
            "scope": scope,
            # A few rule sets take no custom endpoint: then there is no prefix of ours.
            "host_prefix": prefix.removesuffix(".") if host.endswith(GATEWAY) else "",
            "expect": {
                "service": service,
                "operation": operation,
                "protocol": PROTOCOL_NAMES.get(protocol, protocol),
                "kind": kind,
                "style": style,
                "parameters": as_read(read) if body.startswith(b"<") and b"\r" in body else read,
                "host": expected["host"],
                "scope": expected["scope"],
                "path": expected["path"],
            },
        }


identifiers = itertools.count(1)


def stop_the_clock():
    """The same request gets the same signature and the same idempotency token each time."""
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: WHOLE.replace(tzinfo=None) if remove_tzinfo else WHOLE
    uuid.uuid4 = lambda: uuid.UUID(int=(4 << 76) | (2 << 62) | next(identifiers))


def open_session():
    stop_the_clock()
    session = botocore.session.Session()
    loader = session.get_component("data_loader")
    inner = loader.load_service_model

    def load(service_name, type_name, api_version=None):
        data = inner(service_name, type_name, api_version)
        if type_name == "service-2" and forced_protocol:
            metadata = dict(data["metadata"], protocol=forced_protocol, protocols=[forced_protocol])
            data = dict(data, metadata=metadata)
        return data

    loader.load_service_model = load
    # Services that take bearer tokens get one.
    session.get_auth_token = lambda **_: FrozenAuthToken("token")
    return session


def drive(task):
    """All lines of one service; what could not be driven, by reason."""
    service, seed, percent = task
    driver = Driver(open_session())

    def sample(*key):
        return percent >= 100 or random.Random(f"{seed}:{key}").random() * 100 < percent

    styles = ["path", "virtual"] if service == "s3" else ["gateway"]
    styles += [] if service in NO_OWN_ENDPOINT else ["service"]
    lines = [json.dumps(line) for line in driver.service(service, styles, sample)]
    return service, lines, driver.skipped


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--services")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--sample", type=float, default=100.0)
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    options = arguments.parse_args()
    every = botocore.session.Session().get_available_services()
    chosen = options.services.split(",") if options.services else every
    if unknown := set(chosen) - set(every):
        arguments.error(f"no such service: {', '.join(sorted(unknown))}")
    skipped, requests, shown = collections.Counter(), 0, 0
    with multiprocessing.Pool(options.jobs) as pool:
        tasks = [(service, options.seed, options.sample) for service in chosen]
        for done, (service, lines, missed) in enumerate(pool.imap(drive, tasks), 1):
            sys.stdout.writelines(line + "\n" for line in lines)
            requests += len(lines)
            skipped.update(missed)
            if sys.stderr.isatty():
                print(f"\r{done} of {len(chosen)} services, {requests} requests, {service:<40}", end="", file=sys.stderr)
            elif done * 10 // len(chosen) > shown or done == len(chosen):
                shown = done * 10 // len(chosen)
                print(f"{done} of {len(chosen)} services, {requests} requests", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for reason, count in sorted(skipped.items()):
        print(f"skipped {count}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
