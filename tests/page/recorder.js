// Runs before the page's own scripts. Keeps everything that reaches a loudspeaker, and every state the call is in.
(() => {
  const tape = { rate: 0, chunks: [], startedAt: null, states: [] };
  window.testTape = tape;

  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode && !this.isTestTape) {
      const recorder = this.context.createScriptProcessor(2048, 1, 1);
      recorder.isTestTape = true;
      recorder.onaudioprocess = ({ inputBuffer }) => {
        tape.startedAt ??= performance.now();
        tape.rate = inputBuffer.sampleRate;
        tape.chunks.push(Int16Array.from(inputBuffer.getChannelData(0), (value) => Math.round(value * 32767)));
      };
      connect.call(this, recorder);
      connect.call(recorder, target);
    }
    return connect.call(this, target, ...rest);
  };

  tape.take = () => {
    const whole = new Int16Array(tape.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of tape.chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    const bytes = new Uint8Array(whole.buffer);
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return { rate: tape.rate, startedAt: tape.startedAt, pcm: btoa(text), states: tape.states };
  };

  addEventListener("DOMContentLoaded", () => {
    const root = document.getElementById("talk");
    if (!root) return;
    const note = () => {
      if (tape.states.at(-1)?.state !== root.dataset.state) tape.states.push({ state: root.dataset.state, at: performance.now() });
    };
    note();
    new MutationObserver(note).observe(root, { attributes: true, attributeFilter: ["data-state"] });
  });
})();
