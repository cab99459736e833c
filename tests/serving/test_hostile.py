"""Whatever a client sends, it gets an error back and everybody else goes on."""

from __future__ import annotations

import socket
import struct

import msgpack
import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.serving import Client
from mmil.serving.wire import MAGIC, PROTOCOL, SLACK, packed, receive, send, unpacked
from tests.sorting import Sorting

HELLO = {"ask": "hello", "protocol": PROTOCOL, "spec": {}}
OBSERVATION = {
    "images": {name: np.zeros(shape, np.uint8) for name, shape in Sorting.spec.cameras.items()},
    "signals": {name: np.zeros(shape, np.float32) for name, shape in Sorting.spec.signals.items()},
    "instruction": "lift the red cube",
}


def connect(address: str, *, greet: bool = True) -> socket.socket:
    host, port = address.split(":")
    connection = socket.create_connection((host, int(port)), timeout=15)
    assert receive(connection, limit=SLACK, wait=15)["say"] == "hello"
    if greet:
        send(connection, HELLO)
        assert receive(connection, limit=SLACK, wait=15) == {"say": "welcome"}
    return connection


def frame(body: bytes) -> bytes:
    return struct.pack(">4sI", MAGIC, len(body)) + body


def array(dtype: str, shape: list, content: bytes) -> msgpack.ExtType:
    return msgpack.ExtType(1, msgpack.packb([dtype, shape, content]))


def still_serves(address: str) -> bool:
    with Client(address) as robot:
        return robot.act(OBSERVATION).shape == (3,)


@pytest.mark.parametrize("greet", [True, False])
@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"GET / HTTP/1.1\r\nHost: robot\r\n\r\n", "a message begins with"),
        (struct.pack(">4sI", MAGIC, 2**32 - 1), "a message of 4294967295 bytes; at most"),
        (bytes(range(64)), "a message begins with"),
        (frame(packed(HELLO))[:-5], "cut off after"),
        (b"mm", "cut off after 2 of 8"),
    ],
)
def test_what_is_no_message_ends_its_connection_alone(served, sent, error, greet):
    with Client(served.address) as robot, connect(served.address, greet=greet) as connection:
        before = robot.act(OBSERVATION)
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = receive(connection, limit=SLACK, wait=15)
        assert answer["say"] == "error" and error in answer["error"]
        assert connection.recv(1) == b""
        robot.reset(0)
        assert np.array_equal(robot.act(OBSERVATION), before)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"\xc1\xc1\xc1", "not msgpack"),
        (b"", "not msgpack"),
        (b"\x91" * 5000, "not msgpack"),
        (msgpack.packb([1, 2]), "got list; a message is a map"),
        (msgpack.packb({"ask": "fly"}), "no ask 'fly'; there are reset, act"),
        (msgpack.packb({}), "no ask None"),
        (msgpack.packb({"ask": "reset", "seed": -1}), "seed is -1"),
        (msgpack.packb({"ask": "reset", "seed": "7"}), "seed is '7'"),
        (msgpack.packb({"ask": "act"}), "no images top, side; got none"),
        (msgpack.packb({"ask": "act", "observation": None}), "got NoneType"),
        (msgpack.packb({"ask": "act", "observation": {"images": 3}}), "images is int; expected a dict of top, side"),
        (msgpack.packb({"ask": "act", "observation": {"depth": 3}}), "no part 'depth' of an observation"),
        (msgpack.packb({"a": msgpack.ExtType(7, b"x")}), "extension 7"),
        (msgpack.packb({"a": array("|O", [1], b"12345678")}), "an array of '|O'"),
        (msgpack.packb({"a": array("|u1", [2**40, 2**40], b"x")}), "an array of 1 bytes is not"),
        (msgpack.packb({"a": array("|u1", [-1], b"x")}), "an array of shape [-1]"),
        (msgpack.packb({"a": array("|u1", [1] * 40, b"x")}), "an array of shape [1, 1"),
        (msgpack.packb({"a": msgpack.ExtType(1, b"\xc1")}), "not msgpack"),
        (msgpack.packb({"a": msgpack.ExtType(1, msgpack.packb({"x": 1}))}), "not msgpack"),
    ],
)
def test_a_garbled_message_is_answered_and_the_next_one_counts(served, body, error):
    with connect(served.address) as connection:
        connection.sendall(frame(body))
        answer = receive(connection, limit=SLACK, wait=15)
        assert answer["say"] == "error" and error in answer["error"] and "\n" not in answer["error"]
        send(connection, {"ask": "act", "observation": OBSERVATION})
        assert receive(connection, limit=SLACK, wait=15)["action"].shape == (3,)


@pytest.mark.parametrize(
    "greeting", [{}, {"ask": "act"}, {**HELLO, "protocol": 99}, {**HELLO, "spec": [1]}, {**HELLO, "spec": {1: 2}}]
)
def test_who_does_not_greet_is_sent_away(served, greeting):
    with connect(served.address, greet=False) as connection:
        send(connection, greeting)
        assert receive(connection, limit=SLACK, wait=15)["say"] == "error"
        assert connection.recv(1) == b"" and still_serves(served.address)


PICTURE, WRENCH = OBSERVATION["images"]["top"], OBSERVATION["signals"]["wrench"]


@pytest.mark.parametrize(
    ("part", "name", "value", "error"),
    [
        (
            "images",
            "top",
            np.full((40, 40, 3), np.nan, np.float32),
            r"camera top is float32 \(40, 40, 3\); expected uint8",
        ),
        ("images", "top", PICTURE[:20], r"camera top is uint8 \(20, 40, 3\); expected uint8 \(40, 40, 3\)"),
        ("images", "side", None, "no images side; got top, expected top, side"),
        ("signals", "wrench", WRENCH[0], r"signal wrench is float32 \(6,\); expected float32 \(4, 6\)"),
        ("signals", "wrench", np.full((4, 6), np.inf), "signal wrench holds a NaN or an infinity"),
        ("signals", "wrench", np.full((4, 6), 1e300), "signal wrench holds a NaN or an infinity"),
        ("signals", "wrench", np.full((4, 6), 3e38), r"signal wrench reaches 3e\+38, more than 1e\+04 \[N, N·m\]"),
        ("signals", "wrench", np.array(["x"]), "cannot be sent: an array of <U1"),
        ("signals", "wrench", None, "no signals wrench; got eef_pos_world"),
    ],
)
def test_what_is_not_of_the_spec_is_told_and_the_client_goes_on(served, part, name, value, error):
    values = {**OBSERVATION[part], name: value}
    if value is None:
        del values[name]
    with Client(served.address) as robot:
        with pytest.raises(UserError, match=error):
            robot.act({**OBSERVATION, part: values})
        assert robot.act(OBSERVATION).shape == (3,)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", ">f8", "float16"])
def test_arrays_come_back_as_they_were(dtype):
    for there in (np.arange(12).reshape(3, 4).T, np.array(3.0), np.zeros((0, 2))):
        there = there.astype(dtype)
        back = unpacked(packed({"a": there, "b": np.float64(0.1)}))
        assert (
            back["b"] == 0.1 and np.array_equal(back["a"], there) and back["a"].dtype == there.dtype.newbyteorder("<")
        )
