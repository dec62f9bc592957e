# SPDX-License-Identifier: Apache-2.0
"""An MCP server: the tools, and what is known of the network, for any client of the protocol.

An episode is a session. Over stdio the server process is one. Over HTTP a session begins with the
protocol's `initialize` and ends with the client's `DELETE` or when it is idle; requests of protocol
versions without sessions (2026-07-28) are refused there, with the versions that have them, and
clients then fall back to those.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, TypeVar

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from env.environment import Environment
from env.errors import ToolError
from env.interfaces.functions import answer_text, compact_json, error_text
from env.interfaces.hosting import Host, Limits, Session
from env.interfaces.mcp_transport import bounded_stdio, check_address, serve_http
from env.interfaces.resources import RESOURCES
from env.tools import TOOLS, Tool
from env.view import Scope

T = TypeVar("T")
Context = ServerRequestContext[Session]
INTENT_URI = "sixg://task"
_SESSION = "sixg_session"


def serve_mcp(
    make_environment: Callable[[int], Environment],
    *,
    intent: str = "",
    scope: Scope | None = None,
    limits: Limits | None = None,
    on_end: Callable[[Environment], None] | None = None,
    http: bool = False,
    host: str = "127.0.0.1",
    port: int = 8765,
    token: str = "",
) -> None:
    """Serve episodes until stdin ends, or over HTTP until interrupted.

    Args:
        make_environment: starts episode n of this server; n counts from 0. The server closes it.
        intent: of the task, in plain words; empty if there is no task.
        scope: what clients may see and do; everything by default.
        limits: what they may take.
        on_end: is given each episode when it is over, before it is closed.
        http: rather than stdio.
        host: address to listen at. Any other than a loopback address demands a token.
        port: to listen at; 0 takes a free one. The address is printed on stderr.
        token: that clients over HTTP must send as `Authorization: Bearer TOKEN`; empty for none.

    Raises:
        EnvUserError: the address cannot be used, or not without a token.
    """
    limits = limits or Limits()
    if http:
        check_address(host, token)
    server = mcp_server(Host(make_environment, limits, on_end), intent=intent, scope=scope)
    if http:
        serve_http(server, host, port, token, limits)
    else:
        anyio.run(_serve_stdio, server, limits)


async def _serve_stdio(server: Server[Session], limits: Limits) -> None:
    async with bounded_stdio(sys.stdin, limits.max_message_bytes) as (read, write):
        await server.run(read, write, server.create_initialization_options())


def mcp_server(host: Host, *, intent: str = "", scope: Scope | None = None) -> Server[Session]:
    """The server, without a transport.

    Args:
        host: of its episodes.
        intent: of the task, in plain words; empty if there is no task.
        scope: what clients may see and do; everything by default.
    """
    tools = [mcp_tool(t) for t in TOOLS.values() if scope is None or scope.has_tool(t.name)]
    resources = [
        types.Resource(uri=uri, name=name, description=text, mime_type="application/json")
        for uri, (name, text, _) in RESOURCES.items()
    ]
    if intent:
        text = "What the network shall be brought to."
        resources.append(
            types.Resource(
                uri=INTENT_URI, name="task", description=text, mime_type="application/json"
            )
        )

    @asynccontextmanager
    async def lifespan(_: Server[Session]) -> AsyncIterator[Session]:
        """The session of a server over stdio."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.end_idle)
            try:
                yield Session(host)
            finally:
                host.close()
                tasks.cancel_scope.cancel()

    def session_of(context: Context) -> Session:
        if context.request is None:
            return context.lifespan_context
        connection = context.session._connection  # the SDK has no public way to it
        if _SESSION not in connection.state:
            session = connection.state[_SESSION] = Session(host)
            connection.exit_stack.callback(session.end, "its client has left")
        found: Session = connection.state[_SESSION]
        return found

    async def list_tools(_: Context, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(
        context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        def call(environment: Environment) -> tuple[bool, str]:
            answer = environment.call(params.name, params.arguments, scope=scope)
            return answer.ok, answer_text(answer)

        try:
            ok, text = await session_of(context).call(call)
        except ToolError as error:
            ok, text = False, error_text(error)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)],
            structured_content=json.loads(text),
            is_error=not ok,
        )

    async def list_resources(_: Context, __: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=resources)

    async def read_resource(
        context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        if intent and uri == INTENT_URI:
            text = compact_json({"intent": intent})
        elif uri in RESOURCES:
            _, _, content = RESOURCES[uri]
            try:
                text = await session_of(context).read(
                    lambda environment: compact_json(content(environment.view(scope)))
                )
            except ToolError as error:
                raise MCPError(types.INTERNAL_ERROR, str(error), error.answer()) from None
        else:
            known = ", ".join(str(resource.uri) for resource in resources)
            raise MCPError(
                types.INVALID_PARAMS, f"there is no resource {uri[:80]!r}; there are {known}"
            )
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=uri, mime_type="application/json", text=text)]
        )

    server: Server[Session] = Server(
        "6GAgentGym",
        version=version("sixg-agent-gym"),
        instructions=_instructions(intent),
        lifespan=lifespan,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
    )
    server.middleware.append(_need_a_session)
    return server


def mcp_tool(tool: Tool) -> types.Tool:
    """A tool as MCP lists it.

    A tool that configures sets what was set before, and each call of it takes simulated time:
    hence destructive, and not idempotent.
    """
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=copy.deepcopy(tool.schema),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=not tool.read_only,
            idempotent_hint=tool.read_only,
            open_world_hint=False,
        ),
        meta={"effect": tool.effect},
    )


async def _need_a_session(ctx: Context, call_next: CallNext) -> HandlerResult:
    if ctx.request is not None and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(
            types.UNSUPPORTED_PROTOCOL_VERSION,
            "an episode needs a session, which this protocol version does not have",
            {
                "supported": list(HANDSHAKE_PROTOCOL_VERSIONS),
                "requested": ctx.protocol_version,
            },
        )
    return await call_next(ctx)


def _instructions(intent: str) -> str:
    about = (
        "The tools observe, reason about and configure one simulated 6G network. Reading takes no "
        "simulated time; after a call that configures, the network runs on for a while. A refused "
        "call changes nothing and says what is allowed."
    )
    return f"{about}\n\nYour task: {intent}" if intent else about
