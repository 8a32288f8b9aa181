// Calls an actor of the mesh: node call.mjs NATS-URL LATTICE TARGET-KEY OPERATION JSON

import { randomUUID } from "node:crypto";
import { decode, encode } from "@msgpack/msgpack";
import { connect, ErrorCode } from "nats";

async function call(url, lattice, target, operation, payload) {
  const client = await connect({ servers: url, reconnect: false });
  try {
    const invocation = {
      v: 1,
      id: Buffer.from(randomUUID().replaceAll("-", ""), "hex"),
      target,
      operation,
      msg: encode(payload),
    };
    const subject = `mesh.${lattice}.call.${target}`;
    const answer = await client.request(subject, encode(invocation), { timeout: 5000 });
    return decode(answer.data);
  } finally {
    await client.close();
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

const words = process.argv.slice(2);
if (words.length !== 5) fail("usage: call.mjs NATS-URL LATTICE TARGET-KEY OPERATION JSON");

try {
  const reply = await call(...words.slice(0, 4), JSON.parse(words[4]));
  if (reply.err) fail(`${reply.err.code}: ${reply.err.message}`);
  console.log(JSON.stringify(decode(reply.ok)));
} catch (error) {
  if (error.code === ErrorCode.NoResponders) {
    fail("not_found: nothing serves this key on this lattice");
  }
  if (error.code === ErrorCode.Timeout) fail("deadline_exceeded: no answer within 5 s");
  throw error;
}
