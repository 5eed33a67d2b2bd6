/**
 * The conversation's socket: creates the session, connects, counts sequence numbers, and resumes after a cut.
 * docs/protocol.md is the contract.
 */

import { AUDIO_OUT, packInput, PacketError, unpack } from "./packets.js";

const MOST_BUFFERED_BYTES = 24_000; // half a second of audio: beyond it the newest packet is dropped, not queued
const PING_EVERY_MS = 5_000;
const DEAD_AFTER_MS = 12_000;
const FIRST_BACKOFF_MS = 250;
const MOST_BACKOFF_MS = 4_000;
const CONNECT_LIMIT_MS = 10_000;
const TIMED_OUT = 4408;
const LONG_WAIT_S = 1800; // told to wait longer, one has used up the day; shorter, one has been too quick
const RESUMABLE = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014, 4413]);

/** The session cannot be had or kept; `reason` names a message for people. */
export class SessionError extends Error {
  /** @param {string} reason @param {{message?: string, retryAfter_s?: number}} [details] */
  constructor(reason, details = {}) {
    super(details.message || reason);
    this.reason = reason;
    this.retryAfter_s = details.retryAfter_s;
  }
}

const REASON_BY_STATUS = { 401: "auth", 403: "forbidden", 404: "gone", 410: "gone", 503: "full" };
const REASON_BY_CODE = {
  1000: "ended", 1009: "protocol", 4400: "protocol", 4401: "auth", 4403: "forbidden", 4404: "gone", 4408: "idle",
  4409: "replaced", 4429: "limit", 4500: "fault", 4503: "full",
};

