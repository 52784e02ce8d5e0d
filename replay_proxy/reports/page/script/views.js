// The views: each draws itself into `main`. The rest of an address says what is chosen in it.

const select = (values, value, change) => {
  const box = el("select", { onchange: () => change(box.value) }, values.map((each) => { const [key, text] = Array.isArray(each) ? each : [each, each]; return el("option", { value: key, selected: key === value }, text); }));
  return box;
};

// A list beside what is chosen in it; on narrow windows, one of the two.
function split(main, tools, list, view) {
  const content = el("div");
  const detail = el("section", { class: "detail", tabindex: -1, "aria-label": "Details" }, el("a", { class: "back", href: address(view) }, "← back to the list"), content);
  const box = el("div", { class: "split" }, el("div", { class: "side" }, el("div", { class: "tools" }, tools), list.box), detail);
  main.replaceChildren(box);
  return {
    show(parts, hint, stays) {
      const top = detail.scrollTop;
      box.classList.toggle("opened", Boolean(parts));
      content.replaceChildren(...(parts ? parts.flat(Infinity).filter(Boolean) : [el("p", { class: "empty" }, hint)]));
      detail.scrollTop = stays ? top : 0;
    },
    focus: () => detail.focus(),
    box,
  };
}

function summaryView(main) {
  const { recording, summary, restore } = store.overview;
  const card = (value, text, kind, to) => el("li", { class: "card " + (kind || "") }, el("b", null, value), el("span", null, to ? link(to, text) : text));
  const table = (heads, rows) => el("div", { class: "scroll" }, el("table", null, el("thead", null, el("tr", null, heads.map((each, at) => el("th", { scope: "col", class: at ? "number" : null }, each)))), el("tbody", null, rows.map((row) => el("tr", null, row.map((each, at) => el("td", { class: at ? "number" : null }, each)))))));
  const cards = [card(number(summary.resources), "resources", "", address("resources")), card(number(summary.calls), "calls", "", address("calls")), card(number(summary.services.length), "services", "", address("timeline"))];
  if (summary.failed) cards.push(card(number(summary.failed), "calls refused", "bad", address("calls", "failed")));
  if (restore) {
    const bad = restore.diverged + restore.failed + restore.uncertain + restore.lost;
    cards.push(card(number(restore.restored), "calls restored", "good", address("restore")), card(number(bad), "not as recorded", bad ? "bad" : "good", address("restore")));
  }
  const missing = [...store.resources.values()].filter((each) => !each.gone).flatMap((each) => each.links.filter(([, target]) => !target).map((found) => [each, found]));
  const emulator = Object.entries(recording.emulator).map(([name, value]) => (name === "name" ? value : name + " " + value)).join(", ");
  main.replaceChildren(el("div", { class: "page" },
    el("ul", { class: "cards", role: "list" }, cards),
    recording.warnings.length ? el("div", { class: "panel" }, el("h2", { class: "bad-text" }, "Warnings"), el("ul", null, recording.warnings.map((each) => el("li", null, each)))) : null,
    el("div", { class: "columns" },
      el("section", { class: "panel" }, el("h2", null, "Recording"), facts([["from", recording.path], ["id", recording.id], ["begun", fullTime(recording.created)], ["first call", fullTime(recording.first)], ["last call", fullTime(recording.last)], ["emulator", emulator], ["not understood", recording.not_understood.length ? recording.not_understood.slice(0, 50).flatMap((each) => [link(address("calls", each), each), " "]) : ""]])),
      el("section", { class: "panel" }, el("h2", null, "Services"), table(["Service", "Resources", "Calls", "Refused"], summary.services.map((each) => [link(address("calls", "service", each.service), each.service || "not recognised"), number(each.resources), number(each.calls), each.failed || ""]))),
      el("section", { class: "panel" }, el("h2", null, "Types"), table(["Type", "Resources"], Object.entries(summary.types).slice(0, 40).map(([type, count]) => [link(address("resources", "type", type), type), number(count)]))),
      missing.length ? el("section", { class: "panel" }, el("h2", null, "Links to what is not in the recording (" + number(missing.length) + ")"), el("ul", { class: "plain" }, missing.slice(0, 20).map(([each, [member, , text]]) => el("li", null, link(address("resources", each.number), each.name), el("span", { class: "soft" }, " " + member + " → "), text)))) : null)));
}

const closed = new Set();

