"""Read the files of weights in pip packages: found without an import, checked, then parsed.

A pickle is a program. So a file is read only if its SHA-256 is the expected one, and even then by a
reader that can make arrays of numbers and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cnnref._types import Array

__all__ = ["load_arrays", "read_checked"]


def read_checked(package: str, file: str, sha256: str) -> bytes:
    """Return the content of a file in an installed package, if it is the expected one.

    The package is located, not imported: none of its code runs.

    Args:
        package: Import name of the package.
        file: Path of the file inside it.
        sha256: The 64 hexadecimal digits its content must have.

    Raises:
        ModuleNotFoundError: If the package is not installed.
        FileNotFoundError: If the package contains no such file.
        ValueError: If the content is not the expected one.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"the package `{package}`, which contains {Path(file).name}, is not installed: "
            "pip install 'cnnref[nn]'",
            name=package,
        )
    path = Path(spec.submodule_search_locations[0], file)
    if not path.is_file():
        raise FileNotFoundError(
            f"the package `{package}` is installed without {file}, so it may be another version: "
            "pip install --force-reinstall 'cnnref[nn]'"
        )
    # Read once, so that what is hashed is what is parsed, whatever happens to the file.
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} has sha256 {found}; it must be {sha256}. The file was altered, or is from "
            "another version: pip install --force-reinstall 'cnnref[nn]'"
        )
    return content


def load_arrays(content: bytes) -> Any:
    """Unpickle containers of NumPy arrays of numbers, and nothing else.

    The arrays are built from bytes in the pickle, so they take no more memory than it does.

    Raises:
        pickle.UnpicklingError: If the pickle asks for anything else.

    Examples:
        >>> import numpy as np
        >>> load_arrays(pickle.dumps({"bias": np.zeros(2)}))
        {'bias': array([0., 0.])}
        >>> load_arrays(pickle.dumps(print))
        Traceback (most recent call last):
        ...
        _pickle.UnpicklingError: the pickle asks for builtins.print; only arrays are read
    """
    try:
        # This also refuses bytes that are longer than the pickle, before there is memory for them.
        argument: Any
        for opcode, argument, _ in pickletools.genops(content):
            # The unpickler allocates a table up to the largest number under which it stores.
            if opcode.name in ("PUT", "LONG_BINPUT") and not 0 <= argument < len(content):
                raise ValueError(f"{opcode.name} {argument} is out of range")
    except ValueError as error:
        raise pickle.UnpicklingError(f"the pickle is damaged: {error}") from error
    return _converted(_ArrayUnpickler(io.BytesIO(content)).load(), {})


class _Dtype:
    """Stands for `numpy.dtype` while a pickle is read: a type of numbers, in some byte order."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[biufc]\d{1,2}", code):
            raise pickle.UnpicklingError(
                f"the pickle has the dtype {code!r}; only numbers are read"
            )
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, order, *parts = state
        if (version, *parts) != (3, None, None, None, -1, -1, 0):
            raise pickle.UnpicklingError("the pickle has a structured dtype; only numbers are read")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for `numpy.ndarray`, and for the call that makes an empty one to be filled."""

    array: Array | None = None

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, content = state
        self._read(content, dtype, shape, "F" if is_fortran else "C")

    def _read(self, content: object, dtype: object, shape: Any, order: Any) -> None:
        if not isinstance(content, (bytes, bytearray)) or not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError(
                "the pickle has an array of objects; only numbers are read"
            )
        # A copy, since an array over bytes cannot be written to.
        self.array = np.frombuffer(content, dtype.dtype).reshape(shape, order=order).copy("K")


class _BufferedArray(_Array):
    """Stands for the call that makes an array from a buffer, as in protocol 5."""

    def __init__(self, content: object, dtype: object, shape: Any, order: Any) -> None:
        self._read(content, dtype, shape, order)


class _ArrayUnpickler(pickle.Unpickler):
    """A reader that knows the names that rebuild an array and replaces each of them."""

    # NumPy 2 writes `numpy._core`, NumPy 1 wrote `numpy.core`.
    _admitted: ClassVar = {
        ("numpy", "dtype"): _Dtype,
        ("numpy", "ndarray"): _Array,
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy.core.numeric", "_frombuffer"): _BufferedArray,
        ("numpy._core.numeric", "_frombuffer"): _BufferedArray,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for one of these names; refuse anything else without importing it."""
        if (module, name) not in self._admitted:
            raise pickle.UnpicklingError(
                f"the pickle asks for {module}.{name}; only arrays are read"
            )
        return self._admitted[module, name]


def _converted(value: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    """Replace stand-ins by their arrays in nested containers; what is shared stays shared.

    Args:
        value: What was unpickled.
        done: By its identity, what was converted before and to what.
    """
    if id(value) in done:
        return done[id(value)][1]
    result = value
    if isinstance(value, (_Array, _Dtype, type)):
        result = getattr(value, "array", None)
        if result is None:
            raise pickle.UnpicklingError("the pickle has an array without content")
    done[id(value)] = value, result
    if isinstance(value, dict):
        for key in value:
            value[key] = _converted(value[key], done)
    elif isinstance(value, list):
        value[:] = [_converted(item, done) for item in value]
    elif isinstance(value, tuple):
        result = tuple(_converted(item, done) for item in value)
        done[id(value)] = value, result
    return result
