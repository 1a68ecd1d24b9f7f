"""What becomes of providers' errors: the right typed error, or another attempt; each is on record."""

from __future__ import annotations

import pytest

import kitaru
from kitaru import KitaruClient
from kitaru.models import LlmCall
from tests.model_calls.conftest import MODELS, address
from tests.support.model_server import ModelServer
from tests.support.replies import Answer, Cut, Garbled, Refusal, reply

Providers = dict[str, ModelServer]
ALIASES = sorted(MODELS)

LIMITED = Refusal(429, "rate_limit_error", "slow down", {"retry-after": "0.01"})
BROKEN = Refusal(500, "api_error", "oops")
DENIED = Refusal(401, "authentication_error", "wrong key")
CUT = Cut(reply("This answer has several words and an end."))


@kitaru.flow
def asking(model: str, more: int) -> str:
    return kitaru.llm("Hello?", model=model, retries=more)


@kitaru.flow
def checking(model: str) -> str:
    return step(model)


@kitaru.checkpoint
def step(model: str) -> str:
    try:
        return kitaru.llm("Hello?", model=model, retries=0)
    except kitaru.KitaruModelError as error:
        return f"{error.model} {error.status_code} {error.retryable} {error.retry_after}"


def calls_of(client: KitaruClient, exec_id: str) -> list[LlmCall]:
    return [call for one in client.executions.get(exec_id).checkpoints for call in one.llm_calls]


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("fault", [LIMITED, BROKEN, CUT, Garbled()], ids=["429", "500", "cut", "garbled"])
def test_what_may_pass_is_asked_again_and_each_attempt_is_on_record(
    alias: str, fault: Answer, client: KitaruClient, providers: Providers
) -> None:
    providers[alias].answer_with(fault, "Fine now.")
    handle = asking.run(alias, 1)
    assert handle.wait() == "Fine now."
    assert len(providers[alias].requests) == 2
    failed, done = calls_of(client, handle.exec_id)
    assert (failed.status, done.status) == ("failed", "completed")
    assert failed.failure is not None
    assert failed.failure.type == "kitaru.errors.KitaruModelError"
    assert failed.artifacts[0].kind == "prompt"
    assert client.executions.get(handle.exec_id).unpriced_calls == 0, "what failed is not waiting for a price"


@pytest.mark.parametrize("alias", ALIASES)
def test_a_wrong_key_is_told_at_once(alias: str, client: KitaruClient, providers: Providers) -> None:
    providers[alias].answer_with(DENIED)
    handle = asking.run(alias, 3)
    with pytest.raises(kitaru.KitaruUserCodeError, match="kitaru secrets set") as failed:
        handle.wait()
    cause = failed.value.__cause__
    assert isinstance(cause, kitaru.KitaruModelError)
    assert (cause.status_code, cause.retryable, cause.model) == (401, False, MODELS[alias])
    assert len(providers[alias].requests) == 1
    assert len(calls_of(client, handle.exec_id)) == 1


@pytest.mark.parametrize("alias", ALIASES)
def test_what_the_provider_says_of_a_limit_is_known(alias: str, providers: Providers) -> None:
    providers[alias].answer_with(Refusal(429, "rate_limit_error", "slow down", {"retry-after": "7"}))
    assert checking.run(alias).wait() == f"{MODELS[alias]} 429 True 7.0"


@pytest.mark.parametrize("alias", ALIASES)
def test_attempts_come_to_an_end(alias: str, client: KitaruClient, providers: Providers) -> None:
    providers[alias].answer_with(LIMITED)
    handle = asking.run(alias, 2)
    with pytest.raises(kitaru.KitaruUserCodeError):
        handle.wait()
    assert [call.status for call in calls_of(client, handle.exec_id)] == ["failed"] * 3


def test_the_next_model_of_the_chain_is_asked(client: KitaruClient, providers: Providers) -> None:
    for alias, fallback in (("claude", ["gemini"]), ("gemini", ["gpt"])):
        base_url = address(providers[alias], alias)
        client.models.register(alias, MODELS[alias], base_url=base_url, fallback=fallback)
    providers["claude"].answer_with(DENIED)
    providers["gemini"].answer_with(BROKEN)
    providers["gpt"].answer_with("The last resort.")
    handle = asking.run("claude", 0)
    assert handle.wait() == "The last resort."
    found = [(call.provider, call.status) for call in calls_of(client, handle.exec_id)]
    assert found == [("anthropic", "failed"), ("google", "failed"), ("openai", "completed")]


def test_a_model_that_takes_too_long_is_given_up(client: KitaruClient, providers: Providers) -> None:
    @kitaru.flow
    def hasty() -> str:
        return kitaru.llm("Hello?", model="gpt", timeout=0.000_001, retries=0)

    with pytest.raises(kitaru.KitaruUserCodeError, match="did not answer within"):
        hasty.run().wait()


def test_a_server_that_is_not_there_is_a_model_error(client: KitaruClient, providers: Providers) -> None:
    with ModelServer(providers["gpt"].log.with_name("gone.jsonl")) as gone:
        url = f"{gone.url}/v1"
    client.models.register("gone", "openai/gpt-4o-mini", base_url=url)
    with pytest.raises(kitaru.KitaruUserCodeError) as failed:
        asking.run("gone", 0).wait()
    assert isinstance(failed.value.__cause__, kitaru.KitaruModelError)
    assert failed.value.__cause__.retryable
