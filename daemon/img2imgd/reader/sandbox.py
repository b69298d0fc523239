"""What the reader's process may no longer do, once it is ready to be shown a picture.

Landlock (landlock(7)) takes the files away, those of its own libraries excepted, and from newer
kernels on also TCP, signals to other processes and abstract sockets. A seccomp filter (seccomp(2))
takes sockets, new processes and programs away. Both hold for good, and need no rights to set up.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

# prctl(2)
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_PR_SET_NO_NEW_PRIVS = 38

# <linux/landlock.h>; the numbers of the calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights that a ruleset can take away, by the version that brought them.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NET_RIGHTS = {4: 0b11}  # binding and connecting TCP
_SCOPES = {6: 0b11}  # abstract sockets, signals

# <linux/audit.h>, and the calls refused: by name, their numbers on each architecture.
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_REFUSED = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425), "bpf": (321, 280), "keyctl": (250, 219),
    "unshare": (272, 97),
}  # fmt: skip
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_CLONE_THREAD = 0x10000
_X32 = 0x40000000  # calls of x86_64's other ABI have this bit; nothing here makes them

# <linux/bpf_common.h>, <linux/seccomp.h>
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def enter() -> list[str]:
    """Give up files, network and new processes; returns what this kernel cannot take away."""
    try:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0)
    except OSError:
        return ["Landlock", "seccomp"]
    missing: list[str] = []
    for name, take in (("Landlock", _take_files), ("seccomp", _take_calls)):
        try:
            take()
        except OSError:
            missing.append(name)
    return missing


def _take_files() -> None:
    """Allow reading the libraries alone; descriptors that are open already stay usable."""
    version = _call(_CREATE_RULESET, None, 0, _VERSION)
    rights = [
        sum(bits for since, bits in kind.items() if since <= version)
        for kind in (_FILE_RIGHTS, _NET_RIGHTS, _SCOPES)
    ]
    known = struct.pack("3Q", *rights)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _call(_CREATE_RULESET, known, len(known), 0)
    try:
        for folder in filter(os.path.isdir, {*sys.path, sys.prefix, sys.base_prefix}):
            _allow_reading(ruleset, folder)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_reading(ruleset: int, folder: str) -> None:
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", _READ_FILE | _READ_DIR, descriptor)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)


def _take_calls() -> None:
    if platform.machine() not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    column, architecture = _ARCHITECTURES[platform.machine()]
    refused = [number for row in _REFUSED.values() if (number := row[column]) is not None]
    code = _filter(architecture, refused, _CLONE[column], _CLONE3[column])
    instructions = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)


def _filter(architecture: int, refused: Sequence[int], clone: int, clone3: int) -> bytes:
    """The filter's program: these calls fail with EPERM, all others but new processes go through.

    A clone that is a thread is let through. Of clone3, whose flags a filter cannot see, the kernel
    seems not to know, so that the C library takes clone instead.
    """
    return b"".join(
        [
            _step(_LOAD, _ARCHITECTURE),
            _step(_EQUAL, architecture, 1, 0),
            _step(_RETURN, _KILL),
            _step(_LOAD, _NUMBER),
            *_each(_AT_LEAST, [_X32], _ERRNO | errno.EPERM),
            *_each(_EQUAL, refused, _ERRNO | errno.EPERM),
            *_each(_EQUAL, [clone3], _ERRNO | errno.ENOSYS),
            _step(_EQUAL, clone, 1, 0),
            _step(_RETURN, _ALLOW),
            _step(_LOAD, _FIRST_ARGUMENT),
            *_each(_ANY_BIT, [_CLONE_THREAD], _ALLOW),
            _step(_RETURN, _ERRNO | errno.EPERM),
        ]
    )


def _each(test: int, values: Iterable[int], answer: int) -> Iterable[bytes]:
    for value in values:
        yield _step(test, value, 0, 1)
        yield _step(_RETURN, answer)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One ``struct sock_filter``; the jumps count the steps that are left out."""
    return struct.pack("HBBI", code, if_true, if_false, value)


def _prctl(option: int, value: int, pointer: bytes | int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), pointer, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _call(number: int, *arguments: int | bytes | None) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
