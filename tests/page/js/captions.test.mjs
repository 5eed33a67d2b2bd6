import assert from "node:assert/strict";
import { test } from "node:test";

import { Captions } from "../../../static/js/captions.js";

const TEXT = "Once upon a time";

function withAnswer() {
  const captions = new Captions();
  captions.take({ type: "troupe.response.started", response_id: "r1", item_id: "c1", response: 4, epoch: 0 });
  let char = 0;
  TEXT.split(" ").forEach((text, index) => {
    const start = TEXT.indexOf(text, char);
    captions.take({
      type: "troupe.caption.word", response_id: "r1", item_id: "c1", index, text,
      start_ms: index * 200, end_ms: index * 200 + 180, char_start: start, char_end: start + text.length,
    });
    char = start + text.length;
  });
  return captions;
}

const shown = (line) => line.words.slice(0, line.shown).map((word) => (word.spaced ? " " : "") + word.text).join("");

test("words appear when they are heard, not when they arrive", () => {
  const captions = withAnswer();
  const [line] = captions.lines;
  assert.equal(shown(line), "");
  captions.reveal(4, 210);
  assert.equal(shown(line), "Once upon");
  captions.reveal(3, 5000);
  assert.equal(shown(line), "Once upon", "another answer's clock does not count");
  captions.finish(4);
  assert.equal(shown(line), TEXT);
  assert.ok(line.final);
});

test("Chinese words stand without spaces between them", () => {
  const captions = new Captions();
  captions.take({ type: "troupe.response.started", response_id: "r", item_id: "c", response: 1, epoch: 0 });
  ["你好", "，朋友"].forEach((text, index) =>
    captions.take({ type: "troupe.caption.word", item_id: "c", index, text, start_ms: 0, end_ms: 1, char_start: 2 * index, char_end: 2 * index + text.length }),
  );
  captions.reveal(1, 10);
  assert.equal(shown(captions.lines[0]), "你好，朋友");
});

test("a cut answer shows what was heard and no more", () => {
  const captions = withAnswer();
  captions.reveal(4, 650);
  captions.take({ type: "troupe.caption.cut", item_id: "c1", text: "Once upon a" });
  captions.reveal(4, 5000);
  const [line] = captions.lines;
  assert.deepEqual([line.text, line.cut, line.shown], ["Once upon a", true, 0]);
});

test("an answer of which nothing was heard leaves no line", () => {
  const captions = withAnswer();
  captions.take({ type: "troupe.caption.cut", item_id: "c1", text: "" });
  assert.equal(captions.lines.length, 0);
});

test("the user's words are revised until they are final", () => {
  const captions = new Captions();
  captions.take({ type: "troupe.caption.partial", item_id: "u1", text: "tell me a" });
  captions.take({ type: "troupe.caption.partial", item_id: "u1", text: "tell me a story" });
  captions.take({ type: "conversation.item.input_audio_transcription.completed", item_id: "u1", transcript: "Tell me a story." });
  captions.take({ type: "troupe.caption.partial", item_id: "u1", text: "late" });
  assert.deepEqual(captions.lines.map((line) => [line.text, line.final]), [["Tell me a story.", true]]);
});

test("a voice without words leaves no line", () => {
  const captions = new Captions();
  captions.take({ type: "troupe.caption.partial", item_id: "u1", text: "hm" });
  captions.take({ type: "conversation.item.input_audio_transcription.completed", item_id: "u1", transcript: "" });
  assert.equal(captions.lines.length, 0);
});

test("typed words are a line of the user; the character's items are not", () => {
  const captions = new Captions();
  captions.take({ type: "conversation.item.added", item: { id: "u", role: "user", content: [{ type: "input_text", text: "hello" }] } });
  captions.take({ type: "conversation.item.added", item: { id: "c", role: "assistant", content: [] } });
  assert.deepEqual(captions.lines.map((line) => [line.speaker, line.text]), [["user", "hello"]]);
});

test("a word that a resume repeats stands once", () => {
  const captions = withAnswer();
  captions.take({ type: "troupe.caption.word", item_id: "c1", index: 1, text: "upon", start_ms: 200, end_ms: 380, char_start: 5, char_end: 9 });
  captions.finish(4);
  assert.equal(shown(captions.lines[0]), TEXT);
});

test("hanging up cuts what is being said at the word that was heard", () => {
  const captions = withAnswer();
  captions.reveal(4, 210);
  captions.take({ type: "troupe.caption.partial", item_id: "u1", text: "good" });
  captions.hangUp();
  assert.deepEqual(captions.lines.map((line) => [line.text, line.cut, line.final]), [["Once upon", true, true], ["good", false, true]]);
});

test("a call that was rebuilt elsewhere keeps what was heard and forgets what nobody will finish", () => {
  const captions = withAnswer();
  captions.reveal(4, 210);
  captions.take({ type: "troupe.caption.partial", item_id: "u9", text: "and then" });
  captions.take({ type: "troupe.session.ready", resumed: true, rebuilt: false });
  assert.equal(captions.lines.length, 2, "a mere reconnection changes nothing");
  captions.take({ type: "troupe.session.ready", resumed: true, rebuilt: true });
  assert.deepEqual(captions.lines.map(({ id, text, final, cut }) => ({ id, text, final, cut })), [
    { id: "c1", text: "Once upon", final: true, cut: true },
  ]);
  captions.take({ type: "troupe.caption.cut", item_id: "c1", text: "Once" });
  assert.equal(captions.lines[0].text, "Once", "the transcript has the last word");
});
