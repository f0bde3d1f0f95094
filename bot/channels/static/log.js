/**
 * The messages on the screen. The log is a live region: a message is put in once, whole, with who
 * said it, so that it is read out once. Everything a person or the gateway wrote goes in as text.
 */

import { moment, word, writeWithNumbers } from "./words.js";

const NEAR = 140; // pixels from the end that still count as "reading the newest"

export class Log {
  #root = document.getElementById("log");
  #scroll = document.getElementById("scroll");
  #newer = document.getElementById("newer-row");
  #template = document.getElementById("message-template").content.firstElementChild;
  #card = document.getElementById("card-template").content.firstElementChild;
  #read = document.getElementById("read-template").content.firstElementChild;
  #mine = new Map();
  #seen = new Set();
  #atEnd = false; // the opening is read from its top
  #choose;

  /** @param {function({id, title})} choose called when a button is pressed. */
  constructor(choose) {
    this.#choose = choose;
    addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
      this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
      if (this.#atEnd) this.#newer.hidden = true;
    }, { capture: true, passive: true });
    this.#root.addEventListener("click", (event) => this.#press(event));
    // The keyboard of a phone makes the room smaller: the newest message must stay above it.
    new ResizeObserver(() => this.toEndIfThere()).observe(this.#scroll);
  }

