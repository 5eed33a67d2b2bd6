/**
 * The light around the portrait. The character's voice radiates outward in its own colour; the user's voice moves the
 * outer ring of ticks inward. So one glance tells who is speaking and who is listening. With reduced motion nothing
 * travels: only thickness and brightness follow the voices.
 */

import { Envelope } from "./meters.js";

const TICKS = 84;
const WAVES = 4;
const WAVE_DELAY = 5; // pictures between one ring and the next
const FACE = 0.31; // radii as shares of the canvas
const OUTER = 0.475;

/** @typedef {{state: string, input: number, output: number, muted: boolean}} Picture */

export class Halo {
  /** @param {HTMLCanvasElement} canvas @param {HTMLElement} coloured element whose --accent and --listen colour it */
  constructor(canvas, coloured) {
    this.canvas = canvas;
    this.coloured = coloured;
    this.pen = canvas.getContext("2d");
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.input = new Envelope(0.6, 0.15);
    this.output = new Envelope(0.5, 0.12);
    this.inputs = new Float32Array(TICKS / 2 + 1);
    this.outputs = new Float32Array(WAVES * WAVE_DELAY + 1);
    this.time = 0;
    new ResizeObserver(() => this.fit()).observe(canvas);
    this.fit();
  }

  fit() {
    const size = this.canvas.clientWidth * Math.min(2, devicePixelRatio);
    if (size && this.canvas.width !== size) this.canvas.width = this.canvas.height = size;
    this.readColours();
    this.draw({ state: "idle", input: 0, output: 0, muted: false });
  }

  readColours() {
    const style = getComputedStyle(this.coloured);
    this.accent = style.getPropertyValue("--glow").trim() || "#b4552d";
    this.listen = style.getPropertyValue("--listen").trim() || "#2b7a78";
    this.line = style.getPropertyValue("--line-strong").trim() || "#c9bba8";
  }

  /** Nobody is here any more. */
  rest() {
    this.input.value = this.output.value = 0;
    this.inputs.fill(0);
    this.outputs.fill(0);
    this.draw({ state: "idle", input: 0, output: 0, muted: false });
  }

  /** @param {Picture} picture */
  draw(picture) {
    const { pen, canvas } = this;
    const size = canvas.width;
    this.time += this.still.matches ? 0 : 1 / 60;
    this.remember(picture);
    pen.clearRect(0, 0, size, size);
    pen.save();
    pen.translate(size / 2, size / 2);
    this.drawWaves(size, picture);
    this.drawTicks(size, picture);
    if (picture.state === "thinking") this.drawThought(size);
    if (picture.state === "connecting" || picture.state === "reconnecting") this.drawSearch(size);
    pen.restore();
  }

  remember({ input, output }) {
    this.inputs.copyWithin(1, 0);
    this.inputs[0] = this.input.follow(input);
    this.outputs.copyWithin(1, 0);
    this.outputs[0] = this.output.follow(output);
  }

  /** Rings of the character's voice, each a moment later than the one inside it. */
  drawWaves(size, { state }) {
    const { pen } = this;
    pen.fillStyle = this.accent;
    for (let wave = WAVES - 1; wave >= 0; wave -= 1) {
      const level = this.outputs[this.still.matches ? 0 : wave * WAVE_DELAY];
      const breath = state === "idle" ? 0.15 : 0.1 + 0.05 * Math.sin(this.time * 1.6);
      const reach = (0.012 + 0.028 * wave) * (breath + 1.35 * level);
      pen.globalAlpha = 0.1 + 0.16 * level + (wave === 0 ? 0.12 : 0);
      pen.beginPath();
      pen.arc(0, 0, size * Math.min(OUTER, FACE + reach + 0.004), 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  /** The user's voice: loudest at the bottom, running up both sides. */
  drawTicks(size, { state, muted }) {
    const listening = ["listening", "hearing", "speaking", "ducked", "thinking"].includes(state);
    const { pen } = this;
    pen.strokeStyle = listening && !muted ? this.listen : this.line;
    pen.lineCap = "round";
    pen.lineWidth = Math.max(1.5, size * 0.0055);
    const base = state === "listening" || state === "hearing" ? 0.75 : 0.38;
    for (let tick = 0; tick < TICKS; tick += 1) {
      const age = Math.min(tick, TICKS - tick);
      const level = listening ? this.inputs[this.still.matches ? 0 : Math.floor(age * 0.8)] : 0;
      const angle = Math.PI / 2 + (tick / TICKS) * 2 * Math.PI;
      const length = size * (0.002 + 0.085 * level * (1 - (0.5 * age) / (TICKS / 2)));
      pen.globalAlpha = listening ? Math.min(1, base + level) : 0.3;
      const [x, y] = [Math.cos(angle), Math.sin(angle)];
      pen.beginPath();
      pen.moveTo(x * size * OUTER, y * size * OUTER);
      pen.lineTo(x * (size * OUTER - length), y * (size * OUTER - length));
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /** Three lights going round while the answer is made. */
  drawThought(size) {
    const { pen } = this;
    pen.fillStyle = this.accent;
    for (let light = 0; light < 3; light += 1) {
      const angle = this.time * 2.4 + light * 0.42;
      pen.globalAlpha = 0.9 - light * 0.25;
      pen.beginPath();
      pen.arc(Math.cos(angle) * size * 0.385, Math.sin(angle) * size * 0.385, size * (0.017 - light * 0.003), 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  drawSearch(size) {
    const { pen } = this;
    pen.strokeStyle = this.accent;
    pen.lineWidth = size * 0.01;
    pen.lineCap = "round";
    pen.beginPath();
    pen.arc(0, 0, size * 0.385, this.time * 3, this.time * 3 + 1.4);
    pen.stroke();
  }
}