function resourcesView(main, rest) {
  const type = rest[0] === "type" ? rest[1] : "";
  let withGone = rest[0] === "gone";
  const found = () => [...store.resources.values()].filter((each) => (withGone || !each.gone) && (!type || each.type === type)).sort((a, b) => compare([a.account, a.region, a.service, a.type, a.id], [b.account, b.region, b.service, b.type, b.id]));
  const rows = () => {
    const shown = [];
    let before = ["", "", ""];
    const sums = new Map();
    const all = found();
    for (const each of all) for (const path of pathsOf(each)) sums.set(path, (sums.get(path) || 0) + 1);
    for (const each of all) {
      const paths = pathsOf(each);
      let hidden = false;
      paths.forEach((path, level) => {
        if (hidden) return;
        if (before[level] !== path) shown.push(groupRow(path, level + 1, paths[level], [each.account || "account not known", each.region || "global", each.service][level], sums.get(path)));
        if (closed.has(path)) hidden = true;
      });
      before = paths;
      if (!hidden) shown.push(each);
    }
    return shown;
  };
  let current = rows();
  const list = virtualList({
    label: "Resources by account, region and service", role: "tree", rows: current,
    draw: (row) => row.path !== undefined
      ? { level: row.level, expanded: !closed.has(row.path), class: "head", cells: [el("span", { class: "fold", "aria-hidden": "true" }, closed.has(row.path) ? "▸" : "▾"), el("span", { class: "grow" }, row.name), el("span", { class: "note" }, number(row.count))] }
      : { level: 4, class: row.gone ? "gone" : "", cells: [el("span", { class: "grow" }, row.name || row.id), el("span", { class: "note" }, shortType(row.type))] },
    open: (row) => (row.path !== undefined ? toggle(row, closed.has(row.path)) : go(address("resources", row.number))),
    fold: toggle,
  });
  function toggle(row, open) {
    if (row.path === undefined) return;
    if (open) closed.delete(row.path); else closed.add(row.path);
    current = rows();
    const same = current.find((each) => each.path === row.path);
    list.show(current, true);
    if (same) list.mark(same);
  }
  const gone = el("input", { type: "checkbox", checked: withGone, onchange: () => { withGone = gone.checked; current = rows(); list.show(current); } });
  const count = el("span", { class: "count" }, counted(found().length, "resource"));
  const view = split(main, [type ? el("span", null, el("span", { class: "tag" }, type), link(address("resources"), "all types")) : null, el("label", null, gone, "deleted, too"), count], list, "resources");
  let chosen = null, text = "";
  const hint = "Choose a resource: what it is, what it hangs on, which calls made and changed it.";
  function renew() {
    current = rows();
    list.show(current, true);
    count.textContent = counted(found().length, "resource");
    if (chosen && !store.resources.has(chosen.number)) chosen = null;
    // What is read is left alone until it changes.
    const now = chosen ? textOfResource(chosen) : "";
    if (now !== text) view.show(chosen ? resourceDetail(chosen) : null, hint, true);
    text = now;
  }
  const choose = (now) => {
    chosen = store.resources.get(Number(now[0]));
    text = chosen ? textOfResource(chosen) : "";
    if (chosen) {
      if (chosen.gone && !withGone) { withGone = gone.checked = true; current = rows(); list.show(current); }
      pathsOf(chosen).forEach((path) => closed.delete(path));
      if (!current.includes(chosen)) { current = rows(); list.show(current); }
      list.mark(chosen);
    }
    view.show(chosen ? resourceDetail(chosen) : null, hint);
  };
  return { choose, renew };
}
const textOfResource = (each) => JSON.stringify(each);
const pathsOf = (each) => [each.account, each.account + "/" + each.region, each.account + "/" + each.region + "/" + each.service];
const groups = new Map();
// One object for each group, so that a list keeps its place in it.
const groupRow = (path, level, key, name, count) => { if (!groups.has(key)) groups.set(key, { path, level, name }); const row = groups.get(key); row.count = count; return row; };
const compare = (a, b) => { for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return a[at] < b[at] ? -1 : 1; return 0; };

const callCells = (call) => [
  el("span", { class: "seq" }, call.seq), el("span", { class: "time" }, shortTime(call.time)), el("span", { class: "service" }, call.service || "?"),
  el("span", { class: "grow" + (call.failed ? " bad-text" : "") }, call.operation || "not recognised"), el("span", { class: "note about" + (call.failed ? " bad-text" : "") }, call.error || (call.resources.length ? nameOf(call.resources[0]) : "")),
];
const nameOf = (id) => { const name = (store.resources.get(id) || {}).name || ""; return name.length > 30 ? name.slice(0, 29) + "…" : name; };

