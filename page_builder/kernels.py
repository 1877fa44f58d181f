"""Processes that are forked from one that has already done the slow imports.

Starting Python and importing PyTorch takes more than two seconds, longer than most labs compute. A
kernel that is forked from a process that has only imported modules starts in the same state as a
fresh one, but at once.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

_NAME = "cnnref-forked"
# Not the package itself, which may be edited while the site is served. PyTorch imports its compiler
# when an optimizer is first used. Here, matplotlib may complain that it makes its list of fonts.
_IMPORTED = [
    *("ipykernel.kernelapp", "nbclient", "numpy", "scipy.ndimage", "skimage.data"),
    *("matplotlib.pyplot", "torch", "torch._dynamo"),
]


def context() -> BaseContext:
    """Return how processes are started: forked where the system can, otherwise from scratch."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(_IMPORTED)
    return forking


def fork_kernels() -> None:
    """Let jupyter_client fork the kernels it starts, where the system can."""
    if context().get_start_method() == "forkserver":
        factory = KernelProvisionerFactory.instance()
        factory.provisioners[_NAME] = EntryPoint(_NAME, f"{__name__}:Forked", factory.GROUP_NAME)
        factory.default_provisioner_name = _NAME


class Forked(LocalProvisioner):
    """Forks a kernel; everything else is as for other local kernels."""

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
    """A process of multiprocessing, with the methods of `subprocess.Popen` that are called."""

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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)  # `kill` and `terminate`


def _be_kernel(options: list[str], env: Mapping[str, str], folder: str) -> None:
    import matplotlib
    import numpy as np
    from ipykernel.kernelapp import launch_new_instance

    # NumPy draws its seed when it is imported, but each kernel needs a seed of its own.
    np.random.seed()  # noqa: NPY002
    os.environ.clear()
    os.environ.update(env)
    # It was read from the environment when matplotlib was imported.
    matplotlib.rcParams["backend"] = env["MPLBACKEND"]
    os.chdir(folder)
    # The kernel ends together with the process that it was forked from.
    launch_new_instance([*options, f"--IPKernelApp.parent_handle={os.getppid()}"])
