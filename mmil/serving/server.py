"""`mmil serve`: a run's policy over TCP, to several clients at a time.

A client is told the Spec, may say its own or the part of it that it has, and is refused where they differ. It asks:

→ {"ask": "reset", "seed": 7}                                               ← {"say": "reset"}
→ {"ask": "act", "observation": {"images": {…}, "signals": {…}, …}}         ← {"say": "action", "action": (A,)}

What cannot be answered gets {"say": "error", "error": one line}; a message nobody can find the end of ends the
connection, and never the server.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmil import __version__
from mmil.contracts import UserError, require_known, require_number
from mmil.run import load_policy
from mmil.runner import Runner
from mmil.serving.loaded import Loaded
from mmil.serving.wire import PATIENCE, PROTOCOL, Broken, Ended, largest, receive, send

IDLE = 600.0  # [s]
EVERYWHERE = ("0.0.0.0", "::")
PARTING = 1.0  # [s], for a client to read why it is left


class Server(socketserver.ThreadingTCPServer):
    """Listens as soon as it is made; `serve_forever` answers until `shutdown` or an interrupt."""

    allow_reuse_address = True
    daemon_threads = False  # a thread that is inside of torch when the process ends takes it down
    block_on_close = True
    request_queue_size = 64

    def __init__(
        self, make: Callable[[], Loaded], *, name: str, host: str, port: int, clients: int, idle: float | None = IDLE
    ) -> None:
        self.make, self.name, self.clients, self.idle = make, name, clients, idle
        self.limit = largest(make().spec)
        self.served = self.actions = 0
        self._lock, self._open, self._closed = threading.Lock(), set[socket.socket](), False
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Session)
        except (OSError, OverflowError) as error:
            raise UserError(f"cannot listen at {host}:{port}: {error}; choose another --host or --port") from None

    @property
    def address(self) -> str:
        """Where clients find it."""
        host, port = str(self.server_address[0]), self.server_address[1]
        host = socket.gethostname() if host in EVERYWHERE else host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def admit(self, connection: socket.socket) -> bool:
        """Whether there is room for one more."""
        with self._lock:
            if self._closed or len(self._open) >= self.clients:
                return False
            self._open.add(connection)
            self.served += 1
            return True

    def dismiss(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def count_action(self) -> None:
        with self._lock:
            self.actions += 1

    def server_close(self) -> None:
        with self._lock:
            self._closed, left = True, list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()  # waits for their threads

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whatever ends a session unforeseen is for the person at the terminal, and for no other client."""
        error = sys.exc_info()[1]
        sys.stderr.write(f"client {client_address[0]}:{client_address[1]}: {type(error).__name__}: {error}\n")


class _Session(socketserver.BaseRequestHandler):
    """One client, from its greeting to its end."""

    server: Server
    request: socket.socket

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not self.server.admit(self.request):
            with contextlib.suppress(UserError, OSError):
                self._say("error", error=f"{self.server.clients} clients are connected, which is all that are taken")
            return
        with contextlib.suppress(OSError):
            self._serve()

    def finish(self) -> None:
        self.server.dismiss(self.request)
        with contextlib.suppress(OSError):  # what is closed with bytes unread takes its last answer with it
            self.request.shutdown(socket.SHUT_WR)
            self.request.settimeout(PARTING)
            begun = time.monotonic()
            while self.request.recv(1 << 20) and time.monotonic() - begun < PARTING:
                pass

    def _serve(self) -> None:
        actor = self.server.make()
        told = {"protocol": PROTOCOL, "mmil": __version__, "run": self.server.name, "limit": self.server.limit}
        self._say("hello", spec=actor.spec.to_json(), meaning=actor.meaning, **told)
        greeted = False
        while True:
            try:
                message = receive(self.request, limit=self.server.limit, wait=self.server.idle if greeted else PATIENCE)
                if not greeted:
                    _require_fitting(actor, message)
                self._say(**(self._answer(actor, message) if greeted else {"kind": "welcome"}))
                greeted = True
            except Ended:
                return
            except UserError as error:
                self._say("error", error=" ".join(str(error).split()))
                if isinstance(error, Broken) or not greeted:
                    return
            except Exception as error:
                self._say("error", error=f"the policy failed: {type(error).__name__}")
                raise

    def _answer(self, actor: Loaded, message: Mapping[str, Any]) -> dict[str, Any]:
        ask = message.get("ask")
        require_known("ask", [ask], ("reset", "act"))
        if ask == "reset":
            actor.reset(message.get("seed"))
            return {"kind": "reset"}
        action = actor.act(message.get("observation", {}))
        self.server.count_action()
        return {"kind": "action", "action": action}

    def _say(self, kind: str, **told: Any) -> None:
        self.request.settimeout(PATIENCE)
        send(self.request, {"say": kind, **told})


def _require_fitting(actor: Loaded, greeting: Mapping[str, Any]) -> None:
    """Refuse a greeting that is none, and a client whose Spec is another one where it says it."""
    if greeting.get("ask") != "hello" or greeting.get("protocol") != PROTOCOL:
        raise UserError(f"the first message is a hello of protocol {PROTOCOL}; got {str(dict(greeting))[:100]}")
    part = greeting.get("spec") or {}
    if not isinstance(part, Mapping):
        raise UserError(f"spec is {type(part).__name__}; expected a dict")
    require_known("field", part, actor.spec.to_json(), where="in a Spec")
    lines = actor.spec.differences(part)
    if lines:
        raise UserError(f"the policy's Spec and the client's disagree: {'; '.join(lines)}")


def serve(
    run: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    execute: int | None = None,
    ensemble: float | None = None,
    device: str = "cpu",
    clients: int = 16,
    idle: float | None = IDLE,
) -> Server:
    """Offer the policy of RUN over a socket.

    Args:
        run: a run folder
        host: 0.0.0.0 for every machine that reaches this one; there is neither a password nor encryption
        port: 0 takes a free one
        execute: actions of each predicted chunk before it looks again (4)
        ensemble: plan at every step instead and average all plans for an instant, the i-th oldest weighted by
            exp(−ensemble · i), as 0.01
        device: that the policy computes on: cpu, cuda
        clients: how many may be connected at a time, each with its own history and seed
        idle: seconds that a client may say nothing before its place is free for another; null: for ever
    """
    if clients < 1:
        raise UserError(f"{clients} clients; at least 1 is needed")
    if idle is not None:
        require_number(above=0, idle=idle)
    policy = load_policy(run, device=device)

    def make() -> Loaded:
        torch.set_num_threads(1)  # as it was evaluated: with more, what is computed differs in the last bit
        return Loaded(Runner(policy, execute=execute, ensemble=ensemble))

    warm_up(make())
    return Server(make, name=Path(run).resolve().name, host=host, port=port, clients=clients, idle=idle)


def warm_up(actor: Loaded) -> None:
    """Act once on nothing, so that the first client does not wait for what is made on first use."""
    spec = actor.spec
    images = {name: np.zeros(shape, np.uint8) for name, shape in spec.cameras.items()}
    signals = {name: np.zeros(shape, np.float32) for name, shape in spec.signals.items()}
    actor.act({"images": images, "signals": signals, "instruction": "nothing"})
