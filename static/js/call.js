/**
 * One call: microphone, player, socket and captions held together. It knows no element of the page; `talk.js` shows what
 * it dispatches: `state` ({state, facts}), `ready`, `notice` ({key, level, values}), `latency` ({ms, stages, roundTrip_ms, lateFrames}), `style`,
 * `voice`, `activity`, `muted`, `microphone`, `sound`, `silent`, `closed` ({reason, message, retryAfter_s}).
 */

import { AT_REST, after, stateOf } from "./call-state.js";
import { ResponseClock } from "./latency.js";
import { Microphone, MicrophoneError } from "./microphone.js";
import { Player } from "./player.js";
import { SessionError, SessionSocket } from "./socket.js";

const ACK_EVERY_MS = 200;
const SOUND_LIMIT_MS = 3_000;
const ANSWER_LIMIT_MS = 10_000; // afterwards "thinking" would be a lie
const GREETING_LIMIT_MS = 90_000; // the first call of a character may have to make its language model
const LAST_WORDS_LIMIT_MS = 20_000;

export class Call extends EventTarget {
  /**
   * @param {{slug: string, createUrl: string, csrf: string, worklets: string[]}} config
   * @param {import("./captions.js").Captions} captions
   */
  constructor(config, captions) {
    super();
    this.config = config;
    this.captions = captions;
    this.facts = AT_REST;
    this.volume = 1;
    this.muted = false;
  }

  get state() {
    return stateOf(this.facts);
  }

  /** @param {string} type @param {object} [detail] */
  tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {Parameters<typeof after>[1]} happening */
  happens(happening) {
    const before = this.state;
    this.facts = after(this.facts, happening);
    this.expectAnswer();
    if (this.state !== before) this.tell("state", { state: this.state, facts: this.facts });
  }

  expectAnswer() {
    clearTimeout(this.answerLimit);
    const { phase, awaiting, ringing } = this.facts;
    if (phase !== "live" || !(awaiting || ringing)) return;
    const giveUp = () => {
      this.clock.voiceEnded = null;
      this.happens("unanswered");
    };
    this.answerLimit = setTimeout(giveUp, awaiting ? ANSWER_LIMIT_MS : GREETING_LIMIT_MS);
  }

  /**
   * Must run inside a click: only then may sound start.
   * @param {{withMicrophone: boolean, style?: string, voice?: string}} options
   */
  async start({ withMicrophone, style, voice }) {
    const attempt = Symbol("attempt");
    this.attempt = attempt;
    this.forgetLastCall();
    this.happens("dial");
    try {
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.context.onstatechange = () => this.watchContext();
      await Promise.all([this.startSound(), this.loadWorklets(), withMicrophone && this.openMicrophone(attempt)]);
      if (this.attempt !== attempt) return;
      this.player = new Player(this.context, (report) => this.onReport(report));
      this.player.setVolume(this.volume);
      this.socket = this.makeSocket();
      await this.socket.open({ character: this.config.slug, style, voice });
      if (this.attempt !== attempt) return;
      if (this.microphone) this.microphone.start();
      this.keepAwake();
    } catch (error) {
      if (this.attempt !== attempt) return;
      if (!(error instanceof SessionError)) console.error(error);
      const reason = error instanceof SessionError ? error.reason : "failed";
      this.finish({ reason, message: error.message, retryAfter_s: error.retryAfter_s });
    }
  }

  forgetLastCall() {
    this.clock = new ResponseClock();
    this.ordinals = new Map();
    this.ids = new Map();
    this.stages = new Map();
    this.lastAck = 0;
    this.lastLatency = null;
    this.lateFrames = 0;
    this.microphone = null;
    this.socket = null;
    this.player = null;
  }

  /** Some browsers never answer when no loudspeaker is there: the call goes on, its words can be read. */
  startSound() {
    return Promise.race([this.context.resume(), new Promise((resolve) => setTimeout(resolve, SOUND_LIMIT_MS))]);
  }

  async loadWorklets() {
    if (!this.context.audioWorklet) return;
    for (const url of this.config.worklets) await this.context.audioWorklet.addModule(url);
  }

