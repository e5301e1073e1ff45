"""Records what the AWS CLI sends: each command runs in this process, through the CLI's own driver.

usage: python3 cli.py [--services a,b] [--jobs N] > requests.jsonl

The CLI takes parameters as JSON (`--cli-input-json`); blobs are text there.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import sys
import tempfile
import warnings

from awscli import clidriver
from botocore.tokens import FrozenAuthToken
from recorder import Writer, capture, endpoint_of, styles_of
from shapes import REGION, plain

warnings.filterwarnings("ignore")
BLOB = b"blob-text"
# Half of what there is: each command has a parser to build.
VARIANTS = {("minimal", "aws"), ("minimal", "service"), ("full", "gateway")}


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


class Commands:
    """The CLI's commands, run one after the other as if each had a process of its own."""

    def __init__(self):
        self.driver = clidriver.create_clidriver()
        self.session = self.driver.session
        self.session.register("before-send", capture)
        # Services that take bearer tokens get one.
        self.session.get_auth_token = lambda **_: FrozenAuthToken("token")
        self.base = self.driver._create_parser(self.driver._get_command_table())
        self.keep_clients()
        self.note_handlers()

    def keep_clients(self):
        """Every command makes its client anew, which takes longer than all the rest."""
        clients, make = {}, self.session.create_client

        def create_client(*arguments, **settings):
            key = repr((arguments, sorted((name, value) for name, value in settings.items() if name != "config")))
            if key not in clients:
                clients[key] = make(*arguments, **settings)
            return clients[key]

        self.session.create_client = create_client

    def note_handlers(self):
        """Commands register handlers for every command that follows, which a process of one command never notices."""
        self.emitter = self.session.get_component("event_emitter")._emitter
        self.handlers, register = [], type(self.emitter)._register_section

        def noting(emitter, event, handler, unique_id, unique_id_uses_count, section):
            register(emitter, event, handler, unique_id, unique_id_uses_count, section)
            if emitter is self.emitter:
                self.handlers.append((event, handler, unique_id, unique_id_uses_count))

        # Of the class: clients copy the emitter, and with it what it holds.
        type(self.emitter)._register_section = noting

    def forget_handlers(self):
        for handler in self.handlers:
            self.emitter.unregister(*handler)
        self.handlers.clear()

    def services(self):
        """The service of each command that calls an API, with the command's name and the command."""
        for name, command in self.driver._get_command_table().items():
            service = getattr(command, "_service_name", None)
            if isinstance(command, clidriver.ServiceCommand) and service:
                yield service, name, command

    def run(self, line, operation, parameters, shape):
        known, _ = self.base.parse_known_args(line)
        self.handlers.clear()
        # A new one: the old one's handlers are gone.
        operation._arg_table = None
        errors = io.StringIO()
        try:
            with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(errors):
                operation(words_of(operation.arg_table, as_json(parameters, shape)), known)
        except SystemExit as ended:
            raise Failed(errors.getvalue()[-80:]) from ended
        finally:
            self.forget_handlers()


def words_of(table, parameters):
    """The words of a command with these parameters."""
    if "cli-input-json" in table:
        return ["--cli-input-json", json.dumps(parameters)]
    # What writes an answer into a file takes no JSON. The file comes first: options with many values would take it for one.
    words, options = [os.devnull], {}
    for option in table.values():
        # The first: of flags the other one says no.
        options.setdefault(getattr(option, "_serialized_name", None), option)
    if "bootstrap-method" in table:
        words = ["--outfile", os.devnull, "--bootstrap-method", "QRCodePNG"]
    for name, value in parameters.items():
        option = options[name].cli_name
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, (dict, list)):
            words += [option, json.dumps(value)]
        elif is_stream(options[name]):
            words += [option, blob_file]
        else:
            words += [option, str(value)]
    return words


def is_stream(option):
    return getattr(option.argument_model, "serialization", {}).get("streaming", False)


def drive(service):
    """The requests of all commands of one service; what could not be driven, by reason."""
    global commands
    commands = commands or Commands()
    # It cuts times that it writes as seconds.
    writer = Writer("cli", fractions=False)
    for _, name, command in (found for found in commands.services() if found[0] == service):
        for word, operation in command._get_command_table().items():
            model = getattr(operation, "_operation_model", None)
            if model is None:
                writer.skipped["a command of the CLI's own, no operation"] += 1
                continue
            shape = model.input_shape

            def send(parameters, style):
                endpoint = endpoint_of(style, service)
                # There is no name in front of the endpoint of a service.
                os.environ["AWS_DISABLE_HOST_PREFIX_INJECTION"] = "true" if style == "service" else "false"
                line = [name, word] + (["--endpoint-url", endpoint] if endpoint else [])
                commands.run(line, operation, parameters, shape)

            writer.record(service, model.name, shape, send, styles_of(service)[:3], BLOB, VARIANTS)
    return service, writer.lines, writer.skipped


commands, blob_file = None, None


def use_blob(name):
    """Where the bytes are that commands read from a file."""
    global blob_file
    blob_file = name


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--services")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    options = arguments.parse_args()
    os.environ.update(
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret", AWS_DEFAULT_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true",
        AWS_ACCOUNT_ID_ENDPOINT_MODE="disabled", AWS_PAGER="",
    )
    every = sorted({service for service, _, _ in Commands().services()})
    chosen = options.services.split(",") if options.services else every
    if unknown := set(chosen) - set(every):
        arguments.error(f"no such service: {', '.join(sorted(unknown))}")
    writer = Writer("cli")
    # New processes from time to time: clients and parsers stay in memory.
    with tempfile.NamedTemporaryFile() as blob, multiprocessing.Pool(
        options.jobs, use_blob, (blob.name,), maxtasksperchild=20
    ) as pool:
        blob.write(BLOB)
        blob.flush()
        for done, (service, lines, skipped) in enumerate(pool.imap(drive, chosen), 1):
            writer.flush(lines, skipped)
            if done % 20 == 0 or done == len(chosen):
                print(f"{done} of {len(chosen)} services, {writer.written} requests", file=sys.stderr)
    writer.finish()


if __name__ == "__main__":
    main()
