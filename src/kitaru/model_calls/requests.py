"""One question to a model: asked, asked again where the provider says that it may help, validated, and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from kitaru import settings, tracking
from kitaru.errors import KitaruModelError, KitaruModelOutputError
from kitaru.model_calls.prices import price
from kitaru.model_calls.registry import ModelChoice
from kitaru.tracking import TrackedCall, Usage

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from tenacity import RetryCallState

OUTPUT_TOOL = "answer"
OUTPUT_TRIES = 3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
CHARACTERS_IN_TOKEN = 4
UNSAID_OUTPUT_TOKENS = 1000


@dataclass(frozen=True)
class Ask:
    """What to ask, of whom, and how. ``timeout`` is in seconds, for each attempt; ``retries`` follow the first."""

    prompt: str | list[Any]
    chain: Sequence[ModelChoice]
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    schema: Any = None
    timeout: float | None = None
    retries: int = 3
    name: str = "llm"

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Validates what comes back."""
        from pydantic import TypeAdapter

        return TypeAdapter(self.schema)

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """The schema of the answer, as an object: providers take no other."""
        plain = self.adapter.json_schema()
        if plain.get("type") == "object":
            return plain
        definitions = plain.pop("$defs", None)
        wrapped = {"type": "object", "properties": {"value": plain}, "required": ["value"]}
        return {**wrapped, "$defs": definitions} if definitions else wrapped

    def validated(self, arguments: dict[str, Any]) -> Any:
        """The answer as the schema's type; raises ``pydantic.ValidationError``."""
        plain = self.adapter.json_schema().get("type") == "object"
        return self.adapter.validate_python(arguments if plain else arguments.get("value"))


async def answer(ask: Ask, scope: object) -> Any:
    """Ask the models of the chain in turn until one answers; runs on the loop for model calls.

    Raises:
        KitaruModelError: the last one's, when all failed.
    """
    mock = settings.setting("llm_mock_response")
    if mock is not None:
        return await _mocked(ask, scope, str(mock))
    for choice in ask.chain[:-1]:
        try:
            return await _Conversation(ask, choice, scope).run()
        except KitaruModelError:
            continue  # on record; the next one is asked
    return await _Conversation(ask, ask.chain[-1], scope).run()


async def _mocked(ask: Ask, scope: object, text: str) -> Any:
    call = tracking.begin(ask.name, "llm_call", scope=scope)
    value = text if ask.schema is None else ask.adapter.validate_json(text)
    await _record(ask, call, text, provider="mock", model=ask.chain[0].model, cost_usd=0.0)
    return value


async def _record(ask: Ask, call: TrackedCall | None, response: Any, **end: Any) -> None:
    if call is None:
        return

    def record() -> None:
        call.keep("prompt", ask.prompt, "prompt")
        if ask.system is not None:
            call.keep("system", ask.system, "prompt")
        if response is not None:
            call.keep("response", response, "response")
        call.end(**end)

    # Off the loop: the storage may take its time, and other calls go on meanwhile.
    await asyncio.to_thread(record)


