"""An AWS that takes note of what it is asked, and holds it against the SDK's description of AWS.

It proves order and arguments: that they have the names and types that AWS takes. It does not
prove that AWS would do it: permissions, quotas and what is in a template are not looked at.
"""

from botocore.exceptions import ClientError
from botocore.validate import ParamValidator


class Aws:
    """Answers by operation: a value, an error's code and text, or a function of the arguments."""

    def __init__(self):
        self.calls = []
        self.answers = {}

    def __call__(self, client, operation, arguments):
        """Stand in for the method of botocore's clients that sends a request."""
        model = client.meta.service_model.operation_model(operation)
        if model.input_shape is not None:
            report = ParamValidator().validate(arguments, model.input_shape)
            assert not report.has_errors(), f"{operation}: {report.generate_report()}"
        self.calls.append((operation, arguments))
        answer = self.answers.get(operation, {})
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(arguments)
        if isinstance(answer, tuple):
            code, message = answer
            raise ClientError({"Error": {"Code": code, "Message": message}}, operation)
        return answer

    @property
    def operations(self):
        """Name what was asked, in its order."""
        return [operation for operation, _ in self.calls]

    def asked(self, operation):
        """Return the arguments of each call of an operation."""
        return [arguments for name, arguments in self.calls if name == operation]


class CloudFormation:
    """Just enough of CloudFormation: stacks that are there at once, or fail."""

    def __init__(self, aws, outputs):
        self.stacks = {}
        self._outputs = outputs
        self.fate = {}
        aws.answers |= {
            "DescribeStacks": self._describe,
            "CreateStack": self._create,
            "UpdateStack": self._update,
            "DeleteStack": self._delete,
            "GetTemplateSummary": {
                "Parameters": [{"ParameterKey": name} for name in ("Name", "SiteKey", "AlarmEmail")]
            },
            "DescribeStackResource": lambda given: {
                "StackResourceDetail": {"PhysicalResourceId": f"{given['StackName']}-Site"}
            },
        }

    def has(self, name, status="CREATE_COMPLETE", *parameters):
        """Have a stack."""
        self.stacks[name] = {
            "StackName": name,
            "StackId": name,
            "StackStatus": status,
            "Parameters": [{"ParameterKey": each, "ParameterValue": "x"} for each in parameters],
            "Outputs": [
                {"OutputKey": key, "OutputValue": value}
                for key, value in self._outputs.get(name, {}).items()
            ],
        }

    def _describe(self, given):
        name = given["StackName"]
        if name not in self.stacks:
            return ("ValidationError", f"Stack with id {name} does not exist")
        return {"Stacks": [self.stacks[name]]}

    def _create(self, given):
        name = given["StackName"]
        names = [each["ParameterKey"] for each in given["Parameters"]]
        self.has(name, self.fate.get(name, "CREATE_COMPLETE"), *names)
        if name in self._outputs:
            self.has(f"{name}-Site")
        return {"StackId": name}

    def _update(self, given):
        self.stacks[given["StackName"]]["StackStatus"] = "UPDATE_COMPLETE"
        return {}

    def _delete(self, given):
        del self.stacks[given["StackName"]]
        return {}
