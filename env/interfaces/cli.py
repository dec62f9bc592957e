# SPDX-License-Identifier: Apache-2.0
"""The commands that serve episodes to agents in other processes."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from env.cli import (
    BackendOption,
    ModelOption,
    SeedOption,
    WhatArgument,
    numbered_maker,
    task_or_scenario,
)

app = typer.Typer()
serve_app = typer.Typer(no_args_is_help=True, help="Serve episodes to agents elsewhere.")
app.add_typer(serve_app, name="serve")

KeptOption = Annotated[
    Path | None, typer.Option("--out", help="Where episodes are kept.", show_default="nowhere")
]
TOKEN = "SIXG_MCP_TOKEN"
"""Environment variable of the token, unless another is named."""


@serve_app.command()
def mcp(
    what: WhatArgument,
    backend: BackendOption = "surrogate",
    seed: SeedOption = 1,
    model: ModelOption = None,
    out: KeptOption = None,
    http: Annotated[bool, typer.Option("--http", help="Over HTTP rather than stdio.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="To listen at; 0: any.")] = 8765,
    token_env: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable that holds the token.")
    ] = TOKEN,
    token_file: Annotated[
        Path | None, typer.Option(help="File that holds the token.", show_default="none")
    ] = None,
    max_episodes: Annotated[int, typer.Option(min=1, help="That are started.")] = 1000,
    max_sessions: Annotated[int, typer.Option(min=1, help="Episodes at a time.")] = 4,
    max_calls: Annotated[int, typer.Option(min=1, help="Of an episode.")] = 1000,
    max_message_bytes: Annotated[int, typer.Option(min=1, help="Of a message.")] = 131_072,
    call_s: Annotated[float, typer.Option(help="Time of a call.")] = 120.0,
    idle_s: Annotated[float, typer.Option(help="Without a call, that ends an episode.")] = 600.0,
) -> None:
    """Serve the tools over MCP, by stdio or HTTP; episode n has the seed plus n.

    Over HTTP, clients must send the token as `Authorization: Bearer TOKEN`. Without one, no address
    but a loopback one is listened at.
    """
    from env.environment import Environment
    from env.errors import EnvUserError
    from env.playing import Begun, begin

    if find_spec("mcp") is None:
        raise EnvUserError("sixg serve mcp needs the extra `serve`: install sixg-agent-gym[serve]")
    from env.interfaces.hosting import Limits
    from env.interfaces.mcp_server import serve_mcp
    from env.interfaces.mcp_transport import read_token

    task, scenario = task_or_scenario(what)
    limits = Limits(max_episodes, max_sessions, max_calls, max_message_bytes, call_s, idle_s)
    make = numbered_maker(backend, scenario, seed, model)
    begun: dict[int, Begun] = {}

    def start(number: int) -> Environment:
        one = begin(partial(make, number), task, agent="mcp", episodes=out, model=str(model or ""))
        begun[id(one.environment)] = one
        return one.environment

    def end(environment: Environment) -> None:
        begun.pop(id(environment)).end()

    serve_mcp(
        start,
        intent=task.intent if task else "",
        scope=task.scope if task else None,
        limits=limits,
        on_end=end,
        http=http,
        host=host,
        port=port,
        token=read_token(token_env, token_file) if http else "",
    )


@serve_app.command()
def ns3gym(
    what: WhatArgument,
    backend: BackendOption = "surrogate",
    seed: SeedOption = 1,
    model: ModelOption = None,
    out: KeptOption = None,
    host: Annotated[str, typer.Option(help="Address of the agent.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="That the agent binds.")] = 5555,
    max_episodes: Annotated[int, typer.Option(min=1, help="After which it ends.")] = 1000,
    max_intervals: Annotated[int, typer.Option(min=1, help="Of an episode.")] = 50,
    max_refused: Annotated[int, typer.Option(min=1, help="Unusable actions of an episode.")] = 100,
    max_message_bytes: Annotated[int, typer.Option(min=1, help="Of a message.")] = 1_048_576,
    wait_s: Annotated[float, typer.Option(help="Longest wait for an agent.")] = 600.0,
    action_s: Annotated[float, typer.Option(help="Longest wait for an action.")] = 600.0,
) -> None:
    """Be the simulation of an ns3-gym agent, which binds and is connected to.

    Episode n has the seed plus n. It ends where no agent begins another episode.
    """
    from env.errors import EnvUserError
    from env.playing import Begun, begin

    try:
        from env.interfaces.ns3gym.serving import Limits, serve_ns3gym
    except ModuleNotFoundError:
        raise EnvUserError(
            "sixg serve ns3gym needs the extra `ns3gym`: install sixg-agent-gym[ns3gym]"
        ) from None

    task, scenario = task_or_scenario(what)
    limits = Limits(max_episodes, max_intervals, max_refused, max_message_bytes, wait_s, action_s)
    make = numbered_maker(backend, scenario, seed, model)

    def start(number: int) -> Begun:
        return begin(
            partial(make, number), task, agent="ns3gym", episodes=out, model=str(model or "")
        )

    serve_ns3gym(
        start, host=host, port=port, limits=limits, say=lambda text: typer.echo(text, err=True)
    )
