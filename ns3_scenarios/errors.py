# SPDX-License-Identifier: Apache-2.0
"""Every exception that `ns3_scenarios` raises on purpose.

A `UserError` is the user's mistake: its message is one sentence that names the field or file, the
value, and what is allowed, and the command line prints it without a traceback. Everything else is
ours or the machine's.
"""


class SixgError(Exception):
    """Base of every exception raised on purpose by this project."""


class UserError(SixgError):
    """Raised when something the user gave cannot be used."""


class ScenarioError(UserError):
    """Raised when a scenario is unknown, unreadable, or says something impossible."""


class ControlError(UserError):
    """Raised when a control names an element that does not exist or a value out of range."""


class SweepError(UserError):
    """Raised when a sweep specification cannot be used."""


class DatasetError(UserError):
    """Raised when a dataset folder or file is missing, unwritable, corrupt or of another kind."""


class BuildError(SixgError):
    """Raised when the RAN model cannot be compiled or loaded."""


class WorkerError(SixgError):
    """Raised when the simulation worker cannot start, dies, or stops answering."""


class WorkerTimeoutError(WorkerError):
    """Raised when the worker does not answer in time."""


class WorkerGoneError(WorkerError):
    """Raised when the other end of a connection was closed between two messages."""


class ProtocolError(WorkerError):
    """Raised when a message between the worker and its parent is cut off, too large or corrupt."""


class SimulationError(SixgError):
    """Raised when one simulation ends abnormally.

    Attributes:
        stderr_tail: the last lines that the simulation wrote to standard error.
        reproduce: a command line that runs the same simulation again.
    """

    def __init__(self, message: str, *, stderr_tail: str = "", reproduce: str = "") -> None:
        super().__init__(message)
        self.stderr_tail = stderr_tail
        self.reproduce = reproduce

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword arguments, since joblib carries exceptions between processes."""
        return (_rebuild_simulation_error, (str(self), self.stderr_tail, self.reproduce))


def _rebuild_simulation_error(message: str, stderr_tail: str, reproduce: str) -> SimulationError:
    return SimulationError(message, stderr_tail=stderr_tail, reproduce=reproduce)
