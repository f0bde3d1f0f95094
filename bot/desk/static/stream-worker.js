/** Shared by all tabs of the desk: holds the one stream and passes its news on. */

import { Stream } from "/desk/static/stream-source.js";

const ports = new Set();
let live = false;

const stream = new Stream((name, data) => {
  live = name !== "lost" && name !== "signed_out";
  for (const port of ports) port.postMessage({ name, data });
});

addEventListener("connect", ({ ports: [port] }) => {
  ports.add(port);
  port.addEventListener("message", ({ data }) => {
    if (data !== "bye") return;
    ports.delete(port);
    if (ports.size === 0) stream.close();
  });
  port.start();
  if (!stream.isOpen) stream.open();
  // A tab that joins a running stream may have been rendered before its last news.
  else if (live) port.postMessage({ name: "hello", data: {} });
});
