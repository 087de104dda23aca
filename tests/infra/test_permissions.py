"""What each role may do, and nothing more."""

import json

import pytest

from aisle.store import layout
from tests.infra.templates import resources

DATA = "arn:aws:s3:::aisle-data-123456789012-eu-west-1"
BATCH = "arn:aws:batch:eu-west-1:123456789012"
X_RAY = "X-Ray has no resources: whoever may send, sends to the account"
LOGS = "the streams of one log group; its ARN ends so"

# Whatever ends in, or is, a star: each with the reason why it has to.
WILDCARDS = {
    ("PredictRole", "ReadModels", f"{DATA}/models/*"): "versions have no names beforehand",
    ("FeedbackRole", "AddFeedback", f"{DATA}/feedback/*"): "each event has a key of its own",
    ("RetrainRole", "ReadWhatItCounts", f"{DATA}/feedback/*"): "as above",
    ("RetrainRole", "SubmitTheJob", f"{BATCH}:job-definition/aisle-training:*"): "its revisions",
    ("JobRole", "UseTheStore", f"{DATA}/*"): "training has the store",
    ("JobRole", "ButNoKeys", "s3:*"): "a refusal",
    ("JobRole", "ButNoKeys", f"{DATA}/keys/*"): "a refusal",
} | {
    (f"{name}Role", "Trace", "*"): X_RAY
    for name in ("Predict", "Feedback", "Authorizer", "Retrain")
}
# Policies that AWS writes may have more: which are taken, and why.
MANAGED = {
    ("ApiLogsRole", "AmazonAPIGatewayPushToCloudWatchLogs"): "the one that API Gateway asks for",
    ("CodeDeployServiceRole", "AWSCodeDeployRoleForLambda"): "what SAM gives to deployments",
    ("MachineRole", "AmazonEC2ContainerServiceforEC2Role"): "the one that ECS's agent asks for",
}


@pytest.fixture(scope="module")
def roles(resolved):
    """Give every role of every template by its name."""
    return {
        name: role["Properties"]
        for template in resolved.values()
        for name, role in resources(template, "AWS::IAM::Role").items()
    }


def as_list(value):
    """Return one or many as many."""
    return value if isinstance(value, list) else [value]


def statements(role):
    """Return the statements of a role's own policies."""
    return [
        statement
        for policy in role.get("Policies", [])
        for statement in as_list(policy["PolicyDocument"]["Statement"])
    ]


def allowed(role):
    """Return what a role may do to what, but for its own logs and traces."""
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
                    ("s3:GetObject", f"{DATA}/{key}")
                    for key in (
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
def test_a_role_may_do_its_work_and_no_more(roles, role, may):
    """What a role may do is what its part of the work needs."""
    assert allowed(roles[role]) == may


@pytest.mark.parametrize(
    ("role", "condition"),
    [
        ("PredictRole", {"StringEquals": {"s3:prefix": layout.audit_prefix()}}),
        ("RetrainRole", {"StringLike": {"s3:prefix": f"{layout.feedback_prefix()}*"}}),
    ],
)
def test_a_role_lists_only_what_it_reads(roles, role, condition):
    """Who may list the bucket, but for training, may list one part of it."""
    (found,) = [each for each in statements(roles[role]) if each["Action"] == "s3:ListBucket"]
    assert found["Condition"] == condition


def test_training_may_not_see_keys(roles):
    """What is kept of API keys is refused to training, which has the rest of the store."""
    denied = [each for each in statements(roles["JobRole"]) if each["Effect"] == "Deny"]
    assert [(each["Action"], each["Resource"]) for each in denied] == [("s3:*", f"{DATA}/keys/*")]


def test_every_wildcard_has_its_reason(roles):
    """No role has a star that is not listed above with its reason, and none is listed in vain."""
    found = {
        (name, statement["Sid"], value)
        for name, role in roles.items()
        for statement in statements(role)
        for part in ("Action", "Resource", "NotAction", "NotResource")
        for value in as_list(statement.get(part, []))
        if "*" in value
    }
    assert found == {*WILDCARDS}


def test_policies_of_aws_are_few(roles):
    """No role has a policy that AWS writes but those listed above."""
    found = {
        (name, arn.rpartition("/")[2])
        for name, role in roles.items()
        for arn in role.get("ManagedPolicyArns", [])
    }
    assert found == {*MANAGED}


def test_no_function_has_a_role_of_sams(root):
    """Each function's role is one of the template's own, which logs to one place."""
    found = {
        name: each["Properties"]["Role"]
        for name, each in resources(root, "AWS::Lambda::Function").items()
    }
    assert found == {
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
    """Whom a resource lets in is a service of AWS, on behalf of this account or distribution."""
    found = [
        statement
        for template in resolved.values()
        for policy in resources(template, kind).values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert found
    for statement in found:
        assert statement["Effect"] == "Deny" or (
            [*statement["Principal"]] == ["Service"] and "aws:Source" in json.dumps(statement)
        )
