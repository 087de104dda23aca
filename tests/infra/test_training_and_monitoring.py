"""Training on Batch, alarms and dashboard as they would be deployed."""

import json

import pytest

from tests.infra.templates import resources


@pytest.fixture
def training(resolved):
    """Give the resources of training."""
    return resolved["infra/training.yaml"]["Resources"]


@pytest.fixture
def monitoring(resolved):
    """Give the resources of monitoring."""
    return resolved["infra/monitoring.yaml"]["Resources"]


def test_nothing_runs_while_nothing_trains(training):
    """No machine is kept, there is no NAT gateway, and capacity is spot unless said otherwise."""
    machines = training["Machines"]["Properties"]["ComputeResources"]
    kinds = {each["Type"] for each in training.values()}
    assert (machines["MinvCpus"], machines["Type"]) == (0, "SPOT")
    assert "DesiredvCpus" not in machines
    assert not {"AWS::EC2::NatGateway", "AWS::EC2::EIP"} & kinds


def test_machines_reach_out_and_are_not_reached(training):
    """Machines have addresses in subnets of their own, with a way out, and let nobody in."""
    machines = training["Machines"]["Properties"]["ComputeResources"]
    for subnet in machines["Subnets"]:
        assert training[subnet.strip("<>")]["Properties"]["MapPublicIpOnLaunch"] is True
    assert training["RouteOut"]["Properties"]["GatewayId"] == "<Gateway>"
    assert "SecurityGroupIngress" not in training["NobodyIn"]["Properties"]


def test_the_job_runs_as_its_image_is_tried(training):
    """Read-only, as nobody, with only /tmp to write on, on the store of this stack."""
    job = training["Job"]["Properties"]
    container = job["ContainerProperties"]
    assert (container["User"], container["ReadonlyRootFilesystem"]) == ("993:990", True)
    assert container["LinuxParameters"]["Tmpfs"][0]["ContainerPath"] == "/tmp"  # noqa: S108
    assert container["Environment"] == [
        {"Name": "AISLE_STORE", "Value": "s3://aisle-data-123456789012-eu-west-1"}
    ]
    assert job["RetryStrategy"]["EvaluateOnExit"][-1] == {"OnReason": "*", "Action": "EXIT"}


def test_retraining_submits_what_there_is(root, training):
    """Queue and definition are called as function and role of whoever submits them say."""
    given = root["Resources"]["RetrainFunction"]["Properties"]["Environment"]["Variables"]
    assert given["AISLE_JOB_QUEUE"] == training["Queue"]["Properties"]["JobQueueName"]
    assert given["AISLE_JOB_DEFINITION"] == training["Job"]["Properties"]["JobDefinitionName"]
    assert training["Job"]["Properties"]["ContainerProperties"]["Command"] == ["retrain"]
    may = json.dumps(root["Resources"]["RetrainRole"])
    for kind, name in (("Queue", "JobQueueName"), ("Job", "JobDefinitionName")):
        assert f"/{training[kind]['Properties'][name]}" in may


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
    """The alarms that the templates have are those above."""
    assert {*alarms} == {*ALARMS}


@pytest.mark.parametrize("name", ALARMS)
def test_alarms_watch_and_tell(alarms, name):
    """Each alarm watches its metric, tells the topic, and is silent where there is no data."""
    alarm = alarms[name]["Properties"]
    namespace, metric = ALARMS[name]
    text = json.dumps(alarm)
    assert f'"{namespace}"' in text
    assert f'"{metric}"' in text
    assert alarm["AlarmActions"] == ["<Alarms>"]
    assert alarm["TreatMissingData"] == "notBreaching"


def test_latency_is_that_of_the_slowest_hundredth(alarms):
    """The alarm on latency is on p99."""
    assert alarms["Slow"]["Properties"]["ExtendedStatistic"] == "p99"


def test_alarms_name_what_there_is(root, resolved, alarms):
    """What alarms name instead of referring to it is called so."""
    queue = resolved["infra/storage.yaml"]["Resources"]["DeadLetters"]["Properties"]["QueueName"]
    api = root["Resources"]["Api"]["Properties"]["Name"]
    stage = root["Resources"]["ApiliveStage"]["Properties"]["StageName"]
    of_api = [{"Name": "ApiName", "Value": api}, {"Name": "Stage", "Value": stage}]
    assert alarms["ApiFailing"]["Properties"]["Dimensions"] == of_api
    assert alarms["Slow"]["Properties"]["Dimensions"] == of_api
    assert alarms["FeedbackUndelivered"]["Properties"]["Dimensions"] == [
        {"Name": "QueueName", "Value": queue}
    ]


def test_a_failed_job_is_told(training, monitoring):
    """Who is told of alarms is told of a failed job of this queue, and why it failed."""
    rule = monitoring["TrainingFailure"]["Properties"]
    (queue,) = rule["EventPattern"]["detail"]["jobQueue"]
    assert queue.endswith(f"/{training['Queue']['Properties']['JobQueueName']}")
    assert rule["Targets"][0]["Arn"] == "<Alarms>"
    assert "<reason>" in rule["Targets"][0]["InputTransformer"]["InputTemplate"]


def test_the_dashboard_can_be_read(monitoring):
    """The dashboard is JSON, with a title and metrics for each picture, none above another."""
    board = json.loads(monitoring["Dashboard"]["Properties"]["DashboardBody"])
    places = [(each["x"], each["y"]) for each in board["widgets"]]
    assert all(each["properties"]["title"] for each in board["widgets"])
    assert all(each["properties"]["metrics"] for each in board["widgets"])
    assert len({*places}) == len(places)
