/**
 * How long an answer took, measured here: from the moment the last sample of the user's voice reached this page to
 * the moment the first sample of the answer leaves the loudspeaker. The server says where in the input the voice ended;
 * this page knows when it sent that sample and when it played the answer.
 */

const RATE_HZ = 24_000;
const KEPT = 3_000; // 20 ms packets: one minute
const LONGEST_MS = 15_000;

export class ResponseClock {
  constructor() {
    /** @type {{samples: number, at: number}[]} samples sent in all, and when the last of them was captured (ms) */
    this.sent = [];
    this.trusted = true;
    /** @type {number | null} when the user's voice ended (ms) */
    this.voiceEnded = null;
  }

  /** @param {number} samples sent so far in this session @param {number} now */
  packetSent(samples, now) {
    this.sent.push({ samples, at: now });
    if (this.sent.length > KEPT) this.sent.splice(0, KEPT / 10);
  }

  /** @param {number} audioEndMs where in the input the voice ended @param {number} now */
  voiceStopped(audioEndMs, now) {
    if (!this.trusted) return;
    const sample = (audioEndMs * RATE_HZ) / 1000;
    const found = this.sent.find((entry) => entry.samples >= sample);
    this.voiceEnded = found ? Math.min(now, found.at) : null;
  }

  /** A cut may have lost packets: positions no longer tell when a sample was captured, so nothing is measured by them. */
  distrust() {
    this.trusted = false;
    this.voiceEnded = null;
  }

  /** Typed words count from the moment they were sent. @param {number} now */
  typed(now) {
    this.voiceEnded = now;
  }

  /** @param {number} now when the first sample of an answer is heard @returns {number | null} ms, once per turn */
  answerHeard(now) {
    if (this.voiceEnded === null) return null;
    const latency = now - this.voiceEnded;
    this.voiceEnded = null;
    return latency > 0 && latency < LONGEST_MS ? latency : null;
  }
}
