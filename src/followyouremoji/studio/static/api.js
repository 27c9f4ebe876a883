// What the page's scripts ask the studio for. A refusal is an Error whose message is the sentence for the user.

const GONE = "the studio cannot be reached; is its command still running?";

async function answer(response) {
  if (response.ok) return response;
  throw refusal(response.status, await response.text());
}

function refusal(status, text) {
  let detail = `the studio does not answer as it should (${status}); reload the page`;
  let settings = [];
  try {
    ({ detail = detail, settings = [] } = JSON.parse(text));
  } catch { /* no JSON: a proxy's page, perhaps */ }
  const error = new Error(typeof detail === "string" ? detail : JSON.stringify(detail));
  return Object.assign(error, { status, settings }); // names of settings that it is about
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/studio/${path}`, options);
  } catch (reason) {
    if (reason.name === "AbortError") throw reason;
    throw new Error(GONE);
  }
  return answer(response);
}

export const getJson = async (path) => (await ask(path)).json();

export const getText = async (path) => (await ask(path)).text();

export const getBytes = async (path) => (await ask(path)).arrayBuffer();

export const getBlob = async (path) => (await ask(path)).blob();

export async function sendJson(path, content, { method = "POST", signal } = {}) {
  const body = JSON.stringify(content);
  return ask(path, { method, body, signal, headers: { "content-type": "application/json" } });
}

// Upload a file; `advance` is called with the share that is there. Resolves to the material.
export function sendFile(kind, file, { advance = () => {}, signal } = {}) {
  const query = new URLSearchParams({ kind, name: file.name });
  const request = new XMLHttpRequest(); // fetch does not tell how far an upload is
  return new Promise((resolve, reject) => {
    request.open("POST", `/studio/materials?${query}`);
    request.upload.onprogress = (event) => event.lengthComputable && advance(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText));
    };
    request.onerror = () => reject(new Error(GONE));
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
