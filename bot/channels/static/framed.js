/**
 * Inside a frame on another website: leaving takes that page along, Esc puts the chat away, and where the
 * browser keeps no session for a frame, the page around is asked to offer the chat in its own window.
 */

const around = (word) => parent.postMessage({ earshot: word }, "*"); // nothing secret: any page may hear it

document.addEventListener("earshot:leave", () => around("leave"));

// Before leave.js hears it, for which Esc means to leave: the page around is not ours, and may stay.
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || document.querySelector("dialog[open]")) return;
  event.stopImmediatePropagation();
  event.preventDefault();
  around("close");
}, true);

addEventListener("message", ({ source, data }) => {
  if (source === parent && data?.earshot === "leave") document.querySelector("[data-leave]")?.click();
});

const started = new PerformanceObserver(async (list) => {
  if (!list.getEntries().some(({ name }) => name.endsWith("/api/conversations"))) return;
  started.disconnect();
  const answer = await fetch("/api/transcript", { cache: "no-store", headers: { "Earshot-Framed": "1" } });
  if (answer.status === 401) around("blocked");
});
started.observe({ type: "resource" });
