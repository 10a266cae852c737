// Asks the model: one request at a time, and always about what is there now.

const PATIENCE = 60000; // milliseconds until a request is given up
const PAUSE = 3000; // milliseconds until a server that is down is asked again

export class Asker {
  /**
   * @param {string} url where the model is asked
   * @param {Function} request returns what to ask, or null for nothing
   * @param {Object} on what is told: `busy(whether)`,
   *   `answered(outputs, request, seconds)` and `failed(message)`
   */
  constructor(url, request, on) {
    this.url = url;
    this.request = request;
    this.on = on;
    this.asked = false; // whether a request is under way
    this.wanted = false; // whether something has changed since it was sent
  }

  /** Asks as soon as the request before is answered. */
  async ask() {
    clearTimeout(this.again);
    this.wanted = true;
    if (this.asked) return;
    this.asked = true;
    this.on.busy(true);
    try {
      while (this.wanted) {
        this.wanted = false;
        const request = this.request();
        if (request) await this.once(request);
      }
    } finally {
      this.asked = false;
      this.on.busy(false);
    }
  }

  async once(request) {
    const start = performance.now();
    let response, text;
    try {
      response = await fetch(this.url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(request.body),
        signal: AbortSignal.timeout(PATIENCE),
      });
      text = await response.text();
    } catch (error) {
      const why = error.name === "TimeoutError" ?
        `The server has not answered for ${PATIENCE / 1000} seconds.` :
        "The server does not answer.";
      this.fail(`${why} It is asked again until it does.`, true);
      return;
    }
    const answer = parsed(text);
    if (!response.ok) {
      const again = response.status === 502 || response.status === 503;
      const then = again ? " It is asked again." : "";
      const told = answer?.error ?? `it answers with status ${response.status}`;
      const why = String(told).replace(/[^.?!]$/, "$&.");
      // Of 502 it is the page's own server that tells; no other was there.
      const who = response.status === 502 ? "" : "The server refuses: ";
      this.fail(`${who}${why}${then}`, again);
      return;
    }
    const probabilities = answer?.outputs?.probabilities?.[0];
    const fine = Array.isArray(probabilities) && probabilities.length &&
      probabilities.every(Number.isFinite);
    if (!fine) {
      this.fail("The server's answer has no probabilities.", false);
      return;
    }
    const seconds = (performance.now() - start) / 1000;
    this.on.answered(answer.outputs, request, seconds);
  }

  fail(message, again) {
    this.on.failed(message);
    if (again) this.again = setTimeout(() => this.ask(), PAUSE);
  }
}

/** Returns what a text of JSON holds, or null if it is none. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
