"""Buckets, the queue and CloudFront as they would be deployed."""

import pytest

from infra.deploy.names import Names
from tests.infra.templates import resources

NAMES = Names("aisle", "123456789012", "eu-west-1")
BUCKETS = {
    ("infra/bootstrap.yaml", "Artifacts"): NAMES.artifacts,
    ("infra/site.yaml", "Bucket"): NAMES.site,
    ("infra/storage.yaml", "Data"): NAMES.data,
}
PRIVATE = dict.fromkeys(
    ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"], True
)


@pytest.fixture
def buckets(resolved):
    """Give every bucket by its template and name."""
    return {
        (name, logical): bucket["Properties"]
        for name, template in resolved.items()
        for logical, bucket in resources(template, "AWS::S3::Bucket").items()
    }


@pytest.fixture
def distribution(resolved):
    """Give what CloudFront is told."""
    site = resolved["infra/site.yaml"]["Resources"]
    return site["Distribution"]["Properties"]["DistributionConfig"]


def test_buckets_are_called_as_the_scripts_call_them(buckets):
    """Templates and scripts make the same names of the stack's."""
    assert {key: each["BucketName"] for key, each in buckets.items()} == BUCKETS


@pytest.mark.parametrize("key", BUCKETS)
def test_buckets_are_private_and_encrypted(buckets, key):
    """Nothing can make a bucket public, and what is in it is encrypted."""
    bucket = buckets[key]
    assert bucket["PublicAccessBlockConfiguration"] == PRIVATE
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


@pytest.mark.parametrize(("name", "logical"), BUCKETS)
def test_buckets_answer_over_tls_only(resolved, name, logical):
    """Every action on a bucket and on all in it is refused without TLS."""
    (policy,) = [
        each["Properties"]["PolicyDocument"]["Statement"]
        for each in resources(resolved[name], "AWS::S3::BucketPolicy").values()
        if each["Properties"]["Bucket"] == f"<{logical}>"
    ]
    assert {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"<{logical}.Arn>", f"<{logical}.Arn>/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } in policy


def test_data_survives_accidents(resolved, buckets):
    """Data is versioned, tidied up, and outlives the stack; old versions do not live for ever."""
    data = resolved["infra/storage.yaml"]["Resources"]["Data"]
    rules = data["Properties"]["LifecycleConfiguration"]["Rules"]
    assert data["DeletionPolicy"] == "RetainExceptOnCreate"
    assert data["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert rules[0]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert [rule.get("Prefix") for rule in rules] == [None, "runs/"]


def test_feedback_is_told_to_a_queue(resolved):
    """New feedback, and nothing else, reaches the queue; what is given up, the dead letters."""
    storage = resolved["infra/storage.yaml"]["Resources"]
    (event,) = storage["Data"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    (statement,) = storage["FeedbackQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    queue = storage["FeedbackQueue"]["Properties"]
    assert event["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "feedback/"}]
    assert event["Queue"] == "<FeedbackQueue.Arn>"
    assert storage["Data"]["DependsOn"] == "FeedbackQueuePolicy"
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": f"arn:aws:s3:::{NAMES.data}"}
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": "<DeadLetters.Arn>",
        "maxReceiveCount": 5,
    }
    assert queue["SqsManagedSseEnabled"] is True


def test_the_page_is_read_by_cloudfront_alone(resolved, distribution):
    """The bucket lets this distribution read, which signs its requests."""
    site = resolved["infra/site.yaml"]["Resources"]
    allow, _ = site["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (page,) = [each for each in distribution["Origins"] if each["Id"] == "page"]
    assert allow["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allow["Condition"]["StringEquals"]["aws:SourceArn"].endswith(
        "distribution/<Distribution>"
    )
    assert page["OriginAccessControlId"] == "<BucketAccess>"


def test_the_api_is_behind_the_same_address(distribution):
    """`/v1/*` goes to the stage, uncached, every method, without the Host that the browser sent."""
    (behaviour,) = distribution["CacheBehaviors"]
    (api,) = [each for each in distribution["Origins"] if each["Id"] == behaviour["TargetOriginId"]]
    assert behaviour["PathPattern"] == "/v1/*"
    assert {"POST", "OPTIONS"} <= {*behaviour["AllowedMethods"]}
    # CachingDisabled and AllViewerExceptHostHeader, by the ids that AWS documents.
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert api["DomainName"] == "<Api>.execute-api.eu-west-1.amazonaws.com"
    assert api["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


def test_the_stage_is_the_origins_path(templates, distribution):
    """What a browser asks for at /v1/… is asked of the stage."""
    given = templates["template.yaml"]["Resources"]["Site"]["Properties"]["Parameters"]["ApiStage"]
    assert (
        templates["template.yaml"]["Resources"][given["Ref"]]["Properties"]["StageName"] == "live"
    )
    assert [each.get("OriginPath") for each in distribution["Origins"]] == [
        None,
        f"/<{given['Ref']}>",
    ]


def test_the_page_has_its_key_from_cloudfront(templates, distribution):
    """The key is added on the way to the API, never on the way to the page, and is not shown."""
    keys = [each.get("OriginCustomHeaders") for each in distribution["Origins"]]
    assert keys == [None, [{"HeaderName": "X-Api-Key", "HeaderValue": "<SiteKey>"}]]
    for name in ("template.yaml", "infra/site.yaml"):
        assert templates[name]["Parameters"]["SiteKey"]["NoEcho"] is True


def test_problems_are_not_replaced_by_pages(distribution):
    """There is no error page for the whole distribution, and so for the API."""
    assert "CustomErrorResponses" not in distribution


def test_the_page_has_security_headers(resolved, distribution):
    """Nothing inline, nothing from elsewhere, no frame, and TLS from now on."""
    site = resolved["infra/site.yaml"]["Resources"]
    headers = site["PageHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    given = headers["SecurityHeadersConfig"]
    policy = given["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert distribution["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] == "<PageHeaders>"
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert given["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31536000
    assert given["ContentTypeOptions"] == {"Override": True}
