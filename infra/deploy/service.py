"""The service in the cloud: the steps that deploy it, and those that delete it."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from aisle.access import api_keys, keyring, scopes
from aisle.access.api_keys import ApiKey
from aisle.access.usage_plans import UsagePlans
from aisle.store import open_store
from infra.deploy.buckets import Buckets
from infra.deploy.names import Names
from infra.deploy.plan import Step
from infra.deploy.session import ClientError, Session, calling, code
from infra.deploy.smoke import Ask, ask_over_http, smoke_test
from infra.deploy.stacks import Stacks
from infra.deploy.tools import PACKAGED, ROOT, Images, RunProgram, run

STAGE: Final = "live"
_SITE_KEY_DAYS: Final = 3650  # it never leaves AWS; to replace it, revoke it and deploy again
_LINKED_ROLES: Final = ("batch", "ecs", "spot")
_RUNNING: Final = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")


@dataclass(frozen=True, slots=True)
class World:
    """The outside world: programs, the network, the clock, and output."""

    say: Callable[[str], None]
    run: RunProgram = run
    ask: Ask = ask_over_http
    pause: Callable[[float], None] = time.sleep
    root: Path = ROOT
    parameters: Mapping[str, str] = field(default_factory=dict)


class Service:
    """One deployment of Aisle."""

    def __init__(self, names: Names, session: Session, world: World) -> None:
        self._names = names
        self._session = session
        self._world = world
        self._stacks = Stacks(session, say=world.say, pause=world.pause)
        self._buckets = Buckets(session)
        self._images = Images(names, session, world.run)
        self._site_key: tuple[str, ApiKey] | None = None

    def up(self) -> list[Step]:
        """Return the steps from an empty account to a service that answers."""
        names = self._names
        return [
            Step("AWS's own roles for Batch, ECS and spot instances", self._linked_roles),
            Step(
                f"stack {names.bootstrap}: repositories {names.stack}-predict, -feedback and "
                f"-training, bucket {names.artifacts}",
                self._bootstrap,
            ),
            Step(
                "images of the functions: sam build, sam package (which pushes them)",
                self._images.build_and_push_functions,
            ),
            Step(f"stack {names.stack}: everything else", self._stack),
            Step(
                f"image of the training job: push to {names.stack}-training:latest",
                self._images.build_and_push_training,
            ),
            Step(
                f"API key of the page: into {names.store}, with a usage plan", self._keep_site_key
            ),
            Step(f"page: upload static_site/ and config.json to {names.site}", self._upload_site),
            Step("page: invalidate CloudFront's cache", self._invalidate),
            Step("smoke test: a prediction with a new key, and one as the page", self._smoke_test),
            Step("addresses", self._print_addresses),
        ]

    def down(self) -> list[Step]:
        """Return the steps that delete everything that costs money."""
        names = self._names
        return [
            Step(f"training jobs: stop those in the queue {names.training}", self._stop_jobs),
            Step("API: remove usage plans and keys", self._remove_plans),
            Step(f"page: empty {names.site}", lambda: self._buckets.empty(names.site)),
            Step(f"stack {names.stack}: delete it", lambda: self._stacks.delete(names.stack)),
            Step(
                f"store: delete {names.data} with all versions of all objects",
                lambda: self._buckets.delete(names.data),
            ),
            Step(
                f"templates: empty {names.artifacts}", lambda: self._buckets.empty(names.artifacts)
            ),
            Step(
                f"stack {names.bootstrap}: delete it, with the images",
                lambda: self._stacks.delete(names.bootstrap),
            ),
        ]

    def _linked_roles(self) -> None:
        for service in _LINKED_ROLES:
            with calling(f"create AWS's own role for {service}"):
                try:
                    self._session.iam.create_service_linked_role(
                        AWSServiceName=f"{service}.amazonaws.com"
                    )
                except ClientError as error:
                    if code(error) != "InvalidInput":  # it exists already
                        raise

    def _bootstrap(self) -> None:
        text = (self._world.root / "infra" / "bootstrap.yaml").read_text(encoding="utf-8")
        parameters = {"Name": self._names.stack}
        self._stacks.deploy(self._names.bootstrap, {"TemplateBody": text}, parameters)

    def _stack(self) -> None:
        packaged = (self._world.root / PACKAGED).read_bytes()
        url = self._buckets.put(
            self._names.artifacts, "template.yaml", packaged, kind="application/yaml"
        )
        parameters = dict(self._world.parameters)
        if not self._has_site_key():
            now = datetime.now(UTC)
            self._site_key = api_keys.new_key(
                scopes.SITE, scopes.SCOPES, now=now, lifetime=timedelta(days=_SITE_KEY_DAYS)
            )
            parameters["SiteKey"] = self._site_key[0]
        self._stacks.deploy(self._names.stack, {"TemplateURL": url}, parameters)

    def _has_site_key(self) -> bool:
        """Tell whether CloudFront has a key that the authorizer knows."""
        if self._stacks.outputs(self._names.stack) is None:
            return False
        keys, _ = keyring.read(open_store(self._names.store))
        return any(key.client == scopes.SITE and key.usable(datetime.now(UTC)) for key in keys)

    def _keep_site_key(self) -> None:
        if self._site_key is None:
            self._world.say("  the page has its key already")
        else:
            self._keep(self._site_key[1])

    def _keep(self, record: ApiKey) -> None:
        with self._plans().registered(record):
            keyring.edit(open_store(self._names.store), lambda keys: (*keys, record))

    def _forget(self, record: ApiKey) -> None:
        keyring.edit(
            open_store(self._names.store),
            lambda keys: tuple(key for key in keys if key.id != record.id),
        )
        self._plans().remove(record)

    def _upload_site(self) -> None:
        folder = self._world.root / "static_site"
        if not folder.is_dir():
            self._world.say("  static_site/ does not exist: CloudFront serves the API only")
        # The page finds the API at its own address.
        extra = {"config.json": json.dumps({"api": ""}).encode() + b"\n"}
        comparison = self._world.root / "benchmark" / "results" / "comparison.json"
        if comparison.is_file():
            extra[comparison.name] = comparison.read_bytes()
        count = self._buckets.mirror(folder, self._names.site, extra=extra)
        self._world.say(f"  {count} files")

    def _invalidate(self) -> None:
        distribution = self._site()["DistributionId"]
        with calling("invalidate CloudFront's cache"):
            self._session.cloudfront.create_invalidation(
                DistributionId=distribution,
                InvalidationBatch={
                    "Paths": {"Quantity": 1, "Items": ["/*"]},
                    "CallerReference": f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}",
                },
            )

    def _smoke_test(self) -> None:
        now = datetime.now(UTC)
        key, record = api_keys.new_key(
            "smoke-test", ["predict"], now=now, lifetime=timedelta(hours=1)
        )
        self._keep(record)
        try:
            for url, api_key in ((self._root()["ApiUrl"], key), (self._site()["SiteUrl"], None)):
                category = smoke_test(
                    url, key=api_key, ask=self._world.ask, pause=self._world.pause
                )
                self._world.say(f"  {url} answers: {category}")
        finally:
            self._forget(record)

    def _print_addresses(self) -> None:
        root, region = self._root(), self._names.region
        self._world.say(
            f"\n  page  {self._site()['SiteUrl']}\n  API   {root['ApiUrl']}\n"
            f"  store {root['Store']}\n\n"
            "Create a key for a client, who sends it to the API's own address:\n\n"
            f"  export AWS_DEFAULT_REGION={region} AISLE_STORE={root['Store']} "
            f"AISLE_API={root['ApiId']}/{STAGE}\n  .venv/bin/aisle keys create --client my-shop"
        )

    def _stop_jobs(self) -> None:
        if self._stacks.outputs(self._names.stack) is None:
            return
        with calling("stop the training jobs"):
            pages = self._session.batch.get_paginator("list_jobs")
            for status in _RUNNING:
                for page in pages.paginate(jobQueue=self._names.training, jobStatus=status):
                    for job in page["jobSummaryList"]:
                        self._session.batch.terminate_job(
                            jobId=job["jobId"], reason="The stack is being deleted."
                        )

    def _remove_plans(self) -> None:
        outputs = self._stacks.outputs(self._names.stack)
        if outputs is not None:
            UsagePlans(f"{outputs['ApiId']}/{STAGE}", self._session.apigateway).remove_all()

    def _plans(self) -> UsagePlans:
        return UsagePlans(f"{self._root()['ApiId']}/{STAGE}", self._session.apigateway)

    def _root(self) -> dict[str, str]:
        return self._stacks.outputs(self._names.stack) or {}

    def _site(self) -> dict[str, str]:
        return self._stacks.outputs(self._stacks.nested(self._names.stack, "Site")) or {}
