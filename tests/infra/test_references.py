"""References in the templates: each has a target, and none form a cycle."""

import copy

import pytest

from tests.infra.templates import (
    PSEUDO,
    ROOT,
    cycle,
    references,
    resources,
)

NESTED = ["infra/monitoring.yaml", "infra/site.yaml", "infra/storage.yaml", "infra/training.yaml"]
ALL = [ROOT, "infra/bootstrap.yaml", *NESTED]
NO_VALUE = {"AWS::NoValue", "AWS::URLSuffix", "AWS::StackId"}


@pytest.mark.parametrize("name", ALL)
def test_no_resource_depends_on_itself(templates, name):
    """No resource depends on itself through others, so CloudFormation can order their creation."""
    assert cycle(templates[name]) is None


@pytest.mark.parametrize("name", ALL)
def test_every_reference_has_a_target(templates, name):
    """Each Ref, GetAtt, Sub and DependsOn names a resource, a parameter or a pseudo parameter."""
    template = templates[name]
    known = {*template["Resources"], *template.get("Parameters", {}), *PSEUDO, *NO_VALUE}
    assert {*references([template["Resources"], template.get("Outputs", {})])} - known == set()


def test_every_nested_template_is_used(templates):
    """The root has a nested stack for each template except the bootstrap one."""
    stacks = resources(templates[ROOT], "AWS::CloudFormation::Stack").values()
    assert sorted(stack["Properties"]["TemplateURL"] for stack in stacks) == NESTED


def test_nested_stacks_get_their_parameters(templates):
    """Each nested stack gets the parameters that it declares, and no others."""
    for stack in resources(templates[ROOT], "AWS::CloudFormation::Stack").values():
        values = stack["Properties"]["Parameters"]
        assert {*values} == {*templates[stack["Properties"]["TemplateURL"]]["Parameters"]}


def test_values_flow_from_the_root_only(templates):
    """Nothing in the root reads an output of a nested stack; it may depend on one."""
    stacks = {*resources(templates[ROOT], "AWS::CloudFormation::Stack")}
    properties = [
        resource.get("Properties", {}) for resource in resources(templates[ROOT]).values()
    ]
    assert {*references([properties, templates[ROOT]["Outputs"]])} & stacks == set()


def test_the_cycle_of_cors_is_detected(templates):
    """With the page's address as the API's allowed origin, `cycle` finds the cycle."""
    spoilt = copy.deepcopy(templates[ROOT])
    function = spoilt["Resources"]["PredictFunction"]["Properties"]
    function["Environment"]["Variables"]["AISLE_CORS_ORIGINS"] = {
        "Fn::GetAtt": ["Site", "Outputs.SiteUrl"]
    }
    assert {"Site", "PredictFunction", "PredictFunctionAliaslive", "Api"} <= {*cycle(spoilt)}


def test_the_cycle_of_the_alarm_is_detected(templates):
    """With a reference from the rollback alarm to the API, `cycle` finds the cycle."""
    spoilt = copy.deepcopy(templates[ROOT])
    spoilt["Resources"]["ApiFailing"]["Properties"]["Dimensions"][0]["Value"] = {"Ref": "Api"}
    names = {*cycle(spoilt)}
    assert {"Api", "ApiFailing"} <= names
    assert any(name.endswith("DeploymentGroup") for name in names)


@pytest.mark.parametrize(
    "spoil",
    [
        {"DependsOn": ["Distribution"]},
        {"Properties": {"Tags": [{"Key": "x", "Value": {"Fn::Sub": "${Distribution.Id}"}}]}},
        {"Properties": {"Tags": {"Fn::Sub": ["${of}", {"of": {"Ref": "Distribution"}}]}}},
        {"UpdatePolicy": {"x": {"Fn::GetAtt": "Distribution.Id"}}},
    ],
)
def test_every_kind_of_reference_is_followed(templates, spoil):
    """`cycle` finds a cycle closed by any kind of reference, in a nested template too."""
    spoilt = copy.deepcopy(templates["infra/site.yaml"])
    spoilt["Resources"]["Bucket"] = {"Type": "AWS::S3::Bucket", **spoil}
    assert {*cycle(spoilt)} >= {"Bucket", "Distribution"}
