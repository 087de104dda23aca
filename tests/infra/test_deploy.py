"""What `make deploy` and `make destroy` do, against a recorder of what AWS is asked."""

import base64
import json

import pytest

from aisle.access import api_keys, keyring
from aisle.errors import CloudError, ConfigurationError
from aisle.store import FolderStore
from infra.deploy import service as service_module
from infra.deploy.names import Names
from infra.deploy.plan import carry_out
from infra.deploy.service import Service, World
from infra.deploy.session import Session
from tests.infra.recorder import CloudFormation

NAMES = Names("aisle", "123456789012", "eu-west-1")
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
OUTPUTS = {
    "aisle": {
        "ApiId": "a1b2c3d4e5",
        "ApiUrl": "https://api.example/live",
        "Store": NAMES.store,
    },
    "aisle-Site": {"DistributionId": "E1", "SiteUrl": "https://page.example"},
}
PREDICTION = json.dumps({"category": {"path": [{"name": "Cameras"}]}}).encode()
PLAN = {"name": "aisle-a1b2c3d4e5-live-smoke-test", "id": "plan"}


@pytest.fixture
def account(recorded, monkeypatch):
    """Give an account in which nothing is, and record what is asked of it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    token = base64.b64encode(b"AWS:a-password").decode()
    recorded.answers |= {
        "GetAuthorizationToken": {"authorizationData": [{"authorizationToken": token}]},
        "GetUsagePlans": {"items": []},
        "GetApiKeys": {"items": []},
        "GetUsagePlanKeys": {"items": []},
        "CreateUsagePlan": {"id": "plan"},
        "CreateApiKey": {"id": "key"},
        "ListObjectsV2": {"Contents": [{"Key": "gone.html"}, {"Key": "index.html"}]},
        "ListObjectVersions": {
            "Versions": [{"Key": "a", "VersionId": "1"}],
            "DeleteMarkers": [{"Key": "b", "VersionId": "2"}],
        },
        "ListJobs": lambda given: {
            "jobSummaryList": [{"jobId": "job"}] if given["jobStatus"] == "RUNNING" else []
        },
    }
    return recorded


@pytest.fixture
def stacks(account):
    """Give the stacks of that account."""
    return CloudFormation(account, OUTPUTS)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Stand a folder in the place of the bucket: keys are kept by code that is tested elsewhere."""
    folder = FolderStore(tmp_path / "store")
    monkeypatch.setattr(service_module, "open_store", lambda url: folder)
    return folder


class Outside:
    """Programs, and a service that answers; both take note."""

    def __init__(self, account, root):
        self.account = account
        self.root = root
        self.said = []
        self.asked = []
        self.pauses = []

    def run(self, command, *, given=None):
        """Take note of a program among what AWS is asked."""
        self.account.calls.append(("run " + " ".join(command), given))

    def ask(self, url, key):
        """Answer as the service does."""
        self.asked.append((url, key))
        return 200, PREDICTION


