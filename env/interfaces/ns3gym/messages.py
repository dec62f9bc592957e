# SPDX-License-Identifier: Apache-2.0
"""The messages of the protocol, as classes of protobuf that are built at run time.

They live in a pool of their own: another copy of the protocol in the same process is no conflict.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from env.errors import EnvError

PACKAGE = "ns3opengym"
DISCRETE, BOX, TUPLE, DICT = 1, 2, 3, 4
"""Of SpaceType; 0 is none."""
INT, UINT, FLOAT, DOUBLE = 1, 2, 3, 4
"""Of Dtype; 0 is none."""
SIMULATION_END, GAME_OVER = 0, 1
"""Of Reason."""

_ENUMS: dict[str, tuple[str, ...]] = {
    "SpaceType": ("NoSpaceType", "Discrete", "Box", "Tuple", "Dict"),
    "Dtype": ("NoDType", "INT", "UINT", "FLOAT", "DOUBLE"),
}
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "SpaceDescription": {"type": (1, "SpaceType"), "space": (2, "Any"), "name": (3, "string")},
    "DiscreteSpace": {"n": (1, "int32")},
    "BoxSpace": {
        "low": (1, "float"),
        "high": (2, "float"),
        "dtype": (3, "Dtype"),
        "shape": (4, "repeated uint32"),
    },
    "TupleSpace": {"element": (1, "repeated SpaceDescription")},
    "DictSpace": {"element": (1, "repeated SpaceDescription")},
    "DataContainer": {"type": (1, "SpaceType"), "data": (2, "Any"), "name": (3, "string")},
    "DiscreteDataContainer": {"data": (1, "int32")},
    "BoxDataContainer": {
        "dtype": (1, "Dtype"),
        "shape": (2, "repeated uint32"),
        "intData": (3, "repeated int32"),
        "uintData": (4, "repeated uint32"),
        "floatData": (5, "repeated float"),
        "doubleData": (6, "repeated double"),
    },
    "TupleDataContainer": {"element": (1, "repeated DataContainer")},
    "DictDataContainer": {"element": (1, "repeated DataContainer")},
    "SimInitMsg": {
        "simProcessId": (1, "uint64"),
        "wafShellProcessId": (2, "uint64"),
        "obsSpace": (3, "SpaceDescription"),
        "actSpace": (4, "SpaceDescription"),
    },
    "SimInitAck": {"done": (1, "bool"), "stopSimReq": (2, "bool")},
    "EnvStateMsg": {
        "obsData": (1, "DataContainer"),
        "reward": (2, "float"),
        "isGameOver": (3, "bool"),
        "reason": (4, "Reason"),
        "info": (5, "string"),
    },
    "EnvActMsg": {"actData": (1, "DataContainer"), "stopSimReq": (2, "bool")},
}
_NESTED_ENUMS: dict[str, dict[str, tuple[str, ...]]] = {
    "EnvStateMsg": {"Reason": ("SimulationEnd", "GameOver")},
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    """The protocol as protobuf describes itself."""
    any_file = any_pb2.DESCRIPTOR
    file = descriptor_pb2.FileDescriptorProto(
        name="messages.proto", package=PACKAGE, syntax="proto3", dependency=[any_file.name]
    )
    for name, values in _ENUMS.items():
        _add_enum(file.enum_type.add(), name, values)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for enum, values in _NESTED_ENUMS.get(name, {}).items():
            _add_enum(message.enum_type.add(), enum, values)
        for field, (number, words) in fields.items():
            kind = words.removeprefix("repeated ")
            added = message.field.add(name=field, number=number)
            added.label = added.LABEL_OPTIONAL if kind == words else added.LABEL_REPEATED
            if kind == "Any":
                added.type, added.type_name = added.TYPE_MESSAGE, ".google.protobuf.Any"
            elif kind in _MESSAGES:
                added.type, added.type_name = added.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            elif kind in _ENUMS:
                added.type, added.type_name = added.TYPE_ENUM, f".{PACKAGE}.{kind}"
            elif kind in _NESTED_ENUMS.get(name, {}):
                added.type, added.type_name = added.TYPE_ENUM, f".{PACKAGE}.{name}.{kind}"
            else:
                added.type = getattr(added, f"TYPE_{kind.upper()}")
    return file


def _add_enum(enum: descriptor_pb2.EnumDescriptorProto, name: str, values: tuple[str, ...]) -> None:
    enum.name = name
    for number, value in enumerate(values):
        enum.value.add(name=value, number=number)


_POOL = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
_POOL.AddSerializedFile(_file().SerializeToString())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


SpaceDescription = _message("SpaceDescription")
DataContainer = _message("DataContainer")
DiscreteSpace, DiscreteDataContainer = _message("DiscreteSpace"), _message("DiscreteDataContainer")
BoxSpace, BoxDataContainer = _message("BoxSpace"), _message("BoxDataContainer")
TupleSpace, TupleDataContainer = _message("TupleSpace"), _message("TupleDataContainer")
DictSpace, DictDataContainer = _message("DictSpace"), _message("DictDataContainer")
SimInitMsg, SimInitAck = _message("SimInitMsg"), _message("SimInitAck")
EnvStateMsg, EnvActMsg = _message("EnvStateMsg"), _message("EnvActMsg")

BOX_FIELDS = {INT: "intData", UINT: "uintData", FLOAT: "floatData", DOUBLE: "doubleData"}
BOX_DTYPES: dict[int, type[np.number[Any]]] = {
    INT: np.int32,
    UINT: np.uint32,
    FLOAT: np.float32,
    DOUBLE: np.float64,
}


class MalformedError(EnvError):
    """Raised where a message is not what the protocol wants in its place."""


def parse(kind: Any, frame: bytes) -> Any:
    """A message from its bytes.

    Raises:
        MalformedError: they are no such message.
    """
    try:
        return kind.FromString(frame)
    except DecodeError:
        raise MalformedError(f"{len(frame)} bytes are no {kind.DESCRIPTOR.name}") from None


def unpack(kind: Any, box: Any) -> Any:
    """What an `Any` holds.

    Raises:
        MalformedError: it holds something else, or nothing.
    """
    found, name = kind(), kind.DESCRIPTOR.name
    try:
        if box.Unpack(found):
            return found
    except DecodeError:
        raise MalformedError(f"{len(box.value)} bytes are no {name}") from None
    what = box.type_url[:80] or "nothing"
    raise MalformedError(f"{what!r} stands where {PACKAGE}.{name} must")


def box_container(values: NDArray[Any], dtype: int = FLOAT, name: str = "") -> Any:
    """Numbers as the data of a box.

    Args:
        values: of any shape.
        dtype: of the protocol.
        name: key, within a dictionary.
    """
    data = BoxDataContainer(dtype=dtype, shape=values.shape)
    getattr(data, BOX_FIELDS[dtype]).extend(values.astype(BOX_DTYPES[dtype]).ravel().tolist())
    container = DataContainer(type=BOX, name=name)
    container.data.Pack(data)
    return container


def box_values(container: Any, n: int) -> NDArray[Any]:
    """The numbers of a box, flat.

    Args:
        container: the message DataContainer.
        n: numbers that there must be.

    Raises:
        MalformedError: it is no box, or of another size.
    """
    if container.type != BOX:
        raise MalformedError(f"a container of type {container.type} stands where a box must, {BOX}")
    data = unpack(BoxDataContainer, container.data)
    # As peers do: what is no other type is read as float.
    dtype = data.dtype if data.dtype in BOX_FIELDS else FLOAT
    values = np.array(getattr(data, BOX_FIELDS[dtype]), BOX_DTYPES[dtype])
    if len(values) != n:
        raise MalformedError(
            f"a box of {len(values)} numbers in {BOX_FIELDS[dtype]} stands where {n} must"
        )
    return values
