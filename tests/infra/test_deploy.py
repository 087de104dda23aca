"""What `make deploy` and `make destroy` do, against a fake AWS that records requests."""

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
    """Give an empty account that records requests."""
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
        "ListJobs": lambda arguments: {
            "jobSummaryList": [{"jobId": "job"}] if arguments["jobStatus"] == "RUNNING" else []
        },
    }
    return recorded


@pytest.fixture
def stacks(account):
    """Give the stacks of that account."""
    return CloudFormation(account, OUTPUTS)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Replace the bucket by a folder: other tests cover storing keys in S3."""
    folder = FolderStore(tmp_path / "store")
    monkeypatch.setattr(service_module, "open_store", lambda url: folder)
    return folder


class Outside:
    """Programs, and a service that answers; both record their calls."""

    def __init__(self, account, root):
        self.account = account
        self.root = root
        self.output = []
        self.requests = []
        self.pauses = []

    def run(self, command, *, stdin=None):
        """Record a program among the requests to AWS."""
        self.account.calls.append(("run " + " ".join(command), stdin))

    def ask(self, url, key):
        """Answer as the service does."""
        self.requests.append((url, key))
        return 200, PREDICTION


@pytest.fixture
def outside(account, tmp_path):
    """Give the outside world, with a page and the templates that the steps read."""
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
    """Give the function that makes a deployment in that account."""

    def make(**parameters):
        world = World(
            say=outside.output.append,
            run=outside.run,
            ask=outside.ask,
            pause=outside.pauses.append,
            root=outside.root,
            parameters=parameters,
        )
        return Service(NAMES, Session(), world)

    return make


def up(service):
    """Deploy it."""
    carry_out(service.up(), say=lambda _: None, dry_run=False)


def down(service):
    """Delete it."""
    carry_out(service.down(), say=lambda _: None, dry_run=False)


def first(account, *prefixes):
    """Return the index of the first call that starts with each prefix."""
    return [
        next(index for index, name in enumerate(account.operations) if name.startswith(prefix))
        for prefix in prefixes
    ]


def test_up_runs_in_order(account, deployment):
    """Deployment makes repositories, images, stack, training image, key, page, invalidation."""
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
    bootstrap, main = (
        index for index, name in enumerate(account.operations) if name == "CreateStack"
    )
    sam, docker = first(account, "run .venv-sam/bin/sam build", "run docker build")
    assert bootstrap < sam < main < docker


def test_stacks_are_created_from_their_templates(account, deployment):
    """The first stack gets its template as text, the second from the bucket of the first."""
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
    values = {item["ParameterKey"]: item["ParameterValue"] for item in main["Parameters"]}
    assert values["AlarmEmail"] == "me@example.com"
    assert values["SiteKey"].startswith("aisle_")


def test_images_go_to_their_repositories(account, deployment):
    """SAM gets a repository for each function; the training image is pushed with a password."""
    up(deployment())
    programs = {name: stdin for name, stdin in account.calls if name.startswith("run ")}
    (package,) = [name for name in programs if " package " in name]
    for function, image in (("Predict", "predict"), ("Feedback", "feedback")):
        assert f"--image-repositories {function}Function={REGISTRY}/aisle-{image}" in package
    assert f"AuthorizerFunction={REGISTRY}/aisle-feedback" in package
    assert f"--s3-bucket {NAMES.artifacts}" in package
    login = f"run docker login --username AWS --password-stdin {REGISTRY}"
    assert programs[login] == "a-password"
    assert f"run docker push {REGISTRY}/aisle-training:latest" in programs


def test_the_page_gets_a_key_of_its_own(account, deployment, store):
    """The stack's key is stored for the client `site`, with the lowest limits."""
    up(deployment())
    _, main = account.asked("CreateStack")
    values = {item["ParameterKey"]: item["ParameterValue"] for item in main["Parameters"]}
    site_key = values["SiteKey"]
    (record,), _ = keyring.read(store)
    assert api_keys.check((record,), site_key, now=record.created).client == "site"
    assert record.scopes == ("feedback", "predict")
    plan, key = account.asked("CreateUsagePlan")[0], account.asked("CreateApiKey")[0]
    assert plan["name"] == "aisle-a1b2c3d4e5-live-site"
    assert plan["apiStages"] == [{"apiId": "a1b2c3d4e5", "stage": "live"}]
    assert plan["throttle"] == {"rateLimit": 5, "burstLimit": 20}
    assert key["value"] == record.usage_id
    assert site_key not in str([call for call in account.calls if call[0] != "CreateStack"])


