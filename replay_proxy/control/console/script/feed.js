// The stream of events, the data, the token. The token is held here alone: neither in an address, nor where other pages of
// this origin (what the emulator serves) could read it.

const feed = { token: "", process: "", generation: "", recording: false, connected: false, trouble: "", progress: null, state: null, passing: [], skipped: 0, rate: 0, restoreOf: "" };
const PASSING_MAX = 5000, ROWS = 5000, RESOURCES = 500, DETAILS = 500, SEARCHED_MAX = 5000, SILENCE_MS = 30000;
const dirty = { calls: false, resources: false, passing: false, state: false };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

class TokenWanted extends Error {}

// Header fields carry bytes: those of the token in UTF-8.
const tokenFields = () => (feed.token ? { "X-Replay-Token": String.fromCharCode(...new TextEncoder().encode(feed.token)) } : {});

async function ask(path, options) {
  const answer = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", ...options, headers: tokenFields() });
  if (answer.status === 401) throw new TokenWanted();
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({ error: "the proxy answered with " + answer.status }));
    throw new Error(said.error + (said.hint ? "; " + said.hint : ""));
  }
  return answer;
}
const piece = async (path) => (await ask("/_replay/console/" + path)).text();
async function json(path) {
  const found = JSON.parse(await piece(path));
  if (found && found.error) throw new Error(found.error + (found.hint ? "; " + found.hint : ""));
  return found;
}

// All of the recording, in pieces. What was shown stays until the last of them is here.
let loading = 0, missed = null;
async function loadAll() {
  const mine = ++loading;
  missed = [];
  try {
    const overview = await json("overview");
    const rows = [], resources = [];
    for (let count = ROWS; count === ROWS && mine === loading;) { const found = await json("rows/" + rows.length); for (const each of found) rows.push(each); count = found.length; }
    for (let count = RESOURCES, at = 0; count === RESOURCES && mine === loading;) { const found = await json("resources/" + at); for (const each of found) { resources.push(each); at = each.number; } count = found.length; }
    if (mine !== loading) return;
    clear();
    store.overview = { ...overview, restore: store.overview && store.overview.restore };
    feed.generation = overview.generation;
    takeRows(rows);
    takeResources(resources);
    for (const each of missed) take(each);
    missed = null;
    Object.assign(dirty, { calls: true, resources: true });
    feed.trouble = "";
    begin();
    refresh();
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    if (mine !== loading) return;
    missed = null;
    if (error instanceof TokenWanted) return;
    feed.trouble = error.message;
    dirty.state = true;
    await pause(2000);
    if (mine === loading && feed.connected) loadAll();
  }
}

function clear() {
  Object.assign(store, { calls: [], bySeq: new Map(), resources: new Map(), texts: [], details: [], loaded: 0, complete: false });
}

function take(found) {
  takeRows(found.rows);
  takeResources(found.resources);
  if (found.rows.length) dirty.calls = true;
  if (found.resources.length) dirty.resources = true;
}

// Requests and answers: of a call that is looked at, and of the latest where somebody searches.
store.onTheWay = "The request and the answer are on their way; ";
store.fetchDetails = async (call) => {
  try { takeDetails(await piece("call/" + call.seq)); } catch (error) { notice(error.message); }
  if (shown.loaded) shown.loaded();
};
let searching = false;
store.wanted = async () => {
  if (searching) return;
  searching = true;
  try {
    const last = store.calls.length - 1, first = Math.max(0, last - SEARCHED_MAX + 1);
    let fetched = false;
    for (let at = last - last % DETAILS; at >= 0 && at + DETAILS > first; at -= DETAILS) {
      if (store.calls.slice(at, at + DETAILS).every((call) => store.details[call.at])) continue;
      takeDetails(await piece("calls/" + at));
      fetched = true;
    }
    if (fetched || !store.complete) { store.complete = true; if (shown.loaded) shown.loaded(); }
  } catch (error) { notice(error.message); } finally { searching = false; }
};

async function loadRestore() {
  const counts = JSON.stringify(feed.state.restore);
  if (counts === feed.restoreOf) return;
  feed.restoreOf = counts;
  try { store.overview.restore = await json("restore"); } catch { feed.restoreOf = ""; return; }
  if (shown.view === "restore") { shown.key = ""; route(); }
}

const handlers = {
  hello(said) {
    feed.recording = said.recording;
    if (said.process !== feed.process) { feed.process = said.process; feed.generation = ""; feed.restoreOf = ""; }
    if (said.recording) loadAll();
    else { clear(); store.overview = { recording: { warnings: [], not_understood: [], emulator: {} }, restore: null }; begin(); refresh(); document.documentElement.dataset.ready = "true"; }
  },
  state(said) { feed.state = said; dirty.state = true; },
  passing(said) {
    feed.skipped += said.skipped;
    feed.total = (feed.total || 0) + said.skipped + said.entries.length;
    feed.passing.unshift(...said.entries.reverse());
    if (feed.passing.length > PASSING_MAX) feed.passing.length = PASSING_MAX;
    dirty.passing = true;
  },
  changed(said) { if (missed) missed.push(said); else take(said); },
  renewed(said) { if (!said.generation || said.generation !== feed.generation) loadAll(); },
  progress(said) { feed.progress = said.total ? said : null; dirty.state = true; },
  trouble(said) { feed.trouble = said.reason; dirty.state = true; },
};

async function follow() {
  for (let failures = 0; ; failures++) {
    const quiet = new AbortController();
    let silence = 0;
    const listen = () => { clearTimeout(silence); silence = setTimeout(() => quiet.abort(), SILENCE_MS); };
    try {
      listen();
      const answer = await ask("/_replay/console/events", { signal: quiet.signal });
      failures = 0;
      connect(true);
      let text = "";
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let got = await reader.read(); !got.done; got = await reader.read()) {
        listen();
        text += got.value;
        const events = text.split("\n\n");
        text = events.pop();
        for (const each of events) {
          const found = /^event: (\w+)\ndata: (.*)$/s.exec(each);
          if (found && handlers[found[1]]) handlers[found[1]](JSON.parse(found[2]));
        }
      }
    } catch (error) {
      if (error instanceof TokenWanted) { connect(false, "wants a token"); await askForToken(); failures = 0; continue; }
      if (error instanceof SyntaxError) console.error(error);
      if (!(error instanceof TypeError) && error.name !== "AbortError") notice(error.message);
    } finally {
      clearTimeout(silence);
    }
    connect(false, "not connected");
    await pause(Math.min(5000, 300 * 2 ** failures));
  }
}
