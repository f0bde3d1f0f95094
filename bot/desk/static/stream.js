/**
 * The desk's news, one stream for the whole browser.
 *
 * A browser allows a site six connections. Every tab with a stream of its own would leave none for
 * sending once six chats are open, so a shared worker holds the one stream and tells every tab. Where
 * there are no shared workers (some phones), a page opens its own.
 */

import { Stream } from "/desk/static/stream-source.js";

const listeners = new Set();
let begun = false;
let there = false; // the stream has said hello

/** @param {(name: string, data: object) => void} onNews */
export function listen(onNews) {
  listeners.add(onNews);
  if (begun) {
    if (there) onNews("hello", {});
    return;
  }
  begun = true;
  if (typeof SharedWorker === "undefined") {
    const stream = new Stream(tell);
    stream.open();
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (event) => event.persisted && stream.open());
    return;
  }
  let port = connect();
  addEventListener("pagehide", () => port.postMessage("bye"));
  addEventListener("pageshow", (event) => {
    if (event.persisted) port = connect();
  });

  function connect() {
    const worker = new SharedWorker("/desk/static/stream-worker.js", { type: "module", name: "earshot-desk" });
    worker.port.onmessage = ({ data }) => tell(data.name, data.data);
    worker.port.start();
    return worker.port;
  }
}

function tell(name, data) {
  there = name !== "lost" && (there || name === "hello");
  for (const onNews of listeners) onNews(name, data);
}
