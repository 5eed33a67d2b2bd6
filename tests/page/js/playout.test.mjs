import assert from "node:assert/strict";
import { test } from "node:test";

import { Playout } from "../../../static/js/playout.js";

const MS = 24;

/** @returns {{response: number, epoch: number, position: number, pcm: Int16Array}} */
function chunk(ms, { response = 1, epoch = 0, at = 0, value = 8192 } = {}) {
  return { response, epoch, position: at * MS, pcm: new Int16Array(ms * MS).fill(value) };
}

function read(playout, ms) {
  const output = new Float32Array(ms * MS);
  playout.read(output);
  return output;
}

const types = (playout) => playout.takeReports().map((report) => report.type);

test("speech waits for a cushion of 80 ms", () => {
  const playout = new Playout();
  playout.push(chunk(40));
  assert.ok(read(playout, 20).every((value) => value === 0));
  playout.push(chunk(40, { at: 40 }));
  assert.ok(read(playout, 20).every((value) => value === 0.25));
  assert.deepEqual(types(playout), ["started"]);
});

test("an answer shorter than the cushion plays once it is complete, and its end is told", () => {
  const playout = new Playout();
  playout.push(chunk(40));
  playout.markComplete(1);
  assert.equal(read(playout, 60).filter((value) => value !== 0).length, 40 * MS);
  const reports = playout.takeReports();
  assert.deepEqual(reports.map((report) => report.type), ["started", "finished"]);
  assert.equal(reports[1].played, 40 * MS);
});

test("what was played is known to the sample", () => {
  const playout = new Playout();
  playout.push(chunk(200));
  playout.read(new Float32Array(1234));
  assert.equal(playout.played, 1234);
  assert.equal(playout.response, 1);
});

test("a flush fades for 5 ms, then there is silence, and the report says what was played", () => {
  const playout = new Playout();
  playout.push(chunk(400));
  read(playout, 100);
  playout.takeReports();
  playout.flush(1);
  const output = read(playout, 50);
  assert.ok(output[0] > 0.2 && output[60] < output[0] && output[60] > 0);
  assert.equal(output[5 * MS - 1], 0);
  assert.ok(output.subarray(5 * MS).every((value) => value === 0));
  const [report] = playout.takeReports();
  assert.deepEqual([report.type, report.response, report.played, report.epoch], ["flushed", 1, 105 * MS, 1]);
});

test("audio of an older epoch never plays after a flush, audio of the new one does", () => {
  const playout = new Playout();
  playout.flush(2);
  playout.push(chunk(200, { epoch: 1 }));
  assert.ok(read(playout, 100).every((value) => value === 0));
  playout.push(chunk(200, { response: 2, epoch: 2, value: 16384 }));
  assert.ok(read(playout, 100).every((value) => value === 0.5));
});

test("a flush keeps what already came of the new epoch", () => {
  const playout = new Playout();
  playout.push(chunk(100));
  playout.push(chunk(100, { response: 2, epoch: 1, value: 16384 }));
  read(playout, 20);
  playout.flush(1);
  const output = read(playout, 50);
  assert.ok(output.subarray(5 * MS).every((value) => value === 0.5));
});

test("after starving, the cushion is thicker, and clean answers thin it again", () => {
  const playout = new Playout();
  playout.push(chunk(80));
  read(playout, 100);
  assert.deepEqual(types(playout), ["started", "starved"]);
  playout.push(chunk(100, { at: 80 }));
  assert.ok(read(playout, 20).every((value) => value === 0), "100 ms are not enough any more");
  playout.push(chunk(60, { at: 180 }));
  read(playout, 160);
  playout.markComplete(1);
  read(playout, 20);
  assert.deepEqual(types(playout), ["resumed", "finished"]);
  const thick = playout.cushion;
  playout.push(chunk(300, { response: 2 }));
  playout.markComplete(2);
  read(playout, 320);
  assert.ok(playout.cushion < thick);
});

test("the cushion never grows beyond 300 ms", () => {
  const playout = new Playout();
  for (let round = 0; round < 12; round += 1) {
    playout.push(chunk(300, { at: round * 300 }));
    read(playout, 320);
  }
  assert.equal(playout.cushion, 300 * MS);
});

test("audio that a resume sends again is played once", () => {
  const playout = new Playout();
  playout.push(chunk(100, { value: 8192 }));
  playout.push(chunk(100, { at: 0, value: 16384 }));
  playout.push(chunk(100, { at: 50, value: 16384 }));
  const output = read(playout, 150);
  assert.equal(output.filter((value) => value === 0.25).length, 100 * MS);
  assert.equal(output.filter((value) => value === 0.5).length, 50 * MS);
});

test("answers follow each other without a gap, each with its own reports", () => {
  const playout = new Playout();
  playout.push(chunk(100));
  playout.markComplete(1);
  playout.push(chunk(100, { response: 2, value: 16384 }));
  const output = read(playout, 200);
  assert.ok(output.every((value) => value !== 0));
  const reports = playout.takeReports();
  assert.deepEqual(reports.map(({ type, response }) => `${type} ${response}`), ["started 1", "finished 1", "started 2"]);
});

test("ducking ramps down and up again without a step", () => {
  const playout = new Playout();
  playout.push(chunk(1000, { value: 32767 }));
  read(playout, 20);
  playout.ramp(-20, 50);
  const down = read(playout, 100);
  for (let i = 1; i < down.length; i += 1) assert.ok(Math.abs(down[i] - down[i - 1]) < 0.002);
  assert.ok(Math.abs(down.at(-1) - 0.1) < 0.001);
  playout.ramp(0, 50);
  assert.ok(Math.abs(read(playout, 100).at(-1) - 1) < 0.001);
});

test("what waits is bounded, and what is refused is counted", () => {
  const playout = new Playout();
  for (let second = 0; second < 30; second += 1) playout.push(chunk(1000, { at: second * 1000 }));
  assert.equal(playout.queued, 20_000 * MS);
  assert.equal(playout.dropped, 10_000 * MS);
});

test("an answer that a rebuilt call will never finish makes room for the next one, with higher numbers", () => {
  const playout = new Playout();
  playout.push(chunk(200, { response: 2, epoch: 1 }));
  read(playout, 200);
  read(playout, 20);
  playout.takeReports();
  playout.markComplete(2);
  assert.deepEqual(types(playout), ["finished"]);
  playout.push(chunk(200, { response: 1003, epoch: 1001 }));
  read(playout, 20);
  assert.deepEqual(types(playout), ["started"]);
  assert.equal(playout.response, 1003);
});
