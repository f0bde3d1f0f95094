/** Calls to the gateway's public interface. Nothing is kept; the session is an HttpOnly cookie. */

const TIMEOUT = 15_000; // milliseconds; a slow phone network answers within a few seconds or not at all

/** A refusal or a failure. `status` is 0 when no answer came; `detail` is readable by a person, `data` all of it. */
export class Problem extends Error {
  constructor(status, data = {}, retryAfter = 0) {
    super(`status ${status}`);
    this.status = status;
    this.data = data;
    this.detail = data.detail ?? "";
    this.retryAfter = retryAfter; // milliseconds
  }

  /** True when the same call may succeed later. */
  get passing() {
    return [0, 408, 425, 428, 429].includes(this.status) || this.status >= 500;
  }
}

const left = new AbortController();
document.addEventListener("earshot:leave", () => left.abort());

/** Sends `body` as JSON; returns `{status, data}` with data `null` for an empty answer. Throws Problem. */
export async function call(method, path, body) {
  if (left.signal.aborted) throw new Problem(0);
  const slow = new AbortController();
  const stop = () => slow.abort();
  const timer = setTimeout(stop, TIMEOUT);
  left.signal.addEventListener("abort", stop);
  try {
    const answer = await fetch(path, {
      method,
      signal: slow.signal,
      credentials: "same-origin",
      cache: "no-store",
      // Inside a frame on another website the session is another cookie: see embed.py.
      headers: { ...(self !== top && { "Earshot-Framed": "1" }), ...(body !== undefined && { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    const data = asJson(text);
    if (answer.ok) return { status: answer.status, data };
    throw new Problem(answer.status, data ?? {}, 1000 * (Number(answer.headers.get("Retry-After")) || 0));
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(0);
  } finally {
    clearTimeout(timer);
    left.signal.removeEventListener("abort", stop);
  }
}

// A proxy in between may answer with a page of its own: that is a failure, not a crash.
function asJson(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