class _Conversation:
    """One model, asked until its answer is what was asked for."""

    def __init__(self, ask: Ask, choice: ModelChoice, scope: object) -> None:
        from kitaru.model_calls.messages import request_messages
        from kitaru.model_calls.providers import open_model

        self._ask = ask
        self._choice = choice
        self._scope = scope
        self._model = open_model(choice)
        self._messages: list[ModelMessage] = request_messages(ask.prompt, ask.system)

    async def run(self) -> Any:
        from pydantic import ValidationError

        from kitaru.model_calls.messages import corrected

        ask = self._ask
        for last in (False,) * (OUTPUT_TRIES - 1) + (True,):
            response = await self._request_patiently()
            if ask.schema is None:
                return self._text(response)
            try:
                return ask.validated(self._arguments(response))
            except (ValidationError, ValueError) as error:
                if last:
                    raise KitaruModelOutputError(
                        f"{self._choice.model} answered {OUTPUT_TRIES} times with what is no {ask.schema!r}: {error}",
                        model=self._choice.model,
                    ) from error
                self._messages += [response, corrected(response, OUTPUT_TOOL, str(error))]
        raise AssertionError

    def _text(self, response: ModelResponse) -> str:
        if response.text:
            return response.text
        raise KitaruModelOutputError(
            f"{self._choice.model} answered without text (it ended with {response.finish_reason!r}). Ask for more "
            "tokens with max_tokens=, or ask otherwise.",
            model=self._choice.model,
        )

    def _arguments(self, response: ModelResponse) -> dict[str, Any]:
        from pydantic_core import from_json

        for call in response.tool_calls:
            if call.tool_name == OUTPUT_TOOL:
                return call.args_as_dict(raise_if_invalid=True)
        found: Any = from_json(response.text or "")
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {"value": found}

    async def _request_patiently(self) -> ModelResponse:
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._ask.retries + 1),
            wait=_pause,
            retry=retry_if_exception(lambda error: isinstance(error, KitaruModelError) and error.retryable),
            reraise=True,
        )
        return await retrying(self._request)

    async def _request(self) -> ModelResponse:
        from pydantic_ai.direct import model_request

        from kitaru.model_calls.messages import model_error

        ask, choice = self._ask, self._choice
        call = tracking.begin(ask.name, "llm_call", scope=self._scope, estimate=self._estimate)
        try:
            with tracking.tracked_elsewhere():
                async with asyncio.timeout(ask.timeout):
                    response = await model_request(
                        self._model,
                        self._messages,
                        model_settings=self._settings(),
                        model_request_parameters=self._parameters(),
                        instrument=False,
                    )
        except asyncio.CancelledError:
            if call is not None:
                call.give_up()
            raise
        except Exception as error:
            failed = model_error(error, choice.model, ask.timeout)
            await _record(ask, call, None, provider=choice.provider, model=choice.name, error=failed)
            raise failed from error
        await self._record_answer(call, response)
        return response

    async def _record_answer(self, call: TrackedCall | None, response: ModelResponse) -> None:
        from kitaru.model_calls.messages import shown, usage_of

        usage, choice = usage_of(response), self._choice
        model = response.model_name or choice.name
        cost = price(usage, choice.provider, model)
        if cost is None:
            cost = price(usage, choice.provider, choice.name)
        info = {"finish_reason": response.finish_reason, "response_id": response.provider_response_id}
        if model != choice.name:
            info["requested_model"] = choice.name
        await _record(
            self._ask,
            call,
            shown(response),
            provider=choice.provider,
            model=model,
            usage=usage,
            cost_usd=cost,
            info={name: value for name, value in info.items() if value},
        )

    def _settings(self) -> Any:
        ask = self._ask
        said = {"temperature": ask.temperature, "max_tokens": ask.max_tokens, "timeout": ask.timeout}
        # Attempts are made, and recorded, here.
        return {"max_retries": 0} | {name: value for name, value in said.items() if value is not None}

    def _parameters(self) -> Any:
        from pydantic_ai.models import ModelRequestParameters
        from pydantic_ai.tools import ToolDefinition

        if self._ask.schema is None:
            return ModelRequestParameters()
        tool = ToolDefinition(
            name=OUTPUT_TOOL,
            description="Give the final answer.",
            parameters_json_schema=self._ask.json_schema,
            kind="output",
        )
        return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)

    def _estimate(self) -> float | None:
        """What the next request may cost, for the budget: its characters, and the output that was asked for."""
        from pydantic_ai.messages import ModelMessagesTypeAdapter

        sent = len(ModelMessagesTypeAdapter.dump_json(self._messages)) // CHARACTERS_IN_TOKEN
        expected = Usage(sent, self._ask.max_tokens or UNSAID_OUTPUT_TOKENS)
        return price(expected, self._choice.provider, self._choice.name)


def _pause(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the provider says, else doubling."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, KitaruModelError) else None
    return min(asked or FIRST_PAUSE_SECONDS * 2 ** (state.attempt_number - 1), LONGEST_PAUSE_SECONDS)
