/** Everything one can press or turn during a call, apart from the one big control. */

import { text } from "./strings.js";

const VOLUME_KEY = "troupe.volume";

/** @returns {number} 0..1 */
function storedVolume() {
  try {
    const value = Number(localStorage.getItem(VOLUME_KEY) ?? 1);
    return value >= 0 && value <= 1 ? value : 1;
  } catch {
    return 1;
  }
}

export class Controls {
  /**
   * @param {HTMLElement} root
   * @param {import("./call.js").Call} call
   */
  constructor(root, call) {
    this.root = root;
    this.call = call;
    this.mute = root.querySelector("#mute");
    this.volume = root.querySelector("#volume");
    this.say = root.querySelector("#say");
    this.sayText = root.querySelector("#say-text");
    this.styles = root.querySelector("#styles");
    this.voices = root.querySelector("#voices");
    this.activities = root.querySelector("#activities");
    this.wire();
    this.setVolume(storedVolume());
    this.setLive(false);
  }

  wire() {
    this.mute.addEventListener("click", () => this.call.setMuted(!this.call.muted));
    this.call.addEventListener("muted", ({ detail }) => this.showMuted(detail.muted));
    this.volume.addEventListener("input", () => this.setVolume(Number(this.volume.value)));
    this.say.addEventListener("submit", (event) => this.onSay(event));
    this.styles.addEventListener("click", ({ target }) => this.onChip(target, "style"));
    this.activities.addEventListener("click", ({ target }) => this.onChip(target, "activity"));
    this.voices.addEventListener("change", () => this.onVoice());
    this.call.addEventListener("style", ({ detail }) => this.showStyle(detail.style));
    this.call.addEventListener("voice", ({ detail }) => this.showVoice(detail.voice));
    this.call.addEventListener("notice", ({ detail }) => detail.key === "voice_unsupported" && this.showVoice(this.voice));
    this.call.addEventListener("activity", ({ detail }) => this.showActivity(detail));
    this.call.addEventListener("microphone", ({ detail }) => this.showMicrophone(detail.available));
  }

  /** @param {EventTarget | null} target @param {"style"|"activity"} kind */
  onChip(target, kind) {
    const chip = target instanceof Element ? target.closest(`[data-${kind}]`) : null;
    if (!(chip instanceof HTMLElement)) return;
    const slug = chip.dataset[kind];
    if (this.call.facts.phase !== "live") {
      // Before the call a chip is a wish: the next call begins with it.
      this.root.dispatchEvent(new CustomEvent("wish", { detail: { [kind]: slug } }));
      return;
    }
    if (kind === "style") this.call.setStyle(slug);
    else this.call.startActivity(slug);
  }

  /** @param {string} voice the one that speaks */
  showVoice(voice) {
    this.voice = this.voices.value = voice;
  }

  onVoice() {
    const voice = this.voices.value;
    if (this.call.facts.phase === "live") this.call.setVoice(voice);
    else this.root.dispatchEvent(new CustomEvent("wish", { detail: { voice } }));
  }

  /** @param {SubmitEvent} event */
  onSay(event) {
    event.preventDefault();
    const words = this.sayText.value.trim();
    if (!words) return;
    if (this.call.facts.phase !== "live") {
      this.root.dispatchEvent(new CustomEvent("wish", { detail: { words } }));
      this.sayText.value = "";
    } else if (this.call.sendText(words)) this.sayText.value = "";
  }

  /** @param {boolean} live */
  setLive(live) {
    this.mute.disabled = !live || this.root.dataset.microphone !== "true";
  }

  showMuted(muted) {
    this.mute.setAttribute("aria-pressed", String(muted));
    this.mute.setAttribute("aria-label", text(muted ? "unmute" : "mute"));
    this.mute.title = text(muted ? "unmute" : "mute");
    this.root.dataset.muted = String(muted);
  }

  /** @param {boolean} available */
  showMicrophone(available) {
    this.root.dataset.microphone = String(available);
    this.mute.disabled = !available;
  }

  /** @param {number} volume 0..1 */
  setVolume(volume) {
    this.volume.value = String(volume);
    this.volume.style.setProperty("--filled", `${Math.round(volume * 100)}%`);
    this.call.setVolume(volume);
    try {
      localStorage.setItem(VOLUME_KEY, String(volume));
    } catch {
      // the setting lasts for this page
    }
    this.root.dispatchEvent(new CustomEvent("volume", { detail: { volume } }));
  }

  /** @param {string} slug */
  showStyle(slug) {
    for (const chip of this.styles.querySelectorAll("[data-style]")) {
      chip.setAttribute("aria-pressed", String(chip.dataset.style === slug));
    }
  }

  /** @param {{activity: string, state: string}} event */
  showActivity({ activity, state }) {
    for (const chip of this.activities.querySelectorAll("[data-activity]")) {
      const running = chip.dataset.activity === activity && state !== "finished";
      chip.setAttribute("aria-pressed", String(running));
      chip.dataset.progress = chip.dataset.activity === activity ? state : "";
    }
  }

  /** What the server offers replaces what the page guessed. @param {any} ready the `troupe.session.ready` event */
  showReady(ready) {
    if (ready.voices?.length) this.fillVoices(ready.voices);
    this.showVoice(ready.voice);
    this.showStyle(ready.style);
  }

  /** @param {{slug: string, title: string}[]} voices */
  fillVoices(voices) {
    const options = voices.map(({ slug, title }) => new Option(title, slug));
    this.voices.replaceChildren(...options);
  }
}
