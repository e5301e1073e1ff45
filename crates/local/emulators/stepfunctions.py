"""moto_server as the Step Functions of the local stack.

Four things in moto's own server keep it from being one, and are changed here before it starts:

1. `start_execution` deep-copies the state machine together with its running executions, which
   hold locks: the second execution of a machine fails.
2. Integrations (Lambda, DynamoDB, SNS ...) call moto itself. They go to the stack's AWS front
   instead, signed with the credentials of the state machine's own role, so that the role's
   policies are enforced.
3. `SendTask*` fails with an internal error while another execution has only just begun.
4. A state without a transition target in the machine would be accepted and hang at run time:
   refuse such a definition when it is created.

Environment: AWS_FRONT is the front's URL, ROLE_CREDENTIALS a folder with one JSON file per role,
named after the role, in the format of `credential_process`.

moto is pinned exactly in requirements.txt because of this file.
"""

import copy
import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path

import boto3
from botocore.config import Config

import moto.stepfunctions.parser.asl as asl
import moto.stepfunctions.parser.asl.utils.boto_client as boto_client
import moto.stepfunctions.parser.models as models

FRONT = os.environ["AWS_FRONT"]
ROLE_CREDENTIALS = Path(os.environ["ROLE_CREDENTIALS"])


class CopyWithoutExecutions:
    """Stands for the `copy` module in moto's models; machines are copied without executions."""

    def __getattr__(self, name):
        return getattr(copy, name)

    @staticmethod
    def deepcopy(value, memo=None):
        if hasattr(value, "executions"):
            shallow = copy.copy(value)
            shallow.executions = []
            return shallow
        return copy.deepcopy(value, memo)


models.copy = CopyWithoutExecutions()


def boto_client_for(region, service, state_credentials=None):
    """A client of the front with the credentials of the state's role."""
    if state_credentials is None:
        raise RuntimeError("the state has no role")
    role = state_credentials.role_arn.rsplit("/", 1)[-1]
    credentials = json.loads((ROLE_CREDENTIALS / f"{role}.json").read_text())
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=FRONT,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            # The longest that a function may run.
            read_timeout=900,
        ),
    )


boto_client.boto_client_for = boto_client_for
for found in pkgutil.walk_packages(asl.__path__, asl.__name__ + "."):
    try:
        module = importlib.import_module(found.name)
    except ImportError:
        # Optional parts of moto whose own dependencies are not installed.
        continue
    if hasattr(module, "boto_client_for"):
        module.boto_client_for = boto_client_for


def missing_targets(machine):
    """Names of states that are gone to but do not exist."""
    states = machine.get("States", {})
    wanted = [machine.get("StartAt")]
    for state in states.values():
        wanted += [state.get("Next"), state.get("Default")]
        wanted += [rule.get("Next") for rule in state.get("Choices", []) + state.get("Catch", [])]
    missing = [name for name in wanted if name is not None and name not in states]
    for state in states.values():
        inner = state.get("Branches", []) + [state[key] for key in ("Iterator", "ItemProcessor") if key in state]
        for branch in inner:
            missing += missing_targets(branch)
    return missing


running_executions = models.StepFunctionsParserBackend._get_executions


def executions_with_an_environment(self, execution_status=None):
    executions = running_executions(self, execution_status)
    return [one for one in executions if one.exec_worker is not None and one.exec_worker.env is not None]


models.StepFunctionsParserBackend._get_executions = executions_with_an_environment
validate_definition = models.StepFunctionsParserBackend._validate_definition


def validate_transitions_too(definition):
    validate_definition(definition)
    missing = missing_targets(json.loads(definition))
    if missing:
        raise models.InvalidDefinition(message=f"MISSING_TRANSITION_TARGET: {missing}")


models.StepFunctionsParserBackend._validate_definition = staticmethod(validate_transitions_too)

from moto.server import main  # noqa: E402  (only after the changes above)

sys.exit(main(sys.argv[1:]))
