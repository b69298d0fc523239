"""What the reader's process may no longer do, once it is ready to be shown a picture.

Landlock (landlock(7)) takes the files away, those of its own libraries excepted, and from newer
kernels on also TCP, signals to other processes and abstract sockets. A seccomp filter (seccomp(2))
takes sockets, programs, other processes and what else reaches out of this one. Both hold for good,
and need no rights to set up.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import struct
import sys
from collections.abc import Iterable

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
_C_LIBRARY = re.compile(r" (/.*)/libc[.-][^/]*$")  # a line of proc_pid_maps(5)
# Rights that a ruleset can take away, by the version that brought them.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NET_RIGHTS = {4: 0b11}  # binding and connecting TCP
_SCOPES = {6: 0b11}  # abstract sockets, signals

# <linux/audit.h>, and the calls refused: by name, their numbers on each architecture.
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_REFUSED = {
    # sockets, processes and programs, and what reaches into others
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "move_pages": (279, 239),
    "migrate_pages": (256, 238), "kill": (62, 129), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
    "sched_setaffinity": (203, 122), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274), "setpriority": (141, 140), "ioprio_set": (251, 30),
    # large interfaces of the kernel, keys, namespaces
    "io_uring_setup": (425, 425), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "unshare": (272, 97), "setns": (308, 268),
    # memory, messages and semaphores that are shared by number or name
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190),
    "semop": (65, 193), "semtimedop": (220, 192), "semctl": (66, 191),
    "mq_open": (240, 180), "mq_unlink": (241, 181),
    # modes, owners, times, attributes and sizes of files, for which Landlock has no word
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466), "file_setattr": (469, 469), "utime": (132, None),
    "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88), "truncate": (76, 45),
    "open_by_handle_at": (304, 265),
    # the machine, if the daemon runs as root
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "reboot": (169, 142), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
}  # fmt: skip
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_PRLIMIT = (302, 261)
_TGKILL = (234, 131)
_CLONE_THREAD = 0x10000
# Calls that came after Linux 6.17, and those of x86_64's other ABI, which have bit 30.
_LATER = 470

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
        libraries = {*sys.path, sys.prefix, sys.base_prefix, *_of_the_system()}
        for folder in filter(os.path.isdir, libraries):
            _allow_reading(ruleset, folder)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _of_the_system() -> list[str]:
    """The folder of the C library: that of C++, which libheif needs, is its neighbour."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:  # noqa: PTH123
            return list({found[1] for line in maps if (found := _C_LIBRARY.search(line))})
    except OSError:
        return []


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
    code = _filter(column, architecture)
    instructions = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)


def _filter(column: int, architecture: int) -> bytes:
    """The filter's program: the calls refused fail with EPERM, others go through but for a few.

    Of clone, threads are let through; of prlimit64, limits of the process itself, which pid 0 says;
    of tgkill, by which the C library aborts, the process itself. clone3, whose flags a filter
    cannot see, and calls that are not known here fail with ENOSYS as on an older kernel: the C
    library takes an older call instead.
    """
    refused = [number for row in _REFUSED.values() if (number := row[column]) is not None]
    return b"".join(
        [
            _step(_LOAD, _ARCHITECTURE),
            _step(_EQUAL, architecture, 1, 0),
            _step(_RETURN, _KILL),
            _step(_LOAD, _NUMBER),
            *_each(_AT_LEAST, [_LATER], _ERRNO | errno.ENOSYS),
            *_each(_EQUAL, refused, _ERRNO | errno.EPERM),
            *_each(_EQUAL, [_CLONE3[column]], _ERRNO | errno.ENOSYS),
            *_if_first_argument(_CLONE[column], _ANY_BIT, _CLONE_THREAD),
            *_if_first_argument(_PRLIMIT[column], _EQUAL, 0),
            *_if_first_argument(_TGKILL[column], _EQUAL, os.getpid()),
            _step(_RETURN, _ALLOW),
        ]
    )


def _if_first_argument(number: int, test: int, value: int) -> Iterable[bytes]:
    """Let this call through only if the low half of its first argument passes a test."""
    yield _step(_EQUAL, number, 0, 4)
    yield _step(_LOAD, _FIRST_ARGUMENT)
    yield from _each(test, [value], _ALLOW)
    yield _step(_RETURN, _ERRNO | errno.EPERM)


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
