/**
 * Alerts in this browser: a notification and a sound when its person is asked.
 *
 * Every open page hears of an alert; one of them, whoever gets the lock first, shows it. What was shown is
 * kept by its number, so that a page that comes back to the stream does not show it again.
 */

import { listen } from "/desk/static/stream.js";
import { words } from "/desk/static/page.js";

const CHOICE = "earshot-alerts"; // "on" when somebody chose it in this browser
const SHOWN = "earshot-alerted"; // the number of the newest alert that was shown

/** Two tones for a case, four higher ones for an immediate one: Hz, one after the other. */
const TONES = { immediate: [880, 1175, 880, 1175], other: [659, 880] };
const TONE = 0.18; // seconds

let audio = null;

const chosen = () => localStorage.getItem(CHOICE) === "on";
const mayNotify = () => "Notification" in window && Notification.permission === "granted";

/** Browsers let a page sound only after somebody has touched it. */
for (const name of ["pointerdown", "keydown"]) addEventListener(name, wakeAudio, { passive: true });

function wakeAudio() {
  if (!chosen()) return;
  audio ??= new AudioContext();
  if (audio.state === "suspended") audio.resume();
}

listen((name, data) => name === "alert" && chosen() && once(data));

async function once(alert) {
  if (!navigator.locks) return show(alert);
  await navigator.locks.request(CHOICE, () => {
    if (Number(localStorage.getItem(SHOWN)) >= alert.id) return;
    localStorage.setItem(SHOWN, alert.id);
    show(alert);
  });
}

function show(alert) {
  document.dispatchEvent(new CustomEvent("earshot-alert", { detail: alert }));
  sound(TONES[alert.level] ?? TONES.other);
  if (!mayNotify()) return;
  const notice = new Notification(words(alert.level === "immediate" ? "say-alert-immediate" : "say-alert"), {
    tag: `earshot-${alert.id}`,
    icon: "/desk/static/desk.svg",
    requireInteraction: alert.level === "immediate",
  });
  notice.onclick = () => {
    window.focus();
    if (alert.case) location.assign(`/desk/cases/${alert.case}`);
    notice.close();
  };
}

function sound(tones) {
  if (audio?.state !== "running") return;
  const begin = audio.currentTime + 0.02;
  tones.forEach((hertz, at) => {
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    const start = begin + at * TONE;
    tone.frequency.value = hertz;
    loudness.gain.setValueAtTime(0, start);
    loudness.gain.linearRampToValueAtTime(0.4, start + 0.02);
    loudness.gain.linearRampToValueAtTime(0, start + TONE);
    tone.connect(loudness).connect(audio.destination);
    tone.start(start);
    tone.stop(start + TONE);
  });
}

const box = document.querySelector("[data-browser-alerts]");
if (box) {
  const part = (name) => box.querySelector(`[data-alerts-${name}]`);

  part("on").addEventListener("click", async () => {
    localStorage.setItem(CHOICE, "on");
    wakeAudio();
    if ("Notification" in window && Notification.permission === "default") await Notification.requestPermission();
    draw();
    part("try").focus();
  });
  part("off").addEventListener("click", () => {
    localStorage.removeItem(CHOICE);
    draw();
    part("on").focus();
  });
  part("try").addEventListener("click", () => {
    wakeAudio();
    show({ id: 0, case: 0, level: "immediate" });
  });

  function draw() {
    const on = chosen();
    part("on").hidden = on;
    part("off").hidden = part("try").hidden = !on;
    part("state").textContent = words(on ? (mayNotify() ? "say-alerts-on" : "say-alerts-sound") : "say-alerts-off");
    box.hidden = box.hasAttribute("data-until-on") && on;
  }
  draw();
}
