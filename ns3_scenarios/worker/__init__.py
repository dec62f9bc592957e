# SPDX-License-Identifier: Apache-2.0
"""The simulation worker: a warm process with ns-3 in it that forks one child per simulation.

Nothing that this package exports imports ns-3. What runs in the worker process is in `inside`.
"""

from ns3_scenarios.worker.client import OnProgress, SimulationWorker, code_version, schedule_hash
from ns3_scenarios.worker.process import WorkerInfo

__all__ = ["OnProgress", "SimulationWorker", "WorkerInfo", "code_version", "schedule_hash"]
