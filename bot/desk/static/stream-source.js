/** The stream itself. A browser reconnects a cut stream, but gives up on an error answer: not here. */

const NAMES = ["hello", "queue", "case", "typing", "alert", "signed_out"];
const FIRST_WAIT = 1_000; // milliseconds
const LONGEST_WAIT = 15_000;

export class Stream {
  #source = null;
  #timer = 0;
  #failures = 0;
  #tell;

  /** @param {(name: string, data: object) => void} tell hears every event, and "lost" when the stream broke */
  constructor(tell) {
    this.#tell = tell;
  }

  get isOpen() {
    return this.#source !== null;
  }

  open() {
    this.close();
    const source = new EventSource("/desk/events");
    this.#source = source;
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        this.#failures = 0;
        this.#tell(name, JSON.parse(event.data));
        if (name === "signed_out") this.close();
      });
    }
    source.onerror = () => {
      this.#tell("lost", {});
      if (source.readyState !== EventSource.CLOSED) return;
      const wait = Math.min(FIRST_WAIT * 2 ** this.#failures++, LONGEST_WAIT);
      this.#timer = setTimeout(() => this.open(), wait);
    };
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }
}
