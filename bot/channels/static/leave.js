/**
 * Leave quickly: blank the screen first, then drop the session, then go, leaving no way back.
 *
 * On its own and loaded first, so that it works while everything else still loads or has failed.
 * Shift three times works with a screen in front of a parent; Esc is the key people reach for.
 */

const PRESSES = 3;
const PAUSE = 3_000; // milliseconds allowed between two presses of Shift

const others = "BroadcastChannel" in window ? new BroadcastChannel("leave") : null;
let gone = false;
let presses = 0;
let timer = 0;

function leave({ tell = true } = {}) {
  if (gone) return;
  gone = true;
  const exit = document.body.dataset.exitUrl;
  document.body.replaceChildren();
  document.body.className = "";
  document.dispatchEvent(new Event("earshot:leave"));
  if (tell) {
    others?.postMessage("leave");
    navigator.sendBeacon("/api/leave");
  }
  location.replace(exit);
}

function count(shift) {
  clearTimeout(timer);
  if (gone) return; // nothing is left on the page that could say how many presses are missing
  presses = shift ? presses + 1 : 0;
  if (presses >= PRESSES) return leave();
  document.dispatchEvent(new CustomEvent("earshot:shift", { detail: PRESSES - presses }));
  if (presses) timer = setTimeout(() => count(false), PAUSE);
}

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-leave]")) return;
  event.preventDefault();
  leave();
}, true);

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.isComposing) return;
  // An open dialog closes with Esc, as dialogs do; Esc again leaves.
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    leave();
  } else {
    count(event.key === "Shift");
  }
}, true);

// A click between two presses means Shift was for selecting, not for leaving.
document.addEventListener("pointerdown", () => presses && count(false), true);

others?.addEventListener("message", () => leave({ tell: false }));

// A page put aside for the Back button shows nothing when it is brought back, until the server
// has said again whose it is.
addEventListener("pagehide", () => document.documentElement.classList.add("put-aside"));
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  if (gone) location.replace(document.body.dataset.exitUrl);
  else location.reload();
});
