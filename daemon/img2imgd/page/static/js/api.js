/** Talking to the daemon. Errors come as `Refusal`: what is wrong, and what to do. */

export class Refusal extends Error {
  constructor(status, told) {
    super(told.error || "The daemon did not answer as expected.");
    this.status = status;
    this.advice = told.advice || "";
    this.problems = told.problems || [];
  }
}

const OFFLINE = { error: "The daemon cannot be reached.", advice: "Is img2imgd running?" };

/** GET a JSON answer. */
export const read = (url) => request(url, {});

/** POST, with a JSON body or none. */
export function act(url, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" } };
  options.body = JSON.stringify(body ?? {});
  return request(url, options);
}

async function request(url, options) {
  let answer;
  try {
    answer = await fetch(url, { ...options, credentials: "same-origin" });
  } catch {
    throw new Refusal(0, OFFLINE);
  }
  return told(answer.status, await answer.text());
}

/** The JSON of an answer, or the refusal that it is. */
export function told(status, text) {
  if (status === 401) location.reload(); // the token has changed: the login page comes
  let value = {};
  try {
    value = JSON.parse(text || "{}");
  } catch {
    // An answer of a proxy, perhaps: its status says enough.
  }
  if (status < 200 || status > 299) throw new Refusal(status, value);
  return value;
}

/**
 * Send a form with progress: `onProgress(fraction)`. Gives back what `/api/drop` says, and `at`: when,
 * by the clock of the daemon.
 * XMLHttpRequest, because fetch does not tell how much has been sent.
 */
export function upload(url, form, onProgress) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", url);
    sending.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable && event.total) onProgress(event.loaded / event.total);
    });
    sending.addEventListener("load", () => {
      try {
        const answer = told(sending.status, sending.responseText);
        resolve({ ...answer, at: Date.parse(sending.getResponseHeader("Date")) || Date.now() });
      } catch (refusal) {
        reject(refusal);
      }
    });
    for (const cut of ["error", "abort", "timeout"]) {
      sending.addEventListener(cut, () => reject(new Refusal(0, OFFLINE)));
    }
    sending.send(form);
  });
}
