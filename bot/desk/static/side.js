/** Several chats side by side: a column each, one keyboard. */

import { Chat } from "/desk/static/chat.js";
import { setUpKeys, showTypingIn } from "/desk/static/keys.js";
import { swap } from "/desk/static/page.js";
import { listen } from "/desk/static/stream.js";

const page = document.querySelector("[data-page=side]");
const title = document.title;
const chats = [...page.querySelectorAll("[data-chat]")].map(
  (root) =>
    new Chat(root, {
      side: true,
      onNews: (missed) => (document.title = missed ? `• ${title}` : title),
      onParts: (fresh) => swap(only(fresh, "rail"), page),
    }),
);
listen((name, data) => name === "typing" && showTypingIn(data.id, data.on));

setUpKeys({
  KeyJ: () => move(1),
  KeyK: () => move(-1),
  KeyR: () => chats[0]?.box?.focus(),
  KeyQ: () => location.assign("/desk/"),
});

function move(step) {
  const boxes = chats.map((chat) => chat.box).filter(Boolean);
  const here = boxes.indexOf(document.activeElement);
  boxes[(here + step + boxes.length) % boxes.length]?.focus();
}

/** The one part of a page with this name. */
function only(fresh, name) {
  const part = fresh.querySelector(`[data-live=${name}]`);
  const box = document.createElement("div");
  if (part) box.append(part);
  return box;
}

const choose = page.querySelector("[data-choose]");
choose?.addEventListener("change", (event) => {
  const ticked = [...choose.querySelectorAll("input:checked")];
  const most = chats.length > 2 ? chats.length : 3;
  // One more than there is room for: the first of the others makes way.
  if (ticked.length > most) ticked.find((box) => box !== event.target).checked = false;
  const ids = [...choose.querySelectorAll("input:checked")].map((box) => box.value);
  if (ids.length) location.assign(`/desk/side?cases=${ids.join(",")}`);
});
