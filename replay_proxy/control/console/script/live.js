// The views that only the console has: overview, live, aliases.

const FATES = {
  recorded: ["recorded", "It changed something, and is in the recording."],
  read: ["read", "It changes nothing, so it is not recorded."],
  transient: ["not kept", "What it does is not part of the state that a restore brings back, so it is not recorded."],
  refused: ["refused", "The emulator refused it: it changed nothing, and is not recorded."],
  switched_off: ["left out", "It changed something, and a setting leaves it out of the recording."],
  unrecorded: ["not recorded", "It was let through although it could not be recorded. It will be missing after a restart."],
  unrecognised: ["unknown", "It is no call of an AWS API that is known here. If it changed anything, that will be missing after a restart."],
  unavailable: ["503", "The proxy answered by itself, since emulator, state or journal were not there. SDKs repeat such a request."],
};
const LATEST = 12;
const took = (each) => each.ms.toFixed(1);
// The resource that a recorded request was about, once the recording has told it.
const about = (each) => { const call = each.seq && store.bySeq.get(each.seq); return call && call.resources.length ? nameOf(call.resources[0]) : ""; };
const BAD = new Set(["refused", "unrecorded", "unavailable"]);
const fateOf = (each) => (FATES[each.fate] || [each.fate, ""]);
const isBad = (each) => BAD.has(each.fate) || each.status >= 400;

// A part of the page that is drawn anew when what it shows is another than before.
function part(attributes, look, draw) {
  const box = el("section", attributes);
  let before = null;
  const renew = () => {
    const now = JSON.stringify(look());
    if (now === before) return;
    before = now;
    const parts = draw();
    box.hidden = !parts;
    box.replaceChildren(...(parts || []).flat(Infinity).filter(Boolean));
  };
  renew();
  return { box, renew };
}
const smallTable = (heads, rows, kind) => el("div", { class: "scroll" }, el("table", { class: kind }, el("thead", null, el("tr", null, heads.map((each) => el("th", { scope: "col", class: each[1] || null }, each[0])))), el("tbody", null, rows.map((row) => el("tr", null, row.map((each, at) => el("td", { class: heads[at][1] || null }, each)))))));