function callsView(main, rest) {
  const wanted = { service: "", kind: "", failed: rest[0] === "failed", from: 0, to: Infinity };
  if (rest[0] === "service") wanted.service = rest[1] || "?";
  if (rest[0] === "from") [wanted.from, wanted.to, wanted.service] = [Number(rest[1]), Number(rest[2]), rest[3] === "not recognised" ? "?" : rest[3]];
  const found = () => store.calls.filter((call) => (!wanted.service || (call.service || "?") === wanted.service) && (!wanted.kind || call.kind === wanted.kind) && (!wanted.failed || call.failed) && call.seq >= wanted.from && call.seq <= wanted.to);
  let rows = found();
  const count = el("span", { class: "count", role: "status" });
  const list = virtualList({ label: "Calls in order", rows, draw: (call) => ({ cells: callCells(call) }), open: (call) => go(address("calls", call.seq)) });
  const filter = () => { rows = found(); list.show(rows); count.textContent = counted(rows.length, "call"); };
  const failed = el("input", { type: "checkbox", checked: wanted.failed, onchange: () => { wanted.failed = failed.checked; filter(); } });
  const services = [["", "all services"], ...new Set(store.calls.map((call) => call.service || "?"))].sort((a, b) => (Array.isArray(a) ? -1 : Array.isArray(b) ? 1 : a < b ? -1 : 1));
  const kinds = [["", "all kinds"], ...new Set(store.calls.map((call) => call.kind))];
  const view = split(main, [
    el("label", null, el("span", { class: "hidden" }, "service"), select(services, wanted.service, (value) => { wanted.service = value; filter(); })),
    kinds.length > 2 ? el("label", null, el("span", { class: "hidden" }, "kind"), select(kinds, "", (value) => { wanted.kind = value; filter(); })) : null,
    el("label", null, failed, "refused only"),
    wanted.from ? el("span", null, "calls " + wanted.from + " to " + wanted.to + " ", link(address("calls"), "all")) : null, count], list, "calls");
  count.textContent = counted(rows.length, "call");
  let shown = null;
  const draw = (chosen) => view.show(chosen ? callDetail(chosen) : null, "Choose a call: its request, its answer, the aws command that would make it again.");
  const loaded = () => { if (shown && shown.waits && (store.complete || detailsOf(shown.call))) { shown.waits = false; draw(shown.call); } };
  const renew = () => {
    rows = found();
    list.show(rows, true);
    count.textContent = counted(rows.length, "call");
    if (!shown && /^\d+$/.test(parts()[1] || "")) choose(parts().slice(1));
  };
  const choose = (now) => {
    const chosen = /^\d+$/.test(now[0] || "") ? store.bySeq.get(Number(now[0])) : null;
    if (chosen && !rows.includes(chosen)) { Object.assign(wanted, { service: "", kind: "", failed: false, from: 0, to: Infinity }); failed.checked = false; filter(); }
    shown = chosen && { call: chosen, waits: !detailsOf(chosen) };
    if (chosen) list.mark(chosen);
    if (shown && shown.waits && store.fetchDetails) store.fetchDetails(chosen);
    draw(chosen);
  };
  return { choose, renew, loaded };
}