  /** A call without a microphone is still a call: one types, and listens. @param {symbol} attempt */
  async openMicrophone(attempt) {
    const microphone = new Microphone(this.context, (pcm, position) => this.onMicrophonePacket(pcm, position));
    try {
      if (!this.context.audioWorklet) throw new MicrophoneError("insecure");
      await microphone.open();
      if (this.attempt !== attempt) {
        microphone.close(); // the user hung up while the browser asked for permission
        return;
      }
      microphone.onLost = () => this.replaceMicrophone();
      microphone.setMuted(this.muted);
      this.microphone = microphone;
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      this.tell("notice", { key: `microphone_${error.reason}`, level: "warning" });
    }
    this.tell("microphone", { available: this.microphone !== null });
  }

  async replaceMicrophone() {
    try {
      await this.microphone.reopen();
      this.tell("notice", { key: "microphone_changed", level: "info" });
    } catch {
      this.microphone = null;
      this.tell("microphone", { available: false });
      this.tell("notice", { key: "microphone_lost", level: "warning" });
    }
  }

  makeSocket() {
    const socket = new SessionSocket({ createUrl: this.config.createUrl, csrf: this.config.csrf });
    socket.addEventListener("event", ({ detail }) => this.onEvent(detail));
    socket.addEventListener("packet", ({ detail }) => this.player.play(detail));
    socket.addEventListener("reconnecting", () => {
      this.clock.distrust();
      this.happens("cut");
    });
    socket.addEventListener("reconnected", () => this.happens("connected"));
    socket.addEventListener("closed", ({ detail }) => this.onClosed(detail));
    return socket;
  }

  onMicrophonePacket(pcm, position) {
    if (!this.socket?.sendAudio(pcm, position)) return;
    this.clock.packetSent(this.socket.uplink.sentSamples, performance.now());
  }

  /** @param {any} event of the protocol */
  onEvent(event) {
    EVENTS[event.type]?.(this, event);
    this.captions.take(event);
  }

  /** @param {import("./playout.js").Report & {time: number}} report */
  onReport(report) {
    if (report.type === "started") this.onPlaybackStarted(report);
    else if (report.type === "progress" && !this.facts.playing) this.happens("playbackStarted");
    if (report.type === "finished") this.captions.finish(report.response);
    if (report.type === "finished" || report.type === "flushed") this.happens("playbackStopped");
    const urgent = report.type === "finished" || report.type === "flushed";
    this.acknowledge(report.response, report.played, urgent);
    if (urgent) this.tell("silent");
  }

  onPlaybackStarted(report) {
    this.happens("playbackStarted");
    const lead_s = report.time - this.context.currentTime + this.player.outputLatency_s;
    const ms = this.clock.answerHeard(performance.now() + lead_s * 1000);
    if (ms === null) return;
    this.lastLatency = { response: report.response, ms };
    this.tellLatency(this.stages.get(this.ids.get(report.response)));
  }

  /** @param {Record<string, number>} [stages] of the server */
  tellLatency(stages) {
    const roundTrip_ms = this.socket?.roundTrip_ms;
    this.tell("latency", { ms: this.lastLatency.ms, stages, roundTrip_ms, lateFrames: this.lateFrames });
  }

  acknowledge(ordinal, samples, urgent) {
    const responseId = this.ids.get(ordinal);
    const now = performance.now();
    if (!responseId || (!urgent && now - this.lastAck < ACK_EVERY_MS)) return;
    this.lastAck = now;
    this.socket?.send({ type: "troupe.playback.ack", response_id: responseId, played_ms: Math.round(samples / 24) });
  }

  /** Call once per picture: shows the words heard by now. */
  revealWords() {
    const heard = this.player?.heard();
    if (heard?.response) this.captions.reveal(heard.response, heard.ms);
  }

  /** @returns {{input: number, output: number}} 0..1 each */
  levels() {
    return { input: this.microphone?.level() ?? 0, output: this.player?.level() ?? 0 };
  }

