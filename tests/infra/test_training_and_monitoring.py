"""Training on Batch, alarms and dashboard as the templates declare them."""

import json

import pytest

from tests.infra.templates import resources


@pytest.fixture
def training(resolved):
    """Give the resources of the training stack."""
    return resolved["infra/training.yaml"]["Resources"]


@pytest.fixture
def monitoring(resolved):
    """Give the resources of the monitoring stack."""
    return resolved["infra/monitoring.yaml"]["Resources"]


def test_nothing_runs_between_training_jobs(training):
    """No machine runs when idle, there is no NAT gateway, and capacity is spot by default."""
    machines = training["Machines"]["Properties"]["ComputeResources"]
    kinds = {resource["Type"] for resource in training.values()}
    assert (machines["MinvCpus"], machines["Type"]) == (0, "SPOT")
    assert "DesiredvCpus" not in machines
    assert not {"AWS::EC2::NatGateway", "AWS::EC2::EIP"} & kinds


def test_machines_make_outgoing_connections_only(training):
    """Machines have public addresses and a route out, and accept no incoming connections."""
    machines = training["Machines"]["Properties"]["ComputeResources"]
    for subnet in machines["Subnets"]:
        assert training[subnet.strip("<>")]["Properties"]["MapPublicIpOnLaunch"] is True
    assert training["RouteOut"]["Properties"]["GatewayId"] == "<Gateway>"
    assert "SecurityGroupIngress" not in training["NobodyIn"]["Properties"]


def test_the_job_runs_as_the_container_tests_run_it(training):
    """The job runs read-only and unprivileged, with only /tmp writable, on this stack's store."""
    job = training["Job"]["Properties"]
    container = job["ContainerProperties"]
    assert (container["User"], container["ReadonlyRootFilesystem"]) == ("993:990", True)
    assert container["LinuxParameters"]["Tmpfs"][0]["ContainerPath"] == "/tmp"  # noqa: S108
    assert container["Environment"] == [
        {"Name": "AISLE_STORE", "Value": "s3://aisle-data-123456789012-eu-west-1"}
    ]
    assert job["RetryStrategy"]["EvaluateOnExit"][-1] == {"OnReason": "*", "Action": "EXIT"}


def test_retraining_names_the_jobs_queue_and_definition(root, training):
    """The retrain function and its role name the queue and definition of the training stack."""
    variables = root["Resources"]["RetrainFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["AISLE_JOB_QUEUE"] == training["Queue"]["Properties"]["JobQueueName"]
    assert variables["AISLE_JOB_DEFINITION"] == training["Job"]["Properties"]["JobDefinitionName"]
    assert training["Job"]["Properties"]["ContainerProperties"]["Command"] == ["retrain"]
    role = json.dumps(root["Resources"]["RetrainRole"])
    for resource, name in (("Queue", "JobQueueName"), ("Job", "JobDefinitionName")):
        assert f"/{training[resource]['Properties'][name]}" in role


ALARMS = {
    "ApiFailing": ("AWS/ApiGateway", "5XXError"),
    "Slow": ("AWS/ApiGateway", "Latency"),
    "Throttled": ("AWS/Lambda", "Throttles"),
    "ModelRefused": ("Aisle", "ModelRefused"),
    "FeedbackUndelivered": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    "RetrainFailing": ("AWS/Lambda", "Errors"),
    "TrainingFailed": ("AWS/Events", "TriggeredRules"),
}


@pytest.fixture
def alarms(root, monitoring):
    """Give every alarm."""
    return resources({"Resources": root["Resources"] | monitoring}, "AWS::CloudWatch::Alarm")


def test_each_alarm_is_tested_here(alarms):
    """The templates have the alarms above, and no others."""
    assert {*alarms} == {*ALARMS}


@pytest.mark.parametrize("name", ALARMS)
def test_alarms_watch_and_notify(alarms, name):
    """Each alarm watches its metric, notifies the topic, and is silent without data."""
    alarm = alarms[name]["Properties"]
    namespace, metric = ALARMS[name]
    text = json.dumps(alarm)
    assert f'"{namespace}"' in text
    assert f'"{metric}"' in text
    assert alarm["AlarmActions"] == ["<Alarms>"]
    assert alarm["TreatMissingData"] == "notBreaching"


def test_the_latency_alarm_uses_the_99th_percentile(alarms):
    """The alarm on latency is on p99."""
    assert alarms["Slow"]["Properties"]["ExtendedStatistic"] == "p99"


def test_alarms_use_existing_names(root, resolved, alarms):
    """Resources that alarms name without a reference have these names."""
    queue = resolved["infra/storage.yaml"]["Resources"]["DeadLetters"]["Properties"]["QueueName"]
    api = root["Resources"]["Api"]["Properties"]["Name"]
    stage = root["Resources"]["ApiliveStage"]["Properties"]["StageName"]
    of_api = [{"Name": "ApiName", "Value": api}, {"Name": "Stage", "Value": stage}]
    assert alarms["ApiFailing"]["Properties"]["Dimensions"] == of_api
    assert alarms["Slow"]["Properties"]["Dimensions"] == of_api
    assert alarms["FeedbackUndelivered"]["Properties"]["Dimensions"] == [
        {"Name": "QueueName", "Value": queue}
    ]


def test_a_failed_job_is_reported(training, monitoring):
    """The alarm topic gets a message about each failed job of this queue, with the reason."""
    rule = monitoring["TrainingFailure"]["Properties"]
    (queue,) = rule["EventPattern"]["detail"]["jobQueue"]
    assert queue.endswith(f"/{training['Queue']['Properties']['JobQueueName']}")
    assert rule["Targets"][0]["Arn"] == "<Alarms>"
    assert "<reason>" in rule["Targets"][0]["InputTransformer"]["InputTemplate"]


def test_the_dashboard_is_valid(monitoring):
    """The dashboard is JSON; each widget has a title, metrics and a place of its own."""
    widgets = json.loads(monitoring["Dashboard"]["Properties"]["DashboardBody"])["widgets"]
    assert all(widget["properties"]["title"] for widget in widgets)
    assert all(widget["properties"]["metrics"] for widget in widgets)
    assert len({(widget["x"], widget["y"]) for widget in widgets}) == len(widgets)
