"""API keys from the command line to the server that asks for them."""

import json
import re
import signal
import subprocess

import pytest

from aisle.access import api_keys, keyring
from aisle.store import open_store
from tests.commands import AISLE, Server, environment
from tests.waiting import LIMIT_SECONDS, wait_until

GOPRO = "GoPro - Camera Mount Accessory Kit - Black"
KEY = re.compile(r"aisle_[0-9a-f]{64}")


@pytest.fixture
def aisle(tmp_path):
    """Give the function that runs a command on a store, in a new process."""

    def run(*arguments, **variables):
        return subprocess.run(
            [*AISLE, "--store", "store", *arguments],
            cwd=tmp_path,
            env=environment() | variables,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def known(tmp_path):
    """Give the function that reads the store's records of keys."""
    return lambda: keyring.read(open_store(str(tmp_path / "store")))[0]


def test_key_is_shown_once_and_not_kept(aisle, known, tmp_path):
    """The key goes to standard output alone; the store has its hash. It opens all routes."""
    created = aisle("keys", "create", "--client", "my-shop")
    assert (created.returncode, bool(KEY.fullmatch(created.stdout.strip()))) == (0, True)
    (record,) = known()
    assert (record.client, record.scopes) == ("my-shop", ("feedback", "predict"))
    assert (record.expires - record.created).days == 365
    assert record.id in created.stderr
    assert "X-Api-Key" in created.stderr
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert created.stdout.strip().removeprefix("aisle_").encode() not in files
    assert created.stdout.strip() not in created.stderr


def test_scope_and_days_are_as_asked(aisle, known):
    """A key has the scopes and the days that were asked for."""
    created = aisle("keys", "create", "--client", "a", "--scope", "feedback", "--days", "30")
    assert created.returncode == 0
    (record,) = known()
    assert record.scopes == ("feedback",)
    assert (record.expires - record.created).days == 30


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--client", "Not A Name"],
        ["create", "--client", "a", "--scope", "everything"],
        ["create", "--client", "a", "--days", "0"],
        ["create"],
        ["revoke", "nobody"],
    ],
)
def test_what_cannot_be_done_changes_nothing(aisle, known, arguments):
    """A wrong name, scope, number or id exits 2 with a sentence, and changes nothing."""
    result = aisle("keys", *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert known() == ()


def test_list_tells_states(aisle, known):
    """The list has each key's id, client, scopes and state, but no hash."""
    aisle("keys", "create", "--client", "first")
    aisle("keys", "create", "--client", "second", "--scope", "predict")
    first, second = known()
    assert aisle("keys", "revoke", first.id).returncode == 0
    lines = aisle("keys", "list").stdout.splitlines()
    assert [("first" in line, "revoked" in line) for line in lines if first.id in line] == [
        (True, True)
    ]
    assert [("second" in line, "good" in line) for line in lines if second.id in line] == [
        (True, True)
    ]
    assert first.sha256 not in "".join(lines)


def test_list_of_none(aisle):
    """Where there are no keys, the list says how to make one."""
    assert "aisle keys create" in aisle("keys", "list").stdout


def test_list_as_the_variable_takes_it(aisle, known):
    """The JSON fits AISLE_KEYS; the file for SAM has it too, and a store in the container."""
    aisle("keys", "create", "--client", "first")
    as_json = aisle("keys", "list", "--json").stdout
    env_vars = json.loads(aisle("keys", "list", "--env-vars").stdout)
    assert api_keys.parse(as_json) == known()
    assert api_keys.parse(env_vars["Parameters"]["AISLE_KEYS"]) == known()
    assert env_vars["Parameters"]["AISLE_STORE"] == "file:///tmp/aisle"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid"])  # noqa: S104
def test_serve_refuses_to_be_open_to_others(aisle, host):
    """On an address that others can reach, the server refuses to start without a key."""
    result = aisle("serve", "--host", host, "--port", "1")
    assert result.returncode == 2
    assert host in result.stderr
    assert "aisle keys create" in result.stderr
    assert "Traceback" not in result.stderr


def test_serve_refuses_where_no_key_is_usable(aisle, known):
    """A revoked key does not count as one."""
    aisle("keys", "create", "--client", "a")
    aisle("keys", "revoke", known()[0].id)
    assert aisle("serve", "--host", "0.0.0.0").returncode == 2  # noqa: S104


def test_serve_can_wait_for_the_first_key(aisle, tmp_path):
    """Told to wait, it starts without a key, refuses everyone, and soon knows the first key."""
    with Server(tmp_path, "--host", "0.0.0.0", "--wait-for-key", store="store") as server:  # noqa: S104
        before, _ = server.ask("/v1/predict", name=GOPRO)
        key = aisle("keys", "create", "--client", "shop").stdout.strip()
        wait_until(
            lambda: server.ask("/v1/predict", key=key, name=GOPRO)[0] == 200, "the key is known"
        )
        without, _ = server.ask("/v1/predict", name=GOPRO)
    assert (before, without) == (401, 401)


@pytest.mark.parametrize("keys", ["[", "{}", "aisle_" + "0" * 64])
def test_serve_refuses_malformed_keys(aisle, keys):
    """A value that is no list of records exits 2 with a sentence that does not repeat it."""
    result = aisle("serve", AISLE_KEYS=keys)
    assert result.returncode == 2
    assert "aisle keys list --json" in result.stderr
    assert "0" * 10 not in result.stderr


def test_serve_is_open_on_loopback_and_says_so(tmp_path):
    """With no key configured, the server on loopback answers everyone, and says so."""
    with Server(tmp_path) as server:
        status, _ = server.ask("/v1/predict", name=GOPRO)
        _, _, log = server.stop(signal.SIGTERM)
    assert status == 200
    assert "No API key is configured" in log


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
@pytest.mark.parametrize("place", ["store", "variable"])
def test_serve_asks_for_the_key(aisle, tmp_path, host, place):
    """With a key in the store or the variable, others are refused; nothing logs the key."""
    key = aisle("keys", "create", "--client", "shop", "--scope", "predict").stdout.strip()
    records = aisle("keys", "list", "--json").stdout
    where = {"store": {"store": "store"}, "variable": {"AISLE_KEYS": records}}
    with Server(tmp_path, "--host", host, **where[place]) as server:
        feedback = {"product": {"name": GOPRO}, "category": {"id": "x"}}
        answers = [
            server.ask("/v1/predict", name=GOPRO),
            server.ask("/v1/predict", key=f"{key[:-1]}x", name=GOPRO),
            server.ask("/v1/predict", key=key, name=GOPRO),
            server.ask("/v1/feedback", key=key, **feedback),
            server.ask("/healthz"),
        ]
        _, out, err = server.stop(signal.SIGTERM)
    assert [status for status, _ in answers] == [401, 401, 200, 403, 200]
    assert key[6:60] not in out + err + json.dumps(answers)
    assert "No API key is configured" not in err
