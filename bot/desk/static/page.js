/** What every live page of the desk does: fetch its changing parts, put them in, keep times ticking. */

import { listen } from "/desk/static/stream.js";

export const csrf = document.querySelector("meta[name=csrf]").content;

const TICK = 10_000; // milliseconds
const AGAIN = 50; // at most one fetch of a page's parts in this time

document.documentElement.classList.add("js");

/** Says what a template of the page holds; words stay in the templates. */
export const words = (name, within = document) =>
  within.querySelector(`template[data-${name}]`).content.textContent.trim();

/** Puts the fresh parts of a page in the place of the old ones, without disturbing whoever uses them. */
export function swap(fresh, within = document) {
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const old = within.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!old || old.isEqualNode(part)) continue;
    // Parts with a key hold what is being typed: they change only when their key does.
    if (part.dataset.key !== undefined && old.dataset.key === part.dataset.key) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(document.adoptNode(part));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

/**
 * Keeps a page live.
 * @param {object} page
 *   url(): where its parts come from; wants(name, data): whether this news is about the page;
 *   use(fresh): puts them in; onTyping(data); whileHidden(name, data), where there is one, hears news
 *   that come while nobody sees the page, which then fetches when it is seen again.
 */
export function live(page) {
  const lost = document.querySelector("[data-lost]");
  let busy = false;
  let again = false;
  let missed = false;
  let last = 0;

  async function fetchParts() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    do {
      again = false;
      const wait = last + AGAIN - performance.now();
      if (wait > 0) await new Promise((done) => setTimeout(done, wait));
      last = performance.now();
      try {
        const answer = await fetch(page.url(), { headers: { "X-Fragment": "1" }, credentials: "same-origin" });
        if (answer.status === 401) say("say-signed-out");
        if (answer.status === 403) location.reload();
        if (answer.ok) page.use(parse(await answer.text()));
      } catch {
        say("say-lost");
      }
    } while (again);
    busy = false;
  }

  function say(name) {
    const text = name ? words(name) : "";
    if (lost.textContent !== text) lost.textContent = text;
    lost.hidden = !text;
  }

  listen((name, data) => {
    if (name === "lost") return say("say-lost");
    if (name === "signed_out") return say("say-signed-out");
    if (name === "hello") say("");
    if (name === "typing") return page.onTyping?.(data);
    if (name !== "hello" && !page.wants(name, data)) return;
    if (!page.whileHidden || document.visibilityState === "visible") return fetchParts();
    missed = true;
    page.whileHidden(name, data);
  });
  document.addEventListener("visibilitychange", () => {
    if (!missed || document.visibilityState !== "visible") return;
    missed = false;
    fetchParts();
  });
  setInterval(tickTimes, TICK);
  return fetchParts;
}

/** HTML from our own server, parsed without running anything. */
export const parse = (html) => new DOMParser().parseFromString(html, "text/html");

/** Times since something, counted on; the browser knows the words for minutes and hours. */
function tickTimes() {
  for (const time of document.querySelectorAll("time[data-since]")) {
    const minutes = Math.floor((Date.now() - Date.parse(time.dateTime)) / 60_000);
    if (minutes >= 1 && minutes < 2_880) time.textContent = span(minutes);
  }
}

function span(minutes) {
  const unit = (value, name) =>
    new Intl.NumberFormat("en-GB", { style: "unit", unit: name, unitDisplay: name === "hour" ? "narrow" : "short" })
      .format(value)
      .replace(/(\d)([a-z])/, "$1 $2")
      .replace(/mins$/, "min");
  const hours = Math.floor(minutes / 60);
  return hours ? `${unit(hours, "hour")} ${unit(minutes % 60, "minute")}` : unit(minutes, "minute");
}
