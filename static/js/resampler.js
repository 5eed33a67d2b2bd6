/**
 * Streaming sample-rate conversion: a polyphase filter bank of Kaiser-windowed sinc (Smith, "Digital Audio Resampling").
 * Used inside both AudioWorklets. A worklet cannot import relative modules in every browser, so the page adds this
 * module to the worklet's scope first and the class is found there under `globalThis.Resampler`.
 */

const ZERO_CROSSINGS = 24;
const KAISER_BETA = 8;
const PASSBAND = 0.95; // of the lower Nyquist frequency; the rest is the filter's slope
const MOST_PHASES = 1024; // odd rates use the nearest of so many phases

/** @param {number} x @returns {number} modified Bessel function of order 0 */
function besselI0(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** @param {number} a @param {number} b @returns {number} */
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * @param {number} phases
 * @param {number} cutoff of the input's Nyquist frequency, 0..1
 * @param {number} reach input samples on each side of the output sample
 * @returns {Float32Array[]} one filter of `2 * reach` taps for each phase, each with unit gain at 0 Hz
 */
function filterBank(phases, cutoff, reach) {
  return Array.from({ length: phases }, (_, phase) => {
    const taps = new Float32Array(2 * reach);
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap += 1) {
      const t = tap - reach + 1 - phase / phases;
      const window = Math.abs(t) < reach ? besselI0(KAISER_BETA * Math.sqrt(1 - (t / reach) ** 2)) : 0;
      const angle = Math.PI * cutoff * t;
      taps[tap] = window * (angle === 0 ? 1 : Math.sin(angle) / angle);
      sum += taps[tap];
    }
    return taps.map((value) => value / sum);
  });
}

export class Resampler {
  /**
   * @param {number} inputRate Hz, a whole number
   * @param {number} outputRate Hz, a whole number
   */
  constructor(inputRate, outputRate) {
    const divisor = greatestCommonDivisor(inputRate, outputRate);
    this.up = outputRate / divisor;
    this.down = inputRate / divisor;
    const ratio = Math.min(1, outputRate / inputRate);
    this.reach = this.up === this.down ? 1 : Math.ceil(ZERO_CROSSINGS / ratio);
    this.phases = Math.min(this.up, MOST_PHASES);
    this.bank = this.up === this.down ? [new Float32Array([1, 0])] : filterBank(this.phases, ratio * PASSBAND, this.reach);
    this.buffer = new Float32Array(8192);
    this.reset();
  }

  /** Forget what came before: the next input is preceded by silence. */
  reset() {
    this.buffer.fill(0);
    this.start = 0; // first input sample the next output needs
    this.filled = this.reach - 1;
    this.fraction = 0; // place of the next output between two inputs, in 1/up
  }

  /** @param {number} outputs @returns {number} input samples still missing for so many outputs */
  needed(outputs) {
    if (outputs <= 0) return 0;
    const last = this.start + Math.floor((this.fraction + (outputs - 1) * this.down) / this.up);
    return Math.max(0, last + 2 * this.reach - this.filled);
  }

  /** @param {Float32Array} input */
  push(input) {
    if (this.filled + input.length > this.buffer.length) this.makeRoom(input.length);
    this.buffer.set(input, this.filled);
    this.filled += input.length;
  }

  /** @param {number} length */
  makeRoom(length) {
    const kept = this.buffer.subarray(this.start, this.filled);
    const room = kept.length + length;
    const target = room > this.buffer.length ? new Float32Array(2 * room) : this.buffer;
    target.set(kept, 0);
    this.buffer = target;
    this.filled = kept.length;
    this.start = 0;
  }

  /**
   * @param {Float32Array} output filled from its beginning
   * @returns {number} how many samples could be made
   */
  pull(output) {
    const taps = 2 * this.reach;
    let made = 0;
    while (made < output.length && this.start + taps <= this.filled) {
      const filter = this.bank[Math.floor((this.fraction * this.phases) / this.up)];
      let sum = 0;
      for (let tap = 0; tap < taps; tap += 1) sum += filter[tap] * this.buffer[this.start + tap];
      output[made] = sum;
      made += 1;
      this.fraction += this.down;
      while (this.fraction >= this.up) {
        this.fraction -= this.up;
        this.start += 1;
      }
    }
    return made;
  }
}

if ("AudioWorkletGlobalScope" in globalThis) globalThis.Resampler = Resampler;