function restoreView(main) {
  const { restore } = store.overview;
  const sums = [["restored", "good"], ["diverged", "bad"], ["failed", "bad"], ["uncertain", "bad"], ["lost", "bad"], ["superseded", ""], ["switched_off", ""], ["unlisted", "bad"]];
  const rows = [...restore.problems.map((each) => ({ each, result: each.result, text: each.reason })), ...restore.findings.map((each) => ({ each, result: each.loss ? "lost" : "finding", text: each.message }))];
  const list = virtualList({
    label: "What did not come back as recorded", rows,
    draw: ({ each, result, text }) => ({ cells: [el("span", { class: "seq" }, each.seq), el("span", { class: result === "finding" ? "soft" : "bad-text" }, result), el("span", { class: "service" }, each.call), el("span", { class: "grow" }, text)] }),
    open: (row) => go(address("restore", rows.indexOf(row) + 1)),
  });
  const view = split(main, [el("span", null, sums.filter(([name]) => restore[name]).map(([name, kind]) => el("span", { class: "tag " + (kind === "bad" ? "bad" : "") }, number(restore[name]) + " " + name.replace("_", " ")))), restore.cut ? el("span", { class: "tag bad" }, number(restore.cut) + " left out for the size of this page") : null, restore.finished ? null : el("span", { class: "tag bad" }, "not finished"), el("span", { class: "count" }, restore.seconds.toFixed(1) + " s")], list, "restore");
  const choose = (now) => {
    const row = rows[Number(now[0]) - 1];
    if (!row) return view.show(null, rows.length ? "Choose an entry: what was recorded, and what the replay gave." : "Every call had an equivalent outcome.");
    list.mark(row);
    const call = store.bySeq.get(row.each.seq), found = call && detailsOf(call);
    return view.show([
      el("h2", null, row.each.call.replace(":", " "), " ", el("span", { class: "soft" }, "#" + row.each.seq)),
      el("p", null, el("span", { class: "tag" + (row.result === "finding" ? "" : " bad") }, row.result), row.text),
      call ? el("p", null, link(address("calls", call.seq), "The call in full")) : null,
      row.each.differences ? differences(row.each) : null,
      found ? el("div", { class: "pair" }, el("div", null, block("Recorded answer", answerText(found.answer))), el("div", null, block("Replayed answer, where it differs", replayedText(row)))) : null,
      found && found.aws ? block("aws command", found.aws) : null,
    ]);
  };
  return { choose };
}
const replayedText = ({ each, text }) => (each.differences && each.differences.length ? pretty(Object.fromEntries(each.differences.map((diff) => [diff.member, diff.replayed]))) : text);

function searchView(main, [query]) {
  if (store.wanted) store.wanted();
  const words = wordsOf(query || "");
  const titles = new Map();
  const title = (text, count) => { if (!titles.has(text)) titles.set(text, { title: text }); return Object.assign(titles.get(text), { count }); };
  let rows = [], counts = [0, 0], took = 0, waits = null;
  function find() {
    const began = performance.now();
    const resources = named(searchResources(words), words), calls = searchCalls(words);
    const problems = (((store.overview.restore || {}).problems) || []).map((each, at) => ({ each, at })).filter(({ each }) => hasAll(JSON.stringify(each).toLowerCase(), words));
    took = performance.now() - began;
    counts = [resources.length, calls.length];
    rows = [...(problems.length ? [title("Restore", problems.length), ...problems] : []), title("Resources", resources.length), ...resources, title("Calls", calls.length), ...calls];
  }
  find();
  const list = virtualList({
    label: "Results", rows,
    draw: (row) => row.title ? { class: "head", cells: [el("span", { class: "grow" }, row.title), el("span", { class: "note" }, number(row.count))] }
      : row.each ? { cells: [el("span", { class: "seq" }, row.each.seq), el("span", { class: "bad-text" }, row.each.result), el("span", { class: "grow" }, row.each.call + " " + row.each.reason)] }
        : row.seq ? { cells: callCells(row) } : { class: row.gone ? "gone" : "", cells: [el("span", { class: "grow" }, row.name || row.id), el("span", { class: "note" }, row.type)] },
    open: (row, byKey) => { if (!row.title) { show(row); if (byKey) view.focus(); } },
  });
  const status = el("span", { role: "status" }), time = el("span", { class: "count", id: "took" });
  const view = split(main, [status, time], list, "search/" + encodeURIComponent(query || ""));
  function tell() {
    status.textContent = counted(counts[0], "resource") + " and " + counted(counts[1], "call");
    time.textContent = took.toFixed(0) + " ms" + (store.complete ? "" : "; still loading");
    time.dataset.ms = took;
  }
  tell();
  const loaded = () => { find(); list.show(rows, true); tell(); if (waits && detailsOf(waits)) show(waits); };
  const show = (row) => {
    waits = row.seq && !detailsOf(row) ? row : null;
    if (waits && store.fetchDetails) store.fetchDetails(row);
    list.mark(row);
    view.show(row.each ? [el("h2", null, row.each.call), el("p", null, row.each.reason), differences(row.each), el("p", null, link(address("restore", row.at + 1), "In the restore"))] : row.seq ? callDetail(row) : resourceDetail(row));
  };
  view.box.querySelector(".back").addEventListener("click", (event) => { event.preventDefault(); view.show(null, ""); });
  view.show(null, "Every word is looked for in names, ARNs, tags, attributes, requests, answers and commands; \"words in quotes\" belong together.");
  return { loaded };
}
