"""The span processor: which spans are calls, whose they are, and which of them are the same call seen twice."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, get_current_span

from kitaru import tracking
from kitaru.model_calls.prices import price
from kitaru.otel import conventions
from kitaru.tracking import TrackedCall

__all__ = ["KitaruSpanProcessor"]


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Seen:
    """A span inside a checkpoint, from its start on."""

    span: weakref.ref[Span]
    around: _Seen | None
    scope: object
    elsewhere: bool
    call: TrackedCall | None = None
    ended: ReadableSpan | None = None
    answered: bool = False
    """It is on record, with what it took."""
    answer_inside: bool = False
    """A span inside it is: both are of one request."""
    failure_inside: bool = False

    @property
    def attributes(self) -> conventions.Attributes:
        """What is known of it by now."""
        span = self.ended or self.span()
        return (span and span.attributes) or {}

    def enclosing(self) -> Iterator[_Seen]:
        """The spans around it that are of the same call: a framework's over a client library's.

        What an agent or a tool does inside a call is no part of that.
        """
        mine = _identity(self.attributes)
        outer = self.around
        while outer is not None and outer.scope is self.scope:
            attributes = outer.attributes
            if _identity(attributes) == mine:
                yield outer
            elif conventions.operation(attributes) is not None:
                return
            outer = outer.around

    def tool_around(self) -> str | None:
        """The ``child_id`` of the tool call that it belongs to."""
        outer = self.around
        while outer is not None:
            if outer.call is not None:
                return outer.call.child_id
            outer = outer.around
        return None


def _identity(attributes: conventions.Attributes) -> tuple[str | None, str | None]:
    family = conventions.family(attributes)
    return family, conventions.tool_name(attributes) if family == "tool" else None


# Shared by all processors of this process: a span that two of them are shown is one span. Spans that never end go away
# with the objects that stand for them.
_lock = threading.Lock()
_seen: weakref.WeakValueDictionary[tuple[int, int], _Seen] = weakref.WeakValueDictionary()
_kept: weakref.WeakKeyDictionary[Span, _Seen] = weakref.WeakKeyDictionary()


class KitaruSpanProcessor(SpanProcessor):
    """Records the model and tool calls of instrumented SDKs under the checkpoint in which their spans start.

    It follows OpenTelemetry's semantic conventions for generative AI. A call is on record, with its tokens and its
    price, when the call that ends its span returns. What ``kitaru.llm`` and adapters record themselves is left alone.

    Raises:
        KitaruFeatureNotAvailableError: on import, without the extra ``otel``.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from kitaru.otel import KitaruSpanProcessor
        >>> provider = TracerProvider()
        >>> provider.add_span_processor(KitaruSpanProcessor())
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note in which checkpoint the span starts; under a spent budget, a model call does not."""
        seen = _note(span)
        if seen is None or seen.elsewhere:
            return
        family = conventions.family(seen.attributes)
        if family in ("inference", "embeddings"):
            tracking.check_budget(seen.scope)
        elif family == "tool" and next(seen.enclosing(), None) is None:
            seen.call = _begin(seen)

    def on_end(self, span: ReadableSpan) -> None:
        """Record the call, if the span is of one that no other span has told of."""
        context = span.get_span_context()
        with _lock:
            seen = None if context is None else _seen.get(_key(context))
            if seen is None or seen.ended is not None:
                return
            seen.ended = span
            family = None if seen.elsewhere else conventions.family(seen.attributes)
            if family is None or not _counts(seen):
                return
        if family == "tool":
            _record_tool(seen, span)
        else:
            _record_model_call(seen, span)

    def shutdown(self) -> None:
        """Nothing is held back that would have to be written now."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """True: each call is on record when its span has ended."""
        return True


def _key(context: SpanContext) -> tuple[int, int]:
    return context.trace_id, context.span_id


def _leave(kind: tracking.Kind, name: str) -> None:
    """The call that begins here is recorded by who makes it; a span around it that is of the same call is not."""
    with _lock:
        seen = _seen.get(_key(get_current_span().get_span_context()))
        while seen is not None and conventions.operation(seen.attributes) is None:
            seen = seen.around
        if seen is None or _identity(seen.attributes) != (
            ("tool", name) if kind == "tool_call" else ("inference", None)
        ):
            return
        for one in (seen, *seen.enclosing()):
            one.elsewhere = True


tracking.add_observer(_leave)


def _note(span: Span) -> _Seen | None:
    """A span that starts; None outside of checkpoints, and for one that was noted before."""
    with _lock:
        key = _key(span.get_span_context())
        if key in _seen:
            return None
        around = None if span.parent is None else _seen.get(_key(span.parent))
        scope, elsewhere = tracking.current_checkpoint(), tracking.is_tracked()
        if scope is None and around is not None:  # on a thread that was handed the span alone
            scope, elsewhere = around.scope, around.elsewhere
        if scope is None:
            return None
        seen = _seen[key] = _kept[span] = _Seen(weakref.ref(span), around, scope, elsewhere)
        return seen


def _counts(seen: _Seen) -> bool:
    """Whether an ended span is to be recorded, given those around and inside it that are of the same call."""
    around = list(seen.enclosing())
    if conventions.family(seen.attributes) == "tool":
        return not around
    assert seen.ended is not None
    usage = conventions.usage_of(seen.attributes)
    answered = usage.input_tokens is not None or usage.output_tokens is not None
    failed = conventions.failure(seen.ended) is not None
    if seen.answer_inside or any(outer.answered for outer in around):
        return False
    if not answered:
        if failed and seen.failure_inside:
            return False
        # The framework may know what the client's span does not say.
        if not failed and any(outer.ended is None for outer in around):
            return False
    seen.answered = answered
    for outer in around:
        outer.answer_inside |= answered
        outer.failure_inside |= failed
    return True


def _begin(seen: _Seen) -> TrackedCall:
    attributes = seen.attributes
    is_tool = conventions.family(attributes) == "tool"
    name = conventions.tool_name(attributes) if is_tool else conventions.operation(attributes)
    call = tracking.begin(
        name or "tool",
        "tool_call" if is_tool else "llm_call",
        parent=seen.tool_around(),
        scope=seen.scope,
        made=True,
    )
    assert call is not None
    return call


def _record_tool(seen: _Seen, span: ReadableSpan) -> None:
    call = seen.call or _begin(seen)
    _keep(call, span, "arguments", "input")
    _keep(call, span, "result", "output")
    started_at, ended_at = _times(span)
    call.end(error=conventions.failure(span), started_at=started_at, ended_at=ended_at)


def _record_model_call(seen: _Seen, span: ReadableSpan) -> None:
    attributes = span.attributes or {}
    usage, provider = conventions.usage_of(attributes), conventions.provider_of(attributes)
    model, asked = conventions.model_of(attributes)
    started_at, ended_at = _times(span)
    costs = (price(usage, provider, name, started_at) for name in (model, asked) if name)
    info = {
        "finish_reason": ", ".join(conventions.finish_reasons(attributes)),
        "response_id": attributes.get("gen_ai.response.id"),
        "requested_model": None if asked == model else asked,
    }
    call = _begin(seen)
    _keep(call, span, "system", "prompt")
    _keep(call, span, "prompt", "prompt")
    _keep(call, span, "response", "response")
    call.end(
        provider=provider,
        model=model,
        usage=usage,
        cost_usd=next((cost for cost in costs if cost is not None), None),
        error=conventions.failure(span),
        info={name: value for name, value in info.items() if value},
        started_at=started_at,
        ended_at=ended_at,
    )


def _keep(call: TrackedCall, span: ReadableSpan, part: str, kind: str) -> None:
    value = conventions.content(span, part)
    if value is not None:
        call.keep(part, value, kind)


def _times(span: ReadableSpan) -> tuple[float | None, float | None]:
    """Start and end, in seconds; spans have nanoseconds."""
    start, end = span.start_time, span.end_time
    return start / 1e9 if start else None, end / 1e9 if end else None
