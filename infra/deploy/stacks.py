"""Stacks of CloudFormation: made, changed, deleted, and waited for."""

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
# Nothing can be made of a stack whose first creation failed, except nothing.
_STILLBORN: Final = frozenset(
    {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"}
)
_GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


class Template(TypedDict, total=False):
    """A template: its text, or where in S3 it is."""

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
        """Return what a stack says of itself; None where there is no such stack."""
        stack = self._find(name)
        if stack is None or stack["StackStatus"] in _STILLBORN:
            return None
        return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}

    def nested(self, name: str, logical: str) -> str:
        """Return the id of a stack within a stack."""
        with calling(f"find {logical} in the stack {name}"):
            found = self._client.describe_stack_resource(StackName=name, LogicalResourceId=logical)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def deploy(self, name: str, template: Template, parameters: Mapping[str, str]) -> None:
        """Make or change a stack, and wait; parameters that are not given stay as they were."""
        stack = self._find(name)
        if stack and stack["StackStatus"] in _STILLBORN:
            self.delete(name)
            stack = None
        before = {each["ParameterKey"] for each in stack.get("Parameters", [])} if stack else set()
        with calling(f"deploy the stack {name}"):
            known = {
                each["ParameterKey"]
                for each in self._client.get_template_summary(**template)["Parameters"]
            }
            given: list[ParameterTypeDef] = [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ]
            given += [
                {"ParameterKey": key, "UsePreviousValue": True}
                for key in sorted((before & known) - {*parameters})
            ]
            send = self._client.update_stack if stack else self._client.create_stack
            try:
                send(
                    StackName=name,
                    **template,
                    Parameters=given,
                    Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                )
            except ClientError as error:
                if "No updates are to be performed" not in str(error):
                    raise
                self._say(f"  {name}: nothing to change")
                return
        self._wait(name, _GOOD)

    def delete(self, name: str) -> None:
        """Delete a stack and wait; do nothing where there is none."""
        stack = self._find(name)
        if stack is None:
            return
        with calling(f"delete the stack {name}"):
            self._client.delete_stack(StackName=name)
        # By its id: a deleted stack is not found by its name.
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
                    f"The stack {name} came to {status}. {self._reasons(name)} Expected was "
                    f"{' or '.join(sorted(good))}. Mend that, and give the same command again."
                )
            self._pause(_PAUSE_SECONDS)

    def _reasons(self, name: str) -> str:
        with calling(f"ask what went wrong with the stack {name}"):
            events = self._client.describe_stack_events(StackName=name)["StackEvents"]
        failed = [
            f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason', 'no reason')}"
            for event in takewhile(lambda event: not _is_beginning(event), events)
            if event.get("ResourceStatus", "").endswith("_FAILED")
        ]
        return "; ".join(reversed(failed)) + "."


def _is_beginning(event: "StackEventTypeDef") -> bool:
    """Tell whether what came before this event belongs to an earlier deployment."""
    return event.get("ResourceStatusReason") == "User Initiated"
