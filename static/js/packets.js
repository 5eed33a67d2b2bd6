/**
 * Binary framing of audio on the socket (docs/protocol.md, "Binary packets"): 24 bytes of header, little endian, then
 * PCM16 mono at 24 kHz. Every browser that plays sound runs on little-endian machines, so PCM is viewed, not copied.
 */

export const AUDIO_RATE_HZ = 24_000;
export const HEADER_BYTES = 24;
export const VERSION = 1;
export const AUDIO_IN = 1;
export const AUDIO_OUT = 2;

/** Bytes that are no audio packet; the message says why. */
export class PacketError extends Error {}

/**
 * @typedef {object} Packet
 * @property {number} kind AUDIO_IN or AUDIO_OUT
 * @property {number} sequence
 * @property {number} position sample where the audio begins
 * @property {number} epoch
 * @property {number} response ordinal of the response in the session, from 1; 0 on the uplink
 * @property {Int16Array} pcm
 */

/**
 * @param {{sequence: number, position: number, pcm: Int16Array}} audio
 * @returns {ArrayBuffer} an uplink packet
 */
export function packInput({ sequence, position, pcm }) {
  const bytes = new ArrayBuffer(HEADER_BYTES + pcm.byteLength);
  const view = new DataView(bytes);
  view.setUint8(0, VERSION);
  view.setUint8(1, AUDIO_IN);
  view.setUint32(4, sequence, true);
  view.setBigUint64(8, BigInt(position), true);
  new Int16Array(bytes, HEADER_BYTES).set(pcm);
  return bytes;
}

/**
 * @param {ArrayBuffer} bytes
 * @returns {Packet}
 * @throws {PacketError}
 */
export function unpack(bytes) {
  if (bytes.byteLength < HEADER_BYTES) {
    throw new PacketError(`${bytes.byteLength} bytes are shorter than the ${HEADER_BYTES}-byte header`);
  }
  const view = new DataView(bytes);
  const version = view.getUint8(0);
  if (version !== VERSION) throw new PacketError(`version ${version} is not ${VERSION}`);
  const kind = view.getUint8(1);
  if (kind !== AUDIO_IN && kind !== AUDIO_OUT) throw new PacketError(`kind ${kind} is unknown`);
  const pcmBytes = bytes.byteLength - HEADER_BYTES;
  if (pcmBytes === 0 || pcmBytes % 2) {
    throw new PacketError(`${pcmBytes} bytes of PCM are not a positive number of 16-bit samples`);
  }
  return {
    kind,
    sequence: view.getUint32(4, true),
    position: Number(view.getBigUint64(8, true)),
    epoch: view.getUint32(16, true),
    response: view.getUint32(20, true),
    pcm: new Int16Array(bytes, HEADER_BYTES),
  };
}
