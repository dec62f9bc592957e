# SPDX-License-Identifier: Apache-2.0
"""Delays of packets in the next interval, by flow row: their mean, tail and share in time.

Each packet is on its way for some slots. Turns and queues spread delays evenly on top, from none;
a failed first transmission adds a round trip of HARQ.
"""

from __future__ import annotations

import numpy as np

from calibration.features.radio import Radio
from calibration.network import Floats
from calibration.sums import picked
from experiment_model.compiling import vectorized

LATE = 0.05
"""Share of packets beyond the 95th percentile."""


class Delays:
    """Of each flow row, shape (B, R), in ms.

    Args:
        radio: of the interval.
    """

    def __init__(self, radio: Radio) -> None:
        settings, fluid = radio.network.scenario.radio, radio.fluid
        granted = np.array([0, settings.ul_grant_slots])[radio.network.row_direction]
        slots = settings.preparation_slots + 1 + granted
        on_way_ms = slots * radio.row_slot_ms + settings.decode_ms
        again_ms = settings.harq_rtt_slots * radio.row_slot_ms
        failing = picked(radio.step.controls["target_bler"], radio.rows_cell)
        transport = radio.transport
        self.path_ms = transport.path_propagation_ms + transport.path_wait_ms
        """Through transport."""
        room_ms = radio.step.now["flow"]["delay_budget_ms"] - self.path_ms
        most_ms = radio.backlog_age_ms + radio.network.scenario.interval_ms
        found = _spread(
            fluid.latency_ms, fluid.turn_ms, most_ms, on_way_ms, again_ms, failing, room_ms
        )
        self.radio_ms: Floats = found[0]
        """Mean at the radio."""
        self.radio_tail_ms: Floats = found[1]
        """95th percentile at the radio."""
        self.in_budget: Floats = found[2]
        """Share of packets that come within their delay budget from end to end."""
        self.burst_ms: Floats = self.radio_ms + fluid.burst_ms / 2
        """Mean at the radio until the last bit of what comes at once."""


@vectorized(f"({'float64[:], ' * 9}float64[:])", "(n),(n),(n),(n),(n),(n),(n)->(n),(n),(n)")
def _spread(  # type: ignore[no-untyped-def]
    queue_ms, turn_ms, most_ms, on_way_ms, again_ms, failing, room_ms, mean_ms, tail_ms, in_budget
):
    for n in range(len(queue_ms)):
        spread = turn_ms[n] + 2 * queue_ms[n]
        fail, again = failing[n], again_ms[n]
        mean_ms[n] = on_way_ms[n] + spread / 2 + fail * again
        if fail * again <= LATE * spread:
            tail = (1 - LATE) * spread + fail * again
        else:
            tail = max(spread, again + spread * (1 - LATE / max(fail, LATE)))
        tail_ms[n] = on_way_ms[n] + min(tail, max(most_ms[n], again))
        room = room_ms[n] - on_way_ms[n]
        first = min(max(room / spread, 0.0), 1.0)
        second = min(max((room - again) / spread, 0.0), 1.0)
        in_budget[n] = (1 - fail) * first + fail * second
