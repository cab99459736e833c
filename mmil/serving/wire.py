"""Messages between a policy and a robot: a header of eight bytes, then msgpack with arrays in it. Nothing is unpickled.

header   b"mmil", then the length of what follows, uint32 big-endian
body     a msgpack map; an array is an extension of type 1: msgpack of [dtype, shape, bytes], little-endian, C order
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from mmil.contracts import Spec, UserError

PROTOCOL = 1
PORT = 8765
MAGIC, HEADER = b"mmil", struct.Struct(">4sI")
ARRAY = 1
DTYPES = ("|u1", "<u2", "<u4", "|i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
MOST_AXES = 8
SLACK = 1 << 20  # [bytes], for sentences, names and a Spec
PATIENCE = 10.0  # [s], from the first byte of a message to its last


class Broken(UserError):
    """What came is no message, and where the next one begins nobody can tell."""


class Garbled(UserError):
    """A message that says nothing; the next one may."""


class Ended(UserError):
    """The other side has gone."""


def largest(spec: Spec) -> int:
    """[bytes], of a message about this Spec: its observation, were every number in it a float64, and SLACK."""
    shapes = [*spec.cameras.values(), *spec.signals.values(), *spec.maps.values()]
    return 8 * sum(math.prod(shape) for shape in shapes) + SLACK


def send(connection: socket.socket, message: Mapping[str, Any]) -> None:
    body = packed(message)
    connection.sendall(HEADER.pack(MAGIC, len(body)) + body)


def receive(connection: socket.socket, *, limit: int, wait: float | None = None) -> dict[str, Any]:
    """The next message, which begins within `wait` seconds (None: whenever) and has at most `limit` bytes."""
    magic, length = HEADER.unpack(_bytes(connection, HEADER.size, wait=wait))
    if magic != MAGIC:
        raise Broken(f"got {magic!r}; a message begins with {MAGIC!r} and its length")
    if length > limit:
        raise Broken(f"a message of {length} bytes; at most {limit} are taken")
    return unpacked(_bytes(connection, length, wait=PATIENCE))


def packed(message: Mapping[str, Any]) -> bytes:
    try:
        return msgpack.packb(dict(message), default=_pack_array)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"cannot be sent: {error}") from None


def unpacked(body: bytes) -> dict[str, Any]:
    try:
        message = msgpack.unpackb(body, ext_hook=_unpack_array)
    except UserError:
        raise
    except Exception as error:  # of any kind: the bytes may come from anybody
        raise Garbled(f"not msgpack ({type(error).__name__}: {str(error)[:100]})") from None
    if not isinstance(message, dict):
        raise Garbled(f"got {type(message).__name__}; a message is a map")
    return message


def _pack_array(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} is neither a number, a text nor an array")
    plain = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)
    if plain.dtype.str not in DTYPES:
        raise TypeError(f"an array of {value.dtype}; there are {', '.join(DTYPES)}")
    return msgpack.ExtType(ARRAY, msgpack.packb([plain.dtype.str, plain.shape, plain.tobytes()]))


def _unpack_array(code: int, data: bytes) -> np.ndarray:
    if code != ARRAY:
        raise Garbled(f"extension {code}; there is {ARRAY}, an array")
    dtype, shape, content = msgpack.unpackb(data)
    if dtype not in DTYPES:
        raise Garbled(f"an array of {str(dtype)[:40]!r}; there are {', '.join(DTYPES)}")
    if len(shape) > MOST_AXES or not all(type(size) is int and size >= 0 for size in shape):
        raise Garbled(f"an array of shape {str(shape)[:60]}")
    if math.prod(shape) * np.dtype(dtype).itemsize != len(content):
        raise Garbled(f"an array of {len(content)} bytes is not {dtype} {tuple(shape)}")
    return np.frombuffer(content, dtype).reshape(shape)


def _bytes(connection: socket.socket, count: int, *, wait: float | None) -> bytes:
    """Exactly so many; who begins must go on within PATIENCE."""
    found, begun = bytearray(), None
    while len(found) < count:
        left = wait if begun is None else PATIENCE - (time.monotonic() - begun)
        if left is not None and left <= 0:
            raise Broken(f"{len(found)} of {count} bytes in {PATIENCE:.0f} s")
        connection.settimeout(left)
        try:
            part = connection.recv(min(count - len(found), 1 << 20))
        except TimeoutError:
            told = f"{len(found)} of {count} bytes, and no more" if found else "nothing was said"
            raise Broken(f"{told} in {left:.0f} s") from None
        except OSError as error:
            raise Ended(f"the connection broke: {error}") from None
        if not part:
            raise Broken(f"cut off after {len(found)} of {count} bytes") if found else Ended("the other side has gone")
        begun = begun or time.monotonic()
        found += part
    return bytes(found)
