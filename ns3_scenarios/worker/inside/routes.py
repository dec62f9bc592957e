# SPDX-License-Identifier: GPL-2.0-only
"""Which paths through the transport network slices and flows take."""

from __future__ import annotations

from typing import Any

import networkx as nx

from ns3_scenarios.controls import AUTO, SLICE_ROUTE, ControlState
from ns3_scenarios.scenario import ScenarioConfig

Ends = tuple[str, str]
"""A site and an anchor."""


class Routes:
    """Lays paths as the controls ask for.

    Every slice has a class of paths of its own, one between each site and anchor. A flow with a
    route of its own gets a further class, which differs from its slice's in that one path.
    """

    def __init__(self, scenario: ScenarioConfig, network: Any) -> None:
        self._network = network
        self._nodes = scenario.transport_nodes
        self._slices = [s.name for s in scenario.slices]
        self._healthy = _shortest_paths(scenario)
        self._laid: dict[int, dict[Ends, list[str]]] = {}
        self._own_classes: dict[tuple[int, int], int] = {}
        self._controls: ControlState | None = None
        self.set_controls(ControlState.initial(scenario))

    def set_controls(self, controls: ControlState) -> None:
        """Lay what has changed."""
        known = self._controls
        self._controls = controls
        if not self._healthy or (
            known and (known.slices, known.ues) == (controls.slices, controls.ues)
        ):
            return
        by_slice = {}
        for index, name in enumerate(self._slices):
            routes = controls.slices[name].routes
            by_slice[name] = {
                (site, anchor): path
                if (route := routes[site][anchor]) == AUTO
                else route.split("-")
                for (site, anchor), path in self._healthy.items()
            }
            self._lay(index, by_slice[name])
        for ue, user in enumerate(controls.ues.values()):
            for flow, settings in enumerate(user.flows.values()):
                known_class = self._own_classes.get((ue, flow))
                if settings.route == SLICE_ROUTE:
                    tunnel_class = self._slices.index(settings.slice)
                else:
                    own = settings.route.split("-")
                    tunnel_class = self._network.add_class() if known_class is None else known_class
                    self._own_classes[ue, flow] = tunnel_class
                    self._lay(tunnel_class, {**by_slice[settings.slice], (own[0], own[-1]): own})
                self._network.set_tunnel_class(ue, flow, tunnel_class)

    def _lay(self, tunnel_class: int, paths: dict[Ends, list[str]]) -> None:
        laid = self._laid.setdefault(tunnel_class, {})
        for ends, path in paths.items():
            if laid.get(ends) != path:
                laid[ends] = path
                self._network.set_path(tunnel_class, [self._nodes.index(n) for n in path])


def _shortest_paths(scenario: ScenarioConfig) -> dict[Ends, list[str]]:
    """Paths of least delay between sites and anchors; of equal ones that with fewest links."""
    graph = nx.Graph()
    for link in scenario.links:
        graph.add_edge(*link.ends, weight=link.delay_ms + 1e-6)
    if not scenario.transport:
        return {}
    return {
        (site, anchor): nx.shortest_path(graph, site, anchor, weight="weight")
        for site in scenario.site_ids
        for anchor in scenario.anchors
    }
