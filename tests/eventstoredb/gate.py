"""What every call passes on its way in and out: the call log, admission, faults, errors."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]

from tests.eventstoredb.answers import Failure, NotReady
from tests.eventstoredb.batches import not_ready
from tests.eventstoredb.calls import Call, Calls
from tests.eventstoredb.faults import Faults

_SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Wraps every method of a node. The methods get the Call in place of gRPC's context."""

    def __init__(self, node: int, calls: Calls, faults: Faults, admit: Callable[[Call], None]) -> None:
        self._node = node
        self._calls = calls
        self._faults = faults
        self._admit = admit

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        method = details.method.rpartition(".")[2]
        shape = next(shape for shape in _SHAPES if getattr(handler, shape))
        behaviour = getattr(handler, shape)

        async def serve(request: Any, context: Any) -> Any:
            return await self._serve(method, shape, behaviour, request, context)

        wrap = getattr(grpc, f"{shape}_rpc_method_handler")
        return wrap(serve, handler.request_deserializer, handler.response_serializer)

    async def _serve(self, method: str, shape: str, behaviour: Any, request: Any, context: Any) -> Any:
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        call = Call(method, self._node, metadata)
        self._calls.add(call)
        try:
            answer = await self._answer(call, shape, behaviour, request, context)
        except Failure as failure:
            # A fault raises the same one at each call: with its traceback it would keep all of them alive,
            # and a server with too many refuses to take more.
            failure.__traceback__ = None
            if failure.code == "OK":
                call.status = "OK"
                return None
            call.status = failure.code
            await context.abort(grpc.StatusCode[failure.code], failure.details, failure.trailers)
        else:
            call.status = "OK"
            return answer
        finally:
            call.status = call.status or "CANCELLED"

    async def _answer(self, call: Call, shape: str, behaviour: Any, request: Any, context: Any) -> Any:
        if shape.startswith("stream"):
            # The first request is taken in before any fault, so that what it brought is in the call log.
            first = await anext(aiter(request), None)
            requests = _counted(first, request, call)
            if first is not None:
                call.saw(first)
        else:
            requests = request
            call.saw(request)
        answers = self._faults.apply(call, self._answers(call, shape, behaviour, requests))
        answer = None
        try:
            async with aclosing(answers):  # type: ignore[type-var]  # all answers are generators
                async for answer in answers:
                    call.answers += 1
                    if shape.endswith("stream"):
                        await call.writing(context.write(answer))
        except BaseException:
            if call.ending is not None:
                raise call.ending from None
            raise
        return answer

    async def _answers(self, call: Call, shape: str, behaviour: Any, request: Any) -> AsyncIterator[Any]:
        try:
            self._admit(call)
        except NotReady:
            if not call.method.endswith("/BatchAppend"):
                raise
            yield not_ready()
            return
        if shape.endswith("stream"):
            async for answer in behaviour(request, call):
                yield answer
        else:
            yield await behaviour(request, call)


async def _counted(first: Any, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
    if first is None:
        return
    yield first
    async for request in requests:
        call.saw(request)
        yield request
