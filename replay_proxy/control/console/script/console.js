// The start of the console, and what keeps it up to date: data are taken as they come, and shown at most some times a second.

views = { overview: ["Overview", overviewView], live: ["Live", liveView], resources: ["Resources", resourcesView], calls: ["Calls", callsView], timeline: ["Timeline", timelineView], graph: ["Graph", graphView], restore: ["Restore", noRestoreView], aliases: ["Aliases", aliasesView], pods: ["Pods", podsView], doctor: ["Doctor", proxyDoctorView] };
const REFRESH_MS = 400;
let begun = false, restsUntil = 0;

function notice(text) {
  const box = document.getElementById("notice");
  box.hidden = !text;
  box.textContent = visible(text || "");
}

function connect(connected, why) {
  feed.connected = connected;
  if (connected) notice("");
  chip(connected ? "connected" : why, connected ? "busy" : "bad");
  if (!connected) document.getElementById("about").textContent = why === "not connected" ? "Trying again …" : "";
  document.documentElement.dataset.connected = String(connected);
  dirty.state = true;
}

function chip(text, kind) {
  const box = document.getElementById("chip");
  if (box.textContent !== text) box.textContent = text;
  box.className = "chip " + kind;
}

// Called with the first data: only now there is something to show.
function begin() {
  store.overview.summary = { failed: 0 };
  if (begun) { shown.key = ""; relate(); route(); return; }
  begun = true;
  for (const [view, [name]] of Object.entries(views)) nav.append(el("a", { href: address(view), "data-view": view }, name));
  listen();
  relate();
  if (parts()[0] === "search") box.value = parts()[1] || "";
  route();
}

function head() {
  const state = feed.state;
  if (feed.connected && state) {
    const busy = state.state === "starting" || state.state === "restoring", restore = state.restore;
    chip(state.state, busy ? "busy" : state.state === "ready" && !Object.keys(state.degraded).length ? "good" : "bad");
    document.getElementById("about").textContent = visible([state.emulator.name + " at " + state.emulator.url.replace(/^https?:\/\//, ""), busy && restore && restore.total ? number(restore.done) + " of " + counted(restore.total, "call") + " restored" : feed.rate.toFixed(1) + " requests / s"].join(" · "));
    const known = Object.entries(state.degraded).map(([name, why]) => name + ": " + why);
    if (feed.trouble) known.unshift("The recording cannot be shown: " + feed.trouble);
    notice(known.join("; "));
  }
  document.getElementById("state").textContent = feed.progress ? "Reading the recording: " + number(feed.progress.done) + " of " + counted(feed.progress.total, "call") : !feed.recording ? "Nothing is recorded here" : counted([...store.resources.values()].filter((each) => !each.gone).length, "resource") + ", " + counted(store.calls.length, "call") + " in the recording";
}

function refresh() {
  const what = { ...dirty };
  Object.assign(dirty, { calls: false, resources: false, passing: false, state: false });
  if (!begun || !store.overview) { head(); return; }
  if (what.calls || what.resources) relate();
  if (feed.state && feed.state.restore && (feed.state.restore.finished || shown.view === "restore")) loadRestore();
  head();
  if (shown.renew) shown.renew(what);
}

let rates = [];
setInterval(() => {
  const now = performance.now(), total = feed.total || 0;
  rates.push([now, total]);
  if (rates.length > 12) rates.shift();
  feed.rate = rates.length > 1 ? ((total - rates[0][1]) * 1000) / (now - rates[0][0]) : 0;
  dirty.state = true;
}, 500);
setInterval(() => {
  if (!Object.values(dirty).some(Boolean) || performance.now() < restsUntil) return;
  const started = performance.now();
  refresh();
  restsUntil = performance.now() + 4 * (performance.now() - started);
}, REFRESH_MS);

const given = /^#token=(.+)$/.exec(location.hash);
if (given) {
  try { feed.token = decodeURIComponent(given[1]); } catch { feed.token = given[1]; }
  history.replaceState(null, "", location.pathname + "#/overview");
}
follow();
