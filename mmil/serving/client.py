"""A policy that is served elsewhere, as an actor: needs numpy and msgpack only."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmil.contracts import Actor, Observation, Spec, State, UserError
from mmil.serving.wire import PORT, PROTOCOL, SLACK, receive, send


class Client(Actor):
    """What `mmil serve` offers at "host:port"; each client has a history and a seed of its own.

    spec: what this side has, a Spec or a part of one as {"cameras": {…}, "signals": {…}, "control_hz": 20.0}; the
    server refuses it where it differs from the policy's. timeout: seconds to wait for an answer.
    """

    def __init__(self, address: str, *, spec: Spec | Mapping[str, Any] | None = None, timeout: float = 30.0) -> None:
        self.address, self.timeout = address, timeout
        self._connection = _connect(address, timeout)
        try:
            hello = self._receive("hello")
            if hello.get("protocol") != PROTOCOL:
                raise UserError(f"{address} speaks protocol {hello.get('protocol')!r}; this client speaks {PROTOCOL}")
            self.spec, self.meaning, self.run = Spec.from_json(hello["spec"]), hello["meaning"], hello["run"]
            part = spec.to_json() if isinstance(spec, Spec) else dict(spec or {})
            self._ask("welcome", ask="hello", protocol=PROTOCOL, spec=part)
        except BaseException:
            self.close()
            raise

    @property
    def control_hz(self) -> float:
        """How often a second it is to be asked [Hz]."""
        return self.spec.control_hz

    def reset(self, seed: int) -> None:
        self._ask("reset", ask="reset", seed=int(seed))

    def act(self, observation: Observation | Mapping[str, Any], state: State | None = None) -> np.ndarray:
        """float32 (A,) in [−1, 1], of an Observation or of {"images": …, "signals": …, "instruction": …}."""
        given: Any = observation
        if isinstance(observation, Observation):
            parts = ("images", "signals", "instruction", "maps")
            given = {part: getattr(observation, part) for part in parts}
        if not isinstance(given, Mapping):
            raise UserError(f"got {type(given).__name__}; expected an Observation or a dict")
        # what the policy does not know need not travel
        known = {"images": self.spec.cameras, "signals": self.spec.signals, "maps": self.spec.maps}
        told = {part: _arrays(value, known[part]) if part in known else value for part, value in given.items()}
        return np.array(self._ask("action", ask="act", observation=told)["action"])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _ask(self, expected: str, **message: Any) -> dict[str, Any]:
        try:
            self._connection.settimeout(self.timeout)
            send(self._connection, message)
        except OSError as error:
            raise UserError(f"{self.address} cannot be asked: {error}") from None
        return self._receive(expected)

    def _receive(self, expected: str) -> dict[str, Any]:
        try:
            answer = receive(self._connection, limit=SLACK, wait=self.timeout)
        except UserError as error:
            self.close()  # an answer that comes late would be taken for the next one
            raise UserError(f"{self.address} gave no answer: {error}") from None
        if answer.get("say") == "error":
            raise UserError(str(answer.get("error")))
        if answer.get("say") != expected:
            raise UserError(f"{self.address} said {str(answer.get('say'))[:60]!r}; expected {expected!r}")
        return answer


def _connect(address: str, timeout: float) -> socket.socket:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"{address!r} is no address; expected host:port, as 127.0.0.1:{PORT}")
    try:
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=timeout)
    except (OSError, OverflowError) as error:
        raise UserError(f"nobody serves at {address}: {error}; `mmil serve RUN` does") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _arrays(values: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(values, Mapping):
        return values
    return {name: np.asarray(values[name]) for name in known if name in values}
