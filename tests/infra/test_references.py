"""What refers to what in the templates: everything is there, and nothing goes in a circle."""

import copy

import pytest

from tests.infra.templates import (
    PSEUDO,
    ROOT,
    circle,
    references,
    resources,
)

NESTED = ["infra/monitoring.yaml", "infra/site.yaml", "infra/storage.yaml", "infra/training.yaml"]
ALL = [ROOT, "infra/bootstrap.yaml", *NESTED]
NO_VALUE = {"AWS::NoValue", "AWS::URLSuffix", "AWS::StackId"}


@pytest.mark.parametrize("name", ALL)
def test_nothing_waits_for_itself(templates, name):
    """No resource needs, by way of others, itself: CloudFormation can make them one by one."""
    assert circle(templates[name]) is None


@pytest.mark.parametrize("name", ALL)
def test_every_reference_leads_somewhere(templates, name):
    """Each Ref, GetAtt, Sub and DependsOn names a resource, a parameter or what AWS knows."""
    template = templates[name]
    known = {*template["Resources"], *template.get("Parameters", {}), *PSEUDO, *NO_VALUE}
    assert {*references([template["Resources"], template.get("Outputs", {})])} - known == set()


def test_every_nested_template_is_used(templates):
    """The root has a stack of each template but the one that is there before it."""
    stacks = resources(templates[ROOT], "AWS::CloudFormation::Stack").values()
    assert sorted(each["Properties"]["TemplateURL"] for each in stacks) == NESTED


def test_nested_stacks_get_what_they_ask_for(templates):
    """Each nested stack is given its parameters, and no others."""
    for stack in resources(templates[ROOT], "AWS::CloudFormation::Stack").values():
        given = stack["Properties"]["Parameters"]
        assert {*given} == {*templates[stack["Properties"]["TemplateURL"]]["Parameters"]}


def test_values_flow_from_the_root_only(templates):
    """Nothing in the root reads what a nested stack says of itself; it may wait for one."""
    stacks = {*resources(templates[ROOT], "AWS::CloudFormation::Stack")}
    read = [each.get("Properties", {}) for each in resources(templates[ROOT]).values()]
    assert {*references([read, templates[ROOT]["Outputs"]])} & stacks == set()


def test_the_circle_of_cors_is_seen(templates):
    """Were the page's address the API's allowed origin, the walk would find the circle."""
    spoilt = copy.deepcopy(templates[ROOT])
    function = spoilt["Resources"]["PredictFunction"]["Properties"]
    function["Environment"]["Variables"]["AISLE_CORS_ORIGINS"] = {
        "Fn::GetAtt": ["Site", "Outputs.SiteUrl"]
    }
    assert {"Site", "PredictFunction", "PredictFunctionAliaslive", "Api"} <= {*circle(spoilt)}


def test_the_circle_of_the_alarm_is_seen(templates):
    """Did the alarm that rolls back refer to the API, the walk would find the circle."""
    spoilt = copy.deepcopy(templates[ROOT])
    spoilt["Resources"]["ApiFailing"]["Properties"]["Dimensions"][0]["Value"] = {"Ref": "Api"}
    found = {*circle(spoilt)}
    assert {"Api", "ApiFailing"} <= found
    assert any(name.endswith("DeploymentGroup") for name in found)


@pytest.mark.parametrize(
    "spoil",
    [
        {"DependsOn": ["Distribution"]},
        {"Properties": {"Tags": [{"Key": "x", "Value": {"Fn::Sub": "${Distribution.Id}"}}]}},
        {"Properties": {"Tags": {"Fn::Sub": ["${of}", {"of": {"Ref": "Distribution"}}]}}},
        {"UpdatePolicy": {"x": {"Fn::GetAtt": "Distribution.Id"}}},
    ],
)
def test_every_way_to_refer_is_walked(templates, spoil):
    """A circle is found whichever way it is closed, in a nested template too."""
    spoilt = copy.deepcopy(templates["infra/site.yaml"])
    spoilt["Resources"]["Bucket"] = {"Type": "AWS::S3::Bucket", **spoil}
    assert {*circle(spoilt)} >= {"Bucket", "Distribution"}