  /** Takes over what the server has put into the page. Returns how many messages there were. */
  adopt() {
    for (const element of this.#root.querySelectorAll(".message")) {
      this.#seen.add(Number(element.dataset.id));
      const time = element.querySelector("time");
      time.textContent = moment(time.dateTime); // the server knows UK time only
      this.#equip(element);
    }
    if (this.#seen.size) this.toEnd();
    return this.#seen.size;
  }

  /** Shows messages that were said before, without reading them out. */
  fill(messages) {
    this.#root.setAttribute("aria-live", "off");
    for (const message of messages) this.#put(message);
    this.toEnd();
    setTimeout(() => this.#root.removeAttribute("aria-live"), 500);
  }

  /** Shows a message from the gateway. Returns false when it was shown before. */
  add(message) {
    const wasAtEnd = this.#atEnd;
    const element = this.#put(message);
    if (!element) return false;
    // What was said before the words just sent comes in above them: those stay in sight.
    if (element.nextElementSibling) this.toEndIfThere();
    else if (wasAtEnd || message.from === "you") this.#follow(element);
    else this.#newer.hidden = false;
    return true;
  }

  /** Shows what the person has just written or chosen, before the gateway has it. */
  addMine(clientId, text) {
    this.#retire();
    const element = this.#build({ from: "you", text, at: new Date().toISOString() });
    this.#mine.set(clientId, element);
    this.#root.append(element);
    this.#join(element);
    this.mark(clientId, "sending");
    this.toEnd();
  }

  /** Says how an own message stands: sending, late, stopped, refused, or sent (nothing said). */
  mark(clientId, state, detail = "") {
    const element = this.#mine.get(clientId);
    if (!element) return;
    element.dataset.state = state;
    element.querySelector(".mark").textContent = state === "sent" ? "" : word(state, { detail });
  }

  /** The id of the newest message shown, 0 when there is none. */
  get newest() {
    return Math.max(0, ...this.#seen);
  }

  clear() {
    this.#root.replaceChildren();
    this.#mine.clear();
    this.#seen.clear();
    this.#atEnd = false;
    this.#newer.hidden = true;
  }

  toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#atEnd = true;
    this.#newer.hidden = true;
  }

  /** Keeps the end in sight for a reader who is there; leaves one who reads further up alone. */
  toEndIfThere() {
    if (this.#atEnd) this.toEnd();
  }

  // Where there is little height the style sheet lets the whole page scroll instead.
  get #scroller() {
    return getComputedStyle(this.#scroll).overflowY === "visible" ? document.scrollingElement : this.#scroll;
  }

  #put(message) {
    if (this.#seen.has(message.id)) return null;
    this.#seen.add(message.id);
    const own = message.from === "you" && this.#own(message);
    if (own) {
      const [clientId, element] = own;
      element.dataset.id = message.id;
      this.mark(clientId, "sent");
      this.#retire();
      return null;
    }
    if (message.from === "you") this.#retire();
    const element = this.#build(message);
    element.dataset.id = message.id;
    const before = this.#before(Number(message.id));
    if (before) before.after(element);
    else this.#root.prepend(element);
    this.#join(element);
    if (element.nextElementSibling) this.#join(element.nextElementSibling);
    return element;
  }

  // A door pressed is told back without a client id, since no message of ours was sent for it.
  #own({ client_id: clientId, text }) {
    if (clientId) return this.#mine.has(clientId) && [clientId, this.#mine.get(clientId)];
    return [...this.#mine].find(([, each]) => !each.dataset.id && each.querySelector(".text").textContent === text);
  }

  // The message to stand behind: ids count up, and what the gateway has not told back yet stays last.
  #before(id) {
    let element = this.#root.lastElementChild;
    while (element && !(Number(element.dataset.id) < id)) element = element.previousElementSibling;
    return element;
  }

  #build({ from, name, text, at, choices = [], cards = [] }) {
    const element = this.#template.cloneNode(true);
    element.querySelector(".name").textContent = name || word(from);
    const time = element.querySelector("time");
    time.dateTime = at;
    time.textContent = moment(at);
    const words = element.querySelector(".text");
    if (from === "bot") writeWithNumbers(words, text);
    else words.textContent = text;
    const list = element.querySelector(".cards");
    list.append(...cards.map((card) => this.#buildCard(card)));
    if (!cards.length) list.remove();
    const group = element.querySelector(".choices");
    group.setAttribute("aria-label", word("choices"));
    group.append(...choices.map((choice) => this.#button(choice)));
    if (!choices.length) group.remove();
    element.dataset.from = from;
    this.#equip(element);
    return element;
  }

  // The button shows itself only where the device has a voice of its own (speech.js).
  #equip(element) {
    if (element.dataset.from === "you") return;
    const reading = this.#read.cloneNode(true);
    reading.firstElementChild.textContent = word("read");
    element.querySelector(".bubble").after(reading);
  }

  #press(event) {
    const button = event.target.closest(".choice");
    if (!button) return;
    event.preventDefault(); // without us it sends the form
    if (button.getAttribute("aria-disabled") === "true") return;
    button.classList.add("chosen");
    this.#choose({ id: button.value, title: button.textContent.trim() });
  }

  #buildCard({ title, lines = [], choice, link }) {
    const element = this.#card.cloneNode(true);
    element.querySelector(".card-title").textContent = title;
    for (const line of lines) {
      const paragraph = document.createElement("p");
      paragraph.dir = "auto";
      writeWithNumbers(paragraph, line);
      element.append(paragraph);
    }
    if (link) element.append(this.#link(link));
    if (choice) element.append(this.#button(choice));
    return element;
  }

  // Only to pages of this house: a card must not lead away from it.
  #link({ title, href }) {
    const anchor = document.createElement("a");
    anchor.textContent = title;
    if (/^\/(?!\/)/.test(href)) anchor.href = href;
    anchor.target = "_blank";
    anchor.rel = "noopener";
    return anchor;
  }

  #button(choice) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "choice";
    button.value = choice.id;
    button.dir = "auto";
    button.textContent = choice.title;
    return button;
  }

  // An answered question's buttons go, except the one that holds the focus: focus must not be lost.
  #retire() {
    for (const button of this.#root.querySelectorAll(".choice:not([aria-disabled])")) {
      if (button.classList.contains("chosen") || button === document.activeElement) {
        button.setAttribute("aria-disabled", "true");
      } else {
        button.remove();
      }
    }
    for (const group of this.#root.querySelectorAll(".choices:empty")) group.remove();
  }

  // Several messages from one person in a row show the name once; it is read out with each.
  #join(element) {
    const before = element.previousElementSibling;
    const name = (each) => each?.dataset.from + each?.querySelector(".name").textContent;
    element.classList.toggle("again", name(before) === name(element));
  }

  #follow(element) {
    if (element.offsetHeight > this.#scroller.clientHeight * 0.8) element.scrollIntoView({ block: "start" });
    else this.toEnd();
  }
}
