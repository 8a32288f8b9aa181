"""A capability provider in Python: serves calls over links, follows the links, answers questions.

What a provider does, in the order of this file: a link is checked and acknowledged, a call is
answered by the store of its link, and whoever supervises this process is told that it is well.
docs/protocol.md describes every message.
"""

import asyncio
import base64
import hashlib
import json
import os
import signal
import sys

import msgpack
import nats
from nats.js.api import ObjectStoreConfig
from nats.js.errors import NotFoundError

BODY = 67_108_864  # bytes that a payload may have
HEAD = 8_192  # bytes of a message that are left for all but the payload
BODIES_LIVE_S = 600


class Refused(Exception):
    """What a call or a link is refused with: a code of docs/protocol.md and a text for people."""

    def __init__(self, code, message, started=False):
        super().__init__(message)
        self.error = {"code": code, "message": message, "started": started}


class Provider:
    """Serves one contract. `open_link(source, name, config)` returns an object with a method an
    operation; `source` is the key of the actor whose link `name` it is."""

    def __init__(self, name, contract, operations, open_link):
        self.name, self.contract, self.operations = name, contract, operations
        self.open_link = open_link
        self.links = {}  # (source, name) -> (revision, generation, opened or None, error or None)
        self.changed = asyncio.Condition()
        self.calls = 0

    # Links: watched in the registry, so that none is missed.

    async def follow(self, bucket):
        watcher = await bucket.watch("link.>")
        async for entry in watcher:
            if entry is None:  # all that there was has been told
                self.synced.set()
                continue
            _, source, contract, name = entry.key.split(".", 3)
            if contract.replace("/", ":") == self.contract:
                await self.take_in((source, name), entry)

    async def take_in(self, link, entry):
        async with self.changed:
            record = msgpack.unpackb(entry.value) if entry.value else None
            if record is None or record["target"] != self.key:
                self.links.pop(link, None)
            else:
                opened, error = self.links.get(link, (0, 0, None, None))[2], None
                try:
                    opened = self.open_link(*link, record.get("config", {}))
                except Refused as refused:  # what ran before goes on
                    error = refused.error
                self.links[link] = (entry.revision, record["generation"], opened, error)
            self.changed.notify_all()

    async def state(self, ask):
        """Waits until the link that is asked about was taken in, and says what became of it."""
        link = (ask["source"], ask["name"])
        if ask["contract"] != self.contract:
            text = f"{self.name} serves {self.contract}, not {ask['contract']}"
            return {"state": "refused", "node": self.node,
                    "error": Refused("bad_request", text).error}
        async with self.changed:
            await self.changed.wait_for(lambda: self.links.get(link, (0,))[0] >= ask["at"])
            _, generation, _, error = self.links[link]
        if error:
            return {"state": "refused", "node": self.node, "error": error}
        return {"state": "ready", "node": self.node, "generation": generation}

    # Calls.

    async def answer(self, message):
        reply = {"v": 1, "id": bytes(16), "node": self.node}
        try:
            call = unpack(message.data)
            reply["id"] = call["id"]
            if call["target"] != self.key:
                raise Refused("bad_request", "the subject is that of another target")
            reply.update(await self.packed(await self.run(call)))
        except Refused as refused:
            reply["err"] = refused.error
        except (KeyError, TypeError, ValueError) as error:
            reply["err"] = Refused("bad_request", f"the message is malformed: {error!r}").error
        except Exception as error:  # a fault of this program must not end it
            print(f"a call failed: {error!r}", file=sys.stderr, flush=True)
            reply["err"] = Refused("internal", "a fault of the provider", started=True).error
        if message.reply:
            await message.respond(msgpack.packb(reply))

    async def run(self, call):
        self.calls += 1
        if call["operation"] == "mesh:ping":
            return b""
        if call["operation"] not in self.operations:
            raise Refused("bad_request", f"{self.contract} has no operation {call['operation']!r}")
        link = (call.get("origin"), call.get("link") or "default")
        if self.links.get(link, (0, 0, None))[2] is None:
            raise Refused("no_link", f"no link {link[1]} of {link[0]} leads to {self.name}")
        payload = call.get("msg", b"")
        if call.get("body_ref"):
            payload = await self.fetch(call["body_ref"])
        request = unpack(payload) if payload not in (b"", b"\xc0") else {}
        if not isinstance(request, dict):
            raise Refused("bad_request", "a request is a map")
        opened = self.links[link][2]
        return msgpack.packb(getattr(opened, call["operation"])(request))

    # Payloads that are too large for one message travel through an object store.

    async def packed(self, answer):
        if len(answer) > BODY:
            raise Refused("too_large", f"the answer exceeds {BODY} bytes", started=True)
        if len(answer) + HEAD <= self.nats.max_payload:
            return {"ok": answer}
        name = os.urandom(16).hex()
        await (await self.bodies()).put(name, answer)
        digest = hashlib.sha256(answer).hexdigest()
        return {"body_ref": {"object": name, "digest": digest, "length": len(answer)}}

    async def bodies(self):
        bucket, stream = f"mesh_{self.lattice}_bodies", self.nats.jetstream()
        try:
            return await stream.object_store(bucket)
        except NotFoundError:
            return await stream.create_object_store(bucket, ObjectStoreConfig(ttl=BODIES_LIVE_S))

    async def fetch(self, reference):
        body = (await (await self.bodies()).get(reference["object"])).data
        if hashlib.sha256(body).hexdigest() != reference["digest"]:
            raise Refused("bad_request", "the payload is not what its reference says")
        return body

    # Questions of meshctl, and of the node that supervises this process.

    async def control(self, message):
        verb = message.subject.rsplit(".", 1)[1]
        if verb == "health":
            await message.respond(msgpack.packb({"node": self.node}))
        elif verb == "providers":
            opened = sum(1 for link in self.links.values() if link[2] is not None)
            running = {"key": self.key, "name": self.name, "contract": self.contract,
                       "links": opened, "calls": self.calls}
            await message.respond(msgpack.packb({"node": self.node, "running": [running]}))
        elif verb == "link":
            ask = unpack(message.data)
            if ask["target"] == self.key:
                await message.respond(msgpack.packb({"state": "working", "node": self.node}))
                asyncio.get_running_loop().create_task(self.tell_state(message, ask))

    async def tell_state(self, message, ask):
        try:
            state = await asyncio.wait_for(self.state(ask), 12)
            await message.respond(msgpack.packb(state))
        except asyncio.TimeoutError:
            pass  # whoever asks gives up too

    # The process.

    async def serve(self):
        self.lattice = os.environ.get("MESH_LATTICE", "default")
        self.key = os.environ.get("MESH_PROVIDER_KEY") or make_key("V")
        self.node = os.environ.get("MESH_NODE_KEY") or make_key("N")
        self.synced = asyncio.Event()
        self.nats = await nats.connect(
            os.environ.get("MESH_NATS", "nats://127.0.0.1:4222"), max_reconnect_attempts=-1)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if os.environ.get("MESH_EXIT_WITH_STDIN"):  # closed when the node that started this ends
            loop.run_in_executor(None, lambda: (sys.stdin.read(), loop.call_soon_threadsafe(stop.set)))
        try:
            bucket = await self.nats.jetstream().key_value(f"mesh_{self.lattice}")
        except NotFoundError:
            sys.exit(f"there is no lattice {self.lattice} yet: start a node first")
        following = loop.create_task(self.follow(bucket))
        await asyncio.wait_for(self.synced.wait(), 30)
        subject = f"mesh.{self.lattice}"
        calls = await self.nats.subscribe(f"{subject}.call.{self.key}", self.key, self.answer)
        await self.nats.subscribe(f"{subject}.ctl.all.*", cb=self.control)
        await self.nats.subscribe(f"{subject}.ctl.{self.node}.*", cb=self.control)
        print(f"{self.name} serves {self.contract} as {self.key}", flush=True)
        await stop.wait()
        following.cancel()
        await calls.drain()
        await self.nats.drain()
        # The thread that reads standard input would keep the process.
        os._exit(0)


def unpack(data):
    return msgpack.unpackb(data, raw=False)


def make_key(letter):
    """Makes a public key that nobody can sign with: it only names something."""
    body = bytes([(ord(letter) - ord("A")) << 3]) + os.urandom(32)
    crc = 0
    for byte in body:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return base64.b32encode(body + crc.to_bytes(2, "little")).decode()


def config():
    """Returns what the record of this provider says that it shall be told."""
    return json.loads(os.environ.get("MESH_PROVIDER_CONFIG", "{}"))
