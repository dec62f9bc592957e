# SPDX-License-Identifier: Apache-2.0
"""Users in the air and on the road: propagation, routes and batteries, each against its formula."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from ns3_scenarios.ran.build import ensure_built

SITE_M = {"UMi": 10, "UMa": 25, "RMa": 35}


@pytest.fixture(scope="module")
def model():
    """Evaluates an expression with the compiled model, in a process of its own."""

    def evaluate(expression, seed=1):
        code = (
            f"import json, math, _ran; _ran.set_seed(1, {seed});"
            "plain = lambda x: x.tolist() if hasattr(x, 'tolist') else x;"
            f"print(json.dumps({expression}, default=plain))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": str(ensure_built().parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluate


@pytest.fixture(scope="module")
def losses(model):
    """Path loss and shadowing in dB, a row per user: `tracks` is an expression for their points."""

    def sample(environment, tracks, seed=1, ghz=10, **attributes):
        settings = {"Environment": environment, "Frequency": str(ghz * 1e9)}
        settings |= {name: str(value).lower() for name, value in attributes.items()}
        site = (0, 0, SITE_M.get(environment, 3))
        return np.array(model(f"_ran.sample_losses({settings}, {site}, {tracks})", seed))

    return sample


def still(count, x_m, z_m, steps=1):
    return f"[[({x_m}, 0, {z_m})] * {steps}] * {count}"


def moving(count, z_m, start_m, step_m, steps):
    return f"[[({start_m} + {step_m} * k, 0, {z_m}) for k in range({steps})]] * {count}"


# Worked by hand from TR 36.777 Table B-2; 20 lg(40 pi f/3) is 32.442 at 1 GHz and 52.442 at 10 GHz.
@pytest.mark.parametrize(
    ("environment", "los", "distance_m", "height_m", "ghz", "loss_db"),
    [
        ("UMi", True, 100, 100, 10, 93.4),  # 30.9 + (22.25 - 1) 2 + 20
        ("UMi", True, 10, 100, 1, 52.442),  # free space: 30.9 + 21.25 is less
        ("UMi", False, 100, 100, 10, 108.4),  # 32.4 + (43.2 - 15.2) 2 + 20
        ("UMi", False, 10, 300, 1, 56.774),  # 32.4 + 43.2 - 7.6 lg 300
        ("UMa", True, 1000, 100, 10, 114),  # 28 + 66 + 20
        ("UMa", False, 1000, 100, 10, 130.942),  # -17.5 + (46 - 14) 3 + 52.442
        ("UMa", False, 100, 10**1.5, 1, 85.942),  # -17.5 + (46 - 10.5) 2 + 32.442
        ("RMa", True, 1000, 100, 10, 113.342),  # (23.9 - 3.6) 3 + 52.442
        ("RMa", True, 1000, 300, 1, 92.442),  # the slope is at least 20
        ("RMa", False, 1000, 10**1.5, 10, 121.592),  # -12 + (35 - 7.95) 3 + 52.442
        ("RMa", False, 100, 100, 1, 73.042),  # the loss in line of sight is more
    ],
)
def test_path_loss_is_that_of_tr_36_777(
    model, environment, los, distance_m, height_m, ghz, loss_db
):
    arguments = f"_ran.AerialEnvironment.{environment}, {los}, {distance_m}, {height_m}, {ghz}e9"
    assert model(f"_ran.aerial_path_loss_db({arguments})") == pytest.approx(loss_db, abs=0.001)


# Worked by hand from TR 36.777 Table B-1.
@pytest.mark.parametrize(
    ("environment", "distance_m", "height_m", "probability"),
    [
        ("UMi", 155, 100, 1),  # d1 = 155.16
        ("UMi", 310.32, 100, 0.7573),  # 1/2 + exp(-310.32 / 467.01) / 2
        ("UMi", 36, 25, 0.9477),  # d1 = 18, p1 = 326.14
        ("UMa", 440, 100, 0.9562),  # d1 = 220, p1 = 4800
        ("UMa", 4000, 101, 1),
        ("RMa", 848.4, 10**1.5, 0.9386),  # d1 = 424.2, p1 = 6478.5
        ("RMa", 36, 11, 0.9823),  # d1 = 18, p1 = 1000
        ("RMa", 9000, 41, 1),
    ],
)
def test_line_of_sight_probability_is_that_of_tr_36_777(
    model, environment, distance_m, height_m, probability
):
    arguments = f"_ran.AerialEnvironment.{environment}, {distance_m}, {height_m}"
    found = model(f"_ran.aerial_los_probability({arguments})")
    assert found == pytest.approx(probability, abs=1e-4)


# Worked by hand from TR 36.777 Table B-3.
@pytest.mark.parametrize(
    ("environment", "los", "height_m", "deviation_db"),
    [
        ("UMi", True, 50, 3.0327),
        ("UMi", True, 300, 2),
        ("UMi", False, 50, 8),
        ("UMa", True, 100, 2.3982),
        ("UMa", False, 50, 6),
        ("RMa", True, 100, 2.6514),
        ("RMa", False, 30, 6),
    ],
)
def test_shadowing_deviation_is_that_of_tr_36_777(model, environment, los, height_m, deviation_db):
    arguments = f"_ran.AerialEnvironment.{environment}, {los}, {height_m}"
    found = model(f"_ran.aerial_shadowing_db({arguments})")
    assert found == pytest.approx(deviation_db, abs=1e-4)


@pytest.mark.parametrize("environment", SITE_M)
def test_higher_is_clearer_and_farther_is_weaker(model, environment):
    name = f"_ran.AerialEnvironment.{environment}"
    distances_m = [300 * 1.05**k for k in range(53)]
    heights_m = [23, 35, 60, 99, 101, 200, 300]
    probability = np.array(
        model(f"[[_ran.aerial_los_probability({name}, d, h) for d in {distances_m}]"
              f" for h in {heights_m}]")
    )  # fmt: skip
    assert (np.diff(probability, axis=1) <= 0).all()
    assert (np.diff(probability, axis=0) >= -1e-12).all()
    clear, obstructed = (
        np.array(
            model(f"[[_ran.aerial_path_loss_db({name}, {los}, d, h, 3.5e9) for d in {distances_m}]"
                  f" for h in {heights_m}]")
        )
        for los in (True, False)
    )  # fmt: skip
    for loss in (clear, obstructed):
        steps = np.diff(loss, axis=1)
        assert (steps > 0).all()
        assert steps.max() < 1  # 5 % farther
    assert (obstructed >= clear).all()


@pytest.mark.parametrize(("environment", "height_m", "distance_m"), [
    ("UMi", 50, 400), ("UMa", 40, 1200), ("RMa", 15, 1000),
])  # fmt: skip
def test_share_in_line_of_sight_is_the_probability(
    losses, model, environment, height_m, distance_m
):
    count, steps = 3000, 3
    tracks = moving(count, height_m, distance_m, 200, steps)
    shares = in_line_of_sight(losses, environment, tracks).mean(axis=0)
    for k, share in enumerate(shares):
        arguments = f"{distance_m + 200 * k}, {height_m}"
        p = model(f"_ran.aerial_los_probability(_ran.AerialEnvironment.{environment}, {arguments})")
        assert 0.2 < p < 0.99
        assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / count))


def test_never_in_line_of_sight_is_obstructed(losses, model):
    found = losses("UMi", still(1, 400, 50), Shadowing=False, LineOfSight="never")
    arguments = f"False, {math.hypot(400, 40)}, 50, 10e9"
    assert found[0, 0] == pytest.approx(
        model(f"_ran.aerial_path_loss_db(_ran.AerialEnvironment.UMi, {arguments})")
    )


def test_nothing_changes_while_hovering(losses):
    found = losses("UMi", still(200, 400, 50, steps=10))
    assert (found == found[:, :1]).all()
    assert len(np.unique(found[:, 0])) == 200


def around(count, step_m, steps, radius_m=400, z_m=50):
    """Flights around the site, on which the probability stays the same: 0.47 for UMi."""
    angle = f"k * {step_m / radius_m}"
    point = f"({radius_m} * math.cos({angle}), {radius_m} * math.sin({angle}), {z_m})"
    return f"[[{point} for k in range({steps})]] * {count}"


def in_line_of_sight(losses, environment, tracks):
    found = losses(environment, tracks, Shadowing=False)
    clear = losses(environment, tracks, Shadowing=False, LineOfSight="always")
    return np.isclose(found, clear, atol=1e-9)


@pytest.mark.parametrize(("distance_m", "correlation"), [(25, math.exp(-0.5)), (500, 0)])
def test_line_of_sight_follows_movement_over_its_correlation_distance(
    losses, distance_m, correlation
):
    """Two normal variables fall on the same side of the median with 1/2 + asin(r) / pi."""
    state = in_line_of_sight(losses, "UMi", around(2000, distance_m, 2))
    same = (state[:, 0] == state[:, 1]).mean()
    assert same == pytest.approx(0.5 + math.asin(correlation) / math.pi, abs=0.05)


def test_line_of_sight_does_not_flicker_in_flight(losses):
    """Changes are a tenth of the correlation distance apart, 5 m in UMi."""
    state = in_line_of_sight(losses, "UMi", around(300, 0.25, 160))
    changes = [np.flatnonzero(row[1:] != row[:-1]) for row in state]
    assert sum(map(len, changes)) > 100
    assert all((np.diff(at) >= 20).all() for at in changes)


@pytest.mark.parametrize(
    ("environment", "line_of_sight", "correlation_m"),
    [
        ("UMi", "always", 10),
        ("UMi", "never", 13),
        ("UMa", "always", 37),
        ("UMa", "never", 50),
        ("RMa", "always", 37),
        ("RMa", "never", 120),
    ],
)
def test_shadowing_has_its_deviation_and_decorrelates(
    losses, model, environment, line_of_sight, correlation_m
):
    """TR 36.777 Table B-3; TR 38.901 7.4-5 with the distances of Table 7.5-6."""
    count, height_m = 4000, 30
    # In two steps, which must give the correlation of one.
    tracks = moving(count, height_m, 500, correlation_m / 2, 3)
    found = losses(environment, tracks, LineOfSight=line_of_sight)
    mean = losses(environment, tracks, LineOfSight=line_of_sight, Shadowing=False)
    shadowing = found - mean
    clear = line_of_sight == "always"
    arguments = f"_ran.AerialEnvironment.{environment}, {clear}, {height_m}"
    deviation_db = model(f"_ran.aerial_shadowing_db({arguments})")
    error = 4 / math.sqrt(2 * count)
    assert shadowing.mean(axis=0) == pytest.approx([0, 0, 0], abs=2 * error * deviation_db)
    assert shadowing.std(axis=0) == pytest.approx([deviation_db] * 3, rel=error)
    correlation = np.corrcoef(shadowing, rowvar=False)
    assert correlation[0, 1] == pytest.approx(math.exp(-0.5), abs=2 * error)
    assert correlation[0, 2] == pytest.approx(math.exp(-1), abs=2 * error)


def test_users_near_the_ground_have_the_loss_of_tr_38_901(losses):
    at_limit, above = (
        losses("UMa", still(1, 100, z_m), Shadowing=False, LineOfSight="always")[0, 0]
        for z_m in (22.5, 22.6)
    )
    # TR 38.901 Table 7.4.1-1, PL1 of UMa, is the same formula; its breakpoint is farther.
    assert at_limit == pytest.approx(28 + 22 * math.log10(math.hypot(100, 2.5)) + 20)
    assert above == pytest.approx(28 + 22 * math.log10(math.hypot(100, 2.4)) + 20)
    low, high = (
        losses("RMa", still(1, 1000, z_m), Shadowing=False, LineOfSight="never")[0, 0]
        for z_m in (10, 10.1)
    )
    # NLOS of RMa at 10 m for street width 20 m and buildings of 5 m, and (35 - 5.3 lg h) lg d.
    expected = (
        161.04
        - 7.1 * math.log10(20)
        + 7.5 * math.log10(5)
        - (24.37 - 3.7 * (5 / 35) ** 2) * math.log10(35)
        + (43.42 - 3.1 * math.log10(35)) * (math.log10(math.hypot(1000, 25)) - 3)
        + 20 * math.log10(10)
        - (3.2 * math.log10(11.75 * 10) ** 2 - 4.97)
    )
    assert low == pytest.approx(expected)
    distance_m = math.hypot(1000, 24.9)
    slope = 35 - 5.3 * math.log10(10.1)
    assert high == pytest.approx(-12 + slope * math.log10(distance_m) + 52.442, abs=0.001)


def test_indoor_environments_have_no_aerial_users(losses):
    found = losses("InH-Open", still(1, 30, 40), Shadowing=False, LineOfSight="always")
    distance_m = math.hypot(30, 37)
    assert found[0, 0] == pytest.approx(32.4 + 17.3 * math.log10(distance_m) + 20)


def test_a_user_in_the_air_leaves_the_others_their_random_numbers(losses):
    ground = "[(150 + 20 * k, 0, 1.5) for k in range(8)]"
    alone = losses("UMa", f"[{ground}] * 20")
    joined = losses("UMa", f"[[(300, 300, 80)] * 8] + [{ground}] * 20")
    assert (joined[1:] == alone).all()


@pytest.mark.parametrize(("environment", "correlation_m"), [
    ("UMi", 50), ("UMa", 50), ("RMa", 60), ("InH-Open", 10),
])  # fmt: skip
def test_line_of_sight_of_a_vehicle_is_drawn_again(losses, environment, correlation_m):
    """TR 38.901 Table 7.6.3.1-2; the share stays the probability of Table 7.4.2-1 (UMa, UMi)."""
    count = 3000
    start_m = 10 if environment == "InH-Open" else 60
    step_m = correlation_m / 10
    state = in_line_of_sight(losses, environment, moving(count, 1.5, start_m, step_m, 41))
    drawn = (state[:, 1:] != state[:, :-1]).any(axis=0)
    assert set(np.flatnonzero(drawn) + 1) == {10, 20, 30, 40}
    decay_m = {"UMi": 36, "UMa": 63}.get(environment)
    if decay_m:
        for k in (0, 10, 20, 30, 40):
            d = start_m + step_m * k
            p = 18 / d + math.exp(-d / decay_m) * (1 - 18 / d)
            bound = 4 * math.sqrt(p * (1 - p) / count)
            assert state[:, k].mean() == pytest.approx(p, abs=bound)


@pytest.mark.parametrize("environment", ["UMi", "UMa", "RMa", "InH-Open"])
def test_line_of_sight_of_a_static_user_is_kept(losses, environment):
    found = losses(environment, still(300, 60, 1.5, steps=40), Shadowing=False)
    assert (found == found[:, :1]).all()
    # A pedestrian who keeps within the correlation distance keeps it as well.
    paces = "[[(60 + 4 * (k % 2), 0, 1.5) for k in range(100)]] * 300"
    found = losses(environment, paces, Shadowing=False)
    assert (found[:, 2:] == found[:, :-2]).all()


def test_received_power_in_the_air_follows_the_formula(network, measure):
    user = {"slice": "s0", "height_m": 100, "traffic": [{"kind": "full_buffer"}]}
    spots = {"near": (200, 0), "far": (500, 0)}
    groups = [
        {**user, "name": name, "placement": {"kind": "points", "points": [{"x_m": x, "y_m": y}]}}
        for name, (x, y) in spots.items()
    ]
    frame = measure(network(users=groups, duration_s=0.2), skip=0)["ue"]
    rsrp_dbm = frame.groupby("ue", observed=True).rsrp_dbm.mean()
    near, far = (math.hypot(x, y, 90) for x, y in spots.values())
    expected = (22.25 - 0.5 * 2) * math.log10(far / near)
    assert rsrp_dbm["u0"] - rsrp_dbm["u1"] == pytest.approx(expected, abs=0.01)


def test_fading_works_in_the_air(network, measure):
    user = {
        "name": "u",
        "slice": "s0",
        "height_m": 120,
        "placement": {"kind": "points", "points": [{"x_m": 300, "y_m": 0}, {"x_m": 0, "y_m": 400}]},
        "traffic": [{"kind": "full_buffer"}],
    }
    scenario = network(
        users=[user],
        propagation={"environment": "UMa", "fading": True, "line_of_sight": "probabilistic"},
        duration_s=0.4,
    )
    frame = measure(scenario, skip=0)["ue"]
    assert (frame.dl_throughput_mbps > 1).all()


COLUMNS = ("x", "y", "z", "vx", "vy", "vz", "charge_pct", "power_w", "endurance_s")


@pytest.fixture(scope="module")
def fly(model):
    """Flies a route on a battery: what is seen at each time, and the alarms."""

    def run(times, points=(), end="stop", orders=(), **more):
        plan = {"start": (0, 0, 50), "speed": 10, "alarm": 0, "battery": {}, **more}
        made = ", ".join(
            f"_ran.FlightOrder({', '.join(f'{name}={value}' for name, value in order.items())})"
            for order in orders
        )
        rows, alarms = model(
            f"_ran.fly({plan['battery']}, {plan['alarm']}, {plan['start']}, {list(points)}, "
            f"{plan['speed']}, _ran.RouteEnd.{end}, [{made}], {list(times)})"
        )
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows], alarms

    return run


def position(row):
    return row["x"], row["y"], row["z"]


def velocity(row):
    return row["vx"], row["vy"], row["vz"]


def test_a_route_is_at_its_points_on_time(fly):
    points = [(30, 40, 50), (30, 40, 50), (30, 40, 20), (0, 0, 20)]
    (start, middle, first, second, third, later), _ = fly([0, 2.5, 5, 8, 13, 99], points)
    assert position(start) == (0, 0, 50)
    assert velocity(start) == pytest.approx((6, 8, 0))
    assert position(middle) == pytest.approx((15, 20, 50))
    assert position(first) == (30, 40, 50)
    assert position(second) == (30, 40, 20)
    assert position(third) == position(later) == (0, 0, 20)
    assert velocity(later) == (0, 0, 0)


def test_the_arrival_time_is_exact(fly):
    (before, after), _ = fly([9.999999999, 10.000000001], [(100, 0, 50)])
    assert before["x"] == pytest.approx(100 - 1e-8, abs=1e-12)
    assert velocity(before) == (10, 0, 0)
    assert position(after) == (100, 0, 50)
    assert velocity(after) == (0, 0, 0)


def test_looking_at_a_route_does_not_change_it(fly):
    points = [(1000 / 3, 77, 50), (12, 1000 / 7, 31)]
    often, _ = fly([k / 7 for k in range(1, 700)], points, "turn_back")
    once, _ = fly([699 / 7], points, "turn_back")
    assert often[-1] == once[0]


def test_a_vehicle_turns_back_at_the_end_of_the_street(fly):
    street = [(100, 0, 1.5), (100, 50, 1.5), (0, 50, 1.5)]
    rows, _ = fly([25, 30, 35, 40, 42, 50, 1030], street, "turn_back", start=(0, 0, 1.5))
    assert [position(row)[:2] for row in rows] == [
        *((0, 50), (50, 50), (100, 50), (100, 0)),  # back to the first point, not to the start
        *(pytest.approx((100, 20)), pytest.approx((50, 50)), (100, 0)),
    ]
    assert velocity(rows[1]) == (10, 0, 0)
    assert velocity(rows[5]) == (-10, 0, 0)


def test_a_round_is_flown_again_from_its_first_point(fly):
    square = [(0, 0, 50), (100, 0, 50), (100, 100, 50), (0, 100, 50)]
    rows, _ = fly([10, 20, 30, 35, 40, 50, 410], square, "start_again")
    assert [position(row)[:2] for row in rows] == [
        *((100, 0), (100, 100), (0, 100), (0, 50), (0, 0), (100, 0), (100, 0))
    ]
    assert velocity(rows[3]) == (0, -10, 0)


@pytest.mark.parametrize("end", ["stop", "turn_back", "start_again"])
def test_a_route_without_length_hovers(fly, end):
    (row,), _ = fly([10], [(0, 0, 50)] * 3, end)
    assert position(row) == (0, 0, 50)
    assert velocity(row) == (0, 0, 0)


def test_fly_to_gives_up_the_route(fly):
    order = {"at_s": 5, "fly_to": ((50, 30, 90), 5)}
    rows, _ = fly([5, 7, 15, 500], [(100, 0, 50), (0, 0, 50)], "turn_back", [order])
    assert position(rows[0]) == (50, 0, 50)
    assert velocity(rows[1]) == pytest.approx((0, 3, 4))
    assert position(rows[1]) == pytest.approx((50, 6, 58))
    assert position(rows[2]) == position(rows[3]) == (50, 30, 90)
    assert velocity(rows[3]) == (0, 0, 0)


def propulsion_w(speed_mps):
    """Zeng, Xu and Zhang 2019, eq. 12, with P_0 and P_i worked out from its Table I."""
    return (
        79.8563 * (1 + 3 * speed_mps**2 / 120**2)
        + 88.6279
        * math.sqrt(math.sqrt(1 + speed_mps**4 / (4 * 4.03**4)) - speed_mps**2 / (2 * 4.03**2))
        + 0.5 * 0.6 * 1.225 * 0.05 * 0.503 * speed_mps**3
    )


def test_propulsion_power_is_that_of_the_paper(model):
    speeds_mps = [k / 10 for k in range(1, 400)]
    found = np.array(
        model(f"[_ran.propulsion_power_w(({0.6} * v, 0.8 * v, 0)) for v in {speeds_mps}]")
    )
    assert found == pytest.approx([propulsion_w(v) for v in speeds_mps], rel=1e-5)
    # The speeds of most endurance and most range are about 10 and 18 m/s.
    assert speeds_mps[found.argmin()] == pytest.approx(10.2, abs=0.1)
    assert speeds_mps[(found / speeds_mps).argmin()] == pytest.approx(18.3, abs=0.1)
    hover = model("[_ran.propulsion_power_w((0, 0, v)) for v in (0, 2, -2, -20)]")
    assert hover == pytest.approx([168.484, 208.484, 128.484, 0], abs=0.001)


def test_hovering_drains_the_battery_evenly(fly):
    rows, _ = fly([0, 60, 1234.5], battery={"Capacity": "80", "BasePower": "7.5"})
    power_w = propulsion_w(0) + 7.5
    for row, at_s in zip(rows, [0, 60, 1234.5], strict=True):
        left_j = 80 * 3600 - power_w * at_s
        assert row["charge_pct"] == pytest.approx(100 * left_j / (80 * 3600), abs=1e-4)
        assert row["power_w"] == pytest.approx(power_w, abs=1e-3)
        assert row["endurance_s"] == pytest.approx(left_j / power_w, rel=1e-5)


def test_flying_drains_the_battery_leg_by_leg(fly):
    points = [(150, 0, 50), (150, 0, 80), (150, 0, 50), (150, 80, 110)]
    times = [15, 18, 21, 31, 100]
    rows, _ = fly(times, points, battery={"Capacity": "20", "BasePower": "10"})
    level, climb, descent, slope, hover = (
        propulsion_w(10),
        propulsion_w(0) + 20 * 10,
        max(0, propulsion_w(0) - 20 * 10),
        propulsion_w(8) + 20 * 6,
        propulsion_w(0),
    )
    used_j = np.cumsum(
        [15 * level, 3 * climb, 3 * descent, 10 * slope, 69 * hover]
    ) + 10 * np.array(times)
    assert [row["charge_pct"] for row in rows] == pytest.approx(
        100 - 100 * used_j / (20 * 3600), abs=1e-4
    )


def test_rotors_are_off_on_the_ground(fly):
    (row,), _ = fly([360], start=(0, 0, 1.5), battery={"Capacity": "10", "BasePower": "20"})
    assert row["charge_pct"] == pytest.approx(80)
    assert row["power_w"] == 20


def test_an_empty_battery_lands_the_uav(fly):
    power_w = propulsion_w(10) + 10
    empty_s = 3600 / power_w
    order = {"at_s": empty_s + 5, "fly_to": ((0, 0, 50), 10)}
    times = [empty_s - 0.001, empty_s + 4, empty_s + 6, empty_s + 24, empty_s + 25, 900]
    flying, sinking, told, low, landed, later = fly(
        times, [(1000, 0, 50)], orders=[order], battery={"Capacity": "1"}
    )[0]
    assert velocity(flying) == (10, 0, 0)
    assert flying["charge_pct"] == pytest.approx(0.001 * power_w / 36, rel=0.01)
    x_m = 10 * empty_s
    assert position(sinking) == pytest.approx((x_m, 0, 42), abs=0.01)
    assert velocity(sinking) == (0, 0, -2)
    assert position(told) == pytest.approx((x_m, 0, 38), abs=0.01)  # lands whatever it is told
    assert position(low) == pytest.approx((x_m, 0, 2), abs=0.01)
    assert position(landed) == position(later)
    assert later["z"] == 1.5
    assert later["charge_pct"] == later["power_w"] == 0


def test_alarms_are_raised_when_they_are_due(fly):
    power_w = propulsion_w(0) + 10
    _, alarms = fly([900], alarm=25, battery={"Capacity": "10"})
    at_s = [0.75 * 36000 / power_w, 36000 / power_w]
    assert alarms == [
        pytest.approx([at_s[0], 25], rel=1e-5),
        pytest.approx([at_s[1], 0], rel=1e-5),
    ]
    charge = [{"at_s": 10, "charge_pct": 20}, {"at_s": 20, "charge_pct": 90}]
    _, alarms = fly([300], orders=charge, alarm=25, battery={"Capacity": "10"})
    assert alarms[0] == [10, 20]  # the fall
    assert alarms[1] == pytest.approx([20 + 0.65 * 36000 / power_w, 25], rel=1e-5)


def test_a_fault_empties_the_battery(fly):
    order = {"at_s": 10, "charge_pct": 0}
    (before, after), alarms = fly([9, 34.25], orders=[order], alarm=25)
    assert before["charge_pct"] > 99
    assert position(after) == (0, 0, 1.5)
    assert alarms == [[10, 0]]
