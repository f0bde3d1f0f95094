/**
 * Keyboard shortcuts of the case page and of chats side by side. All of them need Alt, so that none fires
 * while somebody dictates or types (WCAG 2.1.4). By key position, as Alt with a letter types signs on a Mac.
 */

/** @param {Record<string, () => void>} shortcuts what to do, by `KeyboardEvent.code` */
export function setUpKeys(shortcuts) {
  addEventListener("keydown", (event) => {
    const act = shortcuts[event.code];
    if (!act || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.getModifierState("AltGraph")) return; // AltGr types letters
    event.preventDefault();
    act();
  });
}

/** Goes to one's next case of the list, or to the one before. */
export function goAlong(step) {
  const links = [...document.querySelectorAll("[data-rail]")];
  const here = links.findIndex((link) => link.getAttribute("aria-current") === "page");
  links[(here + step + links.length) % links.length]?.click();
}

export const follow = (id) => document.getElementById(id)?.click();

/** Shows in the list of one's cases who is typing. Their chats may be in other tabs. */
export function showTypingIn(id, on) {
  const sign = document.querySelector(`[data-rail="${id}"] [data-rail-typing]`);
  if (sign) sign.hidden = !on;
}
