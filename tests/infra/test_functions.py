"""The functions as the templates declare them: environment, image, alias, logs."""

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
    """Give the functions by name."""
    return resources(root, "AWS::Lambda::Function")


def environment(function):
    """Return a function's environment."""
    return function["Properties"]["Environment"]["Variables"]


def test_each_function_is_tested_here(functions):
    """Each function of the template has its settings here and its image in the scripts."""
    assert {*functions} == {*SETTINGS} == {*FUNCTIONS}


@pytest.mark.parametrize("name", [*SETTINGS])
def test_environment_is_what_the_settings_read(functions, name):
    """The environment has every setting and nothing else, and the settings can read it."""
    variables, model = environment(functions[name]), SETTINGS[name]
    assert {*variables} == {PREFIX + field.upper() for field in model.model_fields}
    assert model.read(variables).store == STORE


@pytest.mark.parametrize("name", ["PredictFunction", "FeedbackFunction"])
def test_environment_has_the_defaults_of_the_code(functions, name):
    """Numbers in the environment are the code's own defaults; the allowed origin does not exist."""
    settings = SETTINGS[name].read(environment(functions[name])).model_dump()
    defaults = SETTINGS[name]().model_dump()
    assert settings == defaults | {"store": STORE, "cors_origins": ("https://nobody.invalid",)}


@pytest.mark.parametrize("name", [*SETTINGS])
def test_image_is_a_target_of_the_dockerfile(templates, name):
    """A function names its build folder, without which SAM skips it, and a Dockerfile target."""
    metadata = templates["template.yaml"]["Resources"][name]["Metadata"]
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert metadata["DockerContext"] == "."
    assert metadata["Dockerfile"] == "Dockerfile"
    assert metadata["DockerBuildTarget"] in targets
    assert metadata["DockerBuildTarget"] == metadata["DockerTag"] == FUNCTIONS[name]


def test_training_image_is_a_target_too(resolved):
    """The job runs the image that `make deploy` pushes: the Dockerfile's last target."""
    job = resolved["infra/training.yaml"]["Resources"]["Job"]["Properties"]
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert targets[-1] == "training"
    assert job["ContainerProperties"]["Image"].endswith("/aisle-training:latest")


@pytest.mark.parametrize("name", [*SETTINGS])
def test_function_is_deployed_gradually(root, functions, name):
    """A new version first gets a tenth of the requests to the alias `live`; an alarm rolls back."""
    properties = functions[name]["Properties"]
    alias = root["Resources"][f"{name}Aliaslive"]
    group = root["Resources"][f"{name}DeploymentGroup"]["Properties"]
    assert (properties["PackageType"], properties["Architectures"]) == ("Image", ["x86_64"])
    assert alias["Properties"]["Name"] == "live"
    assert "CodeDeployLambdaAliasUpdate" in alias["UpdatePolicy"]
    assert group["AlarmConfiguration"]["Alarms"] == [{"Name": "<ApiFailing>"}]
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_retraining_is_triggered_by_feedback_and_daily(root, resolved):
    """Batches of new feedback trigger the retrain function, and a daily schedule without any."""
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
    """With default parameters, the policy is the code's default."""
    settings = RetrainFunctionSettings.read(environment(functions["RetrainFunction"]))
    assert settings.policy() == Policy()


def test_the_gateway_calls_the_alias(root):
    """Each route and the authorizer call the alias, not the latest version."""
    body = root["Resources"]["Api"]["Properties"]["Body"]
    called = re.findall(r"functions/(\S+?)/invocations", json.dumps(body))
    assert {*called} == {
        "<PredictFunctionAliaslive>",
        "<FeedbackFunctionAliaslive>",
        "<AuthorizerFunction.Arn>:live",
    }
    # The authorizer's alias is named without a reference, so only DependsOn orders its creation.
    assert "AuthorizerFunctionAliaslive" in root["Resources"]["Api"]["DependsOn"]


@pytest.mark.parametrize("name", [*SETTINGS])
def test_function_is_traced_and_logs_to_a_group(root, functions, name):
    """X-Ray is on, and the log group is one of the template's own."""
    properties = functions[name]["Properties"]
    group = properties["LoggingConfig"]["LogGroup"].strip("<>")
    assert properties["TracingConfig"] == {"Mode": "Active"}
    assert root["Resources"][group]["Type"] == "AWS::Logs::LogGroup"


def test_every_log_group_has_a_retention(resolved):
    """Every log expires."""
    retentions = {
        (name, logical): group["Properties"].get("RetentionInDays")
        for name, template in resolved.items()
        for logical, group in resources(template, "AWS::Logs::LogGroup").items()
    }
    assert len(retentions) == 6
    assert {*retentions.values()} == {30}
