# refusing.py ERRNO CALL PROGRAM...: executes PROGRAM where the kernel refuses one command of bpf(2) with an error number; children inherit that.
import ctypes, os, platform, struct, sys

ERRNO, CALL = int(sys.argv[1]), int(sys.argv[2])
BPF = {'x86_64': 321, 'aarch64': 280}[platform.machine()]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
# struct seccomp_data: the number of the call at 0, its first argument at 16.
FILTER = [
    (LOAD_WORD, 0, 0, 0),
    (JUMP_EQUAL, 0, 3, BPF),
    (LOAD_WORD, 0, 0, 16),
    (JUMP_EQUAL, 0, 1, CALL),
    (RETURN, 0, 0, FAIL | ERRNO),
    (RETURN, 0, 0, ALLOW),
]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *one) for one in FILTER))
program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(FILTER), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) != 0:
    sys.exit(f'no filter: {os.strerror(ctypes.get_errno())}')
os.execvp(sys.argv[3], sys.argv[3:])
