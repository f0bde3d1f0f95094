/** The queue, live. */

import { live, swap } from "/desk/static/page.js";

const title = document.title;

live({
  // What the queue is narrowed to stands in the address.
  url: () => `/desk/queue${location.search}`,
  wants: (name) => name === "queue",
  use: (fresh) => {
    swap(fresh);
    countInTitle();
  },
});
countInTitle();
// On a phone the cases come first; where there is room the choices stand open.
document.querySelector("[data-narrowing]").open ||= matchMedia("(min-width: 48rem)").matches;
document.querySelector("[data-filters]").addEventListener("change", (event) => event.currentTarget.requestSubmit());

/** How many wait, in the title of the tab: seen from another window too. */
function countInTitle() {
  const waiting = Number(document.querySelector("[data-waiting]").dataset.waiting);
  document.title = waiting ? `(${waiting}) ${title}` : title;
}
