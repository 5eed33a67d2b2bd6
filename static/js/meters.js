/** How loud something is right now, for the eye. */

const FLOOR_DB = -55;
const CEILING_DB = -12;

/** @param {BaseAudioContext} context @returns {AnalyserNode} */
export function makeAnalyser(context) {
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  return analyser;
}

const samples = new Float32Array(1024);

/**
 * @param {AnalyserNode | undefined} analyser
 * @returns {number} 0..1: the RMS of the last 20 ms or so between -55 and -12 dBFS
 */
export function levelOf(analyser) {
  if (!analyser) return 0;
  analyser.getFloatTimeDomainData(samples);
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}

/** Follows a level quickly upwards and slowly downwards, as the eye likes it. */
export class Envelope {
  constructor(attack = 0.5, release = 0.12) {
    this.attack = attack;
    this.release = release;
    this.value = 0;
  }

  /** @param {number} level @returns {number} */
  follow(level) {
    this.value += (level - this.value) * (level > this.value ? this.attack : this.release);
    return this.value;
  }
}
