"""API keys and API Gateway's usage plans, against a fake AWS that records requests."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner

from aisle.access import api_keys, keyring, scopes
from aisle.access.usage_plans import Limits, UsagePlans
from aisle.cli.main import app
from aisle.errors import AisleError, CloudError, ConfigurationError, StoreError
from aisle.store import FolderStore

API = "a1b2c3d4e5/live"
SHOP = {"name": "aisle-a1b2c3d4e5-live-shop", "id": "plan"}
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def gateway(recorded):
    """Give an API Gateway with an unrelated plan and no key."""
    recorded.answers |= {
        "GetUsagePlans": {"items": [{"name": "another's", "id": "other"}]},
        "GetApiKeys": {"items": []},
        "GetUsagePlanKeys": {"items": []},
        "CreateUsagePlan": {"id": "plan"},
        "CreateApiKey": {"id": "key"},
    }
    return recorded


@pytest.fixture
def record():
    """Give the stored record of a key."""
    return api_keys.new_key("shop", scopes.SCOPES, now=NOW, lifetime=timedelta(days=1))[1]


@pytest.fixture
def aisle(tmp_path, gateway):
    """Give the function that runs a command on a store."""

    def run(*arguments, **environment):
        result = CliRunner().invoke(
            app, ["--store", str(tmp_path / "store"), *arguments], env=environment
        )
        if isinstance(result.exception, AisleError):
            raise result.exception
        return result

    return run


@pytest.fixture
def stored_keys(tmp_path):
    """Give the function that reads the records of keys in the store."""
    return lambda: keyring.read(FolderStore(tmp_path / "store"))[0]


def test_a_client_gets_a_plan(gateway, record):
    """A new client gets its own plan on the stage, and its key's usage id joins that plan."""
    UsagePlans(API).register(record)
    (plan,), (key,), (membership,) = map(
        gateway.asked, ["CreateUsagePlan", "CreateApiKey", "CreateUsagePlanKey"]
    )
    assert plan == {
        "name": "aisle-a1b2c3d4e5-live-shop",
        "apiStages": [{"apiId": "a1b2c3d4e5", "stage": "live"}],
        "throttle": {"rateLimit": 20, "burstLimit": 40},
        "quota": {"limit": 1_000_000, "period": "MONTH"},
    }
    assert (key["value"], key["enabled"]) == (record.usage_id, True)
    assert membership == {"usagePlanId": "plan", "keyId": "key", "keyType": "API_KEY"}


def test_a_second_key_shares_the_plan(gateway, record):
    """Another key of the same client joins its plan, which stays unchanged."""
    gateway.answers["GetUsagePlans"] = {"items": [SHOP]}
    UsagePlans(API).register(record)
    assert not {"CreateUsagePlan", "UpdateUsagePlan"} & {*gateway.operations}
    assert len(gateway.asked("CreateUsagePlanKey")) == 1


def test_limits_change_a_plan(gateway, record):
    """New limits replace those of the client's plan."""
    gateway.answers["GetUsagePlans"] = {"items": [SHOP]}
    UsagePlans(API).register(record, Limits(rate=1.5, burst=3, quota=100))
    (change,) = gateway.asked("UpdateUsagePlan")
    assert {patch["path"]: patch["value"] for patch in change["patchOperations"]} == {
        "/throttle/rateLimit": "1.5",
        "/throttle/burstLimit": "3",
        "/quota/limit": "100",
    }


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({}, None),
        ({"rate": 1}, Limits(1, 40, 1_000_000)),
        ({"burst": 2}, Limits(20, 2, 1_000_000)),
        ({"quota": 3}, Limits(20, 40, 3)),
    ],
)
def test_limits_that_are_not_given_have_defaults(options, limits):
    """With one limit given, the others take their defaults; with none given, there are none."""
    assert Limits.of("shop", **({"rate": None, "burst": None, "quota": None} | options)) == limits


def test_a_key_that_cannot_join_its_plan_is_deleted(gateway, record):
    """A key that cannot join its plan is deleted, and the error gives the reason."""
    gateway.answers["CreateUsagePlanKey"] = ("LimitExceededException", "too many")
    with pytest.raises(CloudError, match="too many"):
        UsagePlans(API).register(record)
    assert gateway.asked("DeleteApiKey") == [{"apiKey": "key"}]


@pytest.mark.parametrize(("others", "deleted"), [([], True), ([{"id": "another"}], False)])
def test_removing_the_last_key_deletes_the_plan(gateway, record, others, deleted):
    """Removing a key deletes it, and its client's plan if that has no other key."""
    gateway.answers |= {
        "GetUsagePlans": {"items": [SHOP]},
        "GetApiKeys": {"items": [{"id": "key"}]},
        "GetUsagePlanKeys": {"items": others},
    }
    UsagePlans(API).remove(record)
    assert gateway.asked("GetApiKeys")[0]["nameQuery"] == f"aisle-a1b2c3d4e5-live-{record.id}"
    assert gateway.asked("DeleteApiKey") == [{"apiKey": "key"}]
    assert bool(gateway.asked("DeleteUsagePlan")) is deleted


@pytest.mark.parametrize("api", ["a1b2c3d4e5", "/live", "a1b2c3d4e5/", ""])
def test_an_incomplete_api_is_refused(api):
    """An API id without a stage, or the reverse, is refused before any request."""
    with pytest.raises(ConfigurationError, match="a1b2c3d4e5/live"):
        UsagePlans(api)