/** Answers to a resume after which another attempt is pointless, and what they mean to the user. */
const FINAL = new Map([
  ["gone", "lost"],
  ["idle", "lost"],
  ["protocol", "lost"],
  ["ended", "ended"],
  ["replaced", "replaced"],
  ["limit", "limit"],
  ["forbidden", "forbidden"],
]);

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class SessionSocket extends EventTarget {
  /**
   * Dispatches `event` (detail: the JSON event), `packet` (detail: Packet), `reconnecting`, `reconnected`, and at the
   * very end `closed` (detail: {reason}).
   * @param {{createUrl: string, csrf: string}} doors
   */
  constructor({ createUrl, csrf }) {
    super();
    this.createUrl = createUrl;
    this.csrf = csrf;
    this.sequence = -1; // the last one received
    this.uplink = { sequence: 0, dropped: 0, sentSamples: 0 };
    this.resumeWindow_s = 30;
    this.ended = false;
    this.roundTrip_ms = null;
    this.lastSign = 0;
  }

  /** @param {string} path @param {object} body @returns {Promise<any>} @throws {SessionError} */
  async post(path, body) {
    let response;
    try {
      response = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.csrf, Accept: "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CONNECT_LIMIT_MS),
      });
    } catch {
      throw new SessionError("network");
    }
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const { message, retry_after_s: retryAfter_s } = answer.error ?? {};
    const limit = retryAfter_s < LONG_WAIT_S ? "hurry" : "limit";
    const reason = response.status === 429 ? limit : (REASON_BY_STATUS[response.status] ?? "failed");
    throw new SessionError(reason, { message, retryAfter_s });
  }

  /** @param {{character: string, style?: string, voice?: string}} wanted slugs @throws {SessionError} */
  async open(wanted) {
    const session = await this.post(this.createUrl, wanted);
    if (this.ended) return;
    this.sessionId = session.session_id;
    this.url = session.url;
    this.resumeWindow_s = session.resume_window_s ?? this.resumeWindow_s;
    await this.connect(session.token);
    this.watch = setInterval(() => this.checkPulse(), PING_EVERY_MS);
  }

  /** @param {string} token @param {number} [after] last sequence received, when resuming @throws {SessionError} */
  connect(token, after) {
    const url = new URL(this.url, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (after !== undefined) url.searchParams.set("after", String(after));
    const socket = new WebSocket(url, ["realtime", "troupe.v1", `troupe-token.${token}`]);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.retryAfter_s = undefined;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => socket.close(), CONNECT_LIMIT_MS);
      // Refusals come on an open socket, as an `error` event and a close code: only another message means welcome.
      socket.onmessage = ({ data }) => {
        if (!this.isWelcome(data)) return;
        clearTimeout(limit);
        socket.onmessage = (message) => this.take(socket, message.data);
        socket.onclose = (event) => this.onCut(socket, event);
        this.take(socket, data);
        resolve(undefined);
      };
      socket.onclose = ({ code }) => {
        clearTimeout(limit);
        reject(new SessionError(REASON_BY_CODE[code] ?? "network", { retryAfter_s: this.retryAfter_s }));
      };
    });
  }

  /** @param {string | ArrayBuffer} data the first message @returns {boolean} */
  isWelcome(data) {
    if (typeof data !== "string") return true;
    const event = JSON.parse(data);
    if (event.type !== "error") return true;
    this.retryAfter_s = event.error?.retry_after_s;
    return false;
  }

  /** @param {WebSocket} socket @param {string | ArrayBuffer} data */
  take(socket, data) {
    if (socket !== this.socket) return;
    this.lastSign = performance.now();
    try {
      const isText = typeof data === "string";
      const item = isText ? JSON.parse(data) : unpack(data);
      // A closing event concerns this socket only: its number is given again after a resume.
      if (item.type !== "troupe.session.closing" && this.isRepeat(item.sequence)) return;
      if (isText) this.takeEvent(item);
      else if (item.kind === AUDIO_OUT) this.dispatchEvent(new CustomEvent("packet", { detail: item }));
    } catch (error) {
      if (!(error instanceof PacketError || error instanceof SyntaxError)) throw error;
      console.warn("A message from the server was unreadable:", error.message);
    }
  }

  /** @param {number | undefined} sequence @returns {boolean} whether a resume sent this again */
  isRepeat(sequence) {
    if (sequence === undefined) return false;
    if (sequence <= this.sequence) return true;
    this.sequence = sequence;
    return false;
  }

  takeEvent(event) {
    if (event.type === "troupe.pong") this.roundTrip_ms = performance.now() - event.t;
    if (event.type === "troupe.session.closing") this.closing = event;
    this.dispatchEvent(new CustomEvent("event", { detail: event }));
  }

  /** @param {object} event @returns {boolean} whether it could be sent */
  send(event) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(event));
    return true;
  }

  /** @param {Int16Array} pcm @param {number} position @returns {boolean} */
  sendAudio(pcm, position) {
    const { uplink, socket } = this;
    if (socket?.readyState !== WebSocket.OPEN || socket.bufferedAmount > MOST_BUFFERED_BYTES) {
      uplink.dropped += 1;
      return false;
    }
    socket.send(packInput({ sequence: uplink.sequence, position, pcm }));
    uplink.sequence += 1;
    uplink.sentSamples += pcm.length;
    return true;
  }

  checkPulse() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (performance.now() - this.lastSign > DEAD_AFTER_MS) {
      this.onCut(this.socket, { code: 1006 });
      return;
    }
    this.send({ type: "troupe.ping", t: performance.now() });
  }

  /** @param {WebSocket} socket @param {{code: number}} event */
  onCut(socket, { code }) {
    if (socket !== this.socket || this.ended) return;
    socket.onclose = null;
    socket.close();
    const { closing } = this;
    this.closing = null;
    if (!RESUMABLE.has(code)) {
      const tooLong = closing?.reason === "limit" && code === TIMED_OUT;
      this.finish(tooLong ? "length" : (closing?.reason ?? REASON_BY_CODE[code] ?? "network"), closing?.message);
      return;
    }
    this.dispatchEvent(new Event("reconnecting"));
    this.resume();
  }

  /** Tries again, less and less often, until the server has surely forgotten the session. */
  async resume() {
    const deadline = performance.now() + this.resumeWindow_s * 1000;
    for (let backoff = FIRST_BACKOFF_MS; performance.now() < deadline; backoff = Math.min(2 * backoff, MOST_BACKOFF_MS)) {
      try {
        const answer = await this.post(`${this.createUrl}${this.sessionId}/resume/`, {});
        if (answer.url) this.url = answer.url;
        await this.connect(answer.token, this.sequence < 0 ? undefined : this.sequence);
        this.dispatchEvent(new Event("reconnected"));
        return;
      } catch (error) {
        if (this.ended) return;
        if (FINAL.has(error.reason)) {
          this.finish(FINAL.get(error.reason));
          return;
        }
      }
      await Promise.race([pause(backoff), new Promise((r) => addEventListener("online", r, { once: true }))]);
      if (this.ended) return;
    }
    this.finish("lost");
  }

  /** @param {string} reason @param {string} [message] */
  finish(reason, message) {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.watch);
    this.socket?.close();
    const detail = { reason, message };
    this.dispatchEvent(new CustomEvent("closed", { detail }));
  }

  /** The user is done. */
  end() {
    this.send({ type: "troupe.end" });
    this.finish("ended");
  }
}