@pytest.fixture
def outside(account, tmp_path):
    """Give what is outside, with a page and the templates that the steps read."""
    root = tmp_path / "root"
    for path, text in {
        "infra/bootstrap.yaml": "bootstrap",
        ".aws-sam/packaged.yaml": "packaged",
        "static_site/index.html": "<html>",
        "static_site/js/app.js": "x",
        "static_site/.DS_Store": "x",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Outside(account, root)


@pytest.fixture
def deployment(account, stacks, store, outside):
    """Make the service of that account."""

    def make(**parameters):
        world = World(
            say=outside.said.append,
            run=outside.run,
            ask=outside.ask,
            pause=outside.pauses.append,
            root=outside.root,
            parameters=parameters,
        )
        return Service(NAMES, Session(), world)

    return make


def up(service):
    """Bring it up."""
    carry_out(service.up(), say=lambda _: None, dry_run=False)


def down(service):
    """Take it down."""
    carry_out(service.down(), say=lambda _: None, dry_run=False)


def first(account, *wanted):
    """Return at which place of the record each operation, or program, is for the first time."""
    return [
        next(at for at, name in enumerate(account.operations) if name.startswith(each))
        for each in wanted
    ]


def test_up_goes_in_order(account, deployment):
    """Repositories, images, stack, training image, key, page, invalidation, smoke test."""
    up(deployment())
    order = first(
        account,
        "CreateServiceLinkedRole",
        "CreateStack",
        "run .venv-sam/bin/sam build",
        "run .venv-sam/bin/sam package",
        "PutObject",
        "run docker build",
        "run docker login",
        "run docker push",
        "CreateApiKey",
        "ListObjectsV2",
        "CreateInvalidation",
    )
    assert order == sorted(order)
    created = [at for at, name in enumerate(account.operations) if name == "CreateStack"]
    sam, docker = first(account, "run .venv-sam/bin/sam build", "run docker build")
    assert created[0] < sam < created[1] < docker


def test_stacks_are_made_of_their_templates(account, deployment):
    """The first stack has its text, the second is taken from the bucket of the first."""
    up(deployment(AlarmEmail="me@example.com"))
    bootstrap, main = account.asked("CreateStack")
    template, *_ = account.asked("PutObject")
    assert (bootstrap["StackName"], bootstrap["TemplateBody"]) == ("aisle-bootstrap", "bootstrap")
    assert bootstrap["Parameters"] == [{"ParameterKey": "Name", "ParameterValue": "aisle"}]
    assert (template["Bucket"], template["Body"]) == (NAMES.artifacts, b"packaged")
    assert main["TemplateURL"].endswith(
        f"{NAMES.artifacts}.s3.eu-west-1.amazonaws.com/template.yaml"
    )
    assert {*main["Capabilities"]} == {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}
    given = {each["ParameterKey"]: each["ParameterValue"] for each in main["Parameters"]}
    assert given["AlarmEmail"] == "me@example.com"
    assert given["SiteKey"].startswith("aisle_")


def test_images_go_to_their_repositories(account, deployment):
    """SAM is told a repository for each function; the training image is pushed with a password."""
    up(deployment())
    programs = {name: given for name, given in account.calls if name.startswith("run ")}
    (package,) = [name for name in programs if " package " in name]
    for function, image in (("Predict", "predict"), ("Feedback", "feedback")):
        assert f"--image-repositories {function}Function={REGISTRY}/aisle-{image}" in package
    assert f"AuthorizerFunction={REGISTRY}/aisle-feedback" in package
    assert f"--s3-bucket {NAMES.artifacts}" in package
    login = f"run docker login --username AWS --password-stdin {REGISTRY}"
    assert programs[login] == "a-password"
    assert f"run docker push {REGISTRY}/aisle-training:latest" in programs


def test_the_page_gets_a_key_of_its_own(account, deployment, store):
    """The stack's key is kept as the client `site`, with the lowest limits."""
    up(deployment())
    _, main = account.asked("CreateStack")
    sent = {each["ParameterKey"]: each["ParameterValue"] for each in main["Parameters"]}["SiteKey"]
    (record,), _ = keyring.read(store)
    assert api_keys.check((record,), sent, now=record.created).client == "site"
    assert record.scopes == ("feedback", "predict")
    plan, key = account.asked("CreateUsagePlan")[0], account.asked("CreateApiKey")[0]
    assert plan["name"] == "aisle-a1b2c3d4e5-live-site"
    assert plan["apiStages"] == [{"apiId": "a1b2c3d4e5", "stage": "live"}]
    assert plan["throttle"] == {"rateLimit": 5, "burstLimit": 20}
    assert key["value"] == record.usage_id
    assert sent not in str([call for call in account.calls if call[0] != "CreateStack"])


def test_a_second_deployment_keeps_the_key(account, deployment, store, stacks):
    """Deployed again, the stack keeps its key and other parameters, and no key is made."""
    up(deployment(AlarmEmail="me@example.com"))
    account.calls.clear()
    up(deployment())
    _, main = account.asked("UpdateStack")
    assert main["Parameters"] == [
        {"ParameterKey": "AlarmEmail", "UsePreviousValue": True},
        {"ParameterKey": "SiteKey", "UsePreviousValue": True},
    ]
    assert len(account.asked("CreateApiKey")) == 1  # the smoke test's
    assert [each.client for each in keyring.read(store)[0]] == ["site"]


def test_a_revoked_key_of_the_page_is_replaced(account, deployment, store):
    """Once its key is revoked, the next deployment gives the page another."""
    up(deployment())
    (record,), _ = keyring.read(store)
    keyring.edit(store, lambda known: api_keys.revoke(known, record.id, now=record.created))
    account.calls.clear()
    up(deployment())
    _, main = account.asked("UpdateStack")
    assert "SiteKey" in {e["ParameterKey"] for e in main["Parameters"] if "ParameterValue" in e}
    assert [each.usable(record.created) for each in keyring.read(store)[0]] == [False, True]


def test_the_page_is_uploaded(account, deployment):
    """Files, with their types, and config.json are in the bucket; what is no more, is deleted."""
    up(deployment())
    put = {each["Key"]: each for each in account.asked("PutObject") if each["Bucket"] == NAMES.site}
    assert {key: each["ContentType"].split(";")[0] for key, each in put.items()} == {
        "index.html": "text/html",
        "js/app.js": "text/javascript",
        "config.json": "application/json",
    }
    assert {each["CacheControl"] for each in put.values()} == {"no-cache"}
    assert json.loads(put["config.json"]["Body"]) == {"api": ""}
    (deleted,) = account.asked("DeleteObjects")
    assert deleted["Bucket"] == NAMES.site
    assert deleted["Delete"]["Objects"] == [{"Key": "gone.html"}]
    (invalidated,) = account.asked("CreateInvalidation")
    assert invalidated["DistributionId"] == "E1"
    assert invalidated["InvalidationBatch"]["Paths"] == {"Quantity": 1, "Items": ["/*"]}


def test_the_comparison_is_uploaded_where_there_is_one(account, deployment, outside):
    """What `aisle compare --report benchmark` wrote stands beside the page."""
    (outside.root / "training").mkdir()
    results = outside.root / "benchmark" / "results"
    results.mkdir(parents=True)
    (results / "comparison.json").write_text("{}")
    up(deployment())
    put = {each["Key"]: each["Body"] for each in account.asked("PutObject")}
    assert put["comparison.json"] == b"{}"


def test_without_a_page_the_api_is_deployed(account, deployment, outside):
    """Where there is no static_site, that is said, and config.json is all that is uploaded."""
    for path in sorted((outside.root / "static_site").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (outside.root / "static_site").rmdir()
    up(deployment())
    assert [e["Key"] for e in account.asked("PutObject") if e["Bucket"] == NAMES.site] == [
        "config.json"
    ]
    assert any("no static_site/" in each for each in outside.said)


def test_the_smoke_test_asks_as_a_client_and_as_the_page(account, deployment, outside, store):
    """The API is asked with a fresh key, the page's address without, and the key is gone after."""
    account.answers["GetUsagePlans"] = [{"items": []}, {"items": []}, {"items": [PLAN]}]
    account.answers["GetApiKeys"] = {"items": [{"id": "key"}]}
    up(deployment())
    (api, key), (page, none) = outside.asked
    assert (api, page) == (
        "https://api.example/live/v1/predict",
        "https://page.example/v1/predict",
    )
    assert key.startswith("aisle_")
    assert none is None
    assert [each.client for each in keyring.read(store)[0]] == ["site"]
    assert account.asked("DeleteApiKey") == [{"apiKey": "key"}]
    assert account.asked("DeleteUsagePlan") == [{"usagePlanId": "plan"}]
    assert key not in "".join(outside.said)


def test_the_smoke_test_is_patient_but_not_for_ever(account, deployment, outside, store):
    """What does not answer is asked for five minutes, then told; the key is gone all the same."""
    outside.ask = lambda url, key: (403, b'{"detail": "not yet"}')
    with pytest.raises(CloudError, match=r"403 .*not yet"):
        up(deployment())
    assert sum(outside.pauses) == 300
    assert [each.client for each in keyring.read(store)[0]] == ["site"]


def test_addresses_are_told(deployment, outside):
    """In the end it says where everything is, and how to make a key that works there."""
    up(deployment())
    said = outside.said[-1]
    for each in ("https://page.example", "https://api.example/live", NAMES.store):
        assert each in said
    assert "AISLE_API=a1b2c3d4e5/live" in said


def test_roles_that_are_there_do_no_harm(account, deployment):
    """AWS's own roles are asked for once an account; later they are there already."""
    account.answers["CreateServiceLinkedRole"] = ("InvalidInput", "has been taken in this account")
    up(deployment())
    assert [each["AWSServiceName"] for each in account.asked("CreateServiceLinkedRole")] == [
        "batch.amazonaws.com",
        "ecs.amazonaws.com",
        "spot.amazonaws.com",
    ]


def test_nothing_to_change_is_no_failure(account, deployment):
    """A stack that is as its template has it is left so."""
    up(deployment())
    account.answers["UpdateStack"] = ("ValidationError", "No updates are to be performed.")
    up(deployment())


def test_a_stillborn_stack_is_begun_anew(account, deployment, stacks):
    """A stack whose first creation was rolled back is deleted, then created."""
    stacks.has("aisle-bootstrap", "ROLLBACK_COMPLETE")
    up(deployment())
    assert account.asked("DeleteStack") == [{"StackName": "aisle-bootstrap"}]
    assert account.asked("CreateStack")[0]["StackName"] == "aisle-bootstrap"


def test_a_failure_tells_its_cause_and_ends_it(account, deployment, stacks):
    """Where a stack fails, what failed in it is told, and nothing that comes later is done."""
    stacks.fate["aisle-bootstrap"] = "ROLLBACK_COMPLETE"
    account.answers["DescribeStackEvents"] = {
        "StackEvents": [
            {
                "LogicalResourceId": "Predict",
                "ResourceStatus": "CREATE_FAILED",
                "ResourceStatusReason": "no room",
            },
            {"ResourceStatusReason": "User Initiated"},
            {
                "LogicalResourceId": "Old",
                "ResourceStatus": "CREATE_FAILED",
                "ResourceStatusReason": "long ago",
            },
        ]
    }
    with pytest.raises(CloudError, match="Predict: no room") as error:
        up(deployment())
    assert "long ago" not in str(error.value)
    assert not [name for name in account.operations if name.startswith("run ")]


def test_down_goes_in_order(account, deployment, stacks):
    """Jobs, plans, the page, the stack, the data, the templates, and the images last."""
    up(deployment())
    account.calls.clear()
    account.answers["GetUsagePlans"] = {
        "items": [
            {"name": "aisle-a1b2c3d4e5-live-site", "id": "plan"},
            {"name": "another's", "id": "other"},
        ]
    }
    account.answers["GetApiKeys"] = {"items": [{"id": "key"}]}
    down(deployment())
    asked = [
        (name, given.get("StackName") or given.get("Bucket") or given.get("jobId"))
        for name, given in account.calls
        if name.startswith(("Delete", "Terminate")) and name != "DeleteApiKey"
    ]
    assert asked == [
        ("TerminateJob", "job"),
        ("DeleteUsagePlan", None),
        ("DeleteObjects", NAMES.site),
        ("DeleteStack", "aisle"),
        ("DeleteObjects", NAMES.data),
        ("DeleteBucket", NAMES.data),
        ("DeleteObjects", NAMES.artifacts),
        ("DeleteStack", "aisle-bootstrap"),
    ]
    assert account.asked("DeleteUsagePlan") == [{"usagePlanId": "plan"}]
    assert account.asked("DeleteApiKey") == [{"apiKey": "key"}]
    (patch,) = account.asked("UpdateUsagePlan")
    assert patch["patchOperations"] == [
        {"op": "remove", "path": "/apiStages", "value": "a1b2c3d4e5:live"}
    ]


def test_down_deletes_every_version(account, deployment):
    """Old versions and the marks of deleted ones go too: a bucket that has any stays."""
    up(deployment())
    account.calls.clear()
    down(deployment())
    (data,) = [each for each in account.asked("DeleteObjects") if each["Bucket"] == NAMES.data]
    assert data["Delete"]["Objects"] == [
        {"Key": "a", "VersionId": "1"},
        {"Key": "b", "VersionId": "2"},
    ]


def test_what_cannot_be_deleted_is_told(account, deployment):
    """S3 answers 200 for objects that it did not delete: they are named."""
    up(deployment())
    account.answers["DeleteObjects"] = {"Errors": [{"Key": "a", "Message": "Access Denied"}]}
    with pytest.raises(CloudError, match=r"a from the bucket aisle-site.*Access Denied"):
        down(deployment())


def test_down_twice_is_down(account, deployment):
    """Where nothing is left, there is nothing to do, and no failure."""
    for operation in ("ListObjectVersions", "DeleteBucket"):
        account.answers[operation] = ("NoSuchBucket", "The specified bucket does not exist")
    down(deployment())
    assert not {"DeleteStack", "TerminateJob", "DeleteUsagePlan"} & {*account.operations}


@pytest.mark.parametrize("way", ["up", "down"])
def test_dry_run_says_all_and_asks_nothing(account, deployment, way):
    """The plan has every step in words, and neither AWS nor a program is asked."""
    said = []
    steps = getattr(deployment(), way)()
    carry_out(steps, say=said.append, dry_run=True)
    assert account.calls == []
    assert len(said) == len(steps)
    assert said[0].startswith(f"1/{len(steps)} ")


@pytest.mark.parametrize("name", ["", "a", "Aisle", "a_b", "1a", "a-", "a" * 21])
def test_names_that_no_bucket_can_have(name):
    """A stack's name that would not do for buckets is refused before anything is made."""
    with pytest.raises(ConfigurationError, match="2 to 20"):
        Names(name, "123456789012", "eu-west-1")


def test_the_longest_name_fits():
    """The longest stack's name, in the region with the longest, still makes names of buckets."""
    assert len(Names("a" * 20, "1" * 12, "ap-southeast-1").artifacts) <= 63
