"""What an agent asks models and tools inside a checkpoint, recorded as that happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool, WrapperToolset

from kitaru import tracking
from kitaru.errors import KitaruUsageError
from kitaru.model_calls.messages import usage_of
from kitaru.model_calls.prices import price
from kitaru.tracking import TrackedCall, Usage

__all__ = ["Capture", "Recording", "ToolCaptureConfig"]

CHARACTERS_IN_TOKEN = 4
UNSAID_OUTPUT_TOKENS = 1000

CaptureMode = Literal["full", "metadata_only", "off"]


class ToolCaptureConfig(BaseModel):
    """How much of a tool's calls is recorded.

    Attributes:
        mode: ``full``: arguments and result too; ``metadata_only``: that it was called, when, and its error; ``off``:
            nothing.

    Example:
        >>> ToolCaptureConfig(mode="metadata_only").mode
        'metadata_only'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: CaptureMode = "full"


@dataclass(frozen=True)
class Capture:
    """The modes of an agent's tools."""

    default: CaptureMode = "full"
    by_name: Mapping[str, CaptureMode] = field(default_factory=dict[str, CaptureMode])

    def mode(self, tool: str) -> CaptureMode:
        """The tool's own, else that of all."""
        return self.by_name.get(tool, self.default)

    @classmethod
    def of(cls, every: Any, by_name: Any) -> Capture:
        """From what a user gives: configs, or dicts of their form; raises ``KitaruUsageError`` for anything else."""
        try:
            default = ToolCaptureConfig.model_validate({} if every is None else every)
            named = TypeAdapter(dict[str, ToolCaptureConfig]).validate_python(
                {} if by_name is None else by_name
            )
        except ValidationError as error:
            raise KitaruUsageError(
                'tool_capture_config takes {"mode": "full" | "metadata_only" | "off"}, and '
                f"tool_capture_config_by_name a dict of those by the tools' names: {error}"
            ) from error
        return cls(default.mode, {name: config.mode for name, config in named.items()})


@dataclass
class Recording(AbstractCapability[Any]):
    """Goes into a run inside a checkpoint, and records its calls under that."""

    capture: Capture

    def get_wrapper_model(self, model: Model) -> Model | None:
        """Each attempt at a request is a call of its own."""
        return _RecordedModel(model)

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any] | None:
        """All tools of the run, whatever toolset they come from."""
        return _RecordedTools(toolset, self.capture)


class _RecordedModel(WrapperModel):
    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        call = self._begin(messages, model_settings)
        try:
            with tracking.tracked_elsewhere("llm_call"):
                response = await super().request(messages, model_settings, model_request_parameters)
        except Exception as error:
            await self._failed(call, messages, error)
            raise
        except BaseException:
            call.give_up()
            raise
        await self._answered(call, messages, response)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        call = self._begin(messages, model_settings)
        stream = super().request_stream(messages, model_settings, model_request_parameters, run_context)
        try:
            with tracking.tracked_elsewhere("llm_call"):
                response = await stream.__aenter__()
        except Exception as error:
            await self._failed(call, messages, error)
            raise
        except BaseException:
            call.give_up()
            raise
        raised: BaseException | None = None
        try:
            yield response
        except BaseException as error:
            raised = error
            raise
        finally:
            # What has come until here was paid, also where the stream was left or cut.
            await self._answered(
                call, messages, response.get(), raised if isinstance(raised, Exception) else None
            )
            await stream.__aexit__(type(raised) if raised else None, raised, None)

    def _begin(self, messages: list[ModelMessage], settings: ModelSettings | None) -> TrackedCall:
        def estimate() -> float | None:
            sent = len(ModelMessagesTypeAdapter.dump_json(messages)) // CHARACTERS_IN_TOKEN
            expected = (settings or {}).get("max_tokens") or UNSAID_OUTPUT_TOKENS
            return price(Usage(sent, expected), self.wrapped.system, self.wrapped.model_name)

        call = tracking.begin("llm", "llm_call", estimate=estimate)
        assert call is not None
        return call

    async def _failed(self, call: TrackedCall, messages: list[ModelMessage], error: Exception) -> None:
        def record() -> None:
            call.keep("prompt", _plain(messages), "prompt")
            call.end(provider=self.wrapped.system, model=self.wrapped.model_name, error=error)

        await asyncio.to_thread(record)

    async def _answered(
        self,
        call: TrackedCall,
        messages: list[ModelMessage],
        response: ModelResponse,
        error: Exception | None = None,
    ) -> None:
        usage, asked = usage_of(response), self.wrapped.model_name
        # Of several models behind one, the answer tells which it was.
        provider = response.provider_name or self.wrapped.system
        model = response.model_name or asked
        costs = (price(usage, provider, name) for name in (model, asked))
        info = {
            "finish_reason": response.finish_reason,
            "response_id": response.provider_response_id,
            "requested_model": None if asked == model else asked,
        }

        def record() -> None:
            call.keep("prompt", _plain(messages), "prompt")
            call.keep("response", _plain([response])[0], "response")
            call.end(
                provider=provider,
                model=model,
                usage=usage,
                cost_usd=next((cost for cost in costs if cost is not None), None),
                error=error,
                info={name: value for name, value in info.items() if value},
            )

        # Off the loop: the storage may take its time, and other calls go on meanwhile.
        await asyncio.to_thread(record)


@dataclass
class _RecordedTools(WrapperToolset[Any]):
    capture: Capture = field(default_factory=Capture)

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        mode, started_at = self.capture.mode(name), time.time()
        try:
            # What the tool itself asks other libraries is the user's: observers see it.
            with tracking.tracked_elsewhere("tool_call", name), tracking.tracked_here():
                result = await super().call_tool(name, tool_args, ctx, tool)
        except (ApprovalRequired, CallDeferred):
            raise  # it has not run: people are asked, or it runs elsewhere
        except Exception as error:
            await _record_tool(name, mode, started_at, tool_args, error=error)
            raise
        await _record_tool(name, mode, started_at, tool_args, lambda: result)
        return result


async def _record_tool(
    name: str,
    mode: CaptureMode,
    started_at: float,
    arguments: dict[str, Any],
    result: Callable[[], Any] | None = None,
    error: Exception | None = None,
) -> None:
    if mode == "off":
        return

    def record() -> None:
        call = tracking.begin(name, "tool_call")
        assert call is not None
        if mode == "full":
            call.keep("arguments", arguments, "input")
            if result is not None:
                call.keep("result", result(), "output")
        call.end(error=error, started_at=started_at)

    await asyncio.to_thread(record)


def _plain(messages: list[ModelMessage]) -> list[Any]:
    """Messages as JSON, in pydantic-ai's form."""
    return ModelMessagesTypeAdapter.dump_python(messages, mode="json")
