/** The record saves as somebody writes. Where two people write at once, both versions are shown. */

import { csrf, parse, words } from "/desk/static/page.js";
import { setUpKeys, follow } from "/desk/static/keys.js";

const PAUSE = 1_500; // milliseconds without a key after which it saves
const AGAIN = 5_000; // milliseconds until it tries again

document.documentElement.classList.add("js");
const page = document.querySelector("[data-page=record]");
let timer = 0;
let saving = false;
let dirty = false;

page.addEventListener("input", () => later(PAUSE));
page.addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
addEventListener("beforeunload", (event) => dirty && event.preventDefault());
setUpKeys({ KeyC: () => follow("to-case"), KeyS: save, KeyL: () => follow("to-letter") });

const form = () => page.querySelector("[data-record]");
const say = (text) => {
  const line = page.querySelector("[data-saved]");
  if (line && line.textContent !== text) line.textContent = text;
};

function later(wait) {
  if (!form().matches("[data-writes]")) return;
  dirty = true;
  if (wait === PAUSE) say(words("say-typing", form()));
  clearTimeout(timer);
  // After a conflict nothing saves by itself: somebody has to look at both first.
  if (form().querySelector("[data-problem=record_conflict]")) return;
  timer = setTimeout(save, wait);
}

async function save() {
  clearTimeout(timer);
  if (saving) return later(PAUSE);
  saving = true;
  dirty = false;
  say(words("say-saving", form()));
  try {
    const answer = await fetch(form().action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form())),
      headers: { "X-CSRF-Token": csrf, "X-Fragment": "1" },
      credentials: "same-origin",
    });
    const fresh = parse(await answer.text());
    if (answer.ok) saved(fresh);
    else if (fresh.querySelector("[data-record]")) put(fresh);
    else location.reload();
  } catch {
    dirty = true;
    say(words("say-unsaved", form()));
    timer = setTimeout(save, AGAIN);
  } finally {
    saving = false;
  }
}

function saved(fresh) {
  const line = fresh.querySelector("[data-saved]");
  form().elements.version.value = line.dataset.version;
  for (const gone of form().querySelectorAll("[data-problem], .theirs")) gone.remove();
  if (!dirty) say(line.textContent.trim());
}

/** The form as the server gives it back, with what was typed and what stands in the way. */
function put(fresh) {
  const focused = document.activeElement?.id;
  const typed = dirty ? new FormData(form()) : null;
  page.replaceChildren(...fresh.body.childNodes);
  // What was typed while it was on its way stays.
  for (const [name, value] of typed ?? []) {
    const field = form().elements[name];
    if (field instanceof HTMLTextAreaElement) field.value = value;
  }
  say(words("say-typing", form()));
  dirty = true;
  const problem = page.querySelector("[data-problem]");
  problem?.scrollIntoView({ block: "center" });
  (document.getElementById(focused) ?? form()).focus?.({ preventScroll: true });
}
