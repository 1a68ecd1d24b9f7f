"""``kitaru.llm`` through the real client libraries of three providers."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from pydantic import BaseModel

import kitaru
from kitaru import KitaruClient, aio
from tests.model_calls.conftest import MODELS
from tests.support.model_server import ModelServer
from tests.support.replies import Reply, Text, ToolUse, reply

Providers = dict[str, ModelServer]
ALIASES = sorted(MODELS)


class Verdict(BaseModel):
    ok: bool
    reasons: list[str]


def exact(alias: str, answer: Reply) -> Decimal:
    """What the price list says of an answer."""
    provider, _, model = MODELS[alias].partition("/")
    usage = genai_prices.Usage(
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cache_read_tokens=answer.cached_tokens,
    )
    return genai_prices.calc_price(usage, model, provider_id=provider).total_price


@kitaru.flow
def asking(prompt: Any, options: dict[str, Any]) -> Any:
    return kitaru.llm(prompt, **options)


@kitaru.checkpoint
def review(text: str, model: str) -> str:
    return kitaru.llm(f"Review: {text}", model=model, name="reviewer")


@kitaru.flow
def mixed(topic: str) -> str:
    draft = kitaru.llm(f"Write about {topic}", model="claude", system="Be brief.")
    reviewed = review(draft, "gemini")
    return kitaru.llm(f"Polish: {reviewed}", model="gpt", temperature=0.2, max_tokens=50)


ANSWERS = {
    "claude": Reply((Text("A draft."),), 1200, 340, cached_tokens=200),
    "gemini": Reply((Text("A review."),), 900, 410, cached_tokens=100, reasoning_tokens=30),
    "gpt": Reply((Text("Polished."),), 777, 55, cached_tokens=77, reasoning_tokens=5),
}


def test_three_providers_in_one_flow_cost_what_the_price_list_says(
    client: KitaruClient, providers: Providers
) -> None:
    for alias, answer in ANSWERS.items():
        providers[alias].answer_with(answer)
    handle = mixed.run("durability")
    assert handle.wait() == "Polished."
    execution = client.executions.get(handle.exec_id)
    calls = [call for checkpoint in execution.checkpoints for call in checkpoint.llm_calls]
    assert [(call.call_id, call.provider) for call in calls] == [
        ("llm#1/llm#1", "anthropic"),
        ("review#1/reviewer#1", "google"),
        ("llm#2/llm#1", "openai"),
    ]
    for call, alias in zip(calls, ("claude", "gemini", "gpt"), strict=True):
        answer = ANSWERS[alias]
        assert (call.input_tokens, call.output_tokens) == (answer.input_tokens, answer.output_tokens), alias
        assert call.cache_read_tokens == answer.cached_tokens
        assert call.reasoning_tokens == (answer.reasoning_tokens or None)
        assert call.cost_usd == pytest.approx(float(exact(alias, answer)))
        assert call.artifacts[0].kind == "prompt"
        assert call.artifacts[-1].load() == answer.blocks[0].text  # type: ignore[union-attr]
    total = sum(exact(alias, answer) for alias, answer in ANSWERS.items())
    assert execution.cost_usd == pytest.approx(float(total))
    for group_by, groups in (("model", 3), ("flow", 1), ("day", 1), ("status", 1)):
        rows = client.executions.statistics(group_by)
        assert len(rows) == groups
        assert sum(row["cost_usd"] for row in rows) == pytest.approx(float(total), abs=0.005)
        assert sum(row["unpriced_calls"] for row in rows) == 0

    replayed = mixed.replay(handle.exec_id, from_="llm#2", overrides={"checkpoint.llm#2": "Overridden."})
    assert replayed.wait() == "Overridden."
    assert [len(server.requests) for server in providers.values()] == [1, 1, 1], "nobody was asked again"
    second = client.executions.get(replayed.exec_id)
    assert second.cost_usd == 0
    saved = exact("claude", ANSWERS["claude"]) + exact("gemini", ANSWERS["gemini"])
    assert second.saved_usd == pytest.approx(float(saved))
    again = client.executions.get(
        mixed.replay(replayed.exec_id, from_="llm#2", overrides={"checkpoint.llm#2": "x"}).exec_id
    )
    assert again.exec_id != second.exec_id


@pytest.mark.parametrize("alias", ALIASES)
def test_settings_reach_the_provider(alias: str, providers: Providers) -> None:
    options = {"model": alias, "system": "Be brief.", "temperature": 0.25, "max_tokens": 321}
    assert asking.run("Hello?", options).wait() == "Done."
    body = str(providers[alias].requests[0]["body"])
    assert all(part in body for part in ("Hello?", "Be brief.", "0.25", "321"))


@pytest.mark.parametrize("alias", ALIASES)
def test_messages_go_as_a_conversation(alias: str, providers: Providers) -> None:
    prompt = [
        {"role": "system", "content": "You count."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    assert asking.run(prompt, {"model": alias}).wait() == "Done."
    body = str(providers[alias].requests[0]["body"])
    assert all(part["content"] in body for part in prompt)


def test_a_message_of_an_unknown_role_is_refused(providers: Providers) -> None:
    with pytest.raises(kitaru.KitaruUserCodeError, match="roles user, assistant"):
        asking.run([{"role": "boss", "content": "now"}], {"model": "gpt"}).wait()
    assert providers["gpt"].requests == []


@kitaru.checkpoint
def judged(model: str) -> Verdict:
    return kitaru.llm("Judge.", model=model, schema=Verdict)


@kitaru.flow
def judging(model: str) -> tuple[Verdict, list[int], Verdict]:
    return (
        kitaru.llm("Judge.", model=model, schema=Verdict),
        kitaru.llm("Count.", model=model, schema=list[int]),
        judged(model),
    )


@pytest.mark.parametrize("alias", ALIASES)
def test_an_answer_comes_back_as_the_schemas_type(alias: str, providers: Providers) -> None:
    verdict = reply(ToolUse("answer", {"ok": True, "reasons": ["short"]}))
    providers[alias].answer_with(verdict, reply(ToolUse("answer", {"value": [1, 2]})), verdict)
    expected = Verdict(ok=True, reasons=["short"])
    assert judging.run(alias).wait() == (expected, [1, 2], expected)


@pytest.mark.parametrize("alias", ALIASES)
def test_a_wrong_answer_is_corrected_and_each_try_is_paid_for(
    alias: str, client: KitaruClient, providers: Providers
) -> None:
    wrong = reply(ToolUse("answer", {"ok": "perhaps"}))
    providers[alias].answer_with(wrong, reply(ToolUse("answer", {"ok": False, "reasons": []})))
    handle = asking_for_a_verdict.run(alias)
    assert handle.wait() == Verdict(ok=False, reasons=[])
    (call,) = client.executions.get(handle.exec_id).checkpoints
    assert [one.status for one in call.llm_calls] == ["completed", "completed"]
    assert "reasons" in str(providers[alias].requests[1]["body"]), "it is told what was wrong"


@kitaru.flow
def asking_for_a_verdict(model: str) -> Verdict:
    return kitaru.llm("Judge.", model=model, schema=Verdict)


@pytest.mark.parametrize("alias", ALIASES)
def test_an_answer_that_stays_wrong_is_an_error(alias: str, providers: Providers) -> None:
    providers[alias].answer_with(reply(ToolUse("answer", {"ok": "perhaps"})))
    with pytest.raises(kitaru.KitaruUserCodeError) as failed:
        asking_for_a_verdict.run(alias).wait()
    assert isinstance(failed.value.__cause__, kitaru.KitaruModelOutputError)
    assert failed.value.__cause__.model == MODELS[alias]
    assert len(providers[alias].requests) == 3


@kitaru.checkpoint
async def thinking(number: int) -> str:
    return await aio.llm(f"Think of {number}", model="claude")


@kitaru.flow
async def side_by_side() -> list[str]:
    asked = [aio.llm(f"Say {number}", model="gpt") for number in range(3)]
    return list(await asyncio.gather(*asked, thinking(1)))


def test_an_async_flow_asks_side_by_side(client: KitaruClient, providers: Providers) -> None:
    handle = side_by_side.run()
    assert handle.wait() == ["Done."] * 4
    execution = client.executions.get(handle.exec_id)
    ids = sorted(call.call_id for one in execution.checkpoints for call in one.llm_calls)
    assert ids == ["llm#1/llm#1", "llm#2/llm#1", "llm#3/llm#1", "thinking#1/llm#1"]
    assert side_by_side.replay(handle.exec_id, from_="thinking").wait() == ["Done."] * 4
    assert len(providers["gpt"].requests) == 3


def test_sync_checkpoints_ask_from_their_threads(client: KitaruClient, providers: Providers) -> None:
    @kitaru.flow
    def fan_out() -> list[str]:
        return [future.result() for future in review.map(["a", "b", "c"], model="gemini")]

    handle = fan_out.run()
    assert handle.wait() == ["Done."] * 3
    assert client.executions.get(handle.exec_id).tokens == 3 * 120


def test_a_call_outside_a_flow_is_refused(client: KitaruClient) -> None:
    with pytest.raises(kitaru.KitaruContextError, match="outside a flow"):
        kitaru.llm("Hello?")


def test_an_unknown_model_is_named_with_those_that_there_are(providers: Providers) -> None:
    with pytest.raises(
        kitaru.KitaruUserCodeError, match=r"no model alias 'fast'; registered: claude, gemini, gpt"
    ):
        asking.run("Hello?", {"model": "fast"}).wait()
    with pytest.raises(kitaru.KitaruUserCodeError, match="there is no default"):
        asking.run("Hello?", {}).wait()


def test_a_missing_key_says_how_to_set_one(providers: Providers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(kitaru.KitaruUserCodeError, match="kitaru secrets set"):
        asking.run("Hello?", {"model": "anthropic/claude-haiku-4-5"}).wait()


def test_an_unknown_price_is_unknown(client: KitaruClient, providers: Providers) -> None:
    client.models.register("own", "openai/our-own-model", base_url=f"{providers['gpt'].url}/v1", default=True)
    handle = asking.run("Hello?", {})
    assert handle.wait() == "Done."
    execution = client.executions.get(handle.exec_id)
    assert execution.checkpoints[0].llm_calls[0].cost_usd is None
    assert (execution.cost_usd, execution.unpriced_calls, execution.tokens) == (None, 1, 120)


def test_a_mocked_answer_asks_nobody(client: KitaruClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITARU_LLM_MOCK_RESPONSE", '{"ok": true, "reasons": []}')
    handle = asking.run("Hello?", {"model": "anything"})
    assert handle.wait() == '{"ok": true, "reasons": []}'
    assert client.executions.get(handle.exec_id).cost_usd == 0
    assert asking_for_a_verdict.run("anything").wait() == Verdict(ok=True, reasons=[])
