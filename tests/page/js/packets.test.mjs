import assert from "node:assert/strict";
import { test } from "node:test";

import { AUDIO_OUT, HEADER_BYTES, PacketError, packInput, unpack } from "../../../static/js/packets.js";

/** A downlink packet built byte by byte from docs/protocol.md. */
function downlink({ version = 1, kind = 2, payload = [1, 0, 255, 127] } = {}) {
  return new Uint8Array([
    version, kind, 0, 0,
    7, 0, 0, 0,
    0, 0, 0, 0, 1, 0, 0, 0,
    3, 0, 0, 0,
    2, 1, 0, 0,
    ...payload,
  ]).buffer;
}

test("an uplink packet carries header and samples where the protocol says", () => {
  const bytes = new Uint8Array(packInput({ sequence: 258, position: 2 ** 33 + 5, pcm: Int16Array.of(-1, 256) }));
  assert.deepEqual([...bytes.slice(0, 8)], [1, 1, 0, 0, 2, 1, 0, 0]);
  assert.deepEqual([...bytes.slice(8, 16)], [5, 0, 0, 0, 2, 0, 0, 0]);
  assert.deepEqual([...bytes.slice(16, HEADER_BYTES)], [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...bytes.slice(HEADER_BYTES)], [255, 255, 0, 1]);
});

test("a downlink packet is read field by field", () => {
  const packet = unpack(downlink());
  assert.deepEqual({ ...packet, pcm: [...packet.pcm] }, {
    kind: AUDIO_OUT, sequence: 7, position: 2 ** 32, epoch: 3, response: 258, pcm: [1, 32767],
  });
});

test("what is no packet is refused with the reason", () => {
  assert.throws(() => unpack(new ArrayBuffer(3)), /3 bytes are shorter/);
  assert.throws(() => unpack(downlink({ version: 9 })), /version 9/);
  assert.throws(() => unpack(downlink({ kind: 5 })), /kind 5/);
  assert.throws(() => unpack(downlink({ payload: [1] })), PacketError);
  assert.throws(() => unpack(downlink({ payload: [] })), /0 bytes of PCM/);
});
