"""Asks a moto server twice: with botocore's own request, and with what the gateway would send in its place.

usage: python3 moto.py REQUESTS REWRITTEN [--sample N] [--seed N]

Before each of the two the server forgets everything and seeds its random numbers, so the answers are the same up to times and
ids of requests. Exit code 1 if any differ.
"""

import argparse
import base64
import collections
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import time

# What differs from one answer to the next: ids, times, and moto's own trace of where it failed.
CHANGING = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b1[6-9]\d{8}(\.\d+|\d{3})?(e\+?\d+)?\b"), "TIME"),
    (re.compile(r"(SessionToken\W{1,5})[\w+/=]+"), r"\1TOKEN"),
    (re.compile(r"<(RequestId|requestId|RequestID)>[^<]*<"), r"<\1>ID<"),
]


def start(port):
    environment = dict(os.environ, MOTO_PORT=str(port), MOTO_ACCOUNT_ID="123456789012")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        try:
            ask(port, "GET", "/moto-api/data.json", {}, b"")
            return server
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    sys.exit("moto does not start")


def ask(port, method, target, headers, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in {"host": "127.0.0.1", **headers}.items():
        connection.putheader(name, value.encode("utf-8"))
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def unframed(headers, body):
    """moto does not take aws-chunked framing apart for every service; the gateway never sends it on."""
    if "aws-chunked" not in headers.get("content-encoding", "") and "STREAMING-" not in headers.get("x-amz-content-sha256", ""):
        return headers, body
    content, at = b"", 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        if size == 0:
            break
        content += body[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    kept = {name: value for name, value in headers.items() if name not in ("content-encoding", "x-amz-trailer", "x-amz-content-sha256")}
    return kept, content


def answer_to(port, entry, authorization, date):
    ask(port, "POST", "/moto-api/reset", {}, b"")
    ask(port, "POST", "/moto-api/seed?a=42", {}, b"")
    headers, body = unframed(dict(entry["headers"]), base64.b64decode(entry["body"]))
    for name in ("host", "content-length", "transfer-encoding", "expect", "authorization", "x-amz-date"):
        headers.pop(name, None)
    headers |= {"authorization": authorization, "x-amz-date": date}
    target = entry["path"] + ("?" + entry["query"] if entry["query"] else "")
    status, content = ask(port, entry["method"], target, headers, body)
    text = content.decode("utf-8", "replace")
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return status, text


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("requests")
    arguments.add_argument("rewritten")
    arguments.add_argument("--sample", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--figures")
    options = arguments.parse_args()
    with open(options.requests, encoding="utf-8") as lines:
        sent = [json.loads(line) for line in lines]
    with open(options.rewritten, encoding="utf-8") as lines:
        rewritten = {entry["line"]: entry for entry in map(json.loads, lines)}
    chooser = random.Random(options.seed)
    order = sorted(rewritten)
    chooser.shuffle(order)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = start(port)
    statuses, protocols = collections.Counter(), collections.Counter()
    differing, passed_over, operations = 0, 0, set()
    try:
        for number in order:
            if len(operations) == options.sample:
                break
            entry, expect = sent[number], sent[number]["expect"]
            name = f"{expect['service']}:{expect['operation']}"
            # moto has no endpoints of services.
            if name in operations or entry["host_prefix"] or expect["style"] == "service":
                continue
            headers = dict(entry["headers"])
            identity = headers.get("authorization", ""), headers.get("x-amz-date", "")
            first = answer_to(port, entry, *identity)
            if first[0] >= 500 or "not been implemented" in first[1] or "Not yet implemented" in first[1]:
                passed_over += 1
                continue  # moto does not know the operation or fails at it: there is no answer to compare.
            second = answer_to(port, rewritten[number], *identity)
            operations.add(name)
            statuses[first[0]] += 1
            protocols[expect["protocol"]] += 1
            if first != second:
                differing += 1
                print(f"{name} {expect['kind']}: {first[0]} {first[1][:300]!r}, and anew {second[0]} {second[1][:300]!r}")
    finally:
        server.terminate()
        server.wait()
    shown = ", ".join(f"{count} {protocol}" for protocol, count in sorted(protocols.items()))
    figures = [
        f"{len(operations)} operations ({shown}), passed over {passed_over} that moto does not know or fails at",
        f"statuses {', '.join(f'{status}: {count}' for status, count in sorted(statuses.items()))}; {differing} answers differ",
    ]
    print("\n".join(figures))
    if options.figures and not differing:
        with open(options.figures, "w", encoding="utf-8") as file:
            file.write("\n".join(figures) + "\n")
    sys.exit(1 if differing or len(operations) < options.sample else 0)


main()
