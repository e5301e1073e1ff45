"""Writes a plan for clients in other languages: one JSON line for each call that they should make.

usage: python3 plan.py package.json [SERVICE…] > plan.jsonl

Without names every service that the package file has a client of.

Parameters are tagged with their types, which JSON does not have: ["blob", base64], ["time", milliseconds],
["events"], ["list", […]], ["map", [[key, value] …]], ["struct", [[member, value] …]], ["plain", any JSON].
"""

import base64
import datetime
import json
import sys

import botocore.session
from recorder import styles_of
from shapes import KINDS, Values, plain


def tagged(value, shape):
    if isinstance(value, datetime.datetime):
        return ["time", round(value.timestamp() * 1000)]
    if isinstance(value, (bytes, bytearray)):
        return ["blob", base64.b64encode(value).decode()]
    if shape is None or getattr(shape, "is_document_type", False):
        return ["plain", value]
    if isinstance(value, list):
        return ["list", [tagged(item, shape.member if shape.type_name == "list" else None) for item in value]]
    if isinstance(value, dict):
        if shape.type_name == "map":
            return ["map", [[key, tagged(item, shape.value)] for key, item in value.items()]]
        if shape.type_name != "structure":
            # Text in the model, JSON for people.
            return ["plain", json.dumps(value)]
        return ["struct", [[key, tagged(item, shape.members[key])] for key, item in value.items()]]
    return ["plain", value]


def main():
    session = botocore.session.Session()
    with open(sys.argv[1], encoding="utf-8") as file:
        packages = json.load(file)["dependencies"]
    for service in sys.argv[2:] or session.get_available_services():
        model = session.get_service_model(service)
        if "@aws-sdk/client-" + model.service_id.lower().replace(" ", "-") not in packages:
            continue
        for name in model.operation_names:
            shape = model.operation_model(name).input_shape
            for kind in KINDS:
                parameters = Values(service, kind).of(shape) if shape else {}
                given = tagged(parameters, shape)[1] if shape else []
                events = [key for key, member in (shape.members.items() if shape else ()) if member.serialization.get("eventstream")]
                for style in styles_of(service):
                    entry = {
                        "service": service,
                        "service_id": model.service_id,
                        "operation": name,
                        "kind": kind,
                        "style": style,
                        "input": given + [[key, ["events"]] for key in events],
                        "params": plain(parameters, shape) if shape else {},
                    }
                    sys.stdout.write(json.dumps(entry) + "\n")


main()
