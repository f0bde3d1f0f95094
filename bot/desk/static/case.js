/** A case, live: messages as they come, replies without leaving the page. */

import { csrf, live, parse, swap, words } from "/desk/static/page.js";

const page = document.querySelector("[data-page=case]");
const url = `/desk/cases/${page.dataset.case}`;
const log = document.querySelector("[data-log]");
const scroller = document.querySelector("[data-scroll]");
const newer = document.querySelector("[data-newer]");
const title = document.title;
const typingSign = document.querySelector("[data-typing]");

const STILL_HERE = 20_000; // milliseconds between two signs that this page is open
const TYPING_FADES = 8_000;
const TYPING_EVERY = 3_000;
const SEND_TIMEOUT = 10_000;
const NEAR = 120; // pixels from the end within which new messages keep the end in view

const fetchNews = live({
  url: () => `${url}/news?after=${newest()}`,
  wants: (name, data) => name === "queue" || (name === "case" && data.id === Number(page.dataset.case)),
  use,
  // A page that nobody sees reads nothing: reading is audited. A dot says that there is something new.
  whileHidden: (name, data) => name === "case" && data.seq > newest() && (document.title = `• ${title}`),
  onTyping: (data) => data.id === Number(page.dataset.case) && showTyping(data.on),
});
setInterval(() => document.visibilityState === "visible" && fetchNews(), STILL_HERE);
addEventListener("pagehide", () =>
  navigator.sendBeacon(`${url}/left`, new URLSearchParams({ csrf_token: csrf })),
);
newer.addEventListener("click", () => toEnd());
scroller.addEventListener("scroll", () => atEnd() && (newer.hidden = true), { passive: true });
addEventListener("scroll", () => atEnd() && (newer.hidden = true), { passive: true });
toEnd();

function use(fresh) {
  document.title = title;
  const unsent = document.querySelector("#text")?.value ?? "";
  swap(fresh);
  const box = document.querySelector("#text");
  if (box && unsent && !box.value) box.value = unsent;
  const wasAtEnd = atEnd();
  let added = false;
  for (const line of fresh.querySelectorAll("[data-seq]")) {
    const old = document.getElementById(line.id);
    if (!old) {
      log.append(document.adoptNode(line));
      added = true;
      if (line.classList.contains("line-you")) showTyping(false);
    } else if (!old.isEqualNode(line)) old.replaceWith(document.adoptNode(line));
  }
  if (!added) return;
  if (wasAtEnd) toEnd();
  else newer.hidden = false;
}

function newest() {
  return Number(log.lastElementChild?.dataset.seq ?? 0);
}

// Where the log scrolls by itself (wide screens) its end counts; on a phone the page scrolls.
function scrolls() {
  return getComputedStyle(scroller).overflowY !== "visible";
}

function atEnd() {
  if (scrolls()) return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
  return document.getElementById("latest").getBoundingClientRect().top < innerHeight + NEAR;
}

function toEnd() {
  newer.hidden = true;
  if (scrolls()) scroller.scrollTop = scroller.scrollHeight;
  else if (document.querySelector("[data-reply]")) document.getElementById("latest").scrollIntoView({ block: "end" });
}

let typingTimer = 0;
function showTyping(on) {
  clearTimeout(typingTimer);
  const wasAtEnd = atEnd();
  typingSign.hidden = !on;
  if (on) typingTimer = setTimeout(() => showTyping(false), TYPING_FADES);
  if (on && wasAtEnd) toEnd();
}

// Replying ----------------------------------------------------------------------------------------
// Listeners sit on the page, because the form is put in anew when somebody takes or loses the case.

page.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-reply]")) return;
  event.preventDefault();
  send(event.target);
});
page.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus(event.target);
  if (event.target.id !== "text" || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});
page.addEventListener("input", (event) => {
  if (event.target.id === "text") tellTyping(true);
  if (event.target.id === "outcome") preview(event.target);
});

let sending = false;
async function send(form) {
  const box = form.elements.text;
  const text = box.value;
  if (sending || !text.trim()) return;
  sending = true;
  form.setAttribute("aria-busy", "true");
  const body = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch(`${form.action}?after=${newest()}`, {
      method: "POST",
      body,
      headers: { "X-CSRF-Token": csrf, "X-Fragment": "1" },
      credentials: "same-origin",
      signal: AbortSignal.timeout(SEND_TIMEOUT),
    });
    const fresh = parse(await answer.text());
    if (answer.ok) {
      // What was typed while it was on its way stays.
      box.value = box.value.startsWith(text) ? box.value.slice(text.length) : box.value;
      // The next message gets its own id; a failed one keeps its id, so that it cannot arrive twice.
      form.elements.client_id.value = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
      problem(form, "");
      lastTold = 0;
      use(fresh);
      toEnd();
    } else {
      problem(form, fresh.querySelector("[data-problem]")?.textContent ?? words("say-unsent", form));
      fetchNews();
    }
  } catch {
    problem(form, words("say-unsent", form));
  } finally {
    sending = false;
    form.removeAttribute("aria-busy");
    document.querySelector("#text")?.focus({ preventScroll: true });
  }
}

function problem(form, text) {
  const line = form.querySelector("[data-reply-problem]");
  line.textContent = text;
  line.hidden = !text;
}

let lastTold = 0;
let idle = 0;
function tellTyping(on) {
  clearTimeout(idle);
  if (on) idle = setTimeout(() => tellTyping(false), TYPING_EVERY + 1_000);
  if (on && performance.now() - lastTold < TYPING_EVERY && lastTold) return;
  lastTold = on ? performance.now() : 0;
  fetch(`${url}/typing`, {
    method: "POST",
    body: new URLSearchParams({ on: on ? "1" : "0" }),
    headers: { "X-CSRF-Token": csrf },
    credentials: "same-origin",
  }).catch(() => {}); // a sign of typing that is lost is lost
}

// Closing -----------------------------------------------------------------------------------------

function preview(box) {
  const shown = document.querySelector("[data-preview]");
  shown.textContent = box.value.trim() || shown.dataset.empty;
  document.querySelector("[data-count]").textContent = String(box.value.length);
}

function closeMenus(from) {
  for (const menu of page.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    if (menu.contains(from)) menu.querySelector("summary").focus();
  }
}