def test_a_second_deployment_keeps_the_key(account, deployment, store, stacks):
    """A second deployment keeps the stack's key and other parameters, and creates no key."""
    up(deployment(AlarmEmail="me@example.com"))
    account.calls.clear()
    up(deployment())
    _, main = account.asked("UpdateStack")
    assert main["Parameters"] == [
        {"ParameterKey": "AlarmEmail", "UsePreviousValue": True},
        {"ParameterKey": "SiteKey", "UsePreviousValue": True},
    ]
    assert len(account.asked("CreateApiKey")) == 1  # the smoke test's
    assert [key.client for key in keyring.read(store)[0]] == ["site"]


def test_a_revoked_key_of_the_page_is_replaced(account, deployment, store):
    """After its key is revoked, the next deployment gives the page another."""
    up(deployment())
    (record,), _ = keyring.read(store)
    keyring.edit(store, lambda keys: api_keys.revoke(keys, record.id, now=record.created))
    account.calls.clear()
    up(deployment())
    _, main = account.asked("UpdateStack")
    changed = {item["ParameterKey"] for item in main["Parameters"] if "ParameterValue" in item}
    assert "SiteKey" in changed
    assert [key.usable(record.created) for key in keyring.read(store)[0]] == [False, True]


def test_the_page_is_uploaded(account, deployment):
    """Upload puts files with their types and config.json in the bucket, and deletes old files."""
    up(deployment())
    objects = {
        request["Key"]: request
        for request in account.asked("PutObject")
        if request["Bucket"] == NAMES.site
    }
    assert {key: request["ContentType"].split(";")[0] for key, request in objects.items()} == {
        "index.html": "text/html",
        "js/app.js": "text/javascript",
        "config.json": "application/json",
    }
    assert {request["CacheControl"] for request in objects.values()} == {"no-cache"}
    assert json.loads(objects["config.json"]["Body"]) == {"api": ""}
    (deleted,) = account.asked("DeleteObjects")
    assert deleted["Bucket"] == NAMES.site
    assert deleted["Delete"]["Objects"] == [{"Key": "gone.html"}]
    (invalidated,) = account.asked("CreateInvalidation")
    assert invalidated["DistributionId"] == "E1"
    assert invalidated["InvalidationBatch"]["Paths"] == {"Quantity": 1, "Items": ["/*"]}


def test_the_comparison_is_uploaded_if_there_is_one(account, deployment, outside):
    """The output of `aisle compare --report benchmark` is uploaded with the page."""
    (outside.root / "training").mkdir()
    results = outside.root / "benchmark" / "results"
    results.mkdir(parents=True)
    (results / "comparison.json").write_text("{}")
    up(deployment())
    bodies = {request["Key"]: request["Body"] for request in account.asked("PutObject")}
    assert bodies["comparison.json"] == b"{}"


