/**
 * The words of the page. They live in the template (chat/_words.html), never in a script:
 * this module only looks them up and fills in their {parts}.
 */

const words = new Map();
for (const element of document.getElementById("words").content.querySelectorAll("[data-word]")) {
  words.set(element.dataset.word, element.textContent);
}

/**
 * The wording called `key`, its {parts} replaced by `parts`; in the simple look its simpler form, if it has
 * one. Throws when the template has no such words.
 */
export function word(key, parts = {}) {
  if (!words.has(key)) throw new Error(`No words called ${key} in the template`);
  const simple = document.body.classList.contains("simple") ? words.get(`${key}_simple`) : undefined;
  return (simple ?? words.get(key)).replace(/\{(\w+)\}/g, (whole, part) => parts[part] ?? "");
}

const language = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long" });

/** A moment as a person says it: the time, with the day when it is not today. `at`: ISO 8601. */
export function moment(at) {
  const when = new Date(at);
  if (Number.isNaN(when.getTime())) return at; // the gateway has put it into words already
  const time = clock.format(when);
  if (when.toDateString() === new Date().toDateString()) return time;
  return word("day_at", { day: date.format(when), time });
}

// A run of figures is a telephone number when it is a short emergency number, a 116 number,
// Childline's own eight figures, or ten or eleven figures that begin with 0.
const RUN = /\d+(?: \d+)*/g;
const NUMBER = /^(?:999|112|111|116\d{3}|0800\d{4}|0\d{9,10})$/;

/** Writes `text` into `element`, each telephone number as a link that opens the dialler. */
export function writeWithNumbers(element, text) {
  element.textContent = "";
  let from = 0;
  for (const found of text.matchAll(RUN)) {
    const figures = found[0].replace(/ /g, "");
    if (!NUMBER.test(figures)) continue;
    const link = document.createElement("a");
    link.href = `tel:${figures}`;
    link.textContent = found[0];
    element.append(text.slice(from, found.index), link);
    from = found.index + found[0].length;
  }
  element.append(text.slice(from));
}
