"""Makes AWS calls with the unmodified AWS SDK for Python.

Reads JSON lines {"service", "operation" (boto3 method name), "parameters", "config"?, "endpoint"?, "presign"?, "attempts"?}
from standard input and answers each with one JSON line: {"ok": {...}} with the response, or
{"error": {"class", "code", "message", "status"}} with the SDK's own exception. Everything that names
the gateway comes from the environment, as for any program.
"""

import base64
import datetime
import json
import socket
import sys

import boto3
import botocore.config
import botocore.exceptions


def plain(value):
    """What JSON can hold: bytes and streams as base64, times as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if hasattr(value, "read"):
        return {"base64": base64.b64encode(value.read()).decode()}
    return value


def unplain(value):
    """The reverse, for parameters."""
    if isinstance(value, dict):
        if set(value) == {"base64"}:
            return base64.b64decode(value["base64"])
        return {key: unplain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unplain(item) for item in value]
    return value


def loopback_names(resolve):
    """Names below `localhost` lead to loopback (RFC 6761, 6.3); not every system's resolver knows."""

    def getaddrinfo(host, *arguments, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and name.rstrip(".").endswith(".localhost"):
            host = "127.0.0.1"
        return resolve(host, *arguments, **options)

    return getaddrinfo


socket.getaddrinfo = loopback_names(socket.getaddrinfo)
clients = {}


def client_for(order):
    key = (order["service"], order.get("endpoint"), json.dumps(order.get("config", {}), sort_keys=True))
    if key not in clients:
        config = botocore.config.Config(retries={"total_max_attempts": order.get("attempts", 1)}, **order.get("config", {}))
        clients[key] = boto3.client(order["service"], config=config, endpoint_url=order.get("endpoint"))
    return clients[key]


def answer(order):
    try:
        client = client_for(order)
        parameters = unplain(order.get("parameters", {}))
        if order.get("presign"):
            return {"ok": {"url": client.generate_presigned_url(order["operation"], Params=parameters)}}
        response = getattr(client, order["operation"])(**parameters)
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return {"ok": plain(response), "status": status}
    except botocore.exceptions.ClientError as error:
        return {
            "error": {
                "class": type(error).__name__,
                "code": error.response["Error"].get("Code", ""),
                "message": error.response["Error"].get("Message", ""),
                "status": error.response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
            }
        }
    except Exception as error:  # the test reads the class; nothing is hidden
        return {"error": {"class": type(error).__name__, "code": "", "message": str(error), "status": None}}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
