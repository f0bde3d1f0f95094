/** The chat page: joins the log, the outbox, the event stream and the dialogs. */

import { call } from "./api.js";
import { beginChat } from "./begin.js";
import { setCode, setUpDelete, setUpDialogs, setUpResume } from "./dialogs.js";
import { Events } from "./events.js";
import { Log } from "./log.js";
import { setUpLook } from "./look.js";
import { Outbox, newId } from "./outbox.js";
import { setUpSpeech } from "./speech.js";
import { setUpTyping } from "./typing.js";
import { moment, word, writeWithNumbers } from "./words.js";

const $ = (id) => document.getElementById(id);
const emergency = document.querySelector(".help [data-numbers]").textContent;
const ECHO_WAIT = 10_000; // milliseconds without any event after a message: the stream may be dead
const TYPING_LIMIT = 60_000;
const ASIDE_LIMIT = 60_000;

let talking = false;
let lastEvent = 0;
let typingTimer = 0;
let standing = null;
// Other tabs of this browser share the conversation: they are told when one of them has it.
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("chat") : null;

const log = new Log(({ id, title }) => say(title, { choice: id }));

const outbox = new Outbox({
  async send(item) {
    if (!talking) await begin(item.speaker);
    if (item.body) await call("POST", "/api/messages", { client_id: item.clientId, ...item.body });
  },
  onSent(item) {
    log.mark(item.clientId, "sent");
    const sentAt = Date.now();
    setTimeout(() => lastEvent < sentAt && events.restart(), ECHO_WAIT);
  },
  onLate(items, problem) {
    for (const item of items) log.mark(item.clientId, "late");
    if (problem?.status === 0) events.lost();
  },
  onRefused(item, problem) {
    log.mark(item.clientId, "refused", problem.detail);
    $("spoken").textContent = word("refused", { detail: problem.detail });
  },
  onGone(items) {
    for (const item of items) log.mark(item.clientId, "stopped");
    ended();
  },
});

const events = new Events({
  on: {
    message: heard(show),
    typing: heard(showTyping),
    state: heard(showState),
  },
  after: () => log.newest,
  onRefused: ask,
  onLost() {
    showTyping({ on: false });
    notice(word("lost"), "lost");
    // The numbers stand just below for the eye; whoever listens hears them with the news.
    const heardOnly = document.createElement("p");
    heardOnly.className = "unseen";
    heardOnly.textContent = emergency;
    $("notice").append(heardOnly);
  },
  onBack() {
    notice(word("back"), "back");
    setTimeout(() => $("notice").dataset.kind === "back" && notice(""), 4_000);
    outbox.wake();
  },
});

function heard(handler) {
  return (data) => {
    lastEvent = Date.now();
    handler(data);
  };
}

/** Sends `text` (shown as the person's own words), the choice whose title it is, or a door's speaker. */
function say(text, body = { text }, speaker = undefined) {
  const clientId = newId();
  log.addMine(clientId, text);
  setTalking();
  outbox.add({ clientId, body, speaker });
}

// Nothing is asked of the server, and no cookie set, before the person has pressed a door or written.
async function begin(speaker) {
  const { data } = await beginChat(speaker ? { speaker } : {});
  talking = true;
  setCode(data.return_code);
  events.open();
  tabs?.postMessage("begun");
}

async function ask() {
  try {
    await call("GET", "/api/transcript");
  } catch (problem) {
    if (problem.status === 401) ended();
  }
}

/** Goes on with the conversation that the server has put into the page. Returns false when there is none. */
function takeOver() {
  if (!log.adopt()) return false;
  talking = true;
  events.open();
  return true;
}

/** Takes up a conversation this browser has a cookie for. Returns false when there is none. */
async function goOn() {
  try {
    const { data } = await call("GET", "/api/transcript");
    events.found();
    talking = true;
    setTalking();
    log.fill(data.messages);
    showState(data.state);
    events.open();
    return true;
  } catch (problem) {
    if (!problem.passing) {
      events.found();
      return false;
    }
    // The server cannot be reached: we do not know yet, so keep asking, and say so.
    events.lost();
    await new Promise((again) => setTimeout(again, problem.retryAfter || 4_000));
    return talking || goOn();
  }
}

function show(message) {
  if (message.client_id) outbox.settle(message.client_id);
  if (!log.add(message)) return;
  if (message.from !== "you") showTyping({ on: false });
}

function showState(state) {
  if (!state) return;
  standing = state;
  if (state.ended) return ended(); // left in another tab, deleted, or taken up on another device
  const { handover } = state;
  const owner = handover?.state === "waiting" ? "waiting" : state.owner; // the bot still answers
  const parts = { with: handover?.with ?? "", by: handover?.expected_by ? moment(handover.expected_by) : "" };
  const key = ["banner", owner, parts.with && "with", owner === "waiting" && parts.by && "by"];
  const text = word(owner === "bot" ? "banner_bot" : key.filter(Boolean).join("_"), parts);
  $("banner").dataset.owner = owner;
  if ($("banner-text").textContent !== text) $("banner-text").textContent = text;
}

function showTyping({ from = "bot", name = "", on }) {
  const sign = $("typing");
  clearTimeout(typingTimer);
  sign.hidden = !on;
  if (!on) return;
  const person = name ? word("writing_worker", { name }) : word("writing_person");
  const text = from === "worker" ? person : word("writing_bot");
  sign.querySelector(".typing-who").textContent = text;
  // The program answers within a second: reading out that it writes would only be noise.
  if (from === "worker") $("spoken").textContent = text;
  typingTimer = setTimeout(() => showTyping({ on: false }), TYPING_LIMIT);
  log.toEndIfThere();
}