@pytest.mark.parametrize(("option", "variable"), [(["--api", API], {}), ([], {"AISLE_API": API})])
def test_create_registers_and_revoke_removes(aisle, gateway, stored_keys, option, variable):
    """With an API set, the commands update API Gateway, and send it the usage id only."""
    created = aisle("keys", "create", "--client", "shop", "--rate", "3", *option, **variable)
    (record,) = stored_keys()
    assert gateway.asked("CreateApiKey")[0]["value"] == record.usage_id
    assert gateway.asked("CreateUsagePlan")[0]["throttle"]["rateLimit"] == 3
    assert created.stdout.split()[0] not in str(gateway.calls)

    gateway.answers["GetApiKeys"] = {"items": [{"id": "key"}]}
    aisle("keys", "revoke", record.id, *option, **variable)
    assert stored_keys()[0].revoked is not None
    assert gateway.asked("DeleteApiKey") == [{"apiKey": "key"}]


def test_without_an_api_none_is_called(aisle, gateway):
    """Without an API set, the commands send no request."""
    aisle("keys", "create", "--client", "shop")
    assert gateway.calls == []


def test_a_key_that_is_not_registered_is_not_stored(aisle, gateway, stored_keys):
    """If API Gateway refuses a key, the store does not keep it."""
    gateway.answers["CreateUsagePlan"] = ("AccessDeniedException", "no")
    with pytest.raises(CloudError, match="AccessDenied"):
        aisle("keys", "create", "--client", "shop", "--api", API)
    assert stored_keys() == ()


def test_a_key_that_is_not_stored_is_not_registered(aisle, gateway, monkeypatch):
    """If the store refuses a key, it is removed from API Gateway again."""

    def refuse(store, change):
        raise StoreError("full")

    monkeypatch.setattr(keyring, "edit", refuse)
    gateway.answers["GetApiKeys"] = [{"items": [{"id": "key"}]}]
    with pytest.raises(StoreError, match="full"):
        aisle("keys", "create", "--client", "shop", "--api", API)
    assert gateway.asked("DeleteApiKey") == [{"apiKey": "key"}]


def test_the_pages_plan_is_smaller(gateway):
    """The key of the demo page, which everybody shares, gets the page's limits."""
    page = api_keys.new_key(scopes.SITE, scopes.SCOPES, now=NOW, lifetime=timedelta(days=1))[1]
    UsagePlans(API).register(page)
    (plan,) = gateway.asked("CreateUsagePlan")
    assert plan["throttle"] == {"rateLimit": 5, "burstLimit": 20}
    assert plan["quota"] == {"limit": 100_000, "period": "MONTH"}


def test_the_pages_limits_are_its_usual_ones():
    """Limits not given for the page default to the page's own, not to another client's."""
    assert Limits.of(scopes.SITE, rate=1, burst=None, quota=None) == Limits(1, 20, 100_000)


def test_a_new_key_has_its_name(gateway, record):
    """The name of API Gateway's key is the one by which it is found to be removed."""
    UsagePlans(API).register(record)
    assert gateway.asked("CreateApiKey")[0]["name"] == f"aisle-a1b2c3d4e5-live-{record.id}"


def test_a_plan_that_is_there_is_changed_in_place(gateway, record):
    """Limits replace the plan's own; they neither add to them nor make another plan."""
    gateway.answers["GetUsagePlans"] = {"items": [SHOP]}
    UsagePlans(API).register(record, Limits(rate=1.5, burst=3, quota=100))
    (change,) = gateway.asked("UpdateUsagePlan")
    assert change["usagePlanId"] == "plan"
    assert {patch["op"] for patch in change["patchOperations"]} == {"replace"}


def test_a_plan_is_taken_from_its_stage_before_it_goes(gateway, record):
    """API Gateway deletes no plan that a stage has: it is taken from the stage first."""
    gateway.answers["GetUsagePlans"] = {"items": [SHOP]}
    UsagePlans(API).remove(record)
    assert gateway.operations[-2:] == ["UpdateUsagePlan", "DeleteUsagePlan"]
    assert gateway.asked("UpdateUsagePlan") == [
        {
            "usagePlanId": "plan",
            "patchOperations": [{"op": "remove", "path": "/apiStages", "value": "a1b2c3d4e5:live"}],
        }
    ]
    assert gateway.asked("DeleteUsagePlan") == [{"usagePlanId": "plan"}]


def test_all_of_an_api_goes_and_nothing_else(gateway):
    """Every plan and key of the stage is removed; what another stage or API has stays."""
    gateway.answers |= {
        "GetUsagePlans": {
            "items": [
                SHOP,
                {"name": "another's", "id": "other"},
                {"name": "aisle-a1b2c3d4e5-test-shop", "id": "of another stage"},
                {"id": "nameless"},
            ]
        },
        "GetApiKeys": {"items": [{"id": "one"}, {"id": "two"}]},
    }
    UsagePlans(API).remove_all()
    assert gateway.asked("GetApiKeys")[0]["nameQuery"] == "aisle-a1b2c3d4e5-live-"
    assert gateway.asked("DeleteApiKey") == [{"apiKey": "one"}, {"apiKey": "two"}]
    assert gateway.asked("DeleteUsagePlan") == [{"usagePlanId": "plan"}]


def test_unreachable_api_gateway_is_a_cloud_error(gateway, record):
    """Where API Gateway cannot be reached, the error says what failed, and for which key."""

    def unreachable(_arguments):
        raise EndpointConnectionError(endpoint_url="https://apigateway.example")

    gateway.answers["GetUsagePlans"] = unreachable
    with pytest.raises(CloudError, match=f"register key {record.id}"):
        UsagePlans(API).register(record)


def test_the_given_client_is_asked(gateway, record, monkeypatch):
    """A client of another account or region is the one that is asked; none is made."""
    client = boto3.client("apigateway", region_name="eu-west-1")
    monkeypatch.delattr(boto3, "client")
    UsagePlans(API, client).register(record)
    assert len(gateway.asked("CreateApiKey")) == 1