  /** @param {string} text @returns {boolean} */
  sendText(text) {
    const content = [{ type: "input_text", text }];
    const sent =
      this.socket?.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } }) &&
      this.socket.send({ type: "response.create" });
    if (!sent) return false;
    this.clock.typed(performance.now());
    this.happens("typed");
    return true;
  }

  setStyle(style) {
    this.socket?.send({ type: "troupe.style.set", style });
  }

  setVoice(voice) {
    this.socket?.send({ type: "troupe.voice.set", voice });
  }

  startActivity(activity) {
    this.socket?.send({ type: "troupe.activity.start", activity });
  }

  setMuted(muted) {
    this.muted = muted;
    this.microphone?.setMuted(muted);
    if (muted && this.facts.voice) this.happens("voiceStopped");
    this.tell("muted", { muted });
  }

  setVolume(volume) {
    this.volume = volume;
    this.player?.setVolume(volume);
  }

  watchContext() {
    const { state } = this.context;
    if (state === "closed" || this.facts.phase === "ended") return;
    if (state === "running") {
      this.tell("sound", { paused: false });
      return;
    }
    // iOS says "interrupted" for a phone call; elsewhere the system may suspend at will.
    this.context.resume().catch(() => {});
    this.tell("sound", { paused: true });
  }

  /** From a click on the "sound is paused" message. */
  resumeSound() {
    return this.context?.resume();
  }

  async keepAwake() {
    if (!("wakeLock" in navigator) || document.visibilityState !== "visible") return;
    try {
      this.wakeLock = await navigator.wakeLock.request("screen");
    } catch {
      this.wakeLock = null; // low battery: the call goes on without
    }
  }

  /** The user hangs up. */
  end() {
    this.hungUp = true;
    if (this.socket) this.socket.end();
    else this.finish({ reason: "ended" });
  }

  /** The server may close when its last words are still in the buffer: they are played first. */
  async onClosed(detail) {
    const spoken = ["farewell", "ended", "limit", "idle", "draining"].includes(detail.reason) && !this.hungUp;
    if (spoken && this.facts.playing) {
      this.player.complete(this.player.last.response);
      await this.playedOut();
    }
    this.finish(detail);
  }

  playedOut() {
    const heard = new Promise((resolve) => this.addEventListener("silent", resolve, { once: true }));
    return Promise.race([heard, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_LIMIT_MS))]);
  }

  finish(detail) {
    this.attempt = null;
    this.hungUp = false;
    this.microphone?.close();
    this.player?.close();
    this.context?.close().catch(() => {});
    this.wakeLock?.release().catch(() => {});
    this.happens("end");
    this.tell("closed", detail);
  }
}

/** What a character's voice model cannot do: codes of errors, and keys of the words for them. */
const REFUSALS = new Set(["text_unsupported", "voice_unsupported"]);

/** @type {Record<string, (call: Call, event: any) => void>} */
const EVENTS = {
  "troupe.session.ready": (call, event) => {
    // Of an answer that was cut off by a fault of the server no more will come.
    if (event.rebuilt) call.player.complete(call.player.last.response);
    call.happens("connected");
    call.tell("ready", event);
  },
  "input_audio_buffer.speech_started": (call) => {
    call.clock.voiceEnded = null;
    call.happens("voiceStarted");
  },
  "input_audio_buffer.speech_stopped": (call, event) => {
    call.clock.voiceStopped(event.audio_end_ms, performance.now());
    call.happens("voiceStopped");
  },
  "troupe.response.started": (call, { response_id: id, response: ordinal }) => {
    call.ordinals.set(id, ordinal);
    call.ids.set(ordinal, id);
  },
  "response.output_audio.done": (call, { response_id: id }) => call.player.complete(call.ordinals.get(id) ?? 0),
  "response.done": (call, { response }) => {
    call.player.complete(call.ordinals.get(response.id) ?? 0);
    // Nothing will be heard of it; a cancelled one makes room for the answer that is awaited.
    if (!call.ordinals.has(response.id) && response.status !== "cancelled") call.happens("unanswered");
  },
  "troupe.output.flush": (call, { epoch }) => call.player.flush(epoch),
  "troupe.output.gain": (call, event) => call.player.ramp(event.gain_db, event.ramp_ms),
  "troupe.turn.overlap": (call, { decision }) => {
    if (decision === "duck") call.happens("ducked");
    else if (decision === "cancel") call.happens("interrupted");
    else call.happens("restored");
  },
  "troupe.latency": (call, { response_id: id, stages }) => {
    call.stages.set(id, stages);
    const last = call.lastLatency;
    if (last && call.ids.get(last.response) === id) call.tellLatency(stages);
  },
  "troupe.dropped": (call, { downlink_frames: frames }) => (call.lateFrames = frames),
  "troupe.style.updated": (call, { style }) => call.tell("style", { style }),
  "troupe.voice.updated": (call, { voice }) => call.tell("voice", { voice }),
  "troupe.activity": (call, event) => call.tell("activity", event),
  error: (call, { error }) => {
    console.warn("The server answered with an error:", error?.code, error?.message);
    if (error?.type === "server_error") call.tell("notice", { key: "server_error", level: "warning" });
    if (REFUSALS.has(error?.code)) call.tell("notice", { key: error.code, level: "warning" });
    if (error?.code === "text_unsupported") call.happens("unanswered");
  },
};
