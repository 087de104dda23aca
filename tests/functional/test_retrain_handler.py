"""The retrain function's real handler, on events as SQS and EventBridge send them.

AWS Batch is a stand-in that records the requests: it knows neither queues nor permissions.
"""

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from aisle.errors import CloudError
from aisle.store import FolderStore, layout, lease
from retrain.batch import job_on_batch
from tests.lambda_runtime import call, event

SETTINGS = {
    "AISLE_JOB_QUEUE": "aisle-training",
    "AISLE_JOB_DEFINITION": "aisle-training",
    "AISLE_RETRAIN_NEEDED": "3",
}
NOTING = """
import boto3
class Batch:
    def submit_job(self, **asked):
        import json
        print("submitted: " + json.dumps(asked), flush=True)
boto3.client = lambda service, known={"batch": Batch()}: known[service]
"""
REFUSING = """
import boto3
class Batch:
    def submit_job(self, **asked):
        from botocore.exceptions import EndpointConnectionError
        raise EndpointConnectionError(endpoint_url="https://batch")
boto3.client = lambda service, batch=Batch(): batch
"""


def say(store, *names):
    """Store corrections of products."""
    now = datetime.now(UTC)
    for at, name in enumerate(names):
        facts = {
            "client": "shop",
            "product": {"name": name},
            "received": now.isoformat(),
            "category": {"id": "x"},
        }
        key = layout.feedback_event(now.date(), f"{at:064x}")
        store.put(key, json.dumps(facts).encode())


def submitted(calls):
    """Return the jobs that were submitted to Batch."""
    lines = [line for line in calls.text.splitlines() if line.startswith("submitted: ")]
    return [json.loads(line.removeprefix("submitted: ")) for line in lines]


@pytest.mark.parametrize("name", ["new_feedback", "schedule"])
def test_one_job_is_submitted_where_it_is_due(tmp_path, name):
    """Whatever calls it, and however often, one job is submitted, with its run and reason."""
    store = FolderStore(tmp_path)
    say(store, "tv 1", "tv 2", "tv 3")
    asked = event(name)
    calls = call(
        "retrain.handler", asked, asked, setup=NOTING, AISLE_STORE=str(tmp_path), **SETTINGS
    )
    (job,) = submitted(calls)
    first, second = calls.answers
    assert (first["started"], second["started"]) == (True, False)
    run = first["run"]
    assert lease.read(store)[0].run == run
    assert job == {
        "jobName": f"retrain-{run}",
        "jobQueue": "aisle-training",
        "jobDefinition": "aisle-training",
        "containerOverrides": {"command": ["retrain", "--run", run, "--why", first["why"]]},
    }
    assert run in second["why"]
    assert calls.metrics["RetrainingStarted"] == [1, 0]
    assert calls.metrics["NewlyCorrected"] == [3, 3]
    assert any(first["why"] in line["message"] for line in calls.messages("INFO"))


def test_what_is_not_due_submits_nothing(tmp_path):
    """Too few corrections submit nothing; the reason is in the store and in the log."""
    store = FolderStore(tmp_path)
    say(store, "tv 1", "TV 1")
    asked = event("new_feedback")
    calls = call("retrain.handler", asked, setup=NOTING, AISLE_STORE=str(tmp_path), **SETTINGS)
    assert submitted(calls) == []
    told = json.loads(store.get(layout.feedback_state()).data)
    assert (told["new"], told["last"]["started"]) == (1, False)
    assert told["why"] in calls.text


def test_a_job_that_cannot_be_submitted_is_tried_again(tmp_path):
    """Where Batch refuses, the call fails, so that the queue sends its events again."""
    store = FolderStore(tmp_path)
    say(store, "tv 1", "tv 2", "tv 3")
    asked = event("new_feedback")
    where = {"AISLE_STORE": str(tmp_path)} | SETTINGS
    (answer,) = call("retrain.handler", asked, setup=REFUSING, **where).answers
    assert answer["errorType"] == "CloudError"
    (again,) = call("retrain.handler", asked, setup=NOTING, **where).answers
    assert again["started"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"AISLE_STORE": "ftp://shelf"} | SETTINGS, "ftp://shelf"),
        ({"AISLE_JOB_QUEUE": "x"}, "AISLE_JOB_DEFINITION"),
        (SETTINGS | {"AISLE_RETRAIN_NEEDED": "many"}, "AISLE_RETRAIN_NEEDED"),
    ],
)
def test_a_bad_configuration_is_named(settings, named):
    """An unusable setting is named, and nothing is decided."""
    (answer,) = call("retrain.handler", event("schedule"), setup=NOTING, **settings).answers
    assert named in answer["errorMessage"]


def test_the_job_is_what_batch_takes():
    """The request fits the SDK's description of AWS Batch; a refusal is an AisleError."""
    batch = boto3.client(
        "batch", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    submit = job_on_batch("queue", "definition", batch)
    with Stubber(batch) as stub:
        stub.add_response("submit_job", {"jobName": "retrain-r1", "jobId": "1"})
        submit("r1", "Due: 50 products newly corrected.")
        stub.add_client_error("submit_job", "ClientException", "no such queue")
        with pytest.raises(CloudError, match="no such queue"):
            submit("r2", "Due.")
