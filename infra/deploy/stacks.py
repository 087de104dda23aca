"""CloudFormation stacks: create, update or delete, and wait for the result."""

import time
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Final, TypedDict

from aisle.errors import CloudError
from infra.deploy.session import ClientError, Session, calling

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        ParameterTypeDef,
        StackEventTypeDef,
        StackTypeDef,
    )

_PAUSE_SECONDS: Final = 10
# A stack whose first creation failed cannot be updated, only deleted.
_STILLBORN: Final = frozenset(
    {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"}
)
_GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


class Template(TypedDict, total=False):
    """A template: its text, or its address in S3."""

    TemplateBody: str
    TemplateURL: str


class Stacks:
    """The stacks of an account and region."""

    def __init__(
        self,
        session: Session,
        *,
        say: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._say = say
        self._pause = pause

    @property
    def _client(self) -> "CloudFormationClient":
        return self._session.cloudformation

    def outputs(self, name: str) -> dict[str, str] | None:
        """Return the outputs of a stack; None if it does not exist."""
        stack = self._find(name)
        if stack is None or stack["StackStatus"] in _STILLBORN:
            return None
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def nested(self, name: str, logical: str) -> str:
        """Return the id of a nested stack."""
        with calling(f"find {logical} in the stack {name}"):
            response = self._client.describe_stack_resource(
                StackName=name, LogicalResourceId=logical
            )
        return response["StackResourceDetail"]["PhysicalResourceId"]

    def deploy(self, name: str, template: Template, parameters: Mapping[str, str]) -> None:
        """Create or update a stack and wait; parameters that are not given keep their values."""
        stack = self._find(name)
        if stack and stack["StackStatus"] in _STILLBORN:
            self.delete(name)
            stack = None
        previous = (
            {parameter["ParameterKey"] for parameter in stack.get("Parameters", [])}
            if stack
            else set()
        )
        with calling(f"deploy the stack {name}"):
            declared = {
                parameter["ParameterKey"]
                for parameter in self._client.get_template_summary(**template)["Parameters"]
            }
            values: list[ParameterTypeDef] = [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ]
            values += [
                {"ParameterKey": key, "UsePreviousValue": True}
                for key in sorted((previous & declared) - {*parameters})
            ]
            send = self._client.update_stack if stack else self._client.create_stack
            try:
                send(
                    StackName=name,
                    **template,
                    Parameters=values,
                    Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                )
            except ClientError as error:
                if "No updates are to be performed" not in str(error):
                    raise
                self._say(f"  {name}: nothing to change")
                return
        self._wait(name, _GOOD)

    def delete(self, name: str) -> None:
        """Delete a stack and wait; do nothing if it does not exist."""
        stack = self._find(name)
        if stack is None:
            return
        with calling(f"delete the stack {name}"):
            self._client.delete_stack(StackName=name)
        # By id: AWS does not find a deleted stack by its name.
        self._wait(stack["StackId"], frozenset({"DELETE_COMPLETE"}))

    def _find(self, name: str) -> "StackTypeDef | None":
        with calling(f"look for the stack {name}"):
            try:
                return self._client.describe_stacks(StackName=name)["Stacks"][0]
            except ClientError as error:
                if "does not exist" in str(error):
                    return None
                raise

    def _wait(self, name: str, good: frozenset[str]) -> None:
        began = time.monotonic()
        while True:
            stack = self._find(name)
            status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
            self._say(f"  {name}: {status}, {time.monotonic() - began:.0f} s")
            if status in good:
                return
            if not status.endswith("_IN_PROGRESS"):
                raise CloudError(
                    f"The stack {name} ended in {status}. {self._reasons(name)} Expected "
                    f"{' or '.join(sorted(good))}. Fix the cause, then run the same command again."
                )
            self._pause(_PAUSE_SECONDS)

    def _reasons(self, name: str) -> str:
        with calling(f"read the events of the stack {name}"):
            events = self._client.describe_stack_events(StackName=name)["StackEvents"]
        failed = [
            f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason', 'no reason')}"
            for event in takewhile(lambda event: not _starts_deployment(event), events)
            if event.get("ResourceStatus", "").endswith("_FAILED")
        ]
        return "; ".join(reversed(failed)) + "."


def _starts_deployment(event: "StackEventTypeDef") -> bool:
    """Tell whether this event starts a deployment: events before it belong to an earlier one."""
    return event.get("ResourceStatusReason") == "User Initiated"
