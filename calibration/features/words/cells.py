# SPDX-License-Identifier: Apache-2.0
"""Words for the columns of cells."""

from __future__ import annotations

from calibration.features.families import (
    EARLIER,
    INTERVAL,
    LAST,
    codes,
    kpis,
    own,
    prefixed,
    settings,
)
from calibration.network import SCHEDULERS, SLEEP_MODES

OF_A_CELL = INTERVAL | own(
    ("carrier", "1", "Place of the cell's carrier at its site; 0 is the users' primary one."),
    ("n_rb", "1", "Resource blocks after the change: 96 % of the bandwidth, over 12 subcarriers."),
    ("slot_ms", "ms", "Length of a slot after the change: 1 ms / 2^numerology (TS 38.211 4.3.2)."),
    ("frequency_ghz", "GHz", "Carrier frequency."),
    ("{d}_share", "1", "Share of all symbols that may carry {direction} data, by TDD pattern."),
    ("peak_efficiency", "bit", "Bits per resource element of the last MCS (TS 38.214 5.1.3.1)."),
    ("n_antennas", "1", "Elements of the cell's antenna array."),
    ("re_power_dbm", "dBm", "Transmit power per resource element after the change."),
    ("re_power_change_db", "dB", "By how much changes of power and bandwidth move it."),
    ("on", "1", "Share of the next interval that it can transmit: neither off nor in outage."),
    ("was_on", "1", "The same share of the last interval."),
    ("noise_rise_db", "dB", "Rise of noise by interference bursts in the next interval."),
    ("full_mbps", "Mbit/s", "Downlink at one bit per resource element, carriers together."),
    ("geometry_db", "dB", "Mean SINR of its users by RSRP and power after the change, noise of the "
     "next interval, and neighbours as loaded in the last."),
    ("geometry_change_db", "dB", "By how much change and faults move it."),
    ("worst_geometry_db", "dB", "The same as geometry_db, of its worst user."),
    ("rsrp_dbm", "dBm", "Mean RSRP of its users, moved by re_power_change_db."),
    ("connected_users", "1", "Its users that are connected or prepare a handover."),
    ("wake_prb_pct", "%", "Setting in force in the next interval: load that wakes it up."),
) | settings(
    ("tilt_deg", "deg", "down-tilt of the antenna."),
    ("sleep_mode", "1", codes(SLEEP_MODES)),
    ("scheduler", "1", codes(SCHEDULERS)),
    ("target_bler", "1", "share of first transmissions that may fail."),
) | kpis(
    LAST,
    "cell",
    {
        "now_cell_{d}_prb_pct": "{d}_prb_util_pct",
        "now_cell_{d}_sinr_db": "{d}_sinr_db",
        "now_cell_{d}_mcs": "{d}_mcs",
        "now_cell_{d}_bler_pct": "{d}_bler_pct",
        "now_cell_ul_iot_db": "ul_iot_db",
    },
) | kpis(EARLIER, "cell", {"before_cell_{d}_sinr_db": "{d}_sinr_db"})  # fmt: skip

MARGIN = "(A3, TS 38.331 5.5.4.4, after the change)"
MOBILITY = own(
    ("users", "1", "Users whose cell it is, or was when they lost it."),
    ("leaving_users", "1", f"Users of which a neighbour meets the condition of handover {MARGIN}, "
     "or that are ordered away."),
    ("leaving_chance", "1", "Expected number of them: margins scatter by 0.7 dB (logistic)."),
    ("leaving_turns", "1", "Users that go to and fro: leaving_chance times how often "
     "time-to-trigger and 60 ms fit into the interval, at most 4."),
    ("leaving_base_users", "1", "First guess of ho_attempts: leaving_chance where there is time "
     "enough for one handover, all users where the cell goes off or into deep sleep."),
    ("coming_chance", "1", "Expected number of users of other cells that come here."),
    ("coming_turns", "1", "Of these, as leaving_turns."),
    ("ordered_users", "1", "Users that are ordered to another cell in the next interval."),
    ("came_users", "1", "Users that were elsewhere at the end of the earlier interval."),
    ("preparing_users", "1", "Users in the midst of a handover at the end of the last interval."),
    ("lost_users", "1", "Users without a cell at the end of the last interval."),
    ("failing_base_users", "1", "First guess of rlf: all users where outage increases."),
    ("deep_users", "1", "Users, where the next sleep mode is deep."),
    ("fell_asleep", "1", "Whether the sleep mode changes to deep or off."),
    ("a3_total_db", "dB", "a3_offset_db + hysteresis_db, in force in the next interval."),
    ("best_margin_db", "dB", f"Greatest margin of a user's neighbour over the condition {MARGIN}."),
    ("mean_margin_db", "dB", "Mean over users of the margin of their best neighbours, within 30."),
    ("worst_rsrp_dbm", "dBm", "RSRP of its worst user, moved by re_power_change_db."),
) | settings(
    ("a3_offset_db", "dB", "a3-Offset (TS 38.331 6.3.2)."),
    ("hysteresis_db", "dB", "hysteresis (TS 38.331 6.3.2)."),
    ("ttt_ms", "ms", "time-to-trigger (TS 38.331 6.3.2)."),
)  # fmt: skip

CLOSED_LOOP = (
    (
        "full_buffer_flows",
        "1",
        "Downlink flows that always have data and are not cut off by degradation.",
    ),
    ("tcp_flows", "1", "TCP flows that are not cut off by degradation."),
)
"""Lines that cells and their slices have."""

CELL_LOAD = own(
    ("dl_sinr_as_now_db", "dB", "Mean downlink SINR of its users in the last interval, moved by "
     "the change of geometry, weighted by their blocks in the last interval."),
    ("ul_sinr_as_now_db", "dB", "Mean uplink SINR of its users in the last interval, weighted by "
     "their blocks in it."),
    ("{d}_sinr_fluid_db", "dB", "First guess of {d}_sinr_db: the same weighted by the blocks that "
     "the fluid model expects; the cell's where a user has none."),
    ("{d}_mcs_as_now", "1", "Mean {direction} MCS of its users in the last interval, weighted by "
     "their blocks in it."),
    ("{d}_mcs_fluid", "1", "First guess of {d}_mcs: the same weighted by blocks expected."),
    ("{d}_fluid_prb_pct", "%", "Share of {direction} resources that the fluid model gives to its "
     "users."),
    ("{d}_wanted_pct", "%", "Share that all of their {direction} demand would take; may exceed "
     "100."),
    ("{d}_fluid_mbps", "Mbit/s", "What the fluid model serves of it, {direction}."),
    ("{d}_blocks", "1", "Transport blocks expected, {direction}: packets, and slots by share."),
    ("{d}_active_users", "1", "Users that expect some, {direction}."),
    ("{d}_offered_mbps", "Mbit/s", "What its users' open-loop {direction} flows send in the next "
     "interval, all carriers together."),
    ("{d}_backlog_mbps", "Mbit/s", "Its {direction} queues at the end of the last interval, over "
     "the length of an interval."),
    *CLOSED_LOOP,
    ("allowed_pct", "%", "Sum of the slices' max_pct in the next interval, at most 100."),
    ("ul_interference_db", "dB", "Uplink interference over noise from users of other cells, by "
     "power control (TS 38.213 7.1.1) and uplink shares of the fluid model."),
) | kpis(
    LAST,
    "cell",
    prefixed(
        "now_",
        *("sleep_pct", "power_w", "ho_attempts", "ho_failures", "ho_ping_pongs", "rlf"),
        *("dl_throughput_mbps", "ul_throughput_mbps"),
    ),
)  # fmt: skip
