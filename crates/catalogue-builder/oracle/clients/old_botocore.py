"""Records what an old botocore sends, with its own, older models.

usage: python3 old_botocore.py [--services a,b] > requests.jsonl
"""

import argparse
import warnings

import botocore.session
from botocore.config import Config
from recorder import Writer, capture, endpoint_of, styles_of
from shapes import REGION

warnings.filterwarnings("ignore")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--services")
    options = arguments.parse_args()
    session = botocore.session.Session()
    # It cuts times that it writes as seconds.
    writer = Writer("old-botocore", fractions=False)
    for service in options.services.split(",") if options.services else session.get_available_services():
        clients = {}
        for style in styles_of(service):
            settings = {"retries": {"max_attempts": 0}, "parameter_validation": False}
            settings["inject_host_prefix"] = style != "service"
            if service == "s3":
                # There is no name in front of the endpoint of a service.
                settings["s3"] = {"addressing_style": "path" if style in ("path", "service") else "virtual"}
            try:
                client = session.create_client(
                    service,
                    region_name=REGION,
                    endpoint_url=endpoint_of(style, service),
                    aws_access_key_id="AKIDEXAMPLE",
                    aws_secret_access_key="secret",
                    config=Config(**settings),
                )
            except Exception as error:
                writer.skipped[f"client of {service}: {type(error).__name__}"] += 1
                continue
            client.meta.events.register_last("before-send", capture)
            clients[style] = client
        if not clients:
            continue
        model = next(iter(clients.values())).meta.service_model
        for operation in model.operation_names:
            writer.record(
                service,
                operation,
                model.operation_model(operation).input_shape,
                lambda parameters, style: clients[style]._make_api_call(operation, parameters),
                tuple(clients),
            )
            writer.flush()
    writer.finish()


main()
