"""Makes the same kind of call many times at once with the unmodified AWS SDK for Python.

Reads one JSON line {"service", "operation", "parameters": [...]} from standard input, makes one call for
each of the parameters, all at the same time from as many threads, without retries, and answers with one
JSON line: how many ended in which way ("ok" or the error's code).
"""

import collections
import concurrent.futures
import json
import sys

import boto3
import botocore.config
import botocore.exceptions

order = json.loads(sys.stdin.readline())
many = len(order["parameters"])
config = botocore.config.Config(retries={"total_max_attempts": 1}, max_pool_connections=many, read_timeout=120)
client = boto3.client(order["service"], config=config)


def one(parameters):
    try:
        getattr(client, order["operation"])(**parameters)
        return "ok"
    except botocore.exceptions.ClientError as error:
        return error.response["Error"].get("Code", "")


# Logged in before the burst, so that all threads share one session.
client._get_credentials()
with concurrent.futures.ThreadPoolExecutor(many) as pool:
    print(json.dumps(collections.Counter(pool.map(one, order["parameters"]))))