def test_without_a_page_the_api_is_deployed(account, deployment, outside):
    """Without static_site, deployment says so and uploads config.json only."""
    for path in sorted((outside.root / "static_site").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (outside.root / "static_site").rmdir()
    up(deployment())
    uploads = account.asked("PutObject")
    assert [request["Key"] for request in uploads if request["Bucket"] == NAMES.site] == [
        "config.json"
    ]
    assert any("static_site/ does not exist" in line for line in outside.output)


def test_the_smoke_test_asks_as_a_client_and_as_the_page(account, deployment, outside, store):
    """The smoke test calls the API with a new key, the page without one, and deletes the key."""
    account.answers["GetUsagePlans"] = [{"items": []}, {"items": []}, {"items": [PLAN]}]
    account.answers["GetApiKeys"] = {"items": [{"id": "key"}]}
    up(deployment())
    (api, key), (page, no_key) = outside.requests
    assert (api, page) == (
        "https://api.example/live/v1/predict",
        "https://page.example/v1/predict",
    )
    assert key.startswith("aisle_")
    assert no_key is None
    assert [record.client for record in keyring.read(store)[0]] == ["site"]
    assert account.asked("DeleteApiKey") == [{"apiKey": "key"}]
    assert account.asked("DeleteUsagePlan") == [{"usagePlanId": "plan"}]
    assert key not in "".join(outside.output)


def test_the_smoke_test_gives_up_after_five_minutes(account, deployment, outside, store):
    """Without a prediction within five minutes the smoke test fails, and still deletes its key."""
    outside.ask = lambda url, key: (403, b'{"detail": "not yet"}')
    with pytest.raises(CloudError, match=r"403 .*not yet"):
        up(deployment())
    assert sum(outside.pauses) == 300
    assert [record.client for record in keyring.read(store)[0]] == ["site"]


def test_addresses_are_printed(deployment, outside):
    """The last step prints the addresses, and how to create a key for them."""
    up(deployment())
    text = outside.output[-1]
    for address in ("https://page.example", "https://api.example/live", NAMES.store):
        assert address in text
    assert "AISLE_API=a1b2c3d4e5/live" in text


def test_roles_that_exist_are_left_alone(account, deployment):
    """AWS's own roles exist once per account; creating them again is no failure."""
    account.answers["CreateServiceLinkedRole"] = ("InvalidInput", "has been taken in this account")
    up(deployment())
    requests = account.asked("CreateServiceLinkedRole")
    assert [request["AWSServiceName"] for request in requests] == [
        "batch.amazonaws.com",
        "ecs.amazonaws.com",
        "spot.amazonaws.com",
    ]


def test_nothing_to_change_is_no_failure(account, deployment):
    """A stack that matches its template is left alone."""
    up(deployment())
    account.answers["UpdateStack"] = ("ValidationError", "No updates are to be performed.")
    up(deployment())


def test_a_stack_whose_creation_failed_is_replaced(account, deployment, stacks):
    """A stack whose first creation was rolled back is deleted, then created."""
    stacks.add("aisle-bootstrap", "ROLLBACK_COMPLETE")
    up(deployment())
    assert account.asked("DeleteStack") == [{"StackName": "aisle-bootstrap"}]
    assert account.asked("CreateStack")[0]["StackName"] == "aisle-bootstrap"


def test_a_failed_stack_names_its_cause_and_stops_the_deployment(account, deployment, stacks):
    """If a stack fails, the error names the failed resource, and no later step runs."""
    stacks.created_as["aisle-bootstrap"] = "ROLLBACK_COMPLETE"
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


def test_down_runs_in_order(account, deployment, stacks):
    """Deletion removes jobs, plans, page, stack, data and templates, and the images last."""
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
    deletions = [
        (name, arguments.get("StackName") or arguments.get("Bucket") or arguments.get("jobId"))
        for name, arguments in account.calls
        if name.startswith(("Delete", "Terminate")) and name != "DeleteApiKey"
    ]
    assert deletions == [
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
    """Deletion removes old versions and delete markers, with which S3 would keep the bucket."""
    up(deployment())
    account.calls.clear()
    down(deployment())
    requests = account.asked("DeleteObjects")
    (data,) = [request for request in requests if request["Bucket"] == NAMES.data]
    assert data["Delete"]["Objects"] == [
        {"Key": "a", "VersionId": "1"},
        {"Key": "b", "VersionId": "2"},
    ]


def test_an_object_that_s3_keeps_is_an_error(account, deployment):
    """S3 answers 200 even if it deletes nothing: the error names the object that it kept."""
    up(deployment())
    account.answers["DeleteObjects"] = {"Errors": [{"Key": "a", "Message": "Access Denied"}]}
    with pytest.raises(CloudError, match=r"a from the bucket aisle-site.*Access Denied"):
        down(deployment())


def test_down_is_idempotent(account, deployment):
    """Deleting what does not exist does nothing and does not fail."""
    for operation in ("ListObjectVersions", "DeleteBucket"):
        account.answers[operation] = ("NoSuchBucket", "The specified bucket does not exist")
    down(deployment())
    assert not {"DeleteStack", "TerminateJob", "DeleteUsagePlan"} & {*account.operations}


@pytest.mark.parametrize("command", ["up", "down"])
def test_dry_run_prints_all_steps_and_calls_nothing(account, deployment, command):
    """A dry run prints every step, and calls neither AWS nor a program."""
    output = []
    steps = getattr(deployment(), command)()
    carry_out(steps, say=output.append, dry_run=True)
    assert account.calls == []
    assert len(output) == len(steps)
    assert output[0].startswith(f"1/{len(steps)} ")


@pytest.mark.parametrize("name", ["", "a", "Aisle", "a_b", "1a", "a-", "a" * 21])
def test_names_that_no_bucket_can_have(name):
    """A stack's name that makes no valid bucket names is refused before anything is created."""
    with pytest.raises(ConfigurationError, match="2 to 20"):
        Names(name, "123456789012", "eu-west-1")


def test_the_longest_name_fits():
    """The longest stack name, in the region with the longest name, makes valid bucket names."""
    assert len(Names("a" * 20, "1" * 12, "ap-southeast-1").artifacts) <= 63
