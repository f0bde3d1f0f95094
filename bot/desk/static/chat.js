/** One chat on a page: messages as they come, replies without leaving the page, a draft that stays. */

import { csrf, live, parse, swap, words } from "/desk/static/page.js";
import { keep, kept } from "/desk/static/drafts.js";

const STILL_HERE = 20_000; // milliseconds between two signs that this page is open
const TYPING_FADES = 8_000;
const TYPING_EVERY = 3_000;
const SEND_TIMEOUT = 10_000;
const NEAR = 120; // pixels from the end within which new messages keep the end in view

export class Chat {
  #root;
  #id;
  #url;
  #side;
  #onNews;
  #fetchNews;
  #typingTimer = 0;
  #sending = false;
  #lastTold = 0;
  #idle = 0;

  /**
   * @param {HTMLElement} root what this chat is shown in; only parts within it change
   * @param {object} more side: whether it is a column of several; onNews(missed): something new came, or
   *   could not be fetched yet (a hidden page); onParts(fresh): the rest of the page, which came along
   */
  constructor(root, { side = false, onNews = () => {}, onParts = () => {} } = {}) {
    this.#root = root;
    this.#id = Number(root.dataset.chat);
    this.#url = `/desk/cases/${this.#id}`;
    this.#side = side;
    this.#onNews = onNews;
    this.onParts = onParts;
    const box = this.box;
    if (box && !box.value) box.value = kept(this.#id);
    this.#fetchNews = live({
      url: () => this.#address("news"),
      wants: (name, data) => name === "queue" || (name === "case" && data.id === this.#id),
      use: (fresh) => this.#use(fresh),
      // A page that nobody sees reads nothing: reading is audited. A dot says that there is something new.
      whileHidden: (name, data) => name === "case" && data.seq > this.#newest() && onNews(true),
      onTyping: (data) => data.id === this.#id && this.#showTyping(data.on),
    });
    setInterval(() => document.visibilityState === "visible" && this.#fetchNews(), STILL_HERE);
    addEventListener("pagehide", () =>
      navigator.sendBeacon(`${this.#url}/left`, new URLSearchParams({ csrf_token: csrf })),
    );
    this.#find("[data-newer]").addEventListener("click", () => this.toEnd());
    const seen = () => this.#atEnd() && (this.#find("[data-newer]").hidden = true);
    this.#find("[data-scroll]").addEventListener("scroll", seen, { passive: true });
    addEventListener("scroll", seen, { passive: true });
    // Listeners sit on the root: the form is put in anew when somebody takes or loses the case.
    root.addEventListener("submit", (event) => this.#submit(event));
    root.addEventListener("keydown", (event) => this.#keydown(event));
    root.addEventListener("input", (event) => this.#input(event));
    root.addEventListener("click", (event) => this.#click(event));
    this.toEnd();
  }

  get box() {
    return this.#find("[data-text]");
  }

  toEnd() {
    this.#find("[data-newer]").hidden = true;
    const scroller = this.#find("[data-scroll]");
    if (this.#scrolls()) scroller.scrollTop = scroller.scrollHeight;
    else if (!this.#side && this.#find("[data-reply]")) this.#find("[data-end]").scrollIntoView({ block: "end" });
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #address(what) {
    return `${this.#url}/${what}?after=${this.#newest()}${this.#side ? `&side=1&cases=${this.#beside()}` : ""}`;
  }

  #beside() {
    return [...document.querySelectorAll("[data-chat]")].map((chat) => chat.dataset.chat).join(",");
  }

  #use(fresh) {
    this.#onNews(false);
    const head = this.#find("[data-live=head]");
    const before = [Number(head.dataset.rank), Number(head.dataset.rising)];
    const unsent = this.box?.value ?? "";
    swap(fresh, this.#root);
    this.onParts(fresh);
    const now = this.#find("[data-live=head]").dataset;
    if (Number(now.rank) > before[0] || Number(now.rising) > before[1]) this.#announceRise();
    if (this.box && unsent && !this.box.value) this.box.value = unsent;
    const log = this.#find("[data-log]");
    const wasAtEnd = this.#atEnd();
    let added = false;
    for (const line of fresh.querySelectorAll("[data-seq]")) {
      const old = document.getElementById(line.id);
      if (!old) {
        log.append(document.adoptNode(line));
        added = true;
        if (line.classList.contains("line-you")) this.#showTyping(false);
      } else if (!old.isEqualNode(line)) old.replaceWith(document.adoptNode(line));
    }
    if (!added) return;
    if (wasAtEnd) this.toEnd();
    else this.#find("[data-newer]").hidden = false;
  }

  #announceRise() {
    const alert = document.querySelector("[data-alert]");
    alert.textContent = "";
    // Said again when it rises again: an unchanged text would not be read out.
    requestAnimationFrame(() => (alert.textContent = words("say-rose")));
  }

  #newest() {
    return Number(this.#find("[data-log]").lastElementChild?.dataset.seq ?? 0);
  }

  // Where the log scrolls by itself (wide screens) its end counts; on a phone the page scrolls.
  #scrolls() {
    return getComputedStyle(this.#find("[data-scroll]")).overflowY !== "visible";
  }

  #atEnd() {
    const scroller = this.#find("[data-scroll]");
    if (this.#scrolls()) return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    return this.#find("[data-end]").getBoundingClientRect().top < innerHeight + NEAR;
  }

  #showTyping(on) {
    clearTimeout(this.#typingTimer);
    const wasAtEnd = this.#atEnd();
    this.#find("[data-typing]").hidden = !on;
    if (on) this.#typingTimer = setTimeout(() => this.#showTyping(false), TYPING_FADES);
    if (on && wasAtEnd) this.toEnd();
  }

  #submit(event) {
    if (!event.target.matches("[data-reply]")) return;
    event.preventDefault();
    this.#send(event.target);
  }

  #keydown(event) {
    if (event.key === "Escape") this.closeMenus(event.target);
    if (!event.target.matches("[data-text]") || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  }

  #input(event) {
    if (!event.target.matches("[data-text]")) return;
    keep(this.#id, event.target.value);
    this.#tellTyping(true);
  }

  #click(event) {
    const link = event.target.closest("[data-insert]");
    if (!link || !this.box) return;
    event.preventDefault();
    const box = this.box;
    const before = box.value.slice(0, box.selectionStart);
    const space = before && !/\s$/.test(before) ? " " : "";
    box.setRangeText(space + link.dataset.insert, box.selectionStart, box.selectionEnd, "end");
    link.closest("details").open = false;
    box.focus();
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  closeMenus(from) {
    for (const menu of this.#root.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      if (menu.contains(from)) menu.querySelector("summary").focus();
    }
  }

  async #send(form) {
    const box = form.elements.text;
    const text = box.value;
    if (this.#sending || !text.trim()) return;
    this.#sending = true;
    form.setAttribute("aria-busy", "true");
    const body = new URLSearchParams(new FormData(form));
    try {
      const answer = await fetch(this.#address("reply"), {
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
        keep(this.#id, box.value);
        // The next message gets its own id; a failed one keeps its id, so that it cannot arrive twice.
        form.elements.client_id.value = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
        this.#problem(form, "");
        this.#lastTold = 0;
        this.#use(fresh);
        this.toEnd();
      } else {
        this.#problem(form, fresh.querySelector("[data-problem]")?.textContent ?? words("say-unsent", form));
        this.#fetchNews();
      }
    } catch {
      this.#problem(form, words("say-unsent", form));
    } finally {
      this.#sending = false;
      form.removeAttribute("aria-busy");
      this.box?.focus({ preventScroll: true });
    }
  }

  #problem(form, text) {
    const line = form.querySelector("[data-reply-problem]");
    line.textContent = text;
    line.hidden = !text;
  }

  #tellTyping(on) {
    clearTimeout(this.#idle);
    if (on) this.#idle = setTimeout(() => this.#tellTyping(false), TYPING_EVERY + 1_000);
    if (on && performance.now() - this.#lastTold < TYPING_EVERY && this.#lastTold) return;
    this.#lastTold = on ? performance.now() : 0;
    fetch(`${this.#url}/typing`, {
      method: "POST",
      body: new URLSearchParams({ on: on ? "1" : "0" }),
      headers: { "X-CSRF-Token": csrf },
      credentials: "same-origin",
    }).catch(() => {}); // a sign of typing that is lost is lost
  }
}
