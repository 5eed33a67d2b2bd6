/**
 * Plays the character's speech. `Resampler` and `Playout` were added to this scope before (see resampler.js).
 * Takes `{type: "audio", response, epoch, position, pcm}`, `complete`, `flush` and `gain`; posts
 * `{type: "progress", response, played, time}` about twenty times a second while playing, and every report of the
 * playout (started, starved, resumed, finished, flushed) with the context time at which it is heard by the output.
 */

const RATE_HZ = 24_000;
const PROGRESS_S = 0.05;

class PlaybackProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.playout = new globalThis.Playout();
    this.resampler = new globalThis.Resampler(RATE_HZ, Math.round(sampleRate));
    this.scratch = new Float32Array(4096);
    this.reportedAt = 0;
    this.closed = false;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(message) {
    if (message.type === "audio") this.playout.push({ ...message, pcm: new Int16Array(message.pcm) });
    else if (message.type === "complete") this.playout.markComplete(message.response);
    else if (message.type === "flush") this.playout.flush(message.epoch);
    else if (message.type === "gain") this.playout.ramp(message.gainDb, message.rampMs);
    else if (message.type === "close") this.closed = true;
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, outputs) {
    const output = outputs[0][0];
    const input = this.scratch.subarray(0, this.resampler.needed(output.length));
    this.playout.read(input);
    this.resampler.push(input);
    this.resampler.pull(output);
    for (let channel = 1; channel < outputs[0].length; channel += 1) outputs[0][channel].set(output);
    this.report();
    return !this.closed;
  }

  report() {
    const { playout } = this;
    for (const report of playout.takeReports()) this.port.postMessage({ ...report, time: currentTime });
    if (!playout.playing || currentTime - this.reportedAt < PROGRESS_S) return;
    this.reportedAt = currentTime;
    const { response, played, dropped } = playout;
    this.port.postMessage({ type: "progress", response, played, dropped, time: currentTime });
  }
}

registerProcessor("playback", PlaybackProcessor);
