/** The user's side of the sound: the device, the capture worklet, mute, and a level to look at. */

import { levelOf, makeAnalyser } from "./meters.js";

const WISHES = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

/** The microphone cannot be had; `reason` names a message for people. */
export class MicrophoneError extends Error {
  /** @param {"denied"|"missing"|"busy"|"insecure"|"failed"} reason */
  constructor(reason) {
    super(`no microphone: ${reason}`);
    this.reason = reason;
  }
}

/** @param {unknown} error @returns {"denied"|"missing"|"busy"|"failed"} */
function reasonOf(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "failed";
}

/** @returns {Promise<MediaStream>} @throws {MicrophoneError} */
async function askForStream() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new MicrophoneError(window.isSecureContext ? "missing" : "insecure");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: WISHES, video: false });
  } catch (error) {
    throw new MicrophoneError(reasonOf(error));
  }
}

export class Microphone {
  /**
   * @param {AudioContext} context
   * @param {(pcm: Int16Array, position: number) => void} onPacket 20 ms at 24 kHz
   */
  constructor(context, onPacket) {
    this.context = context;
    this.onPacket = onPacket;
    this.muted = false;
    /** Called when the device goes away. @type {() => void} */
    this.onLost = () => {};
  }

  /**
   * Asks for the device. Permission may take the user a while; call before the session is created.
   * @throws {MicrophoneError}
   */
  async open() {
    this.stream = await askForStream();
    this.stream.getAudioTracks()[0].addEventListener("ended", () => this.onLost());
  }

  /** Wires the stream to the worklet, whose modules the context has loaded. */
  start() {
    this.source = this.context.createMediaStreamSource(this.stream);
    this.analyser = makeAnalyser(this.context);
    this.node ??= this.makeNode();
    this.source.connect(this.analyser);
    this.source.connect(this.node);
  }

  makeNode() {
    const node = new AudioWorkletNode(this.context, "capture", {
      numberOfInputs: 1,
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    node.port.onmessage = ({ data }) => this.onPacket(new Int16Array(data.pcm), data.position);
    node.port.postMessage({ type: "mute", muted: this.muted });
    return node;
  }

  /** Another device after the first went away. @throws {MicrophoneError} */
  async reopen() {
    this.releaseDevice();
    await this.open();
    this.start();
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.muted = muted;
    this.node?.port.postMessage({ type: "mute", muted });
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** @returns {number} 0..1, how loud the user is right now */
  level() {
    return this.muted ? 0 : levelOf(this.analyser);
  }

  releaseDevice() {
    this.source?.disconnect();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
  }

  close() {
    this.releaseDevice();
    this.node?.port.postMessage({ type: "close" });
  }
}
