/** Messages for people: what went wrong, and what they can do. */

import { text } from "./strings.js";

const LASTING = new Set(["error", "warning"]);
const SHORT_MS = 6_000;

export class Notices {
  /** @param {HTMLElement} place a live region */
  constructor(place) {
    this.place = place;
  }

  /**
   * @param {string} key of the text
   * @param {"info"|"warning"|"error"} level
   * @param {{values?: object, action?: {label: string, run: () => void}, message?: string}} [options] `message`: the
   *   server's own words for people, already translated
   */
  show(key, level, { values, action, message } = {}) {
    this.remove(key);
    const notice = document.createElement("div");
    notice.className = `notice notice--${level}`;
    notice.dataset.key = key;
    const words = document.createElement("p");
    words.textContent = message || text(key, values);
    notice.append(words);
    if (action) notice.append(this.button(text(action.label), "notice__action", action.run));
    const close = this.button("\u00d7", "notice__close", () => notice.remove());
    close.setAttribute("aria-label", text("dismiss"));
    notice.append(close);
    this.place.append(notice);
    if (!LASTING.has(level)) setTimeout(() => notice.remove(), SHORT_MS);
  }

  button(label, className, run) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = className;
    button.textContent = label;
    button.addEventListener("click", run);
    return button;
  }

  /** @param {string} key */
  remove(key) {
    this.place.querySelector(`[data-key="${key}"]`)?.remove();
  }

  clear() {
    this.place.replaceChildren();
  }
}