function overviewView(main) {
  const state = () => feed.state || { requests: {}, not_recorded: [], emulator: {}, degraded: {} };
  const living = () => [...store.resources.values()].filter((each) => !each.gone);
  const card = (value, text, kind, to) => el("li", { class: "card " + (kind || "") }, el("b", null, number(value)), el("span", null, to ? link(to, text) : text));
  const missing = () => state().not_recorded.reduce((sum, each) => sum + each.count, 0);
  const cards = part({}, () => [living().length, store.calls.length, state().requests, missing(), state().aliases], () => {
    const { requests, aliases } = state();
    return [el("ul", { class: "cards", role: "list" },
      card(living().length, "resources", "", address("resources")), card(store.calls.length, "calls in the recording", "", address("calls")),
      card((requests.recorded || 0) + (requests.reads || 0) + (requests.transient || 0) + (requests.refused || 0) + (requests.switched_off || 0) + (requests.unrecognised || 0), "requests since the start", "", address("live")),
      requests.refused ? card(requests.refused, "refused by the emulator", "", address("live", "refused")) : null,
      card(missing(), "not recorded", missing() ? "bad" : "good"),
      aliases ? card(aliases, "aliases", "", address("aliases")) : null)];
  });
  const proxy = part({ class: "panel" }, () => [feed.state, feed.connected], () => {
    const { emulator, recording, reason, waiting, save_strategy: save, load_strategy: load, read_only: only } = state();
    const degraded = Object.entries(state().degraded);
    return [el("h2", null, "Proxy"), facts([
      ["state", feed.state ? feed.state.state + (reason ? ": " + reason : "") : "not known yet"], ["waiting now", waiting ? counted(waiting, "request") : ""],
      ["emulator", emulator.name ? emulator.name + " at " + emulator.url : ""], ["lost and back", emulator.returns ? counted(emulator.returns, "time") : ""],
      ["recording", recording || "off"], ["saves", only ? "nothing: the recording is only read" : save], ["loads", load],
      ...degraded.map(([name, why]) => [name, el("span", { class: "bad-text" }, why)]),
    ])];
  });
  const restore = part({ class: "panel" }, () => [state().restore, state().restoring, state().state], () => {
    const found = state().restore, parts = state().restoring;
    if (!found || !(found.total || found.superseded)) return null;
    const running = !found.finished && state().state !== "failed";
    return [el("h2", null, running ? "Restoring" : "Latest restore"),
      running ? el("progress", { "aria-label": "Calls dealt with", max: Math.max(found.total, 1), value: found.done }) : null,
      facts([
        ["restored", el("span", { class: "good-text" }, number(found.restored) + " of " + counted(found.total, "call"))],
        ["not as recorded", found.bad ? el("span", { class: "bad-text" }, link(address("restore"), number(found.bad))) : ""],
        ["superseded", found.superseded ? number(found.superseded) + " needed no repeating" : ""], ["took", running ? "" : found.seconds + " s"],
        ...(parts && parts.services ? Object.entries(parts.services).map(([name, stage]) => [name, typeof stage === "string" ? stage : JSON.stringify(stage)]) : []),
      ]), running ? null : el("p", null, found.bad ? link(address("restore"), "Each call that differs") : el("span", { class: "soft" }, "Every call had an equivalent outcome."))];
  });
  const unrecorded = part({ class: "panel" }, () => [state().not_recorded, state().requests.switched_off_by_service, state().gaps], () => {
    const off = Object.entries(state().requests.switched_off_by_service || {});
    if (!state().not_recorded.length && !off.length && !state().gaps) return [el("h2", null, "Not recorded"), el("p", { class: "soft" }, "Every change that passed since the start is in the recording.")];
    return [el("h2", { class: missing() ? "bad-text" : null }, "Not recorded, and why"),
      smallTable([["What"], ["Why"], ["Times", "number"]], [...state().not_recorded.map((each) => [each.what, each.why, number(each.count)]), ...off.map(([service, count]) => [service, "a setting leaves its changes out", number(count)])]),
      state().gaps ? el("p", { class: "bad-text" }, counted(state().gaps, "gap") + " in the recording") : null];
  });
  const latest = part({ class: "panel" }, () => feed.passing.slice(0, LATEST).map((each) => [each, about(each)]), () => [
    el("h2", null, "Latest requests"),
    feed.passing.length ? smallTable([["Time"], ["Service"], ["Operation", "what"], ["Status", "number"], ["ms", "number"], ["What became of it"]], feed.passing.slice(0, LATEST).map((each) => [shortTime(each.time), each.service || "?", [each.seq ? link(address("calls", each.seq), each.what) : each.what, el("span", { class: "soft" }, " " + about(each)), each.error ? el("span", { class: "bad-text" }, " " + each.error) : null], el("span", { class: isBad(each) ? "bad-text" : null }, each.status), took(each), el("span", { class: isBad(each) ? "bad-text" : "soft" }, fateOf(each)[0])]), "calls")
      : el("p", { class: "soft" }, "No request has passed since this page was opened. Point a client at ", el("code", null, location.origin), " (AWS_ENDPOINT_URL)."),
    feed.passing.length ? el("p", null, link(address("live"), "All of them, as they come")) : null]);
  const services = part({ class: "panel" }, () => [store.calls.length, living().length], () => {
    const sums = new Map();
    const sum = (name) => { if (!sums.has(name)) sums.set(name, [0, 0]); return sums.get(name); };
    for (const call of store.calls) sum(call.service)[1]++;
    for (const each of living()) sum(each.service)[0]++;
    return [el("h2", null, "Services"), sums.size ? smallTable([["Service"], ["Resources", "number"], ["Calls", "number"]], [...sums].sort().map(([name, [resources, calls]]) => [link(address("calls", "service", name), name || "not recognised"), number(resources), number(calls)])) : el("p", { class: "soft" }, feed.recording ? "Nothing is recorded yet." : "Nothing is recorded here.")];
  });
  const types = part({ class: "panel" }, () => living().map((each) => each.type), () => {
    const sums = new Map();
    for (const each of living()) sums.set(each.type, (sums.get(each.type) || 0) + 1);
    return sums.size ? [el("h2", null, "Types"), smallTable([["Type"], ["Resources", "number"]], [...sums].sort((a, b) => b[1] - a[1]).slice(0, 40).map(([type, count]) => [link(address("resources", "type", type), type), number(count)]))] : null;
  });
  const panels = [cards, proxy, restore, unrecorded, latest, services, types];
  const actions = el("section", { class: "panel" }, el("h2", null, "State"), el("p", { class: "soft" }, "What is recorded is kept, and comes back by itself. These do more, or do it now."), el("div", { class: "actions" }, controlButtons()));
  main.replaceChildren(el("div", { class: "page" }, cards.box, el("div", { class: "overview" },
    el("div", { class: "stack" }, proxy.box, restore.box, unrecorded.box, actions),
    el("div", { class: "stack" }, latest.box, el("div", { class: "columns" }, services.box, types.box)))));
  return { renew: () => panels.forEach((each) => each.renew()) };
}

