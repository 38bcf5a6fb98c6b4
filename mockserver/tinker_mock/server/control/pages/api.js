// The control API: requests with the control key, and the journal's feed.

const KEY = "tinker-mock-key";

function headers(more = {}) {
  const key = sessionStorage.getItem(KEY);
  return key ? { "X-Tinker-Mock-Key": key, ...more } : more;
}

async function refusal(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Error(body.detail || `${answer.status} ${answer.statusText}`);
}

async function fetched(path, options) {
  const answer = await fetch(path, options);
  if (answer.status === 401) {
    const key = prompt("This mock was started with a control key. The key:");
    if (key) {
      sessionStorage.setItem(KEY, key);
      return fetched(path, { ...options, headers: headers(options.headers) });
    }
  }
  return answer;
}

export async function ask(path) {
  const answer = await fetched(path, { headers: headers() });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

export async function tell(method, path, body) {
  const options = { method, headers: headers() };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetched(path, options);
  if (!answer.ok) throw await refusal(answer);
  return answer.status === 204 ? null : answer.json();
}

export async function text(path) {
  const answer = await fetched(path, { headers: headers() });
  if (!answer.ok) throw await refusal(answer);
  return answer.text();
}

// Calls `each` with every exchange that ends from now on; comes back when the stream breaks.
export async function follow(each, connected) {
  const answer = await fetched("/_mock/journal/feed?view=line", { headers: headers() });
  if (!answer.ok) throw await refusal(answer);
  connected();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      if (data) each(JSON.parse(data));
    }
  }
}