function setTalking() {
  if (document.body.classList.contains("talking")) return;
  const focusGoes = $("opening").contains(document.activeElement);
  document.body.classList.replace("fresh", "talking");
  $("text").placeholder = word("placeholder_talking");
  if (focusGoes) focusAgain();
}

function setFresh() {
  talking = false;
  events.close();
  outbox.clear();
  log.clear();
  setCode(null);
  showTyping({ on: false });
  showState({ owner: "bot" });
  document.body.classList.replace("talking", "fresh");
  $("text").placeholder = word("placeholder_fresh");
  $("scroll").scrollTop = 0;
  $("scroll").focus({ preventScroll: true });
}

// On a phone, focus in the field opens the keyboard over what there is to read.
function focusAgain() {
  $(matchMedia("(hover: hover) and (pointer: fine)").matches ? "text" : "scroll").focus({ preventScroll: true });
}

function notice(text, kind = "", ...buttons) {
  const place = $("notice");
  place.dataset.kind = kind;
  place.replaceChildren();
  if (!text) return;
  const words = document.createElement("p");
  writeWithNumbers(words, text);
  place.append(words, ...buttons);
}

function button(text, press) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "line";
  element.textContent = text;
  element.addEventListener("click", press);
  return element;
}

function ended() {
  talking = false;
  events.close();
  const start = button(word("gone_start"), () => { notice(""); setFresh(); });
  const send = button(word("gone_send"), () => { notice(""); focusAgain(); outbox.goOn(); });
  notice(word("gone"), "gone", ...(outbox.empty ? [start] : [send, start]));
}

function setUpComposer() {
  const field = $("text");
  const form = $("composer");
  const room = $("room");
  const limit = Number(field.dataset.limit);
  // Typed before we were here: it may be on its way already, so it goes as the form goes, under the form's id.
  const before = field.value.trim();
  // The gateway counts code points, as Python does; JavaScript's length counts emoji twice.
  const over = () => Array.from(field.value).length - limit;

  const measure = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
    const excess = over();
    room.classList.toggle("over", excess > 0);
    if (excess > 0) room.textContent = word("room_over", { count: excess });
    else room.textContent = excess > -500 ? word("room_left", { count: -excess }) : "";
    field.setAttribute("aria-invalid", excess > 0);
  };
  const send = () => {
    const text = field.value.trim();
    if (over() > 0) {
      $("spoken").textContent = room.textContent;
      field.focus();
      return;
    }
    if (!text) return field.focus();
    if (text === before) return form.submit();
    field.value = "";
    measure();
    say(text);
  };

  form.noValidate = true;
  field.addEventListener("input", measure);
  setUpTyping(field, () => talking && standing?.owner === "worker");
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  measure();
}

function setUpDoors() {
  $("doors").addEventListener("submit", (event) => {
    event.preventDefault();
    const door = event.submitter;
    say(door.textContent.trim(), null, door.value);
  });
}

// Safari does not shrink the page for its keyboard: keep the frame in what is really seen.
function setUpViewport() {
  const seen = window.visualViewport;
  const fit = () => {
    if (seen.scale !== 1) return;
    $("frame").style.setProperty("--seen", `${seen.height}px`);
    $("frame").style.setProperty("--seen-top", `${seen.offsetTop}px`);
  };
  seen?.addEventListener("resize", fit);
  seen?.addEventListener("scroll", fit);
}

function setUpConnection() {
  addEventListener("offline", () => talking && events.lost());
  addEventListener("online", () => {
    events.restart();
    outbox.wake();
  });
  let hiddenAt = 0;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenAt = Date.now();
    else if (Date.now() - hiddenAt > ASIDE_LIMIT) events.restart();
  });
}

async function resumed() {
  $("come-back").open = false;
  notice("");
  await goOn();
  tabs?.postMessage("begun");
  focusAgain();
}

async function deleted(detail) {
  setFresh();
  // Where something had to be kept the chat may go on; the gateway knows.
  if (detail) await goOn();
  notice(detail || word("deleted"), "deleted");
}

// A link within the page would leave an entry in the history, to which Back returns after leaving.
function setUpSkip() {
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
  });
}

// The answer to a form stands under the form's address: loaded again, it would be sent again.
if (["/say", "/start", "/resume", "/delete"].includes(location.pathname)) {
  history.replaceState(null, "", document.body.classList.contains("simple") ? "/?simple=1" : "/");
}
document.documentElement.classList.add("js");
document.querySelectorAll("[data-numbers]").forEach((each) => {
  if (!each.querySelector("a")) writeWithNumbers(each, each.textContent);
});
document.addEventListener("earshot:shift", ({ detail }) => {
  if (detail === 1) $("spoken").textContent = word("shift_again");
});
$("newer").addEventListener("click", () => {
  log.toEnd();
  $("scroll").focus({ preventScroll: true });
});
setUpComposer();
setUpDoors();
setUpDialogs(say);
setUpDelete(deleted);
setUpResume(resumed);
setUpViewport();
setUpConnection();
setUpSkip();
setUpSpeech();
setUpLook(() => {
  showState(standing ?? { owner: "bot" });
  log.toEndIfThere();
});
// Asking takes its time on a slow line: who has written meanwhile has begun, whatever the answer says.
const begun = () => talking || !outbox.empty;
tabs?.addEventListener("message", () => begun() || goOn());
if (!takeOver()) goOn().then((found) => found || begun() || document.body.classList.replace("talking", "fresh"));
