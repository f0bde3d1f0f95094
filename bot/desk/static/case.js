/** The case page, live: its chat, its notes, its keyboard. */

import { Chat } from "/desk/static/chat.js";
import { keep } from "/desk/static/drafts.js";
import { follow, goAlong, setUpKeys, showTypingIn } from "/desk/static/keys.js";
import { csrf, parse, swap } from "/desk/static/page.js";
import { listen } from "/desk/static/stream.js";

const page = document.querySelector("[data-page=case]");
const title = document.title;

const chat = new Chat(page, { onNews: (missed) => (document.title = missed ? `• ${title}` : title) });
listen((name, data) => name === "typing" && showTypingIn(data.id, data.on));

setUpKeys({
  KeyR: () => chat.box?.focus(),
  KeyI: openReplies,
  KeyN: () => document.getElementById("note")?.focus(),
  KeyJ: () => goAlong(1),
  KeyK: () => goAlong(-1),
  KeyO: () => follow("to-record"),
  KeyQ: () => location.assign("/desk/"),
});

function openReplies() {
  const menu = page.querySelector("[data-replies]");
  if (!menu) return;
  menu.open = true;
  menu.querySelector("a").focus();
}

page.addEventListener("input", (event) => {
  if (event.target.id !== "outcome") return;
  const shown = document.querySelector("[data-preview]");
  shown.textContent = event.target.value.trim() || shown.dataset.empty;
  document.querySelector("[data-count]").textContent = String(event.target.value.length);
});

page.addEventListener("submit", (event) => {
  if (event.target.matches("[data-close]")) keep(page.dataset.case, "");
  if (!event.target.matches("[data-note]")) return;
  event.preventDefault();
  addNote(event.target);
});

/** A note, without leaving the page. What cannot be sent that way is sent as the form that it is. */
async function addNote(form) {
  const box = form.elements.note;
  const text = box.value;
  try {
    const answer = await fetch(`${form.action}?after=999999999`, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { "X-CSRF-Token": csrf, "X-Fragment": "1" },
      credentials: "same-origin",
    });
    if (!answer.ok) return form.submit();
    swap(parse(await answer.text()), page);
    if (box.value === text) box.value = "";
  } catch {
    box.focus();
  }
}
