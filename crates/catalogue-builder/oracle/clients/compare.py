"""Compares what `countersign identify` says of recorded requests with what the clients were asked to do.

usage: python3 compare.py COUNTERSIGN EXPLAINED FIGURES < requests.jsonl

Every difference must be in EXPLAINED, a list with a reason per row; figures go to stdout and, if nothing is
left unexplained, to the file FIGURES; differences that nobody explained to stdout.
Exit code 1 if there are any, or if a row of the list explains nothing of a client that was recorded.
"""

import collections
import fnmatch
import json
import subprocess
import sys
import threading
import urllib.parse


class Explained:
    """Rows of `client | service:Operation | difference | reason`; the first three with `*`."""

    def __init__(self, path):
        self.rows = []
        self.used = collections.Counter()
        with open(path, encoding="utf-8") as lines:
            for number, text in enumerate(lines, 1):
                if text.strip() and not text.startswith("#"):
                    row = [part.strip() for part in text.split("|", 3)]
                    if len(row) != 4 or not all(row):
                        sys.exit(f"{path}, line {number}: not `client | service:Operation | difference | reason`")
                    self.rows.append((number, *row))

    def of(self, client, name, difference):
        for number, clients, names, pattern, _ in self.rows:
            if all(fnmatch.fnmatchcase(text, glob) for text, glob in ((client, clients), (name, names), (difference, pattern))):
                self.used[number] += 1
                return number
        return None

    def uses(self):
        return "".join(f"{self.used[row[0]]:>6} explained: {' | '.join(row[1:])}\n" for row in self.rows if self.used[row[0]])

    def idle(self, clients):
        return [row for row in self.rows if not self.used[row[0]] and any(fnmatch.fnmatchcase(one, row[1]) for one in clients)]


def is_empty(value):
    if isinstance(value, dict):
        return all(map(is_empty, value.values()))
    return isinstance(value, list) and all(map(is_empty, value))


def pruned(value):
    """Forms and XML do not tell an empty collection from none."""
    if isinstance(value, dict):
        return {key: pruned(item) for key, item in value.items() if not is_empty(item)}
    return [pruned(item) for item in value] if isinstance(value, list) else value


def first_difference(given, read, path=""):
    """What differs first, or None. A member that was not given and is read counts as well."""
    if isinstance(given, dict) and isinstance(read, dict):
        for key in [*given, *(key for key in read if key not in given)]:
            inner = f"{path}.{key}" if path else key
            if key not in read:
                return f"not read: {inner}"
            if key not in given:
                return f"added: {inner}"
            if (found := first_difference(given[key], read[key], inner)) is not None:
                return found
        return None
    if isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        found = (first_difference(one, other, f"{path}[]") for one, other in zip(given, read))
        return next((one for one in found if one is not None), None)
    if type(given) is bool or type(read) is bool:
        return None if given is read else f"another value: {path}"
    return None if given == read else f"another value: {path}"


def differences(expect, answer, url):
    """The kinds of differences of one request, and whether it was identified."""
    wanted = f"{expect['service']}:{expect['operation']}"
    found = f"{answer['service']}:{answer['operation']}"
    reason = answer["problem"]
    if found != wanted and wanted not in answer["aliases"]:
        yield f"unidentified: {reason}" if answer["service"] is None else f"wrong: {found}"
        return
    if reason and reason.startswith("Ambiguous: ") and expect["style"] != "service":
        yield f"left open: {reason}"
    elif reason:
        yield f"refused: {reason}"
    is_same = found == wanted
    given, read = expect["params"], answer["params"]
    if is_same and read is not None:
        if answer["protocol"] in ("query", "ec2", "rest-xml"):
            given, read = pruned(given), pruned(read)
        # Each of them, so that one that is explained hides no other.
        for key in sorted({*given, *read}):
            one = first_difference({k: v for k, v in given.items() if k == key}, {k: v for k, v in read.items() if k == key})
            # Clients make up tokens where none is given.
            if one is not None and one != f"added: {answer['idempotency_token']}":
                yield f"parameter {one}"
    if not answer["actions"] and not reason:
        yield "no action"
    host = urllib.parse.urlsplit(url).hostname
    if expect["style"] not in ("gateway", "service") and is_same:
        upstream = (answer["upstream"] or {}).get("host")
        if upstream is None:
            if not reason:
                yield "no upstream"
        elif host != upstream and not host.endswith("." + upstream):
            yield f"upstream: {upstream} instead of {host}"


COLUMNS = ("services", "operations", "requests", "identified", "aliases", "left open", "refused", "unidentified", "wrong", "unexplained")


def table_of(figures, services):
    """A line for each protocol, and one for all."""
    lines = [f"{'protocol':<12}" + "".join(f"  {name:>12}" for name in COLUMNS)]
    every = collections.Counter()
    for protocol, count in sorted(figures.items()):
        count["services"] = len({service for service, _ in services[protocol]})
        count["operations"] = len(services[protocol])
        every.update(count)
    every["services"] = len({service for found in services.values() for service, _ in found})
    every["operations"] = len({one for found in services.values() for one in found})
    for protocol, count in [*sorted(figures.items()), ("all", every)]:
        lines.append(f"{protocol:<12}" + "".join(f"  {count[name]:>12}" for name in COLUMNS))
    return "\n".join(lines)


def main():
    program, explained = sys.argv[1], Explained(sys.argv[2])
    lines = [json.loads(text) for text in sys.stdin]
    command = [program, "identify", "--base-host", "gateway.test"]
    identify = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def feed():
        for entry in lines:
            request = {key: entry[key] for key in ("method", "url", "headers", "body_b64")}
            identify.stdin.write(json.dumps(request) + "\n")
        identify.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    figures = collections.defaultdict(collections.Counter)
    services, clients = collections.defaultdict(set), set()
    unexplained = collections.Counter()
    examples = {}
    for entry in lines:
        answer = json.loads(identify.stdout.readline())
        expect = entry["expect"]
        client, name = expect["client"], f"{expect['service']}:{expect['operation']}"
        protocol = answer["protocol"] or "unidentified"
        clients.add(client)
        count = figures[protocol]
        count["requests"] += 1
        services[protocol].add((expect["service"], expect["operation"]))
        found = list(differences(expect, answer, entry["url"]))
        kinds = {one.split(":")[0] for one in found}
        count["identified"] += not kinds & {"unidentified", "wrong"}
        count["aliases"] += bool(answer["aliases"])
        for kind in kinds:
            count[kind] += 1
        for one in found:
            if explained.of(client, name, one) is None:
                unexplained[client, name, one] += 1
                examples.setdefault((client, name, one), (expect["kind"], expect["style"]))
                count["unexplained"] += 1
    if identify.stdout.readline() or identify.wait():
        sys.exit("`countersign identify` did not answer line by line")
    table = table_of(figures, services)
    print(table)
    for (client, name, one), count in sorted(unexplained.items()):
        print(f"unexplained: {client} | {name} | {one} ({count} times; {' '.join(examples[client, name, one])})")
    idle = explained.idle(clients)
    for number, *row in idle:
        print(f"explains nothing: line {number}: {' | '.join(row[:3])}")
    print(f"{sum(unexplained.values())} unexplained differences, {sum(explained.used.values())} explained")
    if not unexplained:
        with open(sys.argv[3], "w", encoding="utf-8") as file:
            file.write(table + "\n" + explained.uses())
    sys.exit(1 if unexplained else 0)


main()
