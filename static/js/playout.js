/**
 * The jitter buffer of the character's speech, at 24 kHz, and the one place that knows exactly what was played.
 *
 * Speech waits until a cushion is there (80 ms at first, more after every starvation, 300 ms at most, less again after
 * a clean answer), then plays without a gap. A flush drops all audio of older epochs behind a 5 ms fade. The cushion
 * is only ever rebuilt in silence, so an answer is never stretched.
 * Runs in the playback worklet, which finds it under `globalThis.Playout` (see resampler.js for why).
 */

const RATE_HZ = 24_000;
const MS = RATE_HZ / 1000;
const FIRST_CUSHION = 80 * MS;
const MOST_CUSHION = 300 * MS;
const CUSHION_STEP_UP = 60 * MS;
const CUSHION_STEP_DOWN = 20 * MS;
const FADE = 5 * MS;
const CAPACITY = 20_000 * MS; // a resume replays up to 10 s; beyond this the newest audio is refused and counted

/**
 * @typedef {object} Chunk
 * @property {number} response ordinal
 * @property {number} epoch
 * @property {number} position of its first sample in the response
 * @property {Int16Array} pcm
 */

/**
 * @typedef {object} Report
 * @property {"started"|"starved"|"resumed"|"finished"|"flushed"} type
 * @property {number} response ordinal; 0 when nothing was playing
 * @property {number} played samples of it that were played
 * @property {number} at place of the event in the samples read so far
 * @property {number} [epoch]
 */

export class Playout {
  constructor() {
    /** @type {Chunk[]} */
    this.chunks = [];
    this.queued = 0;
    this.dropped = 0;
    this.epoch = 0;
    this.cushion = FIRST_CUSHION;
    this.playing = false;
    this.response = 0; // the one playing, or starved in its middle
    this.played = 0; // samples of it
    this.starvations = 0;
    this.samplesRead = 0;
    /** @type {Set<number>} responses whose audio is complete */
    this.complete = new Set();
    this.expected = { response: 0, position: 0 };
    /** @type {Report[]} */
    this.reports = [];
    this.gain = { now: 1, target: 1, step: 0 };
    this.tail = new Float32Array(0);
  }

  /** @param {Chunk} chunk */
  push(chunk) {
    if (chunk.epoch < this.epoch) return;
    const fresh = this.withoutRepeats(chunk);
    if (fresh === null) return;
    if (this.queued + fresh.pcm.length > CAPACITY) {
      this.dropped += fresh.pcm.length;
      return;
    }
    this.chunks.push(fresh);
    this.queued += fresh.pcm.length;
  }

  /**
   * After a resume the server may send again what has already come.
   * @param {Chunk} chunk
   * @returns {Chunk | null}
   */
  withoutRepeats(chunk) {
    const end = chunk.position + chunk.pcm.length;
    const known = this.expected;
    if (chunk.response < known.response) return null;
    if (chunk.response === known.response) {
      if (end <= known.position) return null;
      if (chunk.position < known.position) {
        const pcm = chunk.pcm.subarray(known.position - chunk.position);
        chunk = { ...chunk, position: known.position, pcm };
      }
    }
    this.expected = { response: chunk.response, position: end };
    return chunk;
  }

  /** No more audio will come for this response. @param {number} response */
  markComplete(response) {
    if (this.response === response || this.chunks.some((chunk) => chunk.response === response)) {
      this.complete.add(response);
    }
    if (!this.playing && this.response === response && this.chunks.length === 0) this.finish();
  }

  /**
   * Drop everything older than `epoch`, the playing sample first fading to nothing.
   * @param {number} epoch
   */
  flush(epoch) {
    this.epoch = Math.max(this.epoch, epoch);
    const head = this.chunks[0];
    if (this.playing && head && head.epoch < this.epoch && head.response === this.response) this.fadeOut(head);
    this.chunks = this.chunks.filter((chunk) => chunk.epoch >= this.epoch);
    this.queued = this.chunks.reduce((sum, chunk) => sum + chunk.pcm.length, 0);
    this.report("flushed", { epoch: this.epoch });
    this.playing = false;
    this.response = 0;
    this.played = 0;
    this.complete.clear();
  }