function liveView(main, rest) {
  const wanted = { fate: rest[0] in FATES ? rest[0] : "", service: "", bad: false, words: [] };
  let held = null;
  const source = () => held || feed.passing;
  const found = () => source().filter((each) => (!wanted.fate || each.fate === wanted.fate) && (!wanted.service || each.service === wanted.service) && (!wanted.bad || isBad(each)) && hasAll(folded([each.service, each.what, each.error, each.status, each.account, each.region, about(each)].join(" ")), wanted.words));
  let rows = found();
  const count = el("span", { class: "count" });
  const list = virtualList({
    label: "Requests, the latest first", rows,
    draw: (each) => ({ cells: [el("span", { class: "time" }, shortTime(each.time)), el("span", { class: "status" + (isBad(each) ? " bad-text" : " soft") }, each.status), el("span", { class: "service" }, each.service || "?"), el("span", { class: "grow" + (isBad(each) ? " bad-text" : "") }, each.what + (each.error ? "  " + each.error : "  "), el("span", { class: "soft" }, about(each))), el("span", { class: "note fate" }, fateOf(each)[0]), el("span", { class: "ms" }, took(each) + " ms")] }),
    open: (each, byKey) => { list.mark(each); show(each); if (byKey) view.focus(); },
  });
  const hold = el("button", { type: "button", "aria-pressed": "false", onclick: () => { held = held ? null : [...feed.passing]; hold.setAttribute("aria-pressed", String(Boolean(held))); hold.textContent = held ? "Go on" : "Pause"; renew(); } }, "Pause");
  const bad = el("input", { type: "checkbox", onchange: () => { wanted.bad = bad.checked; renew(); } });
  const words = el("input", { type: "search", "aria-label": "Filter", placeholder: "Filter", autocomplete: "off", spellcheck: "false", oninput: () => { wanted.words = wordsOf(words.value); renew(); } });
  const services = el("select", { "aria-label": "service", onchange: () => { wanted.service = services.value; renew(); } });
  let known = null;
  function renewServices() {
    const names = [...new Set(feed.passing.map((each) => each.service))].sort();
    if (names.join() === known) return;
    known = names.join();
    services.replaceChildren(...[["", "all services"], ...names.filter(Boolean).map((name) => [name, name])].map(([value, text]) => el("option", { value, selected: value === wanted.service }, text)));
  }
  const view = split(main, [hold, words, el("label", null, el("span", { class: "hidden" }, "what became of it"), select([["", "all"], ...Object.entries(FATES).map(([fate, [name]]) => [fate, name])], wanted.fate, (value) => { wanted.fate = value; renew(); })), el("label", null, services), el("label", null, bad, "refused only"), count], list, "live");
  view.box.querySelector(".back").addEventListener("click", (event) => { event.preventDefault(); view.show(null, HINT); });
  view.box.classList.add("live");
  const HINT = "Requests as they pass, the latest first. Choose one for more; what is recorded can be seen in full.";
  const show = (each) => view.show([
    el("h2", null, (each.service ? each.service + " " : "") + each.what),
    el("p", null, el("span", { class: "tag" + (isBad(each) ? " bad" : "") }, each.status + (each.error ? " " + each.error : "")), el("span", { class: "tag" }, fateOf(each)[0])),
    el("p", null, fateOf(each)[1]),
    facts([["resource", about(each) ? link(address("resources", store.bySeq.get(each.seq).resources[0]), about(each)) : ""], ["time", fullTime(each.time)], ["took", took(each) + " ms"], ["account", each.account], ["region", each.region]]),
    each.seq ? el("p", null, link(address("calls", each.seq), "The call in full: request, answer, aws command")) : null,
  ]);
  function renew() {
    rows = found();
    list.show(rows, true);
    renewServices();
    count.textContent = (held ? "paused, " + number(feed.passing.length ? feed.passing.indexOf(held[0]) : 0) + " newer" : feed.rate.toFixed(feed.rate < 10 ? 1 : 0) + " / s") + "; " + counted(rows.length, "request") + (feed.skipped ? ", " + number(feed.skipped) + " skipped" : "");
  }
  renew();
  view.show(null, HINT);
  return { renew };
}

