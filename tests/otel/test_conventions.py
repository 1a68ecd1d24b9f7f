"""Spans made by hand, as the conventions allow them: what is recorded of each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import genai_prices
import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, StatusCode

from kitaru import tracking
from kitaru.client import CheckpointCall
from kitaru.otel import KitaruSpanProcessor

Recorded = Callable[[Callable[[], Any]], CheckpointCall]

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-haiku-4-5",
}
USED = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}
CHAT_USD = 0.0002


@pytest.fixture
def tracer(provider: TracerProvider) -> trace.Tracer:
    return provider.get_tracer("a client library")


def told(checkpoint: CheckpointCall) -> list[tuple[str, int | None, float | None]]:
    """Of each model call: its id, its input and its price."""
    return [(call.call_id, call.input_tokens, call.cost_usd) for call in checkpoint.llm_calls]


def test_tokens_price_content_and_times(recorded: Recorded, tracer: trace.Tracer) -> None:
    def body() -> None:
        with tracer.start_as_current_span(
            "chat", attributes=CHAT, start_time=1_700_000_000_000_000_000
        ) as span:
            span.set_attributes(
                {
                    "gen_ai.response.model": "claude-haiku-4-5-20251001",
                    "gen_ai.response.id": "msg_1",
                    "gen_ai.response.finish_reasons": ("stop",),
                    "gen_ai.usage.input_tokens": 1000,
                    "gen_ai.usage.output_tokens": 300,
                    "gen_ai.usage.cache_read.input_tokens": 200,
                    "gen_ai.usage.cache_creation.input_tokens": 100,
                    "gen_ai.usage.reasoning.output_tokens": 50,
                    "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief."}]',
                    "gen_ai.input.messages": '[{"role": "user", "parts": []}]',
                    "gen_ai.output.messages": "[cut",
                }
            )

    (call,) = recorded(body).llm_calls
    assert (call.input_tokens, call.output_tokens, call.reasoning_tokens) == (1000, 300, 50)
    assert (call.cache_read_tokens, call.cache_write_tokens) == (200, 100)
    usage = genai_prices.Usage(
        input_tokens=1000, output_tokens=300, cache_read_tokens=200, cache_write_tokens=100
    )
    expected = genai_prices.calc_price(usage, "claude-haiku-4-5", provider_id="anthropic").total_price
    assert call.cost_usd == pytest.approx(float(expected))
    assert (call.provider, call.model) == ("anthropic", "claude-haiku-4-5-20251001")
    assert call.info == {
        "finish_reason": "stop",
        "response_id": "msg_1",
        "requested_model": "claude-haiku-4-5",
    }
    assert [(one.name, one.load()) for one in call.artifacts] == [
        ("system", [{"type": "text", "content": "Be brief."}]),
        ("prompt", [{"role": "user", "parts": []}]),
        ("response", "[cut"),
    ]
    assert call.started_at is not None
    assert call.started_at.year == 2023


@pytest.mark.parametrize(
    ("said", "name", "model"),
    [
        ("gcp.gemini", "google", "gemini-2.5-flash"),
        ("gcp.gen_ai", "google", "gemini-2.5-flash"),
        ("gcp.vertex_ai", "vertex", "gemini-2.5-flash"),
        ("aws.bedrock", "bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("azure.ai.openai", "azure", "gpt-4o"),
        ("mistral_ai", "mistral", "mistral-large-latest"),
        ("x_ai", "x-ai", "grok-4-0709"),
    ],
)
def test_providers_by_the_names_of_the_conventions(
    recorded: Recorded, tracer: trace.Tracer, said: str, name: str, model: str
) -> None:
    attributes = {**CHAT, **USED, "gen_ai.provider.name": said, "gen_ai.request.model": model}
    (call,) = recorded(lambda: tracer.start_span("chat", attributes=attributes).end()).llm_calls
    assert call.provider == name
    assert call.cost_usd is not None
    assert call.cost_usd > 0


def test_names_of_older_conventions(recorded: Recorded, tracer: trace.Tracer) -> None:
    attributes = {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": "claude-haiku-4-5",
        "gen_ai.usage.prompt_tokens": 100,
        "gen_ai.usage.completion_tokens": 20,
    }

    def body() -> None:
        with tracer.start_as_current_span("completion", attributes=attributes) as span:
            span.add_event("gen_ai.content.prompt", {"gen_ai.prompt": "Hello?"})
            span.add_event("gen_ai.content.completion", {"gen_ai.completion": "Hello."})

    found = recorded(body)
    assert told(found) == [("step#1/text_completion#1", 100, pytest.approx(CHAT_USD))]
    assert [one.load() for one in found.llm_calls[0].artifacts] == ["Hello?", "Hello."]


def test_an_unknown_price_is_unknown_and_so_are_tokens(recorded: Recorded, tracer: trace.Tracer) -> None:
    def body() -> None:
        tracer.start_span("chat", attributes={**CHAT, **USED, "gen_ai.request.model": "our-own"}).end()
        tracer.start_span("chat", attributes=CHAT).end()

    assert told(recorded(body)) == [("step#1/chat#1", 100, None), ("step#1/chat#2", None, None)]


def test_cached_tokens_that_were_left_out_of_the_input_are_put_into_it(
    recorded: Recorded, tracer: trace.Tracer
) -> None:
    attributes = {**CHAT, **USED, "gen_ai.usage.cache_read.input_tokens": 900}
    (call,) = recorded(lambda: tracer.start_span("chat", attributes=attributes).end()).llm_calls
    assert (call.input_tokens, call.cache_read_tokens) == (1000, 900)
    assert call.cost_usd == pytest.approx((100 * 1 + 900 * 0.1 + 20 * 5) / 1e6)


def test_a_framework_over_a_client_is_one_call(recorded: Recorded, tracer: trace.Tracer) -> None:
    def body() -> None:
        agent = {"gen_ai.operation.name": "invoke_agent", **{name: 2 * count for name, count in USED.items()}}
        with tracer.start_as_current_span("invoke_agent", attributes=agent):
            for _ in range(2):
                framework = tracer.start_as_current_span("chat of the framework", attributes={**CHAT, **USED})
                with framework, tracer.start_as_current_span("POST"):
                    tracer.start_span("chat of the client", attributes={**CHAT, **USED}).end()

    assert [one[1] for one in told(recorded(body))] == [100, 100]


def test_the_framework_tells_what_its_client_does_not(recorded: Recorded, tracer: trace.Tracer) -> None:
    def body() -> None:
        with tracer.start_as_current_span("chat", attributes=CHAT) as outer:
            tracer.start_span("chat", attributes=CHAT).end()
            outer.set_attributes(USED)

    assert told(recorded(body)) == [("step#1/chat#1", 100, pytest.approx(CHAT_USD))]


def test_a_framework_that_ends_before_its_client_is_one_call(
    recorded: Recorded, tracer: trace.Tracer
) -> None:
    def body() -> None:
        with tracer.start_as_current_span("chat", attributes={**CHAT, **USED}):
            inner = tracer.start_span("chat", attributes={**CHAT, **USED})
        inner.end()

    assert len(recorded(body).llm_calls) == 1


def test_each_attempt_of_a_retried_request_is_a_call(recorded: Recorded, tracer: trace.Tracer) -> None:
    def body() -> None:
        with tracer.start_as_current_span("chat", attributes={**CHAT, **USED}):
            for refused in (True, False):
                with tracer.start_as_current_span("chat", attributes=CHAT) as span:
                    if refused:
                        span.set_attribute("error.type", "overloaded_error")
                        span.set_status(StatusCode.ERROR, "try again")
                    else:
                        span.set_attributes(USED)

    calls = recorded(body).llm_calls
    assert [(call.status, call.input_tokens) for call in calls] == [("failed", None), ("completed", 100)]
    assert calls[0].failure is not None
    assert calls[0].failure.message == "overloaded_error: try again"


def test_a_request_that_failed_is_one_failure(recorded: Recorded, tracer: trace.Tracer) -> None:
    def fail() -> None:
        framework = tracer.start_as_current_span("chat", attributes=CHAT)
        with framework, tracer.start_as_current_span("chat", attributes=CHAT):
            raise ConnectionError("cut")

    def body() -> None:
        with pytest.raises(ConnectionError):
            fail()

    (call,) = recorded(body).llm_calls
    assert call.failure is not None
    assert call.failure.message == "ConnectionError: cut"


def test_tools_and_what_they_ask_models(recorded: Recorded, tracer: trace.Tracer) -> None:
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}

    def body() -> None:
        # A tool inside a model's span, as some frameworks nest them; its own request is another one.
        model = tracer.start_as_current_span("chat", attributes={**CHAT, **USED})
        with model, tracer.start_as_current_span("execute_tool", attributes=tool) as span:
            span.set_attributes(
                {"gen_ai.tool.call.arguments": '{"q": 1}', "gen_ai.tool.call.result": "found"}
            )
            tracer.start_span("tools/call", attributes=tool).end()  # the protocol's span of the same call
            tracer.start_span("chat", attributes={**CHAT, **USED}).end()
        with pytest.raises(KeyError), tracer.start_as_current_span("execute_tool", attributes=tool):
            raise KeyError("lost")

    found = recorded(body)
    first, second = found.tool_calls
    assert (first.name, first.status, second.status) == ("search", "completed", "failed")
    assert [(one.kind, one.load()) for one in first.artifacts] == [("input", {"q": 1}), ("output", "found")]
    assert second.failure is not None
    assert "lost" in second.failure.message
    assert {call.parent for call in found.llm_calls} == {first.call_id, None}


def test_embeddings_are_priced_by_what_was_sent(recorded: Recorded, tracer: trace.Tracer) -> None:
    attributes = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.usage.input_tokens": 1_000_000,
    }
    assert told(recorded(lambda: tracer.start_span("embeddings", attributes=attributes).end())) == [
        ("step#1/embeddings#1", 1_000_000, pytest.approx(0.02))
    ]


def test_a_span_shown_twice_is_one_call(recorded: Recorded, provider: TracerProvider) -> None:
    provider.add_span_processor(KitaruSpanProcessor())
    second = TracerProvider()
    second.add_span_processor(KitaruSpanProcessor())

    def body() -> None:
        # Two instrumentations of one client, each with a provider of its own.
        with provider.get_tracer("one").start_as_current_span("chat", attributes={**CHAT, **USED}):
            second.get_tracer("other").start_span("chat", attributes={**CHAT, **USED}).end()

    assert len(recorded(body).llm_calls) == 1


def test_what_is_recorded_elsewhere_is_left_alone(recorded: Recorded, tracer: trace.Tracer) -> None:
    def ask() -> None:
        tracer.start_span("chat", attributes={**CHAT, **USED}).end()

    def body() -> None:
        with tracking.tracked_elsewhere():
            ask()
            with tracking.tracked_here():
                ask()

    assert len(recorded(body).llm_calls) == 1


def test_a_span_on_a_thread_that_knows_the_trace_alone(recorded: Recorded, tracer: trace.Tracer) -> None:
    def body() -> None:
        with tracer.start_as_current_span("work"):
            here = context.get_current()
            thread = threading.Thread(
                target=lambda: tracer.start_span("chat", here, attributes={**CHAT, **USED}).end()
            )
            thread.start()
            thread.join()

    assert len(recorded(body).llm_calls) == 1


def test_a_span_that_says_what_it_is_at_its_end(recorded: Recorded, tracer: trace.Tracer) -> None:
    def late(span: Span, **attributes: Any) -> None:
        span.set_attributes(attributes)
        span.end()

    def body() -> None:
        late(tracer.start_span("?"), **CHAT, **USED)
        late(tracer.start_span("?"), **{"gen_ai.operation.name": "execute_tool"})

    found = recorded(body)
    assert len(found.llm_calls) == 1
    assert [call.name for call in found.tool_calls] == ["tool"]


def test_outside_of_checkpoints_nothing_is_recorded(tracer: trace.Tracer) -> None:
    tracer.start_span("chat", attributes={**CHAT, **USED}).end()
