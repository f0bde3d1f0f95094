/**
 * The stream of server-sent events. The browser reconnects a cut stream by itself, with the id of the
 * last event; it gives up for good on an error answer, so that case is tried again here.
 */

const FIRST_WAIT = 1_000; // milliseconds
const LONGEST_WAIT = 30_000;
const GRACE = 3_000; // a cut shorter than this is not worth a word

export class Events {
  #source = null;
  #timer = 0;
  #grace = 0;
  #failures = 0;
  #lost = false;
  #hooks;

  /**
   * @param {object} hooks
   *   on: {eventName: handler(data)};
   *   after(): the id of the newest message already shown;
   *   onRefused(): the stream was answered with an error: the chat may no longer be ours;
   *   onLost(), onBack(): the connection went, or came back.
   */
  constructor(hooks) {
    this.#hooks = hooks;
    document.addEventListener("earshot:leave", () => this.close());
  }

  open() {
    this.close();
    const source = new EventSource(`/api/events?after=${this.#hooks.after()}`);
    this.#source = source;
    source.onopen = () => this.found();
    source.onerror = () => {
      this.#miss();
      if (source.readyState !== EventSource.CLOSED) return;
      const wait = Math.min(FIRST_WAIT * 2 ** this.#failures++, LONGEST_WAIT);
      this.#timer = setTimeout(() => this.open(), wait);
      this.#hooks.onRefused();
    };
    for (const [name, handler] of Object.entries(this.#hooks.on)) {
      source.addEventListener(name, (event) => {
        this.found();
        handler(JSON.parse(event.data));
      });
    }
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** Begins a new stream when one should be running: the old one may be dead without knowing it. */
  restart() {
    if (this.#source) this.open();
  }

  /** The connection is known to be gone, for instance because a message could not be sent. */
  lost() {
    clearTimeout(this.#grace);
    this.#grace = 0;
    if (this.#lost) return;
    this.#lost = true;
    this.#hooks.onLost();
  }

  /** The connection is known to be there, for instance because the gateway has answered a call. */
  found() {
    clearTimeout(this.#grace);
    this.#grace = 0;
    this.#failures = 0;
    if (!this.#lost) return;
    this.#lost = false;
    this.#hooks.onBack();
  }

  #miss() {
    if (!this.#lost && !this.#grace) this.#grace = setTimeout(() => this.lost(), GRACE);
  }
}
