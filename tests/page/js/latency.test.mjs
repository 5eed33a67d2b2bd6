import assert from "node:assert/strict";
import { test } from "node:test";

import { ResponseClock } from "../../../static/js/latency.js";

/** A second of packets, 20 ms each, captured from `start` on. */
function clockWithSpeech(start = 1000) {
  const clock = new ResponseClock();
  for (let packet = 1; packet <= 50; packet += 1) clock.packetSent(packet * 480, start + packet * 20);
  return clock;
}

test("the clock runs from the last sample of the voice to the first sound of the answer", () => {
  const clock = clockWithSpeech();
  clock.voiceStopped(600, 2000);
  assert.equal(clock.answerHeard(2050), 2050 - 1600);
});

test("only the first sound after a turn counts", () => {
  const clock = clockWithSpeech();
  clock.voiceStopped(600, 2000);
  clock.answerHeard(2050);
  assert.equal(clock.answerHeard(3000), null);
});

test("speech that nobody asked for has no latency", () => assert.equal(clockWithSpeech().answerHeard(5000), null));

test("typed words count from when they were sent", () => {
  const clock = new ResponseClock();
  clock.typed(100);
  assert.equal(clock.answerHeard(350), 250);
});

test("after a cut nothing is claimed that cannot be known", () => {
  const clock = clockWithSpeech();
  clock.distrust();
  clock.voiceStopped(600, 2000);
  assert.equal(clock.answerHeard(2050), null);
});
