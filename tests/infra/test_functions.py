"""The functions as they would be deployed: environment, image, alias, logs."""

import json
import re
from pathlib import Path

import pytest

from aisle.feedback.due import Policy
from aisle.serving.http.settings import PREFIX
from authorizer.settings import AuthorizerSettings
from feedback.settings import FeedbackSettings
from infra.deploy.tools import FUNCTIONS
from predict.settings import PredictSettings
from retrain.settings import RetrainFunctionSettings
from tests.infra.templates import resources

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "PredictFunction": PredictSettings,
    "FeedbackFunction": FeedbackSettings,
    "AuthorizerFunction": AuthorizerSettings,
    "RetrainFunction": RetrainFunctionSettings,
}
STORE = "s3://aisle-data-123456789012-eu-west-1"


@pytest.fixture
def functions(root):
    """Give the functions by their names."""
    return resources(root, "AWS::Lambda::Function")


def environment(function):
    """Return a function's environment."""
    return function["Properties"]["Environment"]["Variables"]


def test_each_function_is_tested_here(functions):
    """Settings and images are known of each function that the template has."""
    assert {*functions} == {*SETTINGS} == {*FUNCTIONS}


@pytest.mark.parametrize("name", [*SETTINGS])
def test_environment_is_what_the_settings_read(functions, name):
    """The environment has each setting and nothing else, and the settings can read it."""
    given, model = environment(functions[name]), SETTINGS[name]
    assert {*given} == {PREFIX + field.upper() for field in model.model_fields}
    assert model.read(given).store == STORE


@pytest.mark.parametrize("name", ["PredictFunction", "FeedbackFunction"])
def test_environment_says_what_the_code_does_without(functions, name):
    """Numbers are the code's own defaults, and the one allowed origin is nobody's."""
    read = SETTINGS[name].read(environment(functions[name])).model_dump()
    usual = SETTINGS[name]().model_dump()
    assert read == usual | {"store": STORE, "cors_origins": ("https://nobody.invalid",)}


@pytest.mark.parametrize("name", [*SETTINGS])
def test_image_is_a_target_of_the_dockerfile(templates, name):
    """A function names its folder, or SAM would skip it, and a target that the Dockerfile has."""
    found = templates["template.yaml"]["Resources"][name]["Metadata"]
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found["DockerContext"] == "."
    assert found["Dockerfile"] == "Dockerfile"
    assert found["DockerBuildTarget"] in targets
    assert found["DockerBuildTarget"] == found["DockerTag"] == FUNCTIONS[name]


def test_training_image_is_a_target_too(resolved):
    """What the job runs is what `make deploy` pushes, of the Dockerfile's last target."""
    job = resolved["infra/training.yaml"]["Resources"]["Job"]["Properties"]
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert targets[-1] == "training"
    assert job["ContainerProperties"]["Image"].endswith("/aisle-training:latest")


@pytest.mark.parametrize("name", [*SETTINGS])
def test_function_is_deployed_bit_by_bit(root, functions, name):
    """Behind the alias `live` a tenth of the requests tries the new version, until an alarm."""
    properties = functions[name]["Properties"]
    alias = root["Resources"][f"{name}Aliaslive"]
    group = root["Resources"][f"{name}DeploymentGroup"]["Properties"]
    assert (properties["PackageType"], properties["Architectures"]) == ("Image", ["x86_64"])
    assert alias["Properties"]["Name"] == "live"
    assert "CodeDeployLambdaAliasUpdate" in alias["UpdatePolicy"]
    assert group["AlarmConfiguration"]["Alarms"] == [{"Name": "<ApiFailing>"}]
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_retraining_is_told_of_feedback_and_of_time(root, resolved):
    """New feedback is waited for and taken together, and without any there is a look a day."""
    stack = resolved["infra/storage.yaml"]["Resources"]
    queue = stack["FeedbackQueue"]["Properties"]
    ((_, mapping),) = resources(root, "AWS::Lambda::EventSourceMapping").items()
    mapping = mapping["Properties"]
    assert mapping["EventSourceArn"].endswith(f":{queue['QueueName']}")
    assert mapping["FunctionName"] == "<RetrainFunctionAliaslive>"
    assert mapping["MaximumBatchingWindowInSeconds"] == 60
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    function = root["Resources"]["RetrainFunction"]
    assert function["DependsOn"] == "Storage"
    timeout = function["Properties"]["Timeout"]
    assert queue["VisibilityTimeout"] >= 6 * timeout
    ((_, rule),) = resources(root, "AWS::Events::Rule").items()
    (target,) = rule["Properties"]["Targets"]
    assert rule["Properties"]["ScheduleExpression"] == "rate(1 day)"
    assert target["Arn"] == "<RetrainFunctionAliaslive>"


def test_retraining_is_due_as_the_code_has_it(functions):
    """Without parameters it is due when it is due on a laptop."""
    read = RetrainFunctionSettings.read(environment(functions["RetrainFunction"]))
    assert read.policy() == Policy()


def test_the_gateway_asks_the_alias(root):
    """Each route and the authorizer go to the alias, not past it."""
    body = root["Resources"]["Api"]["Properties"]["Body"]
    asked = re.findall(r"functions/(\S+?)/invocations", json.dumps(body))
    assert {*asked} == {
        "<PredictFunctionAliaslive>",
        "<FeedbackFunctionAliaslive>",
        "<AuthorizerFunction.Arn>:live",
    }
    # The authorizer's alias is named, not referred to: it has to be there all the same.
    assert "AuthorizerFunctionAliaslive" in root["Resources"]["Api"]["DependsOn"]


@pytest.mark.parametrize("name", [*SETTINGS])
def test_function_is_traced_and_logs_to_a_group(root, functions, name):
    """X-Ray is on, and the log group is one of the template's, which has a retention."""
    properties = functions[name]["Properties"]
    group = properties["LoggingConfig"]["LogGroup"].strip("<>")
    assert properties["TracingConfig"] == {"Mode": "Active"}
    assert root["Resources"][group]["Type"] == "AWS::Logs::LogGroup"


def test_every_log_group_has_a_retention(resolved):
    """No log is kept for ever."""
    found = {
        (name, logical): group["Properties"].get("RetentionInDays")
        for name, template in resolved.items()
        for logical, group in resources(template, "AWS::Logs::LogGroup").items()
    }
    assert len(found) == 6
    assert {*found.values()} == {30}
