# SPDX-License-Identifier: GPL-2.0-only
"""Which ns-3 application, with which attributes, makes each kind of traffic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ns3_scenarios import scenario as sc

#: As in present operating systems: a segment that fits an MTU of 1500 bytes, ten segments at the
#: start (RFC 6928), a retransmission timeout of at least 200 ms, acknowledgements delayed by less
#: (with ns-3's 200 ms a sender with a window of one segment always times out), and buffers for a
#: fast link.
TCP_DEFAULTS = {
    "ns3::TcpSocket::SegmentSize": "1400",
    "ns3::TcpSocket::InitialCwnd": "10",
    "ns3::TcpSocket::SndBufSize": "4194304",
    "ns3::TcpSocket::RcvBufSize": "4194304",
    "ns3::TcpSocketBase::MinRto": "200ms",
    "ns3::TcpSocket::DelAckTimeout": "40ms",
}

#: TR 38.838 Tables 5.1.1-1 and 5.1.1-2: truncated Gaussian frame size and jitter.
XR_SIZE_STD = 0.105
XR_SIZE_BOUND = 0.5
XR_JITTER_STD_S = 2e-3
XR_JITTER_BOUND_S = 4e-3


@dataclass(frozen=True)
class Application:
    """A source application to be installed."""

    type: str
    attributes: dict[str, str]
    start_s: float
    tcp: bool = False


def application(item: sc.Traffic, rng: np.random.Generator) -> Application:
    """The source of one kind of traffic; its start is spread over its period."""
    start_s = item.start_ms * 1e-3
    match item:
        case sc.ConstantBitRate():
            period_s = _period_s(item)
            return _frames(_packets(item, period_s), start_s + rng.uniform() * period_s)
        case sc.Bursty():
            attributes = {
                **_packets(item, _period_s(item)),
                "OnTime": _exponential(item.on_ms * 1e-3),
                "OffTime": _exponential(item.off_ms * 1e-3),
            }
            return _frames(attributes, start_s + rng.uniform() * item.on_ms * 1e-3)
        case sc.TcpBulk():
            attributes = {"FullRate": str(item.full_mbps * 1e6)}
            start_s += rng.uniform() * 0.05
            return Application("ns3::RanStreamSource", attributes, start_s, tcp=True)
        case sc.Http():
            return Application("ns3::ThreeGppHttpClient", {}, start_s + rng.uniform() * 0.5, True)
        case sc.Xr():
            frame_bytes = item.rate_mbps * 1e6 / 8 / item.frame_rate_hz
            attributes = {
                "Interval": _constant(1 / item.frame_rate_hz),
                "FrameBytes": _normal(
                    frame_bytes, XR_SIZE_STD * frame_bytes, XR_SIZE_BOUND * frame_bytes
                ),
                "Jitter": _normal(XR_JITTER_BOUND_S, XR_JITTER_STD_S, XR_JITTER_BOUND_S),
                "ScaleSize": "true",
            }
            return _frames(attributes, start_s + rng.uniform() / item.frame_rate_hz)
        case sc.MachineType():
            gap_s = item.mean_gap_ms * 1e-3
            attributes = {
                "Interval": _exponential(gap_s),
                "FrameBytes": _constant(item.packet_bytes),
            }
            return _frames(attributes, start_s + rng.exponential(gap_s))
        case sc.ControlLoop():
            period_s = item.period_ms * 1e-3
            attributes = {
                "Interval": _constant(period_s),
                "FrameBytes": _constant(item.packet_bytes),
            }
            return _frames(attributes, start_s + rng.uniform() * period_s)
        case _:
            raise TypeError(f"{item.kind} has no application")


def job_attributes(item: sc.Application) -> dict[str, str]:
    """Attributes of the source of an application's jobs."""
    interval_s = item.interval_ms * 1e-3
    poisson, random_work = item.arrivals == "poisson", item.work == "exponential"
    return {
        "Interval": _exponential(interval_s) if poisson else _constant(interval_s),
        "Work": _exponential(item.work_gflop) if random_work else _constant(item.work_gflop),
        "RequestBytes": str(round(item.request_kb * 1000)),
        "ResponseBytes": str(round(item.response_kb * 1000)),
        "LocalGflops": str(item.local_gflops),
        "Deadline": f"{round(item.deadline_ms * 1e6)}ns",
    }


def _period_s(item: sc.ConstantBitRate | sc.Bursty) -> float:
    """Time between packets, to a whole nanosecond."""
    return round(item.packet_bytes * 8e3 / item.rate_mbps) * 1e-9


def _packets(item: sc.ConstantBitRate | sc.Bursty, period_s: float) -> dict[str, str]:
    return {"Interval": _constant(period_s), "FrameBytes": _constant(item.packet_bytes)}


def _frames(attributes: dict[str, str], start_s: float) -> Application:
    return Application("ns3::RanFrameSource", attributes, start_s)


def _constant(value: float) -> str:
    return f"ns3::ConstantRandomVariable[Constant={value!r}]"


def _exponential(mean: float) -> str:
    return f"ns3::ExponentialRandomVariable[Mean={mean!r}]"


def _normal(mean: float, std: float, bound: float) -> str:
    return f"ns3::NormalRandomVariable[Mean={mean!r}|Variance={std**2!r}|Bound={bound!r}]"
