"""Where botocore's own endpoint rules send the first operation of every service.

Writes JSON lines {"service", "operation", "partition", "region", "host", "signing_name", "signing_region"}, for two regions of each
of three partitions; `problem` instead of a host where the rules refuse. Nothing is sent.

usage: python3 hosts.py hosts.jsonl.gz
"""

import gzip
import json
import sys

import botocore.session
from botocore.config import Config
from urllib.parse import urlsplit

REGIONS = {
    "aws": ["eu-central-1", "us-west-2"],
    "aws-cn": ["cn-north-1", "cn-northwest-1"],
    "aws-us-gov": ["us-gov-west-1", "us-gov-east-1"],
}


def plain_operation(client):
    """The first operation whose endpoint depends on no parameter and has no host prefix."""
    model = client.meta.service_model
    for name in sorted(model.operation_names):
        operation = model.operation_model(name)
        if operation.endpoint or operation.static_context_parameters or operation.context_parameters:
            continue
        if getattr(operation, "operation_context_parameters", None):
            continue
        return operation
    return None


def resolve(session, service, region):
    client = session.create_client(
        service, region_name=region, aws_access_key_id="a", aws_secret_access_key="b", config=Config(s3={"addressing_style": "path"})
    )
    operation = plain_operation(client)
    if operation is None:
        return None
    row = {"operation": operation.name}
    scope = {"signing_name": client._request_signer._signing_name, "signing_region": client._request_signer._region_name}
    resolver = client._ruleset_resolver
    if resolver is None:
        return {**row, "host": urlsplit(client.meta.endpoint_url).netloc, **scope}
    try:
        endpoint = resolver.construct_endpoint(operation_model=operation, call_args={}, request_context={"client_config": client.meta.config})
    except Exception as error:
        return {**row, "problem": str(error)}
    # Services that take SigV4a take SigV4 besides, with a region of its own.
    schemes = [scheme for scheme in endpoint.properties.get("authSchemes", []) if scheme["name"] == "sigv4"]
    for scheme in schemes[:1]:
        scope["signing_name"] = scheme.get("signingName", scope["signing_name"])
        scope["signing_region"] = scheme.get("signingRegion", scope["signing_region"])
    return {**row, "host": urlsplit(endpoint.url).netloc, **scope}


def main(path):
    session = botocore.session.get_session()
    with gzip.GzipFile(path, "wb", mtime=0) as raw:
        for service in sorted(session.get_available_services()):
            for partition, regions in REGIONS.items():
                for region in regions:
                    row = resolve(session, service, region)
                    if row is not None:
                        line = json.dumps({"service": service, "partition": partition, "region": region, **row}, sort_keys=True)
                        raw.write(line.encode() + b"\n")


main(sys.argv[1])
