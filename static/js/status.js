/** The line that says what the call is doing, and the small print: connection, latency, time left. */

import { text } from "./strings.js";

const STAGES = ["turn_decided", "transcript_ready", "first_words", "first_audio", "sent"];
const FRAME_MS = 40;
const SHOW_REMAINING_BELOW_S = 600;

/** @param {number} ms @returns {string} */
const seconds = (ms) => (ms / 1000).toFixed(2);

export class Status {
  /** @param {HTMLElement} root @param {string} name of the character */
  constructor(root, name) {
    this.root = root;
    this.name = name;
    this.line = root.querySelector("#status");
    this.announcer = root.querySelector("#status-announcer");
    this.latency = root.querySelector("#latency");
    this.stages = root.querySelector("#latency-stages");
    this.remaining = root.querySelector("#remaining");
    this.latency.addEventListener("click", () => this.toggleStages());
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.toggleStages(false));
  }

  /** @param {string} state of the call */
  show(state) {
    const words = text(`state_${state}`, { name: this.name });
    this.root.dataset.state = state;
    this.line.textContent = words;
    if (state === "ended" || state === "idle") this.stopCountdown();
    this.announce(state, words);
  }

  /** A screen reader hears of changes of the call, not of each turn: it would talk over both speakers. */
  announce(state, words) {
    const matters = ["connecting", "reconnecting", "ended"].includes(state);
    const first = state === "listening" && this.announced !== "listening";
    if (!matters && !first) return;
    this.announced = state;
    this.announcer.textContent = words;
  }

  /** @param {{ms: number, stages?: Record<string, number>, roundTrip_ms?: number, lateFrames: number}} latency */
  showLatency({ ms, stages, roundTrip_ms: roundTrip, lateFrames }) {
    this.latency.hidden = false;
    this.latency.textContent = text("answered_in", { seconds: seconds(ms) });
    this.stages.replaceChildren();
    for (const name of STAGES) {
      if (stages?.[name] !== undefined) this.addStage(text(`stage_${name}`), stages[name], ms);
    }
    this.addStage(text("stage_heard"), ms, ms);
    if (roundTrip) this.addStage(text("round_trip"), roundTrip, 0);
    if (lateFrames) this.addStage(text("late_sound"), lateFrames * FRAME_MS, 0);
  }

  /** @param {string} label @param {number} ms @param {number} whole of which `ms` is a part; 0: of nothing */
  addStage(label, ms, whole) {
    const term = document.createElement("dt");
    term.textContent = label;
    const value = document.createElement("dd");
    value.textContent = `${Math.round(ms)} ms`;
    value.style.setProperty("--share", String(whole ? Math.min(1, ms / whole) : 0));
    this.stages.append(term, value);
  }

  toggleStages(open = this.stages.hidden) {
    this.stages.hidden = !open;
    this.latency.setAttribute("aria-expanded", String(open));
  }

  /** @param {number | null} remaining_s null: no limit */
  countDown(remaining_s) {
    this.stopCountdown();
    if (remaining_s === null || remaining_s === undefined) return;
    const end = performance.now() + remaining_s * 1000;
    const show = () => {
      const left = Math.max(0, Math.round((end - performance.now()) / 1000));
      this.remaining.hidden = left > SHOW_REMAINING_BELOW_S;
      const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      this.remaining.textContent = text("time_left", { time: clock });
    };
    show();
    this.timer = setInterval(show, 1000);
  }

  stopCountdown() {
    clearInterval(this.timer);
    this.remaining.hidden = true;
  }
}
