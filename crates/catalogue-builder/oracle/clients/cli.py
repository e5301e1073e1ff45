"""Records what the AWS CLI sends: each command runs in this process, through the CLI's own driver.

usage: python3 cli.py [--services a,b] > requests.jsonl

The CLI takes parameters as JSON (`--cli-input-json`); blobs are text there. Minimal parameters go to AWS's own hosts and
full ones to a gateway: all four together would take an hour.
"""

import argparse
import base64
import contextlib
import io
import json
import os
import warnings

from awscli import clidriver
from recorder import GATEWAY, Writer, capture, styles_of
from shapes import REGION, plain

warnings.filterwarnings("ignore")
BLOB = b"blob-text"


def as_json(value, shape):
    """What a person would write: times as text, blobs as the text that they are."""
    if shape is not None and shape.type_name == "blob":
        return value.decode() if isinstance(value, bytes) else value
    if shape is not None and shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        return {key: as_json(item, shape.members[key]) for key, item in value.items()}
    if shape is not None and shape.type_name == "list":
        return [as_json(item, shape.member) for item in value]
    if shape is not None and shape.type_name == "map":
        return {key: as_json(item, shape.value) for key, item in value.items()}
    return plain(value, shape)


class Failed(Exception):
    pass


def keep_clients(session):
    """Every command makes its client anew, which takes longer than all the rest."""
    clients, make = {}, session.create_client

    def create_client(*arguments, **settings):
        key = repr((arguments, sorted((name, value) for name, value in settings.items() if name != "config")))
        if key not in clients:
            clients[key] = make(*arguments, **settings)
        return clients[key]

    session.create_client = create_client


def service_commands(driver):
    """The service of each command that calls an API, with the command."""
    for name, command in driver._get_command_table().items():
        service = getattr(command, "_service_name", None)
        if isinstance(command, clidriver.ServiceCommand) and service:
            yield service, name, command


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--services")
    options = arguments.parse_args()
    os.environ.update(
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret", AWS_DEFAULT_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true",
        AWS_ACCOUNT_ID_ENDPOINT_MODE="disabled", AWS_PAGER="",
    )
    driver = clidriver.create_clidriver()
    driver.session.register("before-send", capture)
    keep_clients(driver.session)
    chosen = set(options.services.split(",")) if options.services else None
    # It cuts times that it writes as seconds.
    writer = Writer("cli", fractions=False)
    base = driver._create_parser(driver._get_command_table())
    for service, name, command in service_commands(driver):
        if chosen is not None and service not in chosen:
            continue
        for word, operation in command._get_command_table().items():
            model = getattr(operation, "_operation_model", None)
            if model is None:
                writer.skipped["a command of the CLI's own, no operation"] += 1
                continue
            shape = model.input_shape

            def send(parameters, style):
                line = [name, word]
                if style == "gateway":
                    line += ["--endpoint-url", GATEWAY]
                known, _ = base.parse_known_args(line)
                words = ["--cli-input-json", json.dumps(as_json(parameters, shape))] if shape else []
                if getattr(operation.arg_table.get("outfile"), "positional_arg", False):
                    words.append(os.devnull)
                errors = io.StringIO()
                with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(errors):
                    try:
                        operation(words, known)
                    except SystemExit as ended:
                        raise Failed(errors.getvalue()[-80:]) from ended

            writer.record(service, model.name, shape, send, styles_of(service)[:2], BLOB, every=False)
    writer.finish()


main()