function aliasesView(main) {
  let all = null, of = -1, words = [];
  const count = el("span", { class: "count" });
  const found = () => (all || []).filter((each) => hasAll(each.text, words));
  const list = virtualList({
    label: "Aliases", rows: [],
    draw: (each) => ({ cells: [el("span", { class: "half" }, each.client), el("span", { class: "arrow", "aria-hidden": "true" }, "→"), el("span", { class: "half soft" }, each.emulator), el("span", { class: "note" }, each.kind)] }),
    open: (each, byKey) => { list.mark(each); show(each); if (byKey) view.focus(); },
  });
  const filter = el("input", { type: "search", "aria-label": "Filter", placeholder: "Filter", autocomplete: "off", spellcheck: "false", oninput: () => { words = wordsOf(filter.value); draw(false); } });
  const view = split(main, [filter, count], list, "aliases");
  view.box.classList.add("live");
  const HINT = "Identifiers that clients were shown first, and those that the emulator uses since its latest start. The proxy translates both ways.";
  view.box.querySelector(".back").addEventListener("click", (event) => { event.preventDefault(); view.show(null, HINT); });
  const show = (each) => view.show([
    el("h2", null, each.client), el("p", null, el("span", { class: "tag" }, each.kind), each.minted ? el("span", { class: "tag" }, "made up because of a collision") : null),
    facts([["clients say", each.client], ["the emulator says", each.emulator], ["account", each.account || "any"], ["region", each.region || "any"], ["learned from", each.learned_from && each.learned_from.call ? [each.learned_from.seq ? link(address("calls", each.learned_from.seq), "call " + each.learned_from.seq) : "a live answer", " " + each.learned_from.call + " " + (each.learned_from.member || "")] : ""]]),
    el("p", null, link(address("search", each.client), "Where it occurs")),
  ]);
  function draw(keep) {
    const rows = found();
    list.show(rows, keep);
    count.textContent = all === null ? "loading" : counted(rows.length, "alias").replace("aliass", "aliases");
  }
  async function renew() {
    const now = feed.state ? feed.state.aliases : 0;
    if (now === of) return;
    of = now;
    try {
      all = await (await ask("/_replay/aliases")).json();
      for (const each of all) each.text = folded(JSON.stringify(each));
    } catch (error) { notice(error.message); of = -1; return; }
    draw(true);
  }
  draw(false);
  view.show(null, HINT);
  renew();
  return { renew };
}

function noRestoreView(main) {
  if (store.overview.restore) return restoreView(main);
  main.replaceChildren(el("p", { class: "empty" }, "Nothing was restored since the proxy was started."));
}
