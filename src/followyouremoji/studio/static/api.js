// What the page's scripts ask the studio for. A refusal is an Error whose message is the sentence for the user.

async function answer(response) {
  if (response.ok) return response;
  let detail = `the studio does not answer as it should (${response.status}); reload the page`;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch { /* no JSON: a proxy's page, perhaps */ }
  throw new Error(typeof detail === "string" ? detail : JSON.stringify(detail));
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/studio/${path}`, options);
  } catch (reason) {
    if (reason.name === "AbortError") throw reason;
    throw new Error("the studio cannot be reached; is its command still running?");
  }
  return answer(response);
}

export const getJson = async (path) => (await ask(path)).json();

export async function sendJson(path, content, { method = "POST", signal } = {}) {
  const body = JSON.stringify(content);
  return ask(path, { method, body, signal, headers: { "content-type": "application/json" } });
}

export async function sendFile(kind, file) {
  const query = new URLSearchParams({ kind, name: file.name });
  return (await ask(`materials?${query}`, { method: "POST", body: file })).json();
}
