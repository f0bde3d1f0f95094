/**
 * What was typed and not sent, for each case, while this tab is open: going to another case and back loses
 * nothing. Kept for one sign-in only; another person who signs in on the same machine finds none of it.
 */

import { csrf } from "/desk/static/page.js";

const PREFIX = "draft:";
const mine = `${PREFIX}${csrf.slice(0, 12)}:`;

for (const key of Object.keys(sessionStorage)) {
  if (key.startsWith(PREFIX) && !key.startsWith(mine)) sessionStorage.removeItem(key);
}

export const kept = (id) => sessionStorage.getItem(mine + id) ?? "";

export function keep(id, text) {
  if (text.trim()) sessionStorage.setItem(mine + id, text);
  else sessionStorage.removeItem(mine + id);
}
