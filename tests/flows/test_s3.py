"""Large values in S3, by one setting; the bucket is moto's."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

import kitaru
from kitaru import KitaruClient
from tests.support.processes import wait_until


@pytest.fixture
def bucket(kitaru_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The endpoint of a bucket on loopback; it and its keys come from the environment, as for any S3 client."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "KITARU_ARTIFACT_STORE": "s3://values/runs",
    }.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/values", method="PUT")).close()
    yield endpoint
    server.stop()


@kitaru.checkpoint
def large(letter: str) -> str:
    return letter * 200_000


@kitaru.flow
def stores(letter: str) -> int:
    text = large(letter)
    kitaru.wait("go", timeout=60)
    return len(text)


def test_a_large_output_goes_to_the_bucket_and_back(bucket: str, client: KitaruClient) -> None:
    handle = stores.run("x")
    wait_until(lambda: client.executions.pending_waits(handle.exec_id), "the question")
    client.executions.input(handle.exec_id, value=True)
    assert handle.wait(timeout=60) == 200_000
    (artifact,) = client.artifacts.list(handle.exec_id, name="large", kind="output")
    assert artifact.load() == "x" * 200_000
    with urllib.request.urlopen(f"{bucket}/values?list-type=2") as listed:
        assert f"runs/{artifact.digest[:2]}/" in listed.read().decode()
