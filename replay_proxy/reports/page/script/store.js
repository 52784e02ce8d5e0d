// What the views show: calls, resources, requests and answers. Where these come from is the subject of `embedded.js` and `feed.js`.

const store = { overview: null, calls: [], bySeq: new Map(), resources: new Map(), texts: [], details: [], leftOut: {}, complete: false, loaded: 0, onload: [], onTheWay: "The requests and answers are still being unpacked; " };

// Texts are compared without regard to case; what JSON escapes is undone, so that it is found as it is read.
const folded = (text) => text.toLowerCase().replaceAll("\\u003c", "<").replaceAll("\\u003e", ">").replaceAll("\\u0026", "&").replaceAll('\\"', '"');

// Rows of calls; those that are known already are left alone.
function takeRows(rows) {
  for (const [seq, time, ms, service, operation, account, region, status, kind, error, resources] of rows) {
    if (store.bySeq.has(seq)) continue;
    const call = { at: store.calls.length, seq, time, ms, service, operation, account, region, status, kind, error, resources, failed: status >= 300 || error !== "" };
    store.bySeq.set(seq, call);
    store.calls.push(call);
    store.texts.push(folded([seq, time, service, operation, service + " " + operation, error, status, region].join("\n")));
  }
}

// Resources; what was known of one before gives way, and the object stays the same, so that lists keep their place in it.
function takeResources(rows) {
  for (const row of rows) {
    if (row.left) { store.resources.delete(row.number); continue; }
    const known = store.resources.get(row.number), each = known || {};
    for (const member of Object.keys(each)) delete each[member];
    Object.assign(each, row, { links: row.links || [], dependents: [], parts: [], calls: [] });
    each.text = folded([each.id, each.name, each.arn || "", JSON.stringify(each.tags || {}), JSON.stringify(each.identifiers || {}), JSON.stringify(each.attributes || {})].join("\n"));
    if (!known) store.resources.set(row.number, each);
  }
}

// Whatever follows from calls and resources together.
function relate() {
  for (const each of store.resources.values()) Object.assign(each, { dependents: [], parts: [], calls: [] });
  for (const each of store.resources.values()) {
    for (const [member, target] of each.links) if (store.resources.has(target)) store.resources.get(target).dependents.push([member, each.number]);
    if (each.maker && store.resources.has(each.maker)) store.resources.get(each.maker).parts.push(each.number);
  }
  for (const call of store.calls) for (const each of call.resources) if (store.resources.has(each)) store.resources.get(each).calls.push(call.seq);
}

// Requests and answers, as a list in JSON with a call a line: each is kept as its JSON, and parsed when it is shown.
function takeDetails(text) {
  const lines = text.slice(2, -2).split(",\n");
  const low = folded(text.slice(2, -2)).split(",\n");
  lines.forEach((line, index) => {
    const call = line && store.bySeq.get(Number(/^\{"seq":(\d+)/.exec(line)[1]));
    if (!call || store.details[call.at]) return;
    store.details[call.at] = line;
    store.texts[call.at] += "\n" + low[index];
    store.loaded++;
  });
}

const detailsOf = (call) => (store.details[call.at] ? JSON.parse(store.details[call.at]) : null);

// Calls or resources that have every word of a text; words in quotes belong together.
const wordsOf = (query) => [...query.toLowerCase().matchAll(/"([^"]+)"|(\S+)/g)].map((match) => match[1] || match[2]);
const hasAll = (text, words) => words.every((word) => text.includes(word));
const searchCalls = (words) => (words.length ? store.calls.filter((call) => hasAll(store.texts[call.at] || "", words)) : store.calls);
const searchResources = (words) => [...store.resources.values()].filter((each) => hasAll(each.text, words));

// What is called so comes before what only mentions it, and what exists before what is gone.
function named(resources, words) {
  const rank = (each) => (hasAll(each.calledLow || (each.calledLow = folded([each.id, each.name, each.arn || "", ...Object.values(each.identifiers || {})].join("\n"))), words) ? 0 : 2) + (each.gone ? 1 : 0);
  return resources.map((each) => [rank(each), each]).sort(([a], [b]) => a - b).map(([, each]) => each);
}
