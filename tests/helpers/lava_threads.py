"""Lava's processes as threads of one process, with channels that are queues.

Lava forks an operating-system process for every process of a network, and every port has a thread
that passes messages between semaphores, 0.3 ms a message. `use_threads` replaces how messages
travel and nothing else: compiler, process models, synchronisation and schedule are Lava's own.
Tests of many networks use it; others run bundles in Lava's own processes.
"""

import os
import threading
import traceback
from collections import deque
from typing import Any

import lava.magma.compiler.channels.pypychannel as channels
import lava.magma.compiler.compiler_graphs as graphs
import lava.magma.runtime.message_infrastructure.multiprocessing as infrastructure
import numpy as np


def use_threads() -> None:
    """From now on Lava starts threads and passes messages through queues."""
    infrastructure.SystemProcess = Actor
    infrastructure.SharedMemoryManager = NoMemory
    infrastructure.PyPyChannel = QueueChannel


def search_once_a_class(*classes: Any) -> None:
    """Lava runs every file beside a process's class to find its models, for each process anew.

    Args:
        classes: those whose models are looked for now, before any process forks.
    """
    compiler = graphs.ProcGroupDiGraphs
    search, found = compiler._find_proc_models, {}

    def once(proc: Any) -> Any:
        if type(proc) not in found:
            found[type(proc)] = search(proc)
        return found[type(proc)]

    compiler._find_proc_models = staticmethod(once)
    for each in classes:
        once(object.__new__(each))  # it asks for nothing but the class


class Actor(threading.Thread):
    """Stands for Lava's `SystemProcess`."""

    def __init__(self, target: Any, args: Any, kwargs: Any) -> None:
        super().__init__(target=target, args=args, kwargs=kwargs, daemon=True)
        self.exception: tuple[Exception, str] | None = None
        self._parent_pid = os.getpid()

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:
            self.exception = (error, traceback.format_exc())


class NoMemory:
    """Stands for Lava's manager of shared memory: threads need none."""

    def start(self) -> None:
        pass

    def shutdown(self) -> None:
        pass


class Messages:
    """What is on its way in one channel.

    Attributes:
        shape, dtype: of every message.
        size: how many may wait.
        waiting: the messages, oldest first.
        changed: notified when one comes or goes.
        sender, receiver: the ports, whose observers hear when it is no longer full, or empty.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, size: int) -> None:
        self.shape, self.size = shape, size
        self.dtype = np.int32 if dtype == 4 else dtype  # Lava's own number for it
        self.waiting: deque[np.ndarray] = deque()
        self.changed = threading.Condition()
        self.sender: QueueSendPort | None = None
        self.receiver: QueueRecvPort | None = None


class _Port:
    """What the two ends share; Lava's ports, whose properties read these names, follow it."""

    def __init__(self, name: str, messages: Messages) -> None:
        self._name, self._shape, self._dtype = name, messages.shape, messages.dtype
        self._size, self._messages = messages.size, messages
        self.observer: Any = None

    def start(self) -> None:
        pass

    def join(self) -> None:
        pass


class QueueSendPort(_Port, channels.CspSendPort):
    """The end into which messages go."""

    def probe(self) -> bool:
        return len(self._messages.waiting) < self.size

    def send(self, data: Any) -> None:
        if data.shape != self.shape:
            raise AssertionError(f"{data.shape=} {self.shape=} Mismatch")
        if isinstance(data, channels.csr_matrix):
            data = channels.find(data, explicit_zeros=True)[2]
        sent = np.empty(self.shape, self._dtype)
        sent[:] = data[:]
        messages = self._messages
        with messages.changed:
            while not self.probe():
                messages.changed.wait()
            messages.waiting.append(sent)
            first = len(messages.waiting) == 1
            messages.changed.notify_all()
        _tell(messages.receiver, first)


class QueueRecvPort(_Port, channels.CspRecvPort):
    """The end from which messages come."""

    def probe(self) -> bool:
        return len(self._messages.waiting) > 0

    def peek(self) -> np.ndarray:
        messages = self._messages
        with messages.changed:
            while not self.probe():
                messages.changed.wait()
            return messages.waiting[0].copy()

    def recv(self) -> np.ndarray:
        messages = self._messages
        with messages.changed:
            while not self.probe():
                messages.changed.wait()
            received = messages.waiting.popleft()
            was_full = len(messages.waiting) == self.size - 1
            messages.changed.notify_all()
        _tell(messages.sender, was_full)
        return received


def _tell(port: _Port | None, changed: bool) -> None:
    """Calls a port's observer; outside of the lock, as it takes another that may be held."""
    observer = None if port is None else port.observer
    if changed and observer is not None:
        observer()


class QueueChannel(channels.Channel):
    """Stands for Lava's `PyPyChannel`, whose arguments it takes."""

    def __init__(
        self,
        _infrastructure: Any,
        source: str,
        sink: str,
        shape: tuple[int, ...],
        dtype: Any,
        size: int,
        *_watchdogs: Any,
    ) -> None:
        messages = Messages(shape, dtype, size)
        messages.sender = self._sender = QueueSendPort(source, messages)
        messages.receiver = self._receiver = QueueRecvPort(sink, messages)

    @property
    def src_port(self) -> QueueSendPort:
        return self._sender

    @property
    def dst_port(self) -> QueueRecvPort:
        return self._receiver
