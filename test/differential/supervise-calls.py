"""Table calls of ip_tables with whatever may be wrong with them, one line for each: what it was, and the error number.

Argument: seconds to wait before each call that changes, for programs to have taken over.
"""
import ctypes, errno, mmap, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
WAIT = float(sys.argv[1])
SOL, GET_INFO, GET_ENTRIES, REPLACE, ADD = 0, 64, 65, 64, 65
PAGE = mmap.PAGESIZE
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

# Two pages, of which the second cannot be touched.
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
area = libc.mmap(None, 2 * PAGE, 3, 0x22, -1, 0)
assert libc.mprotect(ctypes.c_void_p(area + PAGE), ctypes.c_size_t(PAGE), 0) == 0


def place(data, readable=None):
    """The address of these bytes; of so many readable ones, the last of which is the last of the page."""
    if readable is None:
        buffer = ctypes.create_string_buffer(data, max(len(data), 1))
        keep.append(buffer)
        return ctypes.addressof(buffer)
    ctypes.memmove(area + PAGE - readable, data[:readable], readable)
    return area + PAGE - readable


keep = []


def said(name, result):
    print(name, "ok" if result == 0 else errno.errorcode[ctypes.get_errno()], flush=True)
    keep.clear()


def get(name, option, address, length, sock=sock, level=SOL, length_at=None):
    count = ctypes.c_int(length)
    at = ctypes.addressof(count) if length_at is None else length_at
    said(name, libc.getsockopt(sock.fileno(), level, option, ctypes.c_void_p(address), ctypes.c_void_p(at)))
    if length_at is None and count.value != length:
        print(name, "length", count.value)


def put(name, option, address, length, sock=sock, level=SOL):
    if WAIT > 0:
        time.sleep(WAIT)
    said(name, libc.setsockopt(sock.fileno(), level, option, ctypes.c_void_p(address), length))


def named(name, size):
    return name.ljust(32, b"\0")[:32] + b"\0" * (size - 32)


buffer = ctypes.create_string_buffer(named(b"filter", 84), 84)
count = ctypes.c_int(84)
assert libc.getsockopt(sock.fileno(), SOL, GET_INFO, buffer, ctypes.byref(count)) == 0
info = buffer.raw
hooks = info[32:76]
number, size = struct.unpack("<II", info[76:84])
print("table", hooks.hex(), number, size)


def entries():
    buffer = ctypes.create_string_buffer(named(b"filter", 32) + struct.pack("<I", size) + b"\0" * (4 + size), 40 + size)
    count = ctypes.c_int(40 + size)
    assert libc.getsockopt(sock.fileno(), SOL, GET_ENTRIES, buffer, ctypes.byref(count)) == 0
    return buffer.raw[40:]


blob = entries()

# What reads.
for name in (b"filter", b"nothing", b"", b"filter" + b"x" * 26, b"x" * 32, b"filter\0more", b"FILTER", b"\xff\xfe"):
    get(f"info {name!r}", GET_INFO, place(named(name, 84)), 84)
    get(f"entries {name!r}", GET_ENTRIES, place(named(name, 32) + struct.pack("<I", size) + b"\0" * (4 + size)), 40 + size)
for length in (-1, 0, 1, 6, 31, 32, 40, 83, 85, 96, 200, -2147483648, 2147483647):
    get(f"info of {length}", GET_INFO, place(named(b"filter", 400)), length)
    get(f"info of {length}, nothing there", GET_INFO, 0, length)
    get(f"entries of {length}", GET_ENTRIES, place(named(b"filter", 400)), length)
    get(f"entries of {length}, nothing there", GET_ENTRIES, 0, length)
for length in (0, 84, 40 + size):
    get(f"info of {length} at 1", GET_INFO, 1, length)
    get(f"entries of {length} at 1", GET_ENTRIES, 1, length)
for readable in (0, 6, 31, 32, 40, 83, 84):
    get(f"info, {readable} readable", GET_INFO, place(named(b"filter", 84), readable), 84)
for at in (0, 1, area + PAGE):
    get(f"info, length at {at if at < 2 else 'the page'}", GET_INFO, place(named(b"filter", 84)), 84, length_at=at)
    get(f"entries, length at {at if at < 2 else 'the page'}", GET_ENTRIES, place(named(b"filter", 84)), 84, length_at=at)
for wrong in (0, 1, size - 8, size + 8, size + 152, 4294967295, 4294967256):
    head = named(b"filter", 32) + struct.pack("<II", wrong, 0)
    get(f"entries of size {wrong}", GET_ENTRIES, place(head + b"\0" * (size + 200)), 40 + size)
    if wrong < 100000:
        get(f"entries of size {wrong} and so long", GET_ENTRIES, place(head + b"\0" * wrong), 40 + wrong)
        get(f"entries of size {wrong}, header readable", GET_ENTRIES, place(head, 40), 40 + wrong)
        get(f"entries of size {wrong}, less readable", GET_ENTRIES, place(head, 39), 40 + wrong)
right = named(b"filter", 32) + struct.pack("<II", size, 0)
for readable in (0, 39, 40, 60, 95, 96):
    get(f"entries, {readable} readable", GET_ENTRIES, place((right + b"\0" * 96)[:readable], readable), 40 + size)
for option in (0, 63, 66, 67, 68, 90):
    get(f"option {option}", option, place(named(b"filter", 84)), 84)

