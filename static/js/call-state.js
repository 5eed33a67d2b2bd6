/**
 * What the call is doing, derived from a handful of facts. Pure: facts change by named happenings, and the state follows
 * from the facts, so no order of events can leave it stuck between two states.
 */

/**
 * @typedef {"idle"|"connecting"|"listening"|"hearing"|"thinking"|"speaking"|"ducked"|"reconnecting"|"ended"} CallState
 *
 * @typedef {object} Facts
 * @property {"idle"|"connecting"|"live"|"reconnecting"|"ended"} phase
 * @property {boolean} ringing connected, and the character has not greeted yet
 * @property {boolean} voice the user's voice is heard now
 * @property {boolean} awaiting the user's turn ended and no answer is heard yet
 * @property {boolean} playing the character's voice is heard now
 * @property {boolean} ducked it was lowered because the user's voice came in
 */

/** @type {Readonly<Facts>} */
export const AT_REST = Object.freeze({
  phase: "idle",
  ringing: false,
  voice: false,
  awaiting: false,
  playing: false,
  ducked: false,
});

const QUIET = { ringing: false, voice: false, awaiting: false, playing: false, ducked: false };

/** @type {Record<string, (facts: Facts) => Partial<Facts>>} */
const CHANGES = {
  dial: () => ({ ...QUIET, phase: "connecting", ringing: true }),
  connected: () => ({ phase: "live" }),
  cut: () => ({ ...QUIET, phase: "reconnecting" }),
  end: () => ({ ...QUIET, phase: "ended" }),
  rest: () => ({ ...QUIET, phase: "idle" }),
  voiceStarted: () => ({ voice: true, ringing: false }),
  // During the character's speech a voice may be a cough: only a turn with nothing playing makes us wait for an answer.
  voiceStopped: (facts) => ({ voice: false, awaiting: !facts.playing }),
  typed: () => ({ awaiting: true, ringing: false }),
  playbackStarted: () => ({ playing: true, awaiting: false, ringing: false }),
  playbackStopped: () => ({ playing: false, ducked: false }),
  ducked: () => ({ ducked: true }),
  restored: () => ({ ducked: false }),
  // The interrupting words are a turn of their own: they want an answer.
  interrupted: (facts) => ({ ducked: false, playing: false, awaiting: !facts.voice }),
  unanswered: () => ({ awaiting: false, ringing: false }),
};

/**
 * @param {Facts} facts
 * @param {keyof typeof CHANGES} happening
 * @returns {Facts}
 */
export function after(facts, happening) {
  const change = CHANGES[happening];
  if (!change) throw new RangeError(`nothing called ${happening} happens in a call`);
  if (facts.phase === "ended" && happening !== "dial" && happening !== "rest") return facts;
  return { ...facts, ...change(facts) };
}

/** @param {Facts} facts @returns {CallState} */
export function stateOf(facts) {
  if (facts.phase !== "live") return facts.phase;
  if (facts.playing) return facts.ducked ? "ducked" : "speaking";
  if (facts.voice) return "hearing";
  if (facts.awaiting) return "thinking";
  return facts.ringing ? "connecting" : "listening";
}
