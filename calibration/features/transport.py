# SPDX-License-Identifier: Apache-2.0
"""What the transport network makes of the next interval: what passes, waits and is dropped.

Each direction of a link is a queue of bounded length that drains at the link's rate; what passes a
link shares it in proportion to what comes.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calibration.fluid import LEAST_MBPS
from calibration.network import FULL_BUFFER, QUEUES, TCP_PACKET_BITS, Floats
from calibration.sums import known, picked, sum_into

if TYPE_CHECKING:
    from calibration.features.radio import Radio

HEADER_BITS = 8 * (20 + 8 + 16)
"""IP, UDP and GTP-U with its extension, of each IP packet."""
TOKEN_BUCKET = QUEUES.index("token_bucket")
LEAST_SHARE = 1e-9
BUSY_PCT = 95.0
"""Utilisation from which on a link has had more to carry than it can."""


class Transport:
    """Links and the paths of flows over them.

    Args:
        radio: of the interval.
    """

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        self._network, self._step = radio.network, radio.step
        self._down = self._network.row_is_of[0]
        self._on_links = 1 + HEADER_BITS / self._network.row_datagram_bits
        """Bits on links of each bit of IP packets, by flow row."""
        self._interval_ms = self._network.scenario.interval_ms

    @cached_property
    def row_path(self) -> NDArray[np.int64]:
        """Number of the path through the transport network that each flow row takes."""
        network, controls = self._network, self._step.controls
        per_site = network.scenario.layout.n_sectors * len(network.scenario.carriers)
        site = self._radio.rows_cell // per_site
        anchor = np.zeros_like(site)
        has_app = network.row_application >= 0
        apps = network.row_application[has_app]
        anchor[:, has_app] = controls["application_site"][:, apps].astype(int) + 1
        own, of_slice = controls["row_path"], controls["slice_path"]
        _, _, n_sites, n_anchors = of_slice.shape
        flat = (controls["row_slice"] * n_sites + site) * n_anchors + anchor
        path: NDArray[np.int64] = np.take_along_axis(
            of_slice.reshape(self._radio.batch, -1), flat, 1
        )
        if (own >= 0).any():
            chosen = np.unique(own[own >= 0])
            ends = np.zeros((chosen.max() + 1, 2), int)
            for number in chosen:
                ends[number] = network.paths.ends(int(number))
            fits = (own >= 0) & (ends[own, 0] == site) & (ends[own, 1] == anchor)
            path = np.where(fits, own, path)
        return path

    def link_sum(self, of_rows: Floats) -> Floats:
        """Sum over the flow rows that pass each link direction."""
        network = self._network
        down, up = network.paths.incidence
        total = np.zeros((self._radio.batch, down.shape[1]))
        for mine, passes in zip(network.row_is_of, (down, up), strict=True):
            by_path = sum_into(np.where(mine, self.row_path, -1), of_rows, len(down))
            total += by_path @ passes
        return total

    def _along_paths(self, of_links: Floats) -> Floats:
        """Sums over the link directions on the path of each flow row."""
        down, up = (of_links @ passes.T for passes in self._network.paths.incidence)
        by_row = [picked(way, self.row_path) for way in (down, up)]
        return np.where(self._down, *by_row)

    @cached_property
    def mbps(self) -> Floats:
        """Rate of each link direction in the next interval."""
        outside = self._step.outside
        rate = self._network.link_mbps * outside["link_rate"]
        bucket = self._step.controls["queue"] == TOKEN_BUCKET
        rate = np.where(bucket, rate * self._network.link_bucket_pct / 100, rate)
        return np.maximum(rate * outside["link_up"], LEAST_MBPS)

    @cached_property
    def propagation_ms(self) -> Floats:
        """Of each link direction in the next interval."""
        return self._network.link_delay_ms + self._step.outside["link_extra_ms"]

    @cached_property
    def offered_mbps(self) -> Floats:
        """What flows are going to send over each link direction."""
        return self._offered_bits / self._radio.interval_kbit

    @cached_property
    def _offered_bits(self) -> Floats:
        return self.link_sum(self._sent_bits * self._on_links)

    @cached_property
    def arriving_mbps(self) -> Floats:
        """The same, but of the uplink what the radio lets through."""
        bits = np.where(self._down, self._sent_bits, self._radio.fluid.served_bits)
        return self.link_sum(bits * self._on_links) / self._radio.interval_kbit

    @cached_property
    def _sent_bits(self) -> Floats:
        return np.where(self._network.row_is[FULL_BUFFER], 0.0, self._radio.sent_bits)

    @cached_property
    def sound(self) -> Floats:
        """Share of what comes to each link direction that neither loss nor cuts take."""
        return np.asarray(self.unspoilt * self._step.outside["link_up"])

    @cached_property
    def unspoilt(self) -> Floats:
        """Share of what comes to each link direction, while it is up, that loss does not take."""
        fault_loss = self._step.outside["link_fault_loss"]
        return np.asarray((1 - self._network.link_loss_pct / 100) * (1 - fault_loss))

    @cached_property
    def _queue_bits(self) -> Floats:
        """What waits at each link direction."""
        queued = known(self._step.now["link"]["queued_bits"])
        return np.where(self._step.outside["link_up"] < 1, 0.0, queued)

    @cached_property
    def _coming_bits(self) -> Floats:
        """What each link direction has to carry."""
        return self.offered_mbps * self._radio.interval_kbit + self._queue_bits

    @cached_property
    def _room_bits(self) -> Floats:
        """What each link direction can carry."""
        return self.mbps * self._radio.interval_kbit

    @cached_property
    def held_bits(self) -> Floats:
        """What waits at each link direction at the end, at most what its queue holds."""
        packets = self.link_sum(self._sent_bits / self._network.row_datagram_bits)
        each = self._offered_bits / np.maximum(packets, LEAST_SHARE)
        packet_bits = np.where(packets > 0, each, TCP_PACKET_BITS)
        bound_bits = self._network.link_queue_packets * packet_bits
        return np.asarray(np.clip(self._coming_bits - self._room_bits, 0.0, bound_bits))

    @cached_property
    def passing(self) -> Floats:
        """Share of what each link direction has to carry that passes, but for loss."""
        return np.asarray(np.minimum(self._room_bits / np.maximum(self._coming_bits, 1.0), 1.0))

    @cached_property
    def kept(self) -> Floats:
        """Share of it that passes or waits, but for loss."""
        held = self.held_bits / np.maximum(self._coming_bits, 1.0)
        return np.asarray(np.minimum(self.passing + held, 1.0))

    @cached_property
    def wait_ms(self) -> Floats:
        """Mean wait at each link direction.

        As in the last interval, but where more begins to come than fits, by what waits at both ends
        of the interval, and where that ends, until the link has drained. Nothing that passes has
        waited for longer than before by more than the interval.
        """
        rate = 1e3 * self.mbps
        waiting = self._queue_bits
        drained = waiting / np.maximum(rate * self._interval_ms, 1.0)
        drains_ms = waiting / (2 * rate) * np.minimum(drained, 1.0)
        fills_ms = (waiting + self.held_bits) / (2 * rate)
        was_full = known(self._step.now["link"]["util_pct"]) > BUSY_PCT
        is_full = self.passing < 1
        wait_ms = np.where(was_full & ~is_full, drains_ms, self.waited_ms)
        wait_ms = np.where(is_full & ~was_full, np.maximum(fills_ms, wait_ms), wait_ms)
        return np.asarray(np.minimum(wait_ms, self.waited_ms + self._interval_ms))

    @cached_property
    def waited_ms(self) -> Floats:
        """Mean wait at each link direction in the interval that has ended."""
        propagation_ms = self._network.link_delay_ms + self._step.outside_now["link_extra_ms"]
        return known(np.maximum(self._step.now["link"]["delay_ms"] - propagation_ms, 0))

    @cached_property
    def path_propagation_ms(self) -> Floats:
        """Propagation delay of the path of each flow row."""
        return self._along_paths(self.propagation_ms)

    @cached_property
    def path_wait_ms(self) -> Floats:
        """Wait in the queues of the path of each flow row."""
        return self._along_paths(self.wait_ms)

    def _share_along_paths(self, of_links: Floats) -> Floats:
        return np.asarray(np.exp(self._along_paths(np.log(np.maximum(of_links, LEAST_SHARE)))))

    @cached_property
    def path_passing(self) -> Floats:
        """Share of what each flow row brings to its path that passes."""
        return self._share_along_paths(self.passing * self.sound)

    @cached_property
    def path_kept(self) -> Floats:
        """Share of it that passes or waits."""
        return self._share_along_paths(self.kept * self.sound)

    @cached_property
    def waiting_bits(self) -> Floats:
        """What waits of each flow row at the links of its path, as they were shared last."""
        flow = self._step.now["flow"]
        came = self.link_sum(flow["sent_bits"] * self._on_links)
        each = np.where(came > 0, self._queue_bits / np.maximum(came, 1.0), 0.0)
        waiting = flow["sent_bits"] * self._along_paths(each)
        return np.asarray(np.minimum(waiting, flow["in_flight_bits"]))
