/** Tells a worker who has the chat that somebody is typing here: that, and never a letter of what. */

import { call } from "./api.js";

const EVERY = 3_000; // milliseconds between two signs
const IDLE = 4_000; // milliseconds without a key after which nobody types any more

/** @param {HTMLTextAreaElement} field @param {() => boolean} heard whether a worker has the chat now */
export function setUpTyping(field, heard) {
  let last = 0;
  let idle = 0;
  const tell = (on) => {
    last = on ? performance.now() : 0;
    call("POST", "/api/typing", { on }).catch(() => {}); // a sign that is lost is lost
  };
  field.addEventListener("input", () => {
    clearTimeout(idle);
    if (!heard() || !field.value.trim()) {
      if (last) tell(false);
      return;
    }
    idle = setTimeout(() => tell(false), IDLE);
    if (!last || performance.now() - last > EVERY) tell(true);
  });
}