  /** @param {Chunk} head */
  fadeOut(head) {
    const length = Math.min(FADE, head.pcm.length);
    this.tail = new Float32Array(length);
    for (let i = 0; i < length; i += 1) {
      this.tail[i] = (head.pcm[i] / 32768) * this.gain.now * (1 - (i + 1) / length);
    }
    this.played = head.position + length;
  }

  /**
   * @param {number} gainDb
   * @param {number} rampMs
   */
  ramp(gainDb, rampMs) {
    const target = 10 ** (gainDb / 20);
    const samples = Math.max(1, rampMs * MS);
    this.gain = { now: this.gain.now, target, step: (target - this.gain.now) / samples };
  }

  /**
   * The next samples; silence where there are none.
   * @param {Float32Array} output at 24 kHz
   */
  read(output) {
    let filled = this.readTail(output);
    while (filled < output.length) {
      if (!this.playing && !this.mayStart()) break;
      if (this.chunks.length === 0) {
        this.runDry();
        break;
      }
      if (this.chunks[0].response !== this.response) this.next();
      filled += this.copy(output, filled);
    }
    output.fill(0, filled);
    this.samplesRead += output.length;
  }

  /** @param {Float32Array} output @returns {number} */
  readTail(output) {
    const length = Math.min(this.tail.length, output.length);
    output.set(this.tail.subarray(0, length));
    this.tail = this.tail.subarray(length);
    return length;
  }

  /** @returns {boolean} whether the cushion is thick enough, or all there will be is there */
  mayStart() {
    if (this.chunks.length === 0) return false;
    const head = this.chunks[0].response;
    if (this.queued < this.cushion && !this.complete.has(head)) return false;
    this.playing = true;
    if (head === this.response) this.report("resumed");
    return true;
  }

  /** The first chunk belongs to another response than the one before it. */
  next() {
    if (this.response !== 0) this.finish();
    this.response = this.chunks[0].response;
    this.played = this.chunks[0].position;
    this.report("started");
  }

  runDry() {
    this.playing = false;
    if (this.complete.has(this.response)) {
      this.finish();
      return;
    }
    this.starvations += 1;
    this.cushion = Math.min(MOST_CUSHION, this.cushion + CUSHION_STEP_UP);
    this.report("starved");
  }

  finish() {
    if (this.starvations === 0) this.cushion = Math.max(FIRST_CUSHION, this.cushion - CUSHION_STEP_DOWN);
    this.starvations = 0;
    this.report("finished");
    this.complete.delete(this.response);
    this.response = 0;
    this.played = 0;
  }

  /**
   * @param {Float32Array} output
   * @param {number} from
   * @returns {number} samples copied from the first chunk
   */
  copy(output, from) {
    const head = this.chunks[0];
    const length = Math.min(head.pcm.length, output.length - from);
    for (let i = 0; i < length; i += 1) {
      output[from + i] = (head.pcm[i] / 32768) * this.nextGain();
    }
    this.queued -= length;
    this.played = head.position + length;
    if (length === head.pcm.length) this.chunks.shift();
    else this.chunks[0] = { ...head, position: this.played, pcm: head.pcm.subarray(length) };
    return length;
  }

  /** @returns {number} */
  nextGain() {
    const gain = this.gain;
    if (gain.step !== 0) {
      gain.now += gain.step;
      const arrived = gain.step > 0 ? gain.now >= gain.target : gain.now <= gain.target;
      if (arrived) {
        gain.now = gain.target;
        gain.step = 0;
      }
    }
    return gain.now;
  }

  /**
   * @param {Report["type"]} type
   * @param {object} [extra]
   */
  report(type, extra = {}) {
    this.reports.push({ type, response: this.response, played: this.played, at: this.samplesRead, ...extra });
  }

  /** @returns {Report[]} what happened since the last call */
  takeReports() {
    const reports = this.reports;
    if (reports.length) this.reports = [];
    return reports;
  }
}

if ("AudioWorkletGlobalScope" in globalThis) globalThis.Playout = Playout;
