"""Takes a seeded sample of recorded requests for the tests, without the headers that are neither signed nor read.

usage: python3 sample.py PERCENT < requests.jsonl | gzip -9n > sample.jsonl.gz
"""

import json
import random
import sys

DROPPED = ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request")
ODD = {"s3", "chime", "chime-sdk-voice", "timestream-query", "timestream-write"}
share = float(sys.argv[1]) / 100
for line in sys.stdin:
    entry = json.loads(line)
    expect = entry["expect"]
    # What one endpoint leaves open is in the sample with the call that the service's own endpoint makes clear.
    style = "any" if expect["style"] in ("gateway", "service") else expect["style"]
    name = f"{expect['service']}:{expect['operation']}:{expect['kind']}:{style}"
    # Nowhere else are there so many ways to say a thing, or so few ways to tell two apart.
    chance = share * 10 if expect["service"] in ODD else share
    # Large requests say little more than small ones.
    if len(line) < 6000 and random.Random(f"1:{name}").random() < chance:
        entry["headers"] = [pair for pair in entry["headers"] if pair[0] not in DROPPED]
        print(json.dumps(entry, separators=(",", ":")))