# Sockets of other kinds.
others = {
    "udp": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "tcp6": socket.socket(socket.AF_INET6, socket.SOCK_STREAM),
    "unix": socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "netlink": socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
}
for name, other in others.items():
    for level in (0, 41, 6, 255):
        get(f"info by {name} at {level}", GET_INFO, place(named(b"filter", 84)), 84, sock=other, level=level)
file = open("/dev/null", "rb")
get("info by a file", GET_INFO, place(named(b"filter", 84)), 84, sock=file)


class Closed:
    fileno = staticmethod(lambda: 999)


get("info by nothing", GET_INFO, place(named(b"filter", 84)), 84, sock=Closed)


def counters(count, name=b"filter", pairs=None):
    pairs = count if pairs is None else pairs
    return named(name, 32) + struct.pack("<II", count, 0) + struct.pack("<QQ", 1, 10) * pairs


# Counters that are added.
length = 40 + 16 * number
quick, WAIT = WAIT, 0
for wrong in (-1, 0, 1, 31, 39, 40, 41, 55, length - 16, length - 1, length + 1, length + 16, -2147483648):
    put(f"counters of {wrong}", ADD, place(counters(number, pairs=number + 2)), wrong)
    put(f"counters of {wrong}, nothing there", ADD, 0, wrong)
for count in (0, 1, number - 1, number + 1, 4294967295):
    put(f"{count} counters", ADD, place(counters(count, pairs=number + 1)), length)
    put(f"{count} counters, header readable", ADD, place(counters(count, pairs=0), 40), length)
    if count < 100000:
        put(f"{count} counters and so long", ADD, place(counters(count)), 40 + 16 * count)
        put(f"{count} counters and so long, header readable", ADD, place(counters(count), 40), 40 + 16 * count)
for readable in (0, 32, 39, 40, 41, length - 1):
    put(f"counters, {readable} readable", ADD, place(counters(number), readable), length)
for name in (b"nothing", b"", b"filter" + b"x" * 26):
    put(f"counters of {name!r}", ADD, place(counters(number, name)), length)
put("counters", ADD, place(counters(number)), length)
for option in (63, 66, 67):
    put(f"option {option} set", option, place(counters(number)), length)
# The last entry ends the table: nothing counts there, and what is added to it we forget.
print("entries", entries()[:-176].hex())
WAIT = quick


def replace(name=b"filter", valid=None, num_entries=None, bytes_=None, size_=None, num_counters=None, old=None):
    data = blob if bytes_ is None else bytes_
    valid = struct.unpack("<I", hooks[:4])[0] if valid is None else valid
    area_ = place(b"\0" * 16 * number) if old is None else old
    head = named(name, 32) + struct.pack("<III", valid, number if num_entries is None else num_entries, len(data) if size_ is None else size_)
    head += hooks[4:] + struct.pack("<IQ", number if num_counters is None else num_counters, area_)
    assert len(head) == 96
    return head + data


whole = len(replace())
# A rule more at the beginning: the first one again, hooks and policies behind it.
step = struct.unpack("<H", blob[90:92])[0]
longer = blob[:step] + blob
moved = list(struct.unpack("<10I", hooks[4:]))


def with_rule(broken=None, **rest):
    data = bytearray(longer)
    data[12:16] = b"\xff\xff\xff\xff"
    data[0:4] = b"\x0a\x02\x02\x02"
    data[8:12] = b"\xff\xff\xff\xff"
    if broken is not None:
        data[broken[0]] = broken[1]
    made = bytearray(replace(bytes_=bytes(data), num_entries=number + 1, **rest))
    # INPUT begins where it began, and all else comes later.
    at = [where + step if where < size and index != 1 else where for index, where in enumerate(moved)]
    made[44:84] = struct.pack("<10I", *at)
    return bytes(made)


for wrong in (-1, 0, 95, 96, whole - 1):
    put(f"replace of {wrong}", REPLACE, place(replace()), wrong)
    put(f"replace of {wrong}, nothing there", REPLACE, 0, wrong)
for readable in (0, 31, 32, 40, 95, 96, 97, whole - 1):
    put(f"replace, {readable} readable", REPLACE, place(replace(), readable), whole)
put("replace, header readable, no counters", REPLACE, place(replace(num_counters=0), 96), whole)
put("replace, more bytes than it has, unreadable", REPLACE, place(replace(), whole), whole + 64)
for count in (0, 1, number - 1, number + 1, 0x7FFFFFF, 0x8000000, 4294967295):
    put(f"replace with {count} counters", REPLACE, place(replace(num_counters=count)), whole)
    put(f"a rule more with {count} counters", REPLACE, place(with_rule(num_counters=count)), whole + step)
    put(f"a wrong rule more with {count} counters", REPLACE, place(with_rule((82, 4), num_counters=count)), whole + step)
for change in ({"size_": size - 8}, {"size_": size + 8}, {"size_": 0}, {"size_": 4294967295}, {"num_entries": number - 1},
               {"num_entries": number + 1}, {"valid": 2}, {"valid": 0}, {"valid": 31}, {"name": b"nothing"}, {"name": b""},
               {"name": b"mangle"}):
    put(f"replace with {change}", REPLACE, place(replace(**change)), whole)
for broken in ((82, 4), (83, 128), (88, 9), (90, 9), (90, 0), (step - 40 + 2, 120), (step - 8, 7)):
    put(f"a rule more with {broken}", REPLACE, place(with_rule(broken)), whole + step)
put("replace, counters nowhere", REPLACE, place(replace(old=0)), whole)
put("a rule more, counters unreadable", REPLACE, place(with_rule(old=area + PAGE)), whole + step)
