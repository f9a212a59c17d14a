"""The wire between a chief and its workers: KerasTuner's gRPC, with a sign of life now and then.

KerasTuner's chief waits for ever for a worker that has gone, its workers wait an hour for a chief.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient
from keras_tuner.src.protos import get_service, get_service_grpc

from pipeline.errors import ResourceError
from pipeline.progress import say
from pipeline.search.kept import Kept
from pipeline.search.roles import ID, IP, PORT

SIGN = 5.0  # seconds between two signs of life of a worker
SILENCE = 60.0  # seconds without one, after which a worker counts as gone
AT_ONCE = 10.0  # seconds in which a chief that is there answers
PATIENCE = 600.0  # seconds that a worker waits for a chief that is not
HANDLERS = 32  # threads: signs of life wait for no trial that is thought of
GRACE = 1.0
SECONDS = 0.5  # between two calls
ABSENT = {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}
DIRECT = (("grpc.enable_http_proxy", 0),)  # not even this machine is found by way of a proxy
NAME = "worker"  # in the metadata of a call: whose it is


class Servicer(OracleServicer):
    """KerasTuner's, whose errors end the search: its oracle would keep its lock for ever."""

    def __init__(self, oracle: Kept) -> None:
        super().__init__(oracle)
        self.problem: BaseException | None = None
        self._heard: dict[str, float] = {}

    def heed(self) -> None:
        """Raise what went wrong in a call."""
        if self.problem is not None:
            raise self.problem

    def silent(self, name: str) -> float:
        """Seconds since a worker was last heard of; of one never heard of, since it was missed."""
        return time.monotonic() - self._heard.setdefault(name, time.monotonic())

    @property
    def known(self) -> set[str]:
        """Who was heard of, and not forgotten."""
        return set(self._heard)

    def forget(self, name: str) -> None:
        """Know nothing of a worker any more."""
        self._heard.pop(name, None)

    def _answer(self, call: str, request: Any, context: Any) -> Any:
        if self.problem is not None:
            context.abort(grpc.StatusCode.ABORTED, "the search has ended")
        said = dict(context.invocation_metadata())
        if NAME in said:
            self._heard[said[NAME]] = time.monotonic()
        try:
            return getattr(super(), call)(request, context)
        except Exception as error:  # noqa: BLE001  # raised by `heed`, in the main thread
            self.problem = error
            context.abort(grpc.StatusCode.INTERNAL, str(error))

    def GetSpace(self, request: Any, context: Any) -> Any:
        """What is searched; workers ask for it as a sign of life."""
        return self._answer("GetSpace", request, context)

    def CreateTrial(self, request: Any, context: Any) -> Any:
        """The next trial of a worker."""
        return self._answer("CreateTrial", request, context)

    def EndTrial(self, request: Any, context: Any) -> Any:
        """A trial is over."""
        return self._answer("EndTrial", request, context)


def _place(ip: str, port: int | str) -> str:
    """An address and a port in one; one of IPv6 stands in brackets."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


@contextmanager
def served(oracle: Kept, ip: str, port: int) -> Iterator[tuple[Servicer, int]]:
    """Answer workers at an address for a while; port 0 is any that is free.

    KerasTuner's own server sleeps 20 seconds at the end of a search.

    Raises:
        ResourceError: the port is taken, or the address is none of this machine.
    """
    alone = (("grpc.so_reuseport", 0),)  # or a second chief would share the port with the first
    server = grpc.server(futures.ThreadPoolExecutor(HANDLERS), options=alone)
    servicer = Servicer(oracle)
    get_service_grpc().add_OracleServicer_to_server(servicer, server)
    address = _place(ip, port)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ResourceError(
            f"{address}: the port is taken, or no address of this machine; set {PORT} to another"
        ) from error
    server.start()
    try:
        yield servicer, bound
    finally:
        server.stop(GRACE).wait()  # what is being answered is to arrive


class _Call(NamedTuple):
    """The details of a call as gRPC wants them of an interceptor."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Signed(grpc.UnaryUnaryClientInterceptor):
    """Says with each call whose it is, and how long it may take."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.timeout = PATIENCE

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Pass a call on."""
        timeout = min(self.timeout, details.timeout or self.timeout)
        wait, compression = details.wait_for_ready, details.compression
        said = [(NAME, self.name)]
        call = _Call(details.method, timeout, said, details.credentials, wait, compression)
        return continuation(call, request)


class Client(OracleClient):
    """KerasTuner's, of a worker that is heard of every few seconds and does not wait for ever.

    Raises, in each of its methods:
        ResourceError: there was no chief for ten minutes.
    """

    def __init__(self) -> None:
        super().__init__(None)
        self._address = _place(os.environ[IP], os.environ[PORT])
        self._signed = _Signed(os.environ[ID])
        channel = grpc.intercept_channel(grpc.insecure_channel(self._address, DIRECT), self._signed)
        self.stub = get_service_grpc().OracleStub(channel)
        threading.Thread(target=self._live, daemon=True).start()

    def create_trial(self, tuner_id: str) -> Any:
        """Ask what to try next."""
        return self._patiently(lambda: super(Client, self).create_trial(tuner_id))

    def end_trial(self, trial: Any) -> None:
        """Say that a trial is over."""
        self._patiently(lambda: super(Client, self).end_trial(trial))

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Call; where the chief is not there, say so and wait. A call may come to it twice."""
        self._signed.timeout, latest = AT_ONCE, time.monotonic() + PATIENCE
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                if error.code() not in ABSENT:
                    raise ResourceError(f"the chief has ended: {error.details()}") from error
                problem = error
            left = latest - time.monotonic()
            if left <= 0:
                raise ResourceError(
                    f"{self._address}: no chief for {PATIENCE / 60:.0f} minutes; when there is "
                    "one, start this again"
                ) from problem
            if self._signed.timeout == AT_ONCE:
                say(f"  waiting for the chief: {self._address} does not answer")
            self._signed.timeout = left
            time.sleep(min(left, SECONDS))

    def _live(self) -> None:
        """Give a sign of life every few seconds, as long as the process is there."""
        request = get_service().GetSpaceRequest()
        while True:
            time.sleep(SIGN)
            try:
                self.stub.GetSpace(request, timeout=SIGN)
            except grpc.RpcError:
                continue  # the chief is not there: whoever has something to tell it waits for it
