import assert from "node:assert/strict";
import { test } from "node:test";

import { AT_REST, after, stateOf } from "../../../static/js/call-state.js";

/** The states that a call goes through. */
function story(...happenings) {
  let facts = AT_REST;
  return happenings.map((happening) => {
    facts = after(facts, happening);
    return stateOf(facts);
  });
}

test("a call begins at rest", () => assert.equal(stateOf(AT_REST), "idle"));

test("a greeting, a question, an answer", () => {
  assert.deepEqual(
    story("dial", "connected", "playbackStarted", "playbackStopped", "voiceStarted", "voiceStopped", "playbackStarted"),
    ["connecting", "connecting", "speaking", "listening", "hearing", "thinking", "speaking"],
  );
});

test("the line rings until the character greets, or the listener speaks first, or nobody ever does", () => {
  assert.deepEqual(story("dial", "connected", "playbackStarted", "playbackStopped").slice(1), ["connecting", "speaking", "listening"]);
  assert.deepEqual(story("dial", "connected", "voiceStarted", "voiceStopped").slice(1), ["connecting", "hearing", "thinking"]);
  assert.deepEqual(story("dial", "connected", "unanswered").slice(1), ["connecting", "listening"]);
});

test("a cough ducks the voice and gives it back, and nobody waits for an answer", () => {
  assert.deepEqual(
    story("dial", "connected", "playbackStarted", "ducked", "restored", "playbackStopped").slice(2),
    ["speaking", "ducked", "speaking", "listening"],
  );
});

test("a murmur that ends before the decision leaves no waiting behind", () => {
  assert.deepEqual(
    story("dial", "connected", "playbackStarted", "voiceStarted", "voiceStopped", "playbackStopped").slice(3),
    ["speaking", "speaking", "listening"],
  );
});

test("an interruption is heard out, then answered", () => {
  assert.deepEqual(
    story("dial", "connected", "playbackStarted", "ducked", "interrupted", "voiceStarted", "playbackStopped", "voiceStopped", "playbackStarted").slice(3),
    ["ducked", "thinking", "hearing", "hearing", "thinking", "speaking"],
  );
});

test("typed words are answered", () => {
  assert.deepEqual(story("dial", "connected", "typed", "playbackStarted").slice(2), ["thinking", "speaking"]);
});

test("an answer that never comes does not leave the page thinking", () => {
  assert.deepEqual(story("dial", "connected", "typed", "unanswered").at(-1), "listening");
});

test("a cut is shown at once and forgotten after the resume", () => {
  assert.deepEqual(story("dial", "connected", "playbackStarted", "cut", "connected").slice(3), ["reconnecting", "listening"]);
});

test("after the end nothing stirs until the next call", () => {
  assert.deepEqual(
    story("dial", "connected", "end", "voiceStarted", "playbackStarted", "connected", "dial").slice(2),
    ["ended", "ended", "ended", "ended", "connecting"],
  );
});

test("an unknown happening is a mistake", () => assert.throws(() => after(AT_REST, "sneezed"), RangeError));
