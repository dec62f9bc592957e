# SPDX-License-Identifier: Apache-2.0
"""What flows add up to in each slice of each cell, for the rows of cells and of slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.features.delays import Delays
from calibration.features.radio import Radio
from calibration.network import FULL_BUFFER, HTTP, TCP, Floats


def flows_by_slice(radio: Radio) -> dict[str, Floats]:
    """Sums over the flow rows of each cell and slice, downlink and uplink, shape (2, B, C, S)."""
    network, fluid = radio.network, radio.fluid
    alive = radio.damped > 0
    sending = radio.sent_bits > 0
    packets, delays = fluid.served_bits / network.row_datagram_bits, radio.once(Delays)
    of_rows: dict[str, NDArray[Any]] = {
        "flows": np.ones(len(network.row_ue)),
        "offered_mbps": radio.offered_mbps,
        "was_offered_mbps": radio.step.outside_now["sent_bits"] / radio.interval_kbit,
        "offering": radio.offered_mbps > 0,
        "offered_packets": network.row_packet_bits * radio.offered_mbps,
        "sending": sending,
        "sending_mbps": radio.row_rate_mbps * sending,
        "arriving_bits": radio.arriving_bits * network.row_is_open,
        "served_bits": fluid.served_bits,
        "queued_bits": fluid.queued_bits,
        "dropped_bits": fluid.dropped_bits,
        "served_packets": packets,
        "delayed_packets_ms": delays.radio_ms * packets,
        "tail_packets_ms": delays.radio_tail_ms * packets,
        "share": fluid.share,
        "wanted": fluid.wanted,
        **{kind: network.row_is[kind] & alive for kind in (FULL_BUFFER, TCP, HTTP)},
    }
    return {name: radio.by_slice(values) for name, values in of_rows.items()}
