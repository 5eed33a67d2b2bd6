import assert from "node:assert/strict";
import { test } from "node:test";

import { Resampler } from "../../../static/js/resampler.js";

const SECONDS = 0.5;

function sine(rate, hz, seconds = SECONDS) {
  return Float32Array.from({ length: rate * seconds }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));
}

/** Pushes in uneven blocks, as a browser may, and pulls what is there. */
function convert(input, from, to) {
  const resampler = new Resampler(from, to);
  const pieces = [];
  for (let start = 0, block = 1; start < input.length; start += block, block = (block * 7 + 3) % 400 || 1) {
    resampler.push(input.subarray(start, start + block));
    const out = new Float32Array(2000);
    pieces.push(out.slice(0, resampler.pull(out)));
  }
  return Float32Array.from(pieces.flatMap((piece) => [...piece]));
}

/** Amplitude of one frequency in the middle of a signal, away from its edges. */
function amplitude(signal, rate, hz) {
  const middle = signal.subarray(signal.length >> 2, signal.length - (signal.length >> 2));
  let [re, im, weight] = [0, 0, 0];
  middle.forEach((value, i) => {
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / middle.length);
    re += window * value * Math.cos((2 * Math.PI * hz * i) / rate);
    im += window * value * Math.sin((2 * Math.PI * hz * i) / rate);
    weight += window;
  });
  return (2 * Math.hypot(re, im)) / weight;
}

for (const [from, to] of [[48000, 24000], [44100, 24000], [24000, 48000], [24000, 44100], [16000, 24000], [24000, 24000], [96000, 24000]]) {
  test(`${from} to ${to} Hz keeps length and a 1 kHz tone`, () => {
    const output = convert(sine(from, 1000), from, to);
    assert.ok(Math.abs(output.length - to * SECONDS) <= 40 * Math.max(1, to / from), `length ${output.length}`);
    assert.ok(Math.abs(amplitude(output, to, 1000) - 1) < 0.005);
  });
}

test("what lies above the new Nyquist frequency is gone, not folded down", () => {
  const output = convert(sine(48000, 15000), 48000, 24000);
  assert.ok(amplitude(output, 24000, 9000) < 0.001);
});

test("the speech band passes up to 10 kHz", () => {
  assert.ok(amplitude(convert(sine(48000, 10000), 48000, 24000), 24000, 10000) > 0.97);
});

test("the images of upsampling are gone", () => {
  assert.ok(amplitude(convert(sine(24000, 5000), 24000, 48000), 48000, 19000) < 0.001);
});

test("so many inputs as it says it needs are enough for so many outputs, and one fewer is not", () => {
  for (const [from, to] of [[24000, 48000], [24000, 44100], [48000, 24000]]) {
    const resampler = new Resampler(from, to);
    for (let block = 0; block < 50; block += 1) {
      const needed = resampler.needed(128);
      if (needed > 0) {
        resampler.push(new Float32Array(needed - 1));
        assert.equal(resampler.needed(128), 1);
        resampler.push(new Float32Array(1));
      }
      assert.equal(resampler.pull(new Float32Array(128)), 128);
    }
  }
});

test("an odd rate is converted too", () => {
  assert.ok(Math.abs(amplitude(convert(sine(44056, 1000), 44056, 24000), 24000, 1000) - 1) < 0.01);
});
