/**
 * The character's side of the sound: the playback worklet, volume, a level to look at, and the position of what is
 * heard. Pages without a secure context have no AudioWorklet; there the same playout runs in a ScriptProcessorNode.
 */

import { levelOf, makeAnalyser } from "./meters.js";
import { Playout } from "./playout.js";
import { Resampler } from "./resampler.js";

const RATE_HZ = 24_000;
const LONGEST_GUESS_S = 0.15; // how far a position is carried on beyond the last report

/** The worklet's port for browsers without worklets: same messages in, same messages out. */
class ScriptedPlayback {
  /** @param {AudioContext} context */
  constructor(context) {
    this.playout = new Playout();
    this.resampler = new Resampler(RATE_HZ, Math.round(context.sampleRate));
    this.node = context.createScriptProcessor(1024, 0, 1);
    this.onmessage = (_event) => {};
    this.node.onaudioprocess = ({ outputBuffer }) => this.process(outputBuffer.getChannelData(0), context.currentTime);
  }

  /** @param {Float32Array} output @param {number} time */
  process(output, time) {
    const input = new Float32Array(this.resampler.needed(output.length));
    this.playout.read(input);
    this.resampler.push(input);
    this.resampler.pull(output);
    for (const report of this.playout.takeReports()) this.onmessage({ data: { ...report, time } });
    const { playing, response, played, dropped } = this.playout;
    if (playing) this.onmessage({ data: { type: "progress", response, played, dropped, time } });
  }

  postMessage(message) {
    if (message.type === "audio") this.playout.push({ ...message, pcm: new Int16Array(message.pcm) });
    else if (message.type === "complete") this.playout.markComplete(message.response);
    else if (message.type === "flush") this.playout.flush(message.epoch);
    else if (message.type === "gain") this.playout.ramp(message.gainDb, message.rampMs);
    else if (message.type === "close") this.node.disconnect();
  }
}

/** @param {AudioContext} context @returns {{node: AudioNode, port: any}} */
function makePlayback(context) {
  if (!context.audioWorklet) {
    const scripted = new ScriptedPlayback(context);
    return { node: scripted.node, port: scripted };
  }
  const node = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
  return { node, port: node.port };
}

export class Player {
  /**
   * @param {AudioContext} context with the worklet modules loaded, where it has worklets
   * @param {(report: import("./playout.js").Report & {time: number}) => void} onReport
   */
  constructor(context, onReport) {
    this.context = context;
    this.onReport = onReport;
    this.last = { response: 0, played: 0, time: 0, playing: false };
    const { node, port } = makePlayback(context);
    this.node = node;
    this.port = port;
    this.port.onmessage = ({ data }) => this.take(data);
    this.volume = context.createGain();
    this.analyser = makeAnalyser(context);
    node.connect(this.volume).connect(this.analyser).connect(context.destination);
  }

  take(report) {
    const playing = !["starved", "finished", "flushed"].includes(report.type);
    this.last = { response: report.response, played: report.played, time: report.time, playing };
    this.onReport(report);
  }

  /** @param {import("./packets.js").Packet} packet */
  play({ response, epoch, position, pcm }) {
    const samples = pcm.slice().buffer;
    this.port.postMessage({ type: "audio", response, epoch, position, pcm: samples }, [samples]);
  }

  /** @param {number} response ordinal: all its audio was sent */
  complete(response) {
    this.port.postMessage({ type: "complete", response });
  }

  /** @param {number} epoch */
  flush(epoch) {
    this.port.postMessage({ type: "flush", epoch });
  }

  /** @param {number} gainDb @param {number} rampMs */
  ramp(gainDb, rampMs) {
    this.port.postMessage({ type: "gain", gainDb, rampMs });
  }

  /** @param {number} volume 0..1 */
  setVolume(volume) {
    this.volume.gain.setTargetAtTime(volume ** 2, this.context.currentTime, 0.02);
  }

  /** Seconds between a sample leaving the worklet and its sound leaving the loudspeaker. @returns {number} */
  get outputLatency_s() {
    return this.context.outputLatency || this.context.baseLatency || 0;
  }

  /** @returns {{response: number, ms: number}} what is heard at this moment */
  heard() {
    const { response, played, time, playing } = this.last;
    const since = playing ? Math.min(LONGEST_GUESS_S, Math.max(0, this.context.currentTime - time)) : 0;
    const ms = (played / RATE_HZ + since - (playing ? this.outputLatency_s : 0)) * 1000;
    return { response, ms: Math.max(0, ms) };
  }

  /** @returns {number} 0..1 */
  level() {
    return levelOf(this.analyser);
  }

  close() {
    this.port.postMessage({ type: "close" });
  }
}
