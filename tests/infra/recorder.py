"""A fake AWS that records requests and validates them against the SDK's description of AWS.

It proves the order of requests, and the names and types of their arguments. It does not prove that
AWS would carry them out: it checks no permissions, quotas or template contents.
"""

from botocore.exceptions import ClientError
from botocore.validate import ParamValidator


class Aws:
    """Answers each operation with a value, an error (code and text), or a function's result."""

    def __init__(self):
        self.calls = []
        self.answers = {}

    def __call__(self, client, operation, arguments):
        """Replace the method of botocore's clients that sends a request."""
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
        """Give the operations that were called, in order."""
        return [operation for operation, _ in self.calls]

    def asked(self, operation):
        """Return the arguments of each call of an operation."""
        return [arguments for name, arguments in self.calls if name == operation]


class CloudFormation:
    """Just enough of CloudFormation: stacks that exist at once, or fail."""

    def __init__(self, aws, outputs):
        self.stacks = {}
        self._outputs = outputs
        self.created_as = {}
        aws.answers |= {
            "DescribeStacks": self._describe,
            "CreateStack": self._create,
            "UpdateStack": self._update,
            "DeleteStack": self._delete,
            "GetTemplateSummary": {
                "Parameters": [{"ParameterKey": name} for name in ("Name", "SiteKey", "AlarmEmail")]
            },
            "DescribeStackResource": lambda arguments: {
                "StackResourceDetail": {"PhysicalResourceId": f"{arguments['StackName']}-Site"}
            },
        }

    def add(self, name, status="CREATE_COMPLETE", *parameters):
        """Add a stack."""
        self.stacks[name] = {
            "StackName": name,
            "StackId": name,
            "StackStatus": status,
            "Parameters": [{"ParameterKey": key, "ParameterValue": "x"} for key in parameters],
            "Outputs": [
                {"OutputKey": key, "OutputValue": value}
                for key, value in self._outputs.get(name, {}).items()
            ],
        }

    def _describe(self, arguments):
        name = arguments["StackName"]
        if name not in self.stacks:
            return ("ValidationError", f"Stack with id {name} does not exist")
        return {"Stacks": [self.stacks[name]]}

    def _create(self, arguments):
        name = arguments["StackName"]
        keys = [parameter["ParameterKey"] for parameter in arguments["Parameters"]]
        self.add(name, self.created_as.get(name, "CREATE_COMPLETE"), *keys)
        if name in self._outputs:
            self.add(f"{name}-Site")
        return {"StackId": name}

    def _update(self, arguments):
        self.stacks[arguments["StackName"]]["StackStatus"] = "UPDATE_COMPLETE"
        return {}

    def _delete(self, arguments):
        del self.stacks[arguments["StackName"]]
        return {}
