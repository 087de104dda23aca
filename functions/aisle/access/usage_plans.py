"""API keys in API Gateway: one usage plan per client, with a throttle and a quota.

The authorizer gives API Gateway a key's `usage_id`, never the key. API Gateway treats that id as
the API key, and admits the ids that belong to a usage plan.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aisle.access.api_keys import ApiKey
from aisle.access.scopes import SITE
from aisle.errors import AisleError, CloudError, ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef


@dataclass(frozen=True, slots=True)
class Limits:
    """A client's limits: requests per second, in one burst, and per month."""

    rate: float
    burst: int
    quota: int

    @classmethod
    def of(
        cls, client: str, *, rate: float | None, burst: int | None, quota: int | None
    ) -> Self | None:
        """Return limits, with the client's defaults for those not given; None if none is given."""
        if rate is burst is quota is None:
            return None
        usual = usual_limits(client)
        return cls(rate or usual.rate, burst or usual.burst, quota or usual.quota)


_CLIENT: Final = Limits(rate=20, burst=40, quota=1_000_000)
_PAGE: Final = Limits(rate=5, burst=20, quota=100_000)  # shared by all visitors of the page


def usual_limits(client: str) -> Limits:
    """Return the default limits of a client."""
    return _PAGE if client == SITE else _CLIENT


class UsagePlans:
    """The usage plans of one stage of an API."""

    def __init__(self, api: str, client: "APIGatewayClient | None" = None) -> None:
        self._api, slash, self._stage = api.partition("/")
        if not (self._api and slash and self._stage):
            raise ConfigurationError(
                f"The usage plans cannot be managed: {api!r} is not an API. Expected an API's id "
                "and stage, such as a1b2c3d4e5/live. Use what `make deploy` printed."
            )
        with _calling("manage usage plans"):
            self._client = client or boto3.client("apigateway")

    @contextmanager
    def registered(self, record: ApiKey, limits: Limits | None = None) -> Iterator[None]:
        """Register a key, and remove it again if the block raises AisleError."""
        self.register(record, limits)
        try:
            yield
        except AisleError:
            self.remove(record)
            raise

    def register(self, record: ApiKey, limits: Limits | None = None) -> None:
        """Admit a key, within the limits of the client's usage plan.

        Without `limits`, an existing plan keeps its limits, and a new one gets the defaults.
        """
        with _calling(f"register key {record.id}"):
            plan = self._plan(record.client)
            if plan is None:
                plan = self._create_plan(record.client, limits or usual_limits(record.client))
            elif limits is not None:
                self._change_plan(plan, limits)
            key = self._client.create_api_key(
                name=self._name(record.id), value=record.usage_id, enabled=True
            )["id"]
            try:
                self._client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
            except ClientError:
                self._client.delete_api_key(apiKey=key)
                raise

    def remove(self, record: ApiKey) -> None:
        """Stop admitting a key; delete the client's plan if it was the last key."""
        with _calling(f"remove key {record.id}"):
            for key in self._keys(self._name(record.id)):
                self._client.delete_api_key(apiKey=key)
            plan = self._plan(record.client)
            if plan and not self._client.get_usage_plan_keys(usagePlanId=plan)["items"]:
                self._delete_plan(plan)

    def remove_all(self) -> None:
        """Remove every plan and key: an API cannot be deleted while a plan refers to it."""
        with _calling("remove the usage plans"):
            for key in self._keys(self._name("")):
                self._client.delete_api_key(apiKey=key)
            for name, plan in self._plans():
                if name.startswith(self._name("")):
                    self._delete_plan(plan)

    def _name(self, what: str) -> str:
        return f"aisle-{self._api}-{self._stage}-{what}"

    def _plans(self) -> list[tuple[str, str]]:
        pages = self._client.get_paginator("get_usage_plans").paginate()
        return [(plan.get("name", ""), plan["id"]) for page in pages for plan in page["items"]]

    def _plan(self, client: str) -> str | None:
        plan_name = self._name(client)
        return next((plan for name, plan in self._plans() if name == plan_name), None)

    def _keys(self, prefix: str) -> list[str]:
        pages = self._client.get_paginator("get_api_keys").paginate(nameQuery=prefix)
        return [key["id"] for page in pages for key in page["items"]]

    def _create_plan(self, client: str, limits: Limits) -> str:
        return self._client.create_usage_plan(
            name=self._name(client),
            apiStages=[{"apiId": self._api, "stage": self._stage}],
            throttle={"rateLimit": limits.rate, "burstLimit": limits.burst},
            quota={"limit": limits.quota, "period": "MONTH"},
        )["id"]

    def _change_plan(self, plan: str, limits: Limits) -> None:
        values = {
            "/throttle/rateLimit": limits.rate,
            "/throttle/burstLimit": limits.burst,
            "/quota/limit": limits.quota,
        }
        changes: list[PatchOperationTypeDef] = [
            {"op": "replace", "path": path, "value": str(value)} for path, value in values.items()
        ]
        self._client.update_usage_plan(usagePlanId=plan, patchOperations=changes)

    def _delete_plan(self, plan: str) -> None:
        self._client.update_usage_plan(
            usagePlanId=plan,
            patchOperations=[
                {"op": "remove", "path": "/apiStages", "value": f"{self._api}:{self._stage}"}
            ],
        )
        self._client.delete_usage_plan(usagePlanId=plan)


@contextmanager
def _calling(what: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise CloudError(
            f"Could not {what} in API Gateway. AWS answered: {error}. Check the API's "
            "id, the region, and that the credentials may manage the API."
        ) from error
