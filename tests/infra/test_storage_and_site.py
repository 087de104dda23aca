"""Buckets, the queue and CloudFront as the templates declare them."""

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
    """Give every bucket by template and name."""
    return {
        (name, logical): bucket["Properties"]
        for name, template in resolved.items()
        for logical, bucket in resources(template, "AWS::S3::Bucket").items()
    }


@pytest.fixture
def distribution(resolved):
    """Give the configuration of CloudFront's distribution."""
    site = resolved["infra/site.yaml"]["Resources"]
    return site["Distribution"]["Properties"]["DistributionConfig"]


def test_templates_and_scripts_name_buckets_alike(buckets):
    """Templates and scripts derive the same bucket names from the stack's name."""
    assert {key: bucket["BucketName"] for key, bucket in buckets.items()} == BUCKETS


@pytest.mark.parametrize("key", BUCKETS)
def test_buckets_are_private_and_encrypted(buckets, key):
    """No bucket can become public, and its contents are encrypted."""
    bucket = buckets[key]
    assert bucket["PublicAccessBlockConfiguration"] == PRIVATE
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


@pytest.mark.parametrize(("name", "logical"), BUCKETS)
def test_buckets_answer_over_tls_only(resolved, name, logical):
    """Every action on a bucket and its objects is denied without TLS."""
    (statements,) = [
        policy["Properties"]["PolicyDocument"]["Statement"]
        for policy in resources(resolved[name], "AWS::S3::BucketPolicy").values()
        if policy["Properties"]["Bucket"] == f"<{logical}>"
    ]
    assert {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"<{logical}.Arn>", f"<{logical}.Arn>/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } in statements


def test_data_survives_accidents(resolved, buckets):
    """The data bucket is versioned and outlives the stack; old versions expire."""
    data = resolved["infra/storage.yaml"]["Resources"]["Data"]
    rules = data["Properties"]["LifecycleConfiguration"]["Rules"]
    assert data["DeletionPolicy"] == "RetainExceptOnCreate"
    assert data["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert rules[0]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert [rule.get("Prefix") for rule in rules] == [None, "runs/"]


def test_new_feedback_reaches_a_queue(resolved):
    """New feedback, and nothing else, reaches the queue; failed events reach the dead letters."""
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
    """Only this distribution, which signs its requests, may read the bucket."""
    site = resolved["infra/site.yaml"]["Resources"]
    allow, _ = site["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (page,) = [origin for origin in distribution["Origins"] if origin["Id"] == "page"]
    assert allow["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allow["Condition"]["StringEquals"]["aws:SourceArn"].endswith(
        "distribution/<Distribution>"
    )
    assert page["OriginAccessControlId"] == "<BucketAccess>"


def test_the_api_is_behind_the_same_address(distribution):
    """`/v1/*` goes to the API, uncached, with every method and without the browser's Host."""
    (behaviour,) = distribution["CacheBehaviors"]
    (api,) = [
        origin for origin in distribution["Origins"] if origin["Id"] == behaviour["TargetOriginId"]
    ]
    assert behaviour["PathPattern"] == "/v1/*"
    assert {"POST", "OPTIONS"} <= {*behaviour["AllowedMethods"]}
    # CachingDisabled and AllViewerExceptHostHeader, by the ids that AWS documents.
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert api["DomainName"] == "<Api>.execute-api.eu-west-1.amazonaws.com"
    assert api["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


def test_the_stage_is_the_origins_path(templates, distribution):
    """A browser's request for /v1/… goes to the stage `live`."""
    root = templates["template.yaml"]["Resources"]
    stage = root["Site"]["Properties"]["Parameters"]["ApiStage"]["Ref"]
    assert root[stage]["Properties"]["StageName"] == "live"
    assert [origin.get("OriginPath") for origin in distribution["Origins"]] == [None, f"/<{stage}>"]


def test_cloudfront_adds_the_key_of_the_page(templates, distribution):
    """CloudFront adds the key to requests to the API, never to those for the page, and hides it."""
    keys = [origin.get("OriginCustomHeaders") for origin in distribution["Origins"]]
    assert keys == [None, [{"HeaderName": "X-Api-Key", "HeaderValue": "<SiteKey>"}]]
    for name in ("template.yaml", "infra/site.yaml"):
        assert templates[name]["Parameters"]["SiteKey"]["NoEcho"] is True


def test_problems_are_not_replaced_by_pages(distribution):
    """The distribution has no error page, which would replace the API's problem responses."""
    assert "CustomErrorResponses" not in distribution


def test_the_page_has_security_headers(resolved, distribution):
    """The page allows nothing inline, nothing from other origins and no frame, and requires TLS."""
    site = resolved["infra/site.yaml"]["Resources"]
    config = site["PageHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    headers = config["SecurityHeadersConfig"]
    policy = headers["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert distribution["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] == "<PageHeaders>"
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31536000
    assert headers["ContentTypeOptions"] == {"Override": True}
