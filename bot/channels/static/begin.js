/** Begins a conversation. While somebody begins them by the thousand, that costs this browser a little work. */

import { call } from "./api.js";

const LONGEST = 30_000; // milliseconds of work before waiting is the better way
const WAIT = "wait"; // asks the gateway to hold the request for a few seconds instead

/** As `call` of `POST /api/conversations`, with the work done if it is asked for. Throws Problem. */
export async function beginChat(body) {
  let problem;
  try {
    return await call("POST", "/api/conversations", body);
  } catch (refused) {
    if (refused.status !== 428) throw refused;
    problem = refused;
  }
  const proof = await solved(problem.data).catch(() => WAIT);
  try {
    return await call("POST", "/api/conversations", { ...body, proof });
  } catch (refused) {
    if (refused.status !== 428) throw refused;
    return call("POST", "/api/conversations", { ...body, proof: WAIT }); // it took us too long
  }
}

function solved({ challenge, bits }) {
  return new Promise((done, failed) => {
    const worker = new Worker("/static/work.js");
    const timer = setTimeout(() => end(failed), LONGEST);
    const end = (tell, proof) => {
      clearTimeout(timer);
      worker.terminate();
      tell(proof);
    };
    worker.onmessage = ({ data }) => (data ? end(done, data) : end(failed));
    worker.onerror = () => end(failed);
    document.addEventListener("earshot:leave", () => end(failed), { once: true });
    worker.postMessage({ challenge, bits });
  });
}
