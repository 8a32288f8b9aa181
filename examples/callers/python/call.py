"""Calls an actor of the mesh: call.py NATS-URL LATTICE TARGET-KEY OPERATION JSON"""

import asyncio
import json
import sys
import uuid

import msgpack
import nats


async def call(url, lattice, target, operation, payload):
    client = await nats.connect(url, allow_reconnect=False)
    try:
        invocation = {
            "v": 1,
            "id": uuid.uuid4().bytes,
            "target": target,
            "operation": operation,
            "msg": msgpack.packb(payload),
        }
        subject = f"mesh.{lattice}.call.{target}"
        answer = await client.request(subject, msgpack.packb(invocation), timeout=5)
        return msgpack.unpackb(answer.data)
    finally:
        await client.close()


async def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    *call_arguments, payload = sys.argv[1:]
    try:
        reply = await call(*call_arguments, json.loads(payload))
    except nats.errors.NoRespondersError:
        sys.exit("not_found: nothing serves this key on this lattice")
    except nats.errors.TimeoutError:
        sys.exit("deadline_exceeded: no answer within 5 s")
    if "err" in reply:
        sys.exit(f"{reply['err']['code']}: {reply['err']['message']}")
    print(json.dumps(msgpack.unpackb(reply["ok"])))


asyncio.run(main())
