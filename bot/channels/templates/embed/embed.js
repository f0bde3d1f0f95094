/**
 * Earshot on another website: <script src="https://…/embed.js" async></script> puts a button there, which
 * opens the chat in a frame of our own address. data-label: the button's words. data-side: "left" or
 * "right". data-plain: the browser's own colours. Nothing is stored, no cookie set, nothing loaded from us
 * before the button is pressed, and no inline style or markup is needed: a strict policy may stand.
 */
(() => {
  "use strict";
  const given = {{ given|tojson }};
  const tag = document.currentScript;
  if (!tag || document.querySelector("[data-earshot]")) return;
  const ours = new URL(tag.src).origin;
  const PRESSES = 3;
  const PAUSE = 3000; // milliseconds allowed between two presses of Shift
  const PATIENCE = 400; // milliseconds the frame has to drop its session before the page goes

  const make = (name, attributes, ...inside) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...inside);
    return element;
  };

  const holder = make("div", { "data-earshot": "", lang: "en-GB" });
  const shadow = holder.attachShadow({ mode: "open" });
  const opener = make("button", { type: "button", class: "open", "aria-haspopup": "dialog", "aria-expanded": "false" });
  opener.textContent = tag.dataset.label || given.words.open;
  const closer = make("button", { type: "button", class: "close" }, given.words.close);
  const ownPage = make("a", { href: `${ours}/`, target: "_blank", rel: "noopener noreferrer" }, given.words.own_page);
  const blocked = make("p", { role: "alert" });
  const dialog = make("dialog", { "aria-label": given.words.title }, make("div", { class: "bar" }, ownPage, closer), blocked);
  let frame = null;
  let gone = false;
  let presses = 0;
  let timer = 0;

  const css = `
    :host { all: initial; --colour: ${given.colour}; --on: ${given.on}; }
    :host([data-plain]) { color-scheme: light dark; --colour: ButtonFace; --on: ButtonText; }
    * { box-sizing: border-box; font: 600 1rem/1.3 system-ui, sans-serif; }
    button, a { min-height: 2.75rem; border-radius: 99rem; cursor: pointer; }
    .open { position: fixed; inset-block-end: 1rem; inset-inline-end: 1rem; z-index: 2147483000; max-width: calc(100vw - 2rem); padding: .75rem 1.4rem; border: 2px solid var(--on); background: var(--colour); color: var(--on); box-shadow: 0 2px 10px rgb(0 0 0 / .3); }
    :host([data-side="left"]) .open { inset-inline: 1rem auto; }
    :focus-visible { outline: 3px solid var(--colour); outline-offset: 3px; }
    :host([data-plain]) :focus-visible { outline-color: Highlight; }
    dialog { flex-direction: column; width: 100vw; max-width: none; height: 100vh; height: 100dvh; max-height: none; margin: 0; padding: 0; border: 0; overflow: hidden; background: var(--colour); }
    dialog[open] { display: flex; }
    dialog::backdrop { background: rgb(0 0 0 / .5); }
    .bar { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: .2rem .6rem; padding: .25rem .5rem; color: var(--on); }
    .bar > * { display: inline-flex; align-items: center; padding: .3rem .9rem; border: 0; background: none; color: inherit; text-decoration: underline; text-underline-offset: .2em; font-size: .95rem; }
    .bar :focus-visible { outline-color: var(--on); outline-offset: -3px; }
    p { margin: 0; padding: .6rem 1.4rem; background: #fff; color: #000; }
    p:empty { display: none; }
    iframe { flex: 1; width: 100%; min-height: 0; border: 0; background: #fff; }
    @media (min-width: 40rem) and (min-height: 32rem) {
      dialog { position: fixed; inset: auto 1rem 1rem auto; width: 26rem; height: min(46rem, 100vh - 2rem); border-radius: 1rem; }
      :host([data-side="left"]) dialog { inset: auto auto 1rem 1rem; }
    }
    @media print { .open { display: none; } }`;
  if (tag.dataset.side === "left") holder.dataset.side = "left";
  if (tag.dataset.plain !== undefined) holder.dataset.plain = "";
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  shadow.adoptedStyleSheets = [sheet];

  const open = () => {
    if (!frame) {
      frame = make("iframe", {
        title: given.words.title,
        referrerpolicy: "no-referrer",
        allow: "clipboard-write",
        // Its own origin, so that its session is its own; the way out of this page by a press only.
        sandbox: "allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation",
        src: `${ours}/?framed=1`,
      });
      dialog.append(frame);
    }
    dialog.showModal();
    opener.setAttribute("aria-expanded", "true");
    frame.focus();
  };

  const leave = () => {
    gone = true;
    document.title = "";
    document.body.replaceChildren();
    location.replace(given.exit);
  };

  const count = (shift) => {
    clearTimeout(timer);
    presses = shift ? presses + 1 : 0;
    if (presses) timer = setTimeout(() => count(false), PAUSE);
    if (presses < PRESSES) return;
    // Out of sight first; the frame stays just long enough to say that its session ends.
    dialog.close();
    document.body.style.visibility = "hidden";
    frame.contentWindow.postMessage({ earshot: "leave" }, ours);
    setTimeout(leave, PATIENCE);
  };

  opener.addEventListener("click", open);
  closer.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    opener.setAttribute("aria-expanded", "false");
    opener.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (dialog.open && !event.repeat && !event.isComposing) count(event.key === "Shift");
  }, true);
  addEventListener("message", ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== ours) return;
    if (data?.earshot === "leave") leave();
    if (data?.earshot === "close") dialog.close();
    if (data?.earshot === "blocked") {
      blocked.textContent = given.words.blocked;
      ownPage.focus();
    }
  });
  addEventListener("pageshow", (event) => event.persisted && gone && location.replace(given.exit));

  shadow.append(opener, dialog);
  const place = () => document.body.append(holder);
  if (document.body) place();
  else addEventListener("DOMContentLoaded", place);
})();
