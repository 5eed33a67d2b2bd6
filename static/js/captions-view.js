/** Draws the captions as a play script: who, then what they say. Scrolls along unless the reader scrolled back. */

import { spell } from "./captions.js";
import { text } from "./strings.js";

const MOST_LINES = 300;
const NEAR_END_PX = 90;

export class CaptionsView {
  /**
   * @param {{list: HTMLElement, scroller: HTMLElement, latest: HTMLElement, announcer: HTMLElement}} parts
   * @param {import("./captions.js").Captions} captions
   * @param {string} characterName
   */
  constructor(parts, captions, characterName) {
    Object.assign(this, parts);
    this.characterName = characterName;
    /** Whether finished lines are read out by a screen reader. */
    this.announces = false;
    /** @type {Map<string, {item: HTMLElement, said: HTMLElement, drawn: number}>} */
    this.rows = new Map();
    this.captions = captions;
    captions.onChange = (id, line) => this.update(id, line);
    this.scroller.addEventListener("scroll", () => this.offerLatest(), { passive: true });
    this.latest.addEventListener("click", () => this.toEnd());
  }

  clear() {
    this.captions.clear();
    this.rows.clear();
    this.list.replaceChildren();
    this.offerLatest();
  }

  /** @param {string} id @param {import("./captions.js").Line | null} line */
  update(id, line) {
    const follow = this.atEnd();
    if (line === null) this.removeRow(id);
    else if (line.speaker === "user" || line.cut || line.text) this.drawText(this.row(line), line);
    else if (line.shown > 0) this.drawWords(this.row(line), line);
    if (line?.final && this.rows.has(id)) this.announce(line);
    if (follow) this.toEnd();
    else this.offerLatest();
  }

  removeRow(id) {
    this.rows.get(id)?.item.remove();
    this.rows.delete(id);
  }

  row(line) {
    const known = this.rows.get(line.id);
    if (known) return known;
    const item = document.createElement("li");
    item.className = `line line--${line.speaker}`;
    const who = document.createElement("p");
    who.className = "line__who";
    who.textContent = line.speaker === "user" ? text("you") : this.characterName;
    const said = document.createElement("p");
    said.className = "line__said";
    said.dir = "auto";
    item.append(who, said);
    this.place(item, line);
    const row = { item, said, drawn: 0 };
    this.rows.set(line.id, row);
    if (this.rows.size > MOST_LINES) this.removeRow(this.rows.keys().next().value);
    return row;
  }

  /** Lines stand in the order in which they began, whichever is drawn first. */
  place(item, line) {
    const { lines } = this.captions;
    const behind = lines.slice(lines.indexOf(line) + 1).find((later) => this.rows.has(later.id));
    this.list.insertBefore(item, behind ? this.rows.get(behind.id).item : null);
  }

  drawText(row, line) {
    row.said.textContent = line.text;
    row.item.classList.toggle("line--forming", !line.final);
    if (!line.cut || row.item.classList.contains("line--cut")) return;
    row.item.classList.add("line--cut");
    const aside = document.createElement("span");
    aside.className = "line__aside";
    aside.textContent = text("cut_aside");
    row.said.append("\u200a\u2014 ", aside);
  }

  drawWords(row, line) {
    row.said.querySelector(".now")?.classList.remove("now");
    for (; row.drawn < line.shown; row.drawn += 1) {
      const word = line.words[row.drawn];
      const span = document.createElement("span");
      span.className = "word";
      span.textContent = word.text;
      row.said.append(word.spaced ? " " : "", span);
    }
    if (!line.final) row.said.lastElementChild?.classList.add("now");
  }

  announce(line) {
    if (!this.announces) return;
    const words = line.text || spell(line.words);
    const who = line.speaker === "user" ? text("you") : this.characterName;
    const note = document.createElement("p");
    note.textContent = `${who}: ${words}`;
    this.announcer.append(note);
    while (this.announcer.childElementCount > 4) this.announcer.firstElementChild.remove();
  }

  atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.offerLatest();
  }

  offerLatest() {
    this.latest.hidden = this.atEnd();
  }
}
