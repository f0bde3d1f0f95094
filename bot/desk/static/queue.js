/** The queue, live. */

import { live, swap } from "/desk/static/page.js";

const page = document.querySelector("[data-page=queue]");
const title = document.title;

live({
  url: () => `/desk/queue?tab=${page.dataset.tab}`,
  wants: (name) => name === "queue",
  use: (fresh) => {
    swap(fresh);
    countInTitle();
  },
});
countInTitle();

/** How many wait, in the title of the tab: seen from another window too. */
function countInTitle() {
  const waiting = Number(document.querySelector("[data-waiting]").dataset.waiting);
  document.title = waiting ? `(${waiting}) ${title}` : title;
}
