/** The talk page: one big control, the light around the portrait, captions, and everything else wired to one call. */

import { Call } from "./call.js";
import { CaptionsView } from "./captions-view.js";
import { Captions } from "./captions.js";
import { Controls } from "./controls.js";
import { Halo } from "./halo.js";
import { Notices } from "./notices.js";
import { Status } from "./status.js";
import { text } from "./strings.js";

const config = JSON.parse(document.getElementById("talk-config").textContent);
const root = document.getElementById("talk");
const { name } = root.dataset;
const element = (id) => document.getElementById(id);

const captions = new Captions();
const view = new CaptionsView(
  { list: element("captions"), scroller: element("script"), latest: element("latest"), announcer: element("announcer") },
  captions,
  name,
);
const call = new Call(
  {
    slug: config.slug,
    createUrl: config.create_url,
    csrf: root.dataset.csrf,
    worklets: root.dataset.worklets.trim().split(/\s+/),
  },
  captions,
);
const halo = new Halo(element("halo"), root);
const notices = new Notices(element("notices"));
const status = new Status(root, name);
const controls = new Controls(root, call);
const button = element("call");

/** What was chosen before the call: the call begins with it. */
let wishes = { activity: new URLSearchParams(location.search).get("activity") };

function start(withMicrophone) {
  notices.clear();
  view.clear();
  showMore(false);
  root.dataset.microphone = String(withMicrophone);
  const { style, voice } = wishes;
  call.start({ withMicrophone, style, voice });
}

function press() {
  const { phase } = call.facts;
  if (phase === "idle" || phase === "ended") start(true);
  else call.end();
}

function fulfilWishes() {
  const { words, activity } = wishes;
  wishes = {};
  if (words) call.sendText(words);
  else if (activity) call.startActivity(activity);
}

function showState({ state }) {
  status.show(state);
  const live = !["idle", "ended"].includes(state);
  const label = { idle: "talk", ended: "talk_again", connecting: "cancel" }[state] ?? "end";
  element("call-label").textContent = text(label);
  button.setAttribute("aria-label", text(`${label}_label`, { name }));
  button.classList.toggle("call--live", live);
  controls.setLive(live && state !== "connecting");
  if (live) draw();
}

/** @param {boolean} open */
function showMore(open) {
  element("wings-panel").hidden = !open;
  element("more").setAttribute("aria-expanded", String(open));
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  const picture = () => {
    halo.draw({ state: call.state, muted: call.muted, ...call.levels() });
    call.revealWords();
    drawing = !["idle", "ended"].includes(call.state);
    if (drawing) requestAnimationFrame(picture);
    else halo.rest();
  };
  requestAnimationFrame(picture);
}

/** Pictures stop in a hidden tab; the words must not. */
setInterval(() => document.hidden && call.revealWords(), 500);

function showClosed({ reason, message, retryAfter_s }) {
  captions.hangUp();
  const calm = ["ended", "farewell"].includes(reason);
  if (calm) return;
  const key = `closed_${reason}`;
  const known = text(key) !== key;
  const values = { name, seconds: Math.ceil(retryAfter_s ?? 10) };
  notices.show(known ? key : "closed_failed", "error", {
    values,
    action: { label: "try_again", run: () => start(root.dataset.microphone === "true") },
  });
  if (message) console.info("The server said:", message);
}

call.addEventListener("state", ({ detail }) => showState(detail));
call.addEventListener("closed", ({ detail }) => showClosed(detail));
call.addEventListener("notice", ({ detail }) => notices.show(detail.key, detail.level, { values: { name } }));
call.addEventListener("latency", ({ detail }) => status.showLatency(detail));
call.addEventListener("ready", ({ detail }) => {
  controls.showReady(detail);
  status.countDown(detail.remaining_s);
  fulfilWishes();
});
call.addEventListener("sound", ({ detail }) => {
  if (!detail.paused) notices.remove("sound_paused");
  else {
    const action = { label: "sound_resume", run: () => call.resumeSound() };
    notices.show("sound_paused", "warning", { action });
  }
});
root.addEventListener("wish", ({ detail }) => {
  wishes = { ...wishes, ...detail };
  if (detail.style) controls.showStyle(detail.style);
  const begins = detail.words || detail.activity;
  if (begins && ["idle", "ended"].includes(call.state)) start(!detail.words);
});
root.addEventListener("volume", ({ detail }) => {
  view.announces = element("announce").checked || detail.volume === 0;
});
element("announce").addEventListener("change", ({ target }) => {
  view.announces = target.checked || call.volume === 0;
});
element("type-instead").addEventListener("click", () => {
  start(false);
  element("say-text").focus();
});
element("more").addEventListener("click", () => showMore(element("wings-panel").hidden));
button.addEventListener("click", press);
element("face").addEventListener("click", () => ["idle", "ended"].includes(call.state) && start(true));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && call.facts.phase === "live") call.keepAwake();
});
addEventListener("themechange", () => halo.readColours());
addEventListener("pagehide", () => call.facts.phase !== "idle" && call.facts.phase !== "ended" && call.end());
addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLElement && event.target.closest("input, select, textarea");
  if (event.key.toLowerCase() === "m" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !controls.mute.disabled) {
    call.setMuted(!call.muted);
  }
});

showMore(matchMedia("(min-width: 60rem) and (min-height: 46rem)").matches);
// Until here a press would have been lost.
for (const id of ["call", "type-instead"]) element(id).disabled = false;
status.show("idle");
controls.showStyle(config.style);
if (!window.isSecureContext) notices.show("microphone_insecure", "warning");
