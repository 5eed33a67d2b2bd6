/** Samples on the catalogue and character pages: one plays at a time, its progress drawn around its button. */

import { text } from "./strings.js";

/** @type {Sample | null} */
let playing = null;

class Sample {
  /** @param {HTMLButtonElement} button with data-sample, the address of the sound, and data-name */
  constructor(button) {
    this.button = button;
    this.audio = new Audio();
    this.audio.preload = "none";
    this.audio.src = button.dataset.sample;
    this.ring = button.querySelector(".sample__progress");
    this.label = button.querySelector("[data-label]");
    button.addEventListener("click", () => (playing === this ? this.stop() : this.play()));
    this.audio.addEventListener("ended", () => this.stop());
    this.audio.addEventListener("error", () => playing === this && this.fail());
    this.show("sample_play");
  }

  async play() {
    playing?.stop();
    playing = this;
    this.button.classList.add("sample--playing");
    this.show("sample_stop");
    this.follow();
    try {
      await this.audio.play();
    } catch (error) {
      // A second click stops it before it began: that is no failure.
      if (playing === this && error.name !== "AbortError") this.fail();
    }
  }

  stop() {
    this.audio.pause();
    this.audio.currentTime = 0;
    if (playing === this) playing = null;
    this.button.classList.remove("sample--playing");
    this.show("sample_play");
    this.draw(0);
  }

  fail() {
    this.stop();
    this.button.disabled = true;
    this.show("sample_failed");
  }

  follow() {
    if (playing !== this) return;
    this.draw(this.audio.duration ? this.audio.currentTime / this.audio.duration : 0);
    requestAnimationFrame(() => this.follow());
  }

  /** @param {number} share 0..1 */
  draw(share) {
    this.ring?.style.setProperty("stroke-dashoffset", String(100 - 100 * share));
  }

  /** @param {string} key */
  show(key) {
    const words = text(key, { name: this.button.dataset.name });
    this.button.setAttribute("aria-label", words);
    if (this.label) this.label.textContent = text(`${key}_short`);
  }
}

for (const button of document.querySelectorAll("button[data-sample]")) new Sample(button);
