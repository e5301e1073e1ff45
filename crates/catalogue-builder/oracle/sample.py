"""Takes a seeded sample of recorded requests for the tests, without the headers that are neither signed nor read.

usage: python3 sample.py PERCENT < requests.jsonl | gzip -9n > sample.jsonl.gz
"""

import json
import random
import sys

DROPPED = ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request")
share = float(sys.argv[1]) / 100
for line in sys.stdin:
    entry = json.loads(line)
    name = f"{entry['expect']['service']}:{entry['expect']['operation']}:{entry['expect']['kind']}:{entry['expect']['style']}"
    # Nowhere else are there so many ways to say a thing.
    chance = share * 10 if entry["expect"]["service"] == "s3" else share
    # Large requests say little more than small ones.
    if len(line) < 6000 and random.Random(f"1:{name}").random() < chance:
        entry["headers"] = [pair for pair in entry["headers"] if pair[0] not in DROPPED]
        print(json.dumps(entry, separators=(",", ":")))
