"""Processes that are forked from one in which the slow imports are done.

Starting Python and importing PyTorch takes longer than most labs compute. A kernel forked from a
process that has done nothing but import starts in the same state as a fresh one, but at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

_NAME = "cnnref-forked"
# Not the package itself, which may be edited while the site is served, and not matplotlib, which
# reads its back end from the environment when it is imported.
_IMPORTED = ["ipykernel.kernelapp", "nbclient", "numpy", "scipy.ndimage", "skimage.data", "torch"]


def _can_fork() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()


def context() -> BaseContext:
    """Return how processes are started: forked where the system can, otherwise from scratch."""
    if not _can_fork():
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(_IMPORTED)
    return forking


def fork_kernels() -> None:
    """Let jupyter_client fork the kernels it starts, where the system can."""
    if _can_fork():
        factory = KernelProvisionerFactory.instance()
        factory.provisioners[_NAME] = EntryPoint(_NAME, f"{__name__}:Forked", factory.GROUP_NAME)
        factory.default_provisioner_name = _NAME


class Forked(LocalProvisioner):
    """Forks a kernel, and leaves everything else to the provisioner of local kernels."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel that `cmd` would start: `python -m ipykernel_launcher`, then options."""
        options = cmd[cmd.index("ipykernel_launcher") + 1 :]
        child = context().Process(  # type: ignore[attr-defined]
            target=_be_kernel, args=(options, dict(kwargs["env"]), kwargs["cwd"])
        )
        child.start()
        self.process = _AsPopen(child)  # type: ignore[assignment]
        self.pid = child.pid
        return self.connection_info


class _AsPopen:
    """A process of multiprocessing with the methods of `subprocess.Popen` the provisioner needs."""

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()


def _be_kernel(options: list[str], env: Mapping[str, str], folder: str) -> None:
    import numpy as np
    from ipykernel.kernelapp import launch_new_instance

    # NumPy draws its seed when it is imported. Every kernel needs its own, as a fresh one has.
    np.random.seed()  # noqa: NPY002
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    # The kernel ends when the process it was forked from is gone.
    launch_new_instance([*options, f"--IPKernelApp.parent_handle={os.getppid()}"])
