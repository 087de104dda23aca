"""The permissions of each role: what it needs, and no more."""

import json

import pytest

from aisle.store import layout
from tests.infra.templates import resources

DATA = "arn:aws:s3:::aisle-data-123456789012-eu-west-1"
BATCH = "arn:aws:batch:eu-west-1:123456789012"
X_RAY = "X-Ray has no resources: permission to send covers the account"

# Every value with a wildcard, and why it needs one.
WILDCARDS = {
    ("PredictRole", "ReadModels", f"{DATA}/models/*"): "versions are not known in advance",
    ("FeedbackRole", "AddFeedback", f"{DATA}/feedback/*"): "each event is an object of its own",
    ("RetrainRole", "ReadWhatItCounts", f"{DATA}/feedback/*"): "as above",
    ("RetrainRole", "SubmitTheJob", f"{BATCH}:job-definition/aisle-training:*"): "its revisions",
    ("JobRole", "UseTheStore", f"{DATA}/*"): "training uses the whole store",
    ("JobRole", "ButNoKeys", "s3:*"): "a denial",
    ("JobRole", "ButNoKeys", f"{DATA}/keys/*"): "a denial",
} | {
    (f"{name}Role", "Trace", "*"): X_RAY
    for name in ("Predict", "Feedback", "Authorizer", "Retrain")
}
# AWS's managed policies may allow more than needed: the ones in use, and why.
MANAGED = {
    ("ApiLogsRole", "AmazonAPIGatewayPushToCloudWatchLogs"): "the one that API Gateway requires",
    ("CodeDeployServiceRole", "AWSCodeDeployRoleForLambda"): "SAM attaches it for deployments",
    ("MachineRole", "AmazonEC2ContainerServiceforEC2Role"): "the one that ECS's agent requires",
}


@pytest.fixture(scope="module")
def roles(resolved):
    """Give every role of every template by name."""
    return {
        name: role["Properties"]
        for template in resolved.values()
        for name, role in resources(template, "AWS::IAM::Role").items()
    }


def as_list(value):
    """Wrap a single value in a list."""
    return value if isinstance(value, list) else [value]


def statements(role):
    """Return the statements of a role's own policies."""
    return [
        statement
        for policy in role.get("Policies", [])
        for statement in as_list(policy["PolicyDocument"]["Statement"])
    ]


def allowed(role):
    """Return each action and resource that a role allows, except its own logs and traces."""
    return {
        (action, resource)
        for statement in statements(role)
        if statement["Effect"] == "Allow" and statement["Sid"] not in {"Log", "Trace"}
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("PredictRole", {("s3:GetObject", f"{DATA}/models/*"), ("s3:ListBucket", DATA)}),
        ("FeedbackRole", {("s3:PutObject", f"{DATA}/feedback/*")}),
        ("AuthorizerRole", {("s3:GetObject", f"{DATA}/keys/keys.json")}),
        (
            "RetrainRole",
            {
                ("s3:GetObject", f"{DATA}/feedback/*"),
                *(
                    ("s3:GetObject", f"{DATA}/{name}")
                    for name in (
                        layout.current_model(),
                        layout.feedback_state(),
                        layout.processed_feedback(),
                        layout.training_lock(),
                        layout.training_status(),
                    )
                ),
                ("s3:PutObject", f"{DATA}/{layout.feedback_state()}"),
                ("s3:PutObject", f"{DATA}/{layout.training_lock()}"),
                ("s3:ListBucket", DATA),
                ("batch:SubmitJob", f"{BATCH}:job-queue/aisle-training"),
                ("batch:SubmitJob", f"{BATCH}:job-definition/aisle-training"),
                ("batch:SubmitJob", f"{BATCH}:job-definition/aisle-training:*"),
                ("sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:123456789012:aisle-feedback"),
                ("sqs:DeleteMessage", "arn:aws:sqs:eu-west-1:123456789012:aisle-feedback"),
                ("sqs:GetQueueAttributes", "arn:aws:sqs:eu-west-1:123456789012:aisle-feedback"),
            },
        ),
        (
            "JobRole",
            {
                ("s3:GetObject", f"{DATA}/*"),
                ("s3:PutObject", f"{DATA}/*"),
                ("s3:DeleteObject", f"{DATA}/*"),
                ("s3:ListBucket", DATA),
            },
        ),
    ],
)
def test_a_role_has_the_permissions_it_needs(roles, role, may):
    """A role allows exactly what its work needs."""
    assert allowed(roles[role]) == may


@pytest.mark.parametrize(
    ("role", "condition"),
    [
        ("PredictRole", {"StringEquals": {"s3:prefix": layout.audit_prefix()}}),
        ("RetrainRole", {"StringLike": {"s3:prefix": f"{layout.feedback_prefix()}*"}}),
    ],
)
def test_a_role_lists_only_what_it_reads(roles, role, condition):
    """A role that may list the bucket, except training's, may list one prefix of it."""
    (statement,) = [
        statement for statement in statements(roles[role]) if statement["Action"] == "s3:ListBucket"
    ]
    assert statement["Condition"] == condition


def test_training_may_not_see_keys(roles):
    """Training may use the whole store except the records of API keys."""
    (denial,) = [
        statement for statement in statements(roles["JobRole"]) if statement["Effect"] == "Deny"
    ]
    assert (denial["Action"], denial["Resource"]) == ("s3:*", f"{DATA}/keys/*")


def test_every_wildcard_has_its_reason(roles):
    """The wildcards of the roles are those listed above with their reasons."""
    wildcards = {
        (name, statement["Sid"], value)
        for name, role in roles.items()
        for statement in statements(role)
        for part in ("Action", "Resource", "NotAction", "NotResource")
        for value in as_list(statement.get(part, []))
        if "*" in value
    }
    assert wildcards == {*WILDCARDS}


def test_managed_policies_are_few(roles):
    """The managed policies of the roles are those listed above."""
    managed = {
        (name, arn.rpartition("/")[2])
        for name, role in roles.items()
        for arn in role.get("ManagedPolicyArns", [])
    }
    assert managed == {*MANAGED}


def test_no_function_has_a_role_generated_by_sam(root):
    """Each function has its own role from the template, which may log to one group only."""
    functions = resources(root, "AWS::Lambda::Function")
    roles = {name: function["Properties"]["Role"] for name, function in functions.items()}
    assert roles == {
        "PredictFunction": "<PredictRole.Arn>",
        "FeedbackFunction": "<FeedbackRole.Arn>",
        "AuthorizerFunction": "<AuthorizerRole.Arn>",
        "RetrainFunction": "<RetrainRole.Arn>",
    }


@pytest.mark.parametrize(
    "kind",
    ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"],
)
def test_nothing_is_open_to_everyone(resolved, kind):
    """A resource policy admits AWS services only, on behalf of this account or distribution."""
    policy_statements = [
        statement
        for template in resolved.values()
        for policy in resources(template, kind).values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert policy_statements
    for statement in policy_statements:
        assert statement["Effect"] == "Deny" or (
            [*statement["Principal"]] == ["Service"] and "aws:Source" in json.dumps(statement)
        )
