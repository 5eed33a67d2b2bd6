/**
 * The words of both sides, as data. The user's words are revised while they speak; the character's words are shown
 * when they are heard, and an answer that was cut shows only what was heard of it. `captions-view.js` draws it.
 */

/**
 * @typedef {object} Word
 * @property {string} text
 * @property {number} startMs in the response's audio
 * @property {number} endMs
 * @property {boolean} spaced whether a space stands before it
 */

/**
 * @typedef {object} Line
 * @property {string} id of the conversation item
 * @property {"user"|"character"} speaker
 * @property {string} text the user's words, or the character's when no word times come
 * @property {Word[]} words the character's
 * @property {number} shown how many of `words` have been heard
 * @property {boolean} final
 * @property {boolean} cut
 */

/** @param {Word[]} words @returns {string} */
export function spell(words) {
  return words.map((word) => (word.spaced ? " " : "") + word.text).join("");
}

export class Captions {
  constructor() {
    /** @type {Line[]} in the order in which they began */
    this.lines = [];
    /** @type {Map<string, {ordinal: number, itemId: string}>} by response id */
    this.responses = new Map();
    /** @type {Map<string, number>} where the last word of an item ended in its text */
    this.lastChar = new Map();
    /** Called with each line that changed, or null for one that went. @type {(id: string, line: Line | null) => void} */
    this.onChange = () => {};
  }

  /** A new call begins. */
  clear() {
    this.lines = [];
    this.responses.clear();
    this.lastChar.clear();
  }

  /** @param {string} id @param {Line["speaker"]} speaker @returns {Line} */
  line(id, speaker) {
    let line = this.lines.find((known) => known.id === id);
    if (!line) {
      line = { id, speaker, text: "", words: [], shown: 0, final: false, cut: false };
      this.lines.push(line);
    }
    return line;
  }

  /** @param {object} event of the protocol; others are ignored */
  take(event) {
    const handler = HANDLERS[event.type];
    if (handler) handler(this, event);
  }

  /** @param {string} id @param {string} text @param {boolean} final */
  setUserText(id, text, final) {
    if (final && !text.trim()) {
      this.remove(id);
      return;
    }
    const line = this.line(id, "user");
    if (line.final && !final) return;
    line.text = text.trim();
    line.final = final;
    this.onChange(id, line);
  }

  /** @param {string} id */
  remove(id) {
    const index = this.lines.findIndex((line) => line.id === id);
    if (index < 0) return;
    this.lines.splice(index, 1);
    this.onChange(id, null);
  }

  /**
   * Shows the words that were heard by now.
   * @param {number} ordinal of the response playing
   * @param {number} heardMs position in it
   */
  reveal(ordinal, heardMs) {
    for (const { ordinal: known, itemId } of this.responses.values()) {
      if (known !== ordinal) continue;
      const line = this.lines.find((candidate) => candidate.id === itemId);
      if (!line || line.cut) continue;
      const before = line.shown;
      while (line.shown < line.words.length && line.words[line.shown].startMs <= heardMs) line.shown += 1;
      if (line.shown !== before) this.onChange(itemId, line);
    }
  }

  /** The call is over: what was being said has been cut, and what was being recognised stays as it is. */
  hangUp() {
    for (const line of this.lines.filter((unfinished) => !unfinished.final)) this.breakOff(line);
    this.responses.clear();
  }

  /**
   * The call goes on in another process, which knows the turns that were stored: an answer in the making ends with what
   * was heard of it, and half a sentence of the user's was heard by nobody.
   */
  rebuild() {
    for (const line of this.lines.filter((unfinished) => !unfinished.final)) {
      if (line.speaker === "user") this.remove(line.id);
      else this.breakOff(line);
    }
    this.responses.clear();
  }

  /** @param {Line} line */
  breakOff(line) {
    if (line.speaker === "character" && line.shown < line.words.length) this.cut(line, spell(line.words.slice(0, line.shown)));
    else this.settle(line);
  }

  /** @param {Line} line @param {string} text what was heard of it */
  cut(line, text) {
    if (!text.trim()) {
      this.remove(line.id);
      return;
    }
    Object.assign(line, { text, words: [], shown: 0, final: true, cut: true });
    this.onChange(line.id, line);
  }

  /** @param {Line} line */
  settle(line) {
    line.final = true;
    this.onChange(line.id, line);
  }

  /** The response was played to its end. @param {number} ordinal */
  finish(ordinal) {
    this.reveal(ordinal, Infinity);
    for (const [id, { ordinal: known, itemId }] of this.responses) {
      if (known !== ordinal) continue;
      this.responses.delete(id);
      const line = this.lines.find((candidate) => candidate.id === itemId);
      if (line && !line.final) this.settle(line);
    }
  }
}

/** @type {Record<string, (captions: Captions, event: any) => void>} */
const HANDLERS = {
  "troupe.session.ready": (captions, { rebuilt }) => {
    if (rebuilt) captions.rebuild();
  },
  "troupe.caption.partial": (captions, { item_id, text }) => captions.setUserText(item_id, text, false),
  "conversation.item.input_audio_transcription.completed": (captions, { item_id, transcript }) =>
    captions.setUserText(item_id, transcript, true),
  "conversation.item.input_audio_transcription.failed": (captions, { item_id }) => captions.remove(item_id),
  "conversation.item.deleted": (captions, { item_id }) => captions.remove(item_id),
  "conversation.item.added": (captions, { item }) => {
    const typed = (item.content ?? []).filter((part) => part.type === "input_text").map((part) => part.text);
    if (item.role === "user" && typed.length) captions.setUserText(item.id, typed.join(" "), true);
  },
  "troupe.response.started": (captions, event) => {
    captions.responses.set(event.response_id, { ordinal: event.response, itemId: event.item_id });
  },
  "troupe.caption.word": (captions, event) => {
    const line = captions.line(event.item_id, "character");
    const previous = line.words.at(-1);
    if (previous && event.index !== undefined && event.index < line.words.length) return;
    line.words.push({
      text: event.text,
      startMs: event.start_ms,
      endMs: event.end_ms,
      spaced: previous !== undefined && event.char_start > captions.lastChar.get(event.item_id),
    });
    captions.lastChar.set(event.item_id, event.char_end);
  },
  "troupe.caption.cut": (captions, { item_id, text }) => {
    captions.cut(captions.line(item_id, "character"), text);
  },
  "response.output_text.delta": (captions, { item_id, delta }) => {
    const line = captions.line(item_id, "character");
    line.text += delta;
    captions.onChange(item_id, line);
  },
  "response.output_text.done": (captions, { item_id, text }) => {
    const line = captions.line(item_id, "character");
    Object.assign(line, { text, final: true });
    captions.onChange(item_id, line);
  },
};
