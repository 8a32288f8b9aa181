"""Calls an actor with nothing but a NATS client: every byte of the call is written by hand.

call.py NATS-URL LATTICE TARGET-KEY OPERATION TEXT

TEXT is sent as it is, and the answer is printed as it is: for operations that take bytes. The
numbers are msgpack's (https://msgpack.org): a call needs a map, short texts, and bytes.
"""

import asyncio
import os
import struct
import sys

import nats


def text(value):
    """A text of up to 255 bytes: str 8."""
    value = value.encode()
    return b"\xd9" + struct.pack(">B", len(value)) + value


def binary(value):
    """Bytes: bin 32."""
    return b"\xc6" + struct.pack(">I", len(value)) + value


def invocation(target, operation, payload):
    """A map of four fields, which are all that a call must have."""
    return (
        b"\x84"
        + text("id") + binary(os.urandom(16))
        + text("target") + text(target)
        + text("operation") + text(operation)
        + text("msg") + binary(payload)
    )


# How a number is laid out, and how many bytes of length lead texts, bytes, arrays and maps.
NUMBERS = {0xCA: "f", 0xCB: "d", 0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q",
           0xD0: "b", 0xD1: "h", 0xD2: "i", 0xD3: "q"}
LENGTHS = {0xC4: "B", 0xC5: "H", 0xC6: "I", 0xD9: "B", 0xDA: "H", 0xDB: "I",
           0xDC: "H", 0xDD: "I", 0xDE: "H", 0xDF: "I"}


def read(data, at=0):
    """Reads the value at `at`; returns it and where the next one starts."""
    def unpack(layout):
        return struct.unpack_from(">" + layout, data, at)[0], at + struct.calcsize(layout)

    kind, at = data[at], at + 1
    if kind <= 0x7F or kind >= 0xE0:
        return (kind if kind <= 0x7F else kind - 0x100), at
    if kind in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[kind], at
    if kind in NUMBERS:
        return unpack(NUMBERS[kind])
    if kind in LENGTHS:
        length, at = unpack(LENGTHS[kind])
    elif kind <= 0xBF:
        length = kind & (0x1F if kind >= 0xA0 else 0x0F)
    else:
        raise ValueError(f"byte {kind:#x} is not read here")
    if 0x80 <= kind <= 0x8F or kind in (0xDE, 0xDF):
        result = {}
        for _ in range(length):
            key, at = read(data, at)
            result[key], at = read(data, at)
        return result, at
    if 0x90 <= kind <= 0x9F or kind in (0xDC, 0xDD):
        result = []
        for _ in range(length):
            value, at = read(data, at)
            result.append(value)
        return result, at
    value = data[at : at + length]
    is_text = 0xA0 <= kind <= 0xBF or kind in (0xD9, 0xDA, 0xDB)
    return (value.decode() if is_text else value), at + length


async def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    url, lattice, target, operation, payload = sys.argv[1:]
    client = await nats.connect(url, allow_reconnect=False)
    try:
        call = invocation(target, operation, payload.encode())
        answer = await client.request(f"mesh.{lattice}.call.{target}", call, timeout=5)
    except nats.errors.NoRespondersError:
        sys.exit("not_found: nothing serves this key on this lattice")
    except nats.errors.TimeoutError:
        sys.exit("deadline_exceeded: no answer within 5 s")
    finally:
        await client.close()
    reply, _ = read(answer.data)
    if "err" in reply:
        sys.exit(f"{reply['err']['code']}: {reply['err']['message']}")
    sys.stdout.buffer.write(reply["ok"])


asyncio.run(main())
