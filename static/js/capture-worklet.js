/**
 * The microphone in 20 ms packets of PCM16 at 24 kHz. `Resampler` was added to this scope before (see resampler.js).
 * Posts `{pcm: ArrayBuffer, position}` where position counts samples since the start, muted time included: the clock
 * of the input never stops. While muted nothing is posted.
 */

const RATE_HZ = 24_000;
const PACKET_SAMPLES = 480;

class CaptureProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new globalThis.Resampler(Math.round(sampleRate), RATE_HZ);
    this.block = new Float32Array(PACKET_SAMPLES);
    this.filled = 0;
    this.position = 0;
    this.muted = false;
    this.closed = false;
    this.port.onmessage = ({ data }) => {
      if (data.type === "mute") this.muted = data.muted;
      if (data.type === "close") this.closed = true;
    };
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channel = inputs[0]?.[0];
    if (channel) {
      this.resampler.push(channel);
      this.takePackets();
    }
    return !this.closed;
  }

  takePackets() {
    for (;;) {
      this.filled += this.resampler.pull(this.block.subarray(this.filled));
      if (this.filled < PACKET_SAMPLES) return;
      if (!this.muted) this.post();
      this.filled = 0;
      this.position += PACKET_SAMPLES;
    }
  }

  post() {
    const pcm = new Int16Array(PACKET_SAMPLES);
    for (let i = 0; i < PACKET_SAMPLES; i += 1) {
      pcm[i] = Math.max(-32768, Math.min(32767, Math.round(this.block[i] * 32767)));
    }
    this.port.postMessage({ pcm: pcm.buffer, position: this.position }, [pcm.buffer]);
  }
}

registerProcessor("capture", CaptureProcessor);
